"""The real `Api`: one aiobotocore client for reads, which retry, and one for writes, which are sent once.

A retried write whose first answer was lost happens twice (RegisterTaskDefinition has no token), so writes are
observed again instead. Answers of ECS skip botocore's walk over the output shape: it costs more than everything else
of a call, most of it in timestamps, and the core reads the wire's own form anyway. Events, which fill two thirds of a
service, are dropped unless somebody asks for them (`with_events`). Reads of ECS that botocore need not retry take a
shorter way (`fastpath`). Neighbours: `api` (the shape of a call), `errors` (what a failure means), `sessions` (as
whom), `limits` and `retries` (how often).
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from controller.aws.api import AnswerError, Api, NoAnswerError
from controller.aws.fastpath import FastPath
from controller.errors import ControllerError, Denied, Stalled
from controller.reasons import Reason

CALL_TIMEOUT: Final = 60.0
"""Seconds after which a call is given up, retries included."""
READ_ATTEMPTS: Final = 3
POOL: Final = 50
"""Connections at once; botocore's 10 would cap a pass at 10 calls per round trip."""

APP_ID: Final = "ecs-gaudi-controller"
"""Says in the user agent of every call, and so in CloudTrail, that it is ours."""

_READS: Final = ("Describe", "List", "Get")

_EVENTS: ContextVar[int] = ContextVar("events kept of each service", default=0)

_NEVER_LEFT: Final = (
    boto.EndpointConnectionError,
    boto.ConnectTimeoutError,
    boto.ProxyConnectionError,
    boto.SSLError,
)
_CREDENTIALS: Final = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.LoginError,
    boto.RefreshWithMFAUnsupportedError,
)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where and as whom to call. None leaves it to AWS's own environment variables, profiles and metadata."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    access_key: str | None = None
    secret_key: str | None = None


def is_read(operation: str) -> bool:
    """Whether an operation changes nothing."""
    return operation.startswith(_READS)


@contextmanager
def with_events(most: int) -> Iterator[None]:
    """Services that are read within, and in tasks that are started within, keep their newest `most` events.

    ECS answers up to 100 with every service and cannot be told not to; a rollout needs the last few, a look at
    everything none.
    """
    token = _EVENTS.set(most)
    try:
        yield
    finally:
        _EVENTS.reset(token)


class BotoApi:
    """Calls one AWS service through aiobotocore."""

    def __init__(self, reader: Any, writer: Any) -> None:
        self._reader = reader
        self._writer = writer

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """See `Api`. A read is retried by botocore (`standard`); a write is sent once.

        Raises:
            Denied: there are no credentials to sign the call with.
            Stalled: botocore's model of the operation does not know what is to be sent.
        """
        client = self._reader if is_read(operation) else self._writer
        try:
            async with asyncio.timeout(CALL_TIMEOUT):
                answer: dict[str, Any] = await client._make_api_call(operation, dict(params))  # noqa: SLF001 - by name
        except boto.ClientError as error:
            raise _answer_error(operation, error) from error
        except _CREDENTIALS as error:
            raise _no_credentials(error) from error
        except boto.ParamValidationError as error:
            message = f"{operation} was not sent: {' '.join(str(error).split())}"
            raise Stalled(message, reason=Reason.REJECTED_BY_ECS) from error
        except _NEVER_LEFT as error:
            raise NoAnswerError(operation, str(error), sent=False) from error
        except (boto.BotoCoreError, ResponseParserError, OSError, TimeoutError) as error:
            raise NoAnswerError(operation, str(error) or type(error).__name__, sent=True) from error
        answer.pop("ResponseMetadata", None)
        return answer


def session_of(connection: Connection) -> AioSession:
    """A session with the credentials of the environment, or of the named profile. Reads files, calls nothing.

    Raises:
        ControllerError: the named profile does not exist, or the files cannot be understood.
    """
    try:
        session = AioSession(profile=connection.profile)
        session.get_scoped_config()
    except boto.BotoCoreError as error:
        advice = "check AWS_PROFILE and ~/.aws/config"
        raise ControllerError(str(error), reason=Reason.NOT_CONFIGURED, advice=advice) from error
    return session


def region_of(connection: Connection, session: AioSession) -> str:
    """The region, as the AWS CLI finds it: botocore alone knows no AWS_REGION.

    Raises:
        ControllerError: there is none.
    """
    region = connection.region or os.environ.get("AWS_REGION") or session.get_config_variable("region")
    if not region:
        advice = "set AWS_REGION, or `region` in the AWS profile, or --region"
        raise ControllerError("no AWS region is set", reason=Reason.NOT_CONFIGURED, advice=advice)
    return str(region)


