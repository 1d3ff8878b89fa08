"""What comes in at the door: `collect` finds the submissions in a download. (`read_code` is in cells.py.)

Nothing here trusts what it reads, and nothing is executed or written: a zip is read in memory. Of whatever cannot be
graded, `collect` still gives a Submission, which says why.
"""

from __future__ import annotations

import errno
import hashlib
import io
import mmap
import os
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

from course_utils.cli import BadInput
from instructor.grading.cells import MEGABYTE, NOTEBOOK, CodeCell, Malformed, functions, read_code, too_large
from instructor.grading.records import Submission

__all__ = ["CodeCell", "Malformed", "collect", "functions", "read_code"]

ARCHIVE = 50 * MEGABYTE  # the largest zip that a student hands in
BUDGET = 100 * MEGABYTE  # what is read for one student, all the notebooks or all the zips together
TOTAL = 2000 * MEGABYTE  # the notebooks of all students together: they are kept in memory
FILES = 10_000  # the most files of one student
ENTRIES = 300_000  # the most files of a download
FOLDERS = 20  # how deep folders may be nested
NAME = 150  # the longest name that is kept as it is

NOTEBOOK_NAME = re.compile(r"(.*)\.ipynb(\.json|\.txt)?", re.IGNORECASE | re.DOTALL)  # browsers add a second ending
COUNTER = re.compile(r"(?:-| ?\()([0-9]{1,9})\)?$")  # what is added to a name that is taken: a1-2, a1 (2)
JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")

# Moodle (mod/assign/classes/downloader.php): a folder "Ada Lovelace_123_assignsubmission_file", with another _ at its
# end before Moodle 4, or without folders "Ada Lovelace_123_assignsubmission_file_a1.ipynb". The name has no _ in it,
# so nothing that a student writes into a file's name counts. The number is the participant's in this assignment; the
# group of those without a group has none.
MOODLE = re.compile(r"(?P<student>[^_/\\]*)(?:_(?P<id>[0-9]{1,20}))?_assignsubmission_[a-z0-9]+(?:_.*)?", re.DOTALL)
# Canvas (lib/content_zipper.rb): files "lovelaceada_LATE_123_456_a1.ipynb" of the user 123; 456 is the attachment,
# numbered as they come in. "lovelaceada_123_text.html" is a text or a link; who has no name is "anon_x1y2z".
ATTACHED = r"_(?:(?P<attachment>[0-9]{1,20})_.+|(?:text|link)\.html)"
CANVAS = (
    re.compile(r"(?:LATE_)?(?P<student>anon_(?P<id>[A-Za-z0-9]{1,20}))" + ATTACHED, re.DOTALL),
    re.compile(r"(?P<student>[^/\\]+?)(?:_LATE)?_(?P<id>[0-9]{1,20})" + ATTACHED, re.DOTALL),
)


class Refused(Exception):
    """Why a file is not read. The text may be shown to a student."""


@dataclass(frozen=True)
class Found:
    """A file or a folder of a download, which is not read yet.

    parts    its path in the download, raw
    read     gives its bytes, at most one more than it is asked for, or raises Refused; None if there is nothing to read
    time     when it was written, in POSIX seconds, or None
    """

    parts: tuple
    size: int = 0
    time: float | None = None
    read: Callable[[int], bytes] | None = None
    problem: str | None = None

    @property
    def name(self) -> str:
        return clean("/".join(self.parts))

    @property
    def label(self) -> str:
        """The name within what is the student's."""
        return clean("/".join(self.parts[1:] or self.parts))

    @property
    def is_folder(self) -> bool:
        return self.read is None and self.problem is None

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
    with ExitStack() as stack:
        students = _by_student(_unwrap(_look(path, stack), path.resolve()))
        if not students:
            raise BadInput(f"expected notebooks in {path}; it is empty")
        submissions, total = [], 0
        for (student, id), files in students.items():
            submissions.append(_submission(clean(student), id, files, assignment))
            total += len(submissions[-1].notebook)
            if total > TOTAL:
                raise BadInput(f"expected at most {TOTAL // MEGABYTE} MB of notebooks at a time; {path} has more")
    return sorted(submissions, key=lambda s: (s.student.casefold(), s.student, s.id))


def clean(text: str) -> str:
    """A name as plain text: what does not print is written as in a Python string, and a long one is cut.

    Different names stay different. Right-to-left letters stay as they are; what reorders text does not.
    """
    shown = "".join(c if _prints(c) else c.encode("unicode_escape").decode() for c in text)
    if len(shown) < NAME:  # what is cut has the length NAME, so that no other name looks like it
        return shown
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{shown[: NAME - 18]}… {digest}"


