"""Controllers as processes, over HTTP on loopback: start, probes, signals, kill -9, wake-ups, roles."""

import itertools
import json
import random
import signal
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.aws.buckets import BUCKET_OF
from controller.sandbox.faults import BUCKETS, Faults
from controller.sandbox.simulator import Options
from tests.acceptance.real import Place, Running, ended, until, witness
from tests.app.running import fleet, spec

EVENTS = Path(__file__).parents[1] / "data" / "events"
ALICE = "arn:aws:sts::123456789012:assumed-role/Admin/alice"
PROD = "222233334444"


def in_line(place: Place, *names: str, tag: str = "1") -> bool:
    """Whether these services, and no others, have the revision of this image and all their tasks."""
    if place.services() != sorted(names):
        return False
    ecs = place.client("ecs")
    for name in names:
        one = place.service(name)
        revision = ecs.describe_task_definition(taskDefinition=one["taskDefinition"])["taskDefinition"]
        image = revision["containerDefinitions"][0]["image"]
        if not image.endswith(f":{tag}") or one["runningCount"] != one["desiredCount"] or len(one["deployments"]) > 1:
            return False
    return True


# From the beginning to the end
# ----------------------------------------------------------------------------------------------------------------------


def test_it_starts_tells_how_it_is_and_ends(place: Place) -> None:
    place.commit(fleet("bert", "gpt"))
    one = place.start("p1")
    until(one.ready)
    assert one.get("/healthz") == (200, "ok\n")
    until(lambda: in_line(place, "bert", "gpt"))
    address = one.url.removeprefix("http://")
    taken = place.start("p2", "--http", address)
    assert taken.process.wait(60) == 1
    until(lambda: any(f"cannot listen on {address}: " in line for line in taken.raw))
    assert {call.who for call in place.server.writes(place.region)} == {"p1"}
    status = json.loads(one.get("/api/v1/status")[1])
    assert len(status["workloads"]) == 2
    assert one.terminate() == 0
    until(lambda: one.of("controller stopped"))
    assert (place.folder / "p1" / "ecs-gaudi-controller" / "journal.sqlite").exists()


