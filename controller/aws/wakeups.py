"""The wake-up queue: SQS, fed by EventBridge. It makes the controller fast, never right.

Messages are received by long poll, ten at a time, handed on, and then deleted: whoever dies in between gets them again,
and a doubled wake-up is one look more. A message that means nothing to us is deleted too, whatever it is: it would mean
as little the next time, and a queue that fills up with such would hide the others. One that our own code stumbles over
is left, so that the queue's redrive policy puts it where somebody can look at it.

A queue that cannot be reached costs latency: it is asked again with backoff, for ever, and the log says so once when it
begins and once when it ends. Time is the event loop's. Neighbours: `core.wakeup` (what a message means), `client`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from controller.aws.api import Api, ApiError
from controller.aws.errors import classify
from controller.core.wakeup import Ignored, Wake
from controller.errors import ControllerError
from controller.reasons import Reason

LONG_POLL: Final = 20
"""Seconds that SQS may hold an empty answer back: the most that it offers."""
BATCH: Final = 10
"""Messages of one answer: the most that SQS offers."""
SHORTEST_EMPTY: Final = 1.0
"""Seconds that an empty answer takes at least, should something in between not know long polls."""
BACKOFF_BASE: Final = 1.0
BACKOFF_CAP: Final = 60.0

WOKEN: Final = "woken"
STUMBLED: Final = "stumbled"
"""Names in the counts, beside those of `Ignored`."""


@dataclass(slots=True)
class Wakeups:
    """Receives wake-ups from one queue.

    `understand` says what a message means and `deliver` passes it on; neither waits for anything. `jitter` answers a
    number in [0, 1).
    """

    api: Api
    queue_url: str
    understand: Callable[[str], Wake | Ignored]
    deliver: Callable[[Wake], None]
    log: Any
    jitter: Callable[[], float]
    counts: Counter[str] = field(default_factory=Counter)
    """Messages by what became of them."""
    _trouble: Reason | None = None
    _failures: int = 0

    async def run(self) -> None:
        """Receive until cancelled."""
        while True:
            try:
                await self._turn()
            except ControllerError as error:
                await self._back_off(error)
            else:
                self._well()

    async def _turn(self) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        asked = {"QueueUrl": self.queue_url, "MaxNumberOfMessages": BATCH, "WaitTimeSeconds": LONG_POLL}
        messages = (await self._call("ReceiveMessage", asked)).get("Messages", ())
        if not messages:
            await asyncio.sleep(max(0.0, begun + SHORTEST_EMPTY - clock()))
            return
        await self._delete([message for message in messages if self._handled(message)])

    def _handled(self, message: Mapping[str, Any]) -> bool:
        """Pass a message on. False if it is to be left in the queue."""
        try:
            meaning = self.understand(str(message.get("Body", "")))
            if isinstance(meaning, Wake):
                self.deliver(meaning)
        except Exception:  # the boundary: a bug that one message brings out must not end all wake-ups
            self.counts[STUMBLED] += 1
            self.log.exception("wake-up not understood", message=str(message.get("MessageId")))
            return False
        self.counts[WOKEN if isinstance(meaning, Wake) else str(meaning)] += 1
        return True

    async def _delete(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Delete messages. Those that cannot be deleted come again, which is harmless."""
        if messages:
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            await self._call("DeleteMessageBatch", {"QueueUrl": self.queue_url, "Entries": entries})

    async def _call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self.api.call(operation, params)
        except ApiError as error:
            raise classify(error, write=False) from error  # a lost answer costs a message's visibility timeout at most

    async def _back_off(self, error: ControllerError) -> None:
        if error.reason is not self._trouble:
            self.log.warning("no wake-ups, polling only", queue=self.queue_url, reason=error.reason, error=str(error))
        self._trouble = error.reason
        longest = min(BACKOFF_CAP, BACKOFF_BASE * 2 ** min(self._failures, 16))
        self._failures += 1
        await asyncio.sleep(longest * (0.5 + 0.5 * self.jitter()))

    def _well(self) -> None:
        if self._trouble is not None:
            self.log.info("wake-ups again", queue=self.queue_url)
        self._trouble = None
        self._failures = 0
