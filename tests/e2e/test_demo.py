"""`controller demo` plays to its end, in time, and shows what it promises."""

import os
import subprocess
import sys
import time
from pathlib import Path


def test_the_demo_plays_to_its_end(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "controller", "demo"],
        capture_output=True, text=True, timeout=60, check=False, env={**environment, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    assert time.monotonic() - began < 30
    assert done.stderr == ""
    for promised in (
        "every task is on a DL1",
        "service.desiredCount: 2 → 1",
        "it is not tried again until the spec changes",
        "did you mean `command`?",
        "the last good one stands",
        "default/bert       Invalid   InSync  Healthy  1/1",
    ):
        assert promised in done.stdout, done.stdout
