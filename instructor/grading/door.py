"""What comes in at the door: `collect` finds the submissions in a download, `read_code` the code cells of a notebook.

Nothing here trusts what it reads, and nothing is executed or written: a zip is read in memory. Of whatever cannot be
graded, `collect` still gives a Submission, which says why.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import mmap
import os
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from course_utils.cli import BadInput
from instructor.grading.records import Submission

MEGABYTE = 10**6
NOTEBOOK = 10 * MEGABYTE  # the largest notebook that is read
ARCHIVE = 50 * MEGABYTE  # the largest zip that a student hands in
BUDGET = 100 * MEGABYTE  # what is read for one student, all the notebooks or all the zips together
TOTAL = 2000 * MEGABYTE  # the notebooks of all students together: they are kept in memory
FILES = 10_000  # the most files of one student
ENTRIES = 1_000_000  # the most files of a download
FOLDERS = 20  # how deep folders may be nested
NAME = 150  # the longest name that is kept as it is
CELLS = 2000  # the most cells of a notebook
DEPTH = 200  # how deep JSON may be nested: outputs such as a plot's specification are nested too

NOTEBOOK_NAME = re.compile(r"(.*)\.ipynb(\.json|\.txt)?", re.IGNORECASE | re.DOTALL)  # browsers add a second ending
COUNTER = re.compile(r"(?:-| ?\()([0-9]{1,9})\)?$")  # what is added to a name that is taken: a1-2, a1 (2)
JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")

# Moodle (mod/assign/classes/downloader.php): a folder "Ada Lovelace_123_assignsubmission_file", with another _ at its
# end before Moodle 4, or without folders "Ada Lovelace_123_assignsubmission_file_a1.ipynb". The name has no _ in it,
# so nothing that a student writes into a file's name counts. The number is the participant's in this assignment; the
# group of those without a group has none.
MOODLE = re.compile(
    r"(?P<student>[^_/\\]*)(?:_(?P<id>[0-9]{1,20}))?_assignsubmission_[a-z0-9]+(?:_.*)?(?P<attachment>)", re.DOTALL
)
# Canvas (lib/content_zipper.rb): files "lovelaceada_LATE_123_456_a1.ipynb" of the user 123; 456 is the attachment,
# numbered as they come in. "lovelaceada_123_text.html" is a text or a link; who has no name is "anon_x1y2z".
ATTACHED = r"_(?:(?P<attachment>[0-9]{1,20})_.+|(?:text|link)\.html)"
CANVAS = (
    re.compile(r"(?:LATE_)?(?P<student>anon_(?P<id>[A-Za-z0-9]{1,20}))" + ATTACHED, re.DOTALL),
    re.compile(r"(?P<student>[^/\\]+?)(?:_LATE)?_(?P<id>[0-9]{1,20})" + ATTACHED, re.DOTALL),
)
# What brackets do to the depth, for bytes.translate; as signed bytes 255 is −1.
STEPS = bytes({ord("["): 1, ord("{"): 1, ord("]"): 255, ord("}"): 255}.get(byte, 0) for byte in range(256))
QUESTION = re.compile(r"(a[0-9]{1,4})[.-](q[0-9]{1,4})")
CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
DEFINED = re.compile(r"^(?:(?:async[ \t]+)?def[ \t]+(\w+)[ \t]*[(\[]|(\w+)[ \t]*(?::[^=\n]*)?=(?!=))", re.MULTILINE)


class Malformed(ValueError):
    """A file is no notebook. The message says why, and may be shown to a student."""


@dataclass(frozen=True)
class CodeCell:
    """A code cell: its nbformat id ("" if it has none), the question that it answers ("a1.q2") or None, its text."""

    id: str
    question: str | None
    source: str


# ---- inside a download


class Refused(Exception):
    """Why a file is not read. The text may be shown to a student."""


@dataclass(frozen=True)
class Found:
    """A file or a folder of a download, which is not read yet.

    parts    its path in the download, raw
    read     gives its bytes or raises Refused; None for a folder and for what has a problem
    time     when it was written, in POSIX seconds, or None
    """

    parts: tuple
    size: int = 0
    time: float | None = None
    read: Callable[[], bytes] | None = None
    problem: str | None = None

    @property
    def name(self) -> str:
        return clean("/".join(self.parts))

    @property
    def is_notebook(self) -> bool:
        return self.read is not None and NOTEBOOK_NAME.fullmatch(self.parts[-1]) is not None

    @property
    def is_zip(self) -> bool:
        return self.read is not None and self.parts[-1].lower().endswith(".zip")


def collect(path: Path, assignment: str = "") -> list[Submission]:
    """The submissions in a folder, in a zip or in one notebook, one for each student, sorted by student and id.

    What lies at the top is a student's: a notebook, a zip or a folder of them, named after the student (as in
    nbgrader's `submitted/`) or by Moodle's or Canvas's download. Of several notebooks of a student, one that answers
    questions of `assignment` ("a1") is taken, then one that answers any, then the newest. A download has its own
    time on every file, so `submitted` is known for plain files only. Names are clean text, and different ones stay
    different. Raises BadInput if there is nothing to collect from.
    """
    path = Path(path)
    with _look(path) as found:
        students = _by_student(_unwrap(found, path.resolve()))
        if not students:
            raise BadInput(f"expected notebooks in {path}; it is empty")
        submissions, total = [], 0
        for (student, id), files in students.items():
            submissions.append(_submission(clean(student), id, files, assignment))
            total += len(submissions[-1].notebook)
            if total > TOTAL:
                raise BadInput(f"the notebooks in {path} have more than {TOTAL // MEGABYTE} MB; collect a part at a time")
    return sorted(submissions, key=lambda s: (s.student.casefold(), s.student, s.id))


def clean(text: str) -> str:
    """A name as plain text: what does not print is written as in a Python string, and a long one is cut.

    Different names stay different. Right-to-left letters stay as they are; what reorders text does not.
    """
    shown = "".join(c if _prints(c) else c.encode("unicode_escape").decode() for c in text)
    if len(shown) <= NAME:
        return shown
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{shown[: NAME - 18]}… {digest}"


def _prints(c: str) -> bool:
    joiner = c in "\u200c\u200d"  # letters of Persian, Hindi and others need them
    return c != "\\" and (joiner or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


@contextmanager
def _look(path: Path) -> Iterator[list]:
    """All that lies in a download; of a zip it can be read while the context lasts. Raises BadInput."""
    wanted = "expected a folder of submissions, a zip or a notebook (.ipynb)"
    try:
        info = path.stat()  # follows a link: the instructor typed it
        if stat.S_ISDIR(info.st_mode):
            yield list(_in_folder(path))
        elif not stat.S_ISREG(info.st_mode):
            raise BadInput(f"{wanted}; {path} is neither a folder nor a file")
        elif NOTEBOOK_NAME.fullmatch(path.name):
            yield [Found((path.name,), info.st_size, info.st_mtime, partial(_read_file, path.resolve()))]
        else:
            with path.open("rb") as file, _archive(file, ENTRIES) as archive:
                yield list(_in_zip(archive))
    except Refused as error:
        raise BadInput(f"{wanted}; {path}: {error}") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        raise BadInput(f"{wanted}; {path}: {getattr(error, 'strerror', None) or error}") from None


def _in_folder(folder, above: tuple = ()) -> Iterator[Found]:
    """Everything below a folder, at most FILES + 1 things in each of its folders; links are not followed."""
    with os.scandir(folder) as listing:
        entries = list(islice(listing, FILES + 1) if above else listing)
    for entry in sorted(entries, key=lambda entry: entry.name):
        parts = (*above, entry.name)
        if _junk(parts):
            continue
        try:
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                yield Found(parts)
                if len(parts) > FOLDERS:
                    yield Found(parts, problem=f"more than {FOLDERS} folders in one another")
                else:
                    yield from islice(_in_folder(entry.path, parts), FILES + 1)
            elif stat.S_ISREG(info.st_mode):
                yield Found(parts, info.st_size, info.st_mtime, partial(_read_file, entry.path))
            else:
                yield Found(parts, problem=_special(info.st_mode))
        except OSError as error:
            yield Found(parts, problem=f"it cannot be read ({error.strerror})")


def _read_file(path, most: int = NOTEBOOK) -> bytes:
    try:
        # Neither follows a link nor waits for the other end of a fifo, should the file have been exchanged for one.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise Refused(_special(mode))
            return file.read(most + 1)
    except OSError as error:
        raise Refused(_special(stat.S_IFLNK) if error.errno == errno.ELOOP else f"it cannot be read ({error.strerror})")


# ---- inside a notebook


def read_code(notebook: bytes) -> list[CodeCell]:
    """The code cells of a notebook that anybody may have written, in their order.

    nbformat 4 and 3, told apart by where the cells are. A cell without text is left out. Of a key that stands twice
    the last value counts, as in Jupyter. Raises Malformed.
    """
    return [cell for cell in map(_code_cell, _cells(_parse(notebook))) if cell is not None]


def functions(source: str) -> set[str]:
    """The names that a cell defines at its top level by `def`, `async def` or `name = …`.

    By its lines alone, since parsing hostile text is not safe: a definition inside a string counts as well.
    """
    names = (unicodedata.normalize("NFKC", a or b) for a, b in DEFINED.findall(source))  # as Python reads them
    return {name for name in names if name.isidentifier()}


def _parse(notebook: bytes):
    if len(notebook) > NOTEBOOK:
        raise Malformed(_too_large(len(notebook)))
    if not notebook.strip():
        raise Malformed("the file is empty")
    if _depth(notebook) > DEPTH:
        raise Malformed(f"its JSON is nested more than {DEPTH} levels deep")
    try:
        return json.loads(notebook.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Malformed("it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"it is not valid JSON (line {error.lineno})") from None
    except ValueError:  # Python reads integers of at most 4300 digits, because more take too long
        raise Malformed("it has a number with too many digits") from None
    except RecursionError:  # the caller left less room than DEPTH
        raise Malformed("its JSON is nested too deep") from None


def _depth(text: bytes) -> int:
    """How deep JSON is nested, counted before it is parsed, because the parser recurses.

    Where this takes something for a string that the parser does not, the text before is no JSON and stops the parser.
    """
    outside = b"".join(text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    steps = np.frombuffer(outside.translate(STEPS), np.int8)
    return int(steps.cumsum(dtype=np.int32).max(initial=0))


def _cells(notebook) -> list:
    """The cells of parsed JSON; in nbformat 3 they stand in worksheets."""
    if not isinstance(notebook, dict):
        raise Malformed("it is JSON, but not a notebook")
    cells = notebook.get("cells")
    if "cells" not in notebook and isinstance(notebook.get("worksheets"), list):
        sheets = [sheet.get("cells") for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets if isinstance(sheet, list) for cell in sheet]
    if not isinstance(cells, list):
        raise Malformed("it is JSON, but it has no list of cells")
    if len(cells) > CELLS:
        raise Malformed(f"it has {len(cells)} cells; at most {CELLS} are read")
    return cells


def _code_cell(cell) -> CodeCell | None:
    if not isinstance(cell, dict) or cell.get("cell_type") != "code":
        return None
    source = cell.get("source", cell.get("input"))  # nbformat 3 says input
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    if not source.isascii():
        source = source.encode(errors="replace").decode()  # half a surrogate pair is no text to anybody else
    id = cell.get("id")
    id = id if isinstance(id, str) and CELL_ID.fullmatch(id) else ""
    return CodeCell(id, _question(cell.get("metadata"), id), source)


def _question(metadata, id: str) -> str | None:
    """Which question a cell answers: by the course's metadata, by nbgrader's, by its id. A check answers none."""
    entries = [metadata.get(key) if isinstance(metadata, dict) else None for key in ("course", "nbgrader")]
    course, nbgrader = (entry if isinstance(entry, dict) else {} for entry in entries)
    grade_id = nbgrader.get("grade_id")
    named = isinstance(grade_id, str) and not grade_id.endswith("-check")
    answers = named or nbgrader.get("solution") is True
    for text in (course.get("question") if answers else None, grade_id, id):
        if isinstance(text, str) and (match := QUESTION.fullmatch(text)):
            return ".".join(match.groups())
    return None


def _too_large(size: int) -> str:
    return f"the file has {size / MEGABYTE:.1f} MB; at most {NOTEBOOK // MEGABYTE} MB are read"
