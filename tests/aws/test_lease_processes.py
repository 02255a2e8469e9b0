"""Real processes, a real clock, moto's DynamoDB over HTTP: the holder is killed again and again, another goes on."""

import contextlib
import itertools
import random
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
PATIENCE = 60.0
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_a_killed_holder_is_followed_by_one_other(moto_url, tmp_path, kills):
    table = f"leases-killed-{kills}"
    boto3.client("dynamodb", endpoint_url=moto_url, **KEYS).create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    log, chance, names = tmp_path / "log", random.Random(kills), itertools.count(1)
    log.touch()

    def written():
        return log.read_text().split()

    def start(stack):
        name = f"p{next(names)}"
        command = [sys.executable, "-m", "tests.aws.lease_holder", moto_url, table, str(log), name]
        process = stack.enter_context(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL))
        stack.callback(process.kill)
        return name, process

    with contextlib.ExitStack() as stack:
        alive = dict([start(stack), start(stack)])
        for _ in range(kills):
            before = len(written())
            until = time.monotonic() + PATIENCE
            while len(written()) < before + 1:
                assert time.monotonic() < until, "nobody writes"
                time.sleep(0.05)
            time.sleep(chance.uniform(0, 0.3))
            holder = written()[-1]
            alive[holder].kill()
            alive.pop(holder).wait()
            alive |= [start(stack)]
    order = [name for name, _ in itertools.groupby(written())]
    assert len(order) == len(set(order)) >= kills  # each wrote in one stretch: none ever came back
