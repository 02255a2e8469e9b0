"""Real controllers end with their test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.real import Place, Witness, embedded

__all__ = ["embedded"]

REGIONS = (
    f"{place}-{number}" for place in ("eu-west", "ap-southeast", "us-west", "ap-northeast") for number in (1, 2, 3)
)


@pytest.fixture
def place(embedded: Witness, tmp_path: Path) -> Iterator[Place]:
    """A region that nobody has used."""
    found = Place(embedded, next(REGIONS), tmp_path)
    try:
        yield found
    finally:
        for one in found.running:
            one.process.kill()
            one.process.wait()
