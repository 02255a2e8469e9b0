"""What messages of the wake-up queue ask for. Nothing that is in one is believed; nothing that is in one breaks us."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.callers import Caller, Write
from controller.core.wakeup import LARGEST, Ignored, Wake, Watch, understand
from controller.core.workload import Key

EVENTS = Path(__file__).parent.parent / "data" / "events"
BERT = Key("train", "bert")
WATCH = Watch("123456789012", "us-west-2", app="ecs-gaudi-controller", bucket="ml-specs", prefix="prod/")
ALICE = "arn:aws:sts::123456789012:assumed-role/Admin/alice"
AT = datetime(2026, 11, 25, 8, 13, 58, tzinfo=UTC)


def body(name: str) -> str:
    return (EVENTS / f"{name}.json").read_text()


def event(name: str) -> dict:
    return json.loads(body(name))


def heard(content, watch: Watch = WATCH, managed=frozenset({BERT})):
    return understand(content if isinstance(content, str) else json.dumps(content), watch, managed)


def wrote(action: str, number: str, members: set[str] | None, who: str = ALICE, key: Key = BERT) -> Wake:
    caller = Caller(who, action, AT, f"{number}b1cf8d8-8dd5-4e1e-9a3c-0a1b2c3d4e5f")
    return Wake(key, write=Write(key, caller, None if members is None else frozenset(members)))


MEANINGS = {
    "service_steady_state": Wake(BERT),
    "service_placement_failure": Wake(BERT),
    "deployment_in_progress": Wake(BERT),
    "deployment_failed": Wake(BERT),
    "task_stopped": Wake(BERT),
    "task_running": Wake(BERT),
    "task_pending": Ignored.IRRELEVANT,
    "task_of_no_service": Ignored.IRRELEVANT,
    "task_of_job": Wake(jobs=True),
    "instance_changed": Ignored.IRRELEVANT,
    "update_service": wrote("UpdateService", "0", {"desiredCount"}),
    "update_service_by_arn": wrote("UpdateService", "1", {"taskDefinition"}),
    "update_service_default_cluster": Ignored.NOT_MANAGED,
    "force_new_deployment": Wake(BERT),
    "update_service_denied": Ignored.FAILED_CALL,
    "update_service_by_autoscaling": wrote(
        "UpdateService", "5", {"desiredCount"}, "ecs.application-autoscaling.amazonaws.com"
    ),
    "update_service_by_ourselves": Ignored.OWN_WRITE,
    "create_service": wrote("CreateService", "7", None),
    "delete_service": wrote("DeleteService", "8", None),
    "tag_resource": wrote("TagResource", "9", {"tags"}),
    "tag_of_a_cluster": Ignored.IRRELEVANT,
    "stop_task": Wake(BERT),
    "stop_service_deployment": wrote("StopServiceDeployment", "c", None),
    "register_task_definition": Ignored.IRRELEVANT,
    "object_created": Wake(source=True),
    "object_deleted": Wake(source=True),
    "object_elsewhere": Ignored.ELSEWHERE,
    "s3_notification": Wake(source=True),
    "s3_test_event": Ignored.MALFORMED,
}


@pytest.mark.parametrize("name", sorted(MEANINGS))
def test_what_an_event_means(name):
    assert heard(body(name)) == MEANINGS[name]


def test_every_sample_has_a_meaning():
    assert {path.stem for path in EVENTS.glob("*.json")} == MEANINGS.keys()


def test_a_service_without_a_cluster_is_in_the_default_one():
    default = Key("default", "bert")
    assert heard(body("update_service_default_cluster"), managed={default}) == wrote(
        "UpdateService", "2", {"desiredCount"}, key=default
    )


def test_keys_carry_the_target_that_is_watched():
    watch = Watch("123456789012", "us-west-2", target="prod")
    assert heard(body("service_steady_state"), watch, {Key("train", "bert", "prod")}) == Wake(
        Key("train", "bert", "prod")
    )
    assert heard(body("service_steady_state"), watch, {BERT}) is Ignored.NOT_MANAGED


def test_an_arn_in_the_old_form_names_no_cluster():
    found = event("service_steady_state")
    found["resources"] = ["arn:aws:ecs:us-west-2:123456789012:service/bert"]
    assert heard(found) == Wake(BERT)


@pytest.mark.parametrize(
    ("member", "value"), [("account", "999999999999"), ("region", "eu-west-1"), ("region", "us-west-2x")]
)
def test_another_account_or_region(member, value):
    for name in ("service_steady_state", "task_stopped", "update_service"):
        assert heard({**event(name), member: value}) is Ignored.ELSEWHERE


def test_an_envelope_does_not_vouch_for_what_is_in_it():
    """The envelope says ours, the ARN says another's."""
    found = event("service_steady_state")
    found["resources"] = ["arn:aws:ecs:us-west-2:999999999999:service/train/bert"]
    assert heard(found) is Ignored.ELSEWHERE
    found = event("update_service_by_arn")
    found["detail"]["requestParameters"]["service"] = "bert"
    found["detail"]["requestParameters"]["cluster"] = "arn:aws:ecs:eu-west-1:123456789012:cluster/train"
    assert heard(found) is Ignored.ELSEWHERE


