"""The files source: one state, whole; what is wrong with a file is a finding about that file alone."""

import os
import shutil
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from controller.core.diagnostics import Code
from controller.errors import ControllerError, Transient
from controller.reasons import Reason
from controller.sources import files
from controller.sources.files import FilesSource
from controller.sources.snapshot import LARGEST_FILE, Snapshot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "specs").mkdir()
    return tmp_path / "specs"


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


async def read(path: Path) -> Snapshot:
    return await FilesSource(path).snapshot()


def problems(found: Snapshot) -> dict[str, str]:
    """File → what is wrong with it."""
    return {one.at.file: one.message for one in found.problems}


# What is read
# ----------------------------------------------------------------------------------------------------------------------


async def test_yaml_files_of_a_folder_and_its_folders(folder: Path) -> None:
    write(folder / "b.yaml", "1")
    write(folder / "a.yml", "2")
    write(folder / "team" / "deep" / "c.yaml", "3")
    write(folder / "README.md")
    write(folder / "values.yaml.bak")
    found = await read(folder)
    assert found.files == {"a.yml": b"2", "b.yaml": b"1", "team/deep/c.yaml": b"3"}
    assert list(found.files) == sorted(found.files)
    assert found.problems == ()
    assert found.uri == str(folder)


async def test_a_named_file_may_be_called_anything(folder: Path) -> None:
    write(folder / "other.yaml")
    found = await read(write(folder / "spec.txt", "1"))
    assert found.files == {"spec.txt": b"1"}


async def test_hidden_files_and_folders_are_left_out(folder: Path) -> None:
    write(folder / ".a.yaml")
    write(folder / ".git" / "b.yaml")
    write(folder / "c.yaml")
    found = await read(folder)
    assert (set(found.files), found.problems) == ({"c.yaml"}, ())


async def test_a_hidden_root_is_no_hidden_folder(tmp_path: Path) -> None:
    write(tmp_path / ".specs" / "a.yaml")
    assert set((await read(tmp_path / ".specs")).files) == {"a.yaml"}


async def test_an_empty_folder_is_an_empty_revision_and_no_error(folder: Path) -> None:
    found = await read(folder)
    assert (found.files, found.problems) == ({}, ())


async def test_the_revision_names_the_content(folder: Path) -> None:
    write(folder / "a.yaml", "1")
    first = (await read(folder)).revision
    os.utime(folder / "a.yaml", (1, 1))
    assert (await read(folder)).revision == first
    write(folder / "a.yaml", "2")
    assert (await read(folder)).revision != first


@pytest.mark.parametrize("name", ["nothing", "nothing.yaml"])
async def test_a_path_that_does_not_exist_is_an_error(folder: Path, name: str) -> None:
    with pytest.raises(ControllerError, match="does not exist") as caught:
        await read(folder / name)
    assert caught.value.reason is Reason.SOURCE_UNREADABLE


# Symlinks
# ----------------------------------------------------------------------------------------------------------------------


def mounted(folder: Path, version: str, **contents: str) -> None:
    """As the kubelet writes a ConfigMap: a new folder of its own, then `..data` is swapped by a rename."""
    for name, text in contents.items():
        write(folder / f"..{version}" / f"{name}.yaml", text)
        write(folder / f"..{version}" / "team" / f"{name}.yaml", text)
    (folder / "..data_tmp").symlink_to(f"..{version}")
    (folder / "..data_tmp").rename(folder / "..data")
    for name in contents:
        if not (folder / f"{name}.yaml").is_symlink():
            (folder / f"{name}.yaml").symlink_to(f"..data/{name}.yaml")
    if not (folder / "team").is_symlink():
        (folder / "team").symlink_to("..data/team")


async def test_a_kubernetes_mount_is_read_through_its_links(folder: Path) -> None:
    mounted(folder, "2026_01_01", bert="1", whisper="2")
    found = await read(folder)
    assert found.problems == ()
    assert found.files == {"bert.yaml": b"1", "whisper.yaml": b"2", "team/bert.yaml": b"1", "team/whisper.yaml": b"2"}
    mounted(folder, "2026_01_02", bert="3", whisper="4")
    assert (await read(folder)).files["team/bert.yaml"] == b"3"


