"""The built notebooks as a student meets them. (nbval executes the lectures and solutions: see `make test`.)"""

import json
from pathlib import Path

import nbformat
import pytest
from conftest import ASSIGNMENTS, LECTURES, MINUTE, ROOT, SOLUTIONS, too_slow

from course_utils import cli
from course_utils.checks import questions

BUILT = LECTURES + ASSIGNMENTS + SOLUTIONS


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def assignment(path: Path) -> str:
    return path.stem.partition("_")[0]


def asked(path: Path) -> list[str]:
    return [id for id in questions() if id.startswith(f"{assignment(path)}.")]


def test_the_foundation_is_there():
    assert {"00", "01", "02", "03", "04", "05", "09", "10"} <= {path.name[:2] for path in LECTURES}
    assert {"a1", "a2", "a3", "a6"} <= set(map(assignment, ASSIGNMENTS))
    assert [path.name for path in ASSIGNMENTS] == [path.name for path in SOLUTIONS]


@pytest.mark.parametrize("path", BUILT, ids=name)
def test_the_file(path):
    """Valid, for the kernel that the environment brings, and without outputs."""
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(json.loads(text))
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None, cell.source
    assert "widgets" not in notebook.metadata


@pytest.mark.parametrize("path", ASSIGNMENTS, ids=name)
def test_a_blank_assignment_runs_to_its_end(path):
    """No cell fails, and each check says "not yet"."""
    records, errors, stopped = cli.run_notebook(path)
    assert errors == [] and stopped is None
    assert {record["question"]: record["status"] for record in records} == dict.fromkeys(asked(path), "not yet")


@pytest.mark.parametrize("path", SOLUTIONS, ids=name)
def test_a_solution_passes_every_check(path, capsys):
    code = cli.main(["check", assignment(path), "--notebook", str(path)])
    report = capsys.readouterr().out
    assert code == 0, report
    assert report.count("✓ passed") == len(asked(path)) > 0 and "error" not in report, report


def test_a_lecture_has_a_minute_by_both_clocks():
    lecture, solution = LECTURES[0], SOLUTIONS[0]
    assert too_slow(lecture, MINUTE + 1, MINUTE + 1)
    assert not too_slow(lecture, MINUTE + 1, MINUTE - 1) and not too_slow(lecture, MINUTE - 1, MINUTE + 1)
    assert not too_slow(solution, MINUTE + 1, MINUTE + 1)
