"""Real controllers end with their test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.real import Place, Witness, embedded, ended

__all__ = ["embedded"]

REGIONS = (
    f"{place}-{number}" for place in ("eu-west", "ap-southeast", "us-west", "ap-northeast") for number in (1, 2, 3)
)


@pytest.fixture
def place(embedded: Witness, tmp_path: Path) -> Iterator[Place]:
    """A region that nobody has used."""
    with ended(Place(embedded, next(REGIONS), tmp_path)) as found:
        yield found
