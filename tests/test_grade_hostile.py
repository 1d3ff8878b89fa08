"""Every submission of the hostile corpus gets the mark that it deserves, alone and in one batch."""

import csv
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hostile import CORPUS, ROOT, little_time

from instructor.grading import marking
from instructor.grading.box import Limits
from instructor.grading.records import Submission

QUICK = Limits(cell=3.0, asleep=2.0, memory=1024)
SECRET = b"the secret of the corpus"


@pytest.fixture(scope="module", autouse=True)
def quick_questions():
    with little_time("a1"):
        yield


def test_there_are_enough():
    assert len(CORPUS) >= 40


@pytest.mark.parametrize("name", CORPUS)
def test_it_gets_what_it_deserves(name):
    entry = CORPUS[name]
    record = marking.mark(Submission(name, notebook=entry.notebook), "a1", SECRET, QUICK)
    assert record.points == entry.points, record
    assert record.answers[0].status in (entry.status if isinstance(entry.status, tuple) else (entry.status,)), record


def test_nothing_of_the_machine_comes_out():
    for name, word in (("looks for the tests", "FOUND []"), ("sockets", "CLOSED")):
        record = marking.mark(Submission(name, notebook=CORPUS[name].notebook), "a1", SECRET, QUICK)
        assert word in str(record.answers[0].card)


STAYS = {"correct", "blank", "wrong", "no JSON", "os._exit", "sys.exit", "daemon", "kills everybody", "patched numpy"}
NAMES = {"=cmd|' /C calc'!A0": "correct", "up/../../../x": "correct", "<script>alert(1)</script>": "wrong"}


def test_a_batch(tmp_path):
    """By the command, beside names that are formulas, paths and markup, and a link that leads out."""
    batch, out = tmp_path / "batch", tmp_path / "out"
    batch.mkdir()
    deserved = {}
    for name in STAYS:
        (batch / f"{name.replace('.', '')}.ipynb").write_bytes(CORPUS[name].notebook)
        deserved[name.replace(".", "")] = CORPUS[name]
    for name, like in NAMES.items():
        folder = batch / name.replace("/", "⁄")
        folder.mkdir()
        (folder / "a1.ipynb").write_bytes(CORPUS[like].notebook)
    (batch / "link.ipynb").symlink_to("/etc/passwd")
    before = {p.pid for p in psutil.process_iter()}
    command = [Path(sys.executable).with_name("course"), "grade", "a1", batch, "--out", out]
    command += ["--secret", tmp_path / "secret", "--jobs", "2"]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    with open(out / "marks.csv", encoding="utf-8-sig", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    for name, entry in deserved.items():
        assert rows[name]["total"] == (f"{entry.points:g}" if entry.status != "not graded" else ""), name
    assert rows["link"]["total"] == "" and len(rows) == len(STAYS) + len(NAMES) + 1
    text = (out / "marks.csv").read_text(encoding="utf-8-sig")
    assert "\n=" not in text and ",=" not in text and "root:" not in text
    pages = "".join(path.read_text() for path in out.rglob("*.html"))
    assert "<script>" not in pages and "root:" not in pages
    assert {path.name for path in tmp_path.iterdir()} == {"batch", "out", "secret"}
    deadline = time.monotonic() + 10
    while left := orphans(before):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def orphans(before):
    """Boxes that nobody runs any more; other tests' have a parent."""
    new = [p for p in psutil.process_iter(["cmdline", "ppid"]) if p.pid not in before]
    return [p for p in new if p.info["ppid"] == 1 and "guest.py" in str(p.info["cmdline"])]
