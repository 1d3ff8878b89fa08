"""An instructor who moves to nbgrader: `course release --nbgrader`, then nbgrader itself, from its own environment."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import nbformat
import pytest
from conftest import ASSIGNMENTS, ROOT, SOLUTIONS

from course_utils import cli
from course_utils.checks import questions

NBGRADER = ROOT / ".venv-nbgrader" / "bin" / "nbgrader"
POINTS = {q.id: q.points for q in questions().values() if q.points}
MARKS = """
    select assignment.name, student_id, base_cell.name, coalesce(manual_score, auto_score), grade_cells.max_score
    from grade
    join base_cell on base_cell.id = grade.cell_id
    join grade_cells on grade_cells.id = base_cell.id
    join submitted_notebook on submitted_notebook.id = grade.notebook_id
    join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id
    join assignment on assignment.id = submitted_assignment.assignment_id
"""


def number(path: Path) -> str:
    return path.stem.partition("_")[0]


def answers(path: Path) -> dict[str, str]:
    """The source of each answer cell, by its id."""
    cells = nbformat.read(path, as_version=4).cells
    return {c.metadata.nbgrader.grade_id: c.source for c in cells if c.metadata.get("nbgrader", {}).get("solution")}


def pip_names(lines):
    return {line.partition("==")[0].lower().replace("_", "-"): line for line in lines if "==" in line}


@pytest.fixture(scope="module")
def nbgrader(tmp_path_factory):
    """Runs nbgrader in a folder that `course release --nbgrader` has made, with this environment's kernel."""
    assert NBGRADER.is_file(), "nbgrader has an environment of its own: make .venv-nbgrader/.ready"
    folder = tmp_path_factory.mktemp("nbgrader")
    course = folder / "course"
    made = subprocess.run(
        [sys.executable, "-m", "course_utils.cli", "release", "--nbgrader", course], cwd=ROOT, capture_output=True
    )
    assert made.returncode == 0, made.stderr.decode()
    kernel = folder / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "course", "language": "python"}))
    path = f"{NBGRADER.parent}{os.pathsep}{os.environ['PATH']}"  # it calls alembic by name
    places = {
        "PATH": path,
        "JUPYTER_PATH": folder / "jupyter",
        "JUPYTER_CONFIG_DIR": folder / "config",
        "IPYTHONDIR": folder / "ipy",
    }
    env = {**os.environ, **{name: str(path) for name, path in places.items()}, "OMP_NUM_THREADS": "1"}

    def run(*arguments):
        done = subprocess.run([NBGRADER, *arguments], cwd=course, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout + done.stderr

    run.folder = course
    for path in ASSIGNMENTS:
        run("generate_assignment", number(path))
    return run


def test_it_is_the_pinned_nbgrader_and_the_students_environment_has_none():
    lines = (ROOT / "tests" / "nbgrader-requirements.txt").read_text().splitlines()
    freeze = [NBGRADER.with_name("python"), "-m", "pip", "freeze", "--disable-pip-version-check"]
    have = pip_names(subprocess.run(freeze, capture_output=True, text=True, check=True).stdout.splitlines())
    assert have == pip_names(lines) and have["nbgrader"] == "nbgrader==0.9.6"
    assert "nbgrader" not in pip_names((ROOT / "requirements.lock").read_text().splitlines())


@pytest.mark.parametrize("path", ASSIGNMENTS, ids=number)
def test_nbgraders_release_is_our_blank(nbgrader, path):
    released = nbgrader.folder / "release" / number(path) / path.name
    assert answers(released) == answers(path) != {}
    ours, theirs = (nbformat.read(file, as_version=4).cells for file in (path, released))
    assert [cell.source for cell in theirs] == [cell.source for cell in ours]
    assert "HIDDEN" not in released.read_text() and ".passed" not in released.read_text()


@pytest.fixture(scope="module")
def marks(nbgrader):
    """(student, question) -> (marks, of), as nbgrader's database has them after `autograde`."""
    for path in ASSIGNMENTS:
        released = nbgrader.folder / "release" / number(path) / path.name
        for student in ("reference", "blank", *(["one"] if number(path) == "a1" else [])):
            notebook = nbformat.read(released, as_version=4)
            given = {"reference": answers(SOLUTIONS[ASSIGNMENTS.index(path)]), "blank": {}}
            given["one"] = {id: text for id, text in given["reference"].items() if id == "a1-q1"}
            if student == "one":  # and one that is wrong: it runs, and its check shows a card
                text = notebook.cells[[c.get("id") for c in notebook.cells].index("a1-q3")].source
                given["one"]["a1-q3"] = text.replace(
                    'raise NotImplementedError("a1.q3")', "return np.zeros(π.shape[:2])"
                )
            for cell in notebook.cells:
                cell.source = given[student].get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
            handed = nbgrader.folder / "submitted" / student / number(path) / path.name
            handed.parent.mkdir(parents=True)
            nbformat.write(notebook, handed)
        nbgrader("autograde", number(path))
    with closing(sqlite3.connect(nbgrader.folder / "gradebook.db")) as database:
        rows = database.execute(MARKS).fetchall()
    return {(who, cell.removesuffix("-check").replace("-", ".")): (marks, of) for _, who, cell, marks, of in rows}


def test_full_marks_for_the_reference_none_for_a_blank_and_the_points_are_the_registrys(marks):
    assert {question for who, question in marks if who == "reference"} == set(POINTS)
    for question, points in POINTS.items():
        assert marks["reference", question] == (points, points), question
        assert marks["blank", question] == (0, points), question


def test_an_answer_that_runs_and_is_wrong_earns_nothing(marks):
    got = {question: points for (who, question), (points, _) in marks.items() if who == "one"}
    assert got == {"a1.q1": POINTS["a1.q1"], "a1.q2": 0, "a1.q3": 0, "a1.q4": 0}


def test_validate(nbgrader, tmp_path):
    """As a student may run it: a blank has nothing that fails, for what counts is hidden."""
    path = nbgrader.folder / "release" / "a1" / ASSIGNMENTS[0].name
    assert "Success! Your notebook passes all the tests." in nbgrader("validate", str(path))


def test_what_is_there_is_not_overwritten(nbgrader, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = nbgrader.folder / "nbgrader_config.py"
    before = config.read_bytes()
    shutil.rmtree(nbgrader.folder / "source" / "a6")
    assert cli.main(["release", "--nbgrader", str(nbgrader.folder)]) == 2
    assert "nothing written" in capsys.readouterr().err
    assert config.read_bytes() == before and not (nbgrader.folder / "source" / "a6").exists()
    assert cli.main(["release", "--nbgrader", "x", "--assignments", "a1"]) == 2
