"""Several calls at once: whole, or one error, and never deaf to a cancellation."""

import asyncio

import pytest

from controller.aws.together import together
from controller.errors import Transient

pytestmark = pytest.mark.looptime


async def answers(value: int, after: float) -> int:
    await asyncio.sleep(after)
    return value


async def fails(after: float) -> int:
    await asyncio.sleep(after)
    raise Transient("no answer")


async def test_answers_come_in_the_order_of_the_calls() -> None:
    assert await together([answers(1, 2.0), answers(2, 1.0)]) == [1, 2]


async def test_the_first_failure_is_raised_as_itself_and_ends_the_rest() -> None:
    with pytest.raises(Transient, match="no answer"):
        await together([answers(1, 3600.0), fails(1.0)])
    assert asyncio.get_running_loop().time() == 1


async def test_who_is_cancelled_while_a_call_fails_is_cancelled() -> None:
    """A loop that goes on after a failure would never end: a TaskGroup forgets the one over the other."""

    async def stops_its_caller() -> int:
        loop.cancel()
        raise Transient("no answer")

    async def for_ever() -> None:
        while True:
            try:
                await together([stops_its_caller(), answers(1, 3600.0)])
            except Transient:
                await asyncio.sleep(1.0)

    loop = asyncio.create_task(for_ever())
    await asyncio.wait([loop], timeout=1.5)
    assert loop.cancelled()


async def test_none_of_the_calls_goes_on() -> None:
    ended: list[str] = []

    async def takes_its_time() -> int:
        try:
            return await answers(1, 3600.0)
        finally:
            await asyncio.sleep(1.0)
            ended.append("cleaned up")

    with pytest.raises(Transient):
        await together([takes_its_time(), fails(1.0)])
    assert ended == ["cleaned up"]
    waiting = asyncio.create_task(together([takes_its_time()]))
    await asyncio.sleep(1.0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert (waiting.cancelled(), len(ended)) == (True, 2)


async def test_nothing_to_do_is_done() -> None:
    assert await together([]) == []
