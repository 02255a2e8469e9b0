"""The S3 source over a bucket in memory: what is believed, what is refused, and how many calls that costs."""

import asyncio
import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.diagnostics import Code
from controller.core.objects import StoredObject
from controller.errors import ControllerError, Denied, Stalled, Transient
from controller.reasons import Reason
from controller.sources import s3
from controller.sources.s3 import S3Source
from controller.sources.snapshot import LARGEST_FILE
from controller.sources.uri import S3Location


@dataclass
class Bucket:
    """A bucket as S3 has it: keys, versions, and a listing that comes in pages."""

    objects: dict[str, bytes] = field(default_factory=dict)
    versioned: bool = True
    page: int = 1000
    calls: Counter[str] = field(default_factory=Counter)
    history: dict[tuple[str, str], bytes] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    denied: dict[str, ControllerError] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    reading: int = 0
    most_reading: int = 0
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def put(self, key: str, content: bytes = b"x") -> None:
        self.objects[key] = content
        self.versions[key] = f"v{next(self.numbers)}"
        self.history[key, self.versions[key]] = content

    def delete(self, key: str) -> None:
        del self.objects[key], self.versions[key]

    async def listing(self, prefix: str, *, versions: bool = False) -> tuple[StoredObject, ...]:
        self.calls["listing"] += 1
        found: list[StoredObject] = []
        while True:
            await asyncio.sleep(0)
            last = found[-1].key if found else ""
            keys = sorted(key for key in self.objects if key.startswith(prefix) and key > last)
            found.extend(self.listed(key, versions=versions) for key in keys[: self.page])
            if len(keys) <= self.page:
                return tuple(found)

    def listed(self, key: str, *, versions: bool) -> StoredObject:
        content = self.objects[key]
        version = self.versions[key] if versions and self.versioned else None
        return StoredObject(key, etag(content), self.sizes.get(key, len(content)), version)

    async def read(self, listed: StoredObject) -> bytes | None:
        self.calls["read"] += 1
        self.reading += 1
        self.most_reading = max(self.most_reading, self.reading)
        await asyncio.sleep(0)
        self.reading -= 1
        if listed.key in self.denied:
            raise self.denied[listed.key]
        if listed.version is not None:
            return self.history.get((listed.key, listed.version))
        content = self.objects.get(listed.key)
        return content if content is not None and etag(content) == listed.etag else None


def etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def bucket(**objects: bytes) -> Bucket:
    made = Bucket()
    for name, content in objects.items():
        made.put(f"prod/{name.replace('__', '/')}.yaml", content)
    return made


def source(objects: Bucket, prefix: str = "prod/") -> S3Source:
    return S3Source(S3Location("specs", prefix), objects)


def findings(snapshot):
    return {one.at.file: one.message for one in snapshot.problems}


# What is read
# ----------------------------------------------------------------------------------------------------------------------


async def test_spec_files_below_the_prefix():
    objects = bucket(a=b"1", team__b=b"2")
    for key in ("prod/README.md", "prod/", "prod/team/", "prod/.hidden.yaml", "prod/.git/x.yaml", "prod-old/c.yaml"):
        objects.put(key)
    objects.put("prod/c.yml", b"3")
    found = await source(objects).snapshot()
    assert found.files == {"a.yaml": b"1", "team/b.yaml": b"2", "c.yml": b"3"}
    assert found.problems == ()
    assert found.uri == "s3://specs/prod"


async def test_a_whole_bucket_and_one_object():
    objects = bucket(a=b"1")
    objects.put("prod/a.yaml.old/b.yaml", b"2")
    assert (await source(objects, "").snapshot()).files.keys() == {"prod/a.yaml", "prod/a.yaml.old/b.yaml"}
    assert (await source(objects, "prod/a.yaml").snapshot()).files == {"a.yaml": b"1"}


async def test_a_prefix_without_specs_is_an_empty_revision():
    objects = Bucket()
    objects.put("prod/README.md")
    assert (await source(objects).snapshot()).files == {}


