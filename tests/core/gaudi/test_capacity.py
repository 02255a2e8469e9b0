"""What a forecast says: each outcome with its sentence and the numbers behind it."""

import pytest

from controller.core.gaudi.capacity import Outcome, Rollout, forecast
from controller.core.gaudi.cards import CardSet, Naming
from controller.core.gaudi.demand import Demand
from controller.core.gaudi.instances import Instance, Resources
from controller.core.gaudi.tasks import LiveTask
from controller.core.placement import parse
from controller.core.rollout import Percentages
from controller.sandbox.fleet import DL1, M5_2XLARGE, Machine
from tests.core.gaudi.playing import LONG, Cluster
from tests.support import rendered

TOKENS = frozenset(range(18100, 18108))
WHOLE = CardSet(Naming.WHOLE, tuple(range(8)))
LOW = CardSet(Naming.MODULES, (0, 1, 2, 3))
FULL = Demand(cpu=94_208, memory=700_000, tcp=TOKENS, cards=(WHOLE,))
SMALL = Demand(cpu=1_024, memory=4_000, cards=(WHOLE,))


def dl1(name, *, used=(), status="ACTIVE", connected=True, attributes=()):
    """A DL1 with tasks of these demands on it."""
    registered = Resources(98_304, 771_840, frozenset({22}), frozenset())
    return Instance(
        arn=f"arn:container-instance/{name}",
        ec2_id=name,
        status=status,
        connected=connected,
        agent_version="1.68.2",
        attributes={"ecs.instance-type": "dl1.24xlarge", "ecs.availability-zone": "us-west-2a", **dict(attributes)},
        registered=registered,
        remaining=Resources(
            registered.cpu - sum(one.cpu for one in used),
            registered.memory - sum(one.memory for one in used),
            registered.tcp.union(*(one.tcp for one in used)),
            frozenset(),
        ),
    )


def task(name, where, demand, *, group="service:bert", definition="bert:1", status="RUNNING", desired="RUNNING"):
    return LiveTask(f"arn:task/{name}", group, f"arn:container-instance/{where}", definition, status, desired, demand)


def rollout(demand=FULL, *, desired=1, minimum=0, maximum=100, **more):
    return Rollout("bert", demand, desired, Percentages(minimum, maximum), **more)


def told(wanted, instances, tasks=(), **more):
    return forecast(wanted, instances, tasks, **more)


# Placed at all ------------------------------------------------------------------------------------------------------


def test_a_new_service_that_fits():
    found = told(rollout(), [dl1("i-1")])
    assert (found.outcome, found.blocks) == (Outcome.FITS, False)
    assert found.message == "bert: 1 task will find a place"
    assert found.arithmetic == (
        "each task asks for 94208 CPU units, 700000 MiB, host ports 18100-18107, all eight cards",
        "1 task: minimumHealthyPercent 0 keeps 0, maximumPercent 100 allows 1; 0 run already, 0 are to be replaced",
        "i-1 (us-west-2a): room for 1",
    )


def test_too_few_instances():
    found = told(rollout(desired=3), [dl1("i-1"), dl1("i-2")])
    assert (found.outcome, found.blocks) == (Outcome.NEVER, True)
    assert found.message == "bert: would never be placed: 3 tasks wanted, 2 fit; 2 instances can be considered"


@pytest.mark.parametrize(
    ("instance", "says"),
    [
        (dl1("i-1", status="DRAINING"), "is DRAINING"),
        (dl1("i-1", connected=False), "its agent is disconnected"),
        (dl1("i-1", used=[Demand(cpu=10_000)]), "88304 CPU units left of 94208"),
        (dl1("i-1", used=[Demand(memory=100_000)]), "671840 MiB left of 700000"),
        (dl1("i-1", used=[Demand(tcp=frozenset({18100, 18103}))]), "host ports 18100, 18103 taken"),
    ],
)
def test_why_an_instance_is_no_place(instance, says):
    found = told(rollout(), [instance])
    assert found.outcome is Outcome.NEVER
    assert any(says in line for line in found.arithmetic), found.arithmetic


