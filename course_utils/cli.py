"""The command `course`: lab, check, progress, experiment, doctor; and what `instructor/` adds where it is installed.

What a subcommand needs is imported when it runs, so that `course doctor` works where packages are missing.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from importlib import import_module, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIRST = Path("notebooks", "00_start_here.ipynb")
SIGNS = {"passed": "✓", "failed": "✗", "not yet": "…", "not run": "·"}


class BadInput(Exception):
    """What was asked for cannot be done: the message says why."""


def main(argv=None) -> int:
    """Run `course ARGV`; returns the exit code (2 for bad input)."""
    parser = make_parser()
    args, rest = parser.parse_known_args(argv)
    if rest and args.run is not lab:
        parser.error(f"unrecognised: {' '.join(rest)}")
    args.rest = rest
    if (ROOT / "notebooks").is_dir():  # one log of progress, wherever the command is called
        os.environ.setdefault("COURSE_PROGRESS", str(ROOT / ".course" / "progress.jsonl"))
    try:
        return args.run(args)
    except BadInput as error:
        print(f"course: {error}", file=sys.stderr)
        return 2


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="course", description="Inverse reinforcement learning, derived and run.")
    parser.add_argument("--version", action="version", version=f"irl-course {metadata.version('irl-course')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser(
        "lab",
        help="open the course in JupyterLab",
        description=f"Open {FIRST} in JupyterLab. Further options are JupyterLab's own, such as --no-browser.",
    )
    command.set_defaults(run=lab)

    command = commands.add_parser(
        "check",
        help="run an assignment's notebook and its checks",
        description="Run a notebook from top to bottom, in a kernel of its own, and say "
        "which of the assignment's questions pass their check. The file is not changed.",
    )
    command.add_argument("assignment", help="for example a1")
    command.add_argument("--notebook", type=Path, help="the notebook to run (default: assignments/a1_….ipynb)")
    command.add_argument("--timeout", type=int, default=120, metavar="SECONDS", help="limit for a cell (%(default)s)")
    command.set_defaults(run=check)

    command = commands.add_parser("progress", help="show which questions have passed their check")
    command.set_defaults(run=progress)

    command = commands.add_parser(
        "experiment",
        help="run a study of experiments/ and store its table; without a name: list them",
        description="Do those rows of a study that are not kept yet, print its report and store its table. "
        "Ctrl-C loses nothing that is finished; the same command goes on from there.",
    )
    command.add_argument("name", nargs="?", help="for example classic-control")
    command.add_argument("--seeds", type=int, metavar="N", help="seeds 0 … N−1 (default: the study's)")
    where = command.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=int, metavar="N", help="processes on this machine (default: one for each core)")
    where.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler's: tcp://… or, as configured, tls://…")
    command.add_argument("--out", type=Path, metavar="DIR", help="where the table goes (default: experiments/results)")
    command.add_argument(
        "--only", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="only these configurations"
    )
    command.set_defaults(run=experiment)

    command = commands.add_parser("doctor", help="say what this machine lacks, and how to get it")
    command.set_defaults(run=doctor)

    try:
        import_module("instructor.commands").register(commands)
    except ModuleNotFoundError as error:  # a student's copy of the course has no instructor/
        if error.name not in ("instructor", "instructor.commands"):
            print(f"course: the instructor's commands are left out: {error} (see: course doctor)", file=sys.stderr)
    return parser


def lab(args) -> int:
    if not (ROOT / FIRST).is_file():
        raise BadInput(f"there is no {ROOT / FIRST}")
    os.chdir(ROOT)
    os.execv(
        sys.executable, [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={ROOT}", *args.rest, str(FIRST)]
    )


def progress(args) -> int:
    from course_utils.dashboard import dashboard

    print(dashboard())
    return 0


def experiment(args) -> int:
    from course_utils.studies import StudyError
    from course_utils.study_runner import listing, run_study

    try:
        if args.name is None:
            print(listing())
            return 0
        return run_study(args.name, args.seeds, args.jobs, args.scheduler, args.out, args.only)
    except StudyError as error:
        raise BadInput(error) from error
    except KeyboardInterrupt:  # before the first row
        return 130


def doctor(args) -> int:
    from course_utils.doctor import main

    return main()


def check(args) -> int:
    """Run the notebook, print a line for each question, and log the outcome. 0 if every question passed, else 1."""
    from course_utils.checks import questions
    from course_utils.progress import record

    graded = {id: question for id, question in questions().items() if question.points}  # not the warm-up
    asked = {id: question for id, question in graded.items() if id.startswith(f"{args.assignment}.")}
    if not asked:
        known = dict.fromkeys(id.partition(".")[0] for id in graded)
        raise BadInput(f"there is no assignment {args.assignment!r}; there is {', '.join(known)}")
    path = args.notebook or find_notebook(args.assignment)
    records, errors, stopped = run_notebook(path, args.timeout)

    found = {r["question"]: r for r in records if r["question"] in asked}  # the last check of each
    for id, question in asked.items():
        status, mistake = "not run", None
        if id in found:
            status, mistake = found[id]["status"], found[id]["mistake"]
            record(id, status, mistake)
        print(f"{id:<8}{SIGNS[status]} {status:<9} {question.title}" + (f"   ← {mistake}" if mistake else ""))
    if errors:
        print("\nCells that ended with an error:", *errors, sep="\n  ")
    if stopped:
        print(f"\nThe run ended early: {stopped}")
    passed = sum(r["status"] == "passed" for r in found.values())
    print(f"\n{passed} of {len(asked)} questions pass in {path}.")
    return 0 if passed == len(asked) else 1


def find_notebook(assignment: str) -> Path:
    """The student's file of an assignment."""
    found = sorted((ROOT / "assignments").glob(f"{assignment}_*.ipynb"))
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found) or "no file"
    raise BadInput(
        f"expected one {ROOT / 'assignments' / assignment}_….ipynb and found {names}; "
        "say which to run with --notebook PATH"
    )


