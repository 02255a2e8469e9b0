"""The daemon's metrics: controller-runtime's names, so that its dashboards work, and our own beside them.

Histograms are aggregate. Of single workloads there is one series each (is it ready?), and more only of those that have
been unready longest, so that a scrape of a thousand workloads stays under 100 KB whatever their state; the counts by
drift and health are always exact. Names follow Prometheus: base units, `_total`, `_seconds`, `_info`.
Sources: controller-runtime, pkg/internal/controller/metrics and pkg/internal/metrics/workqueue.go.
Neighbours: the runtime calls the `Instruments` half, the app tells the rest; `app.http` serves the text.
"""

from collections import Counter as Tally
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from controller.core.pass_report import WorkloadReport
from controller.core.plan import Drift
from controller.core.status import HealthState, Type, is_ready

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
CONTROLLER: Final = "dl1service"
"""Value of controller-runtime's `controller` and `name` labels: the one controller in this process."""
DETAILED: Final = 50
"""Unready workloads, the longest first, of which a scrape tells more than that they are not ready."""

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_RESULTS: Final = ("success", "requeue_after", "error")


@dataclass(frozen=True, slots=True)
class Reading:
    """What is true at the moment of a scrape."""

    workloads: Collection[WorkloadReport] = ()
    depth: Mapping[int, int] = field(default_factory=dict)
    """Priority → keys that wait for a worker."""
    oldest: float = 0.0
    """Seconds for which the oldest of them waits."""
    in_hand: Collection[float] = ()
    """Seconds for which each key in a worker's hand has been there."""
    passed: datetime | None = None
    """When every cluster was last observed."""
    fetched: datetime | None = None
    """When the source was last read."""
    stale: bool = False
    """Whether the source cannot be read at present."""
    invalid: int = 0
    """Findings of the newest revision that stop a document."""


