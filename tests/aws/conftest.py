"""For tests that make an AWS client: an environment without anybody's credentials, and moto where it is asked for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import moto


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nothing of this machine's AWS settings."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "CONTROLLER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """moto's own server, one for all; tests keep apart by names."""
    with moto() as found:
        yield found
