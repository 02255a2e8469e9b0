"""The shorter way of reads and the SDK's own one: nobody can tell them apart, but by the work done.

This is also what pins the parts of aiobotocore that the shorter way stands on: a new version that does something else
with a call fails here first.
"""

import asyncio
import json
from types import SimpleNamespace

import pytest
from aiobotocore.credentials import AioCredentials
from aiobotocore.session import AioSession
from botocore import UNSIGNED
from botocore import exceptions as boto
from botocore.credentials import ReadOnlyCredentials

from controller.aws.api import AnswerError, ApiError
from controller.aws.client import Connection, connect
from controller.aws.fastpath import FastPath
from controller.errors import ControllerError, Denied
from tests.aws.wire import Wire, refusal, wired

READ = ("DescribeServices", {"cluster": "train", "services": ["bert", "gpt"], "include": ["TAGS"]})
WRITE = ("UpdateService", {"cluster": "train", "service": "bert"})
GOOD = (200, {"services": [{"serviceName": "bert", "events": []}], "failures": []})
ENDPOINT = {"endpoint_url": "https://ecs.us-west-2.amazonaws.com"}
REFUSED = b'{"__type":"ClusterNotFoundException","message":"Cluster not found."}'
OF_ITS_OWN = {"X-Amz-Date", "Authorization", "amz-sdk-invocation-id"}
"""Headers that differ from call to call."""
NO_NEWS = " (reached max retries: 0)"
"""What botocore adds to the text of an error that has none; the shorter way leaves it out."""

pytestmark = pytest.mark.looptime


class Watched(Wire):
    """A wire that sees which requests the SDK has made by itself."""

    def __init__(self, *script):
        super().__init__(*script)
        self.made = []

    def attach(self, session):
        session.register("request-created.ecs", lambda operation_name, **_: self.made.append(operation_name))
        return super().attach(session)


@pytest.fixture
def sdk_only(monkeypatch):
    """Turns the shorter way off."""
    return lambda: monkeypatch.setattr(FastPath, "register", lambda _self: None)


def text(value):
    return value.decode() if isinstance(value, bytes) else value


async def outcome(script, call=READ, service="ecs"):
    """What came of a call: the answer, or the error with all that it says."""
    wire = Watched(*script)
    async with wired(wire, service, read_attempts=1) as api:
        try:
            answer = await api.call(*call)
        except AnswerError as error:
            answer = ("answered", error.code, error.text, error.status, dict(error.details))
        except ApiError as error:
            answer = (type(error), str(error), getattr(error, "sent", None), type(error.__cause__))
        except ControllerError as error:
            answer = (type(error), error.reason, error.message)
    return answer, wire


# Who goes it
# ----------------------------------------------------------------------------------------------------------------


async def test_reads_go_the_shorter_way_and_writes_do_not():
    wire = Watched(GOOD)
    async with wired(wire, read_attempts=1) as api:
        await api.call(*READ)
        await api.call(*WRITE)
        await api.call("ListServices", {"cluster": "train"})
    assert len(wire.sent) == 3
    assert wire.made == ["UpdateService"]


async def test_a_client_that_retries_does_not():
    wire = Watched(GOOD)
    async with wired(wire, read_attempts=3) as api:
        await api.call(*READ)
    assert wire.made == ["DescribeServices"]


async def test_other_services_do_not():
    _, wire = await outcome([(200, {"Item": {}})], ("GetItem", {"TableName": "t", "Key": {}}), "dynamodb")
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, "https://ecs.example.com/behind/a/path"),
        ({}, "http://[::1]:4599"),
        ({"AWS_AUTH_SCHEME_PREFERENCE": "sigv4a,sigv4"}, None),
    ],
)
async def test_what_is_signed_otherwise_is_left_to_the_sdk(environment, variables, endpoint):
    for name, value in variables.items():
        environment.setenv(name, value)
    wire = Watched(GOOD)
    there = Connection(region="us-west-2", access_key="AKIDEXAMPLE", secret_key="s", endpoint_url=endpoint)
    async with connect(there, session=wire.attach(AioSession()), read_attempts=1) as api:
        assert (await api.call(*READ))["failures"] == []
    assert wire.made == ["DescribeServices"]


@pytest.mark.parametrize("version", [UNSIGNED, "v2"])
async def test_another_signature_of_the_client_is_left_to_the_sdk(version):
    handler = FastPath(None, lambda _operation: True, lambda _model, _body: {})
    signer = SimpleNamespace(signature_version=version)
    model = SimpleNamespace(name="DescribeServices")
    assert await handler(model=model, params={}, request_signer=signer, context={"auth_type": None}) is None
    signer = SimpleNamespace(signature_version="v4")
    for context in ({"auth_type": "bearer"}, {"auth_type": "v4", "signing": {"region": "eu-west-1"}}):
        assert await handler(model=model, params={}, request_signer=signer, context=context) is None


# What is sent
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [{}, {"AWS_LAMBDA_FUNCTION_NAME": "f", "_X_AMZN_TRACE_ID": "Root=1-2-3"}])
async def test_the_request_is_the_sdks(environment, sdk_only, variables):
    for name, value in variables.items():
        environment.setenv(name, value)
    _, ours = await outcome([GOOD])
    sdk_only()
    _, theirs = await outcome([GOOD])
    assert (ours.made, theirs.made) == ([], ["DescribeServices"])
    (one,), (other,) = ours.sent, theirs.sent
    assert (one.method, one.url, one.body) == (other.method, other.url, other.body)
    sent = {name: text(value) for name, value in one.headers.items()}
    known = {name: text(value) for name, value in other.headers.items()}
    known.pop("Content-Length")  # the HTTP session adds it
    assert sent.keys() == known.keys()
    assert all(sent[name] == known[name] for name in sent.keys() - OF_ITS_OWN)
    signed = [found["Authorization"].partition("SignedHeaders=")[2].partition(",")[0] for found in (sent, known)]
    assert signed[0] == signed[1]


