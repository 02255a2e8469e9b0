"""The smoke gate: every DL1 instance shows its eight cards before `gaudi.requireVerified` lets a workload on it.

It keeps nothing that matters: what is under way and what has ended is asked of ECS at each look, so whoever holds the
lease next goes on where the last one was stopped. Each step is one call, and each call may be the last one of this
process: a test is asked for with a token that its predecessor decides, a proof is put where it is already. Only who
leads has a gate at all. Neighbours: `core.gaudi.verification` (decides), `inspection` (looks, and tells of it),
`aws.tasks` (acts).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, assert_never

from controller.core.compare import same_content
from controller.core.gaudi.drivers import verified
from controller.core.gaudi.fleet import Fleet
from controller.core.gaudi.instances import VERIFIED_ATTRIBUTE
from controller.core.gaudi.smoke import Due, definition, due, family, pinned, token
from controller.core.gaudi.verification import Believe, Failed, Next, Run, Stop, Wait, following
from controller.core.live import Revision
from controller.core.ownership import OWNER
from controller.core.tasks import Task
from controller.errors import ControllerError
from controller.reasons import Reason
from controller.reconcile.ports import Clock, Ecs, Tasks

NO_IMAGE: Final = "no image of Habana's is known for its driver ({version}), so nothing can show its cards"


class Machines(Tasks, Protocol):
    """Tasks on instances, and what instances say of themselves."""

    async def put_attributes(self, cluster: str, instance: str, attributes: dict[str, str]) -> None:
        """Set custom attributes of a container instance; others stay."""
        ...

    async def delete_attributes(self, cluster: str, instance: str, names: Sequence[str]) -> None:
        """Take custom attributes away from a container instance."""
        ...


@dataclass(frozen=True, slots=True)
class Unverified:
    """An instance that has not shown its cards, and why."""

    instance: str
    """Its short name."""
    message: str
    reason: Reason | None = None
    """Why its last test has failed; None where it only waits."""


@dataclass(slots=True)
class SmokeGate:
    """Tests the DL1 instances of one account and region."""

    ecs: Ecs
    machines: Machines
    clock: Clock
    log: Any
    owner: str
    port_base: int
    image: str | None = None
    """The image to test with instead of Habana's; `{synapseai}` stands for the driver's release."""
    _believed: set[str] = field(default_factory=set)
    """Tests whose proof was put on their instance."""
    _registered: dict[str, Revision] = field(default_factory=dict)
    """Family → the revision that was used last."""
    _refused: "Counter[tuple[str, str | None]]" = field(default_factory=Counter)
    """(Instance, test before) → how often ECS found no place for the next one."""

    async def look(self, cluster: str, fleet: Fleet) -> tuple[Unverified, ...]:
        """Bring every instance of a cluster one step further; those that have not shown their cards yet.

        What goes wrong with one of them is told of it, and the others go on.
        """
        waiting: defaultdict[str, list[Due]] = defaultdict(list)
        for one in due(fleet):
            waiting[family(one.version)].append(one)
        found: list[Unverified] = []
        for name, instances in waiting.items():
            try:
                tasks = await self._tests(cluster, name)
            except ControllerError as error:
                found += [Unverified(one.instance.short, f"its tests cannot be read: {error}") for one in instances]
                continue
            for one in instances:
                try:
                    told = await self._step(cluster, one, tasks)
                except ControllerError as error:
                    told = Unverified(one.instance.short, f"could not be tested: {error}", error.reason)
                found += [told] if told is not None else []
        return tuple(found)

    async def _tests(self, cluster: str, name: str) -> tuple[Task, ...]:
        """All tests of a family that ECS knows: those under way, and those that ended within the hour."""
        running = await self.machines.list_tasks(cluster, family=name)
        ended = await self.machines.list_tasks(cluster, family=name, stopped=True)
        return tuple((await self.machines.describe_tasks(cluster, (*running, *ended))).values())

    async def _step(self, cluster: str, one: Due, tasks: Sequence[Task]) -> Unverified | None:
        said = verified(one.instance)
        if said is not None:  # of another release than its driver: what requires that would land on the wrong driver
            await self.machines.delete_attributes(cluster, one.instance.arn, [VERIFIED_ATTRIBUTE])
            self._tell("no longer verified", cluster, one, said=str(said))
        step: Next = following(
            one, tasks, now=self.clock.now().timestamp(), port_base=self.port_base, believed=self._believed
        )
        short = one.instance.short
        match step:
            case Run():
                return Unverified(short, await self._test(cluster, one, step))
            case Wait(why=why):
                return Unverified(short, why)
            case Believe(task=task):
                await self.machines.put_attributes(cluster, one.instance.arn, {VERIFIED_ATTRIBUTE: str(one.version)})
                self._believed.add(task)
                self._tell("verified", cluster, one, synapseai=str(one.version))
                return None
            case Failed(proof=proof, attempt=attempt, again_at=again_at):
                seconds = max(again_at - self.clock.now().timestamp(), 0.0)
                again = f"attempt {attempt} has failed, the next one comes in {seconds / 60:.0f} min"
                return Unverified(short, f"{proof.message.rstrip('.')} ({again})", proof.reason)
            case Stop(task=task):
                await self.machines.stop_task(cluster, task, reason="the smoke test did not end in time")
                return Unverified(short, "its test did not end in time and is being stopped", Reason.CANNOT_START)
            case _:
                assert_never(step)

    async def _test(self, cluster: str, one: Due, test: Run) -> str:
        """Start a test; how that went, as half a sentence."""
        request = definition(one.version, port_base=self.port_base, image_of=self.image)
        if request is None:
            return NO_IMAGE.format(version=one.version)
        revision, about = await self._revision(request), (one.instance.arn, test.previous)
        order = {
            "cluster": cluster,
            "taskDefinition": revision.arn,
            "clientToken": token(one, previous=test.previous, refused=self._refused[about]),
            **pinned(one, attempt=test.attempt),
            "tags": [{"key": OWNER, "value": self.owner}],
        }
        try:
            started = await self.machines.run_task(order)
        except ControllerError:
            self._registered.clear()  # it may be that somebody has retired the revision
            raise
        if not started.tasks:
            self._refused[about] += 1
            why = ", ".join(sorted({one.reason for one in started.unplaced})) or "ECS did not say why"
            return f"found no place for its test ({why})"
        self._tell("smoke test started", cluster, one, attempt=test.attempt, task=started.tasks[0].short)
        return "is being tested"

    async def _revision(self, request: dict[str, Any]) -> Revision:
        """A revision with this content: one that is there, or a new one. What was just registered may not be listed
        yet."""
        known = self._registered.get(request["family"])
        if known is None or not same_content(request, known):
            listed = await self.ecs.candidates(request["family"])
            known = next((one for one in listed if same_content(request, one)), None)
        if known is None:
            known = await self.ecs.register({**request, "tags": [{"key": OWNER, "value": self.owner}]})
        self._registered[request["family"]] = known
        return known

    def _tell(self, event: str, cluster: str, one: Due, **facts: Any) -> None:
        self.log.info(event, cluster=cluster, instance=one.instance.short, **facts)
