"""The journal in DynamoDB or S3, for a controller without a disk of its own.

Both keep entries by time, newest first to find, and forget by age: DynamoDB by its own time to live on `expires`, S3 by
a lifecycle rule on the prefix (deploy/ sets both). A failing journal is an error of the tree and nothing else stops for
it. Neighbours: `core.journal` (the entries), `report.journal` (the same in SQLite), `api` (how a call is made).
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from controller.aws.api import Api, ApiError
from controller.aws.errors import classify
from controller.core.journal import Entry, from_text, to_text

KEPT: Final = timedelta(days=30)
"""For how long an entry is kept, and how far back it is looked for."""
PARTITION: Final = "journal"
BATCH: Final = 25
"""Items of a BatchWriteItem. Source: DynamoDB API."""
ATTEMPTS: Final = 5
"""Times that items are sent which DynamoDB answers as unprocessed."""
PAGES: Final = 20
"""Pages of a Query or a listing that are read for one question."""


@dataclass(frozen=True, slots=True)
class DynamoJournal:
    """Entries in a DynamoDB table with the key (`pk` text, `sk` text) and time to live on `expires`."""

    api: Api
    table: str

    async def append(self, entries: Sequence[Entry]) -> None:
        """Keep entries.

        Raises:
            ControllerError: they cannot be written.
        """
        requests = [{"PutRequest": {"Item": _item(entry)}} for entry in entries]
        for start in range(0, len(requests), BATCH):
            waiting = requests[start : start + BATCH]
            for _ in range(ATTEMPTS):
                answer = await _call(self.api, "BatchWriteItem", {"RequestItems": {self.table: waiting}})
                waiting = answer.get("UnprocessedItems", {}).get(self.table, [])
                if not waiting:
                    break

    async def recent(self, workload: str | None = None, *, most: int = 100) -> list[Entry]:
        """The newest entries (of one workload), oldest first.

        Raises:
            ControllerError: they cannot be read.
        """
        found: list[Entry] = []
        async for item in self._newest_first(workload):
            if len(found) >= most:
                break
            entry = from_text(item.get("content", {}).get("S", ""))
            if entry is not None:
                found.append(entry)
        return found[::-1]

    async def _newest_first(self, workload: str | None) -> AsyncIterator[dict[str, Any]]:
        query: dict[str, Any] = {
            "TableName": self.table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": PARTITION}},
            "ScanIndexForward": False,
        }
        if workload is not None:
            query["FilterExpression"] = "workload = :workload"
            query["ExpressionAttributeValues"][":workload"] = {"S": workload}
        for _ in range(PAGES):
            page = await _call(self.api, "Query", query)
            for item in page.get("Items", ()):
                yield item
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]


@dataclass(frozen=True, slots=True)
class S3Journal:
    """Entries as objects of JSON lines, one for each append: `PREFIX/2026/11/25/120000.000000-<digest>.jsonl`."""

    api: Api
    bucket: str
    prefix: str
    now: Callable[[], datetime]

    async def append(self, entries: Sequence[Entry]) -> None:
        """Keep entries.

        Raises:
            ControllerError: they cannot be written.
        """
        if not entries:
            return
        body = "".join(f"{to_text(entry)}\n" for entry in entries).encode()
        name = f"{entries[-1].at:%H%M%S.%f}-{hashlib.sha256(body).hexdigest()[:12]}.jsonl"
        params = {"Bucket": self.bucket, "Key": f"{self._day(entries[-1].at)}{name}", "Body": body}
        await _call(self.api, "PutObject", params)

    async def recent(self, workload: str | None = None, *, most: int = 100) -> list[Entry]:
        """The newest entries (of one workload), oldest first. Looks back as many objects as may be read at once.

        Raises:
            ControllerError: they cannot be read.
        """
        found: list[Entry] = []
        async for key in self._newest_first():
            if len(found) >= most:
                break
            answer = await _call(self.api, "GetObject", {"Bucket": self.bucket, "Key": key})
            lines = (await answer["Body"].read()).decode("utf-8", errors="replace").splitlines()
            entries = [entry for line in reversed(lines) if (entry := from_text(line)) is not None]
            found.extend(entry for entry in entries if workload is None or entry.workload == workload)
        return found[:most][::-1]

    async def _newest_first(self) -> AsyncIterator[str]:
        today = self.now()
        for back in range(KEPT.days):
            for key in reversed(await self._keys(self._day(today - timedelta(days=back)))):
                yield key

    async def _keys(self, prefix: str) -> list[str]:
        keys: list[str] = []
        params: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix}
        for _ in range(PAGES):
            page = await _call(self.api, "ListObjectsV2", params)
            keys.extend(one["Key"] for one in page.get("Contents", ()))
            if not page.get("IsTruncated"):
                break
            params["ContinuationToken"] = page["NextContinuationToken"]
        return keys

    def _day(self, at: datetime) -> str:
        prefix = self.prefix.strip("/")
        return f"{prefix}/{at:%Y/%m/%d}/" if prefix else f"{at:%Y/%m/%d}/"


def _item(entry: Entry) -> dict[str, Any]:
    """An entry as an item. Equal times are told apart by their content."""
    text = to_text(entry)
    item = {
        "pk": {"S": PARTITION},
        "sk": {"S": f"{entry.at.isoformat(timespec='microseconds')}#{hashlib.sha256(text.encode()).hexdigest()[:12]}"},
        "content": {"S": text},
        "expires": {"N": str(int((entry.at + KEPT).timestamp()))},
    }
    return {**item, "workload": {"S": entry.workload}} if entry.workload is not None else item


async def _call(api: Api, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    try:
        return await api.call(operation, params)
    except ApiError as error:
        raise classify(error, write=False) from error
