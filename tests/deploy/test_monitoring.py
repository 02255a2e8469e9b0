"""Alert rules and the dashboard ask for metrics that a running daemon exposes, with labels that they have."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from controller.app.process import Process
from controller.core.plan import Drift
from controller.report.metrics import Reading
from controller.settings import Settings
from tests.app.running import Clock, Log

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "controller.rules.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "controller.json").read_text())
SERIES = re.compile(r"\b((?:controller|workqueue|leader_election)_[a-z_]+)\b")
NOW = datetime(2026, 11, 25, tzinfo=UTC)
LATER = {
    "controller_last_successful_pass_timestamp_seconds",
    "controller_source_last_fetch_timestamp_seconds",
}
"""Not exposed before there was a pass."""


def expressions():
    yield from ((rule["alert"], rule["expr"]) for rule in RULES)
    for panel in DASHBOARD["panels"]:
        yield from ((f"{panel['title']}-{target['refId']}", target["expr"]) for target in panel["targets"])


def test_a_daemon_exposes_everything_that_is_asked_for():
    """Scraped off a process as it answers /metrics, after everything has happened once that makes a series."""
    process = Process(Settings(), Log(), Clock())
    metrics = process.metrics
    metrics.called("ecs", "DescribeServices", code="OK", seconds=0.1)
    metrics.stepped("CreateService")
    metrics.leads("controller/123456789012/us-west-2", leading=True)
    families = list(text_string_to_metric_families(process.metrics_text().decode()))
    exposed = {sample.name for family in families for sample in family.samples} | {one.name for one in families}
    asked = {name for _, expression in expressions() for name in SERIES.findall(expression)}
    assert len(asked) > 20
    assert asked - exposed == LATER
    after = process.metrics.text(Reading(passed=NOW, fetched=NOW)).decode()
    assert {family.name for family in text_string_to_metric_families(after)} >= LATER


@pytest.mark.parametrize(("where", "expression"), list(expressions()), ids=lambda one: one[:30])
def test_brackets_are_closed_and_labels_are_known(where, expression):
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)
    for label in re.findall(r"by \(([^)]*)\)", expression):
        known = {"name", "drift", "health", "state", "le", "step", "result", "operation", "code", "service", "priority"}
        assert {one.strip() for one in label.split(",")} <= known
    for drift in re.findall(r'drift="(\w+)"', expression):
        assert drift in {str(one) for one in Drift}


def test_every_alert_says_what_to_do():
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def test_the_dashboard_hangs_together():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in DASHBOARD["panels"])
    assert DASHBOARD["templating"]["list"][0]["name"] == "datasource"