@asynccontextmanager
async def connect(
    connection: Connection,
    service: str = "ecs",
    *,
    session: AioSession | None = None,
    read_attempts: int = READ_ATTEMPTS,
    before_write: Callable[[], None] | None = None,
) -> AsyncIterator[Api]:
    """An `Api` of one AWS service (as botocore names it) for one account and region; the connections close with the
    context. Answers of ECS are the wire's own JSON, those of all others what botocore makes of theirs.

    `session` has the credentials, where they are not those of the connection. With `read_attempts=1` botocore retries
    nothing: for whoever counts calls (`limits`) or seconds (`lease`) by himself. `before_write` is called when a write
    is signed and about to be sent; it raises if it must not be.

    Raises:
        ControllerError: there is no region, or something else of the configuration cannot be used (see `session_of`).
        Denied: the credentials cannot be had.
    """
    session = session or session_of(connection)
    region = region_of(connection, session)
    create: Any = session.create_client  # its stubs want a literal name
    async with AsyncExitStack() as stack:
        try:
            clients = {
                attempts: await stack.enter_async_context(
                    create(
                        service,
                        region_name=region,
                        endpoint_url=connection.endpoint_url,
                        aws_access_key_id=connection.access_key,
                        aws_secret_access_key=connection.secret_key,
                        config=_config(
                            attempts, service, f"{session.user_agent_name}/{session.user_agent_version} app/{APP_ID}"
                        ),
                    )
                )
                for attempts in sorted({read_attempts, 1})
            }
        except _CREDENTIALS as error:
            raise _no_credentials(error) from error
        except (boto.BotoCoreError, ValueError) as error:
            advice = "check the region, AWS_ENDPOINT_URL and ~/.aws/config"
            raise ControllerError(f"no AWS client: {error}", reason=Reason.NOT_CONFIGURED, advice=advice) from error
        for client in clients.values():
            client.meta.events.register("before-parse.ecs", _take_the_wire)
            if before_write is not None:
                client.meta.events.register_first("before-send", partial(_ask, before_write))
        if service == "ecs":
            FastPath(clients[1], is_read, _answer).register()
        yield BotoApi(clients[read_attempts], clients[1])


def _config(attempts: int, service: str, agent: str) -> AioConfig:
    """`agent` is the User-Agent, said once: botocore would make it anew for every call, at a tenth of the call's
    cost."""
    return AioConfig(
        connect_timeout=5,
        read_timeout=30 if service == "sqs" else 20,  # SQS may hold an empty answer back for 20 s: a long poll
        max_pool_connections=POOL,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent=agent,
    )


def _ask(before_write: Callable[[], None], event_name: str, **_: Any) -> None:
    """A `before-send.SERVICE.OPERATION` handler: the last thing before the wire."""
    if not is_read(event_name.rpartition(".")[2]):
        before_write()


def _take_the_wire(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], operation_model: Any, **_: Any
) -> None:
    """A `before-parse` handler: good answers are taken as they came; errors are left to botocore."""
    if response_dict["status_code"] == 200:
        customized_response_dict.update(_answer(operation_model, response_dict["body"]))
        response_dict["body"] = b"{}"


def _answer(operation_model: Any, body: bytes) -> dict[str, Any]:
    """The JSON of a good answer as it came, with the events that were asked for.

    What is no JSON object (a proxy's page, half an answer) is no answer: botocore would make an empty one of it, and
    an empty ListServices looks like a cluster without services.
    """
    answer = _decoded(body, expected=bool(operation_model.output_shape.members))
    if answer is None:
        raise NoAnswerError(operation_model.name, "what came is no answer of ECS", sent=True)
    kept = _EVENTS.get()
    for service in (*answer.get("services", ()), *([answer["service"]] if "service" in answer else ())):
        if kept:
            service["events"] = service.get("events", [])[:kept]
        else:
            service.pop("events", None)
    return answer


def _decoded(body: bytes, *, expected: bool) -> dict[str, Any] | None:
    """The JSON object of a body; an empty body is one where no members are expected. None for anything else."""
    if not body and not expected:
        return {}
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _answer_error(operation: str, error: boto.ClientError) -> AnswerError:
    details = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    message = details.get("Message") or str(error)
    code = str(details.get("Code", "Unknown"))
    more = {name: value for name, value in error.response.items() if name not in ("Error", "ResponseMetadata")}
    return AnswerError(operation, code=code, message=message, status=int(status), details=more)


def _no_credentials(error: Exception) -> Denied:
    advice = "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the task a role"
    return Denied(f"no AWS credentials ({error})", reason=Reason.NO_CREDENTIALS, advice=advice)
