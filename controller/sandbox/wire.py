"""JSON values as they travel: the type, and a copy that shares nothing.

The world keeps wire members in dictionaries that are never changed in place; what leaves the simulator is a copy, so
that no caller can reach into its state. Neighbours: all rooms.
"""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

Wire = dict[str, Any]
"""A JSON object with the member names of the ECS API; timestamps are epoch seconds (float)."""

Tags = Mapping[str, str]


T = TypeVar("T")


def clone(value: T) -> T:
    """A deep copy of a JSON value (dictionaries, lists and scalars only)."""
    return cast(T, _clone(value))


def _clone(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _clone(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_clone(element) for element in value]
    return value


def tag_list(tags: Tags) -> list[Wire]:
    """Tags as ECS lists them."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def tag_map(tags: list[Wire] | None) -> dict[str, str]:
    """Tags of a request as a mapping; ECS reads a tag without a value as an empty one."""
    return {tag["key"]: tag.get("value", "") for tag in tags or ()}


def present(**members: Any) -> Wire:
    """A JSON object of the members that have a value: ECS leaves absent members out instead of writing null."""
    return {name: value for name, value in members.items() if value is not None}
