"""A change says who has moved: the spec, somebody live, or both; and what is shown holds no secret."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.applied import (
    HISTORY,
    KEYS,
    LONGEST,
    MEMBERS,
    Applied,
    Cause,
    history_tag,
    keys_tag,
    members_tag,
)
from controller.core.compare import compare
from controller.core.fields.service import SERVICE_MEMBERS
from controller.core.live import LiveService, Observation, Revision
from controller.core.render import Rendered
from tests.support import SPEC, rendered

ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/bert:"
SERVICE_ARN = "arn:aws:ecs:us-east-1:123456789012:service/default/bert"
NETWORK = "networkConfiguration: {awsvpcConfiguration: {subnets: [a, b]}}"


def with_service(text: str, spec: str = SPEC) -> str:
    return f"{spec}  service: {{{text}}}\n"


def revision(one: Rendered, number: int = 1, **changes: Any) -> Revision:
    return Revision({**one.register, **changes, "taskDefinitionArn": f"{ARN}{number}", "revision": number})


def live(one: Rendered, **changes: Any) -> LiveService:
    """The service as it would be after `one` was applied, with changes by hand."""
    tags = changes.pop("tags", one.tags)
    return LiveService({
        **one.service, "serviceName": "bert", "serviceArn": SERVICE_ARN, "status": "ACTIVE",
        "taskDefinition": f"{ARN}1", "tags": [{"key": key, "value": value} for key, value in tags.items()], **changes,
    })  # fmt: skip


def causes(wanted: Rendered, service: LiveService, observation: Observation) -> dict[str, Cause]:
    found = compare(wanted, service, replace(observation, service=service)).changes
    return {one.field: one.cause for one in found}


TRAIN = "taskDefinition.containerDefinitions[train]"


# Service members ----------------------------------------------------------------------------------------------------


def test_the_spec_that_was_applied_has_not_moved() -> None:
    one = rendered()
    edited = revision(one, ipcMode="task")
    found = causes(one, live(one, desiredCount=7, propagateTags="SERVICE"), Observation(revision=edited))
    assert found == dict.fromkeys(
        ["taskDefinition.ipcMode", "service.desiredCount", "service.propagateTags"], Cause.LIVE
    )


@pytest.mark.parametrize(
    ("before", "after", "by_hand", "path", "cause"),
    [
        ("replicas: 1", "replicas: 2", {}, "service.desiredCount", Cause.SPEC),
        ("replicas: 1", "replicas: 2", {"desiredCount": 5}, "service.desiredCount", Cause.BOTH),
        ("propagateTags: NONE", "propagateTags: SERVICE", {}, "service.propagateTags", Cause.SPEC),
        # Not declared before: its default was what was asked for
        ("", "enableExecuteCommand: true", {}, "service.enableExecuteCommand", Cause.SPEC),
        ("", "propagateTags: SERVICE", {"propagateTags": "TASK_DEFINITION"}, "service.propagateTags", Cause.BOTH),
        # Declared no more, but still live
        ("propagateTags: SERVICE", "", {}, "service.propagateTags", Cause.SPEC),
        # Only something else of the spec has moved
        ("replicas: 1", "enableECSManagedTags: true", {"desiredCount": 5}, "service.desiredCount", Cause.LIVE),
        (
            "deploymentConfiguration: {maximumPercent: 150}",
            "deploymentConfiguration: {maximumPercent: 160}",
            {},
            "service.deploymentConfiguration.maximumPercent",
            Cause.SPEC,
        ),
    ],
)
def test_three_ways_of_a_service_member(
    before: str, after: str, by_hand: dict[str, Any], path: str, cause: Cause
) -> None:
    def spec(text: str) -> Rendered:
        if text.startswith("replicas"):
            return rendered(SPEC.replace("replicas: 1", text))
        return rendered(with_service(text))

    applied, wanted = spec(before), spec(after)
    found = causes(wanted, live(applied, **by_hand), Observation(revision=revision(applied)))
    assert found[path] is cause


def test_what_others_decide_does_not_look_like_their_doing() -> None:
    """Security groups are filled in by ECS; that is no change of anybody's."""
    awsvpc = SPEC.replace("gaudi: {cards: 8}", "gaudi: {cards: 8, isolation: none}").replace(
        "  taskDefinition:\n", "  taskDefinition:\n    networkMode: awsvpc\n"
    )
    before = rendered(with_service(NETWORK, awsvpc))
    after = rendered(with_service(NETWORK.replace("a, b", "a, c"), awsvpc))
    filled = {"awsvpcConfiguration": {"subnets": ["b", "a"], "securityGroups": ["vpc"], "assignPublicIp": "DISABLED"}}
    found = causes(after, live(before, networkConfiguration=filled), Observation(revision=revision(before)))
    assert set(found.values()) == {Cause.SPEC}


