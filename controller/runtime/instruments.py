"""What the queue and the workers tell about themselves: the numbers that controller-runtime's metrics are made of.

The runtime counts nothing itself and knows no metrics library; it calls these as things happen, in the event loop's
seconds. Neighbours: `queue` and `workers` call, `report.metrics` counts.
"""

from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    """How a reconciliation ended, as `controller_runtime_reconcile_total{result}` spells it."""

    SUCCESS = "success"
    REQUEUE_AFTER = "requeue_after"
    ERROR = "error"


class Instruments(Protocol):
    """Told of everything that happens to keys. The methods must not raise."""

    def added(self) -> None:
        """A key was added that was not queued already."""
        ...

    def retried(self) -> None:
        """A key was added because it failed."""
        ...

    def taken(self, waited: float) -> None:
        """A worker took a key that had been ready for `waited` seconds."""
        ...

    def worked(self, seconds: float) -> None:
        """A worker let a key go after `seconds`."""
        ...

    def reconciled(self, outcome: Outcome, *, seconds: float, terminal: bool) -> None:
        """A reconciliation has ended by itself. `terminal`: it failed, and trying again does not help."""
        ...

    def panicked(self) -> None:
        """A reconciliation raised what none should raise."""
        ...

    def timed_out(self) -> None:
        """A reconciliation took too long and was given up."""
        ...


class Silent:
    """Instruments that nobody reads."""

    def added(self) -> None:
        """See `Instruments`."""

    def retried(self) -> None:
        """See `Instruments`."""

    def taken(self, waited: float) -> None:
        """See `Instruments`."""

    def worked(self, seconds: float) -> None:
        """See `Instruments`."""

    def reconciled(self, outcome: Outcome, *, seconds: float, terminal: bool) -> None:
        """See `Instruments`."""

    def panicked(self) -> None:
        """See `Instruments`."""

    def timed_out(self) -> None:
        """See `Instruments`."""
