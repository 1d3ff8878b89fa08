"""`course grade` on real submissions, with what can go wrong around it: no mark is lost, doubled or wrong."""

import csv
import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import psutil
import psycopg
import pytest
from postgres import Postgres

from course_utils.checks import questions

ROOT = Path(__file__).resolve().parents[1]
A1 = {id: question.points for id, question in questions().items() if id.startswith("a1.")}
KINDS = 5
SOON = 0.05  # seconds between two looks
PATIENCE = 240  # seconds on a busy machine


def submission(kind: int):
    """A notebook of a1 and the marks that it deserves: {question: points}."""
    notebook = nbformat.read(next((ROOT / "solutions").glob("a1_*.ipynb")), as_version=4)
    blank = nbformat.read(next((ROOT / "assignments").glob("a1_*.ipynb")), as_version=4)
    stubs = {asked(cell): cell.source for cell in blank.cells if asked(cell)}
    answers = {asked(cell): cell for cell in notebook.cells if asked(cell)}
    assert answers.keys() == stubs.keys() == A1.keys()
    deserved = {id: float(points) for id, points in A1.items()}
    first, last = answers["a1.q1"], answers["a1.q4"]
    name = "log_partition"  # what a1.q1 asks for
    if kind == 1:  # wrong for long horizons only, which the check does not show
        arguments = "next_state, r, g, start, horizon"
        first.source += (
            f"\n\nright = {name}\n\ndef {name}({arguments}):\n    return right({arguments}) if horizon < 100 else 0.0"
        )
        deserved["a1.q1"] /= 2
    if kind == 2:
        last.source = stubs["a1.q4"]
        deserved["a1.q4"] = 0.0
    if kind == 3:
        first.source += f"\n\ndef {name}(next_state, r, g, start, horizon):\n    return 1.0"
        deserved["a1.q1"] = 0.0
    if kind == 4:
        for id, cell in answers.items():
            cell.source = stubs[id]
        deserved = dict.fromkeys(A1, 0.0)
    return nbformat.writes(notebook), deserved


def asked(cell):
    """The question that a cell answers; None for the others, checks included."""
    is_answer = cell.metadata.get("nbgrader", {}).get("solution")
    return cell.metadata["course"]["question"] if is_answer else None


class Batch:
    """A folder of submissions, and `course grade` on it in processes of its own."""

    def __init__(self, folder: Path, n: int):
        self.folder, self.out, self.temporary = folder / "submissions", folder / "out", folder / "tmp"
        self.temporary.mkdir(parents=True)
        self.secret = folder / "secret"
        self.secret.write_text("what the hidden inputs of this test come from")
        self.secret.chmod(0o600)
        self.db = f"sqlite:///{folder / 'grades.sqlite'}"
        self.seen, self.deserved = set(), {}
        made = [submission(kind) for kind in range(KINDS)]
        for number in range(n):
            name = f"student{number:03d}"
            text, self.deserved[name] = made[number % KINDS]
            (self.folder / name).mkdir(parents=True)
            (self.folder / name / "a1_maxent.ipynb").write_text(text, encoding="utf-8")

    @contextmanager
    def grading(self, wrapper=(), db=None, **options):
        command = [*wrapper, sys.executable, "-m", "course_utils.cli", "grade", "a1", self.folder]
        command += ["--out", self.out, "--jobs", "2", "--secret", self.secret, "--db", db or self.db]
        environment = {**os.environ, "TMPDIR": str(self.temporary), "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        try:
            yield process
        finally:
            self.family(process)
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=PATIENCE)

    def grade(self, code, **options) -> str:
        """Grade to the end; what is said on stderr."""
        with self.grading(**options) as process:
            out, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == code, out + err
        return err

    def family(self, process) -> list:
        """The processes that a grader has started; each is remembered."""
        with suppress(psutil.NoSuchProcess):
            found = psutil.Process(process.pid).children(recursive=True)
            self.seen.update(found)
            return found
        return []

    def some(self, process, word):
        """A process of the grader's with this word in its command, once there is one; None if the grader has ended."""
        while process.poll() is None:
            found = []
            for child in self.family(process):
                with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                    if any(word in part for part in child.cmdline()[:4]):
                        found.append(child)
            if found:
                return random.choice(found)
            time.sleep(SOON)

    def rows(self) -> list:
        """(student's key, attempt, record) of what is in the gradebook."""
        query = "SELECT student, attempt, record FROM grading_records ORDER BY number"
        try:
            sqlite = self.db.startswith("sqlite")
            db = sqlite3.connect(self.db.removeprefix("sqlite:///")) if sqlite else psycopg.connect(self.db)
            with db:
                return db.execute(query).fetchall()
        except (sqlite3.Error, psycopg.Error):  # not made yet, or just being written
            return []
        finally:
            with suppress(UnboundLocalError):
                db.close()

    def until_kept(self, process, n):
        end = time.monotonic() + PATIENCE
        while len(self.rows()) < n:
            assert process.poll() is None and time.monotonic() < end, process.communicate()
            time.sleep(SOON)

    def assert_all_right(self):
        """Every mark as deserved, once, in the gradebook and in the table; and nothing is left behind."""
        records = [json.loads(text) for _, _, text in self.rows()]
        marks = [
            (record["name"], {answer["question"]: answer["points"] for answer in record["answers"]})
            for record in records
        ]
        assert sorted(marks, key=lambda pair: pair[0]) == sorted(self.deserved.items())
        assert {attempt for _, attempt, _ in self.rows()} == {0}
        with open(self.out / "marks.csv", encoding="utf-8-sig", newline="") as file:
            assert len(list(csv.DictReader(file))) == len(self.deserved)
        _, alive = psutil.wait_procs(self.seen, timeout=20)
        assert not alive
        assert list(self.temporary.iterdir()) == []
        assert not [path for path in self.out.rglob("*") if path.name.endswith((".tmp", "-journal"))]
        assert str(self.out.parent) not in Path("/proc/self/mountinfo").read_text()