@pytest.mark.parametrize("lost", [(MEMBERS,), (MEMBERS, HISTORY, KEYS)])
def test_without_a_record_nothing_is_guessed(lost: tuple[str, ...]) -> None:
    before, after = rendered(), rendered(SPEC.replace("replicas: 1", "replicas: 2"))
    tags = {key: value for key, value in before.tags.items() if key not in lost}
    assert causes(after, live(before, tags=tags), Observation(revision=revision(before)))["service.desiredCount"] is (
        Cause.UNKNOWN
    )


def test_an_adopted_service_has_no_past() -> None:
    one = rendered(f"{SPEC}  reconcile: {{adopt: true}}\n")
    found = causes(one, live(one, tags={}, desiredCount=3), Observation(revision=revision(one, cpu="1")))
    assert set(found.values()) == {Cause.UNKNOWN}


# Task definitions ---------------------------------------------------------------------------------------------------


def test_three_ways_of_a_task_definition() -> None:
    before = rendered()
    after = rendered(SPEC.replace("LR: 1e-3", "LR: 1e-4"))
    lr, ipc = f"{TRAIN}.environment[LR]", "taskDefinition.ipcMode"
    assert causes(after, live(before), Observation(revision=revision(before))) == {lr: Cause.SPEC}
    # Somebody has registered another revision, and the one that was applied is still known
    edited = Observation(revision=revision(before, 2, ipcMode="task"), candidates=(revision(before, 1),))
    assert causes(after, live(before), edited) == {lr: Cause.SPEC, ipc: Cause.LIVE}
    train = before.register["containerDefinitions"][0]
    variables = [{**v, "value": "9"} if v["name"] == "LR" else v for v in train["environment"]]
    both = revision(before, 2, containerDefinitions=[{**train, "environment": variables}])
    assert causes(after, live(before), Observation(revision=both, candidates=(revision(before, 1),))) == {
        lr: Cause.BOTH
    }


def test_a_task_definition_of_which_the_applied_revision_is_lost() -> None:
    before, after = rendered(), rendered(SPEC.replace("LR: 1e-3", "LR: 1e-4"))
    edited = Observation(revision=revision(before, 2, ipcMode="task"))
    assert set(causes(after, live(before), edited).values()) == {Cause.UNKNOWN}


def test_only_the_service_part_of_the_spec_has_moved() -> None:
    before, after = rendered(), rendered(SPEC.replace("replicas: 1", "replicas: 2"))
    edited = Observation(revision=revision(before, 2, ipcMode="task"))
    found = causes(after, live(before), edited)
    assert (found["taskDefinition.ipcMode"], found["service.desiredCount"]) == (Cause.LIVE, Cause.SPEC)


def test_what_is_ignored_is_nobodys_doing() -> None:
    rules = "  reconcile: {ignore: [{path: taskDefinition.cpu, reason: CI}, {path: service.desiredCount, reason: x}]}\n"
    before, after = rendered(SPEC + rules), rendered(SPEC.replace("LR: 1e-3", "LR: 1e-4") + rules)
    edited = Observation(revision=revision(before, 2, cpu="1"))
    found = causes(after, live(before, desiredCount=9), edited)
    assert found == {f"{TRAIN}.environment[LR]": Cause.SPEC}


def test_a_retired_revision_is_drift() -> None:
    one = rendered()
    found = compare(one, live(one), Observation(revision=revision(one, status="INACTIVE")))
    (change,) = found.changes
    assert (change.field, change.live, change.spec, change.cause) == (
        "taskDefinition.status", "INACTIVE", "ACTIVE", Cause.LIVE,
    )  # fmt: skip
    assert found.task_definition_differs


def test_who_did_it_is_told_where_it_was_seen_and_was_done_live() -> None:
    before, after = rendered(), rendered(SPEC.replace("replicas: 1", "replicas: 2"))
    seen = Observation(revision=revision(before))
    asked: list[str] = []

    def callers(member: str) -> str:
        asked.append(member)
        return "arn:x"

    found = compare(after, live(before, propagateTags="SERVICE"), seen, by=callers).changes
    by = {one.field: one.by for one in found}
    assert asked == ["propagateTags"], "nobody is asked about what the spec has changed"
    assert by["service.propagateTags"] == "arn:x"
    assert by["service.desiredCount"] is None


