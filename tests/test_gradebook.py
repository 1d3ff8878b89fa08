"""The gradebook: what is kept is kept once, whole and for good, and what goes wrong is said in one sentence."""

import multiprocessing
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres import PASSWORD, Postgres

from instructor.grading import gradebook
from instructor.grading.gradebook import GO_ON, Gradebook, GradebookError
from instructor.grading.records import RIGHT, Answer, Identity, Record

ROOT = Path(__file__).resolve().parents[1]
FORK = multiprocessing.get_context("fork")


def record(student="ada", points=1.0, name="Ada", padding=0, **identity) -> Record:
    plain = {"assignment": "a1", "version": "v", "grader": "g", "seed": "s", "submission": "0" * 64}
    answer = Answer("a1.q1", "title", points, 4.0, RIGHT, "message", card={"padding": "x" * padding})
    return Record(Identity(student, **{**plain, **identity}), name, "", "a1.ipynb", None, "", (answer,))


def numbered(number: int) -> Record:
    return record(f"student-{number}", points=number % 5, padding=3000)


@pytest.fixture(scope="module")
def postgres():
    with Postgres() as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "grades.sqlite"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, path):
    """Of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{path}"
    server = request.getfixturevalue("postgres")
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("DROP TABLE IF EXISTS grading_records, grading_schema")
    return server.url


def rows(url, query="SELECT student, attempt, record FROM grading_records ORDER BY number"):
    """What is in the database, seen without the gradebook."""
    db = sqlite3.connect(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else psycopg.connect(url)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def refuses(match):
    return pytest.raises(GradebookError, match=match)


# ---- what is kept


few = st.sampled_from("ab")
identities = st.builds(Identity, st.sampled_from("abcd"), few, few, few, few, few)
steps = st.lists(st.tuples(identities, st.integers(0, 9), st.booleans(), st.text(max_size=5)), max_size=25)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, asked=st.lists(identities, max_size=10))
def test_like_a_dict_that_never_forgets(steps, asked, tmp_path_factory):
    """Against a dict: the first record of an identity stays, unless it is graded again."""
    latest, last, attempts = {}, {}, 0
    with Gradebook(f"sqlite:///{tmp_path_factory.mktemp('book') / 'grades'}") as book:
        for identity, points, again, name in steps:
            made = replace(record(points=points, name=name), identity=identity)
            book.keep(made, again=again)
            if again or identity not in latest:
                latest[identity] = last[identity.assignment, identity.student] = made
                attempts += 1
        assert book.find(latest) == latest
        assert book.find(asked) == {identity: latest[identity] for identity in asked if identity in latest}
        for assignment in "abc":
            expected = [last[key] for key in sorted(last) if key[0] == assignment]
            assert book.records(assignment) == expected
        assert len(rows(book.where)) == attempts


def test_a_life(url):
    with Gradebook(url) as book:
        first, regrade = record(points=1), record(points=2)
        book.keep(first)
        book.keep(regrade)  # the same identity: it is there already
        assert book.find([first.identity]) == {first.identity: first}
        book.keep(regrade, again=True)
        assert book.find([first.identity]) == {first.identity: regrade}
    with Gradebook(url) as book:
        later = record(points=3, submission="1" * 64)
        book.keep(later)
        assert book.records("a1") == [later]
        assert book.records("a2") == []
        assert book.find([first.identity, later.identity]) == {first.identity: regrade, later.identity: later}
    assert [(student, attempt) for student, attempt, _ in rows(url)] == [("ada", 0), ("ada", 1), ("ada", 0)]


def test_a_name_is_kept_as_it_came(url):
    names = ["Ada\0Lovelace", "\udcff half a pair", "'); DROP TABLE grading_records; --", "名前 🦉", "x" * 10_000]
    with Gradebook(url) as book:
        for number, name in enumerate(names):
            book.keep(record(f"s{number}", name=name))
        assert [kept.name for kept in book.records("a1")] == names


def test_many_are_found_at_once(path):
    """As many as an introductory course has, in seconds: there is no query for each."""
    n = 50_000
    with Gradebook(f"sqlite:///{path}") as book:
        book.keep(record("student-0"))
        copy = record("STUDENT").to_json()
        with sqlite3.connect(path) as db:
            db.executemany(
                "INSERT INTO grading_records (student, assignment, version, grader, seed, submission, attempt, name, "
                "points, out_of, kept_at, record) SELECT ?, assignment, version, grader, seed, submission, 0, name, 1, "
                "4, kept_at, ? FROM grading_records WHERE number = 1",
                ((f"student-{i}", copy.replace("STUDENT", f"student-{i}")) for i in range(1, n)),
            )
        db.close()
        wanted = [record(f"student-{i}").identity for i in range(0, 2 * n, 2)]
        start = time.process_time()
        found = book.find(wanted)
        assert time.process_time() - start < 20
    assert found.keys() == set(wanted[: n // 2])


def keep_on(url, first, step, count, told):
    """Keep records and tell the number of each that is kept, until killed or done."""
    with Gradebook(url) as book:
        for number in range(first, first + step * count, step):
            book.keep(numbered(number))
            os.write(told, b"%d\n" % number)


def in_a_child(*args):
    """The process, and where to read what it tells."""
    ours, theirs = os.pipe()
    child = FORK.Process(target=keep_on, args=(*args, theirs))
    child.start()
    os.close(theirs)
    return child, open(ours)


def test_kill_9_at_any_moment(path):
    """What a child said is kept is kept, whole and once, and the next goes on where it ended."""
    url, rng, kept, midway = f"sqlite:///{path}", random.Random(5), set(), 0
    for _ in range(25):
        child, told = in_a_child(url, 0, 1, 10_000)  # begins from the start each time: nothing may be kept twice
        first = told.readline() if rng.random() < 0.8 else ""  # sometimes as early as when the tables are made
        time.sleep(rng.uniform(0, 0.1))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        with told:
            said = [int(line) for line in (first + told.read()).split()]
        kept.update(said)
        midway += bool(said)
        with Gradebook(url) as book:
            found = book.find(numbered(number).identity for number in range(max(kept, default=-1) + 2))
        assert {numbered(number).identity for number in kept} <= found.keys()
        assert len(rows(url)) == len(found) <= max(kept, default=-1) + 2  # one more may be kept than was told
        assert all(found[numbered(number).identity] == numbered(number) for number in kept)
    assert midway >= 15
    with Gradebook(url) as book:
        book.keep(numbered(max(kept) + 2))  # a journal without a transaction in it stays until the next one begins
    assert rows(url, "PRAGMA integrity_check") == [("ok",)]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_two_graders_at_once(url):
    """They open an empty database, and keep the same records and others, at the same moment."""
    children = [in_a_child(url, first, step, 60) for first, step in ((0, 1), (0, 1), (0, 2), (1, 2))]
    for child, told in children:
        assert len(told.read().split()) == 60
        child.join()
        told.close()
        assert child.exitcode == 0
    kept = [student for student, attempt, _ in rows(url) if attempt == 0]
    assert sorted(kept) == sorted(f"student-{number}" for number in {*range(60), *range(0, 120, 2), *range(1, 120, 2)})
    assert len(rows(url)) == len(kept)


def test_regrades_at_once_are_all_kept(url):
    with Gradebook(url) as book:
        book.keep(record())
        threads = [threading.Thread(target=book.keep, args=(record(points=i), True)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [attempt for _, attempt, _ in rows(url)] == [0, 1, 2]


# ---- what goes wrong


@pytest.mark.parametrize(
    "url, match",
    [
        ("grades.db", "expected a URL such as sqlite:///grades.db"),
        ("", "expected a URL"),
        ("sqlite://", "memory keeps nothing"),
        ("sqlite:///:memory:", "memory keeps nothing"),
        ("abacus://x", "abacus"),
        ("mysql://ada:hidden@host/x", "driver"),
        ("postgresql://ada:hid@den@host:x1/x", "'…@host:x1/x'"),
        ("postgresql://ada:hidden@127.0.0.1:1/x?password=hidden", r"ada:\*\*\*@127.0.0.1:1/x .*see that it runs"),
        ("sqlite:////no/such/folder/grades.db", "there is no folder /no/such/folder"),
        (f"sqlite:///{ROOT}", "it is a folder; name a file"),
        (f"sqlite:///{__file__}", "something else than an SQLite database"),
    ],
)
def test_a_url_that_cannot_be_used(url, match):
    before = Path(__file__).read_bytes()
    with refuses(match) as caught:
        Gradebook(url)
    assert "hid" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert Path(__file__).read_bytes() == before


def test_tables_of_another_version_are_left_alone(url):
    with Gradebook(url) as book:
        book.keep(record())
    execute(url, "UPDATE grading_schema SET version = 99")
    with refuses("tables of version 99, and this course reads version 1"):
        Gradebook(url)
    assert len(rows(url)) == 1


def execute(url, statement):
    db = sqlite3.connect(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else psycopg.connect(url)
    db.execute(statement)
    db.commit()
    db.close()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"answers": []}', "[" * 100_000, "another's"])
def test_a_damaged_row_is_named(url, text):
    with Gradebook(url) as book:
        book.keep(record("ada"))
        book.keep(record("bob"))
        text = record("bob").to_json() if text == "another's" else text
        execute(url, f"UPDATE grading_records SET record = '{text}' WHERE student = 'ada'")
        with refuses(r"damaged: row 1 of grading_records \(student ada, a1\)"):
            book.find([record("ada").identity])
        with refuses("row 1"):
            book.records("a1")
        assert book.find([record("bob").identity]) == {record("bob").identity: record("bob")}


def test_locked(url, monkeypatch):
    monkeypatch.setattr(gradebook, "WAIT", 1)
    with Gradebook(url) as book:
        book.keep(numbered(0))
        sqlite = url.startswith("sqlite")
        other = (
            sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None) if sqlite else psycopg.connect(url)
        )
        other.execute("BEGIN EXCLUSIVE" if sqlite else "LOCK TABLE grading_records")
        with refuses("another program has kept it locked"):
            book.keep(numbered(1))
        other.rollback()
        other.close()
        book.keep(numbered(1))  # the same gradebook goes on
        assert book.records("a1") == [numbered(0), numbered(1)]


def test_a_file_that_goes_on_growing_past_its_limit(path):
    """As a quota stops it, without root's help."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Gradebook(f"sqlite:///{path}") as book:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
            with refuses(f"full, over a quota.*{GO_ON}"):
                for number in range(100):
                    book.keep(numbered(number))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert 5 < number < 99
        assert book.records("a1") == sorted(map(numbered, range(number)), key=lambda kept: kept.identity.student)
        for again in range(number + 1):
            book.keep(numbered(again))
    assert len(rows(f"sqlite:///{path}")) == number + 1


