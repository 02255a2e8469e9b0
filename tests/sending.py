"""What the product sends to AWS while the tests run: every operation of every client of its own.

A client of the product is known by the application in its User-Agent, so clients that a test makes for itself do not
count. The product's processes that a test starts are not seen; what they send, some test in this process sends too,
and a whole run proves that.
"""

from typing import Any

from aiobotocore.client import AioBaseClient

from controller.aws.client import APP_ID


class Sent:
    """Operations as `service.Operation`, in this session and since the last look."""

    def __init__(self) -> None:
        self.all: set[str] = set()
        self.lately: set[str] = set()
        self.whole = False
        """Whether every test of the suite is to run in this session."""

    def note(self, service: str, operation: str) -> None:
        """Something is being sent."""
        self.all.add(f"{service}.{operation}")
        self.lately.add(f"{service}.{operation}")

    def taken(self) -> set[str]:
        """What was sent since this was last asked."""
        found, self.lately = self.lately, set()
        return found


def record(sent: Sent) -> Any:
    """Have aiobotocore's clients tell of what they send; returns how it was before."""
    before: Any = AioBaseClient._make_api_call

    async def told(self: Any, operation_name: str, api_params: Any) -> Any:
        if f"app/{APP_ID}" in str(self.meta.config.user_agent):
            sent.note(self.meta.service_model.service_name, operation_name)
        return await before(self, operation_name, api_params)

    AioBaseClient._make_api_call = told
    return before