# Namespaces, secrets -------------------------------------------------------------------------------------------------


def connected(namespace: str) -> str:
    return with_service(f"serviceConnectConfiguration: {{enabled: true, namespace: '{namespace}'}}")


@pytest.mark.parametrize(
    ("spec", "there", "expected"),
    [
        ("internal", "internal", ([], [])),
        ("internal", "other", (["service.serviceConnectConfiguration.namespace"], [])),
        ("internal", "arn:aws:servicediscovery:r:1:namespace/ns-1", ([], ["is a name here, an ARN there"])),
        ("arn:aws:servicediscovery:r:1:namespace/ns-1", "internal", ([], ["is a name here, an ARN there"])),
        (
            "arn:aws:servicediscovery:r:1:namespace/ns-1",
            "arn:aws:servicediscovery:r:1:namespace/ns-2",
            (["service.serviceConnectConfiguration.namespace"], []),
        ),
    ],
)
def test_a_namespace_by_name_and_by_arn_is_shown_and_not_compared(
    spec: str, there: str, expected: tuple[list[str], list[str]]
) -> None:
    one = rendered(connected(spec))
    primary = {"status": "PRIMARY", "serviceConnectConfiguration": {"enabled": True, "namespace": there}}
    found = compare(one, live(one, deployments=[primary]), Observation(revision=revision(one)))
    assert ([change.field for change in found.changes], [unknown.why for unknown in found.unknown]) == expected


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("environment: {HF_TOKEN: %s}", "HF_TOKEN"),
        ("environment: {URL: 'https://u:%s@h/x'}", "URL"),
        ("dockerLabels: {api_key: %s}", "api_key"),
        ("logConfiguration: {logDriver: splunk, options: {splunk-token: %s}}", "splunk-token"),
        ("command: [run, --password, %s]", "command"),
    ],
)
def test_a_secret_is_seen_to_change_and_not_seen(place: str, name: str) -> None:
    def spec(secret: str) -> Rendered:
        text = SPEC.replace("        environment: {LR: 1e-3}\n", f"        {place % secret}\n")
        return rendered(text)

    one, two = spec("hunter2-hunter2"), spec("swordfish-swordfish")
    (change,) = compare(two, live(one), Observation(revision=revision(one))).changes
    assert name in change.field or name in str(change.path)
    assert change.live != change.spec, "a short hash tells that it is another"
    assert "•••• sha256:" in str(change.live)
    assert not {"hunter2", "swordfish"} & set(str(change).replace("-", " ").split())
    assert "hunter2" not in repr(change)
    assert "swordfish" not in repr(change)


# The record ----------------------------------------------------------------------------------------------------------


def test_the_names_of_all_members_have_hashes_of_their_own() -> None:
    tag = members_tag(dict.fromkeys(SERVICE_MEMBERS, "x"))
    entries = tag.split()
    assert len({entry[:3] for entry in entries}) == len(entries)
    declared = {name: "x" for name in SERVICE_MEMBERS if name not in ("cluster", "serviceName", "clientToken", "tags")}
    assert len(members_tag(declared).split()) == len(declared), "a service that declares everything fits into one tag"


@given(st.lists(st.text("0123456789abcdef", min_size=6, max_size=6), unique=True, max_size=60))
def test_the_history_keeps_the_newest(hashes: list[str]) -> None:
    tag = history_tag("abcdef", hashes)
    assert len(tag) <= LONGEST
    kept = Applied.of({HISTORY: tag}).revisions
    assert kept[0] == "abcdef"
    others = [one for one in hashes if one != "abcdef"]
    assert list(kept[1:]) == others[: len(kept) - 1]
    assert len(kept) == min(36, len(others) + 1)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=300)))
def test_any_tags_can_be_read_as_a_record(tags: dict[str, str]) -> None:
    mixed = {MEMBERS: next(iter(tags.values()), ""), **tags, KEYS: keys_tag(tags)}
    record = Applied.of(mixed)
    assert record.cause("desiredCount", spec=1, live=2, default=None) in Cause
    assert len(keys_tag(tags)) <= LONGEST