def in_other_mounts(code, *options):
    """Run code in a process whose view of the disk differs, with and without root."""
    start = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]; from pathlib import Path; "
        "from test_gradebook import *\n"
    )
    return subprocess.run(
        ["bwrap", "--dev-bind", "/", "/", *options, sys.executable, "-c", start + code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


FULL = """
folder = Path(sys.argv[1]) if sys.argv[1:] else Path(FOLDER)
(folder / "filler").write_bytes(b"x" * 300_000)
with Gradebook(f"sqlite:///{folder}/grades") as book:
    try:
        for number in range(1000):
            book.keep(numbered(number))
    except GradebookError as error:
        print(error)
    assert 3 < number < 200, number
    assert len(book.records("a1")) == number
    (folder / "filler").unlink()
    for again in range(number + 20):
        book.keep(numbered(again))
assert len(rows(f"sqlite:///{folder}/grades")) == number + 20
"""


def test_a_full_disk(tmp_path):
    code = f"FOLDER = {str(tmp_path)!r}\n" + FULL
    done = in_other_mounts(code, "--size", "600000", "--tmpfs", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "the disk is full; make room there" in done.stdout
    assert GO_ON in done.stdout
    assert list(tmp_path.iterdir()) == []  # the mount went with the process


READ_ONLY = """
with Gradebook(URL) as book:
    assert book.records("a1") == [numbered(0)]
    for attempt in (1, 2):
        try:
            book.keep(numbered(1))
        except GradebookError as error:
            print(error)
try:
    Gradebook(URL + "-new")
except GradebookError as error:
    print(error)
"""


def test_a_read_only_folder(path):
    """One can look into the gradebook there, and nothing more."""
    url = f"sqlite:///{path}"
    with Gradebook(url) as book:
        book.keep(numbered(0))
    folder = str(path.parent)
    done = in_other_mounts(f"URL = {url!r}\n" + READ_ONLY, "--ro-bind", folder, folder)
    assert done.returncode == 0, done.stderr
    keeps, new = done.stdout.splitlines()[:2], done.stdout.splitlines()[2]
    assert all("cannot be used to keep the record of student-1" in line and "rights" in line for line in keeps)
    assert "rights" in new and folder in new
    assert len(rows(url)) == 1


def test_a_file_that_is_moved_away_midway(path):
    """Nothing is said to be kept in a file that nobody will find."""
    with Gradebook(f"sqlite:///{path}") as book:
        book.keep(numbered(0))
        path.rename(path.with_suffix(".moved"))
        with refuses("read-only, or was moved away"):
            book.keep(numbered(1))
        path.with_suffix(".moved").rename(path)
        book.keep(numbered(1))
    assert len(rows(f"sqlite:///{path}")) == 2


# ---- PostgreSQL


def test_a_wrong_password(postgres):
    wrong = postgres.url.replace(PASSWORD.split()[0], "wrong")
    with refuses(r"postgresql://grader:\*\*\*@127.0.0.1.*turns us away.*password authentication failed"):
        Gradebook(wrong)


def test_no_such_database(postgres):
    with refuses('"nowhere" does not exist'):
        Gradebook(postgres.url.replace("/postgres", "/nowhere"))


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_a_server_that_dies_midway_and_comes_back(url, postgres):
    """Killed between two keeps and in the middle of one; the same gradebook goes on, and nothing is lost or twice."""
    with Gradebook(url) as book:
        book.keep(numbered(0))
        postgres.stop(signal.SIGKILL)
        with refuses("see that it runs"):
            book.keep(numbered(1))
        postgres.start()
        book.keep(numbered(1))
        assert book.records("a1") == [numbered(0), numbered(1)]
        kept, timer = 1, threading.Timer(0.3, postgres.process.kill)
        timer.start()
        with refuses(GO_ON):
            while True:
                book.keep(numbered(kept + 1))
                kept += 1
        timer.join()
        postgres.stop(signal.SIGKILL)
        postgres.start()
        for number in range(kept + 2):
            book.keep(numbered(number))
        assert len(book.find(numbered(number).identity for number in range(kept + 2))) == kept + 2
    assert len(rows(url)) == kept + 2
