"""`make bench`: every measurement, one after the other, and a table.

Each client runs in a process of its own against a bare endpoint in a second one, each on its own core where there are
two, so that neither pays for the other. Nothing here asserts a time: the numbers go to `docs/benchmarks.md`.
"""

import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.comparing import measured
from benchmarks.fleet import specs
from benchmarks.healing import healing
from benchmarks.starting import starting

SERVICES = 1000
HELD = 10_000
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def pinned(core: int, *command: str) -> list[str]:
    """The command on one core, where that can be said."""
    python = [sys.executable, "-m", *command]
    return ["taskset", "-c", str(CORES[core % len(CORES)]), *python] if len(CORES) > 1 else python


@contextlib.contextmanager
def endpoint(count: int, kind: str) -> Iterator[str]:
    """A bare endpoint; yields its URL."""
    command = pinned(1, "benchmarks.endpoint", str(count), kind)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def client(variant: str, url: str, count: int) -> dict[str, Any]:
    """One measurement of `benchmarks.passes`."""
    done = subprocess.run(
        pinned(0, "benchmarks.passes", variant, url, str(count)), stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def passes() -> None:
    """CPU of a whole in-sync pass beside a stock SDK loop and beside the least that a client can do."""
    for kind in ("steady", "troubled"):
        with endpoint(SERVICES, kind) as url:
            found = {variant: client(variant, url, SERVICES) for variant in ("stock", "raw", "ours")}
        print(f"\nin-sync pass over {SERVICES} services, {kind}")
        print("  variant   CPU per service   calls/s on one core   longest block   max RSS")
        for variant, one in found.items():
            per = one["cpu"] / SERVICES
            print(
                f"  {variant:8}  {per * 1e6:8.0f} µs        {SERVICES / 10 / one['cpu']:8.0f}"
                f"              {one['blocked'] * 1000:6.1f} ms       {one['rss']:5.0f} MB"
            )
        ours = found["ours"]["cpu"]
        print(
            f"  ours is {ours / found['stock']['cpu']:.2f} times stock and {ours / found['raw']['cpu']:.2f} times raw"
        )


def memory() -> None:
    """Memory with ten thousand services held."""
    with endpoint(HELD, "steady") as url:
        one = client("ours", url, HELD)
    print(f"\n{HELD} services held: max RSS {one['rss']:.0f} MB, longest block {one['blocked'] * 1000:.1f} ms")


def calls(url: str) -> dict[str, int]:
    """How often the endpoint was asked what, since the last time."""
    asked = Request(url, b"{}", {"X-Amz-Target": "Bench.Calls"})
    with urlopen(asked) as answer:
        found: dict[str, int] = json.load(answer)
    return found


def once() -> None:
    """A cold `controller --once`, as a user starts it."""
    print("\ncold `controller --once`")
    for count in (20, 200):
        with endpoint(count, "steady") as url, tempfile.TemporaryDirectory() as folder:
            for name, content in specs(count).items():
                Path(folder, name).write_bytes(content)
            walls, processor, asked = [], [], {}
            for _ in range(5):
                before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
                done = subprocess.run(
                    pinned(0, "controller", "--once", "-s", folder),
                    env={**os.environ, **ENVIRONMENT, "AWS_ENDPOINT_URL": url},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, done.stdout + done.stderr
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                walls.append(time.perf_counter() - began)
                processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
                asked = calls(url)
        counted = ", ".join(f"{number} {operation}" for operation, number in sorted(asked.items()))
        print(f"  {count:4} services: {statistics.median(walls):.2f} s wall, {statistics.median(processor):.2f} s CPU")
        print(f"    {counted}")


def comparing() -> None:
    """One workload compared with what is live."""
    print("\none workload of three containers and sixty variables, nothing different")
    for name, seconds in measured().items():
        print(f"  {name:18} {seconds * 1000:.2f} ms")


def heal() -> None:
    """How long a live edit lasts."""
    print("\na live edit until it is healed: a daemon process beside the sandbox over HTTP")
    healing()


SECTIONS = {
    "starting": starting,
    "passes": passes,
    "memory": memory,
    "once": once,
    "comparing": comparing,
    "heal": heal,
}


def main(wanted: list[str]) -> None:
    """Run the named sections, or all."""
    print(f"Python {platform.python_version()}, {platform.machine()}, {len(CORES)} cores; medians of five runs")
    for name in wanted or SECTIONS:
        SECTIONS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
