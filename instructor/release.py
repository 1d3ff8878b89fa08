"""The student's zip of the course, and the proof that nothing of the instructor's is in it.

What goes in is listed here, and of that only what git tracks, so that nobody's own files go along. The proof reads
every file of the finished zip: text, the strings of notebooks and other JSON (metadata, outputs and attachments
included), what is encoded in base64, and what is packed in a zip (as in .npz files).
"""

import ast
import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path, PurePosixPath

from . import build as builder
from . import stub
from .source import Problems, read_cells

FOLDERS = ("assignments", "course_utils", "data", "experiments", "notebooks")
FILES = ("Makefile", "environment.yml", "pyproject.toml", "requirements.lock")
README = "instructor/student_readme.md"  # README.md in the zip
TOP = "irl-course"  # the folder that unpacking makes
PRIVATE_NAMES = {"authoring", "solutions", "instructor", "tests", "hidden_tests", "wrong_answers"}
TELLING = 40  # so many characters of code, blanks not counted, are not written twice by chance
BASE64 = re.compile(r"[A-Za-z0-9+/\s]{24,}={0,2}\s*")


class ReleaseError(Exception):
    """The zip cannot be made, or must not be: the message says why."""


def release(root: Path, out: Path, wanted=None) -> tuple[int, bytes, list[str]]:
    """Write the student's zip: (number of files, its bytes, notes for the instructor).

    wanted: the assignments that are in it, such as ["a1"]; None for all. The zip is written whole or not at all.
    Raises ReleaseError; BuildError where authoring/ breaks the rules.
    """
    stale = builder.check(root)
    if stale:
        lines = [text.split("\n")[0] for text in stale]
        raise ReleaseError("\n".join(["the notebooks are not those of authoring/, run `course build`:", *lines]))
    paths, notes = collect(root)
    kept = [path for path in paths if path.parts[0] != "assignments" or wanted is None or number(path) in wanted]
    files = {path.as_posix(): (root / path).read_bytes() for path in kept}
    files["README.md"] = (root / README).read_bytes()
    data = pack(files)
    leaks = prove(data, root)
    if leaks:
        raise ReleaseError(
            "\n".join(["this zip would give away what is the instructor's, so it was not made:", *leaks])
        )
    temporary = out.with_name(f"{out.name}.{os.getpid()}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, out)
    except OSError as error:
        raise ReleaseError(f"{out} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return len(files), data, notes


def number(path: Path) -> str:
    return path.stem.partition("_")[0]


def assignments(root: Path) -> list[str]:
    """The assignments that there are: ["a1", "a2", …]."""
    return [number(path) for path in sorted((root / "authoring/assignments").glob("a*")) if path.is_dir()]


# ---- what goes in


def collect(root: Path) -> tuple[list[Path], list[str]]:
    """The files of a release, relative to root, and what the instructor should know of them."""
    tracked, notes = in_git(root)
    if tracked is None:
        found = [path.relative_to(root) for folder in FOLDERS for path in (root / folder).rglob("*")]
        hidden = lambda path: any(part.startswith((".", "__pycache__")) for part in path.parts)
        tracked = [*(path for path in found if not hidden(path)), *map(Path, FILES)]
    links = [path.as_posix() for path in tracked if (root / path).is_symlink()]
    if links:
        raise ReleaseError(f"a release has no symbolic links, and these are: {', '.join(links)}")
    return sorted(path for path in tracked if (root / path).is_file()), notes


def in_git(root: Path) -> tuple[list[Path] | None, list[str]]:
    """The files of a release that git tracks, and notes on those that differ from the last commit.

    (None, []) where the course is no git checkout, or only lies in somebody's: then git does not know its files.
    """
    git = shutil.which("git")
    if git is None and not (root / ".git").exists():
        return None, []
    if git is None:
        raise ReleaseError("this is a git checkout, and git is not there to tell your own files from the course's")

    def ask(*command):
        run = subprocess.run([git, "-C", root, *command, "-z", "--", *FOLDERS, *FILES], capture_output=True, text=True)
        if run.returncode and (root / ".git").exists():
            raise ReleaseError(f"git does not tell which files are the course's: {run.stderr.strip()}")
        return [line for line in run.stdout.split("\0") if line]

    tracked = ask("ls-files")
    if "pyproject.toml" not in tracked:
        return None, []
    changed = ask("status", "--porcelain", "--no-renames", "--untracked-files=all")
    words = {"??": "left out, git does not track it", " D": "left out, it is deleted"}
    notes = [f"{words.get(line[:2], 'not committed as it is in the zip')}: {line[3:]}" for line in changed]
    return [Path(name) for name in tracked], notes


def pack(files: dict[str, bytes]) -> bytes:
    """A zip whose bytes depend on the files alone (and on the version of zlib)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{TOP}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr, entry.create_system = 0o644 << 16, 3
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


# ---- the proof


def prove(data: bytes, root: Path) -> list[str]:
    """What a zip gives away, one text for each finding, with the file's name; empty if nothing."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    secrets = {hashlib.sha256(path.read_bytes()).digest(): path for path in private_files(root)}
    needles, found = private_code(root), []
    for name, content in files.items():
        if PRIVATE_NAMES & {part.partition(".")[0] for part in PurePosixPath(name).parts}:
            found.append(f"{name}: a file of the instructor's, by its name")
        if twin := secrets.get(hashlib.sha256(content).digest()):
            found.append(f"{name}: the same as {twin.relative_to(root).as_posix()}")
        written = list(texts(content))
        if any(stub.MENTION.search(text) for text in written):
            found.append(f"{name}: a solution's marker")
        code = "\n".join(form for text in written for form in (squeeze(text), squeeze(text, comments=True)))
        found += dict.fromkeys(f"{name}: {what}" for needle, what in needles.items() if needle in code)
    return found + unanswered(files, root)


def private_files(root: Path) -> list[Path]:
    return [*(root / "authoring/assignments").glob("*/*.py"), *(root / "solutions").glob("*.ipynb")]


def texts(data: bytes):
    """Everything that is written in a file, also what is packed or encoded in it."""
    yield data.replace(b"\0", b"").decode(errors="replace")  # without zeros: UTF-16 and UTF-32 as well
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from texts(archive.read(name))
    elif data.lstrip()[:1] in (b"{", b"["):
        try:
            yield from strings(json.loads(data))
        except ValueError:
            pass  # not JSON: it was read as text


def strings(value):
    """The strings in what was read from JSON; a list of lines is one text."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = "".join(value)
    if isinstance(value, str):
        yield value
        if BASE64.fullmatch(value):
            try:
                yield from texts(base64.b64decode(value))
            except ValueError:
                pass
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings(part)


def squeeze(text: str, comments: bool = False) -> str:
    """The text without blanks, and without comments (or with their text: code that is commented out)."""
    text = text.replace("#", "") if comments else re.sub(r"(^|\s)#.*", "", text, flags=re.MULTILINE)
    return "".join(text.split())


def private_code(root: Path) -> dict[str, str]:
    """Squeezed pieces of code that a student must not get, and what each is from.

    Of a solution: the shortest runs of its lines that have TELLING characters, except what its assignment itself
    shows outside the solutions (in a hint, say). Of hidden tests and wrong answers: runs of at least three lines of a
    function's body. So a line that anybody might write gives nothing away, here or in a lecture.
    """
    needles = {}
    for folder in sorted((root / "authoring/assignments").glob("a*")):
        source = (folder / "notebook.py").read_text(encoding="utf-8")
        pieces = re.split(rf"^\s*{stub.BEGIN}\n(.*?)^\s*{stub.END}$", source, flags=re.MULTILINE | re.DOTALL)
        given = squeeze("\n".join(pieces[::2]), comments=True)
        for block in pieces[1::2]:
            shown = {run: f"a solution of {folder.name}" for run in runs(block.split("\n")) if run not in given}
            needles |= shown
        for name in ("hidden_tests", "wrong_answers"):
            text = (folder / f"{name}.py").read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, stub.FUNCTIONS):
                    first = node.body[bool(ast.get_docstring(node)) and len(node.body) > 1].lineno
                    lines = text.split("\n")[first - 1 : node.end_lineno]
                    needles |= dict.fromkeys(runs(lines, least=3), f"{node.name} of {folder.name}/{name}.py")
    return needles


def runs(lines: list[str], least: int = 1):
    """For each line the shortest run from it on with TELLING characters and `least` lines; all lines if none has."""
    lines = [line for line in map(squeeze, lines) if line]
    if len(lines) < least:
        return
    if len("".join(lines)) <= TELLING:
        yield "".join(lines)
    for k in range(len(lines)):
        for end in range(k + least, len(lines) + 1):
            if len("".join(lines[k:end])) >= TELLING:
                yield "".join(lines[k:end])
                break


def unanswered(files: dict[str, bytes], root: Path) -> list[str]:
    """The answers that are missing or written: each has as many `raise NotImplementedError` as its solution blocks."""
    found = []
    for name in (name for name in files if name.startswith("assignments/")):
        authored = root / "authoring/assignments" / Path(name).stem / "notebook.py"
        cells = read_cells(authored.read_text(encoding="utf-8"), Problems(name)) if authored.is_file() else []
        blocks = {cell.question: cell.source.count(stub.BEGIN) for cell in cells if cell.question}
        if not blocks:
            found.append(f"{name}: not an assignment of authoring/")
            continue
        notebook = json.loads(files[name])
        answers = [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("solution")]
        for question, count in blocks.items():
            source = "".join("".join(c["source"]) for c in answers if c["metadata"]["course"]["question"] == question)
            if source.count(f'raise NotImplementedError("{question}")') != count:
                found.append(f"{name}: the answer to {question} is not blank")
    return found
