"""A page of the documentation as a session in a shell: what it tells to type is typed, what it shows must be seen.

In a page:

- a `console` block is typed line by line (`$ ` begins a command, a `\\` at the end goes on), into one bash for the
  whole page, and what stands below a command is what it must print. A line `…` stands for any lines, `…` in a line for
  any characters.
- `<!-- file: specs/bert.yaml -->` before a block makes it a file.
- `<!-- not run: why -->` before a `console` block leaves it out; the reasons are a list of their own.
- a command that ends in `&` goes on in the background; the next one waits until it is up. It shows its first lines.

The fixed ports of the pages are mapped to free ones, so that pages may be played side by side. `UPDATE_DOCS=1` writes
what was seen into the page instead of failing. Neighbours: `aws_cli` (the AWS CLI of the session), `test_pages`.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 60.0
PORTS: Final = ("4599", "8080")
"""The sandbox's port and the daemon's, in all pages."""
_BLOCK: Final = re.compile(
    r"^(?:<!-- (?P<mark>file|not run): (?P<said>[^\n]*?) -->\n)?^```(?P<language>[a-z]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_MARK: Final = "--- next ---"
_STARTED: Final = """
import socket, sys, time, urllib.request
name, port, daemon = sys.argv[1], sys.argv[2], sys.argv[3] == "daemon"
end = time.monotonic() + 30
while time.monotonic() < end:
    try:
        if daemon:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
            break
        if open(name).read().endswith("\\n"):
            break
    except OSError:
        pass
    time.sleep(0.05)
print(open(name).read(), end="")
"""


@dataclass(frozen=True, slots=True)
class Typed:
    """A command, and what the page shows below it."""

    command: str
    shown: str
    start: int
    """Where the shown text begins in the page."""

    @property
    def background(self) -> bool:
        return self.command.rstrip().endswith("&")


@dataclass(frozen=True, slots=True)
class Written:
    """A file that a page shows."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Commands that are not typed."""

    reason: str
    commands: tuple[str, ...]


def read(page: str) -> Iterator[Typed | Written | LeftOut]:
    """What a page tells to do, in its order."""
    for block in _BLOCK.finditer(page):
        mark, said, text = block["mark"], block["said"], block["text"]
        if mark == "file":
            yield Written(said, text)
        elif block["language"] == "console" and mark == "not run":
            yield LeftOut(said, tuple(one.command for one in _typed(text, 0)))
        elif block["language"] == "console":
            yield from _typed(text, block.start("text"))


def _typed(text: str, offset: int) -> Iterator[Typed]:
    lines = text.splitlines(keepends=True)
    at = 0
    while lines:
        line = lines.pop(0)
        at += len(line)
        assert line.startswith("$ "), f"output without a command: {line}"
        command = line[2:]
        while command.endswith("\\\n"):
            command += lines[0]
            at += len(lines.pop(0))
        heredoc = re.search(r"<<'?(\w+)'?", command)
        while heredoc is not None and not command.endswith(f"\n{heredoc[1]}\n"):
            command += lines[0]
            at += len(lines.pop(0))
        shown = ""
        while lines and not lines[0].startswith("$ "):
            shown += lines.pop(0)
        yield Typed(command.rstrip("\n"), shown, offset + at)
        at += len(shown)


def as_seen(shown: str) -> re.Pattern[str]:
    """What a page shows as a pattern of what may be seen."""
    pattern = re.sub(r"^…\\?\n", r"(?:.*\\n)*?", re.escape(shown), flags=re.MULTILINE)
    return re.compile(pattern.replace("…", ".*?"))


@dataclass(slots=True)
class Session:
    """One shell in an empty folder, with `controller`, `aws`, `python` and the checkout's `deploy` at hand."""

    home: Path
    ports: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        tools = self.home / "bin"
        tools.mkdir()
        ours = shlex.quote(str(Path(__file__).parent / "aws_cli.py"))
        for name, arguments in (("controller", "-m controller"), ("python", ""), ("aws", ours)):
            (tools / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
            (tools / name).chmod(0o755)
        (self.home / "started.py").write_text(_STARTED)
        work = self.home / "work"
        work.mkdir()
        (work / "deploy").symlink_to(ROOT / "deploy")

    def play(self, actions: list[Typed | Written | LeftOut]) -> list[tuple[Typed, str]]:
        """Do it all, and give what was seen of each command."""
        script = "".join(self._line(number, one) for number, one in enumerate(actions))
        shell = subprocess.Popen(
            ["/bin/bash", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.home / "work",
            env=self._environment(),
            start_new_session=True,
        )
        with shell:
            try:
                seen, _ = shell.communicate(script, timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                _end(shell.pid)
                seen, _ = shell.communicate()
                raise AssertionError(f"the page does not come to its end: {seen}") from None
            finally:
                _end(shell.pid)
        commands = [one for one in actions if isinstance(one, Typed)]
        parts = [self._as_written(part) for part in seen.split(f"{_MARK}\n")]
        assert len(parts) == len(commands) + 1, seen
        return list(zip(commands, parts, strict=False))

    def _line(self, number: int, action: Typed | Written | LeftOut) -> str:
        match action:
            case LeftOut():
                return ""
            case Written(name=name, text=text):
                folder = shlex.quote(str(Path(name).parent))
                begin = f"code=$?; mkdir -p {folder}; cat > {shlex.quote(name)} <<'END OF FILE'\n"
                return f"{begin}{text}END OF FILE\n(exit $code)\n"
            case Typed(command=command):
                return self._command(number, self._here(command), background=action.background)

    def _command(self, number: int, line: str, *, background: bool) -> str:
        after = f"code=$?; echo '{_MARK}'; (exit $code)\n"
        if not background:
            return f"{line}\n{after}"
        log = shlex.quote(str(self.home / f"background.{number}"))
        port = self.ports["8080"]
        kind = "daemon" if re.search(r"\bcontroller run\b", line) else "server"
        started = f"python {shlex.quote(str(self.home / 'started.py'))} {log} {port} {kind}"
        return f"{line.rstrip().removesuffix('&')} >{log} 2>&1 &\n{started}\n{after}"

    def _here(self, text: str) -> str:
        for name, port in self.ports.items():
            text = re.sub(rf"\b{name}\b", port, text)
        return text

    def _as_written(self, text: str) -> str:
        for name, port in self.ports.items():
            text = re.sub(rf"\b{port}\b", name, text)
        return text

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "CONTROLLER_", "GIT_", "PYTHON")) and not name.lower().endswith("_proxy")
        }
        return kept | {
            "HOME": str(self.home),
            "PATH": f"{self.home / 'bin'}:{kept['PATH']}",
            "PYTHONPATH": str(ROOT),
            "CONTROLLER_HTTP": f"127.0.0.1:{self.ports['8080']}",
            "AWS_EC2_METADATA_DISABLED": "true",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
            **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _AUTHOR.items()},
        }


_AUTHOR: Final = {"NAME": "Ada", "EMAIL": "ada@example.com"}


def _free_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _end(group: int) -> None:
    """Nothing of a session may outlive it."""
    for what in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(group, what)
        except ProcessLookupError:
            return