def test_what_is_not_managed_wakes_nobody_and_is_not_remembered():
    for name in ("service_steady_state", "task_stopped", "update_service", "tag_resource", "delete_service"):
        assert heard(body(name), managed=()) is Ignored.NOT_MANAGED


def test_an_identity_that_only_controllers_have():
    assert heard(body("update_service"), Watch(*WATCH.place, identities=frozenset({ALICE}))) is Ignored.OWN_WRITE


@pytest.mark.parametrize(
    "agent", ["", "app/ecs-gaudi-controller2", "xapp/ecs-gaudi-controller", "aws-cli app/other", "app/"]
)
def test_only_the_whole_application_id_is_ours(agent):
    found = event("update_service")
    found["detail"]["userAgent"] = agent
    assert isinstance(heard(found), Wake)


def test_a_user_agent_in_brackets():
    found = event("update_service")
    found["detail"]["userAgent"] = "[aiobotocore/3.10.0 app/ecs-gaudi-controller]"
    assert heard(found) is Ignored.OWN_WRITE


def test_a_caller_without_a_name_is_not_remembered():
    found = event("update_service")
    found["detail"]["userIdentity"] = {"type": "Unknown"}
    assert heard(found) == Wake(BERT)


def test_members_that_are_none_are_not_remembered():
    """What is remembered is bounded by what ECS has, not by what somebody sends."""
    found = event("update_service")
    found["detail"]["requestParameters"] |= {f"x{number}": 1 for number in range(1000)} | {"clientToken": "t"}
    wake = heard(found)
    assert isinstance(wake, Wake)
    assert wake.write is not None
    assert wake.write.members == {"desiredCount"}


def test_objects_of_another_bucket_or_without_a_bucket_of_ours():
    assert heard(body("object_created"), Watch(*WATCH.place, bucket="other")) is Ignored.ELSEWHERE
    assert heard(body("object_created"), Watch(*WATCH.place)) is Ignored.ELSEWHERE
    assert heard(body("s3_notification"), Watch(*WATCH.place)) is Ignored.ELSEWHERE
    assert heard(body("s3_notification"), Watch(*WATCH.place, bucket="ml-specs", prefix="prod/team a/bé")) == Wake(
        source=True
    )


def test_a_bucket_may_be_of_another_account_and_region():
    assert heard({**event("object_created"), "account": "999999999999", "region": "eu-west-1"}) == Wake(source=True)


# Never trusted
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "{}",
        "0",
        '"text"',
        "{",
        "\ud800",
        '{"a": "\\ud800"}',
        "[" * 100_000,
        '{"detail": ' * 5_000,
        "NaN",
        '{"Records": null}',
        '{"Records": [{"eventSource": "aws:s3"}]}',
    ],
)
def test_what_is_no_event(content):
    assert heard(content) is Ignored.MALFORMED


