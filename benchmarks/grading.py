"""Grading, ours and two peers' side by side: how many marks are right, and what does a submission cost?

    python benchmarks/grading.py [--class 1000] [--jobs 2] [--database URL] [--store]

The peers are nbgrader 0.9.6 and otter-grader 7.0.0, each in an environment of its own under .course/peers (made here),
each used as its guide says.  All three grade the same 50 submissions of assignment a1, one after the other: 40 ordinary
ones and 10 that break or attack a grader.  An outcome is right if every question got the points that it deserves.  The
answers and the number of instances are the same.  The peers' notebooks are shorter: they have neither the course's
helpers nor the part after the questions.  None of the attacks leaves its folder, since the peers have no sandbox.

Then a class of `--class` ordinary submissions (0: none) is graded by ours alone, and from the measured parts follows
what 50,000 submissions would take.  Seconds are of processor time, of all processes together.
"""

import argparse
import csv
import importlib
import io
import json
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import psutil  # noqa: E402  (the thread count must be set first)
from peers import submissions  # noqa: E402
from peers.environment import Account, python_of  # noqa: E402

from course_utils import studies  # noqa: E402
from course_utils.checks import questions  # noqa: E402

GRADERS = ("ours", "nbgrader", "otter")
LARGE = 50_000
WORKERS = 100
KINDS = ("ordinary", "hostile")
HERE = Path(__file__).resolve().parent


# ---- the same 50 submissions


def deserved(one) -> dict:
    return {question: share * questions()[question].points for question, share in one.deserved.items()}


def kind_of(one) -> str:
    return "ordinary" if one.kind in submissions.ORDINARY else "hostile"


def compare(handed, folder: Path, graders=GRADERS):
    """A row for each grader and kind of submission, and the outcomes that were wrong: (grader, what, points)."""
    rows, wrong = [], []
    for name in graders:
        (folder / name).mkdir()
        grader = importlib.import_module(f"peers.{name}").Grader(folder / name)
        for kind in KINDS:
            batch = [one for one in handed if kind_of(one) == kind]
            costs, marks = grader.grade(batch, together=kind == "ordinary")
            missed = [one for one in batch if marks[one.student] != deserved(one)]
            wrong += [{"grader": name, "what": one.kind, "marks": marks[one.student]} for one in missed]
            rows.append(row(name, kind, batch, missed, costs))
            print(tell(rows[-1]), flush=True)
    return rows, wrong


def row(name, kind, batch, missed, costs) -> dict:
    return {
        "grader": name,
        "submissions": kind,
        "number": len(batch),
        "right": len(batch) - len(missed),
        "cpu_s_each": sum(cost.cpu for cost in costs) / len(batch),
        "wall_s_each": sum(cost.wall for cost in costs) / len(batch),
        "stopped": sum(cost.code is None for cost in costs),
        "left_behind": sum(cost.left for cost in costs),
    }


def tell(r) -> str:
    return (
        f"{r['grader']:<9} {r['submissions']:<9} {r['right']:>3} of {r['number']:>2} right  "
        f"{r['cpu_s_each']:7.3f} CPU-s each  {r['wall_s_each']:7.2f} s each on the clock"
        + f"  {r['stopped']} stopped by us" * bool(r["stopped"])
        + f"  {r['left_behind']} processes left behind" * bool(r["left_behind"])
    )


def summary(rows) -> str:
    """Outcomes of all submissions, and how many times our cost an ordinary one takes; a line for each grader."""
    lines = []
    ordinary = {r["grader"]: r["cpu_s_each"] for r in rows if r["submissions"] == "ordinary"}
    for name, cost in ordinary.items():
        right, number = (sum(r[key] for r in rows if r["grader"] == name) for key in ("right", "number"))
        lines.append(f"{name:<9} {right} of {number} outcomes right, {cost / ordinary['ours']:.1f} × the cost of ours")
    return "\n".join(lines)


# ---- a class


def memory(pids) -> dict:
    """MiB held by the grader, its workers and its boxes together, and how many processes these are."""
    held = {"grader": [], "workers": [], "boxes": []}
    for pid in pids:
        try:
            process = psutil.Process(pid)
            words, size = " ".join(process.cmdline()), process.memory_info().rss / 2**20
        except psutil.Error:
            continue
        what = "boxes" if "guest.py" in words else "grader" if "course_utils.cli" in words else "workers"
        held[what].append(size)
    return {what: (round(sum(sizes), 1), len(sizes)) for what, sizes in held.items()}


