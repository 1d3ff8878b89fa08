"""Grades for Moodle and Canvas: in a file of their own layout, or filled into the one that the instructor downloaded.

Filling in is what imports safely: only the grade (and Moodle's feedback) of a student who was graded is changed, and
every other cell stays as it is. A student is found by the platform's number, which the download of submissions has
too; where a submission has none, by a name that is there once. Layouts are those of Moodle's
mod/assign/gradingtable.php and feedback/offline/importgradeslib.php, and of Canvas's lib/gradebook_exporter.rb and
lib/gradebook_importer.rb.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path

from course_utils.cli import BadInput
from instructor.grading.marks import Mark
from instructor.grading.pages import number
from instructor.grading.tables import BLANK, BOM, STARTS, cell, comments, to_csv

MOODLE = (
    "Identifier",
    "Full name",
    "Email address",
    "Status",
    "Grade",
    "Maximum grade",
    "Grade can be changed",
    "Last modified (submission)",
    "Last modified (grade)",
    "Feedback comments",
)
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
POSSIBLE = "Points Possible"
A_GRADEBOOK = "expected a gradebook exported from Canvas, with the columns Student, ID, Section"


@dataclass(frozen=True)
class Sheet:
    """A CSV file as it came: its rows, and how they were written."""

    path: Path
    rows: list
    delimiter: str
    bom: bool
    newline: str

    @property
    def head(self) -> list:
        return [heading.strip() for heading in self.rows[0]]

    def text(self, rows: list) -> str:
        return to_csv(rows, self.bom, self.delimiter, self.newline)


def moodle(marks: list, worksheet: Path | None = None) -> tuple:
    """Moodle's grading worksheet as text, and for each student who is not in it a pair (mark, why).

    Raises BadInput if the worksheet is not one, or if its maximum grade is not what the marks are out of: Moodle
    would take the points for another share of the grade, or leave them out.
    """
    if worksheet is None:
        rows = []
        for mark in marks:
            who = [f"Participant {mark.record.id}" if _is_number(mark.record.id) else "", cell(mark.record.name), ""]
            rows.append([*who, "", _grade(mark), number(mark.out_of), "Yes", "-", "-", _feedback(mark)])
        return to_csv([list(MOODLE), *rows], bom=True), []
    sheet, out_of = read_moodle(worksheet), max(mark.out_of for mark in marks)
    at = {heading.lower(): k for k, heading in enumerate(sheet.head)}
    identifier, grade, maximum = at["identifier"], at["grade"], at["maximum grade"]
    changeable, feedback = at.get("grade can be changed"), at.get("feedback comments")
    found, missed = _match(
        marks,
        sheet.rows[1:],
        lambda row: "".join(re.findall(r"\d+$", row[identifier].strip())),
        lambda row: [row[at[name]] for name in ("full name", "email address") if name in at],
    )
    for mark, row in found:
        _same_maximum(sheet, "maximum grade", row[maximum], out_of)
        if changeable is not None and row[changeable].strip().lower() == "no":
            missed.append((mark, "Moodle’s worksheet says that this grade cannot be changed"))
            continue
        row[grade] = _grade(mark)
        if feedback is not None:
            row[feedback] = _feedback(mark)
    return sheet.text(sheet.rows), missed


def canvas(marks: list, gradebook: Path | None = None) -> tuple:
    """Canvas's gradebook as text, and for each student who is not in it a pair (mark, why).

    Raises BadInput if the gradebook is not one, if the assignment's column cannot be told, or if it is not out of
    as many points as the marks: an import would change that silently.
    """
    assignment, out_of = marks[0].record.identity.assignment, max(mark.out_of for mark in marks)
    if gradebook is None:
        # No byte order mark: Canvas reads it as a part of the first heading.
        possible = [f"    {POSSIBLE}", "", "", "", "", number(out_of)]
        rows = [
            [cell(mark.record.name), mark.record.id * _is_number(mark.record.id), "", "", "", _grade(mark)]
            for mark in marks
        ]
        return to_csv([[*CANVAS, assignment], possible, *rows]), []
    sheet = read_canvas(gradebook, assignment)
    column, head = _canvas_column(sheet, assignment), sheet.head
    students = []
    for row in sheet.rows[1:]:
        if POSSIBLE in row[0]:
            _same_maximum(sheet, POSSIBLE, row[column], out_of)
        elif row[head.index("ID")].strip():
            students.append(row)
    names = [k for k, name in enumerate(head) if name in ("Student", "SIS User ID", "SIS Login ID")]
    found, missed = _match(
        marks, students, lambda row: row[head.index("ID")].strip(), lambda row: [row[k] for k in names]
    )
    for mark, row in found:
        if row[column].strip().upper() in ("EX", "N/A"):
            missed.append((mark, f"Canvas’s gradebook has {row[column].strip()} here: excused, or not assigned"))
        else:
            row[column] = _grade(mark)
    return sheet.text(sheet.rows), missed


def read_moodle(path: Path) -> Sheet:
    """Raises BadInput if the file is no grading worksheet of Moodle's."""
    sheet = _read(path, "expected a grading worksheet downloaded from Moodle")
    missing = {"identifier", "grade", "maximum grade"} - {heading.lower() for heading in sheet.head}
    if missing:
        raise BadInput(
            f"{path}: expected a grading worksheet downloaded from Moodle in English, with the columns Identifier, "
            f"Grade and Maximum grade; its columns are: {cell(', '.join(sheet.head))}"
        )
    return sheet