@pytest.mark.parametrize("prefix", ["prod/", "", "prod/a.yaml"])
async def test_what_does_not_exist_is_an_error(prefix):
    objects = Bucket()
    objects.put("prod/a.yaml2" if prefix else "x")
    if not prefix or prefix == "prod/":
        objects.objects.clear()
    with pytest.raises(ControllerError, match="does not exist") as raised:
        await source(objects, prefix).snapshot()
    assert raised.value.reason is Reason.SOURCE_UNREADABLE


# Revisions
# ----------------------------------------------------------------------------------------------------------------------


async def test_an_unchanged_listing_costs_one_listing():
    objects = bucket(a=b"1", b=b"2")
    one = source(objects)
    first = await one.snapshot()
    assert objects.calls == {"listing": 2, "read": 2}
    objects.calls.clear()
    objects.put("prod/notes.txt")
    assert await one.snapshot() is first
    assert objects.calls == {"listing": 1}


async def test_only_what_has_changed_is_read_again():
    objects = bucket(a=b"1", b=b"2", c=b"3")
    one = source(objects)
    first = await one.snapshot()
    objects.put("prod/b.yaml", b"new")
    objects.delete("prod/c.yaml")
    objects.calls.clear()
    second = await one.snapshot()
    assert second.files == {"a.yaml": b"1", "b.yaml": b"new"}
    assert second.revision != first.revision
    assert objects.calls == {"listing": 2, "read": 1}


async def test_what_is_gone_is_not_kept():
    objects = bucket(a=b"1", b=b"2")
    one = source(objects)
    await one.snapshot()
    objects.delete("prod/b.yaml")
    await one.snapshot()
    assert one._contents.keys() == {("a.yaml", etag(b"1"))}


async def test_equal_objects_are_an_equal_revision():
    objects = bucket(a=b"1", b=b"2")
    first = await source(objects).snapshot()
    objects.put("prod/a.yaml", b"1")  # another version of the same content
    assert (await source(objects).snapshot()).revision == first.revision
    for change in (("prod/a.yaml", b"2"), ("prod/c.yaml", b"1")):
        objects.put(*change)
        assert (await source(objects).snapshot()).revision != first.revision


async def test_names_and_contents_do_not_run_into_each_other():
    one, other = bucket(a=b"1", b=b"2"), bucket(a=b"2", b=b"1")
    assert (await source(one).snapshot()).revision != (await source(other).snapshot()).revision


# No torn revision
# ----------------------------------------------------------------------------------------------------------------------


class Meddling(Bucket):
    """A bucket that somebody writes to before each call of this one."""

    def __init__(self, *steps, **settings):
        super().__init__(**settings)
        self.steps = list(steps)

    async def listing(self, prefix, *, versions=False):
        await self.meddle()
        return await super().listing(prefix, versions=versions)

    async def read(self, listed):
        await self.meddle()
        return await super().read(listed)

    async def meddle(self):
        if self.steps and (step := self.steps.pop(0)) is not None:
            step(self)


async def test_by_version_what_was_listed_is_read_whatever_happens_meanwhile():
    objects = Meddling(None, None, lambda b: b.put("prod/a.yaml", b"2"), lambda b: b.delete("prod/b.yaml"))
    for name in "ab":
        objects.put(f"prod/{name}.yaml", b"1")
    found = await source(objects).snapshot()
    assert found.files == {"a.yaml": b"1", "b.yaml": b"1"}
    assert objects.calls == {"listing": 2, "read": 2}


@pytest.mark.parametrize("change", [lambda b: b.put("prod/b.yaml", b"2"), lambda b: b.delete("prod/b.yaml")])
async def test_without_versions_a_change_while_reading_has_everything_taken_again(change):
    objects = Meddling(None, None, change, versioned=False)
    for name in "ab":
        objects.put(f"prod/{name}.yaml", b"1")
    found = await source(objects).snapshot()
    expected = {"a.yaml": b"1"} | ({"b.yaml": b"2"} if "prod/b.yaml" in objects.objects else {})
    assert found.files == expected
    assert found.revision == (await source(objects).snapshot()).revision


async def test_a_listing_is_believed_when_it_comes_out_equal_twice():
    objects = Meddling(None, lambda b: b.put("prod/a.yaml", b"2"), lambda b: b.put("prod/a.yaml", b"3"))
    objects.put("prod/a.yaml", b"1")
    found = await source(objects).snapshot()
    assert found.files == {"a.yaml": b"3"}
    assert objects.calls == {"listing": 4, "read": 1}


