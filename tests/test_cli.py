"""The command `course`, above all `course check`: a notebook goes in, a table and an exit code come out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_utils import cli, progress
from course_utils.checks import questions

ROOT = Path(__file__).resolve().parents[1]
ASKED = [id for id in questions() if id.startswith("a1.")]


@pytest.fixture
def log(tmp_path, monkeypatch):
    """The log of progress that a test may look at."""
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "log.jsonl"))
    return lambda: [(entry["question"], entry["status"], entry["mistake"]) for entry in progress.read()[0]]


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook of the given code cells; each `question: status` stands for a check with that outcome."""

    def make(*cells):
        folder = tmp_path / "work"
        folder.mkdir(exist_ok=True)
        start = "from course_utils.progress import record"
        code = [f"record{cell!r}" if isinstance(cell, tuple) else cell for cell in (start, *cells)]
        made = new_notebook(cells=[new_markdown_cell("# Mine"), *map(new_code_cell, code)])
        path = folder / "mine.ipynb"
        nbformat.write(made, path)
        return path

    return make


def check(path, *more) -> int:
    return cli.main(["check", "a1", "--notebook", str(path), *more])


def test_all_passed(notebook, log, capsys):
    path = notebook(*[(id, "passed") for id in ASKED])
    before = path.read_bytes()
    assert check(path) == 0
    out = capsys.readouterr().out
    assert out.count("✓ passed") == len(ASKED) and f"{len(ASKED)} of {len(ASKED)}" in out
    assert all(question.title in out for id, question in questions().items() if id in ASKED)
    assert log() == [(id, "passed", None) for id in ASKED]
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("odd", ["failed", "not yet", None])
def test_one_that_did_not_pass_makes_the_exit_code_1(notebook, log, capsys, odd):
    rest = [(id, "passed") for id in ASKED[1:]]
    path = notebook(*rest) if odd is None else notebook((ASKED[0], odd, "hard max"), *rest)
    assert check(path) == 1
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith(ASKED[0]) and (odd or "not run") in line
    assert ("hard max" in line) == (odd is not None)
    assert len(log()) == len(ASKED) - (odd is None)


def test_the_last_check_counts_and_other_assignments_do_not(notebook, log, capsys):
    path = notebook(*[(id, "failed", "once") for id in ASKED], *[(id, "passed") for id in ASKED], ("a0.q1", "failed"))
    assert check(path) == 0
    assert log() == [(id, "passed", None) for id in ASKED]
    path = notebook(*[(id, "passed") for id in ASKED], (ASKED[-1], "failed"))
    assert check(path) == 1


def test_errors_are_told_by_cell_and_do_not_stop_the_run(notebook, log, capsys):
    path = notebook("  \n", "1 / 0", *[(id, "passed") for id in ASKED], "raise ValueError('first\\nsecond')")
    assert check(path) == 0
    out = capsys.readouterr().out
    assert "[2] ZeroDivisionError: division by zero\n" in out  # an empty cell gets no number
    assert f"[{3 + len(ASKED)}] ValueError: first\n" in out


def test_a_cell_that_hangs(notebook, log, capsys):
    path = notebook((ASKED[0], "passed"), "while True: pass", (ASKED[1], "passed"))
    assert check(path, "--timeout", "2") == 1
    out = capsys.readouterr().out
    assert "cell [3] was still running after 2 s" in out
    assert [line.split()[2] for line in out.splitlines()[:2]] == ["passed", "not"]
    assert log() == [(ASKED[0], "passed", None)]


def test_a_kernel_that_dies(notebook, log, capsys):
    assert check(notebook((ASKED[0], "passed"), "import os; os._exit(1)")) == 1
    assert "the kernel died in cell [3]" in capsys.readouterr().out


def test_the_notebook_runs_in_its_own_folder_and_in_this_python(notebook, log, capsys):
    path = notebook(
        f"import os, sys; assert os.getcwd() == {str(notebook().parent)!r}",
        f"assert sys.executable == {sys.executable!r}",
    )
    check(path)
    assert "Cells that ended" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "3",
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        '{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [{}]}',
        '{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [{"cell_type": '
        '"code", "source": 7, "metadata": {}, "outputs": [], "execution_count": null}]}',
        "\0\1\2",
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_notebook(tmp_path, log, capsys, text):
    path = tmp_path / "bad.ipynb"
    path.write_text(text)
    assert check(path) == 2
    said = capsys.readouterr()
    assert f"{path} is not a notebook" in said.err and "Traceback" not in said.err and not said.out
    assert log() == []


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert check(tmp_path / "absent.ipynb") == 2
    assert "there is no file" in capsys.readouterr().err