def grade_class(n, jobs, folder: Path) -> dict:
    """A class of n by `course grade`: cost, marks, and memory in the first and in the last quarter of the run."""
    from peers.ours import Grader

    handed = submissions.many(n)
    folder.mkdir()
    (cost,), marks = Grader(folder, jobs).grade(handed, together=True, watch=memory)
    quarter = max(len(cost.seen) // 4, 1)
    held = {
        what: [statistics.mean(look[what][0] for look in part) for part in (cost.seen[:quarter], cost.seen[-quarter:])]
        for what in ("grader", "workers", "boxes")
    }
    return {
        "submissions": n,
        "jobs": jobs,
        "right": sum(marks[one.student] == deserved(one) for one in handed),
        "cpu_s_each": cost.cpu / n,
        "wall_s": cost.wall,
        "left_behind": cost.left,
        "memory_mib_first_and_last_quarter": held,
    }


def tell_class(found) -> str:
    lines = [
        f"a class of {found['submissions']}, {found['jobs']} jobs: {found['right']} marks right, "
        f"{found['cpu_s_each']:.3f} CPU-s each, {found['wall_s']:.0f} s on the clock"
    ]
    for what, (first, last) in found["memory_mib_first_and_last_quarter"].items():
        lines.append(f"  {what}: {first:.0f} MiB in the first quarter of the run, {last:.0f} MiB in the last")
    return "\n".join(lines)


# ---- its parts, and what a large course would take


def timed(function):
    start = time.process_time()
    return function(), time.process_time() - start


def parts(n, folder: Path, database=None) -> dict:
    """CPU seconds a submission of what the grader does beside marking, and the bytes that a submission moves.

    A database server's own time is not in it.
    """
    from instructor.grading import door, marking, reports
    from instructor.grading.gradebook import Gradebook
    from instructor.grading.marks import Mark

    blank = json.loads(submissions.BLANK.read_text(encoding="utf-8"))
    handed = submissions.many(n)
    for one in handed:
        path = folder / "handed in" / one.student / one.file
        path.parent.mkdir(parents=True)
        path.write_text(submissions.dump(one.fill(blank)), encoding="utf-8")
    collected, collecting = timed(lambda: door.collect(folder / "handed in", "a1"))
    few = [marking.mark(one, "a1", b"benchmark") for one in collected[:20]]
    marking.close_box()
    identities, looking_up = timed(lambda: [marking.identity(one, "a1", b"benchmark") for one in collected])
    records = [
        replace(few[i % len(few)], identity=identity, name=one.student, id=one.id)
        for i, (one, identity) in enumerate(zip(collected, identities, strict=True))
    ]
    found = {"collect": collecting, "identity": looking_up}
    for name, url in (("SQLite", f"sqlite:///{folder}/gradebook.db"), ("PostgreSQL", database)):
        if url:
            with Gradebook(url) as book:
                _, found[f"gradebook {name}"] = timed(lambda: [book.keep(record) for record in records])  # noqa: B023
    _, found["reports"] = timed(lambda: reports.write_all([Mark(record) for record in records], folder / "out"))
    sizes = {
        "notebook": statistics.mean(len(one.notebook) for one in collected),
        "record": statistics.mean(len(record.to_json()) for record in records),
    }
    return {"cpu_s_each": {name: seconds / n for name, seconds in found.items()}, "bytes_each": sizes}


def estimate(cpu_each, measured_parts, n=LARGE, workers=WORKERS) -> str:
    """What n submissions would take, if each part costs as much as it did here."""
    alone = measured_parts["cpu_s_each"]
    book = max((name for name in alone if name.startswith("gradebook")), key=alone.get)
    serial = sum(seconds for name, seconds in alone.items() if not name.startswith("gradebook")) + alone[book]
    sizes = measured_parts["bytes_each"]
    lines = [f"on paper, {n:,} submissions of a1 on {workers} workers of one core each:"]
    lines.append(f"  marking    {n * cpu_each / 3600:6.2f} core-hours, {n * cpu_each / workers:6.0f} s on the clock")
    for name in (name for name in alone if not name.startswith("gradebook") or name == book):
        lines.append(f"  {name:<21} {1e3 * alone[name]:6.2f} ms each, {n * alone[name]:6.0f} s, in one process")
    lines.append(f"  data       {n * sum(sizes.values()) / 2**30:6.2f} GiB moved")
    lines.append(f"  one process keeps up with {cpu_each / serial:.0f} workers; more of them would wait for it")
    return "\n".join(lines)


# ---- all of it


def versions() -> dict:
    found = {}
    for name, package in (("nbgrader", "nbgrader"), ("otter-grader", "otter-grader")):
        command = [python_of(name), "-c", f"from importlib.metadata import version; print(version({package!r}))"]
        found[package] = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return found


def counted() -> str:
    account = Account()
    account.close()
    return account.how


def store(rows, how, folder=HERE / "results"):
    """grading.csv: a line for each grader and kind of submission; grading.json: how it was made, and the rest."""
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: studies.shown(value) for key, value in r.items()} for r in rows)
    studies.write(folder / "grading.csv", file.getvalue())
    studies.write(folder / "grading.json", json.dumps(how, indent=2, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--class", dest="number", type=int, default=1000, metavar="N", help="size of the class")
    parser.add_argument("--jobs", type=int, default=2, help="processes that grade the class")
    parser.add_argument("--database", metavar="URL", help="a PostgreSQL database to measure as well")
    parser.add_argument("--store", action="store_true", help="write benchmarks/results/grading.csv and grading.json")
    options = parser.parse_args()
    if options.number < 0 or options.jobs < 1:
        parser.error("expected a class of 0 or more, and at least one job")
    machine = studies.machine()
    print(f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows, wrong = compare(submissions.fifty(), folder)
        print(summary(rows))
        how = {
            "command": f"python benchmarks/grading.py --class {options.number} --jobs {options.jobs} --store",
            "time": "CPU seconds of all processes together, one BLAS thread",
            "counted by": counted(),
            "machine": machine,
            "versions": versions(),
            "wrong outcomes": wrong,
        }
        if options.store:  # what took long is not lost with what follows
            store(rows, how)
        if options.number:
            how["class"] = grade_class(options.number, options.jobs, folder / "class")
            how["parts"] = parts(options.number, folder / "parts", options.database)
            how["estimate"] = estimate(how["class"]["cpu_s_each"], how["parts"]).splitlines()
            print(tell_class(how["class"]), *how["estimate"], sep="\n")
            if options.store:
                store(rows, how)


if __name__ == "__main__":
    main()
