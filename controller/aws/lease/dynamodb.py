"""A lease as an item of a DynamoDB table.

The table has the partition key `pk` (text) and nothing else: no sort key, no index, no time to live (DynamoDB's deletes
late and would free a lease that is held, or keep one that is not). Reading and writing need GetItem and UpdateItem on
the one key. Neighbours: `record` (the contract), `docs/lease.md` (how to make the table).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

from controller.aws.api import AnswerError, Api, ApiError
from controller.aws.errors import classify
from controller.aws.lease.record import NOBODY, Claim, Record, Refused, Renewal, Stored, Write
from controller.errors import ControllerError, Stalled
from controller.reasons import Reason

_SET: Final = "SET #holder = :holder, #rvn = :new, #lease = :lease, #transitions = :transitions, #info = :info"
_NAMES: Final = {
    "#holder": "holder",
    "#rvn": "rvn",
    "#lease": "lease_ms",
    "#transitions": "transitions",
    "#info": "info",
}
_FREE: Final = "attribute_not_exists(pk) OR #holder = :empty"


@dataclass(frozen=True, slots=True)
class DynamoStore:
    """A `Store` in `table` under `key`. The `Api` must retry nothing: a write that is repeated says that it failed."""

    api: Api
    table: str
    key: str

    async def read(self) -> Stored | None:
        """See `Store`."""
        params = {"TableName": self.table, "Key": {"pk": {"S": self.key}}, "ConsistentRead": True}
        try:
            answer = await self.api.call("GetItem", params)
        except ApiError as error:
            raise self._meaning(error, write=False) from error
        return self._stored(answer["Item"]) if "Item" in answer else None

    async def write(self, write: Write) -> Stored | Refused:
        """See `Store`."""
        condition, compared = _condition(write)
        params = {
            "TableName": self.table,
            "Key": {"pk": {"S": self.key}},
            "UpdateExpression": _SET,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": _NAMES,
            "ExpressionAttributeValues": _values(write.new) | compared,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            await self.api.call("UpdateItem", params)
        except AnswerError as error:
            if error.code == "ConditionalCheckFailedException":
                return Refused(self._stored(error.details["Item"]) if error.details.get("Item") else None)
            raise self._meaning(error, write=True) from error
        except ApiError as error:
            raise self._meaning(error, write=True) from error
        return Stored(write.new, write.new.version)

    def _stored(self, item: Mapping[str, Any]) -> Stored:
        try:
            record = Record(
                holder=item["holder"]["S"],
                version=item["rvn"]["S"],
                duration=float(item["lease_ms"]["N"]) / 1000,
                transitions=int(item["transitions"]["N"]),
                info=item["info"]["S"],
            )
        except (KeyError, ValueError, TypeError) as error:
            advice = "name a table of its own, or delete the item"
            message = f"item {self.key} of the table {self.table} is no lease"
            raise Stalled(message, reason=Reason.NOT_CONFIGURED, advice=advice) from error
        return Stored(record, record.version)

    def _meaning(self, error: ApiError, *, write: bool) -> ControllerError:
        if isinstance(error, AnswerError) and error.code in ("ResourceNotFoundException", "ValidationException"):
            advice = f"create {self.table} with the partition key `pk` of type String and no sort key"
            return Stalled(f"the table of the lease: {error}", reason=Reason.NOT_CONFIGURED, advice=advice)
        return classify(error, write=write)


def _condition(write: Write) -> tuple[str, dict[str, Any]]:
    match write:
        case Claim(seen=seen):
            free = {":empty": {"S": NOBODY}}
            return (f"{_FREE} OR #rvn = :seen", {**free, ":seen": {"S": seen.tag}}) if seen else (_FREE, free)
        case Renewal(mine=mine):
            return "#holder = :me AND #rvn = :mine", {":me": {"S": mine.record.holder}, ":mine": {"S": mine.tag}}
        case _:
            assert_never(write)


def _values(record: Record) -> dict[str, Any]:
    return {
        ":holder": {"S": record.holder},
        ":new": {"S": record.version},
        ":lease": {"N": str(round(record.duration * 1000))},
        ":transitions": {"N": str(record.transitions)},
        ":info": {"S": record.info},
    }
