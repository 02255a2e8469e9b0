"""The demo: the daemon's own code against the embedded AWS, and boto3 as the hand that meddles.

Five scenes in under half a minute: services are created from specs and land on the DL1 instances only; a live edit is
reported and healed; a bad image is rolled back by ECS and not tried again; an invalid commit is refused while the last
good version stays; at the end stands the status table. It tells nothing that it has not seen: each scene ends when the
daemon's reports and ECS's answers say so, and fails the demo otherwise. Neighbours: `server`, `controller.app.daemon`.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

import boto3

from controller.app import compose
from controller.app.daemon import Daemon
from controller.aws.client import Connection, connect
from controller.aws.ecs import EcsGateway
from controller.core.pass_report import WorkloadReport, settled
from controller.core.workload import Key
from controller.errors import ControllerError
from controller.reasons import Reason
from controller.reconcile.reconciler import Reconciler
from controller.report.frame import frames
from controller.report.text import clean, status_text, table, value
from controller.sandbox.server import serve
from controller.settings import Settings
from controller.sources.files import FilesSource

SPEED: Final = 60.0
"""Seconds of the embedded AWS in one real second."""
SCENE: Final = 25.0
"""Real seconds after which a scene has failed."""
RESYNC: Final = 0.5
CREDENTIALS: Final = {"aws_access_key_id": "demo", "aws_secret_access_key": "demo", "region_name": "us-east-1"}
OUR_TAGS: Final = "service.tags[dl1.ecs/"
BERT: Final = Key("default", "bert")


class DemoError(ControllerError):
    """A scene did not end as it should."""


@dataclass(slots=True)
class Narrator:
    """Prints the demo. It also is the daemon's log, of which it passes on what a watcher wants to see."""

    say: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    healed: list[str] = field(default_factory=list)
    """Fields that the daemon has put right."""

    def scene(self, title: str) -> None:
        """Begin a scene."""
        self.say(f"\n{title}")

    def line(self, text: str) -> None:
        """Say one thing, with the time since the demo began."""
        self.say(f"  {time.monotonic() - self.began:5.1f}s  {text}")

    def info(self, event: str, **facts: Any) -> None:
        """The daemon's log: new revisions, and workloads that become ready or stop being so."""
        if event == "source changed":
            self.line(f"source changed: {facts['workloads']} workloads")
        elif event == "condition" and facts["type"] == "Ready":
            state = "ready" if facts["status"] == "True" else f"not ready: {facts['reason']}"
            self.line(f"{facts['workload']} is {state}{_about(facts['message'])}")

    def warning(self, event: str, **facts: Any) -> None:
        """The daemon's log: drift and changes, with the field and both values; its own tags would be noise."""
        if event in ("drift healed", "change applied") and not facts["field"].startswith(OUR_TAGS):
            if event == "drift healed":
                self.healed.append(facts["field"])
            change = f"{value(facts['live'])} → {value(facts['spec'])}"
            self.line(f"{facts['workload']}  {clean(facts['field'])}: {change}  ({facts['effect']}, {facts['cause']})")
        elif event == "reconcile failed":
            self.line(f"{facts['workload']}: {facts['error']}")

    def error(self, event: str, **facts: Any) -> None:
        """The daemon's log: what should not happen is shown as it is; findings are drawn by the scene."""
        if event != "spec finding":
            self.line(f"{event}: {clean(', '.join(f'{name}={fact}' for name, fact in facts.items()))}")


def _about(message: str) -> str:
    return f" ({clean(message)})" if message else ""


async def play(say: Callable[[str], None]) -> None:
    """Play all scenes.

    Raises:
        DemoError: something did not come out as told.
    """
    narrator = Narrator(say)
    with tempfile.TemporaryDirectory(prefix="controller-demo-") as folder:
        async with serve(speed=SPEED) as server:
            say(f"An embedded AWS on {server.url}: cluster `default`, two dl1.24xlarge and two m5.2xlarge.")
            say(f"Its clock runs {SPEED:.0f} times as fast. The controller below is the real daemon.")
            connection = Connection(region="us-east-1", endpoint_url=server.url, **_keys())
            async with connect(connection) as api:
                clock = compose.SystemClock()
                reconciler = Reconciler(EcsGateway(api), clock, compose.LogRecorder(narrator), "demo")
                settings = Settings(source=folder, owner="demo", clusters=("default",), resync=RESYNC)
                daemon = Daemon(FilesSource(Path(folder)), reconciler, settings, narrator)
                hand = boto3.client("ecs", endpoint_url=server.url, **CREDENTIALS)
                demo = Demo(narrator, Path(folder), daemon, hand)
                async with asyncio.TaskGroup() as group:
                    running = group.create_task(daemon.run())
                    try:
                        await demo.play()
                    finally:
                        daemon.stop()
                    await running


def _keys() -> dict[str, str]:
    return {"access_key": CREDENTIALS["aws_access_key_id"], "secret_key": CREDENTIALS["aws_secret_access_key"]}


