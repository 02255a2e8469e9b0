"""A bucket through the real client: against moto's server over HTTP, and on a wire that does what a server does not."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import boto3
import pytest
from aiohttp import web

from controller.aws import objects
from controller.aws.api import AnswerError, Api, NoAnswerError
from controller.aws.client import Connection, connect
from controller.aws.objects import S3Objects
from controller.core.objects import StoredObject
from controller.errors import Denied, Stalled, Transient
from controller.reasons import Reason
from controller.sources.s3 import Objects, S3Source
from controller.sources.uri import S3Location

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
OURS, THEIRS = "123456789012", "999999999999"
_NUMBERS = itertools.count()


@pytest.fixture
def url(moto_url: str) -> str:
    return moto_url


@pytest.fixture
def hand(url: str) -> Any:
    """Somebody else with an SDK of their own."""
    return boto3.client("s3", endpoint_url=url, **KEYS)


@pytest.fixture(params=["versioned", "unversioned"])
def bucket(request: pytest.FixtureRequest, hand: Any) -> str:
    name = f"specs-{next(_NUMBERS)}"
    hand.create_bucket(Bucket=name)
    if request.param == "versioned":
        hand.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@asynccontextmanager
async def opened(url: str, *, attempts: int = 3) -> AsyncIterator[Api]:
    connection = Connection(region="us-east-1", endpoint_url=url, access_key="test", secret_key="test")
    async with connect(connection, "s3", read_attempts=attempts) as api:
        yield api


class Counting:
    """Counts the calls, and can break them."""

    def __init__(self, api: Api, **broken: Exception) -> None:
        self.api = api
        self.broken = broken
        self.made: list[str] = []
        self.params: list[dict[str, Any]] = []

    async def call(self, operation: str, params: Any) -> dict[str, Any]:
        self.made.append(operation)
        self.params.append(dict(params))
        if operation in self.broken:
            raise self.broken[operation]
        return await self.api.call(operation, params)


# Against moto
# ----------------------------------------------------------------------------------------------------------------------


async def test_a_source_from_end_to_end(url, hand, bucket):
    for key, body in (("prod/a.yaml", b"1"), ("prod/team/b b+ü.yaml", b"2"), ("prod-old/c.yaml", b"3"), ("prod/", b"")):
        hand.put_object(Bucket=bucket, Key=key, Body=body)
    async with opened(url) as api:
        counting = Counting(api)
        source = S3Source(S3Location(bucket, "prod/"), S3Objects(counting, bucket, owner=OURS))
        first = await source.snapshot()
        assert first.files == {"a.yaml": b"1", "team/b b+ü.yaml": b"2"}
        assert counting.made == ["ListObjectsV2", "ListObjectVersions", "GetObject", "GetObject"]
        assert {one["ExpectedBucketOwner"] for one in counting.params} == {OURS}
        counting.made.clear()
        assert await source.snapshot() is first
        assert counting.made == ["ListObjectsV2"]
        hand.put_object(Bucket=bucket, Key="prod/a.yaml", Body=b"new")
        hand.delete_object(Bucket=bucket, Key="prod/team/b b+ü.yaml")
        assert (await source.snapshot()).files == {"a.yaml": b"new"}


async def test_what_was_listed_is_read_or_nothing(url, hand, bucket):
    hand.put_object(Bucket=bucket, Key="a.yaml", Body=b"one")
    hand.put_object(Bucket=bucket, Key="b.yaml", Body=b"two")
    async with opened(url) as api:
        store = S3Objects(api, bucket)
        a, b = await store.listing("", versions=True)
        hand.put_object(Bucket=bucket, Key="a.yaml", Body=b"ONE")
        hand.delete_object(Bucket=bucket, Key="b.yaml")
        versioned = a.version is not None
        assert await store.read(a) == (b"one" if versioned else None)
        assert await store.read(b) == (b"two" if versioned else None)
        (plain,) = await store.listing("")
        assert plain.version is None
        assert await store.read(plain) == b"ONE"
        hand.put_object(Bucket=bucket, Key="a.yaml", Body=b"EIN")
        assert await store.read(plain) is None


async def test_every_page_of_a_listing(url, hand, bucket):
    """moto's pages are as long as S3's, so shorter ones are asked for."""
    for number in range(25):
        hand.put_object(Bucket=bucket, Key=f"f{number:02}.yaml", Body=b"1")
        hand.put_object(Bucket=bucket, Key=f"f{number:02}.yaml", Body=b"%d" % number)
    hand.delete_object(Bucket=bucket, Key="f07.yaml")

    class Short(Counting):
        async def call(self, operation, params):
            pages = {"MaxKeys": 10} if operation.startswith("List") else {}
            return await super().call(operation, {**params, **pages})

    async with opened(url) as api:
        short = Short(api)
        store = S3Objects(short, bucket)
        for versions in (False, True):
            listed = await store.listing("f", versions=versions)
            assert [one.key for one in listed] == [f"f{n:02}.yaml" for n in range(25) if n != 7]
            assert [await store.read(one) for one in listed[:8]] == [b"%d" % n for n in range(9) if n != 7]
        assert short.made.count("ListObjectsV2") == 3


async def test_a_bucket_that_does_not_exist(url):
    async with opened(url) as api:
        with pytest.raises(Stalled) as raised:
            await S3Objects(api, "nobody-has-this").listing("")
        assert raised.value.reason is Reason.SOURCE_UNREADABLE


async def test_an_endpoint_that_nobody_serves():
    async with opened("http://127.0.0.1:9", attempts=1) as api:
        with pytest.raises(Transient) as raised:
            await S3Objects(api, "specs").listing("")
        assert raised.value.reason is Reason.UNREACHABLE


# What moto does not do
# ----------------------------------------------------------------------------------------------------------------------


class Answers:
    """An `Api` that answers from a list."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def call(self, operation: str, params: Any) -> dict[str, Any]:
        self.calls.append((operation, dict(params)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def page(*keys: str, **more: Any) -> dict[str, Any]:
    contents = [{"Key": key, "ETag": '"e"', "Size": 1} for key in keys]
    return {"Name": "specs", "IsTruncated": False, "Contents": contents, **more}


def refused(operation: str, code: str, status: int) -> AnswerError:
    return AnswerError(operation, code=code, message="no", status=status)


async def test_a_bucket_of_another_account_is_not_read():
    """S3 answers 403 where the owner is not the expected one."""
    api = Answers(refused("ListObjectsV2", "AccessDenied", 403))
    with pytest.raises(Denied, match=f"check that account {THEIRS} owns the bucket"):
        await S3Objects(api, "specs", owner=THEIRS).listing("")
    assert api.calls == [("ListObjectsV2", {"Bucket": "specs", "ExpectedBucketOwner": THEIRS, "Prefix": ""})]


@pytest.mark.parametrize("status", [403, 501])
async def test_without_leave_to_list_versions_etags_hold_what_is_read(status):
    api = Answers(refused("ListObjectVersions", "AccessDenied", status), page("a.yaml"), page("a.yaml"))
    store = S3Objects(api, "specs")
    for _ in range(2):
        assert await store.listing("", versions=True) == (StoredObject("a.yaml", '"e"', 1),)
    assert [name for name, _ in api.calls] == ["ListObjectVersions", "ListObjectsV2", "ListObjectsV2"]


async def test_another_failure_of_the_versions_is_no_reason_to_do_without():
    store = S3Objects(Answers(refused("ListObjectVersions", "SlowDown", 503)), "specs")
    with pytest.raises(Transient) as raised:
        await store.listing("", versions=True)
    assert raised.value.reason is Reason.THROTTLED


async def test_a_long_history_is_given_up_and_a_long_listing_is_an_error(monkeypatch):
    monkeypatch.setattr(objects, "MOST_KEYS", 3)
    more = {"IsTruncated": True, "NextKeyMarker": "k", "NextContinuationToken": "t"}
    markers = [{"Key": "x", "VersionId": "v", "IsLatest": True}]
    api = Answers(*[page("a.yaml", **more, DeleteMarkers=markers)] * 2, page("a.yaml"))
    store = S3Objects(api, "specs")
    assert len(await store.listing("", versions=True)) == 1
    with pytest.raises(Stalled, match="name a narrower prefix"):
        await S3Objects(Answers(*[page("a.yaml", "b.yaml", **more)] * 2), "specs").listing("")


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"Contents": []},
        {"Name": "specs", "Contents": [{"Key": "a.yaml", "ETag": "e", "Size": 1}]},
        page("a.yaml", IsTruncated=True),
        NoAnswerError("ListObjectsV2", "cut off", sent=True),
    ],
)
@pytest.mark.parametrize("before", [[], [page("a.yaml", IsTruncated=True, NextContinuationToken="t")]])
async def test_half_a_listing_is_an_error(before, broken):
    with pytest.raises(Transient):
        await S3Objects(Answers(*before, broken), "specs").listing("")


