"""The tree of errors: what may cross from one room of the house into another.

    ControllerError
    ├── Usage          the call itself is wrong: flags, paths, settings       → exit 64
    ├── Transient      the same thing may succeed later                       → retry with backoff
    │   └── Ambiguous  a write was sent and its answer is lost                → observe again before anything else
    ├── Waiting        the world is on its way, nothing is wrong              → look again after `after` seconds
    ├── Stalled        a human must act; time alone does not help             → no retry until spec or live change
    └── Denied         credentials or permissions are missing                 → slow retry, somebody may grant them

An error says what happened (`message`), why (`reason`, from the one list) and what to do next (`advice`). Whoever
raises it knows all three; whoever catches it only decides when to try again. `CancelledError` is not in the tree: it
is shutdown, never an error.
"""

from collections.abc import Iterator

from controller.reasons import Reason


class ControllerError(Exception):
    """An error with a reason that people can grep for and advice that they can follow."""

    def __init__(self, message: str, *, reason: Reason = Reason.INTERNAL, advice: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.advice = advice

    def __str__(self) -> str:
        """One sentence that says what happened and, where known, what to do next."""
        return f"{self.message}; {self.advice}" if self.advice else self.message


class Usage(ControllerError):
    """The command or a setting cannot mean anything."""

    def __init__(self, message: str, *, reason: Reason = Reason.USAGE, advice: str | None = None) -> None:
        super().__init__(message, reason=reason, advice=advice)


class Transient(ControllerError):
    """The same call may succeed later."""


class Ambiguous(Transient):
    """A write was sent and no answer came: it may or may not have happened."""


class Waiting(ControllerError):
    """Something is under way; look again after `after` seconds."""

    def __init__(self, message: str, *, after: float, reason: Reason, advice: str | None = None) -> None:
        super().__init__(message, reason=reason, advice=advice)
        self.after = after


class Stalled(ControllerError):
    """Only a change of the spec or of the live state helps."""


class Denied(ControllerError):
    """AWS refused us."""


def leaves(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    """What tasks that ran side by side have raised, however deep their groups are nested."""
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from leaves(one)
        else:
            yield one
