"""For every test."""

import asyncio


def pytest_sessionstart() -> None:
    """Say that there is no event loop, so that no plugin makes one on the side and leaves it unclosed.

    looptime asks the policy for a loop in every test; Python 3.11 makes one when it was never told that there is none.
    """
    asyncio.set_event_loop(None)
