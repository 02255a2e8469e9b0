"""The real client: what is retried, what is sent once, what each failure becomes, and what an answer looks like."""

import asyncio

import pytest
from aiobotocore.session import AioSession
from botocore import exceptions as boto

from controller.aws.api import AnswerError, NoAnswerError
from controller.aws.client import APP_ID, CALL_TIMEOUT, Connection, connect, is_read, region_of, session_of, with_events
from controller.aws.errors import classify
from controller.errors import Ambiguous, ControllerError, Denied, Stalled, Transient
from controller.reasons import Reason
from tests.aws.wire import Wire, refusal, wired

pytestmark = pytest.mark.looptime

TROUBLE = refusal("ServerException", "our fault", status=500)
READ = ("ListServices", {"cluster": "train"})
WRITE = ("UpdateService", {"cluster": "train", "service": "bert"})
ENDPOINT = {"endpoint_url": "https://ecs.us-west-2.amazonaws.com"}


def test_what_reads():
    reads = ("DescribeServices", "ListServices", "GetTaskProtection", "GetObject", "GetItem")
    writes = ("CreateService", "UpdateService", "TagResource", "AssumeRole", "UpdateItem", "PutObject", "RunTask")
    assert [is_read(name) for name in reads + writes] == [True] * len(reads) + [False] * len(writes)


# How often
# ----------------------------------------------------------------------------------------------------------------


async def test_a_read_is_sent_again():
    wire = Wire(TROUBLE, boto.ConnectionClosedError(**ENDPOINT), (200, {"serviceArns": []}))
    async with wired(wire) as api:
        assert await api.call(*READ) == {"serviceArns": []}
    assert len(wire.sent) == 3


async def test_a_read_is_given_up_after_three_times():
    wire = Wire(TROUBLE)
    async with wired(wire) as api:
        with pytest.raises(AnswerError, match="our fault") as caught:
            await api.call(*READ)
    assert len(wire.sent) == 3
    assert isinstance(classify(caught.value, write=False), Transient)


async def test_who_counts_by_himself_gets_no_retries_of_reads():
    wire = Wire(TROUBLE)
    async with wired(wire, read_attempts=1) as api:
        with pytest.raises(AnswerError):
            await api.call(*READ)
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (TROUBLE, Reason.OUTCOME_UNKNOWN),
        (refusal("ServiceUnavailable", status=503), Reason.OUTCOME_UNKNOWN),
        (refusal("ThrottlingException", "Rate exceeded"), Reason.THROTTLED),
        (refusal("LimitExceededException", "too many"), Reason.LIMIT_EXCEEDED),
        (boto.ConnectionClosedError(**ENDPOINT), Reason.OUTCOME_UNKNOWN),
        (boto.ReadTimeoutError(**ENDPOINT), Reason.OUTCOME_UNKNOWN),
        (boto.ConnectTimeoutError(**ENDPOINT), Reason.UNREACHABLE),
    ],
)
async def test_a_write_is_sent_once_whatever_comes_back(answer, reason):
    wire = Wire(answer)
    async with wired(wire) as api:
        with pytest.raises((AnswerError, NoAnswerError)) as caught:
            await api.call(*WRITE)
    assert len(wire.sent) == 1
    assert classify(caught.value, write=True).reason is reason


# What a failure becomes
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (boto.EndpointConnectionError(error="no route", **ENDPOINT), False),
        (boto.ConnectTimeoutError(**ENDPOINT), False),
        (boto.ProxyConnectionError(proxy_url="http://proxy"), False),
        (boto.SSLError(error="bad certificate", **ENDPOINT), False),
        (boto.ReadTimeoutError(**ENDPOINT), True),
        (boto.ConnectionClosedError(**ENDPOINT), True),
        (boto.HTTPClientError(error="reset by peer"), True),
        (boto.ResponseStreamingError(error="half an answer"), True),
        (ConnectionResetError("reset by peer"), True),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_no_answer_says_whether_the_request_may_have_arrived(error, sent):
    async with wired(Wire(error), read_attempts=1) as api:
        for call in (READ, WRITE):
            with pytest.raises(NoAnswerError) as caught:
                await api.call(*call)
            assert caught.value.sent is sent
            assert caught.value.operation == call[0]
            assert caught.value.__cause__ is error
    assert isinstance(classify(caught.value, write=True), Ambiguous) is sent