@dataclass(slots=True)
class Demo:
    """The scenes."""

    narrator: Narrator
    folder: Path
    daemon: Daemon
    hand: Any
    """A boto3 client: somebody who edits things by hand."""

    async def play(self) -> None:
        """All scenes, and the status at the end."""
        await self.create()
        await self.edit()
        await self.bad_image()
        await self.invalid_commit()
        self.narrator.scene("The state at the end")
        for line in status_text(tuple(self.daemon.reports.values())).splitlines():
            self.narrator.say(f"  {line}")
        self.narrator.say(
            "\nThat was all of it. Next, in your own account: `controller import CLUSTER` makes specs of what runs,"
            "\n`controller --once` shows what would change and writes nothing."
        )

    async def create(self) -> None:
        """Specs become services, on the right instances."""
        self.narrator.scene("1. Three specs are committed: one wants all eight cards of a DL1, two want four each")
        for name in ("bert.yaml", "whisper.yaml"):
            self._write(name, _spec(name))
        await self._until("all three services are healthy", lambda: len(self._ready()) == 3)
        rows = await asyncio.to_thread(self._tasks)
        for line in table([("SERVICE", "INSTANCE TYPE", "INSTANCE"), *rows]):
            self.narrator.say(f"          {line}")
        if {row[1] for row in rows} != {"dl1.24xlarge"} or len({row[2] for row in rows}) != 2:
            raise DemoError("a task landed where it should not")
        self.narrator.line("every task is on a DL1; the two halves share one, and no card is used twice")

    async def edit(self) -> None:
        """Somebody edits a service by hand; the daemon says so and puts it right."""
        self.narrator.scene("2. Somebody edits bert by hand: two tasks, and percentages with which it could never roll")
        percentages = {"minimumHealthyPercent": 100, "maximumPercent": 200}
        await asyncio.to_thread(
            self.hand.update_service, service="bert", desiredCount=2, deploymentConfiguration=percentages
        )
        wanted = {"service.desiredCount", "service.deploymentConfiguration.minimumHealthyPercent"}
        await self._until("both are back", lambda: wanted <= set(self.narrator.healed))
        await self._until("bert is healthy again", lambda: BERT in self._ready())
        live = (await asyncio.to_thread(self.hand.describe_services, services=["bert"]))["services"][0]
        if live["desiredCount"] != 1 or live["deploymentConfiguration"]["maximumPercent"] != 100:
            raise DemoError("the edit was not undone")

    async def bad_image(self) -> None:
        """An image that cannot be pulled: ECS rolls back, and the controller leaves it at that."""
        self.narrator.scene("3. A commit with an image that nobody can pull")
        self._write("bert.yaml", _spec("bert.yaml").replace("bert:1.0", "bert:broken-2.0"))
        await self._until("ECS has rolled it back", self._rolled_back)
        hold = self.daemon.reports[BERT].plan.holds[0]
        self.narrator.line(clean(hold.message))
        tries = await asyncio.to_thread(self._deployments)
        await asyncio.sleep(6 * RESYNC)
        if await asyncio.to_thread(self._deployments) != tries:
            raise DemoError("the bad revision was tried again")
        self.narrator.line(f"six passes later: still {tries} deployments, the bad one is not tried again")
        self._write("bert.yaml", _spec("bert.yaml"))
        await self._until("the commit is taken back and bert is in sync", lambda: BERT in self._ready())

    async def invalid_commit(self) -> None:
        """A typo: refused with its place, and what runs goes on running."""
        self.narrator.scene("4. A commit with a typo")
        self._write("bert.yaml", _spec("bert.yaml").replace("command:", "comand:"))
        await self._until("the commit is refused", lambda: BERT in self.daemon.desired.last_good)
        files = {"bert.yaml": (self.folder / "bert.yaml").read_bytes()}
        for line in frames(self.daemon.desired.diagnostics, files).splitlines():
            self.narrator.say(f"          {line}".rstrip())
        await self._until("the last good version stands", lambda: self._report_of_last_good() is not None)

    # What is seen
    # ------------------------------------------------------------------------------------------------------

    def _ready(self) -> set[Key]:
        """Workloads that are in sync and healthy on the newest revision."""
        wanted = self.daemon.desired.rendered
        return {key for key, report in self.daemon.reports.items() if key in wanted and settled(report)}

    def _rolled_back(self) -> bool:
        report = self.daemon.reports.get(BERT)
        holds = report.plan.holds if report else ()
        return any(hold.reason is Reason.ROLLED_BACK and hold.after is None for hold in holds)

    def _report_of_last_good(self) -> WorkloadReport | None:
        report = self.daemon.reports.get(BERT)
        return report if report and report.last_good and settled(report) else None

    def _deployments(self) -> int:
        return len(self.hand.list_service_deployments(service="bert", maxResults=100)["serviceDeployments"])

    def _tasks(self) -> list[tuple[str, str, str]]:
        """(service, instance type, instance) of every running task."""
        tasks = self.hand.describe_tasks(tasks=self.hand.list_tasks()["taskArns"])["tasks"]
        arns = [task["containerInstanceArn"] for task in tasks]
        found = self.hand.describe_container_instances(containerInstances=arns)["containerInstances"]
        kinds = {
            one["containerInstanceArn"]: next(a["value"] for a in one["attributes"] if a["name"] == "ecs.instance-type")
            for one in found
        }
        names = {one["containerInstanceArn"]: one["ec2InstanceId"] for one in found}
        return sorted(
            (task["group"].removeprefix("service:"), kinds[arn], names[arn])
            for task, arn in zip(tasks, arns, strict=True)
        )

    async def _until(self, what: str, true: Callable[[], bool]) -> None:
        """Wait until something is true, and say it."""
        try:
            async with asyncio.timeout(SCENE):
                while not true():  # noqa: ASYNC110 - a watcher from outside: the daemon offers no event for this
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise DemoError(f"waited {SCENE:.0f}s in vain: {what}") from error
        self.narrator.line(f"✓ {what}")

    def _write(self, name: str, text: str) -> None:
        """As a commit arrives: whole, under its name."""
        new = self.folder / f".{name}"
        new.write_text(text, encoding="utf-8")
        new.replace(self.folder / name)


def _spec(name: str) -> str:
    return resources.files("controller.sandbox.story").joinpath(name).read_text(encoding="utf-8")