async def test_a_bucket_that_never_rests_is_an_error_and_what_was_read_stands():
    objects = Meddling(versioned=False)
    objects.put("prod/a.yaml", b"0")
    one = source(objects)
    first = await one.snapshot()
    objects.steps = [lambda b, n=n: b.put("prod/a.yaml", bytes([n])) for n in range(50)]
    objects.calls.clear()
    with pytest.raises(Transient, match="changed each of the 4 times") as raised:
        await one.snapshot()
    assert raised.value.reason is Reason.SOURCE_UNREADABLE
    assert objects.calls["listing"] == 1 + s3.ROUNDS
    objects.steps = []
    objects.put("prod/a.yaml", b"0")
    assert await one.snapshot() is first


async def test_a_rename_between_two_pages_is_no_deletion():
    """`mv` copies, then deletes. The new name sorts before the page that was taken, the old one after it."""

    class Renaming(Bucket):
        async def listing(self, prefix, *, versions=False):
            self.calls["listing"] += 1
            if self.calls["listing"] > 1:
                return await super().listing(prefix, versions=versions)
            first_page = [self.listed(key, versions=versions) for key in sorted(self.objects)[:2]]
            self.put("prod/a.yaml", self.objects["prod/z.yaml"])
            self.delete("prod/z.yaml")
            rest = [self.listed(key, versions=versions) for key in sorted(self.objects) if key > first_page[-1].key]
            return (*first_page, *rest)

    objects = Renaming()
    for name in "bcdz":
        objects.put(f"prod/{name}.yaml", name.encode())
    assert [one.key for one in await Renaming(dict(objects.objects), versions=dict(objects.versions)).listing("")] == [
        "prod/b.yaml",
        "prod/c.yaml",
        "prod/d.yaml",
    ]  # the listing alone has neither name
    assert (await source(objects).snapshot()).files == {
        f"{n}.yaml": c for n, c in zip("abcd", (b"z", b"b", b"c", b"d"), strict=True)
    }


@settings(max_examples=200, deadline=None)
@given(
    writes=st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abcd"), st.integers(0, 3)), max_size=12),
    versioned=st.booleans(),
    page=st.integers(1, 3),
)
def test_a_snapshot_is_a_state_that_the_bucket_was_in(writes, versioned, page):
    """Whoever writes whatever at whatever moment: the answer is one of the bucket's states, or an error."""
    states: list[dict[str, bytes]] = []

    class Observed(Bucket):
        def note(self):
            states.append({key.removeprefix("prod/"): content for key, content in self.objects.items()})

        async def turn(self):
            nonlocal turns
            for at, name, number in writes:
                if at == turns:
                    key = f"prod/{name}.yaml"
                    if number == 0 and key in self.objects:
                        self.delete(key)
                    else:
                        # A content of its own each time: S3 cannot tell one from the same content written again.
                        self.put(key, f"{number}-{next(self.numbers)}".encode())
                    self.note()
            turns += 1

        async def listing(self, prefix, *, versions=False):
            found = []
            while True:
                await self.turn()
                last = found[-1].key if found else ""
                keys = sorted(key for key in self.objects if key > last)
                found.extend(self.listed(key, versions=versions) for key in keys[: self.page])
                if len(keys) <= self.page:
                    return tuple(found)

        async def read(self, listed):
            await self.turn()
            return await super().read(listed)

    turns = 0
    objects = Observed(versioned=versioned, page=page)
    objects.put("prod/README")
    for name in "ac":
        objects.put(f"prod/{name}.yaml", name.encode())
    objects.note()
    try:
        found = asyncio.run(source(objects).snapshot())
    except Transient:
        return
    wanted = [{name: content for name, content in state.items() if name.endswith(".yaml")} for state in states]
    assert found.files in wanted


