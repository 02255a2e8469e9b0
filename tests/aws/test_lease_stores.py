"""Both stores against moto's server over HTTP, and against what moto never answers: lost races and broken content."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator

import boto3
import pytest

from controller.aws.api import AnswerError, NoAnswerError
from controller.aws.client import Connection
from controller.aws.lease.candidate import Candidate
from controller.aws.lease.dynamodb import DynamoStore
from controller.aws.lease.lease import Lease
from controller.aws.lease.record import NOBODY, Claim, Record, Refused, Renewal, Stored
from controller.aws.lease.s3 import S3Store
from controller.aws.lease.stores import open_store
from controller.aws.lease.terms import LeaseSettings, Terms
from controller.errors import Ambiguous, Denied, Stalled, Transient
from controller.reasons import Reason

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
SHARD = "controller/123456789012/us-west-2"
NAMES = (f"leases-{number}" for number in itertools.count(1))


def record(holder, version, transitions=0):
    return Record(holder, version, 15.0, transitions, "host x")


@pytest.fixture(params=["dynamodb", "s3"])
async def settings(request, moto_url) -> LeaseSettings:
    name = next(NAMES)
    hand = boto3.client(request.param, endpoint_url=moto_url, **KEYS)
    if request.param == "s3":
        hand.create_bucket(Bucket=name)
        return LeaseSettings(store=f"s3://{name}/leases/")
    hand.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    return LeaseSettings(store=f"dynamodb://{name}")


@pytest.fixture
def connection(moto_url) -> Connection:
    return Connection(region="us-east-1", endpoint_url=moto_url, access_key="test", secret_key="test")


@pytest.fixture
async def store(settings, connection) -> AsyncIterator[DynamoStore | S3Store]:
    async with open_store(settings, connection, SHARD) as found:
        yield found


async def test_a_claim_wins_once(store):
    assert await store.read() is None
    first = await store.write(Claim(record("a", "1"), None))
    assert isinstance(first, Stored)
    assert await store.read() == first
    assert await store.write(Claim(record("b", "2"), None)) == Refused(first)
    assert await store.read() == first


async def test_a_claim_of_what_was_seen(store):
    first = await store.write(Claim(record("a", "1"), None))
    second = await store.write(Claim(record("b", "2", 1), first))
    assert (await store.read()).record == record("b", "2", 1)
    assert await store.write(Claim(record("c", "3"), first)) == Refused(second)


async def test_renewals_go_on_from_each_other_and_a_second_one_of_the_same_fails(store):
    first = await store.write(Claim(record("a", "1"), None))
    second = await store.write(Renewal(record("a", "2"), first))
    assert (await store.read()).record.version == "2"
    assert await store.write(Renewal(record("a", "3"), first)) == Refused(second)
    third = await store.write(Renewal(record("a", "3"), second))
    assert await store.read() == third


async def test_a_lease_that_was_given_back_is_free(store):
    first = await store.write(Claim(record("a", "1"), None))
    free = await store.write(Renewal(Record(NOBODY, "2", 0.0, 4), first))
    assert (await store.read()).record == Record(NOBODY, "2", 0.0, 4, "")
    assert isinstance(await store.write(Claim(record("b", "3", 5), free)), Stored)


async def test_what_is_gone_can_not_be_renewed(store):
    gone = Stored(record("a", "1"), '"d41d8cd98f00b204e9800998ecf8427e"')
    assert await store.write(Renewal(record("a", "2"), gone)) == Refused(None)
    assert await store.read() is None


async def test_of_many_claims_at_once_one_wins(store):
    outcomes = await asyncio.gather(*(store.write(Claim(record(str(n), f"v{n}"), None)) for n in range(8)))
    winners = [one for one in outcomes if isinstance(one, Stored)]
    assert len(winners) == 1
    assert await store.read() == winners[0]


async def test_a_whole_life_over_http(settings, connection):
    """Two controllers with short terms, for real: one works, gives back, and the other goes on."""
    terms = Terms(duration=1.5, deadline=1.2, retry=0.05)
    log = []

    def lease(store, name):
        versions = (f"{name}-{number}" for number in itertools.count())
        return Lease(store, Candidate(name, terms, lambda: next(versions)), random.random)

    async def controller(name):
        async with open_store(settings, connection, SHARD) as store:
            mine = lease(store, name)

            async def work():
                for _ in range(10):
                    mine.check()
                    log.append(name)
                    await asyncio.sleep(0.01)

            await mine.during(work)

    await asyncio.gather(controller("a"), controller("b"))
    assert [name for name, _ in itertools.groupby(log)] in (["a", "b"], ["b", "a"])
    assert len(log) == 20
    async with open_store(settings, connection, SHARD) as store:
        standing = await store.read()
    assert (standing.record.holder, standing.record.transitions) == (NOBODY, 1)


async def test_a_place_that_is_not_there_is_said_at_once(settings, connection):
    missing = settings.model_copy(update={"store": f"{settings.store.partition('://')[0]}://no-such-place"})
    async with open_store(missing, connection, SHARD) as store:
        for action in (store.read(), store.write(Claim(record("a", "1"), None))):
            with pytest.raises(Stalled) as caught:
                await action
            assert "no-such-place" in str(caught.value) or "NoSuchBucket" in str(caught.value)


async def test_a_table_with_a_sort_key_is_refused(moto_url, connection):
    name = next(NAMES)
    boto3.client("dynamodb", endpoint_url=moto_url, **KEYS).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
    )
    async with open_store(LeaseSettings(store=f"dynamodb://{name}"), connection, SHARD) as store:
        with pytest.raises(Stalled, match="no sort key"):
            await store.read()


async def test_something_else_in_its_place_is_not_overwritten(settings, moto_url, store):
    kind, _, place = settings.store.partition("://")
    hand = boto3.client(kind, endpoint_url=moto_url, **KEYS)
    if kind == "s3":
        hand.put_object(Bucket=place.split("/")[0], Key=store.key, Body=b"hello")
    else:
        hand.put_item(TableName=place, Item={"pk": {"S": SHARD}, "other": {"S": "hello"}})
    with pytest.raises(Stalled, match="is no lease"):
        await store.read()
    with pytest.raises(Stalled, match="is no lease"):
        await store.write(Claim(record("a", "1"), None))


async def test_where_the_object_is(settings, connection):
    bare = LeaseSettings(store="s3://bucket-name")
    async with open_store(bare, connection, SHARD) as store:
        assert (store.bucket, store.key) == ("bucket-name", f"{SHARD}.json")
    deep = LeaseSettings(store="s3://bucket-name/a/b/")
    async with open_store(deep, connection, SHARD) as store:
        assert store.key == f"a/b/{SHARD}.json"


async def test_its_region_may_be_another(connection, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "controller.aws.lease.stores.connect",
        lambda there, kind, **options: opened.append((there.region, kind, options)) or _Nothing(),
    )
    for region in (None, "eu-west-1"):
        async with open_store(LeaseSettings(store="dynamodb://table", region=region), connection, SHARD):
            pass
    assert opened == [("us-east-1", "dynamodb", {"read_attempts": 1}), ("eu-west-1", "dynamodb", {"read_attempts": 1})]


class _Nothing:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None


# What moto never says
# ----------------------------------------------------------------------------------------------------------------


class Script:
    """An `Api` that answers from a list."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    async def call(self, operation, params):
        self.calls.append((operation, params))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Body:
    def __init__(self, content):
        self.content = content

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def read(self):
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


