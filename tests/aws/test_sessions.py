"""Sessions: roles are assumed and refreshed, the account is checked before the first write, and the whole stack."""

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import boto3
import pytest

from controller.aws import sessions
from controller.aws.api import AnswerError
from controller.aws.client import Connection, session_of
from controller.aws.lease.lease import LeaseLost
from controller.aws.limits import Limiter
from controller.aws.sessions import DURATION, Verified, open_session
from controller.aws.targets import Target
from controller.errors import ControllerError, Denied, Transient
from controller.reasons import Reason
from tests.aws.wire import CONNECTION, Wire, refusal

ROLE = "arn:aws:iam::222233334444:role/controller"
TARGET = Target(name="prod", region="us-west-2", role_arn=ROLE, external_id="abc")
BEGIN = datetime(2026, 11, 25, tzinfo=UTC)
XMLNS = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'


def form(request):
    body = request.body.decode() if isinstance(request.body, bytes) else request.body
    return {name: values[0] for name, values in parse_qs(body).items()}


class Aws(Wire):
    """STS and ECS behind one wire: hands out numbered credentials for an hour, says whose they are."""

    def __init__(self, *, account="222233334444", ecs=(200, {"services": []}), sts=None):
        super().__init__(self.answer)
        self.account, self.ecs, self.sts = account, ecs, sts
        self.assumed, self.asked = [], []

    def answer(self, request):
        if "sts" not in request.url:
            return self.ecs.pop(0) if isinstance(self.ecs, list) else self.ecs
        wanted = form(request)
        if self.sts is not None:
            return self.sts
        if wanted["Action"] == "GetCallerIdentity":
            self.asked.append(request)
            return 200, (
                f"<GetCallerIdentityResponse {XMLNS}><GetCallerIdentityResult><Account>{self.account}</Account>"
                f"<Arn>arn:aws:sts::{self.account}:assumed-role/controller/x</Arn><UserId>u</UserId>"
                "</GetCallerIdentityResult></GetCallerIdentityResponse>"
            ).encode()
        self.assumed.append(wanted)
        until = wall() + timedelta(seconds=int(wanted["DurationSeconds"]))
        return 200, (
            f"<AssumeRoleResponse {XMLNS}><AssumeRoleResult><AssumedRoleUser>"
            f"<Arn>arn:aws:sts::222233334444:assumed-role/controller/x</Arn><AssumedRoleId>r</AssumedRoleId>"
            f"</AssumedRoleUser><Credentials><AccessKeyId>ASIA{len(self.assumed)}</AccessKeyId>"
            f"<SecretAccessKey>s</SecretAccessKey><SessionToken>t{len(self.assumed)}</SessionToken>"
            f"<Expiration>{until:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ).encode()

    def keys(self, service="ecs"):
        """The access keys that requests of a service were signed with."""
        requests = [one for one in self.sent if service in one.url.split("/")[2]]
        return [text(one.headers["Authorization"]).split("Credential=")[1].split("/")[0] for one in requests]


def text(header):
    return header.decode() if isinstance(header, bytes) else header


def wall():
    return BEGIN + timedelta(seconds=asyncio.get_running_loop().time())


@pytest.fixture
def through(monkeypatch):
    """Let sessions go through a wire."""

    def through(wire):
        monkeypatch.setattr(sessions, "session_of", lambda connection: wire.attach(session_of(connection)))
        return wire

    return through


def opened(target=TARGET, connection=CONNECTION):
    return open_session(target, connection, owner="blue", now=wall)


READ = ("DescribeServices", {"services": ["bert"]})
WRITE = ("UpdateService", {"service": "bert"})

# Roles
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_a_role_is_assumed_when_it_is_needed(through):
    aws = through(Aws())
    async with opened() as session, session.connect() as api:
        assert aws.sent == []
        await asyncio.gather(*(api.call(*READ) for _ in range(5)))
    assert aws.assumed == [
        {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": ROLE,
            "RoleSessionName": "ecs-gaudi-controller-blue",
            "DurationSeconds": str(DURATION),
            "ExternalId": "abc",
        }
    ]
    assert aws.sent[0].url == "https://sts.us-west-2.amazonaws.com/"
    assert aws.keys("sts") == ["AKIDEXAMPLE"]
    assert aws.keys() == ["ASIA1"] * 5


@pytest.mark.looptime
async def test_without_an_external_id_none_is_sent(through):
    aws = through(Aws())
    async with opened(TARGET.model_copy(update={"external_id": None})) as session, session.connect() as api:
        await api.call(*READ)
    assert "ExternalId" not in aws.assumed[0]


@pytest.mark.looptime
async def test_credentials_are_renewed_before_they_end(through):
    """Read once a minute for a day: no call is ever signed with credentials that have less than ten minutes left."""
    aws = through(Aws())
    async with opened() as session, session.connect() as api:
        for _ in range(24 * 60):
            await api.call(*READ)
            await asyncio.sleep(60)
    assert len(aws.assumed) == 32  # every 46th minute: an hour less the quarter in which it is renewed
    keys = aws.keys()
    assert len(keys) == 24 * 60
    longest = max(keys.count(key) for key in set(keys))
    assert longest * 60 <= DURATION - 600


@pytest.mark.looptime
async def test_all_clients_of_a_session_share_the_credentials(through):
    aws = through(Aws())
    async with opened() as session:
        for _ in range(3):
            async with session.connect() as api:
                await api.call(*READ)
        await session.identity()
    assert len(aws.assumed) == 1
    assert aws.keys("sts") == ["AKIDEXAMPLE", "ASIA1"]


@pytest.mark.looptime
async def test_a_failed_renewal_is_no_failure_while_the_credentials_live(through):
    aws = through(Aws())
    async with opened() as session, session.connect() as api:
        await api.call(*READ)
        aws.sts = refusal_of_sts("ServiceUnavailable", 503)
        await asyncio.sleep(DURATION - 700)
        await api.call(*READ)
        assert aws.keys() == ["ASIA1", "ASIA1"]
        await asyncio.sleep(200)
        with pytest.raises(Transient, match="target prod"):
            await api.call(*READ)
        aws.sts = None
        await api.call(*READ)
    assert aws.keys()[-1] == "ASIA2"


def refusal_of_sts(code, status):
    body = f"<ErrorResponse {XMLNS}><Error><Code>{code}</Code><Message>because</Message></Error></ErrorResponse>"
    return status, body.encode()


@pytest.mark.looptime
async def test_a_role_that_may_not_be_assumed_names_the_trust_policy(through):
    through(Aws(sts=refusal_of_sts("AccessDenied", 403)))
    async with opened() as session, session.connect() as api:
        with pytest.raises(Denied, match="target prod: AssumeRole failed: because") as caught:
            await api.call(*WRITE)
    assert f"trust policy of {ROLE}" in str(caught.value)


@pytest.mark.looptime
async def test_a_target_without_a_role_uses_our_own_credentials(through):
    aws = through(Aws())
    async with opened(Target(name="here", region="eu-west-1")) as session, session.connect() as api:
        await api.call(*READ)
    assert (aws.assumed, aws.keys()) == ([], ["AKIDEXAMPLE"])
    assert aws.sent[0].url == "https://ecs.eu-west-1.amazonaws.com/"


@pytest.mark.looptime
async def test_no_target_is_the_connection(through):
    aws = through(Aws())
    async with opened(None) as session, session.connect() as api:
        await api.call(*READ)
        await session.verify()
    assert session.region == "us-west-2"
    assert aws.keys() == ["AKIDEXAMPLE"]
    assert aws.asked == []


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws-cn", "cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"),
        ("aws-us-gov", "us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com/"),
    ],
)
@pytest.mark.looptime
async def test_other_partitions(through, partition, region, host):
    aws = through(Aws())
    role = ROLE.replace("arn:aws:", f"arn:{partition}:")
    async with opened(Target(name="x", region=region, role_arn=role)) as session, session.connect() as api:
        await api.call(*READ)
    assert aws.sent[0].url == host