async def test_every_call_has_an_invocation_of_its_own():
    wire = Watched(GOOD)
    async with wired(wire, read_attempts=1) as api:
        await api.call(*READ)
        await api.call(*READ)
    assert len({one.headers["amz-sdk-invocation-id"] for one in wire.sent}) == 2


class Rotating(AioCredentials):
    """Credentials that are others each time: a role's live an hour."""

    def __init__(self):
        super().__init__("AKID0", "secret")
        self.handed_out = 0

    async def load_credentials(self):
        return self

    async def get_frozen_credentials(self):
        self.handed_out += 1
        return ReadOnlyCredentials(f"AKID{self.handed_out}", "secret", f"token{self.handed_out}")


async def test_credentials_are_asked_for_at_every_call():
    session, wire = AioSession(), Watched(GOOD)
    session.register_component("credential_provider", Rotating())
    async with connect(Connection(region="us-west-2"), session=wire.attach(session), read_attempts=1) as api:
        for _ in range(3):
            await api.call(*READ)
    keys = [one.headers["Authorization"].partition("Credential=")[2].partition("/")[0] for one in wire.sent]
    tokens = [one.headers["X-Amz-Security-Token"] for one in wire.sent]
    assert keys == [key.replace("token", "AKID") for key in tokens]
    assert len(set(keys)) == 3
    assert wire.made == []


async def test_without_credentials_nothing_is_sent():
    wire = Watched(GOOD)
    async with connect(Connection(region="us-west-2"), session=wire.attach(AioSession()), read_attempts=1) as api:
        with pytest.raises(Denied, match="Unable to locate credentials"):
            await api.call(*READ)
    assert not wire.sent


# What comes of it
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        (200, {"services": [], "failures": [], "ofTomorrow": {"a": 1.5}}),
        (200, b"<html>a proxy</html>"),
        (200, b""),
        (204, b""),
        (302, b""),
        refusal("ThrottlingException", "Rate exceeded"),
        refusal("AccessDeniedException", "not you", status=400),
        refusal("ClusterNotFoundException", "Cluster not found."),
        refusal("ConflictException", "in use", resourceIds=["a", "b"]),
        refusal("OfTomorrowException", "?", status=418),
        refusal("ServerException", "our fault", status=500),
        (503, b"<html>Service Unavailable</html>"),
        (502, b""),
        (403, b"{}"),
        boto.EndpointConnectionError(error="no route", **ENDPOINT),
        boto.ConnectTimeoutError(**ENDPOINT),
        boto.ReadTimeoutError(**ENDPOINT),
        boto.ConnectionClosedError(**ENDPOINT),
        boto.HTTPClientError(error="reset by peer"),
        boto.CredentialRetrievalError(provider="process", error_msg="exit 1"),
        ConnectionResetError("reset by peer"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else f"{one[0]}-{str(one[1])[:30]}",
)
async def test_what_comes_of_a_call_is_what_the_sdk_makes_of_it(answer, sdk_only):
    ours, one = await outcome([answer])
    sdk_only()
    theirs, other = await outcome([answer])
    if isinstance(theirs, tuple):
        theirs = tuple(part.replace(NO_NEWS, "") if isinstance(part, str) else part for part in theirs)
    assert ours == theirs
    assert (len(one.sent), len(other.sent)) == (1, 1)
    assert (one.made, other.made) == ([], [READ[0]])


async def test_what_the_model_does_not_know_is_never_sent():
    answer, wire = await outcome([GOOD], ("DescribeServices", {"services": ["a"], "ofTomorrow": 1}))
    assert "ofTomorrow" in str(answer)
    assert wire.sent == []


async def test_cancelled_on_the_way():
    async with wired(Watched(1000.0, GOOD), read_attempts=1) as api:
        task = asyncio.create_task(api.call(*READ))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# Over a real connection
# ----------------------------------------------------------------------------------------------------------------


async def _over_http():
    heads = []

    async def serve(reader, writer):
        for status, body in ((b"200 OK", b'{"services":[],"failures":[]}'), (b"400 Bad Request", REFUSED)):
            head = await reader.readuntil(b"\r\n\r\n")
            heads.append(head.decode())
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            heads.append((await reader.readexactly(length)).decode())
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        there = Connection(
            region="us-west-2", access_key="AKIDEXAMPLE", secret_key="s", endpoint_url=f"http://{host}:{port}"
        )
        session = AioSession()
        made = []
        session.register("request-created.ecs", lambda operation_name, **_: made.append(operation_name))
        async with connect(there, session=session, read_attempts=1) as api:
            good = await api.call(*READ)
            with pytest.raises(AnswerError, match="Cluster not found") as caught:
                await api.call(*READ)
    return good, caught.value, heads, made, f"{host}:{port}"


def test_over_the_sdks_own_http_session():
    good, error, heads, made, host = asyncio.run(_over_http())
    assert good == {"services": [], "failures": []}
    assert (error.code, error.status) == ("ClusterNotFoundException", 400)
    assert made == []
    assert len(heads) == 4, "two calls on one connection"
    assert f"\r\nHost: {host}\r\n" in heads[0]
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-target," in heads[0]
    assert json.loads(heads[1]) == READ[1]
