"""User CPU from the start of the process to its end, for what a person waits for at a prompt.

    python -m benchmarks.starting

Median of many runs each (the kernel counts user time in ticks, so one run says little), next to `python -c pass`, which
is what Python itself takes. Neighbours: `docs/benchmarks.md`
(the numbers).
"""

import os
import statistics
import subprocess
import sys
from typing import Final

RUNS: Final = 41
SPEC: Final = "deploy/examples/pytorch-training.yaml"
COMMANDS: Final = {
    "python -c pass": ("-c", "pass"),
    "controller --help": ("-m", "controller", "--help"),
    "controller validate --help": ("-m", "controller", "validate", "--help"),
    f"controller validate {SPEC}": ("-m", "controller", "validate", SPEC),
    f"controller render {SPEC}": ("-m", "controller", "render", SPEC),
}


def user_cpu(arguments: tuple[str, ...]) -> float:
    """Milliseconds of user CPU that a run takes."""
    found: list[float] = []
    for _ in range(RUNS):
        process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        found.append(used.ru_utime * 1000)
    return statistics.median(found)


def starting() -> None:
    """Print the table."""
    print("\nuser CPU from start to end, median of", RUNS)
    taken = {name: user_cpu(arguments) for name, arguments in COMMANDS.items()}
    bare = next(iter(taken.values()))
    for name, milliseconds in taken.items():
        print(f"  {name:60}  {milliseconds:6.0f} ms   {milliseconds - bare:+6.0f} ms")


if __name__ == "__main__":
    starting()
