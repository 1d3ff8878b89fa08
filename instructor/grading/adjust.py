"""What people add to a record: a penalty for being late, and marks given by hand. The gradebook keeps neither."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from course_utils.cli import BadInput
from instructor.grading.marks import Manual, Mark

DAY = 86_400  # seconds


def read(args, submissions):
    """A function (record, submission) → Mark, after the command's options.

    When and under which name it was handed in is the submission's of this run, not of the run that graded it.
    Raises BadInput that names everything that is wrong.
    """
    due = read_time(args.due, "--due") if args.due else None
    if not 0 <= args.late_penalty <= 100:
        raise BadInput(f"expected --late-penalty to be a percentage from 0 to 100, got {args.late_penalty:g}")
    times = read_times(args.times, submissions) if args.times else {}
    manual = read_manual(args.manual, submissions) if args.manual else {}

    def change(record, submission) -> Mark:
        submitted = times.get(submission.key, submission.submitted)
        now = replace(record, file=submission.file, submitted=submitted)
        late = penalty(record.points, submitted, due, args.late_penalty / 100)
        return Mark(now, late, tuple(manual.get(submission.key, ())))

    return change


def penalty(points: float, submitted: float | None, due: float | None, share: float) -> float:
    """Points lost: a share for each day begun after the deadline. Where the time is unknown, none."""
    if due is None or submitted is None or submitted <= due:
        return 0.0
    return points * min(1.0, share * math.ceil((submitted - due) / DAY))


def read_time(text: str, what: str) -> float:
    """POSIX seconds of an ISO time; one without a zone is in this machine's."""
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M+00:00")
        raise BadInput(f"expected {what} to be a time such as {now}, got {text!r}") from None


def read_times(path: Path, submissions) -> dict:
    def read_row(row, student):
        return {student: read_time(row["submitted"], f"submitted of {row['student']!r}")}

    return read_rows(path, ("student", "submitted"), submissions, read_row, dict.update)


def read_manual(path: Path, submissions) -> dict:
    def read_row(row, student):
        points, out_of = (float(row[name]) for name in ("points", "out_of"))
        if not (0 <= points <= out_of < math.inf and row["item"].strip()):
            raise ValueError("expected an item, and 0 ≤ points ≤ out_of")
        return {student: [Manual(row["item"].strip(), points, out_of, row.get("comment") or "")]}

    def add(found, new):
        for student, items in new.items():
            if items[0].item in [item.item for item in found.get(student, ())]:
                raise ValueError(f"a second {items[0].item!r} for this student")
            found.setdefault(student, []).extend(items)

    return read_rows(path, ("student", "item", "points", "out_of"), submissions, read_row, add)


def read_rows(path: Path, columns, submissions, read_row, add) -> dict:
    """The rows of a CSV by the student's key. All lines that are wrong are named at once."""
    by_name = {}
    for s in submissions:
        for name in {s.key, s.student, s.id} - {""}:
            by_name.setdefault(name, []).append(s.key)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
    rows, found, wrong = csv.DictReader(io.StringIO(text, newline="")), {}, []
    if missing := [name for name in columns if name not in (rows.fieldnames or ())]:
        raise BadInput(f"{path}: expected the columns {', '.join(columns)}, found none called {', '.join(missing)}")
    for row in rows:
        try:
            keys = by_name.get((row["student"] or "").strip(), [])
            if len(keys) != 1:
                raise ValueError(f"{len(keys) or 'no'} submissions are by {row['student']!r}")
            add(found, read_row({name: value or "" for name, value in row.items() if name}, keys[0]))
        except (ValueError, BadInput) as error:
            wrong.append(f"line {rows.line_num}: {error}")
    if wrong:
        raise BadInput(f"{path}:\n  " + "\n  ".join(wrong[:20]))
    return found
