"""The course's own grader, as an instructor calls it: `course grade a1 SUBMISSIONS --out RESULTS`."""

import csv
import json
import os
import sys
from pathlib import Path

from . import submissions
from .environment import measured

NAME = "course grade"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Grader:
    def __init__(self, folder: Path, jobs=1):
        self.folder, self.jobs, self.batches = folder, jobs, 0
        self.secret = folder / "secret"  # of its own: not the instructor's
        self.secret.touch(mode=0o600)
        self.secret.write_text("a secret of the benchmark")
        self.blank = json.loads(submissions.BLANK.read_text(encoding="utf-8"))

    def grade(self, handed, together, watch=None):
        """Costs, and the marks of each student that has some: student -> question -> points."""
        self.batches += 1
        place = self.folder / f"batch-{self.batches}"
        for one in handed:
            path = place / "submissions" / one.student / one.file
            path.parent.mkdir(parents=True)
            path.write_text(submissions.dump(one.fill(self.blank)), encoding="utf-8")
        command = [sys.executable, "-m", "course_utils.cli", "grade", "a1", place / "submissions"]
        command += ["--out", place / "results", "--jobs", self.jobs, "--secret", self.secret]
        cost = measured(command, 7200, watch, cwd=submissions.ROOT, env=os.environ | ONE_THREAD)
        marks = place / "results" / "marks.csv"
        if not marks.is_file():
            raise RuntimeError(f"course grade failed:\n{cost.said[-3000:]}")
        with open(marks, encoding="utf-8-sig", newline="") as file:
            found = {
                row["name"]: {question: float(row[question] or 0) for question in submissions.FUNCTIONS}
                for row in csv.DictReader(file)
            }
        return [cost], {one.student: found.get(one.student) for one in handed}
