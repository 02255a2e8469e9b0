"""How long a live edit lasts: a real daemon process beside the sandbox over HTTP, and boto3 as somebody else's hand.

Woken: the event that EventBridge would deliver for the edit is put into an SQS queue (moto's) right after it; time
counts from boto3's answer to the edit until DescribeServices answers the spec's count again. What CloudTrail and
EventBridge take before a message is in the queue is AWS's and not in it. Polled: the same without a queue.
"""

import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from benchmarks.fleet import name_of, specs

ACCOUNT, REGION = "123456789012", "us-east-1"
SERVICES = 2
"""As many as the sandbox has DL1 instances: all of the fleet want the same card."""
SPEED = 20
"""Of the sandbox's clock, so that the services are up soon."""
PATIENCE = 90.0
LOOK_EVERY = 0.01
WOKEN, POLLED, RESYNC = 100, 20, 5


@contextlib.contextmanager
def process(*command: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that ends with the context."""
    with (
        subprocess.Popen(
            [sys.executable, "-m", "controller", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **environment},
        ) as one,
    ):
        try:
            yield one
        finally:
            one.terminate()
            one.communicate(timeout=PATIENCE)


def event(name: str, count: int) -> str:
    """CloudTrail's word of an UpdateService by somebody, as EventBridge delivers it."""
    return json.dumps(
        {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "AWS API Call via CloudTrail",
            "source": "aws.ecs",
            "account": ACCOUNT,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "region": REGION,
            "resources": [],
            "detail": {
                "userIdentity": {
                    "type": "AssumedRole",
                    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/alice",
                    "accountId": ACCOUNT,
                },
                "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "eventSource": "ecs.amazonaws.com",
                "eventName": "UpdateService",
                "eventID": str(uuid.uuid4()),
                "awsRegion": REGION,
                "userAgent": "aws-cli/2.31.4",
                "requestParameters": {"cluster": "default", "service": name, "desiredCount": count},
                "readOnly": False,
                "eventType": "AwsApiCall",
                "recipientAccountId": ACCOUNT,
            },
        }
    )


class Hand:
    """Somebody who edits services live and watches what becomes of it."""

    def __init__(self, url: str) -> None:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        create: Any = boto3.client
        self.ecs = create("ecs", region_name=REGION, endpoint_url=url, **keys)
        self.sqs = create("sqs", region_name=REGION, endpoint_url=url, **keys)

    def service(self, name: str) -> dict[str, Any]:
        """What ECS answers, or nothing."""
        found: list[dict[str, Any]] = self.ecs.describe_services(cluster="default", services=[name])["services"]
        return found[0] if found else {}

    def until(self, true: Any) -> float:
        """Seconds until something is true."""
        began = time.perf_counter()
        while not true():
            assert time.perf_counter() < began + PATIENCE, "in vain"
            time.sleep(LOOK_EVERY)
        return time.perf_counter() - began

    def steady(self, name: str) -> bool:
        """Whether a service runs as its spec says, with one deployment."""
        one = self.service(name)
        return (one.get("desiredCount"), one.get("runningCount"), len(one.get("deployments", ()))) == (1, 1, 1)

    def edit(self, name: str, count: int, queue: str | None) -> float:
        """Seconds for which an edit lasts."""
        self.ecs.update_service(cluster="default", service=name, desiredCount=count)
        if queue is not None:
            self.sqs.send_message(QueueUrl=queue, MessageBody=event(name, count))
        took = self.until(lambda: self.service(name)["desiredCount"] == 1)
        self.until(lambda: self.steady(name))
        return took


def healed(edits: int, *, woken: bool) -> list[float]:
    """Seconds of each edit, sorted."""
    dice = random.Random(1)
    with process("sandbox", "--speed", str(SPEED)) as sandbox, tempfile.TemporaryDirectory() as folder:
        assert sandbox.stdout is not None
        url = sandbox.stdout.readline().strip()
        for name, content in specs(SERVICES).items():
            Path(folder, name).write_bytes(content)
        hand = Hand(url)
        queue = hand.sqs.create_queue(QueueName="wake-ups")["QueueUrl"] if woken else None
        environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "CONTROLLER_HTTP": "off",
            "CONTROLLER_JOURNAL": "off",
            "CONTROLLER_RESYNC": "600" if woken else str(RESYNC),
            **({"CONTROLLER_QUEUE": queue} if queue else {}),
        }
        with process("run", "-s", folder, **environment):
            names = [name_of(number) for number in range(SERVICES)]
            for name in names:
                hand.until(lambda name=name: hand.steady(name))
            time.sleep(12)  # the daemon has looked at them once more, and nothing rolls out
            hand.edit(names[0], 2, queue)  # not counted: moto loads Application Auto Scaling when it is first asked
            found = []
            for number in range(edits):
                # Never twice the same count: the one before our last write, seen right after it, may be an old answer,
                # and is not believed for two minutes.
                count = 2 * (number // SERVICES % 2)
                found.append(hand.edit(names[number % SERVICES], count, queue))
                time.sleep(dice.uniform(0.2, 0.8))
            return sorted(found)


def healing() -> None:
    """Print both."""
    for words, found in (
        (f"woken by a queue, {WOKEN} edits", healed(WOKEN, woken=True)),
        (f"polled every {RESYNC} s, {POLLED} edits", healed(POLLED, woken=False)),
    ):
        last = found[min(len(found) - 1, len(found) * 99 // 100)]
        print(
            f"  {words}: p50 {statistics.median(found):.2f} s, p99 {last:.2f} s, longest {found[-1]:.2f} s", flush=True
        )


if __name__ == "__main__":
    healing()
