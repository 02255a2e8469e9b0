"""What does not contradict itself, and what is only worth a warning. The contradictions stand in `bad_specs`."""

import pytest

from controller.core.diagnostics import Code, Severity
from controller.core.parse import parse
from tests.core.marked import place, spec, unmarked

TASK = "taskDefinition: {containerDefinitions: [{name: a, image: b}]}\n"
ARN = "arn:aws:ecs:us-east-1:123456789012:cluster/c"


def read(text: str, *, cluster: str = "c"):
    plain, places = unmarked(spec(f"cluster: {cluster}\n{TASK}{text}"))
    return parse({"f.yaml": plain.encode()}), places


@pytest.mark.parametrize(
    "text",
    [
        "replicas: 3\nservice: {desiredCount: 3}\n",
        "service: {desiredCount: 0}\n",
        "replicas: 0\n",
        "service: {schedulingStrategy: DAEMON}\n",
        "gaudi: {cards: 4, modules: [7, 6, 5, 4]}\n",
        "gaudi: {modules: [3]}\n",
        "gaudi: {devices: [1, 2]}\n",
        "gaudi: {modules: [7, 6, 5, 4, 3, 2, 1, 0]}\n",
        *(f"gaudi: {{modules: [{one}, {one + 1}]}}\n" for one in (0, 2, 4, 6)),
    ],
)
def test_what_agrees_is_fine(text):
    parsed, _ = read(text)
    assert parsed.diagnostics == ()
    assert len(parsed.workloads) == 1


@pytest.mark.parametrize(
    ("ours", "theirs", "agree"),
    [
        ("c", "c", True),
        (ARN, "c", True),
        ("c", ARN, True),
        (ARN, ARN, True),
        (ARN, ARN.replace("us-east-1", "us-west-2"), False),
        (ARN, "d", False),
    ],
)
def test_a_cluster_can_be_named_in_two_ways(ours, theirs, agree):
    parsed, _ = read(f"service: {{cluster: '{theirs}'}}\n", cluster=ours)
    assert bool(parsed.workloads) == agree


@pytest.mark.parametrize(
    ("modules", "groups"),
    [
        ("[1, 2]", "[0, 1] or [2, 3] or [4, 5] or [6, 7]"),
        ("[0, 7]", "[0, 1] or [2, 3] or [4, 5] or [6, 7]"),
        ("[0, 1, 2, 4]", "[0, 1, 2, 3] or [4, 5, 6, 7]"),
    ],
)
def test_a_slow_group_of_cards_is_a_warning(modules, groups):
    parsed, places = read(f"gaudi: {{⟦modules⟧: {modules}}}\n")
    (found,) = parsed.diagnostics
    count = len(modules.split(","))
    assert (found.code, found.severity) == (Code.BAD_VALUE, Severity.WARNING)
    assert found.message == f"modules {modules} are no group of {count} that Habana recommends"
    assert found.hint == f"use {groups}"
    assert [place(found)] == places
    assert len(parsed.workloads) == 1
