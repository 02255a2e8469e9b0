"""The journal: what is appended comes back, the oldest is forgotten, and a broken file costs history only."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.journal import Entry, from_text, to_text
from controller.errors import ControllerError
from controller.report.journal import MemoryJournal, SqliteJournal

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def entry(number, workload="train/bert"):
    return Entry(NOON + timedelta(seconds=number), "condition", workload, "info", {"number": number})


@pytest.fixture(params=["sqlite", "memory"])
def journal(request, tmp_path):
    return SqliteJournal(tmp_path / "state" / "journal.sqlite", 5) if request.param == "sqlite" else MemoryJournal(5)


async def test_what_is_appended_comes_back_oldest_first(journal):
    await journal.append([entry(1), entry(2)])
    await journal.append([entry(3, None)])
    assert await journal.recent() == [entry(1), entry(2), entry(3, None)]


async def test_the_entries_of_one_workload(journal):
    await journal.append([entry(1), entry(2, "train/gpt"), entry(3)])
    assert await journal.recent("train/bert") == [entry(1), entry(3)]
    assert await journal.recent("train/bert", most=1) == [entry(3)]
    assert await journal.recent("train/nobody") == []


async def test_the_oldest_are_forgotten(journal):
    for number in range(12):
        await journal.append([entry(number)])
    assert await journal.recent() == [entry(number) for number in range(7, 12)]
    assert await journal.recent(most=0) == []


async def test_an_empty_journal_is_no_error(journal):
    assert await journal.recent() == []
    await journal.append([])
    assert await journal.recent() == []


async def test_two_processes_share_a_file(tmp_path):
    one, other = (SqliteJournal(tmp_path / "journal.sqlite") for _ in range(2))
    await one.append([entry(1)])
    await other.append([entry(2)])
    assert await one.recent() == [entry(1), entry(2)]


async def test_what_is_no_database_is_put_aside(tmp_path):
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    journal = SqliteJournal(path)
    await journal.append([entry(1)])
    assert await journal.recent() == [entry(1)]
    assert (tmp_path / "journal.sqlite.corrupt").read_bytes().startswith(b"this is no database")


async def test_a_database_that_is_cut_off_is_put_aside(tmp_path):
    path = tmp_path / "journal.sqlite"
    journal = SqliteJournal(path)
    await journal.append([entry(number) for number in range(300)])
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    await journal.append([entry(1)])
    assert await journal.recent() == [entry(1)]


async def test_a_folder_that_cannot_be_made_is_one_error(tmp_path):
    (tmp_path / "file").write_text("")
    journal = SqliteJournal(tmp_path / "file" / "journal.sqlite")
    with pytest.raises(ControllerError, match="history is not kept; everything else works"):
        await journal.append([entry(1)])


async def test_reading_what_is_no_database_is_one_error(tmp_path):
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(ControllerError, match="file is not a database"):
        await SqliteJournal(path).recent()
    assert path.exists(), "reading changes nothing"


async def test_lines_that_no_version_wrote_are_left_out(tmp_path):
    path = tmp_path / "journal.sqlite"
    journal = SqliteJournal(path)
    await journal.append([entry(1)])
    with sqlite3.connect(path) as database:
        database.executemany(
            "INSERT INTO entries (content) VALUES (?)",
            [("",), ("{}",), ("[1]",), ('{"at": "yesterday"}',), (json.dumps({"at": "2026-11-25T12:00:00"}),)],
        )
    database.close()
    assert await journal.recent() == [entry(1)]


@given(st.text())
def test_no_text_breaks_the_reader(text):
    assert from_text(text) is None or isinstance(from_text(text), Entry)


def test_secrets_do_not_reach_the_journal():
    spoken = Entry(
        NOON, "drift healed", "train/bert", "warning", {"changes": [{"name": "HF_TOKEN", "value": "s3cret"}]}
    )
    assert "s3cret" not in to_text(spoken)
    read = from_text(to_text(spoken))
    assert read is not None
    assert (read.at, read.event, read.workload, read.severity) == (NOON, "drift healed", "train/bert", "warning")