# Findings about one file
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../up.yaml",
        "a/../b.yaml",
        "./a.yaml",
        "a//b.yaml",
        "/abs.yaml",
        "nul\0.yaml",
        "esc\x1b[2J.yaml",
        "bidi\u202e.yml",
    ],
)
async def test_names_that_lead_astray_are_refused_alone(name):
    objects = bucket(a=b"1")
    objects.put(f"prod/{name}")
    found = await source(objects).snapshot()
    assert found.files == {"a.yaml": b"1"}
    (problem,) = found.problems
    assert problem.code is Code.UNREADABLE_FILE
    assert problem.at.file.isprintable()
    assert objects.calls["read"] == 1


async def test_names_that_are_too_long_are_refused():
    objects = bucket(a=b"1")
    objects.put(f"prod/{'ü' * 600}.yaml")
    (problem,) = (await source(objects).snapshot()).problems
    assert "longer than 1024 bytes" in problem.message


async def test_names_that_look_the_same_are_both_refused():
    objects = bucket(a=b"1")
    objects.put("prod/caf\u00e9.yaml")
    objects.put("prod/cafe\u0301.yaml")
    found = await source(objects).snapshot()
    assert found.files == {"a.yaml": b"1"}
    assert findings(found).keys() == {"caf\u00e9.yaml", "cafe\u0301.yaml"}


async def test_large_objects_are_not_read():
    objects = bucket(a=b"1", b=b"x", c=b"x" * LARGEST_FILE)
    objects.sizes["prod/b.yaml"] = LARGEST_FILE + 1
    found = await source(objects).snapshot()
    assert found.files.keys() == {"a.yaml", "c.yaml"}
    assert [(one.at.file, one.code) for one in found.problems] == [("b.yaml", Code.FILE_TOO_LARGE)]
    assert objects.calls["read"] == 2


async def test_a_prefix_that_is_none_for_specs_is_not_read(monkeypatch):
    objects = bucket(a=b"1", b=b"2")
    monkeypatch.setattr("controller.sources.names.MOST_BYTES", 1)
    with pytest.raises(Stalled, match="name a narrower folder or prefix"):
        await source(objects).snapshot()
    assert objects.calls["read"] == 0


async def test_an_object_that_may_not_be_read_is_a_finding_until_it_may_be():
    objects = bucket(a=b"1", b=b"2")
    objects.denied["prod/b.yaml"] = Denied("GetObject failed: no key", reason=Reason.ACCESS_DENIED, advice="grant it")
    one = source(objects)
    first = await one.snapshot()
    assert first.files == {"a.yaml": b"1"}
    assert findings(first) == {"b.yaml": "cannot be read: GetObject failed: no key"}
    objects.denied.clear()
    second = await one.snapshot()  # the listing has not changed, and yet
    assert second.files == {"a.yaml": b"1", "b.yaml": b"2"}
    assert second.revision != first.revision


async def test_a_bucket_of_which_nothing_may_be_read_is_an_error():
    objects = bucket(a=b"1", b=b"2")
    for key in objects.objects:
        objects.denied[key] = Denied("no", reason=Reason.ACCESS_DENIED)
    with pytest.raises(Denied):
        await source(objects).snapshot()


@pytest.mark.parametrize(
    "error",
    [Transient("slow down", reason=Reason.THROTTLED), Denied("who are you", reason=Reason.NO_CREDENTIALS)],
)
async def test_one_object_that_fails_for_now_fails_the_revision(error):
    objects = bucket(a=b"1", b=b"2")
    one = source(objects)
    first = await one.snapshot()
    objects.put("prod/b.yaml", b"3")
    objects.denied["prod/b.yaml"] = error
    with pytest.raises(type(error)):
        await one.snapshot()
    objects.denied.clear()
    objects.put("prod/b.yaml", b"2")
    assert await one.snapshot() is first


async def test_reads_are_bounded():
    objects = bucket(**{f"f{number}": b"%d" % number for number in range(100)})
    assert len((await source(objects).snapshot()).files) == 100
    assert objects.most_reading == s3.READS_AT_ONCE


async def test_a_snapshot_that_is_cancelled_leaves_no_task():
    objects = bucket(**{f"f{number}": b"%d" % number for number in range(20)})
    for steps in itertools.count(1):
        one = source(objects)
        task = asyncio.create_task(one.snapshot())
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.done():
            break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert len((await one.snapshot()).files) == 20
    assert steps > 5
