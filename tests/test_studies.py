"""Studies: what is finished is kept whatever happens, and the stored table is what `run` returns, wherever it ran."""

import getpass
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from course_utils import cli, studies, study_runner, workers
from course_utils.studies import StudyError, fingerprint, is_stale, load_table, rerun_row
from course_utils.study_runner import run_study

ROOT = Path(__file__).resolve().parents[1]

# Each row is noted in a log with its process. `HOOK` is what a test puts in.
TINY = '''"""Squares of small numbers.

More on them.
"""

import os
import time
from pathlib import Path

SEEDS = 3
CONFIGURATIONS = [{"kind": kind, "n": n} for kind in ("plain", "odd, quoted") for n in (1, 2)]
HERE = Path(__file__).parent
OFFSET = 0.123456789


def run(configuration, seed):
    with open(HERE / "log", "a") as log:
        log.write(f"{configuration['kind']} {configuration['n']} {seed};{os.getpid()}\\n")
    n = configuration["n"]
    HOOK
    return {"square": n * n + OFFSET * seed, "threads": int(os.environ["OMP_NUM_THREADS"]), "even": n % 2 == 0}


def report(rows):
    return f"{len(rows)} rows, the sum is {sum(row['square'] for row in rows):.3f}"
'''
DIES = 'if n == 2 and seed == 1 and not (HERE / "dead").exists(): (HERE / "dead").touch(); os.kill(os.getpid(), 9)'
COMMAND = "import sys; from course_utils.study_runner import run_study; sys.exit(run_study('tiny', jobs=2))"