def read_canvas(path: Path, assignment: str) -> Sheet:
    """Raises BadInput if the file is no gradebook of Canvas's, or does not tell which column is the assignment's."""
    sheet = _read(path, A_GRADEBOOK)
    if not {"ID", "Section"} <= set(sheet.head) or not {"Student", "LastName"} & set(sheet.head[:1]):
        raise BadInput(f"{path}: {A_GRADEBOOK}; its columns are: {cell(', '.join(sheet.head))}")
    _canvas_column(sheet, assignment)
    return sheet


def _canvas_column(sheet, assignment) -> int:
    """The column whose title names the assignment; or the only one, unless it names another assignment."""
    columns = {k: title for k, title in enumerate(sheet.head) if re.search(r"\(\d+\)$", title)}
    named = [k for k, title in columns.items() if assignment.lower() in re.findall(r"[a-z0-9]+", title.lower())]
    if len(named) == 1:
        return named[0]
    if len(columns) == 1 and not re.search(r"\ba\d+\b", *columns.values(), re.IGNORECASE):
        return next(iter(columns))
    titles = "; ".join(f"“{cell(title)}”" for title in columns.values()) or "none"
    raise BadInput(
        f"{sheet.path}: expected one column for {assignment}, such as “{assignment} MaxEnt (12345)”; the columns of "
        f"assignments are: {titles}. Name the assignment so in Canvas, or export a view of it alone"
    )


def _read(path: Path, expected: str) -> Sheet:
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: {expected}, in UTF-8 as it was downloaded; it is in another encoding") from None
    bom, text = text.startswith(BOM), text.removeprefix(BOM)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]
    except csv.Error as error:
        raise BadInput(f"{path}: {expected}; it is no whole CSV file: {error}") from None
    if len(rows) < 2:
        raise BadInput(f"{path}: {expected}; it has {len(rows)} lines")
    if ragged := [k for k, row in enumerate(rows, 1) if len(row) != len(rows[0])]:
        raise BadInput(f"{path}: {expected}; row {ragged[0]} has another number of cells than the first")
    return Sheet(path, rows, delimiter, bom, "\r\n" if first.endswith("\r") else "\n")


def _match(marks, rows, id_of, names_of) -> tuple:
    """Pairs (mark, row), and pairs (mark, why) for those without a row of their own."""
    by_id, by_name = {}, {}
    for row in rows:
        by_id.setdefault(id_of(row), []).append(row)
        for name in set(map(_folded, names_of(row))):
            by_name.setdefault(name, []).append(row)
    hits = []
    for mark in marks:
        known, name = mark.record.id.strip(), _folded(mark.record.name)
        hits.append((mark, by_id.get(known, []) if known else by_name.get(name, []) if name else []))
    taken = Counter(id(rows[0]) for _, rows in hits if len(rows) == 1)
    found, missed = [], []
    for mark, rows in hits:
        if not rows:
            missed.append((mark, "not in the file"))
        elif len(rows) > 1:
            missed.append((mark, f"stands in the file {len(rows)} times"))
        elif taken[id(rows[0])] > 1:
            missed.append((mark, f"{taken[id(rows[0])]} submissions belong to this one student"))
        elif not mark.graded:
            missed.append((mark, "not graded: the cell is left as it is"))
        else:
            found.append((mark, rows[0]))
    return found, missed


def _folded(name: str) -> str:
    """A name as it is compared: without case and spacing."""
    return " ".join(name.casefold().split())


def _same_maximum(sheet, what, text, out_of) -> None:
    try:
        same = abs(float(text.strip().replace(",", ".")) - out_of) < 0.005
    except ValueError:
        same = False
    if not same:
        raise BadInput(
            f"{sheet.path}: the marks are out of {number(out_of)} points, the file’s {what} is {cell(text)!r}; "
            f"set it to {number(out_of)} in the assignment’s settings, then download the file again"
        )


def _is_number(id: str) -> bool:
    return id.isascii() and id.isdecimal()


def _grade(mark: Mark) -> str:
    return number(mark.points) if mark.graded else ""


def _feedback(mark: Mark) -> str:
    """The comments as HTML, which is what Moodle takes. As entities, signs start no formula (see tables.py)."""
    lines = [escape(" ".join(line.split())) for line in comments(mark)]
    text = "".join(f"<p>{line}</p>" for line in lines)
    return re.sub(f'[,;|"][{BLANK}{STARTS}]+', lambda run: re.sub(f"[{STARTS}]", _entity, run[0]), text)


def _entity(sign) -> str:
    return f"&#{ord(sign[0])};"
