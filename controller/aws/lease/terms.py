"""The terms of a lease: three times, and the rules without which it protects nobody.

Neighbours: `candidate` (keeps them), `controller.settings` (where people set them). Imports no AWS client.
"""

from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

STORE: Final = r"^(dynamodb://[A-Za-z0-9_.-]{3,255}|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?)$"
PATTERNS: Final = {STORE: "write dynamodb://TABLE or s3://BUCKET/PREFIX"}
"""Pattern → what it asks for, in words."""
JITTER: Final = 1.2
"""How much longer than `retry` a pause may be, so that candidates do not come in step. Source: client-go."""


class Terms(BaseModel):
    """Seconds. The defaults are client-go's; Flux has 35, 30 and 5, fine where a minute without a writer is."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    duration: Annotated[float, Field(gt=0, le=600)] = 15.0
    """How long the others wait after the last sign of life before one of them takes over."""
    deadline: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How long the holder writes after the last renewal that succeeded. What is left of `duration` is the margin for
    clocks that run at different rates and for writes that are under way."""
    retry: Annotated[float, Field(gt=0, le=600)] = 2.0
    """Time between two renewals, and between two looks of a candidate."""

    @model_validator(mode="after")
    def _protects(self) -> Self:
        if self.duration <= self.deadline:
            raise ValueError(
                f"the duration ({self.duration:g} s) must be longer than the deadline ({self.deadline:g} s): "
                "a candidate would take over from a holder that still writes"
            )
        if self.deadline <= JITTER * self.retry:
            raise ValueError(
                f"the deadline ({self.deadline:g} s) must be longer than {JITTER:g} times the retry "
                f"({self.retry:g} s): a holder would give up between two renewals"
            )
        return self

    @property
    def patience(self) -> float:
        """Seconds for one request: half the deadline, so that one that hangs does not cost the lease."""
        return self.deadline / 2


class LeaseSettings(Terms):
    """The lease as people configure it."""

    store: Annotated[str, Field(pattern=STORE)]
    """`dynamodb://TABLE` or `s3://BUCKET/PREFIX`, in the controller's own account."""
    region: str | None = None
    """Region of the table or bucket, where it is not that of the controller."""