STANDING = {
    "Body": Body(b'{"holder": "b", "version": "9", "duration": 15.0, "transitions": 3, "info": ""}'),
    "ETag": '"e"',
}
BY_B = Stored(Record("b", "9", 15.0, 3), '"e"')


def refused(code, status):
    return AnswerError("PutObject", code=code, message="no", status=status)


@pytest.mark.parametrize(
    "error",
    [
        refused("PreconditionFailed", 412),
        refused("ConditionalRequestConflict", 409),
        refused("412", 412),
        refused("409", 409),
    ],
)
@pytest.mark.parametrize("write", [Claim(record("a", "1"), None), Renewal(record("a", "1"), BY_B)])
async def test_a_lost_race_in_s3_tells_who_has_won(error, write):
    api = Script(error, STANDING)
    assert await S3Store(api, "bucket", "key").write(write) == Refused(BY_B)
    assert [operation for operation, _ in api.calls] == ["PutObject", "GetObject"]


async def test_each_write_to_s3_has_a_condition():
    api = Script({"ETag": '"1"'}, {"ETag": '"2"'}, {"ETag": '"3"'})
    store = S3Store(api, "bucket", "key")
    for write in (Claim(record("a", "1"), None), Claim(record("a", "1"), BY_B), Renewal(record("a", "1"), BY_B)):
        await store.write(write)
    conditions = [
        {name: params[name] for name in ("IfMatch", "IfNoneMatch") if name in params} for _, params in api.calls
    ]
    assert conditions == [{"IfNoneMatch": "*"}, {"IfMatch": '"e"'}, {"IfMatch": '"e"'}]


async def test_a_body_that_breaks_off_is_no_lease_and_no_absence():
    store = S3Store(Script({**STANDING, "Body": Body(ConnectionResetError("reset"))}), "bucket", "key")
    with pytest.raises(Transient, match="reset"):
        await store.read()


@pytest.mark.parametrize("kind", [DynamoStore, S3Store])
@pytest.mark.parametrize(
    ("error", "expected", "reason"),
    [
        (NoAnswerError("x", "reset", sent=True), Ambiguous, Reason.OUTCOME_UNKNOWN),
        (NoAnswerError("x", "no route", sent=False), Transient, Reason.UNREACHABLE),
        (AnswerError("x", code="AccessDeniedException", message="no"), Denied, Reason.ACCESS_DENIED),
        (AnswerError("x", code="AccessDenied", message="no", status=403), Denied, Reason.ACCESS_DENIED),
        (AnswerError("x", code="ProvisionedThroughputExceededException", message="no"), Transient, Reason.THROTTLED),
        (AnswerError("x", code="SlowDown", message="no", status=503), Transient, Reason.THROTTLED),
        (AnswerError("x", code="InternalServerError", message="no", status=500), Ambiguous, Reason.OUTCOME_UNKNOWN),
    ],
)
async def test_failures_of_a_store_are_of_the_tree(kind, error, expected, reason):
    with pytest.raises(expected) as caught:
        await kind(Script(error), "place", "key").write(Claim(record("a", "1"), None))
    assert caught.value.reason is reason
    with pytest.raises((Transient, Denied)):
        await kind(Script(error), "place", "key").read()


async def test_dynamodb_is_asked_for_what_stands_there_and_for_the_truth():
    api = Script({}, {})
    store = DynamoStore(api, "table", "key")
    await store.read()
    await store.write(Claim(record("a", "1"), None))
    (_, read), (_, write) = api.calls
    assert read["ConsistentRead"] is True
    assert write["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    assert write["ConditionExpression"] == "attribute_not_exists(pk) OR #holder = :empty"


async def test_an_item_that_is_gone_refuses_without_one():
    error = AnswerError("UpdateItem", code="ConditionalCheckFailedException", message="no")
    store = DynamoStore(Script(error), "table", "key")
    assert await store.write(Renewal(record("a", "2"), BY_B)) == Refused(None)
