"""Metrics: names that dashboards rely on, numbers that were told, and a scrape that stays small."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.core.compare import Change
from controller.core.diagnostics import Span
from controller.core.pass_report import WorkloadReport
from controller.core.plan import Drift, Plan
from controller.core.status import Condition, Health, HealthState, State, Type, conditions
from controller.core.workload import Key
from controller.reasons import Reason
from controller.report.metrics import DETAILED, Metrics, Reading

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
CHANGE = Change(("service", "desiredCount"), 1, 2, Span("a.yaml", 3, 1), "no restart")


def workload(name, drift=Drift.IN_SYNC, health=HealthState.HEALTHY, since=NOON):
    key = Key("train", name)
    plan = Plan(key, drift, changes=(CHANGE,) if drift is Drift.DRIFTED else ())
    doing = Health(health, "")
    found = {kind: replace(one, last_transition=since) for kind, one in conditions(plan, doing).items()}
    return WorkloadReport(key, plan, found, doing, tasks=(1, 2), cards=8)


def samples(metrics, reading=Reading()):  # noqa: B008 - frozen
    found = {}
    for family in text_string_to_metric_families(metrics.text(reading).decode()):
        for sample in family.samples:
            found[sample.name, *sorted(sample.labels.items())] = sample.value
    return found


def value(found, name, /, **labels):
    return found[name, *sorted(labels.items())]


@pytest.fixture
def metrics():
    return Metrics("1.2.3", workers=8)


CONTROLLER_RUNTIME = {
    *(f"controller_runtime_reconcile_{name}" for name in ("total", "errors_total", "panics_total", "timeouts_total")),
    "controller_runtime_terminal_reconcile_errors_total",
    *("controller_runtime_reconcile_time_seconds_bucket", "controller_runtime_max_concurrent_reconciles"),
    "controller_runtime_active_workers",
    *("workqueue_depth", "workqueue_adds_total", "workqueue_retries_total", "workqueue_unfinished_work_seconds"),
    *("workqueue_queue_duration_seconds_bucket", "workqueue_work_duration_seconds_bucket"),
    "workqueue_longest_running_processor_seconds",
}


def test_the_names_of_controller_runtime_are_there_before_anything_happens(metrics):
    found = samples(metrics)
    assert {name for name, *_ in found} >= CONTROLLER_RUNTIME
    for result in ("success", "requeue_after", "error"):
        assert value(found, "controller_runtime_reconcile_total", controller="dl1service", result=result) == 0
    assert value(found, "controller_build_info", version="1.2.3") == 1
    assert value(found, "controller_runtime_max_concurrent_reconciles", controller="dl1service") == 8


def test_what_the_runtime_tells_is_counted(metrics):
    metrics.added()
    metrics.retried()
    metrics.taken(2.0)
    metrics.worked(3.0)
    metrics.reconciled("error", seconds=1.0, terminal=True)
    metrics.reconciled("success", seconds=1.0, terminal=False)
    metrics.panicked()
    metrics.timed_out()
    found = samples(metrics)
    queue = {"name": "dl1service", "controller": "dl1service"}
    of = {"controller": "dl1service"}
    assert value(found, "workqueue_adds_total", **queue) == 1
    assert value(found, "workqueue_retries_total", **queue) == 1
    assert value(found, "workqueue_queue_duration_seconds_sum", **queue) == 2
    assert value(found, "workqueue_work_duration_seconds_sum", **queue) == 3
    assert value(found, "controller_runtime_reconcile_total", **of, result="error") == 1
    assert value(found, "controller_runtime_reconcile_errors_total", **of) == 1
    assert value(found, "controller_runtime_terminal_reconcile_errors_total", **of) == 1
    assert value(found, "controller_runtime_reconcile_panics_total", **of) == 1
    assert value(found, "controller_runtime_reconcile_timeouts_total", **of) == 1
    assert value(found, "controller_runtime_reconcile_time_seconds_count", **of) == 2


def test_what_the_app_tells_is_counted(metrics):
    metrics.called("ecs", "DescribeServices", code="OK", seconds=0.02)
    metrics.throttled()
    metrics.stepped("CreateService")
    metrics.healed(3)
    metrics.passed(4.0)
    metrics.leads("111122223333/us-east-1", leading=True)
    metrics.lagged(0.25)
    found = samples(metrics)
    assert value(found, "controller_aws_requests_total", service="ecs", operation="DescribeServices", code="OK") == 1
    assert value(found, "controller_aws_throttles_total") == 1
    assert value(found, "controller_steps_total", step="CreateService") == 1
    assert value(found, "controller_drift_healed_fields_total") == 3
    assert value(found, "controller_pass_duration_seconds_count") == 1
    assert value(found, "leader_election_master_status", name="111122223333/us-east-1") == 1
    assert value(found, "controller_event_loop_lag_seconds") == 0.25


def test_what_is_true_now_is_read_at_the_scrape(metrics):
    reading = Reading(
        workloads=[workload("bert"), workload("gpt", Drift.DRIFTED), workload("t5", health=HealthState.DEGRADED)],
        depth={0: 2, -100: 5},
        oldest=30.0,
        in_hand=[1.0, 4.0],
    )
    found = samples(metrics, reading)
    queue = {"name": "dl1service", "controller": "dl1service"}
    assert value(found, "workqueue_depth", **queue, priority="-100") == 5
    assert value(found, "workqueue_unfinished_work_seconds", **queue) == 5
    assert value(found, "workqueue_longest_running_processor_seconds", **queue) == 4
    assert value(found, "controller_runtime_active_workers", controller="dl1service") == 2
    assert value(found, "controller_queue_oldest_seconds") == 30
    assert value(found, "controller_workloads_drift", drift="InSync") == 2
    assert value(found, "controller_workloads_drift", drift="Orphaned") == 0
    assert value(found, "controller_workloads_health", health="Degraded") == 1
    assert value(found, "controller_tasks", state="desired") == 6
    assert value(found, "controller_gaudi_cards_desired") == 24
    ready = {
        name: value(found, "controller_workload_ready", workload=f"train/{name}") for name in ("bert", "gpt", "t5")
    }
    assert ready == {"bert": 1, "gpt": 0, "t5": 0}
    assert value(found, "controller_workload_drift_fields", workload="train/gpt") == 1
    since = "controller_workload_unready_since_timestamp_seconds"
    assert value(found, since, workload="train/t5", reason="Degraded") == NOON.timestamp()
    assert not [key for key in found if key[0] == since and ("workload", "train/bert") in key]


def test_the_ages_of_the_pass_and_of_the_source(metrics):
    times = ("controller_last_successful_pass_timestamp_seconds", "controller_source_last_fetch_timestamp_seconds")
    assert not {name for name, *_ in samples(metrics)} & set(times), "before there was one nothing is claimed"
    found = samples(metrics, Reading(passed=NOON, fetched=NOON - timedelta(minutes=1), stale=True, invalid=2))
    assert value(found, times[0]) == NOON.timestamp()
    assert value(found, times[1]) == NOON.timestamp() - 60
    assert value(found, "controller_source_stale") == 1
    assert value(found, "controller_source_invalid_documents") == 2


@pytest.mark.parametrize("drift", [Drift.IN_SYNC, Drift.DRIFTED])
def test_a_scrape_of_a_thousand_workloads_stays_under_100_kb(metrics, drift):
    for operation in range(40):
        metrics.called("ecs", f"DescribeServicesNumber{operation}", code="ThrottlingException", seconds=1.0)
    many = [workload(f"service-{number:05}", drift, since=NOON - timedelta(seconds=number)) for number in range(1000)]
    assert len(metrics.text(Reading(workloads=many))) < 100_000


def test_details_are_of_those_that_wait_longest(metrics):
    many = [workload(f"w{number}", Drift.DRIFTED, since=NOON - timedelta(seconds=number)) for number in range(300)]
    found = samples(metrics, Reading(workloads=many))
    detailed = {dict(labels)["workload"] for name, *labels in found if name == "controller_workload_drift_fields"}
    assert detailed == {f"train/w{number}" for number in range(300 - DETAILED, 300)}
    assert value(found, "controller_workloads_drift", drift="Drifted") == 300


def test_a_workload_without_a_time_is_not_told_to_be_old(metrics):
    unready = {Type.READY: Condition(Type.READY, State.FALSE, Reason.DRIFTED)}
    one = replace(workload("bert"), conditions=unready)
    found = samples(metrics, Reading(workloads=[one]))
    assert value(found, "controller_workload_ready", workload="train/bert") == 0
    assert not [key for key in found if key[0] == "controller_workload_unready_since_timestamp_seconds"]