async def test_one_file_of_a_kubernetes_mount(folder: Path) -> None:
    mounted(folder, "2026_01_01", bert="1")
    assert (await read(folder / "bert.yaml")).files == {"bert.yaml": b"1"}


async def test_links_out_of_the_source_are_not_followed(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "secret.yaml")
    write(tmp_path / "elsewhere" / "a.yaml")
    write(folder / "good.yaml")
    (folder / "file.yaml").symlink_to("../secret.yaml")
    (folder / "folder").symlink_to("../elsewhere")
    (folder / "chain.yaml").symlink_to("file.yaml")
    found = await read(folder)
    assert set(found.files) == {"good.yaml"}
    why = "is a symbolic link out of the source, which is not followed"
    assert problems(found) == dict.fromkeys(("file.yaml", "folder", "chain.yaml"), why)


async def test_a_sibling_whose_name_begins_alike_is_outside(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "specs-old" / "a.yaml")
    (folder / "old").symlink_to("../specs-old")
    assert set(problems(await read(folder))) == {"old"}


async def test_a_link_that_leads_nowhere_or_round_is_a_finding(folder: Path) -> None:
    (folder / "round.yaml").symlink_to("round.yaml")
    (folder / "gone.yaml").symlink_to("nothing.yaml")
    (folder / "gone").symlink_to("nothing")
    (folder / "gone.log").symlink_to("nothing.log")
    write(folder / "team" / "a.yaml")
    (folder / "team" / "up").symlink_to("..")
    found = await read(folder)
    assert set(found.files) == {"team/a.yaml"}
    assert set(problems(found)) == {"round.yaml", "gone.yaml", "gone", "team/up"}


async def test_the_source_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    write(folder / "a.yaml")
    (folder / "b.yaml").symlink_to("a.yaml")
    (tmp_path / "current").symlink_to("specs")
    found = await read(tmp_path / "current")
    assert (set(found.files), found.problems) == ({"a.yaml", "b.yaml"}, ())


# What is refused
# ----------------------------------------------------------------------------------------------------------------------


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero, which never ends
    except PermissionError:
        pytest.skip("only root makes devices")


@pytest.mark.parametrize("make", [fifo, unix_socket, device])
async def test_what_is_no_file_is_a_finding_and_is_not_waited_for(
    folder: Path, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "good.yaml")
    monkeypatch.chdir(folder)  # the name of a socket is short
    make(Path("odd.yaml"))
    found = await read(folder)
    assert set(found.files) == {"good.yaml"}
    assert [(one.at.file, one.code) for one in found.problems] == [("odd.yaml", Code.UNREADABLE_FILE)]


async def test_a_file_over_the_limit_is_a_finding_and_one_at_the_limit_is_read(folder: Path) -> None:
    (folder / "at.yaml").write_bytes(b"#" * LARGEST_FILE)
    (folder / "over.yaml").write_bytes(b"#" * (LARGEST_FILE + 1))
    found = await read(folder)
    assert set(found.files) == {"at.yaml"}
    assert [(one.at.file, one.code) for one in found.problems] == [("over.yaml", Code.FILE_TOO_LARGE)]


async def test_an_unreadable_file_is_a_finding(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "good.yaml")
    write(folder / "closed.yaml").chmod(0)
    opened = os.open

    def refusing(path: Any, flags: int, *more: Any) -> int:
        if Path(path).name == "closed.yaml":  # root reads everything, so the refusal is played
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, *more)

    monkeypatch.setattr(os, "open", refusing)
    found = await read(folder)
    assert set(found.files) == {"good.yaml"}
    assert problems(found) == {"closed.yaml": "cannot be read: Permission denied"}


