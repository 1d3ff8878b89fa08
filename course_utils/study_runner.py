"""`course experiment`: do a study's missing rows on this machine's cores or on a Dask cluster, and store its table.

Both ways run the same function (studies.run_row) in worker processes; only this process writes, a row as soon as it is
finished, and only one such process at a time works on a study.
"""

import ast
import functools
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from course_utils import studies
from course_utils.studies import StudyError, parse, shown
from course_utils.workers import WorkersError, on_dask, on_this_machine, tell, watched

GO_ON = "What is finished is kept; the same command goes on from there."


def listing() -> str:
    """A line for each study: its name, how many rows are stored, and what it is about."""
    lines = []
    for path in studies.study_files():
        try:
            rows = f"{len(studies.load_table(path.stem))} rows" + (", stale" if studies.is_stale(path.stem) else "")
        except StudyError:
            rows = "no table"
        about = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
        kept = len(list(studies.rows_folder(path).glob("*.json")))
        lines.append(f"{path.stem.replace('_', '-'):<24}{rows:<18}{f'{kept} kept' if kept else '':<12}{about}")
    return "\n".join(lines) or f"there are no studies in {studies.studies_folder()}"


def run_study(name, seeds=None, jobs=None, scheduler=None, out=None, only=()) -> int:
    """Do what is missing, print the report, store the table if it is whole.

    Returns 0; 1 if a row could not be done; 130 after Ctrl-C. Raises StudyError for what cannot be done at all.
    """
    study = studies.find(name)
    seeds = study.module.SEEDS if seeds is None else seeds
    for option, value in (("--seeds", seeds), ("--jobs", jobs)):
        if value is not None and value < 1:
            raise StudyError(f"expected {option} to be at least 1, got {value}")
    asked = [(c, seed) for seed in range(seeds) for c in chosen(study, only)]
    work = functools.partial(studies.run_row, study.name, study.source, str(study.path))
    kept = {}
    try:
        with alone(study):
            kept.update(studies.read_rows(study))
            missing = [task for task in asked if studies.key(*task) not in kept]
            tell(f"{study.name}: {len(asked)} rows, of which {len(asked) - len(missing)} are kept from before")
            if others := len(list(study.rows.glob("*.json"))) - len(kept):
                tell(f"{others} more came from other code than the present, and are not used")
            backend = on_dask(work, missing, scheduler) if scheduler else on_this_machine(work, missing, jobs)
            failed = collect(study, backend, len(missing), kept)
            return finish(study, kept, seeds, out) or int(failed > 0)
    except WorkersError as error:
        raise StudyError(f"{error}. {GO_ON}" if kept else str(error)) from error
    except KeyboardInterrupt:
        done = sum(studies.key(*task) in kept for task in asked)
        tell(f"stopped: {done} of {len(asked)} rows are there. {GO_ON}")
        return 130


def collect(study, backend, missing: int, kept: dict) -> int:
    """Keep each row as it comes from the backend, and tell how far it is. Returns how many could not be done."""
    from tqdm import tqdm

    failed = 0
    for (configuration, seed), outcome in watched(backend, missing, "row"):
        if "error" in outcome:
            failed += 1
            tqdm.write(f"failed: {describe(configuration)} seed={seed}: {outcome['error']}", file=sys.stderr)
        else:
            kept[studies.key(configuration, seed)] = studies.keep(study, configuration, seed, outcome)
    if failed:
        tell(f"{failed} of {missing} rows failed, {missing - failed} are kept; the same command tries the failed again")
    return failed


def finish(study, kept: dict, seeds: int, out) -> int:
    """Print the report, and store the table if every row is there. Returns 1 if `report` raises on it, else 0."""
    tasks = [(c, seed) for c in study.module.CONFIGURATIONS for seed in range(seeds)]
    records = [kept[studies.key(*task)] for task in tasks if studies.key(*task) in kept]
    if len(records) < len(tasks):
        tell(f"the table is not stored: {len(records)} of its {len(tasks)} rows are there")
    elif seeds < study.module.SEEDS and out is None:
        tell(f"the table is not stored: it takes {study.module.SEEDS} seeds (or --out, to store this one elsewhere)")
    else:
        folder = studies.studies_folder() / "results" if out is None else Path(out)
        try:
            tell(f"stored: {studies.store(study, records, seeds, folder)}")
        except StudyError as error:
            raise StudyError(f"{error}; all {len(records)} rows are kept, and --out DIR stores elsewhere") from None
    if records:
        try:
            print(study.module.report(studies.read_csv(studies.csv_table(study, records))))
        except Exception as error:  # as it may well on half a table
            tell(f"there is no report: {studies.said(error, study.path)}")
            return int(len(records) == len(tasks))
    return 0


def chosen(study, only) -> list[dict]:
    """The configurations that have all the values of `key=value …`."""
    found = study.module.CONFIGURATIONS
    for text in only:
        name, equals, value = text.partition("=")
        known = list(dict.fromkeys(shown(c[name]) for c in study.module.CONFIGURATIONS if name in c))
        if not equals:
            raise StudyError(f"expected --only key=value, got {text!r}")
        if not known:
            keys = dict.fromkeys(key for c in study.module.CONFIGURATIONS for key in c)
            raise StudyError(f"--only {text}: no configuration has {name!r}; there is {', '.join(keys)}")
        if shown(parse(value)) not in known:
            raise StudyError(f"--only {text}: {name} is one of {', '.join(known)}")
        found = [c for c in found if name in c and shown(c[name]) == shown(parse(value))]
    if not found:
        raise StudyError(f"--only {' '.join(only)}: no configuration has all of these")
    return found


@contextmanager
def alone(study):
    """Hold the study's lock. The system gives it back when this process ends, however it ends."""
    from filelock import FileLock, Timeout

    note = study.rows / "runner.txt"
    studies.make_folder(study.rows)
    lock = FileLock(study.rows / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        pid = note.read_text() if note.is_file() else "?"
        raise StudyError(f"another run of {study.name} is at work (process {pid}); wait for it or stop it") from None
    with lock:
        studies.write(note, str(os.getpid()))
        for left in study.rows.glob("*.tmp"):  # of a run that was killed
            left.unlink()
        yield


def describe(configuration: dict) -> str:
    return " ".join(f"{name}={shown(value)}" for name, value in configuration.items())