async def test_a_role_of_another_partition_is_refused():
    with pytest.raises(ControllerError, match="cn-north-1 is a region of the partition aws-cn, and the role of aws"):
        async with opened(Target(name="x", region="cn-north-1", role_arn=ROLE)):
            pass


@pytest.mark.looptime
async def test_endpoints_of_the_environment_are_used(environment, through):
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4599/sts")
    aws = through(Aws())
    aws.sts = refusal_of_sts("AccessDenied", 403)
    async with opened() as session, session.connect() as api:
        with pytest.raises(Denied):
            await api.call(*READ)
    assert [one.url for one in aws.sent] == ["http://127.0.0.1:4599/sts"]


# The account
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_nothing_is_written_into_another_account(through):
    aws = through(Aws(account="999988887777"))
    async with opened() as session, session.connect() as api:
        verified = Verified(api, session)
        await verified.call(*READ)
        for _ in range(3):
            with pytest.raises(Denied, match=r"of account 999988887777 .* not of 222233334444") as caught:
                await verified.call(*WRITE)
    assert caught.value.reason is Reason.WRONG_ACCOUNT
    assert len(aws.asked) == 1
    assert len(aws.keys()) == 1  # the read


@pytest.mark.looptime
async def test_the_account_is_asked_for_once_by_however_many_writes(through):
    aws = through(Aws())
    async with opened() as session, session.connect() as api:
        verified = Verified(api, session)
        await verified.call(*READ)
        assert aws.asked == []
        await asyncio.gather(*(verified.call(*WRITE) for _ in range(5)))
        await verified.call(*WRITE)
        assert (await session.identity()).account == "222233334444"
    assert len(aws.asked) == 1
    assert len(aws.keys()) == 7


