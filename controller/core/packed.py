"""A structure of the wire that is held as its text, a fifth of the memory that Python's objects for it take.

A fleet's answers are held by the thousand, and of what is in sync nobody looks inside. So a packed structure is a
mapping like the one it was made of, which is opened anew whenever it is asked for something. Whoever asks for much
opens it once. Neighbours: `live` (holds answers in it).
"""

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True, eq=False)
class Packed(Mapping[str, Any]):
    """A JSON object as text. Equal to any mapping with the same content."""

    text: bytes

    @classmethod
    def of(cls, wire: Mapping[str, Any]) -> "Packed":
        """The structure as text: JSON's own types only, integers of at most 64 bits, as ECS answers them."""
        return wire if isinstance(wire, cls) else cls(orjson.dumps(wire))

    @property
    def opened(self) -> dict[str, Any]:
        """The structure itself, made anew: nobody else has it."""
        opened: dict[str, Any] = orjson.loads(self.text)
        return opened

    def __getitem__(self, name: str) -> Any:
        return self.opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.opened)

    def __len__(self) -> int:
        return len(self.opened)

    def __contains__(self, name: object) -> bool:
        return name in self.opened

    # The mixins would open it once for each member.

    def keys(self) -> KeysView[str]:
        return self.opened.keys()

    def values(self) -> ValuesView[Any]:
        return self.opened.values()

    def items(self) -> ItemsView[str, Any]:
        return self.opened.items()

    def get(self, name: str, default: Any = None) -> Any:
        return self.opened.get(name, default)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Packed):
            return self.text == other.text or self.opened == other.opened
        return self.opened == other if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # what equals a dict has no hash
