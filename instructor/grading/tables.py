"""Tables of marks as CSV: what a spreadsheet opens, and what nbgrader exports.

A spreadsheet takes a cell that starts with = + - @ for a formula, and a name can be chosen so that it is one. Such a
cell gets an apostrophe in front, as OWASP advises ("CSV injection"); so does the place after a separator or a quote
inside a cell, since a spreadsheet set to another separator than ours starts a cell there. Points are never negative
and stay numbers.
"""

from __future__ import annotations

import csv
import io
import re

from instructor.grading.feedback import in_words, when
from instructor.grading.marks import Mark
from instructor.grading.pages import number, plain

BOM = "\ufeff"
STARTS = "=+\\-@＝＋－＠"  # the wide forms too: some systems turn them into the narrow ones
BLANK = "\\s\u200b-\u200f\u2060\ufeff"  # what may be skipped on the way to the first character
FORMULA = re.compile(f'((?:^|(?<=[,;|"]))[{BLANK}]*)(?=[{STARTS}])')
NBGRADER = (  # of nbgrader 0.9.6, plugins/export.py
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
)


def cell(text: str) -> str:
    """A text on one line that no spreadsheet takes for a formula."""
    return FORMULA.sub(r"\1'", " ".join(plain(text).split()))


def to_csv(rows: list, bom: bool = False, delimiter: str = ",", newline: str = "\r\n") -> str:
    """The rows (of cells that are texts) as a file, with a byte order mark if asked for."""
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator=newline).writerows(rows)
    return BOM * bom + file.getvalue()


def marks_csv(marks: list) -> str:
    """A line for each student: who, points of each question and in total, what came out.

    With a byte order mark: without one, Excel reads the file in the alphabet of the machine's country and spoils
    names; Python (utf-8-sig), R, LibreOffice and learning platforms skip it. A submission that was not graded has
    no points.
    """
    asked = list(dict.fromkeys(a.question for mark in marks for a in mark.record.answers))
    items = list(dict.fromkeys(item.item for mark in marks for item in mark.manual))
    late = any(mark.late for mark in marks)
    head = ["key", "name", "id", "file", "submitted", *asked, *map(cell, items), *["late penalty"] * late]
    rows = [[*head, "total", "out of", *(f"{question} status" for question in asked), "message"]]
    for mark in marks:
        record = mark.record
        answers = {answer.question: answer for answer in record.answers}
        given = {item.item: number(item.points) for item in mark.manual}
        submitted = "" if record.submitted is None else cell(when(record.submitted).replace(" ", "T") + "Z")
        rows.append(
            [
                *(mark.key, cell(record.name), cell(record.id), cell(record.file), submitted),
                *(number(answers[q].points) if q in answers and mark.graded else "" for q in asked),
                *(given.get(item, "") for item in items),
                *[number(mark.late)] * late,
                *(number(mark.points) if mark.graded else "", number(mark.out_of)),
                *(cell(_status(answers[q])) if q in answers else "" for q in asked),
                cell(record.message),
            ]
        )
    return to_csv(rows, bom=True)


def nbgrader_csv(marks: list) -> str:
    """What `nbgrader export` writes. The student's id is the platform's number, or the name if there is none.

    Names stay in one piece, as last name: where to cut a name is not ours to say. Times are in UTC, as nbgrader's.
    """
    rows = [list(NBGRADER)]
    for mark in marks:
        record = mark.record
        timestamp = "" if record.submitted is None else cell(when(record.submitted))
        raw = record.points + sum(item.points for item in mark.manual)
        scores = [number(raw), number(mark.late), number(mark.points)] if mark.graded else [""] * 3
        names = [cell(record.id or record.name), cell(record.name), "", ""]
        rows.append([cell(record.identity.assignment), "", timestamp, *names, *scores, number(mark.out_of)])
    return to_csv(rows)


def comments(mark: Mark) -> list:
    """What there is to say about a mark, a line for each thing."""
    record = mark.record
    lines = [plain(record.message)] if record.message else []
    lines += [f"{answer.question} {answer.title}: {in_words(answer)}" for answer in record.answers]
    lines += [
        f"{plain(item.item)}: {number(item.points)} of {number(item.out_of)} points. {plain(item.comment)}".strip()
        for item in mark.manual
    ]
    if mark.late:
        lines.append(f"Handed in late: {number(mark.late)} points taken off.")
    return [*lines, f"Total: {number(mark.points)} of {number(mark.out_of)} points." if mark.graded else "Not graded."]


def _status(answer) -> str:
    return f"{answer.status}: {answer.mistake}" if answer.mistake else answer.status