async def test_a_folder_that_cannot_be_listed_is_no_revision(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "a.yaml")
    write(folder / "closed" / "b.yaml")
    listed = os.scandir

    def refusing(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(ControllerError, match="cannot be listed: Permission denied"):
        await read(folder)


async def test_a_name_that_is_no_text_is_a_finding(folder: Path) -> None:
    write(folder / "good.yaml")
    write(Path(os.fsdecode(os.fsencode(folder) + b"/b\xffd.yaml")))
    found = await read(folder)
    assert set(found.files) == {"good.yaml"}
    assert problems(found) == {"b\\xffd.yaml": "has a name that is not UTF-8"}


# One state
# ----------------------------------------------------------------------------------------------------------------------


def writing_while_read(monkeypatch: pytest.MonkeyPatch, write_next: Callable[[int], None], *, times: int) -> list[str]:
    """Has `write_next` run after each of the first reads of a file; the names that were read."""
    readings: list[str] = []
    plain = files._read

    def reading(path: Path, root: Path) -> bytes:
        content = plain(path, root)
        readings.append(path.name)
        if len(readings) <= times:
            write_next(len(readings))
        return content

    monkeypatch.setattr(files, "_read", reading)
    monkeypatch.setattr(files, "PAUSE", 0.0)
    return readings


async def test_a_folder_that_changes_while_it_is_read_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted(folder, "1", bert="old", whisper="old")
    writing_while_read(monkeypatch, lambda _: mounted(folder, "2", bert="new", whisper="new"), times=1)
    assert set((await read(folder)).files.values()) == {b"new"}


async def test_a_file_that_is_taken_away_while_others_are_read_is_not_half_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        write(folder / f"{name}.yaml")
    writing_while_read(monkeypatch, lambda _: (folder / "c.yaml").unlink(), times=1)
    found = await read(folder)
    assert (set(found.files), found.problems) == ({"a.yaml", "b.yaml"}, ())


async def test_a_folder_that_never_stands_still_is_no_revision(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "a.yaml")
    write(folder / "b.yaml")
    writing_while_read(monkeypatch, lambda n: void(write(folder / "b.yaml", "x" * n)), times=1000)
    with pytest.raises(Transient, match="changes all the time") as caught:
        await read(folder)
    assert caught.value.reason is Reason.SOURCE_UNREADABLE


def there(path: Path) -> bool:
    return path.exists()


def void(_: object) -> None:
    """For a lambda that answers nothing."""


# Changes
# ----------------------------------------------------------------------------------------------------------------------

FLOOR = 3600.0
"""A poll so rare that what is noticed was not noticed by it."""


async def told(changes: AsyncIterator[None]) -> None:
    """The next word of a change; the test's own time limit ends a wait in vain."""
    await anext(changes)


async def seen(changes: AsyncIterator[None], source: FilesSource, wanted: dict[str, bytes]) -> None:
    """Follow changes until they have brought this content."""
    while True:
        await told(changes)
        try:
            found = await source.snapshot()
        except ControllerError:
            continue
        if found.files == wanted:
            return


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GATHER_MS", 50)
    monkeypatch.setattr(files, "LOOK_MS", 50)


def test_a_change_is_told_within_a_second() -> None:
    """From the last write: gathering, or a look at the path where nothing was notified."""
    assert files.GATHER_MS + files.QUIET_MS < 1000
    assert files.LOOK_MS + files.GATHER_MS < 1000


@pytest.mark.usefixtures("quick")
async def test_a_word_at_once_and_for_every_kind_of_change(folder: Path) -> None:
    source = FilesSource(folder, poll=FLOOR)
    async with aclosing(source.changes()) as changes:
        await told(changes)
        write(folder / "a.yaml", "1")
        await seen(changes, source, {"a.yaml": b"1"})
        write(folder / "team" / "b.yaml", "2")
        await seen(changes, source, {"a.yaml": b"1", "team/b.yaml": b"2"})
        write(folder / ".new", "3").rename(folder / "a.yaml")
        await seen(changes, source, {"a.yaml": b"3", "team/b.yaml": b"2"})
        shutil.rmtree(folder / "team")
        await seen(changes, source, {"a.yaml": b"3"})
        (folder / "a.yaml").unlink()
        await seen(changes, source, {})


@pytest.mark.usefixtures("quick")
async def test_what_is_written_before_the_first_read_is_not_missed(folder: Path) -> None:
    source = FilesSource(folder, poll=FLOOR)
    async with aclosing(source.changes()) as changes:
        await told(changes)
        assert (await source.snapshot()).files == {}
        write(folder / "a.yaml", "1")
        await seen(changes, source, {"a.yaml": b"1"})


@pytest.mark.usefixtures("quick")
async def test_the_swap_of_a_kubernetes_mount_is_noticed(folder: Path) -> None:
    mounted(folder, "1", bert="1")
    source, one = FilesSource(folder, poll=FLOOR), FilesSource(folder / "bert.yaml", poll=FLOOR)
    async with aclosing(source.changes()) as changes, aclosing(one.changes()) as of_one:
        await told(changes)
        await told(of_one)
        for version in ("2", "3"):
            mounted(folder, version, bert=version)
            content = version.encode()
            await seen(changes, source, {"bert.yaml": content, "team/bert.yaml": content})
            await seen(of_one, one, {"bert.yaml": content})


@pytest.mark.usefixtures("quick")
async def test_a_source_that_is_swapped_as_a_whole_goes_on_being_followed(tmp_path: Path) -> None:
    """As git-sync does: `current` points to one worktree, then to the next, and the old one is removed."""
    current = tmp_path / "current"
    write(tmp_path / "1" / "a.yaml", "1")
    current.symlink_to("1")
    source = FilesSource(current, poll=FLOOR)
    async with aclosing(source.changes()) as changes:
        await told(changes)
        for version in ("2", "3"):
            write(tmp_path / version / "a.yaml", version)
            (tmp_path / "next").symlink_to(version)
            (tmp_path / "next").rename(current)
            shutil.rmtree(tmp_path / str(int(version) - 1))
            await seen(changes, source, {"a.yaml": version.encode()})
            write(current / "b.yaml", version)
            await seen(changes, source, {"a.yaml": version.encode(), "b.yaml": version.encode()})


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("relative", [False, True])
async def test_a_source_that_goes_and_comes_back_is_followed_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, relative: bool
) -> None:
    monkeypatch.chdir(folder.parent)
    write(folder / "a.yaml", "1")
    source = FilesSource(Path(folder.name) if relative else folder, poll=FLOOR)
    async with aclosing(source.changes()) as changes:
        await told(changes)
        shutil.rmtree(folder)
        await told(changes)
        while there(folder):
            await told(changes)
        write(folder / "a.yaml", "2")
        await seen(changes, source, {"a.yaml": b"2"})
        write(folder / "a.yaml", "3")
        await seen(changes, source, {"a.yaml": b"3"})