def test_a_large_message_is_not_even_parsed():
    assert heard(" " * (LARGEST + 1)) is Ignored.TOO_LARGE


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("resources",), []),
        (("resources",), None),
        (("resources",), "arn:aws:ecs:us-west-2:123456789012:service/train/bert"),
        (("resources",), ["arn:aws:ecs:us-west-2:123456789012:service/../bert"]),
        (("resources",), ["arn:aws:ecs:us-west-2:123456789012:service/train/bert\n"]),
        (("resources",), ["arn:aws:ecs:us-west-2:123456789012:service/train/bert\x1b[2J"]),
        (("resources",), ["arn:aws:ecs:us-west-2:123456789012:cluster/train"]),
        (("resources",), ["x" * 3000]),
        (("resources",), ["a"] * 101),
        (("detail",), None),
        (("detail",), []),
        (("detail", "clusterArn"), 7),
        (("account",), 123456789012),
        (("account",), "12345678901"),
        (("detail-type",), None),
        (("source",), ""),
    ],
)
def test_what_is_no_service_event(path, value):
    found = event("service_steady_state")
    *way, last = path
    place = found
    for name in way:
        place = place[name]
    place[last] = value
    assert heard(found) is Ignored.MALFORMED


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("eventTime",), "yesterday"),
        (("eventTime",), "2026-11-25T08:13:58"),
        (("eventTime",), None),
        (("eventID",), ""),
        (("eventID",), "a\nb"),
        (("userIdentity",), None),
        (("userIdentity", "arn"), "arn:\x1b[2J"),
        (("userIdentity", "arn"), "x" * 3000),
        (("userAgent",), "x" * 5000),
        (("requestParameters",), []),
        (("requestParameters", "service"), "a b"),
        (("requestParameters", "service"), None),
        (("requestParameters", "service"), {"a": 1}),
        (("requestParameters", "cluster"), "../train"),
    ],
)
def test_what_is_no_record_of_cloudtrail(path, value):
    found = event("update_service")
    *way, last = ("detail", *path)
    place = found
    for name in way:
        place = place[name]
    place[last] = value
    assert heard(found) is Ignored.MALFORMED


def test_a_record_without_parameters_is_none():
    for name in ("update_service", "create_service", "delete_service", "stop_service_deployment"):
        found = event(name)
        found["detail"]["requestParameters"] = None
        assert heard(found) is Ignored.MALFORMED
    for name in ("tag_resource", "stop_task"):
        found = event(name)
        found["detail"] |= {"requestParameters": None, "responseElements": None}
        assert heard(found) is Ignored.IRRELEVANT


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_is_changed_in_an_event_the_answer_is_a_managed_key_or_none(data):
    """One member anywhere in a real event becomes any JSON, or goes."""
    found = event(data.draw(st.sampled_from(sorted(MEANINGS))))
    place = found
    while True:
        names = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        if not names:
            break
        name = data.draw(st.sampled_from(names))
        if isinstance(place[name], dict | list) and data.draw(st.booleans()):
            place = place[name]
            continue
        if isinstance(place, dict) and data.draw(st.booleans()):
            del place[name]
        else:
            place[name] = data.draw(JSON)
        break
    meaning = heard(found)
    if isinstance(meaning, Wake):
        assert meaning.key in (BERT, None)
        assert (meaning.key is None) == (meaning.source or meaning.jobs)
        if meaning.write is not None:
            assert meaning.write.key == BERT
            assert meaning.write.caller.who.isprintable()
            assert meaning.write.caller.at.tzinfo is not None


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")) | JSON.map(json.dumps))
def test_any_text_has_a_meaning(content):
    assert isinstance(heard(content), Ignored)


@pytest.mark.parametrize(
    ("members", "meaning"),
    [
        ({"lastStatus": "RUNNING"}, Wake(jobs=True)),
        ({"lastStatus": "PENDING"}, Ignored.IRRELEVANT),
        ({"startedBy": "alice"}, Ignored.IRRELEVANT),
        ({"startedBy": "dl1job/0123456789abcdef/0/0"}, Ignored.IRRELEVANT),
        ({"startedBy": 7}, Ignored.MALFORMED),
        # RunTask takes any group, so a job may sit in one that looks like a service's: who started it decides.
        ({"group": "service:bert"}, Wake(jobs=True)),
    ],
)
def test_of_the_tasks_of_jobs_those_that_begin_or_end_wake_all_jobs(members, meaning):
    found = event("task_of_job")
    found["detail"] |= members
    assert heard(found) == meaning
    assert heard({**found, "account": "999999999999"}) is Ignored.ELSEWHERE
