"""Real git repositories and real ssh keys, made by the programs that people make them with.

Nothing here is skipped where git or ssh-keygen is missing: a source that is not tested is not to be shipped.
"""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

QUIET = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def run(*command: str | Path, stdin: bytes = b"", **environment: str) -> bytes:
    """Run a program; what it says on stderr is in the error if it fails."""
    done = subprocess.run(
        command, input=stdin, capture_output=True, check=False, env={"PATH": os.environ["PATH"], **QUIET, **environment}
    )
    assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Signer:
    """A person with an ssh key."""

    name: str
    key: Path

    @classmethod
    def make(cls, folder: Path, name: str) -> "Signer":
        key = folder / f"{name.partition('@')[0]}.key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key)
        return cls(name, key)

    @property
    def allowed(self) -> str:
        """A line of a file of allowed signers."""
        kind, public = self.key.with_suffix(".key.pub").read_text().split()[:2]
        return f'{self.name} namespaces="git" {kind} {public}\n'


@dataclass(slots=True)
class Repository:
    """A repository with a work tree, as somebody has it on a laptop."""

    path: Path
    clock: int = field(default=1_767_000_000)

    @classmethod
    def make(cls, path: Path, *, form: str = "sha1") -> "Repository":
        run("git", "init", "-q", "-b", "main", f"--object-format={form}", path)
        return cls(path)

    @property
    def url(self) -> str:
        return f"git+file://{self.path}"

    def git(self, *arguments: str, stdin: bytes = b"", **environment: str) -> str:
        return run("git", "-C", self.path, *arguments, stdin=stdin, **environment).decode().strip()

    def write(self, **files: str) -> None:
        """Write files; `__` stands for a slash and `_yaml` for the suffix."""
        for name, text in files.items():
            path = self.path / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, message: str = "change", *, signer: Signer | None = None, **files: str) -> str:
        """Commit files, and all else that is in the work tree; answers the commit's id."""
        self.write(**files)
        self.git("add", "--all")
        self.git(*_signing(signer), "commit", "-q", "--allow-empty", "-m", message, *_sign(signer, "-S"), **self._now())
        return self.git("rev-parse", "HEAD")

    def tag(self, name: str, *, signer: Signer | None = None) -> str:
        """Make an annotated tag; answers its id."""
        how = "-s" if signer else "-a"
        self.git(*_signing(signer), "tag", how, "-m", name, name, **self._now())
        return self.git("rev-parse", name)

    def raw_commit(self, content: bytes) -> str:
        """Put the branch on a commit of any content."""
        commit = self.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=content)
        self.git("reset", "-q", "--hard", commit)
        return commit

    def _now(self) -> dict[str, str]:
        self.clock += 60
        return {"GIT_AUTHOR_DATE": f"{self.clock} +0000", "GIT_COMMITTER_DATE": f"{self.clock} +0000"}


def _signing(signer: Signer | None) -> tuple[str, ...]:
    return ("-c", "gpg.format=ssh", "-c", f"user.signingKey={signer.key}") if signer else ()


def _sign(signer: Signer | None, flag: str) -> tuple[str, ...]:
    return (flag,) if signer else ()
