"""Studies: what takes longer than a lecture may, run once by `course experiment NAME` and stored as a small table.

A study is a file experiments/NAME.py with

    SEEDS            how many seeds each configuration gets: 0 … SEEDS − 1
    CONFIGURATIONS   a list of flat dicts of numbers, texts and bools
    run(configuration, seed) → dict      one row of the table; the same arguments give the same row
    report(rows) → str                   the table as text; rows are what load_table returns

and a docstring. Finished rows are kept, one file each, under .course/studies/NAME/, so that whatever ends a run (Ctrl-C
or a kill) costs the rows in flight at most, and the next run does what is missing. A row is done again when the code
that it comes from has changed: `run` and all that it uses in its own file. For a change elsewhere that matters, such as
one in course_utils, add a line VERSION = 2, 3, … to the study.
"""

import ast
import csv
import difflib
import functools
import hashlib
import io
import json
import os
import platform
import symtable
import sys
import time
import traceback
import types
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = {"SEEDS", "CONFIGURATIONS", "run", "report"}
TABLE_CODE = {"run", "VERSION", "CONFIGURATIONS", "SEEDS"}  # what a stored table comes from
COLUMNS = ("seed", "cpu_seconds", "wall_seconds")  # of every table


class StudyError(Exception):
    """What was asked of a study cannot be done: the message says why."""


# ---- a study and its code


@dataclass(frozen=True)
class Study:
    name: str
    path: Path
    source: str
    module: types.ModuleType

    @property
    def rows(self) -> Path:
        """The folder of the rows that are kept."""
        return rows_folder(self.path)

    @functools.cached_property
    def code(self) -> str:
        """The fingerprint of the code that a row comes from."""
        return fingerprint(self.source, {"run", "VERSION"})


def studies_folder() -> Path:
    return Path(os.environ.get("COURSE_EXPERIMENTS", ROOT / "experiments")).absolute()


def rows_folder(path: Path) -> Path:
    return path.parent.parent / ".course" / "studies" / path.stem


def study_path(name: str) -> Path:
    return studies_folder() / f"{name.replace('-', '_')}.py"


def find(name: str) -> Study:
    """The study of that name (dashes or underscores). Raises StudyError if there is none, or if it is not whole."""
    path = study_path(name)
    if not path.is_file():
        known = [path.stem.replace("_", "-") for path in study_files()]
        near = difflib.get_close_matches(name.replace("_", "-"), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(known) or 'none yet'}"
        raise StudyError(f"there is no study {name!r}; {hint}")
    source = path.read_text(encoding="utf-8")
    try:
        module = load(path.stem, source, str(path))
    except Exception as error:
        raise StudyError(f"{path.name} cannot be loaded: {said(error, path)}") from error
    if missing := sorted(part for part in PARTS if not hasattr(module, part)):
        raise StudyError(f"{path.name} is not a study: it lacks {', '.join(missing)}")
    study = Study(path.stem, path, source, module)
    if type(module.SEEDS) is not int or module.SEEDS < 1:
        raise StudyError(f"{path.name}: expected SEEDS to be a number from 1 on, got {module.SEEDS!r}")
    configurations = module.CONFIGURATIONS
    if not isinstance(configurations, list) or not configurations:
        raise StudyError(f"{path.name}: expected CONFIGURATIONS to be a list of dicts, got {configurations!r:.80}")
    for configuration in configurations:
        try:
            check_plain(configuration)
        except ValueError as error:
            raise StudyError(f"{path.name}: the configuration {configuration!r:.200}: {error}") from None
    if len({key(c, 0) for c in configurations}) < len(configurations):
        raise StudyError(f"{path.name}: a configuration stands twice in CONFIGURATIONS")
    return study


