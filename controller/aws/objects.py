"""A bucket of S3 as a source of specs needs it: whole listings, and objects as they were listed.

A listing that cannot be taken to its end is an error. An object is read by the version that was listed, or only while
it has the ETag that was listed; both together where versions are known. Every call names the account that the bucket
must belong to, where that is configured: a bucket name that was given up can be taken by anybody. Neighbours: `client`,
`errors`; `sources.s3` declares what is offered here.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import aiohttp
from botocore.exceptions import BotoCoreError

from controller.aws.api import AnswerError, Api, ApiError, NoAnswerError
from controller.aws.errors import classify
from controller.core.objects import StoredObject
from controller.errors import ControllerError, Denied, Stalled
from controller.reasons import Reason

MOST_KEYS: Final = 100_000
"""Keys below a prefix, of whatever kind. More is no prefix for specs, and each look would cost a hundred calls."""
BODY_TIMEOUT: Final = 30.0
"""Seconds for the body of one object, which is a megabyte at most."""
BODY_ATTEMPTS: Final = 3
"""How often a body is asked for: botocore's retries end where a body begins."""

_GONE: Final = frozenset({"PreconditionFailed", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed"})
"""Codes that say: not what was listed. The last one is a version that is a delete marker."""
_NO_VERSIONS: Final = frozenset({403, 501})
"""Statuses of a ListObjectVersions that is not permitted, or that a store other than S3 does not know."""


class S3Objects:
    """One bucket, through an `Api` of S3. `owner` is the account that the bucket must belong to."""

    def __init__(self, api: Api, bucket: str, *, owner: str | None = None) -> None:
        self._api = api
        self._owner = owner
        self._where: dict[str, str] = {"Bucket": bucket} | ({"ExpectedBucketOwner": owner} if owner else {})
        self._versions = True

    async def listing(self, prefix: str, *, versions: bool = False) -> tuple[StoredObject, ...]:
        """All objects whose keys begin with the prefix. With `versions` also their versions, if the bucket has any and
        s3:ListBucketVersions is granted; their ETags hold them otherwise.

        Raises:
            ControllerError: the listing could not be taken to its end.
        """
        if versions and self._versions:
            try:
                return tuple([one async for one in self._listed("ListObjectVersions", prefix)])
            except AnswerError as error:
                if error.status not in _NO_VERSIONS:
                    raise self._told(error) from error
                self._versions = False
            except ApiError as error:
                raise self._told(error) from error
            except Stalled:
                self._versions = False  # a long history must not end what a short listing can still tell
        try:
            return tuple([one async for one in self._listed("ListObjectsV2", prefix)])
        except ApiError as error:
            raise self._told(error) from error

    async def read(self, listed: StoredObject) -> bytes | None:
        """The content of an object as it was listed; None if it is not that any more.

        Raises:
            ControllerError: it could not be read.
        """
        params = {**self._where, "Key": listed.key, "IfMatch": listed.etag}
        if listed.version is not None:
            params["VersionId"] = listed.version
        for attempt in range(1, BODY_ATTEMPTS + 1):
            try:
                answer = await self._api.call("GetObject", params)
                if answer["ContentLength"] != listed.size:
                    answer["Body"].close()
                    return None
                return await _body(answer["Body"])
            except AnswerError as error:
                if error.code in _GONE:
                    return None
                raise self._told(error) from error
            except ApiError as error:
                if attempt == BODY_ATTEMPTS:
                    raise self._told(error) from error
        raise AssertionError("every attempt returns or raises")

    async def _listed(self, operation: str, prefix: str) -> AsyncIterator[StoredObject]:
        token: Mapping[str, str] = {}
        seen = 0
        while True:
            page = await self._api.call(operation, {**self._where, "Prefix": prefix, **token})
            if not {"Name", "IsTruncated"} <= page.keys():
                # A proxy's page: botocore would make an empty answer of it, and that would look like deletions.
                raise NoAnswerError(operation, "what came is no listing", sent=True)
            keys = (*page.get("Contents", ()), *page.get("Versions", ()))
            seen += len(keys) + len(page.get("DeleteMarkers", ()))
            for one in keys:
                if one.get("IsLatest", True):
                    version = one.get("VersionId")
                    known = version if version != "null" else None
                    yield StoredObject(one["Key"], one["ETag"], int(one["Size"]), known)
            if not page.get("IsTruncated"):
                return
            token = _next(operation, page)
            if seen > MOST_KEYS:
                message = f"{operation}: more than {MOST_KEYS} keys begin with {prefix!r}"
                raise Stalled(message, reason=Reason.SOURCE_UNREADABLE, advice="name a narrower prefix")

    def _told(self, error: ApiError) -> ControllerError:
        told = classify(error, write=False)
        if isinstance(told, Denied) and told.reason is Reason.ACCESS_DENIED:
            whose = f", and check that account {self._owner} owns the bucket" if self._owner else ""
            advice = f"grant s3:ListBucket and s3:GetObject (and s3:GetObjectVersion) to this role{whose}"
            return Denied(told.message, reason=told.reason, advice=advice)
        return told


def _next(operation: str, page: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of the page after this one.

    Raises:
        NoAnswerError: the page says that there is more and not where.
    """
    names = {
        "ContinuationToken": page.get("NextContinuationToken"),
        "KeyMarker": page.get("NextKeyMarker"),
        "VersionIdMarker": page.get("NextVersionIdMarker"),
    }
    token = {name: str(value) for name, value in names.items() if value}
    if not token:
        raise NoAnswerError(operation, "a listing broke off without saying where it goes on", sent=True)
    return token


async def _body(body: Any) -> bytes:
    try:
        async with asyncio.timeout(BODY_TIMEOUT), body:
            content: bytes = await body.read()
    except (BotoCoreError, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise NoAnswerError("GetObject", str(error) or type(error).__name__, sent=True) from error
    return content
