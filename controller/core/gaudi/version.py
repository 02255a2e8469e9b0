"""SynapseAI versions: how they are read and ordered, and which driver and image go together.

Neighbours: `image` (reads them from tags), `scaleout` (rules by version), `drivers` (of instances).
"""

import re
from dataclasses import dataclass
from typing import Final

_VERSION: Final = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A SynapseAI version. Where a text has no third number it is 0."""

    major: int
    minor: int
    patch: int = 0

    @classmethod
    def read(cls, text: str) -> "Version | None":
        """The version that a text is, or None."""
        found = _VERSION.fullmatch(text)
        return cls(int(found[1]), int(found[2]), int(found[3] or 0)) if found else None

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor: what must be the same in a driver and in an image.

        Source: huggingface/optimum-habana `misc.py`, Habana's READMEs ("use the corresponding images").
        """
        return self.major, self.minor

    def fits(self, driver: "Version") -> bool:
        """Whether software of this version runs on that driver."""
        return self.release == driver.release

    def distance(self, other: "Version") -> tuple[int, int, int]:
        """How far away another version is; the smaller of two is the nearer."""
        return abs(self.major - other.major), abs(self.minor - other.minor), abs(self.patch - other.patch)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"
