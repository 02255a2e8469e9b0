"""A lease as an object of an S3 bucket: for those who have their specs there and want no table.

S3 writes under a condition since 2024: `If-None-Match: *` (only if there is no object) and `If-Match` (only if the
object has still this ETag). A write that lost answers 412, or 409 while another is under way, and does not say what
stands there instead, so it is read. Needs GetObject and PutObject on the key, and ListBucket on the bucket, without
which S3 says 403 for an object that is not there. Neighbours: `record` (the contract), `docs/lease.md`.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final, assert_never

import aiohttp
import orjson
from botocore.exceptions import BotoCoreError

from controller.aws.api import AnswerError, Api, ApiError, NoAnswerError
from controller.aws.errors import classify
from controller.aws.lease.record import Claim, Record, Refused, Renewal, Stored, Write
from controller.errors import Stalled
from controller.reasons import Reason

_LOST: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409", "404"})
"""Codes by which S3 says that the condition did not hold; NoSuchKey where `If-Match` found no object."""
_ABSENT: Final = frozenset({"NoSuchKey", "404"})


@dataclass(frozen=True, slots=True)
class S3Store:
    """A `Store` at `key` in `bucket`. The `Api` must retry nothing: a write that is repeated says that it failed."""

    api: Api
    bucket: str
    key: str

    async def read(self) -> Stored | None:
        """See `Store`."""
        try:
            answer = await self.api.call("GetObject", {"Bucket": self.bucket, "Key": self.key})
            body = await _content(answer["Body"])
        except AnswerError as error:
            if error.code in _ABSENT:
                return None
            raise classify(error, write=False) from error
        except ApiError as error:
            raise classify(error, write=False) from error
        return Stored(self._record(body), answer["ETag"])

    async def write(self, write: Write) -> Stored | Refused:
        """See `Store`."""
        body = orjson.dumps(asdict(write.new))
        params = {"Bucket": self.bucket, "Key": self.key, "Body": body, "ContentType": "application/json"}
        try:
            answer = await self.api.call("PutObject", params | _condition(write))
        except AnswerError as error:
            if error.code in _LOST:
                return Refused(await self.read())
            raise classify(error, write=True) from error
        except ApiError as error:
            raise classify(error, write=True) from error
        return Stored(write.new, answer["ETag"])

    def _record(self, body: bytes) -> Record:
        try:
            return Record(**orjson.loads(body))
        except (orjson.JSONDecodeError, TypeError) as error:
            message = f"s3://{self.bucket}/{self.key} is no lease"
            advice = "name a prefix of its own, or delete the object"
            raise Stalled(message, reason=Reason.NOT_CONFIGURED, advice=advice) from error


async def _content(body: Any) -> bytes:
    """The whole body; the connection is free again afterwards."""
    try:
        async with body:
            content: bytes = await body.read()
    except (BotoCoreError, aiohttp.ClientError, OSError) as error:
        raise NoAnswerError("GetObject", str(error) or type(error).__name__, sent=True) from error
    return content


def _condition(write: Write) -> dict[str, Any]:
    match write:
        case Claim(seen=seen):
            return {"IfMatch": seen.tag} if seen else {"IfNoneMatch": "*"}
        case Renewal(mine=mine):
            return {"IfMatch": mine.tag}
        case _:
            assert_never(write)
