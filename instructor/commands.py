"""The instructor's subcommands of `course`."""

import hashlib
import sys
from pathlib import Path

from . import build as builder
from .source import BuildError


def register(subparsers):
    """Add the instructor's subcommands; each sets `run`, a function from the arguments to an exit code."""
    parser = subparsers.add_parser("build", help="build notebooks/, assignments/ and solutions/ from authoring/")
    text = "write nothing; fail, with the difference, where a committed file is not what is built"
    parser.add_argument("--check", action="store_true", help=text)
    parser.set_defaults(run=run_build)
    register_grade(subparsers)
    register_release(subparsers)


def register_grade(subparsers):
    parser = subparsers.add_parser(
        "grade",
        help="grade a folder of submissions",
        description="Grade notebooks that nobody trusts, each in a sandbox, and write marks, feedback and a summary. "
        "Only what is new or changed is graded; after an interruption the same command goes on.",
    )
    parser.add_argument("assignment", help="for example a1")
    parser.add_argument("submissions", type=Path, help="a folder, a zip, or what Moodle or Canvas let you download")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the results go")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=int, metavar="N", help="processes on this machine (default: one for each core)")
    where.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler's: tls://… (tcp://… is open)")
    parser.add_argument("--db", metavar="URL", help="the gradebook (default: sqlite, in the results)")
    parser.add_argument("--secret", type=Path, metavar="FILE", help="this term's secret (default: .course/secret)")
    parser.add_argument("--due", metavar="TIME", help="such as 2026-12-01T23:59, local time if it names no zone")
    parser.add_argument("--late-penalty", type=float, default=10, metavar="PERCENT", help="for each day (%(default)s)")
    parser.add_argument("--times", type=Path, metavar="CSV", help="student,submitted: when the download does not say")
    parser.add_argument("--manual", type=Path, metavar="CSV", help="student,item,points,out_of,comment: marks by hand")
    parser.add_argument("--worksheet", type=Path, metavar="CSV", help="Moodle's grading worksheet, to be filled in")
    parser.add_argument("--canvas", type=Path, metavar="CSV", help="Canvas's exported gradebook, to be filled in")
    parser.add_argument("--regrade", metavar="STUDENT", help="grade this one again, whatever is kept")
    parser.add_argument(
        "--without-box-i-trust-every-student",
        dest="unboxed",
        action="store_true",
        help="no sandbox: answers may do what you may",
    )
    parser.set_defaults(run=run_grade)


def run_grade(args):
    from instructor.grading import command  # it takes a second, which the other commands need not wait for

    return command.run(args)


def register_release(subparsers):
    parser = subparsers.add_parser(
        "release",
        help="write the student's zip of the course, without solutions",
        description="Write a zip of what students need. It is read again before it is handed over: no solution, hidden "
        "test or wrong answer is in it.",
    )
    parser.add_argument("--out", type=Path, metavar="ZIP", help="where it goes (default: build/irl-course.zip)")
    parser.add_argument("--assignments", nargs="+", metavar="NAME", help="such as a1 a2 (default: all)")
    parser.add_argument(
        "--nbgrader", type=Path, metavar="FOLDER", help="no zip: write all assignments as sources for nbgrader"
    )
    parser.set_defaults(run=run_release)


def run_release(args):
    from . import nbgrader
    from . import release as releaser

    try:
        root = find_root(Path.cwd())
        there = releaser.assignments(root)
        unknown = ", ".join(name for name in args.assignments or () if name not in there)
        if unknown:
            raise FileNotFoundError(f"there is no assignment {unknown}; there is {', '.join(there)}")
        if args.nbgrader and (args.out or args.assignments):
            raise FileExistsError("--nbgrader writes a folder of all assignments, expected no --out or --assignments")
        if args.nbgrader:
            made = nbgrader.export(root, args.nbgrader)
            print(*(f"wrote {args.nbgrader / path}" for path in made), sep="\n")
            return 0
        out = args.out or root / "build" / "irl-course.zip"
        count, data, notes = releaser.release(root, out, args.assignments)
    except (FileNotFoundError, FileExistsError) as error:
        print(f"course release: {error}", file=sys.stderr)
        return 2
    except (BuildError, releaser.ReleaseError, OSError) as error:
        print(f"course release: {error}", file=sys.stderr)
        return 1
    print(*notes, sep="\n", end="\n" * bool(notes))
    print(f"{out}: {count} files, {len(data):,} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    print("read again: no solution, hidden test or wrong answer is in it")
    return 0


def find_root(start):
    """The course's root: the nearest folder from `start` upwards with `authoring/` and `pyproject.toml`."""
    start = Path(start).resolve()
    for folder in (start, *start.parents):
        if (folder / "authoring").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    raise FileNotFoundError(f"no course here: expected authoring/ and pyproject.toml in {start} or a folder above it")


def run_build(args):
    try:
        root = find_root(Path.cwd())
    except FileNotFoundError as error:
        print(f"course build: {error}", file=sys.stderr)
        return 2
    try:
        return check(root) if args.check else build(root)
    except BuildError as error:
        count = len(error.problems)
        print(error, f"course build: {count} problem{'s' * (count != 1)}, nothing written", sep="\n", file=sys.stderr)
        return 1


def build(root):
    """Build and say what changed."""
    targets = builder.build(root)
    changed = builder.write(root, targets)
    for path, kept in changed.items():
        print(f"wrote {path.as_posix()}" + (f"; what you had there is kept as {kept.as_posix()}" if kept else ""))
    for path in builder.orphans(root, targets):
        print(f"left alone {path.as_posix()}: no source makes it, delete it or `course build --check` fails")
    print(f"{len(targets)} notebooks built, {len(changed)} changed")
    return 0


def check(root):
    """Compare with a build and say what differs."""
    found = builder.check(root)
    if found:
        print(*found, sep="\n")
        files = "file is" if len(found) == 1 else "files are"
        print(f"course build --check: {len(found)} {files} not as built; edit authoring/, then `course build`,")
        print("which keeps a copy of a notebook that you have run or filled in")
        return 1
    print("built notebooks are up to date")
    return 0