def test_constraints_exclude_and_may_exclude():
    pool = Demand(cpu=1, constraints=(parse("attribute:habana.pool == a"),))
    found = told(rollout(pool), [dl1("i-1"), dl1("i-2", attributes={"habana.pool": "b"}.items())])
    assert found.outcome is Outcome.NEVER
    assert "the constraints exclude 2 instances" in found.arithmetic
    assert told(rollout(pool), [dl1("i-1", attributes={"habana.pool": "a"}.items())]).outcome is Outcome.FITS
    alone = Demand(cpu=1, constraints=(parse("not(task:group == service:gpt)"),))
    unsure = told(rollout(alone), [dl1("i-1")])
    assert (unsure.outcome, unsure.blocks) == (Outcome.UNSURE, False)
    assert "cannot be said beforehand" in unsure.message


def test_an_attribute_that_the_definition_requires():
    demand = Demand(cpu=1, attributes=frozenset({"ecs.capability.task-eni"}))
    found = told(rollout(demand), [dl1("i-1")])
    assert found.outcome is Outcome.NEVER
    assert any("it lacks the attribute ecs.capability.task-eni" in line for line in found.arithmetic)


def test_a_capacity_provider_may_help():
    found = told(rollout(elastic=True), [])
    assert found.outcome is Outcome.UNSURE
    assert "its capacity provider may add instances" in found.message
    assert (
        told(rollout(), []).message
        == "bert: would never be placed: 1 task wanted, 0 fit; no instance can be considered"
    )


def test_an_instance_holds_a_hundred_ports():
    many = Demand(tcp=frozenset(range(5000, 5095)))
    assert told(rollout(), [dl1("i-1", used=[many])]).outcome is Outcome.NEVER


# Rolling ------------------------------------------------------------------------------------------------------------


OLD = task("old", "i-1", FULL)


def test_stop_first_fits_where_start_first_stalls():
    instances = [dl1("i-1", used=[FULL])]
    assert told(rollout(), instances, [OLD]).outcome is Outcome.FITS
    found = told(rollout(minimum=100, maximum=200), instances, [OLD])
    assert (found.outcome, found.blocks) == (Outcome.STALLS, True)
    assert found.message == (
        "bert: would stall: 1 task of the old revision and 0 new ones are healthy, of which 1 must stay, so none may be"
        " stopped, and no instance has room for another new one"
    )
    assert (
        "i-1 (us-west-2a): room for 0, 1 once 1 task has left it; cards named by service:bert (old)" in found.arithmetic
    )


def test_a_spare_instance_lets_it_start_first():
    instances = [dl1("i-1", used=[FULL]), dl1("i-2")]
    assert told(rollout(minimum=100, maximum=200), instances, [OLD]).outcome is Outcome.FITS


def test_a_bigger_revision_may_not_fit_where_the_old_one_was():
    bigger = Demand(cpu=94_208, memory=771_000, tcp=TOKENS, cards=(WHOLE,))
    other = Demand(memory=2_000)
    found = told(rollout(bigger), [dl1("i-1", used=[FULL, other])], [OLD])
    assert found.outcome is Outcome.NEVER
    assert any("769840 MiB left of 771000" in line for line in found.arithmetic)


def test_the_breaker_counts_tries_that_cannot_succeed():
    instances, tasks = (
        [dl1(f"i-{n}", used=[FULL]) for n in (1, 2, 3)],
        [task(f"t{n}", f"i-{n}", FULL) for n in (1, 2, 3)],
    )
    wide = {"desired": 3, "minimum": 50, "maximum": 150}
    found = told(rollout(**wide, breaker=True), instances, tasks)
    assert found.outcome is Outcome.UNSURE
    assert "maximumPercent: 100 stops first" in found.message
    assert told(rollout(**wide), instances, tasks).outcome is Outcome.FITS
    assert told(rollout(desired=3, minimum=66, breaker=True), instances, tasks).outcome is Outcome.FITS