class Metrics:
    """Counts what happens, and prints it together with what is."""

    def __init__(self, version: str, *, workers: int) -> None:
        self._registry = CollectorRegistry()
        self._reading = _Now()
        self._registry.register(self._reading)
        self._runtime(workers)
        registry = self._registry
        Gauge("controller_build_info", "Version of the controller", ["version"], registry=registry).labels(version).set(
            1
        )
        self._leader = Gauge(
            "leader_election_master_status", "Whether this process holds the lease", ["name"], registry=registry
        )
        self._aws = Counter(
            "controller_aws_requests", "AWS calls by answer", ["service", "operation", "code"], registry=registry
        )
        self._aws_time = Histogram(
            "controller_aws_request_duration_seconds", "AWS calls", ["service"], registry=registry, buckets=_SECONDS
        )
        self._throttled = Counter("controller_aws_throttles", "AWS calls refused for their rate", registry=registry)
        self._steps = Counter("controller_steps", "Steps of plans that were carried out", ["step"], registry=registry)
        self._healed = Counter("controller_drift_healed_fields", "Fields that were put right", registry=registry)
        self._passes = Histogram(
            "controller_pass_duration_seconds", "Looks at everything", registry=registry, buckets=_SECONDS
        )
        self._lag = Gauge("controller_event_loop_lag_seconds", "How late the last heartbeat came", registry=registry)

    def _runtime(self, workers: int) -> None:
        registry = self._registry
        labels = {"controller": CONTROLLER}
        queue = {"name": CONTROLLER, "controller": CONTROLLER}
        reconciled = Counter(
            "controller_runtime_reconcile", "Reconciliations by result", ["controller", "result"], registry=registry
        )
        self._reconciled = {result: reconciled.labels(CONTROLLER, result) for result in _RESULTS}

        def counter(name: str, text: str) -> Counter:
            return Counter(name, text, ["controller"], registry=registry).labels(**labels)

        def of_queue(name: str, text: str) -> Counter:
            return Counter(name, text, ["name", "controller"], registry=registry).labels(**queue)

        def histogram(name: str, text: str, named: dict[str, str]) -> Histogram:
            return Histogram(name, text, list(named), registry=registry, buckets=_SECONDS).labels(**named)

        self._errors = counter("controller_runtime_reconcile_errors", "Reconciliations that failed")
        self._terminal = counter("controller_runtime_terminal_reconcile_errors", "Failures that a retry cannot mend")
        self._panics = counter("controller_runtime_reconcile_panics", "Reconciliations that raised")
        self._timeouts = counter("controller_runtime_reconcile_timeouts", "Reconciliations that took too long")
        self._time = histogram("controller_runtime_reconcile_time_seconds", "Length of reconciliations", labels)
        most = Gauge("controller_runtime_max_concurrent_reconciles", "Workers", ["controller"], registry=registry)
        most.labels(CONTROLLER).set(workers)
        self._adds = of_queue("workqueue_adds", "Additions to the queue")
        self._retries = of_queue("workqueue_retries", "Additions after a failure")
        self._waited = histogram("workqueue_queue_duration_seconds", "Wait for a worker", queue)
        self._worked = histogram("workqueue_work_duration_seconds", "Time in a worker's hand", queue)

    # What the runtime tells (its `Instruments`)
    # --------------------------------------------------------------------------------------------------------------

    def added(self) -> None:
        """A key was queued."""
        self._adds.inc()

    def retried(self) -> None:
        """A key was queued because it failed."""
        self._retries.inc()

    def taken(self, waited: float) -> None:
        """A worker took a key."""
        self._waited.observe(waited)

    def worked(self, seconds: float) -> None:
        """A worker let a key go."""
        self._worked.observe(seconds)

    def reconciled(self, outcome: str, *, seconds: float, terminal: bool) -> None:
        """A reconciliation has ended."""
        self._reconciled[outcome].inc()
        self._time.observe(seconds)
        if outcome == "error":
            self._errors.inc()
        if terminal:
            self._terminal.inc()

    def panicked(self) -> None:
        """A reconciliation raised."""
        self._panics.inc()

    def timed_out(self) -> None:
        """A reconciliation was given up."""
        self._timeouts.inc()

    # What the app tells
    # --------------------------------------------------------------------------------------------------------------

    def called(self, service: str, operation: str, *, code: str, seconds: float) -> None:
        """An AWS call was answered: `code` is `OK`, AWS's error code, or `NoAnswer`."""
        self._aws.labels(service, operation, code).inc()
        self._aws_time.labels(service).observe(seconds)

    def throttled(self) -> None:
        """AWS refused a call for its rate."""
        self._throttled.inc()

    def stepped(self, step: str) -> None:
        """A step of a plan was carried out."""
        self._steps.labels(step).inc()

    def healed(self, fields: int) -> None:
        """Fields were put right."""
        self._healed.inc(fields)

    def passed(self, seconds: float) -> None:
        """Everything was looked at."""
        self._passes.observe(seconds)

    def leads(self, name: str, *, leading: bool) -> None:
        """The lease of an account and region was won or lost."""
        self._leader.labels(name).set(leading)

    def lagged(self, seconds: float) -> None:
        """The event loop's heartbeat came this late."""
        self._lag.set(seconds)

    def text(self, reading: Reading) -> bytes:
        """Everything, in Prometheus's text format."""
        self._reading.now = reading
        return generate_latest(self._registry)


