"""`course grade` from a folder to files, as an instructor calls it."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from instructor.grading import adjust
from instructor.grading.gradebook import Gradebook
from instructor.grading.records import Submission

ROOT = Path(__file__).resolve().parents[1]
SOLVED = (ROOT / "solutions" / "a1_maxent.ipynb").read_bytes()
BLANK = (ROOT / "assignments" / "a1_maxent.ipynb").read_bytes()
COURSE = str(Path(sys.executable).with_name("course"))
DAY = 86_400


def with_answer(question, source):
    """The solved notebook with another answer to one question."""
    notebook = json.loads(SOLVED)
    for cell in notebook["cells"]:
        if cell["id"] == question.replace(".", "-"):
            cell["source"] = source
    return json.dumps(notebook).encode()


WRONG = with_answer("a1.q1", "def log_partition(next_state, r, g, start, horizon):\n    return 0.0")
MARKS = {"ada": (SOLVED, 10), "bob": (BLANK, 0), "eve": (WRONG, 8)}


@pytest.fixture
def batch(tmp_path):
    folder = tmp_path / "submissions"
    folder.mkdir()
    for name, (notebook, _) in MARKS.items():
        (folder / f"{name}.ipynb").write_bytes(notebook)
    return folder


def arguments(batch, *more):
    out, secret = batch.parent / "results", batch.parent / "secret"
    return ["grade", "a1", str(batch), "--out", str(out), "--secret", str(secret), "--jobs", "1", *map(str, more)]


def start(batch, *more):
    command = [COURSE, *arguments(batch, *more)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def grade(batch, *more, code=0):
    """(what it printed, what it told on stderr)"""
    process = start(batch, *more)
    out, err = process.communicate(timeout=180)
    assert process.returncode == code, err
    return out, err


def totals(batch):
    with open(batch.parent / "results" / "marks.csv", encoding="utf-8-sig", newline="") as file:
        return {row["name"]: row["total"] for row in csv.DictReader(file)}


def kept(batch):
    with Gradebook(f"sqlite:///{batch.parent / 'results' / 'gradebook.sqlite'}") as book:
        return {record.name: record for record in book.records("a1")}


def test_from_a_folder_to_files(batch):
    out, err = grade(batch)
    assert totals(batch) == {"ada": "10", "bob": "0", "eve": "8"}
    results = batch.parent / "results"
    for name in ("summary.html", "moodle.csv", "canvas.csv", "nbgrader.csv"):
        assert (results / name).stat().st_size
    assert len(list((results / "feedback").glob("*.html"))) == len(list((results / "gradescope").iterdir())) == 3
    assert "10 of 10" in out and "3 of 3 submissions done" in err
    assert os.stat(batch.parent / "secret").st_mode & 0o077 == 0

    _, err = grade(batch)
    assert "3 of them graded before" in err
    (batch / "bob.ipynb").write_bytes(SOLVED)
    _, err = grade(batch)
    assert "2 of them graded before" in err and totals(batch)["bob"] == "10"
    _, err = grade(batch, "--regrade", "ada")
    assert "2 of them graded before" in err
    (batch.parent / "secret").write_text("another term's secret")
    (batch.parent / "secret").chmod(0o644)
    _, err = grade(batch)
    assert "0 of them graded before" in err and "chmod 600" in err


def test_a_zip_as_moodle_makes_it(tmp_path):
    batch = tmp_path / "download.zip"
    with zipfile.ZipFile(batch, "w") as file:
        for number, (name, (notebook, _)) in enumerate(MARKS.items()):
            file.writestr(f"{name} L_{number + 100}_assignsubmission_file_/a1.ipynb", notebook)
    grade(batch)
    assert totals(batch) == {"ada L": "10", "bob L": "0", "eve L": "8"}


def test_late_and_by_hand(batch):
    times, manual = batch.parent / "times.csv", batch.parent / "manual.csv"
    times.write_text("student,submitted\nada,2026-12-02T00:00:01+00:00\neve,2026-12-01T00:00:00+00:00\n")
    manual.write_text("student,item,points,out_of,comment\nada,essay,2.5,3,Good\nbob,essay,1,3,\neve,essay,0,3,=1+1\n")
    grade(batch, "--due", "2026-12-01T00:00+00:00", "--late-penalty", 10, "--times", times, "--manual", manual)
    assert totals(batch) == {"ada": "10.5", "bob": "1", "eve": "8"}  # two days begun: 10 − 2 + 2.5
    (page,) = (batch.parent / "results" / "feedback").glob("ada-*.html")
    assert "2026-12-02 00:00:01 UTC" in page.read_text()  # the time that took the points is the one that is shown
    manual.write_text('student,item,points,out_of,comment\nada,essay,2,3,"Good,\nbut long"\n')
    grade(batch, "--manual", manual)
    assert totals(batch)["ada"] == "12" and "but long" in page.read_text()


def test_penalties_at_the_boundaries():
    lost = lambda late, share=0.1: adjust.penalty(10.0, 1e9 + late, 1e9, share)
    assert [lost(x) for x in (-5, 0, 1, DAY, DAY + 1, 9 * DAY, 99 * DAY)] == [0, 0, 1, 1, 2, 9, 10]
    assert adjust.penalty(10.0, None, 1e9, 0.1) == adjust.penalty(10.0, 2e9, None, 0.1) == 0


@pytest.mark.parametrize(
    "text, says",
    [
        ("student,item,points\nada,essay,1\n", "out_of"),
        ("student,item,points,out_of\nzoe,essay,1,3\n", "line 2: no submissions"),
        ("student,item,points,out_of\nada,essay,4,3\nada,,1,3\n", "line 3"),
        ("student,item,points,out_of\nada,essay,x,3\n", "line 2"),
        ("student,item,points,out_of\nada,essay,1,3\nada,essay,1,3\n", "a second 'essay'"),
    ],
)
def test_marks_by_hand_are_checked(tmp_path, text, says):
    path = tmp_path / "manual.csv"
    path.write_text(text)
    options = SimpleNamespace(due=None, late_penalty=10, times=None, manual=path)
    with pytest.raises(adjust.BadInput, match=says):
        adjust.read(options, [Submission("ada")])


def test_bad_input_is_named(batch, tmp_path):
    (tmp_path / "empty").mkdir()
    short = tmp_path / "short"
    short.write_text("x")
    for code, says, change in (
        (2, "a77", {1: "a77"}),
        (2, "nowhere", {2: str(tmp_path / "nowhere")}),
        (2, "empty", {2: str(tmp_path / "empty")}),
        (2, "--jobs", {8: "0"}),
        (2, "16 bytes", {6: str(short)}),
        (3, "results", {4: "/dev/null/results"}),
    ):
        command = arguments(batch)
        for index, value in change.items():
            command[index] = value
        done = subprocess.run([COURSE, *command], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == code and says in done.stderr and "Traceback" not in done.stderr, done.stderr
    for more, says in (
        (["--regrade", "zoe"], "zoe"),
        (["--due", "tomorrow"], "--due"),
        (["--late-penalty", "200"], "percentage"),
    ):
        assert says in grade(batch, *more, code=2)[1]
    assert "nonsense" in grade(batch, "--db", "nonsense", code=3)[1]


def test_two_at_once(batch):
    (batch.parent / "results").mkdir()
    with FileLock(batch.parent / "results" / ".lock"):
        _, err = grade(batch, code=2)
    assert "another" in err
    grade(batch)


def test_kill_and_go_on(tmp_path):
    """Killed at five moments, a worker among the killed; every mark is there in the end, each once."""
    batch = tmp_path / "submissions"
    batch.mkdir()
    for k in range(12):
        (batch / f"s{k:02}.ipynb").write_bytes((SOLVED, BLANK, WRONG)[k % 3])
    for wait in (1.5, 2.0, 2.5, 3.0, 3.5):
        process = start(batch, "--jobs", "2")
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    grade(batch, "--jobs", "2")
    assert totals(batch) == {f"s{k:02}": ("10", "0", "8")[k % 3] for k in range(12)}
    assert len(kept(batch)) == 12
