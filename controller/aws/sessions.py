"""As whom the controller calls: one session for each target, with a role's credentials where the target names one.

A role is assumed when its first call is signed, by the STS of the target's own region, and again a quarter of an hour
before the credentials end: aiobotocore asks for that, this room answers. Before the first write of a session STS is
asked which account the credentials are of; if it is not the configured one nothing is ever written.

Neighbours: `targets` (the configuration), `client` (one client), `limits`, `retries`, `lease.fence` (what stands around
it: see `Session.ecs`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from aiobotocore.credentials import AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError

from controller.aws.api import Api, ApiError
from controller.aws.client import READ_ATTEMPTS, Connection, connect, is_read, region_of, session_of
from controller.aws.errors import classify
from controller.aws.lease.fence import Fenced
from controller.aws.limits import Limited, Limiter
from controller.aws.metered import Meter, Metered
from controller.aws.retries import Retried
from controller.aws.targets import Target
from controller.errors import ControllerError, Denied
from controller.reasons import Reason

DURATION: Final = 3600
"""Seconds that a role's credentials live: the most where one role assumes another, and what every role allows. Source:
STS API, AssumeRole."""
SESSION_NAME: Final = "ecs-gaudi-controller"
"""How the controller is called in CloudTrail, with its owner behind."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose credentials are used. Source: STS API, GetCallerIdentity."""

    account: str
    arn: str


class Session:
    """One account and region. `account` is the one that it must be, where that is configured."""

    def __init__(self, name: str, connection: Connection, credentials: AioSession, *, account: str | None) -> None:
        self.name = name
        self.connection = connection
        self.region = region_of(connection, credentials)
        self._credentials = credentials
        self._account = account
        self._identity: Identity | None = None
        self._asking = asyncio.Lock()

    def connect(
        self,
        service: str = "ecs",
        *,
        read_attempts: int = READ_ATTEMPTS,
        before_write: Callable[[], None] | None = None,
    ) -> AbstractAsyncContextManager[Api]:
        """An `Api` of one AWS service here. See `client.connect`."""
        return connect(
            self.connection,
            service,
            session=self._credentials,
            read_attempts=read_attempts,
            before_write=before_write,
        )

    @asynccontextmanager
    async def ecs(
        self,
        limiter: Limiter,
        *,
        jitter: Callable[[], float],
        check: Callable[[], None] | None = None,
        meter: Meter | None = None,
    ) -> AsyncIterator[Api]:
        """ECS as the gateway should have it, from outside to inside: reads are retried, every attempt waits for its
        token, the account is checked before the first write, and the lease (`check`) before every one; `meter` is told
        of every call that is sent.

        The lease is asked twice: before the call, and when it is signed and about to be sent, because fetching a
        role's new credentials may take long in between.
        """
        async with self.connect("ecs", read_attempts=1, before_write=check) as api:
            metered = Metered(api, "ecs", meter) if meter is not None else api
            sending = Fenced(metered, check) if check is not None else metered
            yield Retried(Limited(Verified(sending, self), limiter), jitter)

    async def identity(self) -> Identity:
        """Whose credentials these are; asked once.

        Raises:
            ControllerError: STS did not say.
        """
        async with self._asking:
            if self._identity is None:
                self._identity = await self._ask()
            return self._identity

    async def verify(self) -> None:
        """Make sure that the credentials are of the configured account.

        Raises:
            Denied: they are of another.
            ControllerError: STS did not say.
        """
        if self._account is None:
            return
        found = await self.identity()
        if found.account != self._account:
            raise Denied(
                f"target {self.name}: the credentials are of account {found.account} ({found.arn}) and not of "
                f"{self._account}, which is configured; nothing is written there",
                reason=Reason.WRONG_ACCOUNT,
                advice="correct `account` or `roleArn` of the target, or the credentials of the controller",
            )

    async def _ask(self) -> Identity:
        async with self.connect("sts") as sts:
            try:
                answer = await sts.call("GetCallerIdentity", {})
            except ApiError as error:
                raise classify(error, write=False) from error
        return Identity(account=answer["Account"], arn=answer["Arn"])


@dataclass(frozen=True, slots=True)
class Verified:
    """An `Api` that sends no write before the session's account is checked."""

    api: Api
    session: Session

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """See `Api`.

        Raises:
            Denied: the credentials are of another account; nothing was sent.
        """
        if not is_read(operation):
            await self.session.verify()
        return await self.api.call(operation, params)


@asynccontextmanager
async def open_session(
    target: Target | None,
    connection: Connection,
    *,
    owner: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[Session]:
    """The session of a target; without one, of the connection's own credentials and region. Calls nothing yet.

    Raises:
        ControllerError: the profile does not exist, there is no region, or the role's partition does not have it.
    """
    if target is None:
        yield Session("", connection, session_of(connection), account=None)
        return
    there = replace(connection, region=target.region)
    base = session_of(there)
    if target.role_arn is None:
        yield Session(target.name, there, base, account=target.expected_account)
        return
    _same_partition(target, base)
    async with connect(there, "sts", session=base) as sts:
        role = _Role(sts, target, f"{SESSION_NAME}-{owner}"[:64])
        credentials = AioDeferredRefreshableCredentials(role.assume, "assume-role", time_fetcher=now)
        assumed = session_of(there)
        assumed.register_component("credential_provider", _Only(credentials))
        keyless = replace(there, access_key=None, secret_key=None)
        yield Session(target.name, keyless, assumed, account=target.expected_account)


@dataclass(frozen=True, slots=True)
class _Role:
    """Assumes a target's role."""

    sts: Api
    target: Target
    session_name: str

    async def assume(self) -> dict[str, Any]:
        """New credentials, in the form that aiobotocore refreshes from."""
        params = {"RoleArn": self.target.role_arn, "RoleSessionName": self.session_name, "DurationSeconds": DURATION}
        if self.target.external_id is not None:
            params["ExternalId"] = self.target.external_id
        try:
            answer = await self.sts.call("AssumeRole", params)
        except ApiError as error:
            raise self._meaning(error) from error
        found = answer["Credentials"]
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found["SessionToken"],
            "expiry_time": found["Expiration"].isoformat(),
            "account_id": answer["AssumedRoleUser"]["Arn"].split(":")[4],
        }

    def _meaning(self, error: ApiError) -> ControllerError:
        meaning = classify(error, write=False)  # a role that is assumed twice is assumed once
        message = f"target {self.target.name}: {meaning.message}"
        if meaning.reason is Reason.ACCESS_DENIED:
            advice = (
                f"let the trust policy of {self.target.role_arn} name the controller's identity and its external id"
            )
            return Denied(message, reason=meaning.reason, advice=advice)
        return type(meaning)(message, reason=meaning.reason, advice=meaning.advice)


@dataclass(frozen=True, slots=True)
class _Only:
    """The credentials of a session that assumes a role, instead of botocore's search through the environment."""

    credentials: AioDeferredRefreshableCredentials

    async def load_credentials(self) -> AioDeferredRefreshableCredentials:
        return self.credentials


def _same_partition(target: Target, session: AioSession) -> None:
    partition = str(target.role_arn).split(":")[1]
    try:
        found = session.get_partition_for_region(target.region)
    except BotoCoreError:
        return  # a region that botocore does not know yet
    if found != partition:
        message = (
            f"target {target.name}: {target.region} is a region of the partition {found}, and the role of {partition}"
        )
        raise ControllerError(message, reason=Reason.NOT_CONFIGURED, advice="name a role of the same partition")
