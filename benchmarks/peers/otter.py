"""otter-grader 7.0.0 without Docker, as its guide says: test files, `otter generate`, `otter run` for each notebook."""

import json
from pathlib import Path

from course_utils.checks import questions

from . import instances, submissions
from .environment import measured, python_of

NAME = "otter-grader"
REQUIREMENTS = Path(__file__).with_name("otter-requirements.txt")
LIMIT = 60  # seconds on the clock for a submission: `otter run` itself has none


class Grader:
    def __init__(self, folder: Path):
        self.folder = folder
        self.command = python_of(NAME, ["-r", REQUIREMENTS]).with_name("otter")
        (folder / "tests").mkdir(parents=True)
        instances.write(folder / "instances.pickle")
        for question in submissions.FUNCTIONS:
            (folder / "tests" / f"{number(question)}.py").write_text(tests(question))
        made = measured(
            [self.command, "generate", "-t", "tests", "-o", "autograder.zip", "instances.pickle"], 600, cwd=folder
        )
        if made.code:
            raise RuntimeError(f"otter generate failed:\n{made.said[-3000:]}")
        self.blank = blank()

    def grade(self, handed, together):
        """Costs, and the marks of each student that has some: student -> question -> points."""
        costs, marks = [], {}
        for one in handed:
            place = self.folder / one.student
            place.mkdir()
            (place / one.file).write_text(submissions.dump(one.fill(self.blank)), encoding="utf-8")
            command = [self.command, "run", "--no-logo", "-a", self.folder / "autograder.zip", "-o", place]
            costs.append(measured([*command, place / one.file], LIMIT, cwd=self.folder))
            marks[one.student] = read(place / "results.json")
        return costs, marks


def read(path: Path):
    if not path.is_file():
        return None
    found = {}
    for test in json.loads(path.read_text(encoding="utf-8"))["tests"]:
        for question in submissions.FUNCTIONS:
            if test["name"].startswith(number(question)) and "score" in test:
                found[question] = found.get(question, 0.0) + test["score"]
    return found


def number(question):
    return question.replace(".", "")


def tests(question):
    name, points = submissions.FUNCTIONS[question][0], questions()[question].points / 2
    halves = [
        f"""

@test_case(points={points}, hidden=True)
def test_{half}({name}):
    agree({name}, instances[{question!r}][{half!r}])
"""
        for half in instances.HALVES
    ]
    head = f"from otter.test_files import test_case\n\nOK_FORMAT = False\nname = {number(question)!r}\n"
    return head + instances.AGREE.format(path="instances.pickle") + "".join(halves)


def blank() -> dict:
    notebook = submissions.shortened(json.loads(submissions.BLANK.read_text(encoding="utf-8")))
    cells = [
        cell | {"source": f'grader.check("{number(submissions.question_of(cell))}")'}
        if submissions.is_check(cell)
        else cell
        for cell in notebook["cells"]
    ]
    first = submissions.new_cell('import otter\n\ngrader = otter.Notebook("a1_maxent.ipynb")') | {"id": "otter"}
    return notebook | {"cells": [first, *cells]}