@pytest.mark.parametrize("code", ["PreconditionFailed", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed"])
async def test_codes_that_say_that_an_object_is_gone(code):
    store = S3Objects(Answers(refused("GetObject", code, 404)), "specs")
    assert await store.read(StoredObject("a.yaml", '"e"', 1, "v1")) is None


async def test_a_bucket_that_is_gone_is_no_object_that_is_gone():
    store = S3Objects(Answers(refused("GetObject", "NoSuchBucket", 404)), "specs")
    with pytest.raises(Stalled):
        await store.read(StoredObject("a.yaml", '"e"', 1))


async def test_a_read_names_exactly_what_was_listed():
    api = Answers(refused("GetObject", "NoSuchKey", 404), refused("GetObject", "NoSuchKey", 404))
    store = S3Objects(api, "specs", owner=OURS)
    await store.read(StoredObject("a.yaml", '"e"', 1, "v1"))
    await store.read(StoredObject("a.yaml", '"e"', 1))
    common = {"Bucket": "specs", "Key": "a.yaml", "IfMatch": '"e"', "ExpectedBucketOwner": OURS}
    assert [params for _, params in api.calls] == [{**common, "VersionId": "v1"}, common]


@asynccontextmanager
async def server(*bodies: Any) -> AsyncIterator[tuple[str, list[str]]]:
    """A server whose answers to GetObject break off, or not; and the paths that were asked for."""
    asked: list[str] = []
    left = list(bodies)

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        announced, content = left.pop(0)
        response = web.StreamResponse(headers={"Content-Length": str(announced), "ETag": '"e"'})
        await response.prepare(request)
        await response.write(content)
        if len(content) < announced:
            assert request.transport is not None
            request.transport.close()
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}", asked
    finally:
        await runner.cleanup()


async def test_a_body_that_breaks_off_is_asked_for_again():
    async with server((8, b"1234"), (8, b""), (8, b"12345678")) as (url, asked), opened(url) as api:
        assert await S3Objects(api, "specs").read(StoredObject("a.yaml", '"e"', 8)) == b"12345678"
        assert len(asked) == 3


async def test_a_body_that_always_breaks_off_is_an_error():
    async with server(*[(8, b"1234")] * 3) as (url, _), opened(url) as api:
        with pytest.raises(Transient) as raised:
            await S3Objects(api, "specs").read(StoredObject("a.yaml", '"e"', 8))
        assert raised.value.reason is Reason.UNREACHABLE


async def test_a_body_of_another_size_is_not_what_was_listed():
    async with server((8, b"12345678")) as (url, _), opened(url) as api:
        assert await S3Objects(api, "specs").read(StoredObject("a.yaml", '"e"', 5)) is None


def test_the_bucket_is_what_the_source_asks_for():
    store: Objects = S3Objects(Answers(), "specs")
    assert store