def test_an_assignment_that_is_not_there(capsys):
    assert cli.main(["check", "a99"]) == 2
    assert "there is no assignment 'a99'; there is a1" in capsys.readouterr().err


def test_which_notebook(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    (tmp_path / "assignments").mkdir()
    with pytest.raises(cli.BadInput, match="no file"):
        cli.find_notebook("a1")
    (tmp_path / "assignments" / "a1_one.ipynb").touch()
    (tmp_path / "assignments" / "a10_ten.ipynb").touch()
    assert cli.find_notebook("a1").name == "a1_one.ipynb"
    (tmp_path / "assignments" / "a1_one-Copy1.ipynb").touch()
    with pytest.raises(cli.BadInput, match="a1_one-Copy1.ipynb, a1_one.ipynb; say which"):
        cli.find_notebook("a1")


def test_progress(log, capsys):
    progress.record(ASKED[0], "passed")
    assert cli.main(["progress"]) == 0
    assert f"1 of {len(questions())} questions passed" in capsys.readouterr().out


def test_progress_lies_in_the_course_wherever_one_calls(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_PROGRESS")
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir("/")
    assert cli.main(["progress"]) == 0
    assert progress.log_path() == tmp_path / ".course" / "progress.jsonl"
    monkeypatch.setenv("COURSE_PROGRESS", "kept")
    assert cli.main(["progress"]) == 0 and os.environ["COURSE_PROGRESS"] == "kept"


def test_lab_serves_the_whole_course_and_passes_options_on(monkeypatch):
    assert (ROOT / cli.FIRST).is_file()
    called = []
    monkeypatch.setattr(os, "execv", lambda program, command: called.append((program, command)))
    monkeypatch.setattr(os, "chdir", called.append)
    cli.main(["lab", "--no-browser", "--port=1234"])
    folder, (program, command) = called
    assert folder == ROOT and program == sys.executable
    assert command[1:3] == ["-m", "jupyterlab"] and f"--ServerApp.root_dir={ROOT}" in command
    assert command[-3:] == ["--no-browser", "--port=1234", str(cli.FIRST)]


def test_lab_without_lectures(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    assert cli.main(["lab"]) == 2
    assert "00_start_here.ipynb" in capsys.readouterr().err


def test_an_experiment_gets_its_options_and_its_exit_code_is_passed_on(monkeypatch):
    called = []
    monkeypatch.setattr("course_utils.study_runner.run_study", lambda *args: called.append(args) or 130)
    line = "experiment a-b --seeds 3 --scheduler tls://x:1 --out here --only x=1 y=2 --only z=3"
    assert cli.main(line.split()) == 130
    assert cli.main(["experiment", "a-b", "--jobs", "2"]) == 130
    assert called == [
        ("a-b", 3, None, "tls://x:1", Path("here"), ["x=1", "y=2", "z=3"]),
        ("a-b", None, 2, None, None, []),
    ]


def test_an_experiment_runs_here_or_on_a_cluster(capsys):
    with pytest.raises(SystemExit) as error:
        cli.main(["experiment", "a-b", "--jobs", "2", "--scheduler", "tcp://x:1"])
    assert error.value.code == 2 and "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize("line", [[], ["bake"], ["progress", "--loudly"], ["check"], ["check", "a1", "--timeout", "x"]])
def test_a_command_line_that_makes_no_sense(line, capsys):
    with pytest.raises(SystemExit) as error:
        cli.main(line)
    assert error.value.code == 2 and "usage: course" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as error:
        cli.main(["--version"])
    assert error.value.code == 0 and capsys.readouterr().out.startswith("irl-course ")


def test_without_the_instructors_package_there_is_no_build(monkeypatch, capsys):
    commands = ("lab", "check", "progress", "experiment", "doctor")
    assert all(name in cli.make_parser().format_help() for name in (*commands, "build"))
    monkeypatch.setitem(sys.modules, "instructor.commands", None)
    text = cli.make_parser().format_help()
    assert "build" not in text and all(name in text for name in commands)
    assert not capsys.readouterr().err


def test_a_package_missing_for_the_instructor_is_said(monkeypatch, capsys):
    def missing(name):
        raise ModuleNotFoundError("No module named 'jupytext'", name="jupytext")

    monkeypatch.setattr(cli, "import_module", missing)
    assert "build" not in cli.make_parser().format_help()
    assert "No module named 'jupytext'" in capsys.readouterr().err


def test_the_command_starts_without_the_heavy_packages():
    code = "import json, sys; from course_utils import cli; cli.make_parser(); print(json.dumps(list(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not {"torch", "numpy", "scipy", "matplotlib", "distributed"} & set(loaded)