def test_blue_green_needs_all_at_once():
    instances = [dl1("i-1", used=[FULL]), dl1("i-2", used=[FULL]), dl1("i-3")]
    tasks = [OLD, task("t2", "i-2", FULL)]
    found = told(rollout(desired=2, at_once=True), instances, tasks)
    assert found.outcome is Outcome.STALLS
    assert "starts all 2 new tasks before it stops an old one, and only 1 fit" in found.message
    assert told(rollout(desired=2, at_once=True), [*instances, dl1("i-4")], tasks).outcome is Outcome.FITS


def test_only_the_count_changes():
    instances = [dl1("i-1", used=[FULL]), dl1("i-2")]
    assert told(rollout(desired=2, revision="bert:1"), instances, [OLD]).outcome is Outcome.FITS
    assert told(rollout(desired=3, revision="bert:1"), instances, [OLD]).outcome is Outcome.NEVER
    assert told(rollout(desired=1, revision="bert:1"), instances, [OLD]).message == "bert: 1 of 1 tasks run already"
    assert told(rollout(desired=0), instances, [OLD]).outcome is Outcome.FITS


def test_tasks_of_a_draining_instance_must_move():
    instances = [dl1("i-1", used=[FULL], status="DRAINING"), dl1("i-2", used=[FULL])]
    tasks = [OLD, task("t2", "i-2", FULL)]
    assert told(rollout(desired=2, revision="bert:1"), instances, tasks).outcome is Outcome.NEVER
    assert told(rollout(desired=2, revision="bert:1"), [*instances, dl1("i-3")], tasks).outcome is Outcome.FITS


def test_what_is_on_its_way_out_is_gone():
    ending = task("t", "i-1", FULL, group="service:gpt", desired="STOPPED", status="STOPPING")
    assert told(rollout(), [dl1("i-1", used=[FULL])], [ending]).outcome is Outcome.FITS


def test_old_tasks_that_do_not_serve_hold_nothing_up():
    starting = task("t", "i-1", FULL, status="PENDING")
    found = told(rollout(minimum=100, maximum=200), [dl1("i-1", used=[FULL])], [starting])
    assert found.outcome is Outcome.FITS
    assert "1 that do not serve" in found.arithmetic[1]


def test_old_tasks_on_an_instance_that_nobody_knows():
    lost = task("t", "gone", FULL)
    assert told(rollout(minimum=100, maximum=200), [dl1("i-1")], [lost]).outcome is Outcome.FITS
    assert told(rollout(), [], [lost]).outcome is Outcome.NEVER


# Cards --------------------------------------------------------------------------------------------------------------


def test_the_seed_pages_small_task_lands_beside_the_old_one_and_dies():
    found = told(rollout(SMALL, minimum=100, maximum=200), [dl1("i-1", used=[SMALL])], [task("old", "i-1", SMALL)])
    assert (found.outcome, found.blocks) == (Outcome.COLLIDES, True)
    assert "would land beside service:bert (old) on the same cards" in found.message
    assert "synStatus=20 [Device already acquired]" in found.message


def test_an_unmanaged_task_has_the_cards():
    stranger = task("x", "i-1", SMALL, group="family:notebook")
    found = told(rollout(), [dl1("i-1", used=[SMALL])], [stranger])
    assert found.outcome is Outcome.COLLIDES
    assert "family:notebook (x)" in found.message


def test_where_ecs_may_choose_it_is_not_sure():
    stranger = task("x", "i-1", SMALL, group="family:notebook")
    found = told(rollout(), [dl1("i-1", used=[SMALL]), dl1("i-2")], [stranger])
    assert found.outcome is Outcome.UNSURE
    assert "depending on where ECS places it" in found.message


def test_replicas_without_tokens_meet_each_other():
    found = told(rollout(SMALL, desired=2), [dl1("i-1")])
    assert found.outcome is Outcome.COLLIDES
    assert "another task of this service" in found.message


