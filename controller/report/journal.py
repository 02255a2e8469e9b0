"""The journal in a SQLite file: the default where the daemon has a disk, and in memory where it has none.

It keeps the newest entries and forgets the oldest. A file that is no database any more is put aside under another name
and a new one is begun: the journal never keeps the daemon from working. Neighbours: `core.journal` (the entries),
`aws.journal` (the same in S3 and DynamoDB).
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.core.journal import Entry, from_text, to_text
from controller.errors import ControllerError

MOST_ENTRIES: Final = 20_000
"""Entries that are kept: about 10 MB, weeks of a busy cluster."""
BUSY: Final = 5.0
"""Seconds to wait for another process that reads the file."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workload TEXT,
    content TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS of_workload ON entries (workload, id);
PRAGMA user_version = 1;
"""


@dataclass(frozen=True, slots=True)
class SqliteJournal:
    """Entries in a SQLite file. Every call opens the file anew, so that nothing is held and threads share nothing."""

    path: Path
    most: int = MOST_ENTRIES

    async def append(self, entries: Sequence[Entry]) -> None:
        """Keep entries, and forget the oldest ones.

        Raises:
            ControllerError: the file cannot be written.
        """
        await asyncio.to_thread(self._append, entries)

    async def recent(self, workload: str | None = None, *, most: int = 100) -> list[Entry]:
        """The newest entries (of one workload), oldest first.

        Raises:
            ControllerError: the file cannot be read.
        """
        return await asyncio.to_thread(self._recent, workload, most)

    def _append(self, entries: Sequence[Entry]) -> None:
        rows = [(entry.workload, to_text(entry)) for entry in entries]
        try:
            try:
                self._write(rows)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._put_aside()
                self._write(rows)
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def _write(self, rows: list[tuple[str | None, str]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._open()) as database, database:
            database.executescript(_SCHEMA)
            database.executemany("INSERT INTO entries (workload, content) VALUES (?, ?)", rows)
            database.execute("DELETE FROM entries WHERE id <= (SELECT max(id) FROM entries) - ?", (self.most,))

    def _recent(self, workload: str | None, most: int) -> list[Entry]:
        if not self.path.exists():
            return []
        chosen = "" if workload is None else "WHERE workload = ?"
        values = (most,) if workload is None else (workload, most)
        query = f"SELECT content FROM entries {chosen} ORDER BY id DESC LIMIT ?"  # noqa: S608 - no text of anybody's
        try:
            with closing(self._open()) as database:
                rows = database.execute(query, values).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error
        entries = (from_text(row[0]) for row in reversed(rows))
        return [entry for entry in entries if entry is not None]

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=BUSY)

    def _put_aside(self) -> None:
        """What is no database is kept beside it, for whoever wants to look."""
        self.path.replace(self.path.with_name(f"{self.path.name}.corrupt"))

    def _failed(self, error: Exception) -> ControllerError:
        return ControllerError(f"journal {self.path}: {error}", advice="history is not kept; everything else works")


class MemoryJournal:
    """Entries that are gone with the process."""

    def __init__(self, most: int = MOST_ENTRIES) -> None:
        self._entries: list[Entry] = []
        self._most = most

    async def append(self, entries: Sequence[Entry]) -> None:
        """Keep entries, and forget the oldest ones."""
        self._entries = [*self._entries, *entries][-self._most :]

    async def recent(self, workload: str | None = None, *, most: int = 100) -> list[Entry]:
        """The newest entries (of one workload), oldest first."""
        found = [entry for entry in self._entries if workload is None or entry.workload == workload]
        return found[-most:] if most else []