@pytest.mark.looptime
async def test_an_account_that_cannot_be_asked_is_asked_again(through):
    aws = through(Aws())
    here = Target(name="here", region="us-west-2", account="222233334444")
    async with opened(here) as session, session.connect() as api:
        verified = Verified(api, session)
        aws.sts = refusal_of_sts("ServiceUnavailable", 503)
        with pytest.raises(Transient):
            await verified.call(*WRITE)
        assert aws.keys() == []
        aws.sts = None
        await verified.call(*WRITE)
    assert len(aws.keys()) == 1


# The stack
# ----------------------------------------------------------------------------------------------------------------


def allowed():
    pass


def forbidden():
    raise LeaseLost("the lease is not held")


@pytest.mark.looptime
async def test_the_stack_retries_reads_and_each_takes_a_token(through):
    trouble = refusal("ServerException", status=500)
    aws, limiter = through(Aws(ecs=[trouble, trouble, (200, {"services": []})])), Limiter()
    async with opened() as session, session.ecs(limiter, jitter=lambda: 0.5) as api:
        assert await api.call(*READ) == {"services": []}
    assert limiter.line("DescribeServices").sent == len(aws.keys()) == 3


@pytest.mark.looptime
async def test_the_stack_sends_a_write_once(through):
    aws, limiter = through(Aws(ecs=refusal("ThrottlingException", "Rate exceeded"))), Limiter()
    async with opened() as session, session.ecs(limiter, jitter=lambda: 0.5, check=allowed) as api:
        with pytest.raises(AnswerError, match="Rate exceeded"):
            await api.call(*WRITE)
    assert len(aws.keys()) == limiter.line("UpdateService").throttled == 1


@pytest.mark.looptime
async def test_the_stack_asks_the_lease_before_a_write(through):
    aws = through(Aws())
    async with opened() as session, session.ecs(Limiter(), jitter=lambda: 0.5, check=forbidden) as api:
        await api.call(*READ)
        with pytest.raises(LeaseLost):
            await api.call(*WRITE)
    assert len(aws.keys()) == 1


@pytest.mark.looptime
async def test_a_lease_that_is_lost_while_credentials_are_fetched_stops_the_write(through):
    """The lease is held when the write begins; STS takes twelve seconds for new credentials; then it is not."""
    asked = []

    def check():
        asked.append(asyncio.get_running_loop().time() - DURATION)
        if asked[-1] > 5:
            forbidden()

    aws = through(Aws())
    async with opened() as session, session.ecs(Limiter(), jitter=lambda: 0.5, check=check) as api:
        await session.identity()
        await asyncio.sleep(DURATION)
        aws.script = [12.0, aws.answer]
        with pytest.raises(LeaseLost):
            await api.call(*WRITE)
    assert asked == [0, 12]
    assert len(aws.assumed) == 2
    assert aws.keys() == []


@pytest.mark.looptime
async def test_a_write_that_waits_for_its_token_asks_the_lease_when_it_has_it(through):
    aws, limiter, held = through(Aws()), Limiter(share=0.05), [True]

    def check():
        if not held[0]:
            forbidden()

    async with opened() as session, session.ecs(limiter, jitter=lambda: 0.5, check=check) as api:
        tasks = [asyncio.create_task(api.call(*WRITE)) for _ in range(4)]
        await asyncio.sleep(1)
        held[0] = False
        done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, LeaseLost) for one in done] == [False, False, True, True]
    assert len(aws.keys()) == 2


# moto
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.sends("ecs.CreateCluster")
async def test_a_role_of_another_account_against_moto(environment, moto_url):
    """moto keeps accounts apart: what is made with the role's credentials is in the role's account only."""
    environment.setenv("AWS_ENDPOINT_URL", moto_url)
    environment.setenv("AWS_ACCESS_KEY_ID", "test")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
    boto3.client("iam", region_name="us-west-2").create_role(RoleName="controller", AssumeRolePolicyDocument="{}")
    async with open_session(TARGET, Connection(), owner="blue") as session:
        assert (await session.identity()).account == "222233334444"
        await session.verify()
        async with session.ecs(Limiter(), jitter=lambda: 0.5) as api:
            await api.call("CreateCluster", {"clusterName": "theirs"})
            assert len((await api.call("ListClusters", {}))["clusterArns"]) == 1
    own = boto3.client("ecs", region_name="us-west-2").list_clusters()["clusterArns"]
    assert not any("theirs" in arn for arn in own)


async def test_a_wrong_account_against_moto(environment, moto_url):
    environment.setenv("AWS_ENDPOINT_URL", moto_url)
    environment.setenv("AWS_ACCESS_KEY_ID", "test")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
    target = Target(name="prod", region="us-west-2", account="999988887777")
    async with (
        open_session(target, Connection(), owner="blue") as session,
        session.ecs(Limiter(), jitter=lambda: 0.5) as api,
    ):
        with pytest.raises(Denied, match="of account 123456789012"):
            await api.call("CreateCluster", {"clusterName": "wrong"})
    found = boto3.client("ecs", region_name="us-west-2").list_clusters()["clusterArns"]
    assert not any("wrong" in arn for arn in found)