def test_indices_beside_modules_are_never_sure():
    by_index = Demand(cpu=10, tcp=frozenset({18106, 18107}), cards=(CardSet(Naming.DEVICES, (6, 7)),))
    modules = Demand(cpu=10, tcp=frozenset({18100, 18101}), cards=(CardSet(Naming.MODULES, (0, 1)),))
    found = told(rollout(modules), [dl1("i-1", used=[by_index])], [task("x", "i-1", by_index, group="service:x")])
    assert found.outcome is Outcome.UNSURE


# Beside others ------------------------------------------------------------------------------------------------------


def test_what_waits_elsewhere_may_take_the_place():
    found = told(rollout(), [dl1("i-1")], pending=[FULL])
    assert found.outcome is Outcome.UNSURE
    assert "unless tasks that wait elsewhere take its place first" in found.message
    assert told(rollout(), [dl1("i-1"), dl1("i-2")], pending=[FULL]).outcome is Outcome.FITS
    high = Demand(cpu=1, tcp=frozenset(range(18104, 18108)), cards=(CardSet(Naming.MODULES, (4, 5, 6, 7)),))
    low = Demand(cpu=1, tcp=frozenset(range(18100, 18104)), cards=(LOW,))
    assert told(rollout(low), [dl1("i-1")], pending=[high]).outcome is Outcome.FITS


def test_what_waits_elsewhere_may_come_to_the_same_cards():
    """Whichever of the two is placed first, the other may be placed beside it where not both hold tokens."""
    found = told(rollout(SMALL), [dl1("i-1"), dl1("i-2")], pending=[Demand(cpu=1, tcp=TOKENS, cards=(WHOLE,))])
    assert found.outcome is Outcome.UNSURE
    assert "depending on where ECS places it" in found.message


# Daemons ------------------------------------------------------------------------------------------------------------

DAEMON = """
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {name: exporter}
spec:
  cluster: default
  gaudi: {cards: 1, isolation: %s}
  taskDefinition:
    memory: "2000"
    containerDefinitions: [{name: main, image: "example.com/exporter:%s"}]
  service:
    schedulingStrategy: DAEMON
    deploymentConfiguration: {minimumHealthyPercent: %s, maximumPercent: 100}
"""


def test_a_daemon_is_forecast_and_played():
    cluster = Cluster.of(Machine(DL1, "a"), Machine(DL1, "b"), Machine(M5_2XLARGE, "a"))
    first = rendered(DAEMON % ("hostPorts", 1, 0))
    assert cluster.forecast(first).message == "exporter: 2 instances will have it"
    revision = cluster.apply(first)
    cluster.wait(LONG)
    assert cluster.done("exporter", revision)
    second = rendered(DAEMON % ("hostPorts", 2, 0))
    assert cluster.forecast(second).outcome is Outcome.FITS
    revision = cluster.apply(second)
    cluster.wait(LONG)
    assert cluster.done("exporter", revision)
    loose = rendered(DAEMON % ("none", 3, 0))
    assert cluster.forecast(loose).outcome is Outcome.FITS
    stuck = rendered(DAEMON % ("hostPorts", 3, 99))
    assert cluster.forecast(stuck).outcome is Outcome.STALLS
    revision = cluster.apply(stuck)
    cluster.wait(LONG)
    assert not cluster.done("exporter", revision)


def test_a_daemon_whose_card_is_taken():
    daemon = {"daemon": True, "minimum": 0}
    assert told(rollout(**daemon), [dl1("i-1", used=[FULL])], [task("x", "i-1", FULL, group="service:x")]).message == (
        "bert: would never be placed on i-1"
    )
    crowded = told(rollout(SMALL, **daemon), [dl1("i-1", used=[SMALL])], [task("x", "i-1", SMALL, group="service:x")])
    assert crowded.outcome is Outcome.COLLIDES
    assert told(rollout(**daemon), []).outcome is Outcome.NEVER
