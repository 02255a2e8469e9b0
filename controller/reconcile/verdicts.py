"""What the stopped tasks of services that are not well have told, so that nobody is asked twice for the same.

ECS keeps a stopped task for an hour. A verdict is kept for as long as the deployment that it is about is the one that
does not get on, so a report says why long after the tasks have gone. Kept in memory only: after a restart they are
asked again. Two calls an answer, and not more often than every half minute a service. Neighbours: `core.stopped` (what
is asked, and what it means), `app.survey` (asks for what is not well).
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from controller.core.live import LiveService
from controller.core.stopped import Answer, Inquiry, answer
from controller.core.workload import Key
from controller.errors import ControllerError
from controller.reconcile.ports import StoppedTasks

PAUSE: Final = timedelta(seconds=30)
"""How long an answer is good enough although more tasks may have stopped."""


@dataclass(frozen=True, slots=True)
class _Known:
    asked: Inquiry
    answer: Answer
    at: datetime

    def serves(self, asked: Inquiry, now: datetime) -> bool:
        """Whether there is no need to ask again."""
        if self.asked.about != asked.about:
            return False
        return now < self.at + PAUSE or (self.asked.mark == asked.mark and self.answer.unread is None)


@dataclass(slots=True)
class Verdicts:
    """The last answer about each workload that is not well."""

    _known: dict[Key, _Known] = field(default_factory=dict)

    async def about(
        self, ecs: StoppedTasks, key: Key, live: LiveService, asked: Inquiry, *, cluster: str, now: datetime
    ) -> Answer:
        """What the stopped tasks of a service tell. What cannot be read is told as such: it hides nothing else.

        `cluster` is the cluster as ECS is asked for it, by name or ARN.
        """
        known = self._known.get(key)
        if known is not None and known.serves(asked, now):
            return known.answer
        try:
            found = answer(asked, await ecs.stopped_tasks(cluster, live.name), trouble=live.trouble)
        except ControllerError as error:
            found = Answer(None, unread=str(error))
        if found.verdict is None and known is not None and known.asked.about == asked.about and known.answer.verdict:
            found = known.answer  # its tasks have gone since, and nothing has got better
        self._known[key] = _Known(asked, found, now)
        return found

    def recall(self, key: Key, asked: Inquiry | None) -> Answer | None:
        """What is known without asking."""
        known = self._known.get(key)
        return known.answer if known is not None and asked is not None and known.asked.about == asked.about else None

    def forget(self, key: Key) -> None:
        """The workload is well, or no more."""
        self._known.pop(key, None)

    def keep_only(self, keys: Collection[Key]) -> None:
        """Forget all workloads but these."""
        for key in self._known.keys() - keys:
            del self._known[key]
