"""One AWS call as the gateway sees it: an operation name, its wire parameters, its wire answer.

Everything that stands between the gateway and ECS has this shape, so that limits, metrics, recorders, faults and the
simulator are all the same kind of thing: an `Api` around an `Api`. Answers are the JSON of the ECS wire as it is:
timestamps are epoch seconds (float), absent members are absent. Neighbours: `client` (the real one), `errors` (what a
failure means).
"""

from collections.abc import Mapping
from typing import Any, Protocol


class Api(Protocol):
    """Performs one AWS operation."""

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send `operation` (as AWS spells it, `DescribeServices`) and return its answer.

        Raises:
            AnswerError: AWS answered with an error.
            NoAnswerError: no answer came.
        """
        ...


class ApiError(Exception):
    """A call did not succeed. Not yet classified: `controller.aws.errors` does that, in one table."""

    def __init__(self, operation: str, message: str) -> None:
        super().__init__(f"{operation}: {message}")
        self.operation = operation
        self.message = message


class AnswerError(ApiError):
    """AWS answered with an error: its code (`InvalidParameterException`), its text and the HTTP status.

    `details` are the members that the error's own shape adds, such as the `Item` that made a DynamoDB condition fail.
    """

    def __init__(
        self, operation: str, *, code: str, message: str, status: int = 400, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(operation, f"{code}: {message}")
        self.code = code
        self.text = message
        self.status = status
        self.details = details or {}


class NoAnswerError(ApiError):
    """No answer came. `sent` is False only where the request surely never left (no route, no credentials)."""

    def __init__(self, operation: str, message: str, *, sent: bool) -> None:
        super().__init__(operation, message)
        self.sent = sent
