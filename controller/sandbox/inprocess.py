"""The front without sockets: the controller's own `Api` directly over a simulator. The fast rung of the fault sweeps.

Decides nothing; it turns ECS's refusals into `AnswerError` and lets an interceptor stand before and after each call, to
lose a request or an answer, to wait, to change the world in between. Neighbours: `simulator`, `clocks`.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from controller.aws.api import AnswerError
from controller.sandbox import ec2, logs
from controller.sandbox.clocks import Clock
from controller.sandbox.errors import EcsError
from controller.sandbox.simulator import Simulator
from controller.sandbox.wire import clone


class Interceptor(Protocol):
    """Stands around every call of a front. Either hook may wait, and may raise `ApiError` or `CancelledError`."""

    async def before(self, operation: str, params: Mapping[str, Any]) -> None:
        """The request is about to be sent: an error here means that ECS never saw it."""
        ...

    async def after(self, operation: str, params: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """ECS did it and answers: an error here means that the answer is lost; the result is what the caller gets."""
        ...


class InProcess:
    """`controller.aws.api.Api` over a simulator. Request and answer are copies: nobody reaches into the world."""

    def __init__(self, simulator: Simulator, clock: Clock, *, interceptor: Interceptor | None = None) -> None:
        self.simulator = simulator
        self.clock = clock
        self.interceptor = interceptor

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Perform one ECS operation; waits for the latency of the world's faults.

        Raises:
            AnswerError: ECS's refusal.
        """
        if self.interceptor is not None:
            await self.interceptor.before(operation, params)
        latency = self.simulator.world.faults.latency
        if latency > 0:
            await asyncio.sleep(latency)
        try:
            answer = self.simulator.call(operation, clone(dict(params)), self.clock.now())
        except EcsError as error:
            raise AnswerError(
                operation, code=error.code, message=error.message, status=error.status, details=error.members
            ) from error
        if self.interceptor is not None:
            answer = await self.interceptor.after(operation, params, answer)
        return answer


class Ec2InProcess:
    """EC2 as `controller.aws.api.Api` over the same simulator: DescribeInstances by id."""

    def __init__(self, simulator: Simulator, clock: Clock, *, interceptor: Interceptor | None = None) -> None:
        self.simulator = simulator
        self.clock = clock
        self.interceptor = interceptor

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Perform DescribeInstances.

        Raises:
            AnswerError: it is another operation.
        """
        if operation != "DescribeInstances":
            raise AnswerError(operation, code="UnsupportedOperation", message=f"There is no {operation} here.")
        if self.interceptor is not None:
            await self.interceptor.before(operation, params)
        self.simulator.advance(self.clock.now())
        answer = ec2.describe_instances(self.simulator.world, ec2.ids_of(params))
        if self.interceptor is not None:
            answer = await self.interceptor.after(operation, params, answer)
        return answer


class LogsInProcess:
    """CloudWatch Logs as `controller.aws.api.Api` over the same simulator: what its containers have written."""

    def __init__(self, simulator: Simulator, clock: Clock) -> None:
        self.simulator = simulator
        self.clock = clock

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Perform GetLogEvents or DescribeLogStreams.

        Raises:
            AnswerError: the refusal of CloudWatch Logs.
        """
        perform = logs.OPERATIONS.get(operation)
        if perform is None:
            raise AnswerError(operation, code="UnknownOperationException", message=f"There is no {operation} here.")
        self.simulator.advance(self.clock.now())
        try:
            return perform(self.simulator.world, clone(dict(params)))
        except EcsError as error:
            raise AnswerError(operation, code=error.code, message=error.message, status=error.status) from error
