"""The wake-up queue: in memory under virtual time, and moto's SQS over HTTP."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
import structlog.testing

from controller.aws import client
from controller.aws.api import AnswerError, Api, NoAnswerError
from controller.aws.client import APP_ID, Connection, connect
from controller.aws.wakeups import BACKOFF_CAP, LONG_POLL, STUMBLED, WOKEN, Wakeups
from controller.core.wakeup import Ignored, Wake, Watch, understand
from controller.core.workload import Key
from controller.runtime.queue import WorkQueue

EVENTS = Path(__file__).parent.parent / "data" / "events"
BERT, GPT = Key("train", "bert"), Key("train", "gpt")
WATCH = Watch("123456789012", "us-west-2", app=APP_ID, bucket="ml-specs", prefix="prod/")
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-west-2"}
_NUMBERS = itertools.count()


def body(name: str, **replaced: str) -> str:
    text = (EVENTS / f"{name}.json").read_text()
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text


class Queue:
    """SQS in memory, as far as it is used: long polls, batches, messages that come again unless they are deleted."""

    VISIBILITY = 30.0

    def __init__(self) -> None:
        self.messages: dict[str, tuple[str, float]] = {}
        """Receipt handle → body and when it is visible."""
        self.arrived = asyncio.Event()
        self.calls: Counter[str] = Counter()
        self.failing: Exception | None = None
        self.numbers = itertools.count()

    def send(self, text: str) -> None:
        self.messages[f"r{next(self.numbers)}"] = (text, 0.0)
        self.arrived.set()

    async def call(self, operation: str, params: Any) -> dict[str, Any]:
        self.calls[operation] += 1
        await asyncio.sleep(0.01)
        if self.failing is not None:
            raise self.failing
        if operation == "DeleteMessageBatch":
            assert 1 <= len(params["Entries"]) <= 10
            assert len({one["Id"] for one in params["Entries"]}) == len(params["Entries"])
            for one in params["Entries"]:
                self.messages.pop(one["ReceiptHandle"], None)
            return {"Successful": [], "Failed": []}
        assert operation == "ReceiveMessage"
        assert params["WaitTimeSeconds"] == 20
        found = self._take(params["MaxNumberOfMessages"])
        if not found:
            self.arrived.clear()
            try:
                async with asyncio.timeout(params["WaitTimeSeconds"]):
                    await self.arrived.wait()
            except TimeoutError:
                return {}
            found = self._take(params["MaxNumberOfMessages"])
        return {"Messages": found} if found else {}

    def _take(self, most: int) -> list[dict[str, Any]]:
        now = asyncio.get_running_loop().time()
        visible = [handle for handle, (_, at) in self.messages.items() if at <= now][:most]
        taken = [{"MessageId": one, "ReceiptHandle": one, "Body": self.messages[one][0]} for one in visible]
        for one in visible:
            self.messages[one] = (self.messages[one][0], now + self.VISIBILITY)
        return taken


class Woken:
    """What came out, and when."""

    def __init__(self) -> None:
        self.wakes: list[Wake] = []
        self.at: list[float] = []
        self.some = asyncio.Event()

    def __call__(self, wake: Wake) -> None:
        self.some.set()
        self.wakes.append(wake)
        self.at.append(asyncio.get_running_loop().time())

    @property
    def keys(self) -> list[Key | None]:
        return [wake.key for wake in self.wakes]


def wakeups(api: Api, woken: Any, *, meaning: Any = None, url: str = "https://sqs/queue") -> Wakeups:
    managed = {BERT, GPT}
    return Wakeups(
        api,
        url,
        meaning or (lambda text: understand(text, WATCH, managed)),
        woken,
        structlog.get_logger(),
        lambda: 1.0,
    )


@asynccontextmanager
async def running(one: Wakeups) -> AsyncIterator[Wakeups]:
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# In memory
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_a_message_wakes_its_key_at_once_and_is_deleted():
    queue, woken = Queue(), Woken()
    async with running(wakeups(queue, woken)) as one:
        await asyncio.sleep(7)
        queue.send(body("service_steady_state"))
        await asyncio.sleep(3)
        assert woken.keys == [BERT]
        assert woken.at[0] < 7.1
        assert queue.messages == {}
        assert one.counts == {WOKEN: 1}


@pytest.mark.looptime
async def test_a_quiet_queue_costs_a_call_every_twenty_seconds():
    queue = Queue()
    async with running(wakeups(queue, Woken())):
        await asyncio.sleep(3600)
    assert queue.calls.total() <= 3600 / LONG_POLL + 1


@pytest.mark.looptime
async def test_an_empty_answer_that_comes_at_once_is_not_asked_for_without_end():
    class Hasty(Queue):
        async def call(self, operation: str, params: Any) -> dict[str, Any]:
            self.calls[operation] += 1
            return {}

    queue = Hasty()
    async with running(wakeups(queue, Woken())):
        await asyncio.sleep(60)
    assert queue.calls.total() <= 61


@pytest.mark.looptime
async def test_many_messages_are_taken_ten_at_a_time():
    queue, woken = Queue(), Woken()
    for _ in range(95):
        queue.send(body("service_steady_state"))
    async with running(wakeups(queue, woken)) as one:
        await asyncio.sleep(1)
    assert len(woken.wakes) == 95
    assert one.counts == {WOKEN: 95}
    assert queue.messages == {}
    assert queue.calls == {"ReceiveMessage": 11, "DeleteMessageBatch": 10}


@pytest.mark.looptime
async def test_a_storm_of_events_is_one_look_per_key():
    """With the work queue behind it, as the daemon has it."""
    queue = Queue()
    work: WorkQueue[Key] = WorkQueue(lambda: 0.5)
    for number in range(200):
        queue.send(body("task_stopped", bert="gpt" if number % 2 else "bert"))
    async with running(wakeups(queue, lambda wake: work.add(wake.key, priority=0))):
        await asyncio.sleep(5)
    assert len(work) == 2
    assert {BERT in work, GPT in work} == {True}


@pytest.mark.looptime
async def test_what_means_nothing_is_deleted_and_counted():
    queue, woken = Queue(), Woken()
    for text in (
        "no json",
        "x" * 300_000,
        body("instance_changed"),
        body("service_steady_state", train="other"),
        body("service_steady_state", **{"us-west-2": "eu-west-1"}),
        body("update_service_denied"),
        body("update_service_by_ourselves"),
    ):
        queue.send(text)
    async with running(wakeups(queue, woken)) as one:
        await asyncio.sleep(1)
    assert woken.wakes == []
    assert queue.messages == {}
    assert one.counts == dict.fromkeys(map(str, Ignored), 1)


@pytest.mark.looptime
async def test_what_our_own_code_stumbles_over_is_left_for_the_dead_letter_queue():
    queue, woken = Queue(), Woken()

    def meaning(text: str) -> Wake | Ignored:
        if text == "bug":
            raise ZeroDivisionError
        return understand(text, WATCH, {BERT})

    queue.send("bug")
    queue.send(body("service_steady_state"))
    with structlog.testing.capture_logs() as logs:
        async with running(wakeups(queue, woken, meaning=meaning)) as one:
            await asyncio.sleep(55)
    assert woken.keys == [BERT]
    assert [text for text, _ in queue.messages.values()] == ["bug"]
    assert one.counts == {STUMBLED: 2, WOKEN: 1}
    assert [entry["event"] for entry in logs] == ["wake-up not understood"] * 2


@pytest.mark.looptime
async def test_a_delivery_that_fails_is_one_that_stumbles():
    queue = Queue()

    def deliver(wake: Wake) -> None:
        raise RuntimeError

    queue.send(body("service_steady_state"))
    async with running(wakeups(queue, deliver)) as one:
        await asyncio.sleep(5)
    assert len(queue.messages) == 1
    assert one.counts == {STUMBLED: 1}


@pytest.mark.looptime
async def test_whoever_dies_before_deleting_gets_the_message_again():
    queue, first, second = Queue(), Woken(), Woken()
    queue.send(body("service_steady_state"))
    task = asyncio.create_task(wakeups(queue, first).run())
    await first.some.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(queue.messages) == 1
    async with running(wakeups(queue, second)):
        await asyncio.sleep(60)
    assert second.keys == [BERT]
    assert queue.messages == {}


@pytest.mark.looptime
@pytest.mark.parametrize(
    "error",
    [
        NoAnswerError("ReceiveMessage", "no route", sent=False),
        NoAnswerError("ReceiveMessage", "timed out", sent=True),
        AnswerError("ReceiveMessage", code="QueueDoesNotExist", message="no such queue"),
        AnswerError("ReceiveMessage", code="AccessDeniedException", message="no", status=403),
        AnswerError("ReceiveMessage", code="InternalFailure", message="oops", status=500),
    ],
)
async def test_a_queue_that_is_lost_is_asked_again_and_told_of_once(error):
    queue, woken = Queue(), Woken()
    with structlog.testing.capture_logs() as logs:
        async with running(wakeups(queue, woken)):
            await asyncio.sleep(30)
            queue.failing = error
            before = queue.calls.total()
            await asyncio.sleep(3600)
            asked = queue.calls.total() - before
            queue.failing = None
            queue.send(body("service_steady_state"))
            await asyncio.sleep(BACKOFF_CAP + 1)
    assert 60 <= asked <= 72
    assert woken.keys == [BERT]
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("no wake-ups, polling only", "warning"),
        ("wake-ups again", "info"),
    ]


@pytest.mark.looptime
async def test_another_trouble_is_told_of_too():
    queue = Queue()
    queue.failing = NoAnswerError("ReceiveMessage", "no route", sent=False)
    with structlog.testing.capture_logs() as logs:
        async with running(wakeups(queue, Woken())):
            await asyncio.sleep(300)
            queue.failing = AnswerError("ReceiveMessage", code="AccessDenied", message="no", status=403)
            await asyncio.sleep(300)
    assert [entry["reason"] for entry in logs] == ["Unreachable", "AccessDenied"]


@pytest.mark.looptime
async def test_messages_that_cannot_be_deleted_come_again():
    class Clinging(Queue):
        async def call(self, operation: str, params: Any) -> dict[str, Any]:
            if operation == "DeleteMessageBatch" and self.calls[operation] < 2:
                self.calls[operation] += 1
                raise NoAnswerError(operation, "lost", sent=True)
            return await super().call(operation, params)

    queue, woken = Clinging(), Woken()
    queue.send(body("service_steady_state"))
    async with running(wakeups(queue, woken)):
        await asyncio.sleep(200)
    assert woken.keys == [BERT] * 3
    assert queue.messages == {}


# moto's SQS, the real client
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def hand(moto_url: str) -> Any:
    return boto3.client("sqs", endpoint_url=moto_url, **KEYS)


@pytest.fixture
def url(hand: Any) -> str:
    return hand.create_queue(QueueName=f"wake-ups-{next(_NUMBERS)}")["QueueUrl"]


@asynccontextmanager
async def opened(endpoint: str) -> AsyncIterator[Api]:
    connection = Connection(region="us-west-2", endpoint_url=endpoint, access_key="test", secret_key="test")
    async with connect(connection, "sqs") as api:
        yield api


class Seen:
    """Waits until as many messages were passed on as are expected."""

    def __init__(self, expected: int) -> None:
        self.meanings: list[Wake | Ignored] = []
        self.expected = expected
        self.all = asyncio.Event()

    def understand(self, text: str) -> Wake | Ignored:
        self.meanings.append(understand(text, WATCH, {BERT}))
        if len(self.meanings) == self.expected:
            self.all.set()
        return self.meanings[-1]


async def left(hand: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = await asyncio.to_thread(partial(hand.get_queue_attributes, QueueUrl=url, AttributeNames=names))
    return sum(int(found["Attributes"][name]) for name in names)


async def test_every_sample_through_a_real_queue(moto_url, hand, url):
    names = sorted(path.stem for path in EVENTS.glob("*.json"))
    for name in names:
        hand.send_message(QueueUrl=url, MessageBody=body(name))
    hand.send_message(QueueUrl=url, MessageBody="\u2028 no json é")
    seen, woken = Seen(len(names) + 1), Woken()
    async with opened(moto_url) as api:
        deleted = asyncio.Event()

        class Noting:
            async def call(self, operation: str, params: Any) -> dict[str, Any]:
                if operation == "ReceiveMessage" and seen.all.is_set():
                    deleted.set()  # the next question: what was received is deleted
                return await api.call(operation, params)

        async with running(wakeups(Noting(), woken, meaning=seen.understand, url=url)), asyncio.timeout(20):
            await deleted.wait()
    expected = Counter(type(understand(body(name), WATCH, {BERT})).__name__ for name in names) + Counter(["Ignored"])
    assert Counter(type(one).__name__ for one in seen.meanings) == expected
    assert len(woken.wakes) == expected["Wake"]
    assert await left(hand, url) == 0


async def test_a_long_poll_of_the_real_client_is_woken_by_a_message(moto_url, hand, url):
    seen, woken = Seen(1), Woken()
    async with opened(moto_url) as api, running(wakeups(api, woken, meaning=seen.understand, url=url)):
        async with asyncio.timeout(15):
            await asyncio.to_thread(partial(hand.send_message, QueueUrl=url, MessageBody=body("deployment_failed")))
            await seen.all.wait()
    assert woken.keys == [BERT]


async def test_a_queue_that_does_not_exist(moto_url):
    told = asyncio.Event()

    class Log:
        def __init__(self) -> None:
            self.lines: list[tuple[str, Any]] = []

        def warning(self, event: str, **facts: Any) -> None:
            self.lines.append((event, facts["reason"]))
            told.set()

    log = Log()
    async with opened(moto_url) as api:
        one = wakeups(api, Woken(), url=f"{moto_url}/123456789012/nowhere")
        one.log = log
        async with running(one), asyncio.timeout(15):
            await told.wait()
    assert log.lines == [("no wake-ups, polling only", "NotConfigured")]


def test_the_client_waits_longer_than_a_long_poll():
    assert client._config(1, "sqs", "us").read_timeout > LONG_POLL


def test_our_calls_say_that_they_are_ours():
    event = json.loads(body("update_service_by_ourselves"))
    assert f"app/{APP_ID}" in event["detail"]["userAgent"].split()