@functools.lru_cache
def load(name: str, source: str, path: str) -> types.ModuleType:
    """The module made from a study's source, which travels with its rows: a worker may be on another machine."""
    module = types.ModuleType(f"study_{name}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # dataclasses look themselves up there
    exec(compile(source, path, "exec"), vars(module))
    return module


def study_files() -> list[Path]:
    """The files that define run and CONFIGURATIONS; nothing is imported."""
    found = []
    for path in sorted(studies_folder().glob("*.py")):
        try:
            names = [name for _, binds, _ in statements(path.read_text(encoding="utf-8")) for name in binds]
        except (SyntaxError, UnicodeDecodeError):
            continue
        if {"run", "CONFIGURATIONS"} <= set(names):
            found.append(path)
    return found


def statements(source: str):
    """Each statement of a module's top level: its lines, the names that it binds and the global names that it uses."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        first = min(n.lineno for n in [node, *getattr(node, "decorator_list", [])])
        text = "\n".join(lines[first - 1 : node.end_lineno])
        scopes = [symtable.symtable(text, "study", "exec")]
        binds = {s.get_name() for s in scopes[0].get_symbols() if s.is_assigned() or s.is_imported()}
        for scope in scopes:  # grows
            scopes += scope.get_children()
        yield text, binds, {s.get_name() for scope in scopes for s in scope.get_symbols() if s.is_global()}


def fingerprint(source: str, wanted: set[str]) -> str:
    """SHA-256 of the statements that bind the wanted names or what those use, and of those that bind no name."""
    body = list(statements(source))
    if ast.get_docstring(ast.parse(source)) is not None:
        body = body[1:]
    while more := {n for _, binds, uses in body if not binds or binds & wanted for n in uses} - wanted:
        wanted = wanted | more
    text = "\n".join(text for text, binds, _ in body if not binds or binds & wanted)
    return hashlib.sha256(text.encode()).hexdigest()


# ---- rows


def key(configuration: dict, seed: int) -> str:
    return json.dumps([configuration, seed], sort_keys=True)


def check_plain(values) -> None:
    """Raise ValueError unless values is a dict whose values a table can hold and give back."""
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ValueError(f"expected a dict with names as keys, got {values!r:.80}")
    for name, value in values.items():
        if name in COLUMNS:
            raise ValueError(f"{name!r} is the name of a column that every table has")
        if not isinstance(value, (int, float, str, bool, type(None))):
            raise ValueError(f"{name!r} is of type {type(value).__name__}; expected a plain number, text, bool or None")
        if isinstance(value, str) and parse(value) is not value:
            raise ValueError(f"{name!r} is the text {value!r}, which a table would give back as {parse(value)!r}")


def run_row(name: str, source: str, path: str, configuration: dict, seed: int) -> dict:
    """One row, run in a worker: {"row", "cpu_seconds", "wall_seconds", "machine"}, or {"error"} if it raised."""
    try:
        run, made = load(name, source, path).run, machine()
        wall, cpu = time.perf_counter(), time.process_time()
        row = run(dict(configuration), seed)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        check_plain(row)
        if twice := sorted(row.keys() & configuration.keys()):
            raise ValueError(f"{twice[0]!r} is in the configuration already")
        return json.loads(json.dumps({"row": row, "cpu_seconds": cpu, "wall_seconds": wall, "machine": made}))
    except Exception as error:
        return {"error": said(error, Path(path))}


def said(error: BaseException, path: Path) -> str:
    """An exception in one line, with the line of the study that it came through."""
    places = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{type(error).__name__}: {' '.join(str(error).split())}" + (
        f" (line {places[-1]} of {path.name})" if places else ""
    )


@functools.lru_cache
def machine() -> dict:
    """What a row was made with."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor() or platform.machine()
    versions = {name: metadata.version(name) for name in ("numpy", "torch", "gymnasium", "irl-course")}
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(), **versions}


def read_rows(study: Study) -> dict[str, dict]:
    """The rows that the study's present code has made, by key. What cannot be read does not count."""
    found = {}
    for path in study.rows.glob("*.json"):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["code"] == study.code:
                found[key(record["configuration"], record["seed"])] = record
        except (ValueError, KeyError, TypeError):
            continue
    return found


def keep(study: Study, configuration: dict, seed: int, outcome: dict) -> dict:
    record = {"configuration": configuration, "seed": seed, "code": study.code, **outcome}
    digest = hashlib.sha256((study.code + key(configuration, seed)).encode()).hexdigest()
    write(study.rows / f"{digest[:20]}.json", json.dumps(record, indent=1))
    return record


