"""A student's progress, kept on their own machine: one JSON line for each check.

The log is only ever appended to, one write for each line, so that two notebooks can be open at once. A line that cannot
be read (a torn write, an editor's accident) is skipped and counted, and stays where it is.
"""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_warned = False


@dataclass(frozen=True)
class Entry:
    """Where a question stands: its latest status, whether it ever passed, attempts, and the last mistake named."""

    status: str
    ever_passed: bool
    attempts: int
    last_mistake: str | None


def log_path() -> Path:
    """COURSE_PROGRESS; else .course/progress.jsonl in the course's folder; else one in the home folder."""
    if os.environ.get("COURSE_PROGRESS"):
        return Path(os.environ["COURSE_PROGRESS"])
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir():
            return folder / ".course" / "progress.jsonl"
    return Path.home() / ".irl-course" / "progress.jsonl"


def record(question: str, status: str, mistake: str | None = None) -> None:
    """Append one line. A disk that cannot be written warns once and never stops a check."""
    global _warned
    time = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"time": time, "question": question, "status": status, "mistake": mistake}) + "\n"
    try:
        path = log_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(file).st_size
            torn = size and os.pread(file, 1, size - 1) != b"\n"  # start afresh after a line cut short
            os.write(file, (b"\n" if torn else b"") + line.encode())
        finally:
            os.close(file)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        if not _warned:
            warnings.warn(f"progress is not kept: {error}", stacklevel=3)
        _warned = True


def read(log: Path | None = None) -> tuple[list[dict], int]:
    """All records of the log in the order in which they were written, and how many lines could not be read."""
    try:
        raw = (log or log_path()).read_bytes()
    except (OSError, RuntimeError):
        return [], 0
    records, unreadable = [], 0
    for line in raw.split(b"\n"):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            records.append(
                {key: str(entry[key]) for key in ("time", "question", "status")}
                | {"mistake": None if entry.get("mistake") is None else str(entry["mistake"])}
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            unreadable += 1
    return records, unreadable


def summary() -> dict[str, Entry]:
    """The state of every question that was ever checked, by id."""
    found = {}
    for r in read()[0]:
        old = found.get(r["question"], Entry("", False, 0, None))
        found[r["question"]] = Entry(
            r["status"],
            old.ever_passed or r["status"] == "passed",
            old.attempts + (r["status"] != "not yet"),
            r["mistake"] or old.last_mistake,
        )
    return found
