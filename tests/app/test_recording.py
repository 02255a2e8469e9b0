"""What is said reaches the log at once and the journal a little later, whatever the journal does."""

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest

from controller.app.recording import MOST_WAITING, PATIENCE, PAUSE, Recording
from controller.errors import ControllerError
from controller.report.journal import MemoryJournal

pytestmark = pytest.mark.looptime
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Clock:
    def now(self):
        return NOON


class Log:
    def __init__(self):
        self.said = []

    def info(self, event, **facts):
        self.said.append(("info", event, facts))

    def warning(self, event, **facts):
        self.said.append(("warning", event, facts))

    def error(self, event, **facts):
        self.said.append(("error", event, facts))


class Broken(MemoryJournal):
    """A journal that fails, hangs or works, as it is told."""

    def __init__(self):
        super().__init__()
        self.trouble = "fails"

    async def append(self, entries):
        if self.trouble == "fails":
            raise ControllerError("disk full")
        if self.trouble == "hangs":
            await asyncio.sleep(1000)
        await super().append(entries)


@contextlib.asynccontextmanager
async def running(journal):
    recording = Recording(Log(), journal, Clock())
    task = asyncio.create_task(recording.run())
    try:
        yield recording
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_the_log_is_told_at_once_and_the_journal_later():
    journal = MemoryJournal()
    async with running(journal) as recording:
        recording.warning("drift healed", workload="train/bert", field="service.desiredCount", live=1, spec=2)
        assert recording.log.said[0][:2] == ("warning", "drift healed")
        assert await journal.recent() == []
        await asyncio.sleep(PAUSE + 0.1)
        (entry,) = await journal.recent()
        assert (entry.at, entry.event, entry.workload, entry.severity) == (
            NOON,
            "drift healed",
            "train/bert",
            "warning",
        )
        assert dict(entry.facts) == {"field": "service.desiredCount", "live": 1, "spec": 2}


async def test_what_was_said_last_is_written_at_the_end():
    journal = MemoryJournal()
    async with running(journal) as recording:
        await asyncio.sleep(PAUSE / 2)
        recording.info("step done", workload="train/bert", step="CreateService")
    assert [entry.event for entry in await journal.recent()] == ["step done"]


async def test_the_newest_are_told_before_they_are_written():
    journal = MemoryJournal()
    async with running(journal) as recording:
        recording.info("first", workload="train/bert")
        await asyncio.sleep(PAUSE + 0.1)
        recording.info("second", workload="train/bert")
        recording.info("other", workload="train/gpt")
        found = await recording.recent("train/bert", most=10)
        assert [entry.event for entry in found] == ["first", "second"]
        assert [entry.event for entry in await recording.recent(None, most=2)] == ["second", "other"]
        assert await recording.recent(None, most=0) == []


@pytest.mark.parametrize("trouble", ["fails", "hangs"])
async def test_a_broken_journal_is_told_once_and_nothing_is_lost_when_it_recovers(trouble):
    journal = Broken()
    journal.trouble = trouble
    async with running(journal) as recording:
        recording.info("one")
        await asyncio.sleep(3 * (PAUSE + PATIENCE))
        assert [said[1] for said in recording.log.said] == ["one", "journal not written"]
        journal.trouble = ""
        recording.info("two")
        await asyncio.sleep(2 * (PAUSE + PATIENCE))
        assert [entry.event for entry in await journal.recent()] == ["one", "two"]
        assert recording.log.said[-1][1] == "journal written again"


async def test_a_journal_that_is_gone_for_good_keeps_only_the_newest():
    journal = Broken()
    async with running(journal) as recording:
        for number in range(MOST_WAITING + 10):
            recording.info("tick", number=number)
        journal.trouble = ""
        await asyncio.sleep(PAUSE + 0.1)
        found = await journal.recent(most=MOST_WAITING + 10)
        assert [found[0].facts["number"], len(found)] == [10, MOST_WAITING]


async def test_entries_that_push_out_others_during_a_write_are_not_lost():
    class Slow(MemoryJournal):
        async def append(self, entries):
            await asyncio.sleep(1)
            await super().append(entries)

    journal = Slow()
    async with running(journal) as recording:
        for number in range(MOST_WAITING):
            recording.info("tick", number=number)
        await asyncio.sleep(PAUSE + 0.5)
        recording.info("tick", number=MOST_WAITING)
        await asyncio.sleep(2 * PAUSE + 2)
        numbers = [entry.facts["number"] for entry in await journal.recent(most=MOST_WAITING + 1)]
        assert numbers == list(range(MOST_WAITING + 1))


async def test_an_exception_is_for_the_log_only():
    journal = MemoryJournal()
    async with running(journal) as recording:
        recording.error("crashed", workload="train/bert", exc_info=ValueError("x"))
        await asyncio.sleep(PAUSE + 0.1)
        (entry,) = await journal.recent()
        assert dict(entry.facts) == {}


async def test_a_write_that_is_under_way_at_the_end_is_not_made_twice():
    class Thread(MemoryJournal):
        """As SQLite in a thread: it goes on when nobody waits any more."""

        async def append(self, entries):
            kept = asyncio.ensure_future(self._slowly(list(entries)))
            await asyncio.shield(kept)

        async def _slowly(self, entries):
            await asyncio.sleep(1)
            await super().append(entries)

    journal = Thread()
    async with running(journal) as recording:
        recording.info("one")
        await asyncio.sleep(PAUSE + 0.5)
        recording.info("two")
    assert [entry.event for entry in await journal.recent()] == ["one", "two"]
