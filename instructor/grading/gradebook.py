"""The gradebook: one record for each submission that was graded, in SQLite by default, kept whatever happens.

A record is there whole or not at all, and once `keep` has returned, no kill −9 and no power cut takes it away. Nothing
is ever changed or deleted: a regrade adds the identity's next attempt. SQLite and PostgreSQL are what our tests use.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import astuple, fields
from datetime import UTC, datetime

from sqlalchemy import (
    Column,
    DateTime,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    func,
    insert,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from instructor.grading.records import Identity, Record

SCHEMA_VERSION = 1  # of the tables below
WAIT = 10  # seconds to wait for another program's lock, and for a server's answer
TRIES = 3  # so often may another grader keep the same identity at the same moment
CHUNK = 500  # students that one query asks for
GO_ON = "What is kept stays kept, and the same command goes on from there."

METADATA = MetaData()
SCHEMA = Table("grading_schema", METADATA, Column("version", Integer, primary_key=True, autoincrement=False))
IDENTITY = tuple(field.name for field in fields(Identity))
RECORDS = Table(
    "grading_records",
    METADATA,
    Column("number", Integer, primary_key=True),  # the order in which records were kept, whatever the clock says
    *(Column(name, String(100), nullable=False) for name in IDENTITY),
    Column("attempt", Integer, nullable=False),  # 0, and one more for each regrade
    Column("name", Text, nullable=False),
    Column("points", Float, nullable=False),
    Column("out_of", Float, nullable=False),
    Column("kept_at", DateTime(timezone=True), nullable=False),  # UTC
    Column("record", Text, nullable=False),  # Record.to_json; not jsonb, which refuses a \u0000 in somebody's name
    UniqueConstraint("assignment", "version", "grader", "seed", "student", "submission", "attempt"),
)
READ = select(RECORDS.c["number", "record", *IDENTITY])

# What went wrong by the driver's code, and what to do about it.
FULL = "the disk is full; make room there"
LOCKED = f"another program has kept it locked for {WAIT} seconds; wait for that program, or stop it"
READ_ONLY = "it is read-only, or was moved away; see where it is, and to the rights on the file and on its folder"
REASONS = {
    "SQLITE_FULL": FULL,
    "SQLITE_BUSY": LOCKED,
    "SQLITE_READONLY": READ_ONLY,
    "SQLITE_NOTADB": "this file is something else than an SQLite database, and is left as it is; name another file",
    "SQLITE_CORRUPT": "the file is damaged; put a copy of it in its place",
    "SQLITE_IOERR": "the disk does not do what it should: it may be full, over a quota, or broken; make room there",
    "25006": READ_ONLY,  # from here on PostgreSQL's codes
    "42501": "this user has no right to do that; ask whoever runs the database for it",
    "53100": FULL,
    "55P03": LOCKED,
}
UNREACHED = "the database server is not there, or turns us away; see that it runs and that all of the URL is right"


class GradebookError(Exception):
    """The gradebook cannot do what it was asked to do: the message says where, why, and what helps."""


class Gradebook:
    """The records in the database at `url`: sqlite:///FILE, postgresql://USER@HOST/DATABASE, or another SQLAlchemy URL.

    A file and the tables are made if they are missing. Several graders may use one gradebook at once. Use it as
    a context manager, or `close` it. Every method raises GradebookError for what the database cannot do; the same
    Gradebook works again as soon as the cause is gone.
    """

    def __init__(self, url: str):
        self._engine, self.where = connect(url)
        try:
            with self._telling("opened"):
                self._make_tables()
        except GradebookError:
            self.close()
            raise

    def __enter__(self) -> Gradebook:
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def keep(self, record: Record, again: bool = False) -> None:
        """Keep a record; it is on disk when this returns. Nothing changes if one of its identity is kept already.

        `again=True`, for a regrade, keeps it in any case, as the identity's next attempt; the earlier ones stay.
        """
        identity = dict(zip(IDENTITY, astuple(record.identity), strict=True))
        row = {
            **identity,
            "name": record.name.replace("\0", "�").encode(errors="replace").decode(),  # as far as a column takes it
            "points": record.points,
            "out_of": record.out_of,
            "kept_at": datetime.now(UTC),
            "record": record.to_json(),
        }
        latest = select(func.max(RECORDS.c.attempt)).filter_by(**identity)
        with self._telling(f"used to keep the record of {record.identity.student}"):
            for left in reversed(range(TRIES)):
                try:
                    with self._engine.begin() as db:
                        attempt = db.scalar(latest)
                        if attempt is None or again:
                            db.execute(insert(RECORDS).values(**row, attempt=0 if attempt is None else attempt + 1))
                    return
                except IntegrityError:  # another grader has just kept this attempt: look again
                    if not left:
                        raise

    def find(self, identities: Iterable[Identity]) -> dict[Identity, Record]:
        """The latest attempt of each identity that is kept; the others are left out."""
        wanted, found = set(identities), {}
        groups = defaultdict(set)  # in practice one: those of one run differ in students and submissions only
        for identity in wanted:
            groups[identity.assignment, identity.version, identity.grader, identity.seed].add(identity.student)
        for (assignment, version, grader, seed), members in groups.items():
            same = READ.filter_by(assignment=assignment, version=version, grader=grader, seed=seed)
            students = sorted(members)
            for start in range(0, len(students), CHUNK):
                chunk = same.where(RECORDS.c.student.in_(students[start : start + CHUNK]))
                rows = {identity_of(row): row for row in self._rows(chunk.order_by(RECORDS.c.attempt))}
                found.update((identity, self._read(rows[identity])) for identity in wanted & rows.keys())
        return found

    def records(self, assignment: str) -> list[Record]:
        """For each student the record of this assignment that was kept last, by students' keys."""
        last = select(func.max(RECORDS.c.number)).filter_by(assignment=assignment).group_by(RECORDS.c.student)
        return [
            self._read(row) for row in self._rows(READ.where(RECORDS.c.number.in_(last)).order_by(RECORDS.c.student))
        ]

    def _rows(self, query) -> list:
        with self._telling("read"), self._engine.connect() as db:
            return db.execute(query).all()

    def _read(self, row) -> Record:
        """The record in a row. Raises GradebookError, naming the row, if it holds something else."""
        try:
            record = Record.from_json(row.record)
            if record.identity != identity_of(row):
                raise ValueError("it is another submission's record")
        except (ValueError, RecursionError) as error:
            raise GradebookError(
                f"the gradebook {self.where} is damaged: row {row.number} of {RECORDS.name} (student {row.student}, "
                f"{row.assignment}) holds no record of its own: {one_line(error)}; put a copy of the gradebook in its "
                f"place, or delete this row and grade again. {GO_ON}"
            ) from error
        return record

    def _make_tables(self) -> None:
        """Make what is missing; each step may be the one at which a process before us was killed, or be done by
        another at this moment. Raises GradebookError if the tables are those of another version."""
        for left in reversed(range(TRIES)):
            try:
                if versions := self._versions():
                    break
                with self._engine.begin() as db:
                    for table in (RECORDS, SCHEMA):
                        db.execute(CreateTable(table, if_not_exists=True))
                    db.execute(insert(SCHEMA).values(version=SCHEMA_VERSION))
            except DBAPIError:
                if not left:
                    raise
        if versions != [SCHEMA_VERSION]:
            raise GradebookError(
                f"the gradebook {self.where} has tables of version {', '.join(map(str, versions))}, and this course "
                f"reads version {SCHEMA_VERSION}; use the course that wrote it, or name another database. "
                "Nothing is changed."
            )

    def _versions(self) -> list[int]:
        with self._engine.connect() as db:
            return list(db.scalars(select(SCHEMA.c.version))) if inspect(db).has_table(SCHEMA.name) else []

    @contextmanager
    def _telling(self, doing: str):
        """Turn what SQLAlchemy raises into a GradebookError."""
        try:
            yield
        except SQLAlchemyError as error:
            said = reason(error, self._engine.url)
            raise GradebookError(f"the gradebook {self.where} cannot be {doing}: {said}. {GO_ON}") from error