class Course:
    """A folder with the study `tiny` in it."""

    def __init__(self, root: Path):
        self.folder = root / "experiments"
        self.rows = root / ".course" / "studies" / "tiny"
        self.results = self.folder / "results"
        self.folder.mkdir()

    def write(self, hook="pass", source=TINY):
        (self.folder / "tiny.py").write_text(source.replace("HOOK", hook), encoding="utf-8")

    def change(self, old, new):
        path = self.folder / "tiny.py"
        assert old in path.read_text(encoding="utf-8")
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    def log(self) -> Counter:
        """How often each row was begun."""
        return Counter(line.partition(";")[0] for line in self.lines())

    def lines(self):
        return (self.folder / "log").read_text().splitlines() if (self.folder / "log").exists() else []

    def kept(self) -> int:
        return len(list(self.rows.glob("*.json")))

    def start(self):
        """A runner in a process and process group of its own, with two rows finished."""
        runner = subprocess.Popen(
            [sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        wait_until(lambda: self.kept() >= 2 or runner.poll() is not None)
        assert runner.poll() is None, runner.communicate()
        return runner

    def workers_are_gone(self) -> bool:
        return not any(is_worker(int(line.partition(";")[2])) for line in self.lines())


def is_worker(pid: int) -> bool:
    """Whether a worker of a pool runs under this number, which may have gone to another program meanwhile."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


@pytest.fixture
def course(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_EXPERIMENTS", str(tmp_path / "experiments"))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")  # the workers must not have it
    monkeypatch.chdir("/")
    made = Course(tmp_path)
    made.write()
    return made


@pytest.fixture
def serial(monkeypatch):
    """Rows are run in this process, where a test is not about processes."""
    monkeypatch.setattr(study_runner, "on_this_machine", lambda work, tasks, jobs: ((t, work(*t)) for t in tasks))


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as made:
        yield made.scheduler_address


def without_times(rows):
    return [{name: value for name, value in row.items() if "seconds" not in name} for row in rows]


def expected(threads=1):
    kinds = [(kind, n) for kind in ("plain", "odd, quoted") for n in (1, 2)]
    return [
        {
            "kind": kind,
            "n": n,
            "seed": seed,
            "square": float(f"{n * n + 0.123456789 * seed:.6g}"),
            "threads": threads,
            "even": n == 2,
        }
        for kind, n in kinds
        for seed in range(3)
    ]


# ---- a whole run


def test_a_run_stores_the_table_and_how_it_was_made(course, capsys):
    assert run_study("tiny") == 0
    said = capsys.readouterr()
    rows = load_table("tiny")
    assert without_times(rows) == expected()
    assert said.out == f"12 rows, the sum is {sum(row['square'] for row in rows):.3f}\n"
    assert "12 of 12 rows done" in said.err
    text = (course.results / "tiny.csv").read_text()
    assert text.startswith("kind,n,seed,square,threads,even,cpu_seconds,wall_seconds\nplain,1,0,1,1,False,")
    assert '\n"odd, quoted",2,2,4.24691,1,True,' in text
    how = json.loads((course.results / "tiny.json").read_text())
    assert how["command"] == "course experiment tiny --seeds 3" and how["rows"] == 12 and how["seeds"] == 3
    assert how["cpu_seconds"] == pytest.approx(sum(row["cpu_seconds"] for row in rows), abs=0.06)
    (made,) = how["made_with"]
    assert set(made) == {"cpu", "cores", "python", "numpy", "torch", "gymnasium", "irl-course"}
    assert made["python"] == platform.python_version() and made["cores"] == os.cpu_count()
    assert course.log() == Counter({f"{row['kind']} {row['n']} {row['seed']}": 1 for row in rows})
    assert not list(course.rows.glob("*.tmp")) + list(course.results.glob("*.tmp"))


def test_nothing_of_the_machine_or_its_user_is_stored(course, serial):
    run_study("tiny", scheduler=None)
    files = [*course.results.iterdir(), *course.rows.glob("*.json")]
    assert len(files) == 14
    for path in files:
        text = path.read_text()
        for secret in (str(ROOT), str(Path.home()), str(course.folder), getpass.getuser(), platform.node()):
            assert not re.search(rf"\b{re.escape(secret)}\b", text), (path, secret)
        assert "/" not in text.replace("cpu", "")


def test_a_second_run_does_nothing_and_changes_nothing(course, serial, capsys):
    run_study("tiny")
    before = {path.name: path.read_bytes() for path in course.results.iterdir()}
    assert run_study("tiny") == 0
    assert sum(course.log().values()) == 12 and "12 are kept" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in course.results.iterdir()} == before


def test_a_table_grows_with_seeds_and_is_stored_when_whole(course, serial, capsys):
    assert run_study("tiny", seeds=1) == 0
    assert "it takes 3 seeds" in capsys.readouterr().err and not course.results.exists()
    assert run_study("tiny", only=["kind=plain", "n=2"]) == 0
    assert "6 of its 12 rows" in capsys.readouterr().err and not course.results.exists()
    assert run_study("tiny") == 0 and without_times(load_table("tiny")) == expected(threads=7)
    assert set(course.log().values()) == {1}
    assert run_study("tiny", seeds=4) == 0 and len(load_table("tiny")) == 16
    assert run_study("tiny", seeds=1, out=course.folder / "other") == 0
    assert len(load_table("tiny")) == 16 and (course.folder / "other" / "tiny.csv").read_text().count("\n") == 5


def test_progress_has_an_estimate_with_and_without_a_terminal(course, serial, capsys, monkeypatch):
    monkeypatch.setattr(workers, "LINE_EVERY", 0.0)
    run_study("tiny", seeds=1)
    lines = [line for line in capsys.readouterr().err.splitlines() if "done" in line]
    assert len(lines) == 4 and all(re.fullmatch(r"\d of 4 rows done, about \d\d:\d\d left", line) for line in lines)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run_study("tiny")
    said = capsys.readouterr().err
    assert "8/8 [" in said and "rows done" not in said


# ---- whatever ends it


def test_a_killed_runner_loses_the_rows_in_flight_at_most(course):
    course.write(hook="time.sleep(0.15)")
    runner = course.start()
    runner.kill()
    runner.wait()
    wait_until(course.workers_are_gone)
    kept, begun = course.kept(), sum(course.log().values())
    assert 2 <= kept <= begun <= kept + 2 and begun < 12
    (course.rows / "torn.json.1.tmp").write_text('{"ro')
    (course.rows / "torn.json").write_text('{"ro')
    assert run_study("tiny", jobs=2) == 0
    assert without_times(load_table("tiny")) == expected()
    assert sum(course.log().values()) == begun + 12 - kept and max(course.log().values()) <= 2
    assert not list(course.rows.glob("*.tmp"))


def test_ctrl_c_ends_cleanly(course, serial):
    course.write(hook="time.sleep(0.15 if seed < 2 else 60)")  # it does not wait for the rows in flight
    runner = course.start()
    wait_until(lambda: course.kept() == 8)
    os.killpg(runner.pid, signal.SIGINT)  # as a terminal does: to the workers too
    out, err = runner.communicate(timeout=20)
    assert runner.returncode == 130 and not out
    assert (
        b"8 of 12 rows are there. What is finished is kept; the same command goes on" in err and b"Traceback" not in err
    )
    wait_until(course.workers_are_gone)
    assert course.kept() == 8 and not list(course.rows.glob("*.tmp"))


def test_ctrl_c_while_workers_start(course):
    course.write(hook="time.sleep(60)")
    for pause in (0.0, 0.1, 0.2, 0.4):
        runner = subprocess.Popen(
            [sys.executable, "-c", COMMAND], stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        wait_until((course.rows / "runner.txt").exists)
        time.sleep(pause)
        os.killpg(runner.pid, signal.SIGINT)
        _, err = runner.communicate(timeout=20)
        assert runner.returncode == 130 and b"Traceback" not in err, err.decode()
        (course.rows / "runner.txt").unlink()


@pytest.mark.parametrize("where", ["pool", "dask"])
def test_a_worker_killed_midway_changes_nothing(course, cluster, where):
    course.write(hook=DIES)
    assert run_study("tiny", jobs=2, scheduler=cluster if where == "dask" else None) == 0
    assert (course.folder / "dead").exists()
    assert without_times(load_table("tiny")) == expected()


def test_a_row_that_kills_its_worker_each_time_is_named(course, capsys):
    course.write(hook="if n == 2 and seed == 1: os.kill(os.getpid(), 9)")
    assert run_study("tiny", jobs=2) == 1
    said = capsys.readouterr().err
    for kind in ("plain", "odd, quoted"):
        assert f"failed: kind={kind} n=2 seed=1: its process died twice" in said
    assert course.kept() == 10 and not course.results.exists() and "2 of 12 rows failed, 10 are kept" in said


def test_a_row_that_raises_is_named_and_the_others_go_on(course, serial, capsys):
    course.write(hook='if n == 2 and seed == 1 and not (HERE / "good").exists(): raise ArithmeticError("too odd")')
    assert run_study("tiny") == 1
    said = capsys.readouterr()
    assert "failed: kind=plain n=2 seed=1: ArithmeticError: too odd (line 20 of tiny.py)\n" in said.err
    assert course.kept() == 10 and not course.results.exists() and said.out.startswith("10 rows")
    (course.folder / "good").touch()
    assert run_study("tiny") == 0 and without_times(load_table("tiny")) == expected(threads=7)
    assert course.log()["plain 2 1"] == 2 and sum(course.log().values()) == 14


def test_odd_exceptions(course, capsys):
    course.write(hook="if seed < 2: raise SystemExit('no') if seed else type('Odd', (Exception,), {})(lambda: 0)")
    assert run_study("tiny") == 1
    said = capsys.readouterr().err
    assert said.count("seed=0: Odd: <function") == said.count("seed=1: SystemExit: no") == 4 and course.kept() == 4


def test_two_runners_do_not_meet(course, serial):
    with study_runner.alone(studies.find("tiny")):
        with pytest.raises(StudyError, match=rf"another run of tiny is at work \(process {os.getpid()}\)"):
            run_study("tiny")
    assert run_study("tiny") == 0


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_writing_is_all_or_nothing(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    studies.write(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(StudyError, match="file cannot be written: No space left"):
        studies.write(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


def test_a_full_disk_ends_the_run_and_its_workers(course, monkeypatch):
    def full(*_):
        raise StudyError("no space")

    course.write(hook="time.sleep(60 * (n == 2))")
    monkeypatch.setattr(studies, "keep", full)
    with pytest.raises(StudyError, match="no space") as error:
        run_study("tiny", jobs=2)
    assert error.tb  # its frames are still there, and do not keep the workers alive
    wait_until(course.workers_are_gone)


def test_results_that_cannot_be_written(course, serial):
    course.results.write_text("a file where a folder should be")
    with pytest.raises(StudyError, match=r"results cannot be made: .*; all 12 rows are kept, and --out"):
        run_study("tiny")
    assert course.kept() == 12
    assert run_study("tiny", out=course.folder / "other") == 0 and sum(course.log().values()) == 12


# ---- Dask


def test_a_scheduler_that_is_not_there(course, monkeypatch):
    monkeypatch.setattr(workers, "DASK_TIMEOUT", 0.5)
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        with pytest.raises(StudyError, match=f"no Dask scheduler answers at {address}"):
            run_study("tiny", scheduler=address)


def test_a_scheduler_that_goes_away(course):
    from distributed import LocalCluster

    course.write(hook="time.sleep(0.2)")
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0")
    closing = threading.Thread(target=lambda: (wait_until(lambda: course.kept() >= 2), cluster.close()))
    closing.start()
    with pytest.raises(StudyError, match=f"the scheduler at {cluster.scheduler_address} is gone. What is finished"):
        run_study("tiny", scheduler=cluster.scheduler_address)
    closing.join()
    assert 2 <= course.kept() < 12


def test_workers_with_threads_are_refused(course):
    """Their rows would share one clock of CPU time."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster:
        with pytest.raises(StudyError, match="one thread each"):
            run_study("tiny", scheduler=cluster.scheduler_address)
    assert not course.log()


# ---- which rows are still good


@pytest.mark.parametrize(
    "old, new, redone",
    [
        ("n * n + ", "n * n + 1 + ", True),
        ("OFFSET = 0.1", "OFFSET = 0.2", True),
        ("HERE = ", "VERSION = 2\nHERE = ", True),
        ("import os\n", "import os\nos.umask(0o22)\n", True),
        ("import time\n", "import time as time\n", False),  # nothing uses it
        ("More on them", "Less on them", False),
        ("SEEDS = 3", "SEEDS = 2", False),
        ("for n in (1, 2)", "for n in (1, 2, 3)", False),
        ("the sum is", "in all", False),
        ("HERE = ", "# a comment\n\n\nHERE = ", False),
    ],
)
def test_rows_are_done_again_when_their_code_changes(course, old, new, redone):
    before = studies.find("tiny").code
    course.change(old, new)
    assert (studies.find("tiny").code != before) == redone


def test_the_code_of_a_row_is_followed_through_names():
    source = "A = 1\nB = [A]\n@B\ndef helper(): return C\ndef run(c, s): return helper()\ndef C(): pass\nD = 4"
    same = lambda new: fingerprint(new, {"run"}) == fingerprint(source, {"run"})
    assert same(source + "1") and same(source + "\nE = D")
    for old, new in (("= 1", "= 2"), ("[A]", "[A, A]"), ("return C", "return A"), ("pass", "return")):
        assert old in source and not same(source.replace(old, new))
    assert not same(source.replace("@B\n", ""))


def test_changed_code_is_run_again_and_an_undone_change_finds_its_rows(course, serial, capsys):
    run_study("tiny")
    assert "other code" not in capsys.readouterr().err
    course.change("n * n", "n * n * n")
    assert run_study("tiny") == 0 and sum(course.log().values()) == 24
    assert "12 more came from other code" in capsys.readouterr().err
    assert max(row["square"] for row in load_table("tiny")) > 8
    course.change("n * n * n", "n * n")
    assert run_study("tiny") == 0 and sum(course.log().values()) == 24
    assert without_times(load_table("tiny")) == expected(threads=7)


def test_a_stored_table_that_is_stale_is_known(course, serial):
    run_study("tiny")
    assert not is_stale("tiny")
    for old, new in (("n * n", "n ** 2"), ("(1, 2)", "(1, 2, 3)"), ("SEEDS = 3", "SEEDS = 4")):
        course.change(old, new)
        assert is_stale("tiny")
        course.change(new, old)
    course.change("the sum is", "in all")
    assert not is_stale("tiny")
    table = course.results / "tiny.csv"
    table.write_text(table.read_text().replace("4.24691", "4.2"))
    assert is_stale("tiny")


def test_one_row_can_be_run_again(course, serial):
    course.change('"plain", "odd', '"plain", "1", "odd')
    with pytest.raises(StudyError, match="'kind' is the text '1', which a table would give back as 1"):
        run_study("tiny")
    course.write()
    run_study("tiny")
    old, new = rerun_row("tiny", kind="odd, quoted", seed=2)
    assert old == min(
        (row for row in load_table("tiny") if row["kind"] == "odd, quoted" and row["seed"] == 2),
        key=lambda row: row["cpu_seconds"],
    )
    assert list(old) == list(new) and without_times([old]) == without_times([new])
    course.change("n * n", "n * n + 1")
    old, new = rerun_row("tiny", n=2, seed=0)
    assert (old["square"], new["square"]) == (4, 5)
    for match, said in (({"n": 9}, "no row with"), ({"n": 1}, "no longer has the configuration")):
        course.change("in (1, 2)]", "in (2,)]") if match == {"n": 1} else None
        with pytest.raises(StudyError, match=said):
            rerun_row("tiny", **match)


# ---- tables


@pytest.mark.parametrize(
    "value", [0, -3, 10**20, True, False, None, "text", "a,b", 'a "b"\nc', 0.5, 1e-9, float("inf")]
)
def test_a_cell_gives_back_what_went_in(value):
    assert studies.parse(studies.shown(value)) == value
    studies.check_plain({"x": value})


def test_floats_are_short():
    assert studies.shown(1 / 3) == "0.333333" and studies.parse(studies.shown(float("nan"))) != 0


@pytest.mark.parametrize(
    "values, said",
    [
        ("{'x': [1]}", "'x' is of type list"),
        ("{'x': __import__('numpy').int64(1)}", "'x' is of type int64"),
        ("{'x': '12'}", "'x' is the text '12'"),
        ("{'x': ''}", "'x' is the text ''"),
        ("{'seed': 1}", "'seed' is the name of a column"),
        ("{'n': 1}", "'n' is in the configuration already"),
        ("{1: 2}", "expected a dict with names as keys"),
        ("None", "expected a dict with names as keys, got None"),
    ],
)
def test_a_row_that_no_table_can_hold(course, serial, capsys, values, said):
    course.write(hook=f"return {values}")
    assert run_study("tiny", seeds=1) == 1
    err = capsys.readouterr().err
    assert f"failed: kind=plain n=1 seed=0: ValueError: {said}" in err and course.kept() == 0


def test_numpys_own_floats_are_floats(course, serial):
    course.write(hook="import numpy as np; return {'x': np.float64(1) / 3, 'y': None if n == 1 else 2}")
    course.change("row['square']", "row['x']")
    assert run_study("tiny") == 0
    assert {(row["x"], row["y"]) for row in load_table("tiny")} == {(0.333333, None), (0.333333, 2)}


def test_a_report_that_raises_costs_no_table(course, serial, capsys):
    course.change('return f"{len(rows)} rows', 'return f"{rows[99]} rows')
    assert run_study("tiny", only=["n=1"]) == 0  # half a table may well be too little
    assert run_study("tiny") == 1
    assert "there is no report: IndexError: list index out of range (line 2" in capsys.readouterr().err
    assert len(load_table("tiny")) == 12


# ---- what cannot be done


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("CONFIGURATIONS = ", "CONFS = ", "tiny.py is not a study: it lacks CONFIGURATIONS"),
        ("def run(", "def go(", "it lacks run"),
        ("def report(", "def show(", "it lacks report"),
        ("SEEDS = 3", "SEEDS = 0", "expected SEEDS to be a number from 1 on, got 0"),
        ("import time\n", "import tim\n", r"tiny.py cannot be loaded: ModuleNotFoundError: .*tim.* \(line 7 of"),
        ("import time\n", "import (\n", "tiny.py cannot be loaded: SyntaxError"),
        ('{"kind": kind, "n": n}', '{"kind": kind, "n": [n]}', "{'kind': 'plain', 'n': .1.}: 'n' is of type list"),
        ('{"kind": kind, "n": n}', '{"kind": kind}', "stands twice"),
        ("[{", "{*'ab'} and [] and [{", "to be a list of dicts, got "),
    ],
)
def test_a_file_that_is_no_study(course, old, new, said):
    course.change(old, new)
    with pytest.raises(StudyError, match=said):
        run_study("tiny")


