"""One call of the git program, with nothing around it that a repository or an environment could turn against us.

git gets a fixed environment: no configuration of the machine or the user, no prompt, no hook, one protocol, no option
where an address is expected, none of our AWS credentials. A password goes to it through the environment, never on its
command line, and is cut out of everything that it says. Each call is its own process group, ends by a deadline, and
leaves no process behind, whatever ends it. Neighbours: `git` and `git_tree` (what is asked), `git_words` (what its
answers mean).
"""

import asyncio
import base64
import contextlib
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controller.core.quoting import escaped
from controller.errors import ControllerError, Transient
from controller.reasons import Reason
from controller.sources.git_words import BrokenCopyError, gist, meaning

TIMEOUT: Final = 30.0
"""Seconds for what git does with what it has."""
NETWORK_TIMEOUT: Final = 120.0
"""Seconds for what git does over the network."""
GRACE: Final = 2.0
"""Seconds that git has to take its lock files away before it is killed."""
MOST_OUTPUT: Final = 96 * 1024 * 1024
"""Bytes of output that are taken: more than all the files that are read, and than a tree of half a million files."""
TAIL: Final = 8 * 1024
"""Bytes of what git says on stderr that are kept."""

_PASSED_ON: Final = (
    *("PATH", "HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "TMPDIR"),
    *("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"),
)
"""Variables of our own environment that git may see."""
_ALWAYS: Final = {
    "LC_ALL": "C",  # what git says is read by `git_words`
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15 -oServerAliveInterval=15 -oClearAllForwardings=yes"
    " -oPermitLocalCommand=no -oControlMaster=no -oControlPath=none",
}
_CONFIG: Final = (
    f"core.hooksPath={os.devnull}",
    "core.fsmonitor=false",
    "credential.helper=",
    "fetch.recurseSubmodules=false",
    "gc.autoDetach=false",  # tidying up belongs to the call that made the mess, and ends with it
    "maintenance.autoDetach=false",
    "http.lowSpeedLimit=100",
    "http.lowSpeedTime=30",
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a call of git came to."""

    code: int
    out: bytes
    err: str
    """The end of what it said on stderr: printable, without passwords."""


@dataclass(frozen=True, slots=True)
class Git:
    """Calls git on one bare repository, for one address."""

    directory: Path
    url: str
    credentials: str | None = field(default=None, repr=False)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    async def run(self, *arguments: str, stdin: bytes = b"", config: Sequence[str] = ()) -> Said:
        """Do something with what is here. The exit code is the caller's to judge.

        Raises:
            ControllerError: git is not installed, takes too long, or says more than `MOST_OUTPUT`.
        """
        return await self._run(arguments, stdin, config, self._environment(), TIMEOUT)

    async def ask(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """As `run`, for what can only fail if the copy is broken.

        Raises:
            BrokenCopyError: git failed.
        """
        said = await self.run(*arguments, stdin=stdin)
        if said.code != 0:
            raise BrokenCopyError(self._message(said), reason=Reason.SOURCE_UNREADABLE)
        return said.out

    async def call(self, *arguments: str) -> bytes:
        """Do something over the network.

        Raises:
            BrokenCopyError: the copy here is in the way.
            ControllerError: the repository could not be reached or does not allow it.
        """
        environment = self._environment() | self._authorization()
        said = await self._run(arguments, b"", (), environment, NETWORK_TIMEOUT)
        if said.code != 0:
            raise meaning(said.err, self._message(said))
        return said.out

    def _message(self, said: Said) -> str:
        return f"git repository {self.url}: {gist(said.err) or f'git ended with code {said.code}'}"

    def _environment(self) -> dict[str, str]:
        ours = {name: self.environment[name] for name in _PASSED_ON if name in self.environment}
        return ours | _ALWAYS | {"GIT_ALLOW_PROTOCOL": self.url.partition("://")[0]}

    def _authorization(self) -> dict[str, str]:
        if self.credentials is None:
            return {}
        scheme, _, rest = self.url.partition("://")
        host = rest.partition("/")[0]
        header = f"Authorization: Basic {base64.b64encode(self.credentials.encode()).decode()}"
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{scheme}://{host}/.extraHeader",
            "GIT_CONFIG_VALUE_0": header,
        }

    async def _run(
        self,
        arguments: Sequence[str],
        stdin: bytes,
        config: Sequence[str],
        environment: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109 - it is the deadline of the program, which is ended in order
    ) -> Said:
        options = [part for setting in (*_CONFIG, *config) for part in ("-c", setting)]
        command = ("git", f"--git-dir={self.directory}", *options, *arguments)
        process = await _started(command, environment)
        try:
            async with asyncio.timeout(timeout):
                async with asyncio.TaskGroup() as group:
                    group.create_task(_feed(process, stdin))
                    out = group.create_task(_take(process))
                    err = group.create_task(_tail(process))
                code = await process.wait()
        except TimeoutError as error:
            message = f"git repository {self.url}: `git {arguments[0]}` took longer than {timeout:g} s"
            raise Transient(message, reason=Reason.SOURCE_UNREADABLE) from error
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        finally:
            if process.returncode is None:
                await _end(process)
        return Said(code, out.result(), self._clean(err.result()))

    def _clean(self, text: bytes) -> str:
        """What git said, as it may be logged."""
        said = text.decode(errors="replace")
        user, _, password = (self.credentials or "").partition(":")
        if secret := password or user:
            said = said.replace(secret, "••••")
        said = re.sub(r"(?<=://)[^/\s@]*@", "", said)
        return "\n".join(escaped(line) for line in said.splitlines())


async def _started(command: Sequence[str], environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    """Start a program in a process group of its own.

    asyncio, cancelled while it starts a program, kills that one and not what it has started by then. So the start is
    always seen through.

    Raises:
        ControllerError: there is no such program, or it cannot be started.
    """
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        if starting.exception() is None:
            await _end(starting.result())
        raise
    except OSError as error:
        message = f"git cannot be started: {error.strerror or error}"
        advice = "install git, which reads git sources"
        raise ControllerError(message, reason=Reason.NOT_CONFIGURED, advice=advice) from error


async def _feed(process: asyncio.subprocess.Process, content: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # git has ended; its exit code says why
        process.stdin.write(content)
        await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()


async def _take(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    content = bytearray()
    while chunk := await process.stdout.read(64 * 1024):
        content += chunk
        if len(content) > MOST_OUTPUT:
            message = f"git says more than {MOST_OUTPUT} bytes about this source"
            advice = "name a narrower folder, `//folder`"
            raise ControllerError(message, reason=Reason.SOURCE_UNREADABLE, advice=advice)
    return bytes(content)


async def _tail(process: asyncio.subprocess.Process) -> bytes:
    assert process.stderr is not None
    content = b""
    while chunk := await process.stderr.read(TAIL):
        content = (content + chunk)[-TAIL:]
    return content


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the whole process group: politely, so that git removes its locks, then surely."""
    try:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await _ended(process)
    finally:
        _signal(process, signal.SIGKILL)
        await _ended(process)  # also when this is cancelled: it takes no time now


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Wait until a process has ended and its pipes are empty: only then does asyncio let go of it."""
    assert process.stdout is not None
    assert process.stderr is not None
    for pipe in (process.stdout, process.stderr):
        while await pipe.read(64 * 1024):
            pass
    await process.wait()


def _signal(process: asyncio.subprocess.Process, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, what)