def connect(url: str):
    """The engine for a URL, which has connected to nothing yet, and the URL as it may be shown."""
    where = "…@" + url.rpartition("@")[2] if "@" in url else url  # a password may stand before the @
    try:
        parsed = make_url(url)
        where = parsed.set(query={}).render_as_string(hide_password=True)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if is_sqlite and parsed.database in (None, "", ":memory:"):
            raise ValueError("a database in memory keeps nothing")
        defaults = {}
        if is_sqlite:
            defaults = {"timeout": str(WAIT)}
        elif parsed.get_backend_name() == "postgresql":
            defaults = {"connect_timeout": str(WAIT), "options": f"-c lock_timeout={WAIT}s"}
        # A pooled connection is tried before use: one that a restarted server has forgotten is made anew.
        engine = create_engine(parsed.set(query={**defaults, **parsed.query}), pool_pre_ping=True, hide_parameters=True)
    except (SQLAlchemyError, ValueError, TypeError, ImportError) as error:
        raise GradebookError(
            f"the gradebook {where!r} cannot be used: {one_line(error)}; expected a URL such as sqlite:///grades.db or "
            "postgresql://user:password@host/database (another database needs its Python driver installed)"
        ) from error
    if is_sqlite:
        event.listen(engine, "connect", set_durable)
    return engine, where


def set_durable(connection, _) -> None:
    """A commit of SQLite's is on disk when it returns.

    We keep SQLite's own rollback journal. A write-ahead log is faster, but wants memory that all its
    users share, which a network drive does not have, cannot be read in a read-only folder, and leaves files beside
    the database that a copy must not forget. After a kill −9 either is put right by the next who opens it.
    EXTRA is FULL, and also syncs the folder after the journal is deleted, which is what commits: without, a power cut
    could bring the journal back, and so undo a record that we said is kept.
    """
    connection.execute("PRAGMA synchronous = EXTRA")


def identity_of(row) -> Identity:
    return Identity(*(getattr(row, name) for name in IDENTITY))


def reason(error: SQLAlchemyError, url) -> str:
    """Why a database refused, and what to do."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
    if code.startswith("SQLITE_CANTOPEN"):
        path = os.path.abspath(url.database)
        folder = os.path.dirname(path)
        if os.path.isdir(path):
            return "it is a folder; name a file"
        if not os.path.isdir(folder):
            return f"there is no folder {folder}; make it, or name another"
        return f"the file, or the folder {folder}, may not be read or written; see to its rights, or name another"
    for known, advice in REASONS.items():
        if code.startswith(known):
            return f"{advice} ({one_line(cause)})"
    if url.get_backend_name() != "sqlite" and (not code or code[:2] in ("08", "28", "3D", "57")):
        return f"{UNREACHED} ({one_line(cause)})"
    return one_line(cause)


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
