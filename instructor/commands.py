"""The instructor's subcommands of `course`."""

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
