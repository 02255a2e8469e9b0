"""What an imported spec says where a secret stood, and that nothing is sent before somebody has said where it is kept.

`valueFrom: TODO` stands for the place of a secret, `TODO-SECRET` inside of any other text for its value. ECS would take
both and the tasks would not start, so they are errors. Neighbours: `importing.secrets` writes them, `policy` refuses
them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from controller.core.path import Item, Path

UNKNOWN_PLACE: Final = "TODO"
"""`valueFrom` of a secret of which nobody has said yet where it is kept."""
UNKNOWN_VALUE: Final = "TODO-SECRET"
"""Stands in a text where a secret stood."""


def placeholders(register: Mapping[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Where a RegisterTaskDefinition request still holds placeholders, what each stands for, what to do about it."""
    yield from _within(register, ("taskDefinition",))


def _within(value: Any, path: Path) -> Iterator[tuple[Path, str, str]]:
    match value:
        case {"name": str(secret), "valueFrom": place} if place == UNKNOWN_PLACE:
            hint = "give the ARN of a Secrets Manager secret or the name of an SSM parameter"
            yield path, f"nobody has said where the secret {secret} is kept", hint
        case Mapping():
            for name, member in value.items():
                yield from _within(member, (*path, str(name)))
        case list() | tuple():
            for index, member in enumerate(value):
                called = member.get("name") if isinstance(member, Mapping) else None
                yield from _within(member, (*path, Item(called) if isinstance(called, str) else index))
        case str(text) if UNKNOWN_VALUE in text:
            hint = "let `secrets` put it into a variable, and use that one"
            yield path, f"{UNKNOWN_VALUE} stands where a secret stood", hint
        case _:
            pass
