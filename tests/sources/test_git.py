"""The git source, on real repositories and with the real git: what is read, what is refused, and what stands then."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from controller.core.diagnostics import Code, Severity
from controller.errors import ControllerError, Stalled, Transient
from controller.reasons import Reason
from controller.sources import git_cache
from controller.sources.git import GitSource
from controller.sources.git_process import Git
from controller.sources.snapshot import LARGEST_FILE
from controller.sources.uri import locate
from tests.sources.repository import Repository, Signer, run


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.make(tmp_path / "repository")
    made.commit(specs__a="a1", specs__team__b="b1", other="o1")
    return made


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """Names of the calls over the network."""
    made: list[str] = []
    real = Git.call

    async def call(self, *arguments):
        made.append(arguments[0])
        return await real(self, *arguments)

    monkeypatch.setattr(Git, "call", call)
    return made


def source(repository: Repository, cache: Path, rest: str = "@main//specs", **settings) -> GitSource:
    return GitSource(locate(f"{repository.url}{rest}"), cache, jitter=lambda: 0.5, **settings)


def findings(snapshot):
    return {one.at.file: one.message for one in snapshot.problems}


# What is read
# ----------------------------------------------------------------------------------------------------------------------


async def test_spec_files_of_a_folder(repository, cache):
    repository.write(specs__team__hidden="x")
    (repository.path / "specs" / "team" / "hidden.yaml").rename(repository.path / "specs" / ".hidden.yaml")
    (repository.path / "specs" / "README.md").write_text("x")
    commit = repository.commit()
    found = await source(repository, cache).snapshot()
    assert found.files == {"a.yaml": b"a1", "team/b.yaml": b"b1"}
    assert found.problems == ()
    assert found.revision == f"main@sha1:{commit}"
    assert found.uri == f"{repository.url}@main//specs"


async def test_one_file(repository, cache):
    found = await source(repository, cache, "@main//specs/team/b.yaml").snapshot()
    assert found.files == {"b.yaml": b"b1"}


async def test_the_default_branch_is_named(repository, cache):
    found = await source(repository, cache, "").snapshot()
    assert found.files.keys() == {"specs/a.yaml", "specs/team/b.yaml", "other.yaml"}
    assert found.revision == f"main@sha1:{repository.git('rev-parse', 'HEAD')}"


async def test_every_kind_of_ref(repository, cache):
    first = repository.git("rev-parse", "HEAD")
    repository.tag("v1")
    repository.git("tag", "light")
    repository.git("branch", "feature/x")
    repository.commit(specs__a="a2")
    for ref, name in (
        ("v1", "v1@"),
        ("light", "light@"),
        ("feature/x", "feature/x@"),
        ("refs/heads/feature/x", "feature/x@"),
        ("refs/tags/v1", "v1@"),
        (first, ""),
    ):
        found = await source(repository, cache, f"@{ref}//specs").snapshot()
        assert found.files["a.yaml"] == b"a1", ref
        assert found.revision == f"{name}sha1:{first}"
    assert (await source(repository, cache, "@main//specs").snapshot()).files["a.yaml"] == b"a2"


async def test_a_repository_with_longer_ids(tmp_path, cache):
    repository = Repository.make(tmp_path / "long", form="sha256")
    commit = repository.commit(specs__a="a1")
    found = await source(repository, cache).snapshot()
    assert (found.files, found.revision) == ({"a.yaml": b"a1"}, f"main@sha256:{commit}")


async def test_a_clone_of_depth_one_can_be_read(repository, cache, tmp_path):
    repository.commit(specs__a="a2")
    run("git", "clone", "-q", "--depth=1", f"file://{repository.path}", tmp_path / "shallow")
    found = await source(Repository(tmp_path / "shallow"), cache).snapshot()
    assert found.files["a.yaml"] == b"a2"


async def test_what_a_server_calls_its_default_branch_is_not_repeated_unseen(repository, cache, monkeypatch):
    commit = repository.git("rev-parse", "HEAD")
    real = Git.call

    async def call(self, *arguments):
        if arguments[0] != "ls-remote":
            return await real(self, *arguments)
        return f"ref: refs/heads/\x1b[2J\tHEAD\nnoise\n{commit}\tHEAD\n{commit}\trefs/heads/HEAD\nx\tHEAD\n".encode()

    monkeypatch.setattr(Git, "call", call)
    found = await source(repository, cache, "").snapshot()
    assert found.revision == f"HEAD@sha1:{commit}"


async def test_a_new_commit_is_a_new_revision(repository, cache):
    one = source(repository, cache)
    await one.snapshot()
    (repository.path / "specs" / "a.yaml").unlink()
    commit = repository.commit(specs__c="c1")
    found = await one.snapshot()
    assert found.files == {"team/b.yaml": b"b1", "c.yaml": b"c1"}
    assert found.revision == f"main@sha1:{commit}"


async def test_an_unchanged_ref_costs_one_question(repository, cache, calls):
    one = source(repository, cache)
    first = await one.snapshot()
    assert calls == ["ls-remote", "fetch"]
    calls.clear()
    assert await one.snapshot() is first
    assert calls == ["ls-remote"]


async def test_after_a_restart_nothing_is_fetched_again(repository, cache, calls):
    first = await source(repository, cache).snapshot()
    calls.clear()
    assert await source(repository, cache).snapshot() == first
    assert calls == ["ls-remote"]


async def test_a_commit_id_is_fetched_once_and_then_asked_of_nobody(repository, cache, calls):
    one = source(repository, cache, f"@{repository.git('rev-parse', 'HEAD')}//specs")
    first = await one.snapshot()
    assert calls == ["fetch"]
    calls.clear()
    shutil.rmtree(repository.path)
    assert await one.snapshot() is first
    assert calls == []


async def test_the_first_fetch_is_one_commit_deep(repository, cache):
    for number in range(5):
        repository.commit(specs__a=str(number))
    one = source(repository, cache)
    await one.snapshot()
    (copy,) = cache.glob("*.git")
    tip = repository.git("rev-parse", "HEAD")
    assert run("git", f"--git-dir={copy}", "rev-list", "--count", tip).strip() == b"1"


async def test_an_empty_folder_is_an_empty_revision(repository, cache):
    repository.write(specs__a="x")
    repository.git("rm", "-rq", "--cached", "specs")
    shutil.rmtree(repository.path / "specs")
    (repository.path / "specs").mkdir()
    (repository.path / "specs" / "README.md").write_text("x")
    repository.commit()
    assert (await source(repository, cache).snapshot()).files == {}


# Findings about one file
# ----------------------------------------------------------------------------------------------------------------------


async def test_links_are_not_followed(repository, cache):
    specs = repository.path / "specs"
    (specs / "passwd.yaml").symlink_to("/etc/passwd")
    (specs / "near.yaml").symlink_to("a.yaml")
    (specs / "team" / "up.yml").symlink_to("../../other.yaml")
    (specs / "folder").symlink_to("/etc")
    repository.commit()
    found = await source(repository, cache).snapshot()
    assert found.files.keys() == {"a.yaml", "team/b.yaml"}
    why = "is a symbolic link, which is not followed in a git source"
    assert findings(found) == {"passwd.yaml": why, "near.yaml": why, "team/up.yml": why}


async def test_submodules_are_not_read(repository, cache, tmp_path):
    inner = Repository.make(tmp_path / "inner")
    inner.commit(secret="x")
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.path), "specs/inner")
    repository.commit()
    found = await source(repository, cache).snapshot()
    assert found.files.keys() == {"a.yaml", "team/b.yaml"}
    ((at, severity),) = [(one.at.file, one.severity) for one in found.problems]
    assert (at, severity) == ("inner", Severity.WARNING)


async def test_large_files_are_not_read(repository, cache):
    repository.commit(specs__large="x" * (LARGEST_FILE + 1), specs__fits="x" * LARGEST_FILE)
    found = await source(repository, cache).snapshot()
    assert len(found.files["fits.yaml"]) == LARGEST_FILE
    assert [(one.at.file, one.code) for one in found.problems] == [("large.yaml", Code.FILE_TOO_LARGE)]


async def test_names_that_no_terminal_should_see(repository, cache):
    for name in (b"line\nbreak.yaml", b"clear\x1b[2J.yaml", b"latin\xe9.yaml", "bidi\u202e.yaml".encode()):
        (repository.path / "specs" / os.fsdecode(name)).write_text("x")
    repository.commit()
    found = await source(repository, cache).snapshot()
    assert found.files.keys() == {"a.yaml", "team/b.yaml"}
    assert len(found.problems) == 4
    for one in found.problems:
        assert one.at.file.isprintable()
        assert one.message == "is not read: its name has characters that cannot be printed"


async def test_two_names_that_look_the_same(repository, cache):
    for name in ("caf\u00e9.yaml", "cafe\u0301.yaml"):
        (repository.path / "specs" / name).write_text("x")
    repository.commit()
    found = await source(repository, cache).snapshot()
    assert found.files.keys() == {"a.yaml", "team/b.yaml"}
    assert len(found.problems) == 2


async def test_contents_come_as_they_were_committed(repository, cache):
    (repository.path / ".gitattributes").write_text("*.yaml text eol=crlf filter=evil working-tree-encoding=UTF-16\n")
    repository.git("config", "filter.evil.smudge", "touch /tmp/evil-ran")
    raw = {"a.yaml": b"one\ntwo\r\n\0\xff", "empty.yaml": b"", "end.yaml": b"\n"}
    for name, content in raw.items():
        oid = run("git", "-C", repository.path, "hash-object", "-w", "--stdin", stdin=content).decode().strip()
        repository.git("update-index", "--add", "--cacheinfo", f"100644,{oid},specs/{name}")
    repository.git("commit", "-q", "-m", "raw")
    found = await source(repository, cache).snapshot()
    assert {name: found.files[name] for name in raw} == raw


# Errors: never an empty revision
# ----------------------------------------------------------------------------------------------------------------------


async def test_what_does_not_exist_is_an_error(repository, cache):
    repository.git("branch", "twice")
    repository.git("tag", "twice")
    (repository.path / "link").symlink_to("specs")
    repository.commit()
    for rest, why in (
        ("@main//nowhere", "does not exist in this commit"),
        ("@main//specs/a.yam", "does not exist in this commit"),
        ("@main//link", "symbolic link"),
        ("@nobody//specs", "has no branch, tag or full commit id nobody"),
        (f"@{repository.git('rev-parse', '--short=7', 'HEAD')}", "has no branch, tag or full commit id"),
        ("@twice//specs", "is a branch and a tag"),
        (f"@{'0' * 40}//specs", "only branches and tags can be named"),
        (f"@{repository.git('rev-parse', 'HEAD:specs')}//specs", "which is no commit"),
    ):
        with pytest.raises(ControllerError, match=why) as raised:
            await source(repository, cache, rest).snapshot()
        assert raised.value.reason is Reason.SOURCE_UNREADABLE


async def test_an_empty_repository_is_an_error(tmp_path, cache):
    with pytest.raises(ControllerError, match="has no commit yet"):
        await source(Repository.make(tmp_path / "empty"), cache, "").snapshot()


async def test_an_unreachable_repository_is_an_error_until_it_is_back(repository, cache):
    one = source(repository, cache)
    first = await one.snapshot()
    repository.path.rename(repository.path.with_name("away"))
    with pytest.raises(ControllerError, match="does not appear to be a git repository"):
        await one.snapshot()
    with pytest.raises(ControllerError):
        await source(repository, cache).snapshot()  # nor does a fresh start take the copy for the truth
    repository.path.with_name("away").rename(repository.path)
    assert await one.snapshot() is first


async def test_a_listing_without_end_is_an_error(repository, cache, monkeypatch):
    monkeypatch.setattr("controller.sources.git_process.MOST_OUTPUT", 100)
    with pytest.raises(ControllerError, match="says more than 100 bytes"):
        await source(repository, cache).snapshot()


async def test_a_source_that_is_none_is_an_error(repository, cache, monkeypatch):
    monkeypatch.setattr("controller.sources.names.MOST_FILES", 1)
    with pytest.raises(Stalled, match="holds 2 spec files"):
        await source(repository, cache).snapshot()


# History
# ----------------------------------------------------------------------------------------------------------------------


async def test_a_branch_that_was_rewound_is_refused(repository, cache):
    second = repository.commit(specs__a="a2")
    one = source(repository, cache)
    await one.snapshot()
    repository.git("reset", "-q", "--hard", "HEAD~1")
    for again in (one, one, source(repository, cache)):
        with pytest.raises(Stalled, match=f"does not descend from {second}") as raised:
            await again.snapshot()
        assert raised.value.reason is Reason.SOURCE_REWOUND
    repository.git("reset", "-q", "--hard", second)
    third = repository.commit(specs__a="a3")
    assert (await one.snapshot()).revision == f"main@sha1:{third}"


async def test_a_branch_that_was_rewritten_is_refused(repository, cache):
    one = source(repository, cache)
    await one.snapshot()
    repository.git("commit", "-q", "--amend", "-m", "amended")
    repository.commit(specs__a="a2")
    with pytest.raises(Stalled, match="rewound or rewritten"):
        await one.snapshot()


async def test_a_refused_tip_is_not_fetched_at_every_look(repository, cache, calls):
    repository.commit(specs__a="a2")
    one = source(repository, cache)
    await one.snapshot()
    repository.git("reset", "-q", "--hard", "HEAD~1")
    repository.commit(specs__a="a3")
    with pytest.raises(Stalled):
        await one.snapshot()
    calls.clear()
    with pytest.raises(Stalled):
        await one.snapshot()
    assert calls == ["ls-remote"]


async def test_a_rewind_is_taken_where_that_is_allowed(repository, cache):
    repository.commit(specs__a="a2")
    one = source(repository, cache, allow_rewind=True)
    await one.snapshot()
    repository.git("reset", "-q", "--hard", "HEAD~1")
    assert (await one.snapshot()).files["a.yaml"] == b"a1"


async def test_merges_are_ahead(repository, cache):
    """The side branch began before the first commit that was fetched, so the copy has a gap there."""
    repository.git("branch", "side")
    repository.commit(specs__a="a2")
    one = source(repository, cache)
    await one.snapshot()
    repository.git("checkout", "-q", "side")
    repository.commit(specs__c="c1")
    repository.git("checkout", "-q", "main")
    repository.commit(specs__a="a3")
    repository.git("merge", "-q", "--no-edit", "side")
    found = await one.snapshot()
    assert found.files == {"a.yaml": b"a3", "team/b.yaml": b"b1", "c.yaml": b"c1"}


async def test_history_that_was_cut_off_is_brought_before_a_refusal(repository, cache):
    one = source(repository, cache)
    await one.snapshot()
    repository.commit(specs__a="a2")
    deep = repository.commit(specs__a="a3")
    await source(repository, cache, allow_rewind=True)._fetched(await one._tip(), None)  # one commit deep
    assert (await one.snapshot()).revision == f"main@sha1:{deep}"


async def test_a_moved_tag_is_a_rewind_or_an_advance(repository, cache):
    first = repository.git("rev-parse", "HEAD")
    second = repository.commit(specs__a="a2")
    repository.git("tag", "prod", first)
    one = source(repository, cache, "@prod//specs")
    await one.snapshot()
    repository.git("tag", "-f", "prod", second)
    assert (await one.snapshot()).files["a.yaml"] == b"a2"
    repository.git("tag", "-f", "prod", first)
    with pytest.raises(Stalled):
        await one.snapshot()


async def test_what_could_not_be_read_is_not_what_a_rewind_is_measured_by(repository, cache):
    one = source(repository, cache)
    await one.snapshot()
    good = repository.git("rev-parse", "HEAD")
    repository.git("mv", "specs", "elsewhere")
    repository.commit()
    with pytest.raises(ControllerError, match="does not exist in this commit"):
        await one.snapshot()
    repository.git("reset", "-q", "--hard", good)
    assert (await one.snapshot()).revision == f"main@sha1:{good}"


# Signatures
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ada(tmp_path: Path) -> Signer:
    return Signer.make(tmp_path, "ada@example.com")


@pytest.fixture
def mallory(tmp_path: Path) -> Signer:
    return Signer.make(tmp_path, "mallory@example.com")


@pytest.fixture
def allowed(tmp_path: Path, ada: Signer) -> Path:
    path = tmp_path / "allowed signers"
    path.write_text(ada.allowed)
    return path


async def refused(one: GitSource) -> str:
    with pytest.raises(Stalled) as raised:
        await one.snapshot()
    assert raised.value.reason is Reason.SOURCE_UNVERIFIED
    return raised.value.message


async def test_a_signed_commit_is_taken(repository, cache, ada, allowed):
    commit = repository.commit(signer=ada, specs__a="a2")
    one = source(repository, cache, allowed_signers=allowed)
    assert (await one.snapshot()).revision == f"main@sha1:{commit}"
    assert one.signer == "ada@example.com"


async def test_an_unsigned_commit_is_refused_and_the_last_one_stands(repository, cache, ada, allowed):
    repository.commit(signer=ada, specs__a="a2")
    one = source(repository, cache, allowed_signers=allowed)
    await one.snapshot()
    unsigned = repository.commit(specs__a="a3")
    assert f"commit {unsigned} is not signed" in await refused(one)
    assert one.signer == "ada@example.com"
    signed = repository.commit(signer=ada)
    found = await one.snapshot()
    assert (found.revision, found.files["a.yaml"]) == (f"main@sha1:{signed}", b"a3")


async def test_a_commit_that_somebody_else_signed_is_refused(repository, cache, mallory, allowed):
    repository.commit(signer=mallory, specs__a="a2")
    assert "is signed by a key that is not in allowed signers" in await refused(
        source(repository, cache, allowed_signers=allowed)
    )


async def test_a_signature_of_another_content_is_refused(repository, cache, ada, allowed):
    repository.commit("harmless", signer=ada, specs__a="a2")
    signed = run("git", "-C", repository.path, "cat-file", "commit", "HEAD")
    repository.raw_commit(signed.replace(b"harmless", b"harmful!"))
    assert "has a signature that does not hold" in await refused(source(repository, cache, allowed_signers=allowed))


async def test_a_signature_of_openpgp_vouches_for_nothing(repository, cache, allowed):
    plain = run("git", "-C", repository.path, "cat-file", "commit", "HEAD")
    header, _, message = plain.partition(b"\n\n")
    block = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQEz\n -----END PGP SIGNATURE-----"
    repository.raw_commit(header + b"\n" + block + b"\n\n" + message)
    await refused(source(repository, cache, allowed_signers=allowed))


async def test_a_key_counts_only_for_commits_and_only_in_its_time(repository, cache, ada, tmp_path):
    repository.commit(signer=ada, specs__a="a2")
    kind_and_key = ada.allowed.split(" ", 2)[2]
    for options in ('namespaces="file"', 'valid-before="20200101"', "cert-authority"):
        path = tmp_path / "signers"
        path.write_text(f"{ada.name} {options} {kind_and_key}")
        await refused(source(repository, cache, allowed_signers=path))
    path.write_text(f'{ada.name} namespaces="git",valid-after="20200101" {kind_and_key}')
    await source(repository, cache, allowed_signers=path).snapshot()


async def test_a_signed_tag_vouches_for_its_commit_under_its_own_name_only(repository, cache, ada, mallory, allowed):
    repository.tag("v1", signer=ada)
    repository.tag("v2", signer=mallory)
    repository.tag("v3")
    one = source(repository, cache, "@v1//specs", allowed_signers=allowed)
    await one.snapshot()
    assert one.signer == "ada@example.com"
    assert "tag" in await refused(source(repository, cache, "@v2//specs", allowed_signers=allowed))
    assert "is not signed" in await refused(source(repository, cache, "@v3//specs", allowed_signers=allowed))
    repository.git("update-ref", "refs/tags/v4", repository.git("rev-parse", "v1"))
    assert "is not signed" in await refused(source(repository, cache, "@v4//specs", allowed_signers=allowed))


async def test_what_was_read_before_signatures_were_asked_for_is_asked_again(repository, cache, allowed):
    await source(repository, cache).snapshot()
    assert "is not signed" in await refused(source(repository, cache, allowed_signers=allowed))


async def test_without_the_file_of_signers_nothing_is_taken(repository, cache, ada, tmp_path):
    repository.commit(signer=ada)
    with pytest.raises(ControllerError, match="does not exist") as raised:
        await source(repository, cache, allowed_signers=tmp_path / "nowhere").snapshot()
    assert raised.value.reason is Reason.NOT_CONFIGURED


async def test_an_empty_file_of_signers_allows_nobody(repository, cache, ada, tmp_path):
    repository.commit(signer=ada)
    (tmp_path / "signers").write_text("# nobody\n")
    await refused(source(repository, cache, allowed_signers=tmp_path / "signers"))


# The copy
# ----------------------------------------------------------------------------------------------------------------------


async def test_a_copy_that_a_killed_process_left_locked_is_made_anew(repository, cache):
    await source(repository, cache).snapshot()
    (copy,) = cache.glob("*.git")
    (copy / "shallow.lock").touch()
    for lock in [path.with_name(f"{path.name}.lock") for path in (copy / "refs" / "controller").iterdir()]:
        lock.touch()
    repository.commit(specs__a="a2")
    assert (await source(repository, cache).snapshot()).files["a.yaml"] == b"a2"


def damage(copy: Path, what: str) -> None:
    match what:
        case "nothing":
            shutil.rmtree(copy)
        case "no HEAD":
            (copy / "HEAD").unlink()
        case "no objects":
            shutil.rmtree(copy / "objects")
        case "empty objects":
            for path in copy.glob("objects/*/*"):
                path.chmod(0o600)
                path.write_bytes(b"")
        case "other objects":
            for path in copy.glob("objects/??/*"):
                path.chmod(0o600)
                path.write_bytes(path.read_bytes()[::-1])
        case "a strange ref":
            for path in (copy / "refs" / "controller").iterdir():
                path.write_text("?")


DAMAGES = ["nothing", "no HEAD", "no objects", "empty objects", "other objects", "a strange ref"]


@pytest.mark.parametrize("what", DAMAGES)
@pytest.mark.parametrize("moved", [False, True])
async def test_a_broken_copy_is_made_anew(repository, cache, what, moved):
    repository.commit(specs__a="a2")
    await source(repository, cache).snapshot()
    (copy,) = cache.glob("*.git")
    damage(copy, what)
    if moved:
        repository.commit(specs__a="a3")
    assert (await source(repository, cache).snapshot()).files["a.yaml"] == (b"a3" if moved else b"a2")


@pytest.mark.parametrize("what", DAMAGES)
async def test_what_was_admitted_outlives_the_copy(repository, cache, what):
    repository.commit(specs__a="a2")
    await source(repository, cache).snapshot()
    (copy,) = cache.glob("*.git")
    damage(copy, what)
    repository.git("reset", "-q", "--hard", "HEAD~1")
    with pytest.raises(Stalled, match="rewound"):
        await source(repository, cache).snapshot()


async def test_a_cache_that_was_lost_trusts_what_comes_next(repository, cache):
    repository.commit(specs__a="a2")
    await source(repository, cache).snapshot()
    shutil.rmtree(cache)
    repository.git("reset", "-q", "--hard", "HEAD~1")
    assert (await source(repository, cache).snapshot()).files["a.yaml"] == b"a1"


async def test_a_memory_that_cannot_be_read_is_none(repository, cache):
    await source(repository, cache).snapshot()
    (memory,) = cache.glob("*.admitted")
    memory.write_bytes(b"\xff\0" * 20)
    repository.git("commit", "-q", "--amend", "-m", "amended")
    await source(repository, cache).snapshot()
    assert memory.read_text().strip() == repository.git("rev-parse", "HEAD")


async def test_a_cache_that_others_may_write_is_refused(repository, cache):
    cache.mkdir()
    cache.chmod(0o777)
    with pytest.raises(ControllerError, match="others may write") as raised:
        await source(repository, cache).snapshot()
    assert raised.value.reason is Reason.NOT_CONFIGURED


async def test_a_cache_that_cannot_be_made_is_said(repository, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ControllerError, match="cannot be used") as raised:
        await source(repository, tmp_path / "file" / "cache").snapshot()
    assert raised.value.reason is Reason.NOT_CONFIGURED


async def test_nobody_else_can_read_the_cache(repository, cache):
    await source(repository, cache).snapshot()
    assert cache.stat().st_mode & 0o777 == 0o700


async def test_several_sources_share_a_copy(repository, cache):
    one = [source(repository, cache, rest) for rest in ("@main//specs", "@main//specs", "@main", "//specs/team")]
    found = await asyncio.gather(*(each.snapshot() for each in one))
    assert [len(each.files) for each in found] == [2, 2, 3, 1]
    assert len(list(cache.glob("*.git"))) == 1


async def test_whoever_holds_the_copy_too_long_is_told_about(repository, cache, monkeypatch):
    monkeypatch.setattr(git_cache, "LOCK_PATIENCE", 0.0)
    one = source(repository, cache)
    await one.snapshot()
    repository.commit()
    (lock,) = cache.glob("*.lock")
    async with git_cache.alone(lock):
        with pytest.raises(Transient, match="another process holds"):
            await one.snapshot()
    await one.snapshot()


async def test_hooks_of_the_copy_do_not_run(repository, cache, tmp_path):
    await source(repository, cache).snapshot()
    (copy,) = cache.glob("*.git")
    hook = copy / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o700)
    repository.commit(specs__a="a2")
    await source(repository, cache).snapshot()
    assert not (tmp_path / "ran").exists()