@pytest.mark.usefixtures("quick")
async def test_a_source_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    source = FilesSource(tmp_path / "specs", poll=FLOOR)
    async with aclosing(source.changes()) as changes:
        await told(changes)
        write(tmp_path / "specs" / "a.yaml", "1")
        await seen(changes, source, {"a.yaml": b"1"})
        write(tmp_path / "specs" / "a.yaml", "2")
        await seen(changes, source, {"a.yaml": b"2"})


@pytest.mark.usefixtures("quick")
async def test_the_poll_is_the_floor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any notification, as on a network file system."""

    async def deaf(*_: Any, **__: Any) -> AsyncIterator[set[Any]]:
        for _ in range(3):
            yield set()

    monkeypatch.setattr(files, "awatch", deaf)
    source = FilesSource(folder, poll=0.0)
    async with aclosing(source.changes()) as changes:
        for _ in range(3):
            await told(changes)


def test_what_git_does_to_itself_is_of_no_interest() -> None:
    added = files.Change.added
    assert not files._of_interest({(added, "/r/.git/objects/1"), (added, "/r/.git")}, "/r")
    assert files._of_interest({(added, "/r/.git/objects/1"), (added, "/r/a.yaml")}, "/r")
    assert files._of_interest({(added, "/x/.git/r/a.yaml")}, "/x/.git/r")
    assert not files._of_interest((), "/r")


@pytest.mark.usefixtures("quick")
async def test_following_ends_at_once_and_leaves_nothing_behind(folder: Path) -> None:
    changes = FilesSource(folder, poll=FLOOR).changes()
    await told(changes)
    await changes.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(changes)