class _Now(Collector):
    """The gauges that are read off the daemon's state at each scrape."""

    def __init__(self) -> None:
        self.now = Reading()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See prometheus_client."""
        yield from self._queue()
        yield from self._source()
        yield from self._fleet()
        yield from self._workloads()

    def _queue(self) -> Iterator[GaugeMetricFamily]:
        named = [CONTROLLER, CONTROLLER]
        depth = GaugeMetricFamily(
            "workqueue_depth", "Keys that wait for a worker", labels=["name", "controller", "priority"]
        )
        for priority, count in sorted({0: 0, **self.now.depth}.items()):
            depth.add_metric([*named, str(priority)], count)
        yield depth
        for name, text, value in (
            ("workqueue_unfinished_work_seconds", "Time in hand of all keys in hand", sum(self.now.in_hand)),
            (
                "workqueue_longest_running_processor_seconds",
                "Time in hand of the key that has been there longest",
                max(self.now.in_hand, default=0.0),
            ),
        ):
            yield _one(name, text, {"name": CONTROLLER, "controller": CONTROLLER}, value)
        yield _one("controller_queue_oldest_seconds", "Wait of the oldest ready key", {}, self.now.oldest)
        yield _one(
            "controller_runtime_active_workers", "Workers at work", {"controller": CONTROLLER}, len(self.now.in_hand)
        )

    def _source(self) -> Iterator[GaugeMetricFamily]:
        now = self.now
        for name, text, at in (
            ("controller_last_successful_pass_timestamp_seconds", "When every cluster was observed", now.passed),
            ("controller_source_last_fetch_timestamp_seconds", "When the source was last read", now.fetched),
        ):
            if at is not None:
                yield _one(name, text, {}, at.timestamp())
        yield _one("controller_source_stale", "Whether the source cannot be read at present", {}, now.stale)
        name, text = "controller_source_invalid_documents", "Findings that stop a document, newest revision"
        yield _one(name, text, {}, now.invalid)

    def _fleet(self) -> Iterator[GaugeMetricFamily]:
        by_drift = Tally(one.plan.drift for one in self.now.workloads)
        drift = GaugeMetricFamily("controller_workloads_drift", "Workloads by drift", labels=["drift"])
        for kind in Drift:
            drift.add_metric([str(kind)], by_drift[kind])
        yield drift
        by_health = Tally(one.health.state for one in self.now.workloads)
        health = GaugeMetricFamily("controller_workloads_health", "Workloads by health", labels=["health"])
        for state in HealthState:
            health.add_metric([str(state)], by_health[state])
        yield health
        tasks = GaugeMetricFamily("controller_tasks", "Tasks of all workloads", labels=["state"])
        counts = [one.tasks for one in self.now.workloads if one.tasks is not None]
        tasks.add_metric(["running"], sum(running for running, _ in counts))
        tasks.add_metric(["desired"], sum(desired for _, desired in counts))
        yield tasks
        cards = sum(one.cards for one in self.now.workloads)
        yield _one("controller_gaudi_cards_desired", "Gaudi cards that all workloads ask for", {}, cards)

    def _workloads(self) -> Iterator[GaugeMetricFamily]:
        ready = GaugeMetricFamily("controller_workload_ready", "Whether a workload is ready", labels=["workload"])
        for one in self.now.workloads:
            ready.add_metric([str(one.key)], is_ready(one.conditions))
        yield ready
        since = GaugeMetricFamily(
            "controller_workload_unready_since_timestamp_seconds",
            f"Since when a workload is not ready; the {DETAILED} oldest",
            labels=["workload", "reason"],
        )
        fields = GaugeMetricFamily(
            "controller_workload_drift_fields",
            f"Fields that differ; of the {DETAILED} longest unready",
            labels=["workload"],
        )
        for one in self._longest_unready():
            condition = one.conditions[Type.READY]
            if condition.last_transition is not None:
                since.add_metric([str(one.key), str(condition.reason)], condition.last_transition.timestamp())
            if one.plan.changes:
                fields.add_metric([str(one.key)], len(one.plan.changes))
        yield since
        yield fields

    def _longest_unready(self) -> list[WorkloadReport]:
        unready = [one for one in self.now.workloads if Type.READY in one.conditions and not is_ready(one.conditions)]
        return sorted(unready, key=_age)[:DETAILED]


def _age(one: WorkloadReport) -> float:
    since = one.conditions[Type.READY].last_transition
    return since.timestamp() if since is not None else float("inf")


def _one(name: str, text: str, labels: Mapping[str, str], value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