def _prints(c: str) -> bool:
    joiner = c in "\u200c\u200d"  # letters of Persian, Hindi and others need them
    return c != "\\" and (joiner or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def _look(path: Path, stack: ExitStack) -> list[Found]:
    """All that lies in a download; of a zip it can be read until the stack closes. Raises BadInput."""
    wanted = f"expected a folder of submissions, a zip or a notebook (.ipynb); {path}"
    try:
        info = path.stat()  # follows a link: the instructor typed it
        if stat.S_ISDIR(info.st_mode):
            return list(_in_folder(path))
        if not stat.S_ISREG(info.st_mode):
            raise BadInput(f"{wanted} is neither a folder nor a file")
        if NOTEBOOK_NAME.fullmatch(path.name):
            return [Found((path.name,), info.st_size, info.st_mtime, partial(_read_file, path.resolve()))]
        if not info.st_size:
            raise BadInput(f"{wanted} is empty")
        file = stack.enter_context(path.open("rb"))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            archive = _archive(file, content, ENTRIES)
        return list(_in_zip(stack.enter_context(archive)))
    except Refused as error:
        raise BadInput(f"{wanted}: {error}") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        raise BadInput(f"{wanted}: {getattr(error, 'strerror', None) or error}") from None


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


def _read_file(path, most: int) -> bytes:
    try:
        # Neither follows a link nor waits for the other end of a fifo, should the file have been exchanged for one.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                raise Refused(_special(info.st_mode))
            return file.read(min(info.st_size, most) + 1)
    except OSError as error:
        link = error.errno == errno.ELOOP
        raise Refused(_special(stat.S_IFLNK) if link else f"it cannot be read ({error.strerror})") from None


def _archive(file, content, most: int) -> zipfile.ZipFile:
    """A zip, from its file and its bytes. Its entries are counted first, because each becomes an object."""
    if sum(1 for _ in islice(re.finditer(rb"PK\x01\x02", content), most + 1)) > most:
        raise Refused(f"more than {most} files in a zip")
    try:
        return zipfile.ZipFile(file)
    except Exception:  # whatever the parser stumbles over, the file is at fault
        raise Refused("it is not a zip, or a broken one") from None


def _in_zip(archive: zipfile.ZipFile) -> Iterator[Found]:
    """Everything in a zip. A path that leads out of it belongs to nobody else: it stays one odd name."""
    for info in archive.infolist():
        path = _zip_name(info).replace("\\", "/")
        parts = tuple(part for part in path.split("/") if part not in ("", "."))
        mode = info.external_attr >> 16  # a Unix mode, or nothing
        if path.startswith("/") or re.match("[A-Za-z]:", path) or ".." in parts:
            yield Found((path,), problem="its name in the zip is a path out of it")
        elif not parts or _junk(parts):
            continue
        elif info.is_dir() or path.endswith("/"):
            yield Found(parts)
        elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            yield Found(parts, problem=_special(mode))
        else:
            yield Found(parts, info.file_size, _zip_time(info), partial(_read_entry, archive, info))


def _read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    if info.flag_bits & 1:
        raise Refused("it is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others can ask for any memory
        raise Refused("it is packed in a way that is not read; expected an ordinary zip")
    try:
        with archive.open(info) as file:
            return file.read(min(info.file_size, most) + 1)  # unpacks no more than was declared
    except Exception:  # whatever the parser stumbles over, the file is at fault
        raise Refused("it is broken in the zip") from None


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Macs write UTF-8 and do not say so; zipfile then takes it for the letters of the first PC."""
    try:
        return info.filename if info.flag_bits & 0x800 else info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename


def _zip_time(info: zipfile.ZipInfo) -> float | None:
    """A zip does not say whose clock it means: ours, as for unzip. Tools without a clock write 1980."""
    try:
        return datetime(*info.date_time).timestamp() if info.date_time[0] > 1980 else None
    except (ValueError, OverflowError, OSError):
        return None


def _junk(parts: tuple) -> bool:
    """What systems and Jupyter leave behind; in a zip the folder is part of each name."""
    return any(part in JUNK or (part.startswith(".") and not MOODLE.fullmatch(part)) for part in parts)


def _special(mode: int) -> str:
    return "a symbolic link" if stat.S_ISLNK(mode) else "not an ordinary file"


# ---- whose it is, and which notebook counts


def _unwrap(found: list, path: Path) -> list:
    """Without the folder named as the download that packing may add around everything in it."""
    inner = [replace(file, parts=file.parts[1:]) for file in found if len(file.parts) > 1]
    top = found[0].parts[0] if len({file.parts[0] for file in found}) == 1 else ""
    if not inner or not top:
        return found
    if top in (path.name, path.stem, COUNTER.sub("", path.stem)):
        return inner
    # Taken for one student, a whole download in a folder would leave all the others without a mark. But whether it is
    # one must not depend on how a student calls files.
    if len({match["student"] for match in map(_platform, inner) if match}) > 1:
        raise BadInput(f"expected submissions in {path}; all is in its folder {clean(top)}: unpack it, and give that")
    return found


def _platform(file: Found) -> re.Match | None:
    """What Moodle or Canvas says in the name at the top. Canvas makes no folders."""
    patterns = (MOODLE, *CANVAS) if len(file.parts) == 1 and not file.is_folder else (MOODLE,)
    return next(filter(None, (pattern.fullmatch(file.parts[0]) for pattern in patterns)), None)


def _by_student(found: list) -> dict:
    """{(raw name, id): what is theirs}. A platform's file has the time of the download, which is left out.

    If one number stands beside two names, it is no user's number, or somebody chose a name to look like another
    user: then the number counts for neither.
    """
    names, students = {}, {}
    for match in filter(None, map(_platform, found)):
        names.setdefault(match["id"], set()).add(match["student"])
    for file in found:
        top, match = file.parts[0], _platform(file)
        if match and (not match["id"] or len(names[match["id"]]) == 1):
            owner, file = (match["student"] or top, match["id"] or ""), replace(file, time=None)
        elif len(file.parts) > 1 or file.is_folder:
            owner = top, ""
        else:
            notebook = NOTEBOOK_NAME.fullmatch(top)
            owner = notebook[1] if notebook else os.path.splitext(top)[0], ""
        students.setdefault(owner, []).append(file)
    return students


def _submission(student: str, id: str, files: list, assignment: str) -> Submission:
    try:
        with ExitStack() as stack:
            file, notebook = _choose(files, assignment, stack)
        return Submission(student, id, file.name, notebook, file.time)
    except Refused as error:
        return Submission(student, id, files[0].name if len(files) == 1 else "", problem=str(error))


def _choose(files: list, assignment: str, stack: ExitStack) -> tuple[Found, bytes]:
    """The notebook that counts, and its bytes. Raises Refused with what is wrong where there is none."""
    problems = {file.label: file.problem for file in files if file.problem}
    for packed, content in _contents([file for file in files if file.is_zip], ARCHIVE, problems):
        try:
            archive = stack.enter_context(_archive(io.BytesIO(content), content, FILES))
        except Refused as error:
            problems[packed.label] = str(error)
            continue
        # The times in it are the student's own: that of the zip counts.
        files = files + [replace(file, parts=packed.parts + file.parts, time=packed.time) for file in _in_zip(archive)]
        if len(files) > FILES:
            break
    if len(files) > FILES:
        raise Refused(f"more than {FILES} files")
    problems |= {file.label: file.problem for file in files if file.problem}

    best, notebooks = None, sorted((file for file in files if file.is_notebook), key=_age)
    for file, content in _contents(notebooks, NOTEBOOK, problems):
        rank = _relevance(content, assignment) if len(notebooks) > 1 else 0
        if best is None or rank >= best[0]:
            best = rank, file, content
    if best:
        return best[1:]
    if problems:
        raise Refused(_some([f"{name}: {reason}" for name, reason in problems.items()], "; "))
    others = [file.label for file in files if not file.is_folder]
    raise Refused(f"no notebook in it: {_some(others, ', ') or 'the folder is empty'}")


def _contents(files: list, most: int, problems: dict) -> Iterator[tuple[Found, bytes]]:
    """The bytes of files, each of at most `most`; why one is not read is entered into `problems`."""
    if sum(file.size for file in files if file.size <= most) > BUDGET:
        raise Refused(f"more than {BUDGET // MEGABYTE} MB in several files")
    for file in files:
        try:
            content = file.read(most) if file.size <= most else b""
            size = max(file.size, len(content))
            if size > most:
                raise Refused(too_large(size, most))
            if not content:
                raise Refused("the file is empty")
        except Refused as error:
            problems[file.label] = str(error)
        else:
            yield file, content


def _age(file: Found) -> tuple:
    """Sorts a student's notebooks from the oldest to the newest: the time, Canvas's number, a counter, the name."""
    match = _platform(Found(file.parts[:1], read=file.read))
    counter = COUNTER.search(NOTEBOOK_NAME.fullmatch(file.parts[-1])[1])
    attachment = (match and match.groupdict().get("attachment")) or 0
    return file.time or 0, int(attachment), int(counter[1]) if counter else 0, file.parts


def _relevance(notebook: bytes, assignment: str) -> int:
    """2 for a notebook with answers to the assignment, 1 with answers to another, 0 for any notebook, −1 for none."""
    try:
        asked = {cell.question for cell in read_code(notebook)} - {None}
    except Malformed:
        return -1
    return 1 + any(question.startswith(f"{assignment}.") for question in asked) if asked else 0


def _some(texts: list, between: str, most: int = 5) -> str:
    more = [f"and {len(texts) - most} more"] if len(texts) > most else []
    return between.join(texts[:most] + more)
