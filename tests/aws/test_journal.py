"""The journal in DynamoDB and in S3, against moto's server through the real client."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from controller.aws.client import Connection, connect
from controller.aws.journal import KEPT, DynamoJournal, S3Journal
from controller.core.journal import Entry
from controller.errors import Stalled
from tests.e2e.conftest import moto

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


def entry(number: int, workload: str | None = "train/bert") -> Entry:
    return Entry(NOON + timedelta(seconds=number), "condition", workload, "info", {"number": number})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with moto() as found:
        yield found


@pytest.fixture(params=["dynamodb", "s3"])
async def journal(request: pytest.FixtureRequest, url: str) -> AsyncIterator[DynamoJournal | S3Journal]:
    name = f"journal-{abs(hash(request.node.name)):x}"
    hand = boto3.client(request.param, endpoint_url=url, **KEYS)
    if request.param == "s3":
        hand.create_bucket(Bucket=name)
    else:
        hand.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        )
    connection = Connection(region="us-east-1", endpoint_url=url, access_key="test", secret_key="test")
    async with connect(connection, request.param) as api:
        yield S3Journal(api, name, "history/", lambda: NOON) if request.param == "s3" else DynamoJournal(api, name)


async def test_what_is_appended_comes_back_oldest_first(journal):
    await journal.append([entry(1), entry(2, None)])
    await journal.append([entry(3)])
    await journal.append([])
    assert await journal.recent() == [entry(1), entry(2, None), entry(3)]
    assert await journal.recent(most=2) == [entry(2, None), entry(3)]


async def test_the_entries_of_one_workload(journal):
    await journal.append([entry(1), entry(2, "train/gpt"), entry(3)])
    assert await journal.recent("train/bert") == [entry(1), entry(3)]
    assert await journal.recent("train/nobody") == []


async def test_more_entries_than_one_request_takes(journal):
    await journal.append([entry(number) for number in range(60)])
    assert await journal.recent(most=60) == [entry(number) for number in range(60)]


async def test_entries_of_one_moment_do_not_replace_each_other(journal):
    same = [Entry(NOON, "condition", f"train/{name}") for name in "ab"]
    await journal.append(same[:1])
    await journal.append(same[1:])
    assert sorted(one.workload or "" for one in await journal.recent()) == ["train/a", "train/b"]


async def test_what_is_not_there_is_one_error_of_the_tree(url):
    connection = Connection(region="us-east-1", endpoint_url=url, access_key="test", secret_key="test")
    async with connect(connection, "s3") as api:
        with pytest.raises(Stalled, match="NoSuchBucket"):
            await S3Journal(api, "no-such-bucket", "", lambda: NOON).append([entry(1)])


class Pages:
    """An `Api` that answers from a list."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    async def call(self, operation, params):
        self.calls.append((operation, params))
        return self.answers.pop(0)


async def test_dynamodb_items_that_were_not_processed_are_sent_again():
    item = {"PutRequest": {"Item": {"pk": {"S": "x"}}}}
    api = Pages({"UnprocessedItems": {"table": [item]}}, {})
    await DynamoJournal(api, "table").append([entry(1)])
    assert api.calls[1] == ("BatchWriteItem", {"RequestItems": {"table": [item]}})


async def test_a_dynamodb_item_says_when_it_may_be_forgotten():
    api = Pages({})
    await DynamoJournal(api, "table").append([entry(0)])
    (request,) = api.calls[0][1]["RequestItems"]["table"]
    assert request["PutRequest"]["Item"]["expires"] == {"N": str(int((NOON + KEPT).timestamp()))}


async def test_dynamodb_pages_are_followed():
    api = Pages({"Items": [], "LastEvaluatedKey": {"pk": {"S": "journal"}}}, {"Items": []})
    assert await DynamoJournal(api, "table").recent() == []
    assert "ExclusiveStartKey" in api.calls[1][1]


async def test_an_s3_journal_of_yesterday_is_found_and_one_of_long_ago_is_not():
    names = {"2026/11/24/": ["2026/11/24/120000.000000-a.jsonl"], "2026/01/01/": ["2026/01/01/000000.000000-a.jsonl"]}
    asked = []

    class Listing:
        async def call(self, operation, params):
            asked.append((operation, params.get("Prefix", params.get("Key"))))
            if operation == "ListObjectsV2":
                return {"Contents": [{"Key": key} for key in names.get(params["Prefix"], ())]}

            class Body:
                async def read(self):
                    return b"no entry\n"

            return {"Body": Body()}

    assert await S3Journal(Listing(), "bucket", "", lambda: NOON).recent() == []
    assert [key for operation, key in asked if operation == "GetObject"] == ["2026/11/24/120000.000000-a.jsonl"]
    assert len(asked) == KEPT.days + 1
