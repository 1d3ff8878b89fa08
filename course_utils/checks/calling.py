"""Call a student's function on one instance, and keep what it did as plain data.

Imports nothing of the course: the grader's sandbox runs this very file, where the rest of the checks is missing.
"""

from __future__ import annotations

import copy
import io
import os
import sysconfig
import traceback as tb
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PRINTED = 10_000  # characters of printed text that are kept
NOT_THEIRS = tuple(
    os.path.realpath(p) + os.sep
    for p in (
        *(sysconfig.get_paths()[k] for k in ("stdlib", "platstdlib", "purelib", "platlib")),
        os.path.dirname(os.path.dirname(__file__)),
    )
)


@dataclass(frozen=True)
class Raised:
    """An exception as text: `where` in the student's code ("line 3 of solve") and that `line`, both "" if unknown."""

    kind: str
    text: str
    where: str = ""
    line: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class Called:
    """What one call did: a value or an error, what it printed, and which of its inputs it changed."""

    value: object = None
    error: Raised | None = None
    printed: str = ""
    changed: tuple = ()


class Paper(io.StringIO):
    """Takes everything that is printed, and keeps the beginning."""

    def write(self, text):
        if (room := PRINTED - self.tell()) > 0:
            super().write(text[:room])
        return len(text)


def call(fn, args: dict, observe=None) -> Called:
    """Call fn on copies of the args, a dict in their order. An interrupt by the student passes through.

    observe(value, **args) turns what was returned into numbers, where a question wants a policy or a network.
    """
    given, out, value, error = copy.deepcopy(args), Paper(), None, None
    try:
        with redirect_stdout(out), np.errstate(all="ignore"):
            value = fn(*given.values())
            if observe:
                value = observe(value, **args)
    except (Exception, SystemExit) as caught:
        error = raised(caught)
    changed = tuple(
        k for k, x in args.items() if isinstance(x, np.ndarray) and not np.array_equal(x, given[k], _nan(x))
    )
    return Called(value, error, out.getvalue(), changed)


def _nan(x) -> bool:
    return x.dtype.kind == "f"


def raised(error: BaseException) -> Raised:
    """An exception as text, also where its own __str__ fails. The traceback's first frame is our own call."""
    frames = tb.extract_tb(error.__traceback__)[1:]
    theirs = [f for f in frames if not os.path.realpath(f.filename).startswith(NOT_THEIRS)]
    where, line = (f"line {theirs[-1].lineno} of {theirs[-1].name}", theirs[-1].line or "") if theirs else ("", "")
    short = [tb.FrameSummary(_end_of(f.filename), f.lineno, f.name, line=f.line) for f in frames]
    # whatever a subclass calls itself, this one means "not written yet"
    kind = "NotImplementedError" if isinstance(error, NotImplementedError) else type(error).__name__
    text = "".join(tb.format_list(short) + tb.format_exception_only(error))
    return Raised(kind, text_of(error), where, line, text)


def text_of(error: BaseException) -> str:
    """An exception's text, at most 500 characters of it, also where its own __str__ fails."""
    return str(tb.TracebackException(type(error), error, None))[:500]


def _end_of(path: str) -> str:
    """The last two parts of a path, so that a line of a traceback fits on a card wherever Python is installed."""
    return "/".join(Path(path).parts[-2:])