@pytest.fixture
def batch(tmp_path):
    return Batch(tmp_path, 10)


def test_kills_at_random_moments(tmp_path):
    """Of the box, of a worker and of the grader, 21 times in all over 100 submissions."""
    batch, rng, killed = Batch(tmp_path, 100), random.Random(5), {"bwrap": 0, "spawn_main": 0, "grader": 0}
    for _ in range(8):
        with batch.grading() as process:
            for word in [*rng.sample(["bwrap", "spawn_main"], 2), "grader"]:
                wanted = len(batch.rows()) + rng.randrange(4)  # sometimes at once: while it starts, or recovers
                while process.poll() is None and len(batch.rows()) < wanted:
                    time.sleep(SOON)
                time.sleep(rng.uniform(0, 0.4))
                victim = process if word == "grader" else batch.some(process, word)
                batch.family(process)
                if victim is not None and process.poll() is None:
                    with suppress(psutil.NoSuchProcess):  # it has ended by itself: not counted
                        victim.kill()
                        killed[word] += 1
        psutil.wait_procs(batch.seen, timeout=20)
    assert sum(killed.values()) >= 20, killed
    assert 0 < len(batch.rows()) < 100  # the kills came midway
    batch.grade(0)
    batch.assert_all_right()


def test_a_full_disk(batch):
    """A file may not grow any more, as over a quota."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    said = batch.grade(3, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard)))
    assert "make room" in said and "goes on from there" in said
    assert len(batch.rows()) < 10
    batch.grade(0)
    batch.assert_all_right()


def test_a_read_only_folder_of_results(batch):
    batch.out.mkdir()
    said = batch.grade(3, wrapper=["bwrap", "--dev-bind", "/", "/", "--ro-bind", batch.out, batch.out])
    assert f"{batch.out} cannot be written" in said
    batch.grade(0)
    batch.assert_all_right()


def test_a_locked_gradebook(batch):
    with batch.grading(db=f"{batch.db}?timeout=1") as process:
        batch.until_kept(process, 2)
        other = sqlite3.connect(batch.db.removeprefix("sqlite:///"), isolation_level=None, timeout=30)
        other.execute("BEGIN EXCLUSIVE")
        said = process.communicate(timeout=PATIENCE)[1]
        other.close()
    assert process.returncode == 3
    assert "another program has kept it locked" in said
    assert 2 <= len(batch.rows()) < 10
    batch.grade(0)
    batch.assert_all_right()


def test_a_lost_postgresql_server(batch):
    with Postgres() as server:
        batch.db = server.url
        with batch.grading() as process:
            batch.until_kept(process, 2)
            server.stop()
            said = process.communicate(timeout=PATIENCE)[1]
        assert process.returncode == 3
        assert "the database server is not there" in said and "correct" not in said  # the password
        server.start()
        assert 2 <= len(batch.rows()) < 10
        batch.grade(0)
        batch.assert_all_right()
