"""How git is called: what it sees, what it may reach, what is said of it, and that nothing of it is left behind."""

import asyncio
import base64
import contextlib
import datetime as dt
import http.server
import ipaddress
import os
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from controller.errors import ControllerError, Denied, Transient
from controller.reasons import Reason
from controller.sources import git_process
from controller.sources.git import GitSource
from controller.sources.git_process import Git
from controller.sources.git_words import BrokenCopyError
from controller.sources.uri import locate
from tests.sources.repository import Repository

PASSWORD = "s3cr3t-canary"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.make(tmp_path / "repository")
    made.commit(specs__a="a1")
    return made


def program(folder: Path, name: str, script: str) -> Path:
    """A program of that name, first on the path of a `Git` that is given the folder."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return path


def with_path(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": f"{folder}:{os.environ['PATH']}", **more}


# What git sees
# ----------------------------------------------------------------------------------------------------------------------


async def test_git_sees_a_fixed_environment(tmp_path):
    ours = {
        "HOME": "/home/ada",
        "SSH_AUTH_SOCK": "/run/agent",
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        "CONTROLLER_SOURCE": PASSWORD,
        "GIT_DIR": "/elsewhere",
        "GIT_SSH_COMMAND": "evil",
        "GIT_ALLOW_PROTOCOL": "ext",
        "GIT_CONFIG_PARAMETERS": "'core.hooksPath=/evil'",
        "GIT_EXTERNAL_DIFF": "evil",
        "GIT_TRACE_CURL": "1",
        "SSH_ASKPASS": "evil",
        "LD_PRELOAD": "evil",
    }
    program(tmp_path / "bin", "git", "env")
    git = Git(tmp_path / "copy", "https://host/repo", "robot:x", with_path(tmp_path / "bin", **ours))
    seen = dict(line.split("=", 1) for line in (await git.ask("x")).decode().splitlines())
    assert seen["HOME"] == "/home/ada"
    assert seen["SSH_AUTH_SOCK"] == "/run/agent"
    assert seen["GIT_ALLOW_PROTOCOL"] == "https"
    assert seen["GIT_CONFIG_NOSYSTEM"] == "1"
    assert seen["GIT_CONFIG_GLOBAL"] == "/dev/null"
    assert seen["GIT_TERMINAL_PROMPT"] == "0"
    assert "BatchMode=yes" in seen["GIT_SSH_COMMAND"]
    assert PASSWORD not in str(seen)
    left = {"AWS_SECRET_ACCESS_KEY", "GIT_DIR", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT", "GIT_EXTERNAL_DIFF"}
    assert not seen.keys() & {*left, "SSH_ASKPASS", "LD_PRELOAD", "GIT_TRACE_CURL"}


async def test_the_password_is_not_on_the_command_line(tmp_path):
    program(tmp_path / "bin", "git", 'echo "$@"; env | grep GIT_CONFIG_')
    git = Git(tmp_path / "copy", "https://host:1/repo", f"robot:{PASSWORD}", with_path(tmp_path / "bin"))
    command, *environment = (await git.call("ls-remote", "--", git.url)).decode().splitlines()
    header = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
    assert "GIT_CONFIG_KEY_0=http.https://host:1/.extraHeader" in environment
    assert f"GIT_CONFIG_VALUE_0=Authorization: Basic {header}" in environment
    assert PASSWORD not in command
    assert header not in command
    assert "core.hooksPath=/dev/null" in command


async def test_nothing_of_the_machine_or_the_user_configures_git(repository, tmp_path, monkeypatch):
    other = Repository.make(tmp_path / "other")
    other.commit(specs__a="not this")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f'[url "file://{other.path}"]\n  insteadOf = file://{repository.path}\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{other.path}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"file://{repository.path}")
    found = await GitSource(locate(f"{repository.url}//specs"), tmp_path / "cache").snapshot()
    assert found.files == {"a.yaml": b"a1"}


async def test_only_the_protocol_that_was_named_is_spoken(repository, tmp_path):
    for url in (f"file://{repository.path}", "ext::sh -c id", "http://127.0.0.1:9/x", "git://127.0.0.1/x"):
        git = Git(tmp_path / "copy", "https://host/repo")
        with pytest.raises(ControllerError, match=r"transport '\w+' not allowed"):
            await git.call("ls-remote", "--", url)


async def test_ssh_is_asked_without_a_chance_to_ask_back(repository, tmp_path):
    """A program named ssh stands for the other machine: it notes how it was called and serves the repository."""
    serve = f'echo "$@" >> {tmp_path}/called; for last; do :; done; exec sh -c "$last"'
    program(tmp_path / "bin", "ssh", serve)
    location = locate(f"git+ssh://git@host{repository.path}@main//specs")
    one = GitSource(location, tmp_path / "cache")
    one._git = Git(one._git.directory, location.url, None, with_path(tmp_path / "bin"))
    assert (await one.snapshot()).files == {"a.yaml": b"a1"}
    for line in (tmp_path / "called").read_text().splitlines():
        assert "-oBatchMode=yes" in line
        assert f"git@host git-upload-pack '{repository.path}'" in line


# What is said of it
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        ("fatal: Authentication failed for 'https://host/repo/'", Denied, Reason.ACCESS_DENIED),
        ("git@host: Permission denied (publickey).", Denied, Reason.ACCESS_DENIED),
        ("Host key verification failed.", Denied, Reason.ACCESS_DENIED),
        ("fatal: could not read Username for 'https://host': terminal prompts disabled", Denied, Reason.ACCESS_DENIED),
        ("error: RPC failed; HTTP 403 curl 22 The requested URL returned error: 403", Denied, Reason.ACCESS_DENIED),
        ("fatal: repository 'https://host/repo/' not found", ControllerError, Reason.SOURCE_UNREADABLE),
        ("fatal: detected dubious ownership in repository at '/r'", ControllerError, Reason.SOURCE_UNREADABLE),
        ("fatal: unable to access 'https://host/': Could not resolve host", Transient, Reason.SOURCE_UNREADABLE),
        ("fatal: cannot mkdir /cache/x: Permission denied", Transient, Reason.SOURCE_UNREADABLE),
        ("fatal: the remote end hung up unexpectedly", Transient, Reason.SOURCE_UNREADABLE),
        ("fatal: Unable to create '/c/shallow.lock': File exists.", BrokenCopyError, Reason.SOURCE_UNREADABLE),
        ("", Transient, Reason.SOURCE_UNREADABLE),
    ],
)
async def test_what_the_words_of_git_mean(tmp_path, said, kind, reason):
    program(tmp_path / "bin", "git", f'cat >&2 <<"END"\n{said}\nEND\nexit 128')
    with pytest.raises(ControllerError) as raised:
        await Git(tmp_path / "copy", "https://host/repo", None, with_path(tmp_path / "bin")).call("fetch")
    assert type(raised.value) is kind
    assert raised.value.reason is reason
    assert (said or "git ended with code 128") in raised.value.message


async def test_what_git_says_is_printable_short_and_without_passwords(tmp_path):
    script = (
        f"printf 'remote: \\033[2J{PASSWORD}\\nfatal: no https://robot:{PASSWORD}@host/x https://t@host/y\\n' >&2; "
        "for i in $(seq 500); do echo 'remote: noise noise noise noise noise' >&2; done; exit 1"
    )
    program(tmp_path / "bin", "git", script)
    git = Git(tmp_path / "copy", "https://host/repo", f"robot:{PASSWORD}", with_path(tmp_path / "bin"))
    said = await git.run("x")
    assert said.code == 1
    assert len(said.err) <= git_process.TAIL
    with pytest.raises(ControllerError) as raised:
        await git.call("x")
    assert raised.value.message.isprintable()
    assert len(raised.value.message) < 500
    program(tmp_path / "bin", "git", script.replace("500", "1"))
    with pytest.raises(ControllerError) as raised:
        await git.call("x")
    assert PASSWORD not in str(raised.value)
    assert r"\x1b[2J••••" in raised.value.message
    assert "fatal: no https://host/x https://host/y" in raised.value.message


async def test_a_machine_without_git_is_told_so(tmp_path):
    with pytest.raises(ControllerError, match="install git") as raised:
        await Git(tmp_path / "copy", "https://host/repo", None, {"PATH": str(tmp_path)}).run("x")
    assert raised.value.reason is Reason.NOT_CONFIGURED


# Ends
# ----------------------------------------------------------------------------------------------------------------------


def hanging(folder: Path, *, stubborn: bool = False) -> Git:
    """A git that starts a child, tells both process ids through a pipe, and then hangs. A stubborn one does not end
    when it is asked to; it tells that it was asked."""
    os.mkfifo(folder / "told")
    os.mkfifo(folder / "asked")
    trap = f"trap 'echo asked > {folder}/asked' TERM; " if stubborn else ""
    script = f'{trap}sleep 600 & echo "$$ $!" > {folder}/told; wait; while :; do sleep 600; done'
    program(folder / "bin", "git", script)
    return Git(folder / "copy", "https://host/repo", None, with_path(folder / "bin"))


async def told(folder: Path) -> list[int]:
    return [int(pid) for pid in (await asyncio.to_thread((folder / "told").read_text)).split()]


async def left(pids: list[int]) -> list[int]:
    """Those that still run. Who was killed needs a moment to be gone; a zombie that nobody waits for is."""
    for _ in range(500):
        running = [pid for pid in pids if _state(pid) not in ("", "Z", "X")]
        if not running:
            return []
        await asyncio.sleep(0.01)
    return running


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


async def stubbornness(folder: Path) -> str:
    """Comes when a stubborn git was asked to end."""
    return await asyncio.to_thread((folder / "asked").read_text)


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_call_that_takes_too_long_is_ended_with_its_children(tmp_path, monkeypatch, stubborn):
    git = hanging(tmp_path, stubborn=stubborn)
    monkeypatch.setattr(git_process, "NETWORK_TIMEOUT", 0.3)
    monkeypatch.setattr(git_process, "GRACE", 0.3)
    pids = asyncio.create_task(told(tmp_path))
    asked = asyncio.create_task(stubbornness(tmp_path)) if stubborn else None
    with pytest.raises(Transient, match=r"`git fetch` took longer than 0.3 s"):
        await git.call("fetch")
    assert asked is None or await asked == "asked\n"
    assert len(await pids) == 2
    assert await left(await pids) == []


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_call_that_is_cancelled_leaves_no_process(tmp_path, monkeypatch, stubborn):
    git = hanging(tmp_path, stubborn=stubborn)
    monkeypatch.setattr(git_process, "GRACE", 0.3)
    call = asyncio.create_task(git.call("fetch"))
    pids = await told(tmp_path)
    call.cancel()
    if stubborn:
        assert await stubbornness(tmp_path) == "asked\n"
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await left(pids) == []


async def test_a_call_that_is_cancelled_twice_leaves_no_process(tmp_path, monkeypatch):
    git = hanging(tmp_path, stubborn=True)
    monkeypatch.setattr(git_process, "GRACE", 60.0)
    call = asyncio.create_task(git.call("fetch"))
    pids = await told(tmp_path)
    call.cancel()
    assert await stubbornness(tmp_path) == "asked\n"
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await left(pids) == []


async def test_a_call_that_says_too_much_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(git_process, "MOST_OUTPUT", 1000)
    program(tmp_path / "bin", "git", "exec yes")
    with pytest.raises(ControllerError, match="more than 1000 bytes"):
        await Git(tmp_path / "copy", "https://host/repo", None, with_path(tmp_path / "bin")).run("x")


async def test_a_snapshot_that_is_cancelled_anywhere_leaves_the_copy_usable(repository, tmp_path):
    """Cut off after each number of steps of the event loop, until it comes through."""
    cache = tmp_path / "cache"
    steps, whole = 1, False
    while not whole:
        one = asyncio.create_task(GitSource(locate(f"{repository.url}//specs"), cache).snapshot())
        for _ in range(steps):
            await asyncio.wait([one], timeout=0.001)
        one.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            whole = (await one).files == {"a.yaml": b"a1"}
        steps = steps * 3 // 2 + 1
    assert (await GitSource(locate(f"{repository.url}//specs"), cache).snapshot()).files == {"a.yaml": b"a1"}


# Over https, with a password
# ----------------------------------------------------------------------------------------------------------------------


class _Handler(http.server.BaseHTTPRequestHandler):
    """git's own http-backend behind Basic authorization."""

    root: Path
    asked: list[str]

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def _serve(self, body: bytes) -> None:
        self.asked.append(self.headers.get("Authorization", ""))
        expected = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
        if self.asked[-1] != f"Basic {expected}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_USER": "robot",
            },
        )
        headers, _, content = done.stdout.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in headers.decode().splitlines():
            name, _, value = line.partition(": ")
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def https(tmp_path: Path, repository: Repository) -> Iterator[tuple[str, Path, list[str]]]:
    """`host:port` of a server with a certificate of its own, that certificate, and the authorizations it was sent."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = tmp_path / "server.pem", tmp_path / "server.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    secret.chmod(stat.S_IRUSR)
    asked: list[str] = []
    handler = type("Handler", (_Handler,), {"root": repository.path.parent, "asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", pem, asked
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_repository_over_https_with_a_password(https, tmp_path, monkeypatch):
    host, pem, asked = https
    monkeypatch.setenv("GIT_SSL_CAINFO", str(pem))
    location = locate(f"git+https://robot:{PASSWORD}@{host}/repository/.git@main//specs")
    one = GitSource(location, tmp_path / "cache")
    found = await one.snapshot()
    assert found.files == {"a.yaml": b"a1"}
    assert found.uri == f"git+https://{host}/repository/.git@main//specs"
    assert PASSWORD not in repr(one)
    assert len(asked) >= 2
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes()


async def test_a_wrong_password_is_denied_and_not_repeated(https, tmp_path, monkeypatch):
    host, pem, _ = https
    monkeypatch.setenv("GIT_SSL_CAINFO", str(pem))
    location = locate(f"git+https://robot:wrong-{PASSWORD}@{host}/repository/.git@main//specs")
    with pytest.raises(Denied) as raised:
        await GitSource(location, tmp_path / "cache").snapshot()
    assert PASSWORD not in str(raised.value)


async def test_a_certificate_that_nobody_vouches_for_is_no_server(https, tmp_path, monkeypatch):
    host, _, asked = https
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    location = locate(f"git+https://robot:{PASSWORD}@{host}/repository/.git@main//specs")
    with pytest.raises(Transient, match="certificate"):
        await GitSource(location, tmp_path / "cache").snapshot()
    assert asked == []