def run_notebook(path: Path, timeout: int = 120):
    """Run a notebook in its folder and leave the file as it is.

    Returns the records of its checks (as course_utils.progress writes them), its errors as text ("[3] NameError: …",
    the number being what JupyterLab shows after Run All), and why the run ended early, or None. Raises BadInput for
    a file that is no notebook.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from course_utils.progress import read

    notebook = read_notebook(path)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for cell in cells:
        cell.outputs = []  # a run that ends early does not get to clear them all
    client = NotebookClient(notebook, timeout=timeout, allow_errors=True, kernel_name="python3")
    client.log.setLevel("CRITICAL")  # what it would log is in the exceptions
    stopped = None
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch, "progress.jsonl")
        try:
            client.execute(
                cwd=str(path.resolve().parent),
                env={**os.environ, "COURSE_PROGRESS": str(log)},
                stderr=subprocess.DEVNULL,
            )  # the kernel's own log
        except (CellTimeoutError, DeadKernelError) as error:
            number = client.code_cells_executed
            stopped = (
                f"cell [{number}] was still running after {timeout} s"
                if isinstance(error, CellTimeoutError)
                else f"the kernel died in cell [{number}]"
            )
        records, _ = read(log)
    errors = [
        f"[{number}] {output.ename}: {(output.evalue.strip().splitlines() or [''])[0]}"
        for number, cell in enumerate(cells, start=1)
        for output in cell.outputs
        if output.output_type == "error"
    ]
    return records, errors, stopped


def read_notebook(path: Path):
    """The notebook in a file that anybody may have written."""
    import nbformat

    if not path.is_file():
        raise BadInput(f"there is no file {path}")
    try:
        notebook = nbformat.read(path, as_version=4)
        if not all(isinstance(cell.source, str) for cell in notebook.cells):
            raise ValueError("a cell has no source")
    except Exception as error:  # whatever the parser stumbles over, the file is at fault
        raise BadInput(f"{path} is not a notebook: {' '.join(str(error).split())[:200]}") from None
    return notebook


if __name__ == "__main__":
    sys.exit(main())
