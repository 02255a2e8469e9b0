"""The wake-up queue at work: messages become looks at workloads, early reads of the source, and names in reports.

One queue serves every account and region; a message is for the first shard that understands it. The accounts are asked
of STS first, because an event is believed only of the account that it must be of. Neighbours: `aws.wakeups` (receives),
`core.wakeup` (understands), `shard`, `daemon`.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from controller.app.shard import Shard
from controller.aws.client import Connection, connect
from controller.aws.wakeups import Wakeups
from controller.core.wakeup import Ignored, Wake, Watch, understand
from controller.errors import ControllerError
from controller.settings import Settings

RETRY: Final = 30.0
"""Seconds until STS or the queue's endpoint is asked again at the start."""


async def waking(settings: Settings, shards: Sequence[Shard], log: Any) -> None:
    """Listen until cancelled. What fails here costs latency only."""
    while True:
        try:
            watches = [(shard, watch) for shard in shards if (watch := await shard.watch()) is not None]
            async with connect(_connection(settings), "sqs") as api:
                bell = Bell(watches)
                url = str(settings.queue)
                await Wakeups(api, url, bell.understand, bell.ring, log, random.random).run()
        except ControllerError as error:
            log.warning("queue not listened to", reason=error.reason, error=str(error))
        await asyncio.sleep(RETRY)


@dataclass(slots=True)
class Bell:
    """Finds the shard that a message is for, and wakes it."""

    watches: Sequence[tuple[Shard, Watch]]
    _for: Shard | None = None
    """The shard that has understood the last message."""

    def understand(self, body: str) -> Wake | Ignored:
        """What a message asks for, of the first shard that it means something to; else why it means nothing to the
        one that it is for, or where it is for none, why it is not."""
        self._for = None
        why = Ignored.ELSEWHERE
        for shard, watch in self.watches:
            meaning = understand(body, watch, shard.daemon.desired.rendered)
            if isinstance(meaning, Wake):
                self._for = shard
                return meaning
            why = meaning if meaning is not Ignored.ELSEWHERE else why
        return why

    def ring(self, wake: Wake) -> None:
        """Pass it on."""
        if wake.source:
            for shard, _ in self.watches:
                shard.source_changed.set()
        if self._for is None:
            return
        daemon = self._for.daemon
        if wake.write is not None:
            daemon.heard(wake.write)
        if wake.key is not None:
            daemon.wake(wake.key)
        if wake.jobs:
            daemon.jobs.wake()


def _connection(settings: Settings) -> Connection:
    """To the region that the queue's name says, else to the controller's own."""
    parts = (urlsplit(str(settings.queue)).hostname or "").split(".")
    region = parts[1] if parts[0] == "sqs" and len(parts) > 2 else settings.region
    return Connection(region=region, profile=settings.profile)
