"""Every forecast is played: what fits completes, what is blocked stalls or collides when it is forced."""

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from controller.core.gaudi.capacity import Outcome
from controller.sandbox.fleet import DL1, M5_2XLARGE, Machine
from tests.core.gaudi.playing import LONG, Cluster, rollout_of
from tests.support import rendered

SETS = (
    *("cards: 8", "modules: [0, 1, 2, 3]", "modules: [4, 5, 6, 7]", "modules: [0, 1]", "modules: [6, 7]"),
    *("modules: [3]", "cards: 4"),
)
BANDS = ((0, 100), (50, 100), (100, 200), (50, 150), (0, 200), (100, 150), (66, 100))

NAMES = ("bert", "gpt", "whisper")


@st.composite
def specs(draw, *, names=NAMES, isolation=("hostPorts", "none")):
    """One spec: which service, which cards, how big, how many, and how it may roll."""
    name = draw(st.sampled_from(names))
    minimum, maximum = draw(st.sampled_from(BANDS))
    memory = draw(st.sampled_from((4_000, 90_000, 340_000, 380_000, 700_000)))
    cpu = draw(st.sampled_from((1_024, 12_288, 45_056, 94_208)))
    distinct = "placementConstraints: [{type: distinctInstance}]," if draw(st.integers(0, 4)) == 0 else ""
    replicas = draw(st.integers(1, 3))
    return f"""
apiVersion: dl1.ecs/v1alpha1
kind: DL1Service
metadata: {{name: {name}}}
spec:
  cluster: default
  replicas: {replicas}
  gaudi: {{{draw(st.sampled_from(SETS))}, isolation: {draw(st.sampled_from(isolation))}}}
  taskDefinition:
    cpu: "{cpu}"
    memory: "{memory}"
    containerDefinitions:
      - {{name: main, image: "example.com/{name}:{draw(st.integers(1, 9))}"}}
  service:
    {{{distinct} deploymentConfiguration: {{minimumHealthyPercent: {minimum}, maximumPercent: {maximum}}}}}
"""


FLEETS = st.tuples(st.integers(1, 3), st.integers(0, 1)).map(
    lambda sizes: tuple(
        [Machine(DL1, "ab"[number % 2]) for number in range(sizes[0])] + [Machine(M5_2XLARGE, "a")] * sizes[1]
    )
)


def valid(text):
    """The requests, or None where policy refuses what was drawn."""
    try:
        return rendered(text)
    except AssertionError:
        return None


def play(cluster, wanted):
    """Forecast one workload, see whether it was right, and leave what it brings out in the cluster."""
    told = cluster.forecast(wanted)
    event(str(told.outcome))
    assert told.arithmetic
    if told.outcome is Outcome.UNSURE:
        return told
    stage = cluster if told.outcome is Outcome.FITS else cluster.copy()
    revision = stage.apply(wanted)
    stage.wait(LONG)
    done = stage.done(str(wanted.create["serviceName"]), revision)
    assert done is (told.outcome is Outcome.FITS), (told.message, *told.arithmetic)
    return told


def play_all(fleet, texts):
    cluster = Cluster.of(*fleet)
    for text in texts:
        wanted = valid(text)
        if wanted is not None:
            play(cluster, wanted)


SLICE = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SWEEP = settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY = st.lists(specs(), min_size=1, max_size=5)
ONE = st.lists(specs(names=("bert",)), min_size=2, max_size=4)


@SLICE
@given(FLEETS, ANY)
def test_every_forecast_comes_true(fleet, texts):
    play_all(fleet, texts)


@SLICE
@given(FLEETS, ONE)
def test_every_forecast_of_one_service_comes_true(fleet, texts):
    """The same service again and again: its old tasks are in the way of the new ones."""
    play_all(fleet, texts)


@pytest.mark.slow
@pytest.mark.timeout(900)
@SWEEP
@given(FLEETS, st.one_of(ANY, ONE))
def test_very_many_forecasts_come_true(fleet, texts):
    play_all(fleet, texts)


def announce_all(fleet, texts):
    """Several new services are brought out at once, each forecast with the tasks of those before it as pending."""
    cluster = Cluster.of(*fleet)
    pending, expected = [], {}
    for text in texts:
        wanted = valid(text)
        name = None if wanted is None else str(wanted.create["serviceName"])
        if wanted is None or name in expected:
            continue
        told = cluster.forecast(wanted, pending=pending)
        event(str(told.outcome))
        if told.outcome is Outcome.FITS:
            pending += [rollout_of(wanted).demand] * int(wanted.create["desiredCount"])
            expected[name] = wanted
    revisions = {name: cluster.apply(wanted) for name, wanted in expected.items()}
    cluster.wait(LONG)
    for name, revision in revisions.items():
        assert cluster.done(name, revision)


@SLICE
@given(FLEETS, ANY)
def test_what_fits_beside_what_waits_completes(fleet, texts):
    announce_all(fleet, texts)


@pytest.mark.slow
@pytest.mark.timeout(900)
@SWEEP
@given(FLEETS, ANY)
def test_what_fits_beside_what_waits_completes_very_often(fleet, texts):
    announce_all(fleet, texts)


def bring_all_out(fleet, texts):
    """All are brought out, whatever the forecasts say: ECS itself keeps the tasks apart."""
    cluster = Cluster.of(*fleet)
    for text in texts:
        wanted = valid(text)
        if wanted is not None:
            cluster.apply(wanted)
            cluster.wait(900)
    assert cluster.shared == set()
    stopped = cluster.call("ListTasks", desiredStatus="STOPPED")["taskArns"]
    for task in cluster.call("DescribeTasks", tasks=stopped)["tasks"] if stopped else []:
        assert not any("synStatus=20" in one.get("reason", "") for one in task["containers"])


GUARDED = st.lists(specs(isolation=("hostPorts",)), min_size=1, max_size=6)


@SLICE
@given(FLEETS, GUARDED)
def test_tokens_keep_every_card_for_one_task(fleet, texts):
    bring_all_out(fleet, texts)


@pytest.mark.slow
@pytest.mark.timeout(900)
@SWEEP
@given(FLEETS, GUARDED)
def test_tokens_keep_every_card_for_one_task_very_often(fleet, texts):
    bring_all_out(fleet, texts)