@pytest.mark.parametrize(
    "options, said",
    [
        (["tinny"], "there is no study 'tinny'; did you mean tiny?"),
        (["other-thing"], "there is no study 'other-thing'; there is tiny"),
        (["tiny", "--seeds", "0"], "expected --seeds to be at least 1, got 0"),
        (["tiny", "--jobs", "-1"], "expected --jobs to be at least 1, got -1"),
        (["tiny", "--only", "kind"], "expected --only key=value, got 'kind'"),
        (["tiny", "--only", "king=plain"], "--only king=plain: no configuration has 'king'; there is kind, n"),
        (["tiny", "--only", "kind=plan"], "--only kind=plan: kind is one of plain, odd, quoted"),
        (["tiny", "--only", "n=1", "--only", "n=2"], "--only n=1 n=2: no configuration has all of these"),
    ],
)
def test_a_command_that_cannot_be_done(course, capsys, options, said):
    assert cli.main(["experiment", *options]) == 2
    assert capsys.readouterr() == ("", f"course: {said}\n") and not course.log()


def test_a_table_that_is_not_there(course):
    with pytest.raises(StudyError, match="no tiny.csv; it is made by: course experiment tiny"):
        load_table("tiny")


def test_studies_are_listed_without_running_them(course, serial, capsys):
    (course.folder / "train_something.py").write_text("raise SystemExit\ndef run(configuration, seed): ...\n")
    (course.folder / "broken.py").write_text("def run(:\n")
    (course.folder / "two_words.py").write_text("raise SystemExit\nCONFIGURATIONS = 1\ndef run(c, s): ...\n")
    run_study("tiny")
    capsys.readouterr()
    assert cli.main(["experiment"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["tiny", "12", "rows", "12", "kept", "Squares", "of", "small", "numbers."],
        ["two-words", "no", "table"],
    ]
    course.change("n * n", "n * n * n")
    cli.main(["experiment"])
    assert "12 rows, stale" in capsys.readouterr().out


def test_names_may_have_dashes(course, serial):
    (course.folder / "tiny.py").rename(course.folder / "very_tiny.py")
    assert cli.main(["experiment", "very-tiny"]) == 0
    assert len(load_table("very-tiny")) == len(load_table("very_tiny")) == 12
