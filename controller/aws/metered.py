"""An `Api` that tells of every call: which, how long it took, and what became of it.

Stands directly on the client, so that waiting for a token is no part of a call's time. Neighbours: `api`, `sessions`
(puts it there), `report.metrics` (counts, by way of the composition root).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from controller.aws.api import AnswerError, Api, NoAnswerError
from controller.errors import ControllerError


class Meter(Protocol):
    """Is told of calls. Must not raise."""

    def called(self, service: str, operation: str, *, code: str, seconds: float) -> None:
        """A call has ended: `code` is `OK`, AWS's error code, `NoAnswer`, `NotSent` or `Cancelled`."""
        ...


@dataclass(frozen=True, slots=True)
class Metered:
    """Tells `meter` of every call of one AWS service."""

    api: Api
    service: str
    meter: Meter

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """See `Api`."""
        clock = asyncio.get_running_loop().time
        began = clock()
        code = "Cancelled"
        try:
            answer = await self.api.call(operation, params)
            code = "OK"
        except AnswerError as error:
            code = error.code
            raise
        except NoAnswerError as error:
            code = "NoAnswer" if error.sent else "NotSent"
            raise
        except ControllerError as error:
            code = str(error.reason)
            raise
        finally:
            self.meter.called(self.service, operation, code=code, seconds=clock() - began)
        return answer
