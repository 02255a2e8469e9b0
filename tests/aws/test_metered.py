"""Every call is told once, with what became of it and how long it took."""

import asyncio

import pytest

from controller.aws.api import AnswerError, NoAnswerError
from controller.aws.metered import Metered
from controller.errors import Denied
from controller.reasons import Reason

pytestmark = pytest.mark.looptime

ENDS = {
    "OK": None,
    "ThrottlingException": AnswerError("ListServices", code="ThrottlingException", message="Rate exceeded"),
    "NoAnswer": NoAnswerError("ListServices", "reset", sent=True),
    "NotSent": NoAnswerError("ListServices", "no route", sent=False),
    "NoCredentials": Denied("no AWS credentials", reason=Reason.NO_CREDENTIALS),
}


class Meter:
    def __init__(self):
        self.told = []

    def called(self, service, operation, *, code, seconds):
        self.told.append((service, operation, code, seconds))


class Ecs:
    def __init__(self, error, seconds):
        self.error = error
        self.seconds = seconds

    async def call(self, operation, params):
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return {"serviceArns": [params["cluster"]]}


@pytest.mark.parametrize("code", ENDS)
async def test_each_end_has_its_code(code):
    meter = Meter()
    api = Metered(Ecs(ENDS[code], 0.25), "ecs", meter)
    if ENDS[code] is None:
        assert await api.call("ListServices", {"cluster": "train"}) == {"serviceArns": ["train"]}
    else:
        with pytest.raises(type(ENDS[code])) as raised:
            await api.call("ListServices", {"cluster": "train"})
        assert raised.value is ENDS[code]
    assert meter.told == [("ecs", "ListServices", code, pytest.approx(0.25))]


async def test_a_cancelled_call_is_told_too():
    meter = Meter()
    task = asyncio.create_task(Metered(Ecs(None, 60.0), "ecs", meter).call("ListServices", {}))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert meter.told == [("ecs", "ListServices", "Cancelled", pytest.approx(1.0))]
