"""What a question is, and how an answer to it is judged.

Nothing here calls a student's function: a question makes cases (inputs and expected outputs), and an output is judged
as plain arrays. So the same questions serve a notebook, where the function is called in place (`runner.py`), and
a grader that keeps inputs and expected values in another process than the student's code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from course_utils.checks.calling import text_of


@dataclass(frozen=True)
class Case:
    """One instance: `args` in the order of the function's arguments (arrays, ints, floats), and what is expected.

    `expected` is an array, or a tuple of arrays for a function that returns several. `note` says what is special
    about the instance ("rewards near 1000").
    """

    args: dict
    expected: object
    note: str = ""


@dataclass(frozen=True)
class Output:
    """Something a function returns: its name and its axes, such as Output("V", "ts") for V[t,s]."""

    name: str
    axes: str = ""

    def __str__(self):
        return f"{self.name}[{','.join(self.axes)}]" if self.axes else self.name


@dataclass(frozen=True)
class Mistake:
    """A known wrong answer, recognised either by recomputing it or by a predicate.

    gives(**args) returns what a function with this mistake would return (a tuple of such functions: any one of them);
    when(case, outputs) tells whether a wrong output (a tuple of arrays) looks like this mistake.
    """

    name: str
    hint: str
    gives: Callable | tuple = ()
    when: Callable | None = None


@dataclass(frozen=True)
class Question:
    """A question of an assignment.

    `cases(rng)` returns a list of Case from the smallest to the largest. `mistakes` stand from the most to the
    least specific: where several fit, the first one is named. `observe(value, **args)` turns a returned policy,
    network or other object into the outputs, by calling it; without one the returned value is the output.
    `seconds` is the processor time that grading gives to an answer, for all its instances together.
    """

    id: str
    title: str
    objective: str
    difficulty: int
    minutes: int
    points: int
    arguments: tuple
    outputs: tuple
    cases: Callable
    mistakes: tuple = ()
    rtol: float = 1e-6
    atol: float = 1e-7
    observe: Callable | None = None
    seconds: float = 30.0


@dataclass(frozen=True)
class Problem:
    """Why an output was refused. `mistake` and `hint` are set when the problem alone says what went wrong."""

    kind: str  # "type", "shape", "not finite" or "value"
    message: str
    mistake: str | None = None
    hint: str | None = None


def expected_outputs(case: Case) -> tuple:
    """The expected outputs as a tuple of float arrays."""
    several = case.expected if isinstance(case.expected, tuple) else (case.expected,)
    return tuple(np.asarray(x, dtype=float) for x in several)


def to_array(value) -> np.ndarray:
    """A copy of a returned value as an array of floats: lists, integers, float32, torch tensors are all welcome."""
    if hasattr(value, "detach"):  # a torch tensor, perhaps one that requires a gradient
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype.kind == "c" and not array.imag.any():
        array = array.real
    if array.dtype.kind not in "fiub":
        raise ValueError(f"not real numbers (dtype {array.dtype})")
    return array.astype(np.float32 if array.dtype == np.float32 else float)


def read_outputs(question: Question, value) -> tuple | Problem:
    """What a function returned, as a tuple of arrays, or the Problem that this is not possible."""
    names = ", ".join(map(str, question.outputs))
    if value is None:
        return Problem(
            "type",
            f"Your function returned None; expected {names}.",
            "nothing returned",
            "Does the function end in `return`?",
        )
    n = len(question.outputs)
    if n > 1 and not (isinstance(value, (tuple, list)) and len(value) == n):
        came = f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, (tuple, list)) else "")
        return Problem("type", f"Expected a tuple of {n}, ({names}); your function returned {came}.")
    arrays = []
    for output, x in zip(question.outputs, value if n > 1 else (value,), strict=True):
        try:
            arrays.append(to_array(x))
        except Exception as error:  # whatever an object does when it is asked for its numbers
            reason = next(iter(text_of(error).splitlines()), type(error).__name__)
            return Problem("type", f"Expected numbers for {output}; got a {type(x).__name__}: {reason}.")
    return tuple(arrays)


def tolerance(question: Question, case: Case, outputs: tuple) -> dict:
    """rtol and atol; wider where single precision goes in or comes out."""
    single = any(getattr(x, "dtype", None) == np.float32 for x in (*case.args.values(), *outputs))
    return {"rtol": 1e-4, "atol": 1e-3} if single else {"rtol": question.rtol, "atol": question.atol}


def same(a: tuple, b: tuple, rtol, atol) -> bool:
    """Equal shapes and close values, NaN equal to NaN."""
    return len(a) == len(b) and all(
        x.shape == y.shape and np.allclose(x, y, rtol, atol, equal_nan=True) for x, y in zip(a, b, strict=True)
    )


def judge(question: Question, case: Case, outputs: tuple) -> Problem | None:
    """None if the outputs (a tuple of arrays) are right; else the first thing that is wrong: shape, finite, value."""
    right, tol = expected_outputs(case), tolerance(question, case, outputs)
    for output, got, want in zip(question.outputs, outputs, right, strict=True):
        if got.shape != want.shape:
            return _wrong_shape(question, outputs, right, tol, output, got, want)
    for output, got in zip(question.outputs, outputs, strict=True):
        if not np.isfinite(got).all():
            where = _first(output, ~np.isfinite(got))
            return Problem(
                "not finite",
                f"{where} is {got[~np.isfinite(got)][0]}.",
                "not finite",
                "NaN and inf come from log(0), 0/0, inf − inf, or an exp that overflows.",
            )
    for output, got, want in zip(question.outputs, outputs, right, strict=True):
        allowed = tol["atol"] + tol["rtol"] * np.abs(want)
        if np.isfinite(allowed).all() and (np.abs(got - want) <= allowed).all():  # a tenth of the time of isclose
            continue
        off = ~np.isclose(got, want, **tol)
        if off.any():
            return Problem(
                "value",
                f"First difference: {_first(output, off)} is {got[off][0]:.8g}, expected "
                f"{want[off][0]:.8g} (off by {abs(got[off][0] - want[off][0]):.2g}).",
            )
    return None


def _first(output: Output, where: np.ndarray) -> str:
    """The first True of a mask by name: "V[t=0, s=1]"."""
    index = np.argwhere(where)[0]
    at = ", ".join(f"{axis}={i}" for axis, i in zip(output.axes, index, strict=True))
    return f"{output.name}[{at}]" if at else output.name


def _wrong_shape(question, outputs, right, tol, output, got, want) -> Problem:
    message = f"{output} should have shape {want.shape}; yours has shape {got.shape}."
    if any(same(outputs, order, **tol) for order in permutations(right)):
        return Problem(
            "shape",
            message,
            "outputs in another order",
            f"Return them as ({', '.join(o.name for o in question.outputs)}).",
        )
    if got.ndim == want.ndim > 1 and any(
        same((got,), (want.transpose(axes),), **tol) for axes in permutations(range(want.ndim))
    ):
        return Problem("shape", message, "axes in another order", f"The axes are {output}: transpose.")
    return Problem("shape", message)


def recognise(question: Question, seen: list) -> Mistake | None:
    """The mistake that explains what was seen, or None. `seen` is a list of (case, outputs, is_right).

    A recomputed mistake must reproduce *every* output seen, so that a coincidence on one small symmetric instance
    names nothing; a predicate must hold for every wrong output. A formula that is wrong and overflows as well
    still shows in its finite outputs: they decide if they are at least half of the wrong ones. And where a second
    slip shows only in special instances (those with a note), the ordinary ones tell the first.
    """
    wrong = [x for x in seen if not x[2]]
    finite = [x for x in wrong if all(np.isfinite(array).all() for array in x[1])]
    if not wrong:
        return None
    # The largest instances first: a mistake that does not fit is dropped soonest there.
    for mistake in question.mistakes:
        if mistake.when and all(mistake.when(case, outputs) for case, outputs, _ in wrong):
            return mistake
        for gives in variants(mistake):
            if all(_reproduces(question, gives, case, outputs) for case, outputs, _ in seen[::-1]):
                return mistake
    if wrong != finite and 2 * len(finite) >= len(wrong):
        return recognise(question, [x for x in seen if x[2] or any(x is y for y in finite)])
    ordinary = [x for x in seen if not x[0].note]
    if len(ordinary) < len(seen):
        return recognise(question, ordinary)
    return None


def _reproduces(question, gives, case, outputs) -> bool:
    with np.errstate(all="ignore"):
        given = gives(**case.args)
    given = tuple(np.asarray(x, dtype=float) for x in (given if isinstance(given, tuple) else (given,)))
    return same(outputs, given, **tolerance(question, case, outputs))


def variants(mistake: Mistake) -> tuple:
    """The functions that give what an answer with this mistake would give."""
    return mistake.gives if isinstance(mistake.gives, tuple) else (mistake.gives,)


def remembering(question: Question) -> Question:
    """The question, with mistakes that remember what they gave for an instance: for judging many answers."""
    known = tuple(replace(m, gives=tuple(map(_memo, variants(m)))) for m in question.mistakes)
    return replace(question, mistakes=known)


def _memo(gives):
    """What a mistake gives does not depend on the answer that is judged."""
    known = {}

    def remembered(**args):
        key = tuple(id(x) if isinstance(x, np.ndarray) else x for x in args.values())
        if key not in known:
            known[key] = gives(**args), args  # keeping args alive keeps their ids theirs
        return known[key][0]

    return remembered
