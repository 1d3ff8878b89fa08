"""Everything that is written about a batch of marks: pages, tables, and files for other systems."""

from __future__ import annotations

import json
import re
from pathlib import Path

from course_utils import studies
from course_utils.cli import BadInput
from instructor.grading import feedback, lms, summary, tables
from instructor.grading.marks import Manual, Mark, needs_a_human
from instructor.grading.pages import number, plain

__all__ = ["Manual", "Mark", "gradescope", "needs_a_human", "write_all"]


def write_all(marks: list, out: Path, worksheet: Path | None = None, canvas: Path | None = None) -> list:
    """Write all reports of a batch of Mark into the folder `out`; returns the paths of the files.

        feedback/<key>.html                a student's page
        summary.html                       for the instructor
        marks.csv                          a line for each student
        moodle.csv, canvas.csv             to import; filled into `worksheet` and `canvas` where these are given
        nbgrader.csv                       as `nbgrader export` has it
        gradescope/<key>/results.json      as a Gradescope autograder has it

    A file is whole or not there; the same marks give the same bytes; nothing that lies in `out` is deleted.
    Raises BadInput, before anything is written, if `worksheet` or `canvas` cannot be filled or the marks are not of
    one assignment with one mark a student; StudyError if a file cannot be written.
    """
    _one_batch(marks)
    marks = sorted(marks, key=lambda mark: (mark.record.name.casefold(), mark.key))
    moodle_text, not_in_moodle = lms.moodle(marks, worksheet)
    canvas_text, not_in_canvas = lms.canvas(marks, canvas)
    texts = {
        "marks.csv": tables.marks_csv(marks),
        "moodle.csv": moodle_text,
        "canvas.csv": canvas_text,
        "nbgrader.csv": tables.nbgrader_csv(marks),
        "summary.html": summary.page(marks, {"moodle.csv": not_in_moodle, "canvas.csv": not_in_canvas}),
    }
    written = []
    for mark in marks:  # the pages first: the summary links to them
        page = feedback.page(mark.record, mark.late, mark.manual)
        written.append(_write(out / "feedback" / f"{mark.key}.html", page))
        results = json.dumps(gradescope(mark), indent=1) + "\n"
        written.append(_write(out / "gradescope" / mark.key / "results.json", results))
    return written + [_write(out / name, text) for name, text in texts.items()]


def gradescope(mark: Mark) -> dict:
    """A mark as Gradescope's results.json. All texts are shown as text; the student sees them once they are published.

    Gradescope knows no submission that is not graded: it has no points, and `output` says so.
    """
    answers = [
        _test(k, f"{answer.question} {answer.title}", answer, _shown(answer))
        for k, answer in enumerate(mark.record.answers, 1)
    ]
    by_hand = [_test(k, item.item, item, plain(item.comment)) for k, item in enumerate(mark.manual, 1 + len(answers))]
    said = [plain(mark.record.message)] if mark.record.message else []
    if mark.late:
        said.append(f"Handed in late: {number(mark.late)} points taken off.")
    if not mark.graded:
        said.append("Not graded.")
    if mark.ran:
        said.append(feedback.BEYOND)
    return {
        "score": round(mark.points, 4),
        "execution_time": round(mark.record.wall, 3),
        "output": "\n".join(said),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "after_published",
        "stdout_visibility": "hidden",
        "tests": answers + by_hand,
    }


def _test(k, name, item, output) -> dict:
    return {
        "name": plain(name),
        "number": str(k),
        "score": round(item.points, 4),
        "max_score": round(item.out_of, 4),
        "status": "passed" if item.points >= item.out_of else "failed",
        "output": output,
        "output_format": "text",
        "visibility": "after_published",
    }


def _shown(answer) -> str:
    card = feedback.card_of(answer)
    lines = [feedback.in_words(answer)]
    if card:
        lines += ["", "What your own check finds:", repr(card)]
    return "\n".join(lines)


def _one_batch(marks) -> None:
    """Raises BadInput unless there is one mark a student, all of one assignment, with names that files can have."""
    if not marks:
        raise BadInput("there are no marks to report")
    assignments = sorted({mark.record.identity.assignment for mark in marks})
    if len(assignments) > 1:
        raise BadInput(f"expected the marks of one assignment, got those of {', '.join(assignments)}")
    seen = set()
    for key in (mark.key for mark in marks):
        if not re.fullmatch(r"[A-Za-z0-9-]{1,80}", key):
            raise BadInput(f"expected a key of letters, digits and dashes for a student, got {key!r:.100}")
        if key in seen:
            raise BadInput(f"there are two marks of the student {key}")
        seen.add(key)


def _write(path, text) -> Path:
    """Nothing is done where the file is as it should be: a second run over a large batch is quick."""
    try:
        if path.read_bytes() == text.encode("utf-8"):
            return path
    except OSError:
        pass
    studies.write(path, text)
    return path