def write(path: Path, text: str) -> None:
    """The whole file or none of it. Raises StudyError where that cannot be done."""
    make_folder(path.parent)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise StudyError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"the folder {path} cannot be made: {error.strerror}") from error


# ---- tables


def shown(value) -> str:
    """A value in a table's cell."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


def parse(text: str):
    """The value that a table's cell holds."""
    if text in ("", "True", "False"):
        return {"": None, "True": True, "False": False}[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def csv_table(study: Study, records: list[dict]) -> str:
    """One line for each record; the columns of the configurations, the seed, those that `run` returned, the times."""
    columns = [name for c in study.module.CONFIGURATIONS for name in c]
    columns += ["seed", *(name for record in records for name in record["row"]), *COLUMNS]
    file = io.StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(columns)), lineterminator="\n")
    writer.writeheader()
    for record in records:
        times = {name: record[name] for name in COLUMNS}
        values = record["configuration"] | record["row"] | times
        writer.writerow({name: shown(value) for name, value in values.items()})
    return file.getvalue()


def read_csv(text: str) -> list[dict]:
    return [{name: parse(cell) for name, cell in row.items()} for row in csv.DictReader(io.StringIO(text))]


def store(study: Study, records: list[dict], seeds: int, folder: Path) -> Path:
    """Write NAME.csv and NAME.json, which says how it was made. Returns the first's path."""
    text = csv_table(study, records)
    machines = sorted({json.dumps(record["machine"]) for record in records})
    how = {
        "study": study.name,
        "command": f"course experiment {study.name.replace('_', '-')} --seeds {seeds}",
        "rows": len(records),
        "seeds": seeds,
        "cpu_seconds": round(sum(record["cpu_seconds"] for record in records), 1),
        "made_with": [json.loads(text) for text in machines],
        "sha256_of_code": fingerprint(study.source, TABLE_CODE),
        "sha256_of_table": hashlib.sha256(text.encode()).hexdigest(),
    }
    for left in folder.glob(f"{study.name}.*.tmp"):  # of a run that was killed
        left.unlink()
    write(folder / f"{study.name}.csv", text)
    write(folder / f"{study.name}.json", json.dumps(how, indent=2, ensure_ascii=False) + "\n")
    return folder / f"{study.name}.csv"


def stored(name: str, suffix: str) -> str:
    path = studies_folder() / "results" / study_path(name).with_suffix(suffix).name
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StudyError(f"there is no {path.name}; it is made by: course experiment {name}") from None


def load_table(name: str) -> list[dict]:
    """The stored table of a study: a dict for each row, by column; an empty cell is None. Raises StudyError if none."""
    return read_csv(stored(name, ".csv"))


def is_stale(name: str) -> bool:
    """Whether the study's code (other than `report`) has changed since its table was stored, or the table itself."""
    how, table = json.loads(stored(name, ".json")), stored(name, ".csv")
    source = study_path(name).read_text(encoding="utf-8")
    return (how["sha256_of_code"], how["sha256_of_table"]) != (
        fingerprint(source, TABLE_CODE),
        hashlib.sha256(table.encode()).hexdigest(),
    )


def rerun_row(name: str, **match) -> tuple[dict, dict]:
    """Run again, here and now, the row of a stored table that took least CPU time of those with the given values.

    Returns the stored row and the new one, both as load_table gives them. Without a change of code or libraries they
    differ in their times only.
    """
    found = [row for row in load_table(name) if all(row.get(column) == value for column, value in match.items())]
    if not found:
        raise StudyError(f"the table of {name} has no row with {match}")
    old = min(found, key=lambda row: row["cpu_seconds"])
    study = find(name)
    columns = {column for configuration in study.module.CONFIGURATIONS for column in configuration}
    for configuration in study.module.CONFIGURATIONS:
        if all(old.get(column) == parse(shown(configuration.get(column))) for column in columns):
            outcome = run_row(study.name, study.source, str(study.path), configuration, old["seed"])
            if "error" in outcome:
                raise StudyError(f"{name}, {configuration}, seed {old['seed']}: {outcome['error']}")
            record = {"configuration": configuration, "seed": old["seed"], **outcome}
            return old, dict.fromkeys(old) | read_csv(csv_table(study, [record]))[0]
    raise StudyError(f"{name} no longer has the configuration of {old}")
