"""For all tests: nobody's progress is touched, nothing opens a window, and every notebook is timed."""

import atexit
import os
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

import matplotlib
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]
ARTIFACTS = ROOT / "artifacts"
LECTURES = sorted((ROOT / "notebooks").glob("*.ipynb"))
ASSIGNMENTS = sorted((ROOT / "assignments").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
MINUTE = 60.0  # what a lecture may take

scratch = tempfile.mkdtemp(prefix="course-tests-")
atexit.register(shutil.rmtree, scratch, ignore_errors=True)
os.environ["COURSE_PROGRESS"] = os.path.join(scratch, "progress.jsonl")  # kernels inherit it
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the tests use all cores already
matplotlib.use("Agg")


def too_slow(path: Path, wall: float, cpu: float) -> bool:
    """Whether a lecture has used up its minute.

    By both clocks: on a machine that is busy with something else only the wall clock runs on, and with several
    threads only the processor's runs fast.
    """
    return path in LECTURES and min(wall, cpu) > MINUTE


def pytest_configure(config):
    config.pluginmanager.register(Clock())  # a hook in this file would see the tests of this folder only


@pytest.fixture(scope="module")
def marks():
    """A class of marks, as the grader's reports get them."""
    from grading_records import class_marks

    return class_marks()


@pytest.fixture(scope="module")
def out(marks, tmp_path_factory):
    """A folder with all reports of that class."""
    from instructor.grading.reports import write_all

    folder = tmp_path_factory.mktemp("results")
    write_all(marks, folder)
    return folder


class Clock:
    """Time the cells that nbval runs; the cell with which a lecture goes over its minute fails."""

    def __init__(self):
        self.wall = defaultdict(float)  # seconds that a notebook's cells have taken so far
        self.late = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        kernel = getattr(item.parent, "kernel", None)
        if kernel is not None and call.when == "call":
            path = item.path.relative_to(ROOT).as_posix()
            self.wall[path] += call.duration
            wall, cpu = self.wall[path], cpu_time(kernel)
            report.user_properties.append(("time", (path, wall, cpu)))
            if path not in self.late and too_slow(item.path, wall, cpu):
                self.late.add(path)
                report.outcome = "failed"
                report.longrepr = f"{path} takes more than {MINUTE:.0f} s, by the wall clock and in CPU time"
        return report

    def pytest_terminal_summary(self, terminalreporter):
        """Print the notebooks' times and keep them in artifacts/times.txt."""
        times = {}
        for reports in terminalreporter.stats.values():
            for key, value in (pair for report in reports for pair in getattr(report, "user_properties", ())):
                if key == "time":
                    path, *seconds = value
                    times[path] = [max(pair) for pair in zip(times.get(path, seconds), seconds, strict=True)]
        if times:
            lines = [f"{'notebook':<44}{'wall s':>8}{'CPU s':>8}"]
            lines += [f"{path:<44}{wall:8.1f}{cpu:8.1f}" for path, (wall, cpu) in sorted(times.items())]
            ARTIFACTS.mkdir(exist_ok=True)
            (ARTIFACTS / "times.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
            terminalreporter.section("time that the notebooks took")
            terminalreporter.write_line("\n".join(lines))


def cpu_time(kernel) -> float:
    """Seconds of processor time that a kernel has used; 0 if it is dead."""
    try:
        spent = psutil.Process(kernel.km.provisioner.pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return spent.user + spent.system