def test_a_signal_ends_it_while_sts_takes_a_request_and_never_answers(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        lease = '{"store": "dynamodb://leases"}'
        one = place.start("p1", "--http", "off", AWS_ENDPOINT_URL_STS=url, CONTROLLER_LEASE=lease)
        deaf.settimeout(60)
        with deaf.accept()[0]:
            assert one.terminate() == 0
        until(lambda: one.of("controller stopped"))


# Two on one lease
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_a_killed_holder_is_followed_by_one_other(place: Place, kills: int) -> None:
    names = ("bert", "gpt", "llama")
    place.client("dynamodb").create_table(
        TableName="leases",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    lease = json.dumps({"store": "dynamodb://leases", "duration": 4, "deadline": 3, "retry": 0.5})
    numbers, chance = itertools.count(1), random.Random(kills)
    alive: dict[str, Running] = {}

    def start() -> None:
        one = place.start(f"p{next(numbers)}", "--resync", "5", "--http", "off", CONTROLLER_LEASE=lease)
        alive[one.name] = one

    def led() -> list[str]:
        return [name for name, one in alive.items() if one.of("lease acquired")]

    place.commit(fleet(*names, tag="0"))
    start()
    start()
    for kill in range(1, kills + 1):
        until(led)
        (holder,) = led()
        place.commit(fleet(*names, tag=str(kill)))
        most = len(place.server.writes(place.region)) + chance.randrange(10)
        until(lambda m=most, k=kill: len(place.server.writes(place.region)) >= m or in_line(place, *names, tag=str(k)))
        time.sleep(chance.uniform(0, 0.2))
        killed = alive.pop(holder)
        killed.process.kill()
        killed.process.wait()
        start()
        assert until(led) <= 30
    until(lambda: in_line(place, *names, tag=str(kills)))
    order = [name for name, _ in itertools.groupby(call.who for call in place.server.writes(place.region))]
    assert len(order) == len(set(order)), f"somebody came back: {order}"
    created = [call for call in place.server.writes(place.region) if call.operation == "CreateService"]
    assert len(created) == len(names)
    for name in names:
        found = place.client("ecs").list_task_definitions(familyPrefix=name)["taskDefinitionArns"]
        assert len(found) <= kills + 1, "one revision for each commit at most"


# Wake-ups
# ----------------------------------------------------------------------------------------------------------------------


def cloudtrail(place: Place) -> str:
    """What EventBridge sends when Alice sets the count of bert."""
    event = json.loads((EVENTS / "update_service.json").read_text().replace("us-west-2", place.region))
    event["detail"]["eventTime"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    event["detail"]["requestParameters"] = {"cluster": "default", "service": "bert", "desiredCount": 2}
    return json.dumps(event).replace("train/bert", "default/bert").replace("cluster/train", "cluster/default")


def test_a_live_edit_is_healed_when_the_queue_tells_of_it(place: Place) -> None:
    sqs = place.client("sqs")
    url = sqs.create_queue(QueueName="wake")["QueueUrl"]
    place.commit(fleet("bert"))
    one = place.start("p1", "--resync", "3600", CONTROLLER_QUEUE=url)
    until(lambda: in_line(place, "bert"))
    until(lambda: '"InSync"' in one.get("/api/v1/status")[1] or "InSync" in one.get("/api/v1/status")[1])
    time.sleep(1.1)  # CloudTrail's times are whole seconds, and what was before our own last write is not told
    place.client("ecs", "alice").update_service(cluster="default", service="bert", desiredCount=2)
    sqs.send_message(QueueUrl=url, MessageBody="no event at all")
    sqs.send_message(QueueUrl=url, MessageBody=cloudtrail(place))
    until(lambda: one.of("drift healed"))
    assert place.service("bert")["desiredCount"] == 1
    (drift,) = one.of("drift")
    assert (drift["field"], drift["live"], drift["spec"], drift["by"]) == ("service.desiredCount", 2, 1, ALICE)
    count = {"QueueUrl": url, "AttributeNames": ["All"]}
    until(lambda: sqs.get_queue_attributes(**count)["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "0")
    assert sqs.get_queue_attributes(**count)["Attributes"]["ApproximateNumberOfMessages"] == "0"
    assert one.terminate() == 0


def test_a_queue_that_does_not_exist_costs_latency_only(place: Place) -> None:
    place.commit(fleet("bert"))
    url = f"{place.server.url}/123456789012/nothing"
    one = place.start("p1", "--resync", "1", CONTROLLER_QUEUE=url)
    until(lambda: in_line(place, "bert"))
    until(lambda: one.of("no wake-ups, polling only"))
    place.client("ecs", "alice").update_service(cluster="default", service="bert", desiredCount=2)
    until(lambda: one.of("drift healed"))
    assert place.service("bert")["desiredCount"] == 1
    assert one.terminate() == 0


# Roles
# ----------------------------------------------------------------------------------------------------------------------


def test_a_target_is_worked_in_with_its_role_and_history_goes_to_s3(place: Place) -> None:
    other, s3 = "us-gov-west-1" if place.region.startswith("us-gov") else "us-west-2", place.client("s3")
    s3.create_bucket(Bucket="history", CreateBucketConfiguration={"LocationConstraint": place.region})
    there = spec("gpt").replace(b"spec:\n", b"spec:\n  target: prod\n", 1)
    place.commit({**fleet("bert"), "gpt.yaml": there})
    target = {"name": "prod", "region": other, "roleArn": f"arn:aws:iam::{PROD}:role/controller"}
    one = place.start(
        "p1",
        "--resync",
        "2",
        CONTROLLER_TARGETS=json.dumps([{**target, "clusters": ["default"]}]),
        CONTROLLER_JOURNAL="s3://history/journal",
    )
    until(lambda: (place.services(), place.services(other)) == (["bert"], ["gpt"]))
    assert {call.who for call in place.server.writes(place.region)} == {"p1"}
    assumed = {call.who for call in place.server.writes(other)}
    assert "p1" not in assumed, "with the role's own keys"
    until(one.ready)
    assert "source was read (prod)" in one.get("/readyz")[1]
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(60) == 0
    kept = s3.list_objects_v2(Bucket="history", Prefix="journal/")["Contents"]
    told = b"".join(s3.get_object(Bucket="history", Key=entry["Key"])["Body"].read() for entry in kept)
    assert b"controller stopped" in told
    assert (place.services(), place.services(other)) == (["bert"], ["gpt"])


# The throttle
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "count",
    [24, *(pytest.param(many, marks=[pytest.mark.slow, pytest.mark.timeout(2400)]) for many in (120, 1000))],
)
def test_specs_in_s3_become_services_under_the_throttle_of_aws(tmp_path: Path, count: int) -> None:
    """In real time, as fast as AWS lets anybody be: RegisterTaskDefinition is the narrow place. A thousand, in virtual
    time: `test_thousand`."""
    options = Options(faults=Faults(buckets=BUCKETS))
    with witness(speed=1.0, options=options) as server, ended(Place(server, "us-east-1", tmp_path)) as place:
        s3 = place.client("s3")
        s3.create_bucket(Bucket="specs")
        for number in range(count):
            s3.put_object(Bucket="specs", Key=f"prod/s{number}.yaml", Body=spec(f"s{number}", replicas=0))
        place.start("p1", "-s", "s3://specs/prod", "--http", "off", CONTROLLER_API_SHARE="1.0")

        def made(operation: str) -> list[float]:
            return [call.at for call in server.calls if (call.who, call.operation) == ("p1", operation)]

        until(lambda: len(made("CreateService")) == count, limit=count + 60.0)
        assert {call.status for call in server.calls if call.who == "p1"} == {200}, "no call was throttled"
        registered, narrowest = made("RegisterTaskDefinition"), BUCKET_OF["RegisterTaskDefinition"]
        assert len(registered) == count
        print(f"{count} services: {registered[-1] - registered[0]:.1f} s, at best {count - narrowest.burst:.0f} s")
