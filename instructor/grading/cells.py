"""The code cells of a notebook that anybody may have written. Nothing of it is executed, or trusted.

Without nbformat, which takes a second to import and is not made for notebooks that mean harm.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from keyword import iskeyword

import numpy as np

MEGABYTE = 10**6
NOTEBOOK = 10 * MEGABYTE  # the largest notebook that is read
CELLS = 2000  # the most cells of a notebook
DEPTH = 200  # how deep JSON may be nested: outputs such as a plot's specification are nested too

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
    return {name for name in names if name.isidentifier() and not iskeyword(name)}  # "else: x = 1" is no name


def _parse(notebook: bytes):
    if len(notebook) > NOTEBOOK:
        raise Malformed(too_large(len(notebook), NOTEBOOK))
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


def too_large(size: int, most: int) -> str:
    """Why a file is not read. Sizes in bytes."""
    return f"the file has {size / MEGABYTE:.1f} MB; at most {most // MEGABYTE} MB are read"
