"""`course grade`: collect, grade what is new, keep each record as it comes, and write what instructors need.

Only this process writes, and only one of it at a time works on a folder of results.
"""

from __future__ import annotations

import functools
import os
import secrets
import stat
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL

from course_utils.cli import ROOT, BadInput
from course_utils.studies import StudyError
from course_utils.workers import WorkersError, on_dask, on_this_machine, tell, watched
from instructor.grading import adjust, assignments, door, lms, marking, reports
from instructor.grading.box import NoBox, bubblewrap_command
from instructor.grading.gradebook import GO_ON, Gradebook, GradebookError
from instructor.grading.marks import needs_a_human

SHORTEST = 16  # bytes of a secret


class Trouble(Exception):
    """The results cannot be written; exit code 3."""


def run(args) -> int:
    try:
        return grade(args)
    except (assignments.UnknownAssignment, NoBox) as error:
        raise BadInput(error) from None
    except (GradebookError, StudyError, WorkersError, Trouble) as error:
        tell(f"course grade: {error}")
        return 3
    except KeyboardInterrupt:
        tell(f"stopped. {GO_ON}")
        return 130


def grade(args) -> int:
    """0 if all are graded, 1 if some could not be."""
    if args.jobs is not None and args.jobs < 1:
        raise BadInput(f"expected --jobs to be at least 1, got {args.jobs}")
    out_of = assignments.load_assignment(args.assignment).out_of
    submissions = door.collect(args.submissions, args.assignment)
    change = adjust.read(args, submissions)  # what can be wrong with the options is said before the work
    if args.worksheet:
        lms.read_moodle(args.worksheet)
    if args.canvas:
        lms.read_canvas(args.canvas, args.assignment)
    chosen = who(args.regrade, submissions) if args.regrade else None
    secret = read_secret(args.secret or ROOT / ".course" / "secret")
    if (args.scheduler or "").startswith("tcp://"):
        tell("a Dask port without TLS is an open door: whoever reaches it runs code on your workers (see the guide)")
    with alone(args.out), Gradebook(args.db or sqlite_url(args.out / "gradebook.sqlite")) as book:
        identities = {s.key: marking.identity(s, args.assignment, secret) for s in submissions}
        kept = {identity.student: record for identity, record in book.find(identities.values()).items()}
        todo = [s for s in submissions if s.key not in kept or s is chosen]
        tell(f"{args.assignment}: {len(submissions)} submissions, {len(submissions) - len(todo)} of them graded before")
        work = functools.partial(job, assignment=args.assignment, secret=secret, unboxed=args.unboxed)
        tasks = [(s,) for s in todo]
        if todo and not args.scheduler and not args.unboxed:
            bubblewrap_command()  # says so at once if there is none
        if args.scheduler:
            backend = on_dask(work, tasks, args.scheduler)
        else:
            backend = on_this_machine(work, tasks, args.jobs)
        failed = []
        for (submission,), outcome in watched(backend, len(todo), "submission"):
            if "error" in outcome:
                failed.append((submission, outcome["error"]))
                continue
            book.keep(outcome["record"], again=submission is chosen)
            kept[submission.key] = outcome["record"]
        marks = [change(kept[s.key], s) for s in submissions if s.key in kept]
        if marks:
            reports.write_all(marks, args.out, args.worksheet, args.canvas)
    print(table(marks, failed, out_of))
    if marks:
        print(f"\nResults are in {args.out}: marks.csv, summary.html, feedback/ and what the platforms import.")
    return 1 if failed else 0


def sqlite_url(path: Path) -> str:
    """A file's URL, also where its name has signs that mean something in one."""
    return URL.create("sqlite", database=str(path.resolve())).render_as_string()


def job(submission, assignment, secret, unboxed) -> dict:
    """What a worker does: a pure function of its arguments."""
    return {"record": marking.mark(submission, assignment, secret, unboxed=unboxed)}


def who(text, submissions):
    found = [s for s in submissions if text in (s.key, s.student, s.id)]
    if len(found) != 1:
        names = ", ".join(s.key for s in (found or submissions)[:10])
        raise BadInput(f"--regrade {text}: expected the name, number or key of one student, such as {names}")
    return found[0]


def read_secret(path: Path) -> bytes:
    """The bytes from which hidden inputs are drawn; made on first use."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(32) + "\n")
            tell(f"a new secret was made in {path}: keep it for this term, and let nobody read it")
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            tell(f"others may read {path}, from which hidden tests are drawn: chmod 600 {path}")
        secret = path.read_bytes().strip()
    except OSError as error:
        raise BadInput(f"the secret {path} cannot be used: {error.strerror}") from None
    if len(secret) < SHORTEST:
        raise BadInput(f"expected at least {SHORTEST} bytes in the secret {path}, got {len(secret)}")
    return secret


@contextmanager
def alone(out: Path):
    """Hold the lock of a folder of results. The system gives it back when this process ends, however it ends."""
    from filelock import FileLock, Timeout

    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise BadInput(f"another `course grade` is at work on {out}; wait for it or stop it") from None
    except OSError as error:
        raise Trouble(f"{out} cannot be written: {error.strerror}. {GO_ON}") from None
    with lock:
        yield


def table(marks, failed, out_of) -> str:
    """The marks for a terminal, without control characters of anybody's name."""
    lines = []
    for mark in sorted(marks, key=lambda mark: mark.record.name):
        points = "  ".join(f"{answer.points:4g}" for answer in mark.record.answers)
        total = f"{points}   {mark.points:5g} of {mark.out_of:g}" if mark.graded else mark.record.message
        look = "  ← look" if needs_a_human(mark.record) else ""
        lines.append(f"{plain(mark.record.name):<32}{total}{look}")
    if graded := [mark for mark in marks if mark.graded]:
        mean = sum(mark.points for mark in graded) / len(graded)
        lines.append(f"{len(graded)} graded, {mean:.2f} points on average, out of {out_of:g} and what is given by hand")
    lines += [f"not graded: {plain(submission.student)}: {error}" for submission, error in failed]
    if failed:
        lines.append(f"{len(failed)} could not be graded, which is no mark; the same command tries them again")
    return "\n".join(lines)


def plain(text: str, width: int = 30) -> str:
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= width else text[: width - 1] + "…"