@pytest.mark.parametrize(
    "error",
    [
        boto.NoCredentialsError(),
        boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        boto.CredentialRetrievalError(provider="process", error_msg="exit 1"),
        boto.TokenRetrievalError(provider="sso", error_msg="expired"),
        boto.UnauthorizedSSOTokenError(),
        boto.RefreshWithMFAUnsupportedError(),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_credentials_that_cannot_be_had_are_denied(error):
    async with wired(Wire(error), read_attempts=1) as api:
        with pytest.raises(Denied, match="no AWS credentials") as caught:
            await api.call(*READ)
    assert caught.value.reason is Reason.NO_CREDENTIALS


async def test_an_environment_without_credentials_is_denied():
    session = Wire((200, {})).attach(AioSession())
    async with connect(Connection(region="us-west-2"), session=session) as api:
        with pytest.raises(Denied, match="Unable to locate credentials"):
            await api.call(*READ)


async def test_what_botocore_does_not_know_is_never_sent():
    wire = Wire((200, {}))
    async with wired(wire) as api:
        with pytest.raises(Stalled, match="UpdateService was not sent") as caught:
            await api.call("UpdateService", {"service": "bert", "newMember": 1})
    assert "newMember" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert wire.sent == []


async def test_an_answer_that_takes_too_long_is_given_up():
    wire = Wire(1000.0, (200, {}))
    async with wired(wire) as api:
        with pytest.raises(NoAnswerError) as caught:
            await api.call(*WRITE)
    assert caught.value.sent is True
    assert asyncio.get_running_loop().time() == pytest.approx(CALL_TIMEOUT)


async def test_retries_are_within_the_time_of_the_call():
    wire = Wire(50.0, TROUBLE, 50.0, TROUBLE)
    async with wired(wire) as api:
        with pytest.raises(NoAnswerError):
            await api.call(*READ)
    assert asyncio.get_running_loop().time() == pytest.approx(CALL_TIMEOUT)
    assert len(wire.sent) == 2


async def test_cancellation_is_no_error():
    async with wired(Wire(1000.0, (200, {}))) as api:
        task = asyncio.create_task(api.call(*READ))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_error_keeps_what_aws_says_beside_it():
    item = {"pk": {"S": "shard"}, "rvn": {"S": "7"}}
    wire = Wire(refusal("ConditionalCheckFailedException", "The conditional request failed", Item=item))
    async with wired(wire, "dynamodb") as api:
        with pytest.raises(AnswerError) as caught:
            await api.call("UpdateItem", {"TableName": "leases", "Key": {"pk": {"S": "shard"}}})
    assert caught.value.code == "ConditionalCheckFailedException"
    assert caught.value.details["Item"] == item


# What an answer looks like
# ----------------------------------------------------------------------------------------------------------------


def service(events):
    return {"serviceName": "bert", "createdAt": 1700000000.25, "events": events}


EVENTS = [{"id": str(number), "createdAt": 1700000000.0 - number, "message": "steady"} for number in range(5)]


@pytest.mark.parametrize("most", [None, 0, 2, 100])
async def test_events_are_kept_only_as_far_as_they_are_asked_for(most):
    described = {"services": [service(EVENTS), service([])], "failures": []}
    wire = Wire((200, described), (200, {"service": service(EVENTS)}))
    async with wired(wire) as api:
        if most is None:
            found, written = await api.call("DescribeServices", {"services": ["bert"]}), await api.call(*WRITE)
        else:
            with with_events(most):
                found, written = await api.call("DescribeServices", {"services": ["bert"]}), await api.call(*WRITE)
    for one in (found["services"][0], written["service"]):
        assert one.get("events", []) == EVENTS[: most or 0]
        assert ("events" in one) is bool(most)


async def test_events_are_asked_for_within_one_task_only():
    wire = Wire((200, {"services": [service(EVENTS)]}))

    async def read(most):
        with with_events(most):
            await asyncio.sleep(1)
            answer = await api.call("DescribeServices", {"services": ["bert"]})
            return len(answer["services"][0].get("events", []))

    async with wired(wire) as api:
        assert await asyncio.gather(read(3), read(0), read(1)) == [3, 0, 1]


async def test_an_answer_is_the_wires_own():
    wire = Wire((200, {"services": [service([])], "memberOfTomorrow": {"x": 1}}))
    async with wired(wire) as api:
        answer = await api.call("DescribeServices", {"services": ["bert"]})
    assert answer == {
        "services": [{"serviceName": "bert", "createdAt": 1700000000.25}],
        "memberOfTomorrow": {"x": 1},
    }


@pytest.mark.parametrize("body", [b"<html>a proxy</html>", b"", b"[1, 2]"])
async def test_what_is_no_answer_of_ecs_is_never_an_empty_answer(body):
    async with wired(Wire((200, body)), read_attempts=1) as api:
        with pytest.raises(NoAnswerError):
            await api.call(*READ)


@pytest.mark.sends("iam.GetUser")
@pytest.mark.parametrize(("service", "operation"), [("iam", "GetUser"), ("sts", "GetCallerIdentity")])
async def test_a_proxys_page_where_xml_is_expected_is_no_answer(service, operation):
    async with wired(Wire((502, b"<!doctype html>\n<title>Bad Gateway</title>\n")), service, read_attempts=1) as api:
        with pytest.raises(NoAnswerError) as caught:
            await api.call(operation, {})
    assert caught.value.sent


async def test_an_answer_without_members_may_be_empty():
    async with wired(Wire((200, b""))) as api:
        assert await api.call("TagResource", {"resourceArn": "arn:aws:ecs:x", "tags": []}) == {}


@pytest.mark.parametrize("call", [READ, WRITE])
async def test_every_call_says_whose_it_is(call):
    """The wake-ups know our own writes by it."""
    wire = Wire((200, {}))
    async with wired(wire) as api:
        await api.call(*call)
    agent = wire.sent[0].headers["User-Agent"]
    assert f"app/{APP_ID}" in (agent if isinstance(agent, str) else agent.decode()).split()
    assert "botocore/" in str(agent), "and the library says who it is"


async def test_the_request_is_left_as_it_is():
    params = {"cluster": "train", "services": ["bert"]}
    async with wired(Wire((200, {}))) as api:
        await api.call("DescribeServices", params)
    assert params == {"cluster": "train", "services": ["bert"]}


# Where to
# ----------------------------------------------------------------------------------------------------------------


async def test_a_region_of_the_profile(environment, tmp_path):
    (tmp_path / "config").write_text("[profile blue]\nregion = eu-west-3\n")
    environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    connection = Connection(profile="blue")
    assert region_of(connection, session_of(connection)) == "eu-west-3"
    environment.setenv("AWS_REGION", "eu-west-1")
    assert region_of(connection, session_of(connection)) == "eu-west-1"


async def test_without_a_region_nothing_is_guessed():
    with pytest.raises(ControllerError, match="no AWS region is set") as caught:
        async with connect(Connection()):
            pass
    assert caught.value.reason is Reason.NOT_CONFIGURED


@pytest.mark.parametrize("connection", [Connection(profile="nobody"), Connection()])
async def test_a_profile_that_is_not_there(environment, connection):
    if connection.profile is None:
        environment.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ControllerError, match="nobody") as caught:
        async with connect(connection):
            pass
    assert caught.value.reason is Reason.NOT_CONFIGURED


async def test_files_of_aws_that_cannot_be_read_are_named(environment, tmp_path):
    (tmp_path / "config").write_text("[profile\n")
    environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(ControllerError, match="config"):
        async with connect(Connection(region="us-west-2")):
            pass


async def test_an_endpoint_that_is_none():
    with pytest.raises(ControllerError, match="no AWS client"):
        async with connect(Connection(region="us-west-2", endpoint_url="nonsense")):
            pass


@pytest.mark.parametrize(
    ("variables", "connection", "host"),
    [
        ({"AWS_REGION": "eu-west-1"}, Connection(), "https://ecs.eu-west-1.amazonaws.com/"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, Connection(), "https://ecs.eu-west-1.amazonaws.com/"),
        ({"AWS_REGION": "eu-west-1"}, Connection(region="us-west-2"), "https://ecs.us-west-2.amazonaws.com/"),
        ({}, Connection(region="cn-north-1"), "https://ecs.cn-north-1.amazonaws.com.cn/"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4599"}, Connection(region="us-west-2"), "http://127.0.0.1:4599/"),
        ({"AWS_ENDPOINT_URL_ECS": "http://127.0.0.1:1"}, Connection(region="us-west-2"), "http://127.0.0.1:1/"),
    ],
)
async def test_where_calls_go(environment, variables, connection, host):
    for name, value in variables.items():
        environment.setenv(name, value)
    session = AioSession()
    session.set_credentials("AKIDEXAMPLE", "secret")
    wire = Wire((200, {}))
    async with connect(connection, session=wire.attach(session)) as api:
        await api.call(*READ)
    assert wire.sent[0].url == host
