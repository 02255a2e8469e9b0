"""For every test."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiobotocore.client import AioBaseClient

from controller.aws.operations import declared
from tests.sending import Sent, record

SENT = pytest.StashKey[Sent]()
LAST = "test_every_declared_operation_is_sent"
MARKS = ("not slow", "slow or not slow")
"""What `make test` and `make nightly` run."""


def pytest_configure(config: pytest.Config) -> None:
    """Listen to what the product sends to AWS."""
    config.addinivalue_line("markers", "sends(operation): what the test itself sends through a client of the product")
    config.stash[SENT] = sent = Sent()
    before = record(sent)
    config.add_cleanup(lambda: setattr(AioBaseClient, "_make_api_call", before))


def pytest_sessionstart() -> None:
    """Say that there is no event loop, so that no plugin makes one on the side and leaves it unclosed.

    looptime asks the policy for a loop in every test; Python 3.11 makes one when it was never told that there is none.
    """
    asyncio.set_event_loop(None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The test that counts what all others have sent comes last, and knows whether all others run."""
    items.sort(key=lambda item: item.name == LAST)
    there = set(Path(__file__).parent.rglob("test_*.py"))
    chosen = any(config.getoption(option, None) for option in ("keyword", "lf", "deselect"))
    config.stash[SENT].whole = (
        there <= {item.path for item in items} and not chosen and config.getoption("markexpr") in MARKS
    )


@pytest.fixture
def sent(request: pytest.FixtureRequest) -> Sent:
    """What the product has sent so far."""
    return request.config.stash[SENT]


@pytest.fixture(autouse=True)
def nothing_undeclared_is_sent(request: pytest.FixtureRequest) -> Iterator[None]:
    """In every run, of whatever part: what is sent is declared, so that `deploy/iam/` allows it."""
    sent = request.config.stash[SENT]
    yield
    by_the_test = {name for mark in request.node.iter_markers("sends") for name in mark.args}
    unknown = sent.taken() - declared() - by_the_test
    assert not unknown, f"sent, and not in controller/aws/operations.json: {sorted(unknown)}; run: make generate"
