"""nbgrader 0.9.6 as its guide says: a source notebook with hidden test cells, `generate_assignment`, `autograde`."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import jupytext

from course_utils.checks import questions

from . import instances, submissions
from .environment import activated, measured, python_of

NAME = "nbgrader"
REQUIREMENTS = Path(__file__).with_name("nbgrader-requirements.txt")
MARKS = """
    select student_id, base_cell.name, auto_score from grade
    join base_cell on base_cell.id = grade.cell_id
    join submitted_notebook on submitted_notebook.id = grade.notebook_id
    join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id
"""


class Grader:
    def __init__(self, folder: Path):
        self.folder = folder
        self.python = python_of(NAME, ["-r", REQUIREMENTS])
        data = folder / "instances.pickle"  # beside the course's folder, where students' releases do not reach
        instances.write(data)
        write(folder / "source" / "a1" / "a1_maxent.ipynb", source(data))
        (folder / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'irl'\n")
        made = self.run("generate_assignment", "a1")
        if made.code:
            raise RuntimeError(f"nbgrader generate_assignment failed:\n{made.said[-3000:]}")
        self.blank = json.loads((folder / "release" / "a1" / "a1_maxent.ipynb").read_text(encoding="utf-8"))

    def run(self, *arguments, limit=600):
        return measured(
            [self.python.with_name("nbgrader"), *arguments], limit, cwd=self.folder, env=activated(self.python)
        )

    def grade(self, handed, together):
        """Costs, and the marks of each student that has some: student -> question -> points."""
        for one in handed:
            write(self.folder / "submitted" / one.student / "a1" / one.file, one.fill(self.blank))
        if together:
            costs = [self.run("autograde", "a1")]
        else:
            costs = [self.run("autograde", "a1", f"--student={one.student}") for one in handed]
        with closing(sqlite3.connect(self.folder / "gradebook.db")) as database:
            rows = database.execute(MARKS).fetchall()
        marks = {}
        for student, cell, points in rows:
            question = re.match(r"(a\d+)-(q\d+)", cell).expand(r"\1.\2")
            found = marks.setdefault(student, {})
            found[question] = found.get(question, 0.0) + (points or 0.0)
        return costs, {one.student: marks.get(one.student) for one in handed}


def source(data: Path) -> dict:
    """Our notebook with its questions, without the course's own helpers, with test cells in the place of the check."""
    authored = jupytext.read(submissions.AUTHORED / "notebook.py").cells
    solutions = {cell.metadata["question"]: cell.source for cell in authored if "question" in cell.metadata}
    notebook = submissions.shortened(json.loads(submissions.BLANK.read_text(encoding="utf-8")))
    cells = []
    for cell in notebook["cells"]:
        question = submissions.question_of(cell)
        if submissions.is_answer(cell):
            cells.append(cell | {"source": solutions[question]})
        elif submissions.is_check(cell):
            for half in instances.HALVES:
                about = cell["metadata"]["nbgrader"] | {"grade_id": f"{cell['id']}-{half}"}
                about["points"] = questions()[question].points / 2
                metadata = cell["metadata"] | {"nbgrader": about}
                cells.append(
                    cell | {"id": about["grade_id"], "metadata": metadata, "source": tests(question, half, data)}
                )
        else:
            cells.append(cell)
    return notebook | {"cells": cells}


def tests(question, half, data):
    name = submissions.FUNCTIONS[question][0]
    return f"""# tests of {name}
### BEGIN HIDDEN TESTS{instances.AGREE.format(path=str(data))}

agree({name}, instances[{question!r}][{half!r}])
### END HIDDEN TESTS"""


def write(path: Path, notebook: dict):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(submissions.dump(notebook), encoding="utf-8")
