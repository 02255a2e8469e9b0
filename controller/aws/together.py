"""Several calls at once, whole or an error. Neighbours: everything here that batches.

No TaskGroup: where its owner is cancelled in the moment in which a call fails, it raises the failure and forgets the
cancellation, and a loop that goes on after failures would never end (Python before 3.13, whose notes call it improved).
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run calls at once and answer in their order. The first failure cancels the rest and is raised as itself, and who
    is cancelled meanwhile is cancelled; none of the calls goes on after that."""
    tasks = [asyncio.create_task(call) for call in calls]
    if not tasks:
        return []
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
    # What was cancelled here may have failed on its way out: the first failure is among those that were done before.
    for task in tasks:
        if task in done and not task.cancelled() and (failure := task.exception()) is not None:
            raise failure
    return [task.result() for task in tasks]
