"""Call a student's function on the cases of a question, and turn what happens into a card."""

from __future__ import annotations

import inspect
import re

import numpy as np

from course_utils.checks.calling import Called, call
from course_utils.checks.card import Block, Card, Row, show_value
from course_utils.checks.core import (
    Case,
    Mistake,
    Problem,
    Question,
    expected_outputs,
    judge,
    read_outputs,
    recognise,
    same,
    tolerance,
)

MORE = "More tests run at grading: other sizes, edge cases and larger numbers."
CHANGED = Mistake(
    "inputs changed",
    "Your function writes into an array that it was given. Work on a copy: "
    "`x = x.copy()`, or `x = x + y` instead of `x += y`.",
)
UNSTEADY = Mistake(
    "not the same twice",
    "The same inputs gave two answers. Does the function draw random numbers, "
    "or use a variable from outside, or a default argument that it changes?",
)
DEAF = Mistake(
    "the same answer to different inputs",
    "Does the function use a variable from outside where its "
    "argument belongs, or remember an earlier call (a cache, a default argument that it changes)?",
)
QUESTION_ID = re.compile(r"a\d+\.q\d+")


def examine(question: Question, fn, cases: list, traceback: bool = False, call=call) -> Card:
    """Run fn on every case, and say on a card what was found. Problems of form come before wrong values.

    `call(fn, args, observe) -> Called` runs fn: here, or, where nobody trusts it, in another process.
    """

    def ask(args):
        return call(fn, args, question.observe)

    if not callable(fn):
        return _card(
            question,
            "failed",
            f"check() wants your function itself, without brackets: "
            f'check("{question.id}", my_function). It got a {type(fn).__name__}.',
        )
    if complaint := _signature_complaint(question, fn):
        return _card(question, "failed", complaint)
    seen, problems = [], []
    for case in cases:
        called = ask(case.args)
        if (
            called.error
            and called.error.kind == "NotImplementedError"
            and (card := _not_yet(question, called.error.text))
        ):
            return card
        if called.error is not None:
            return _raised(question, case, called, traceback)
        outputs = read_outputs(question, called.value)
        problem = outputs if isinstance(outputs, Problem) else judge(question, case, outputs)
        if problem and problem.kind in ("type", "shape"):
            if isinstance(outputs, Problem):
                return _refused(question, case, called, problem, None, None)
            return _refused(question, case, called, problem, recognise(question, [(case, outputs, False)]), outputs)
        if called.changed:
            message = f"Your function changed its input {', '.join(called.changed)}."
            return _refused(question, case, called, Problem("changed", message), CHANGED, None)
        seen.append((case, outputs, problem is None))
        if problem:
            problems.append((case, called, outputs, problem))
    if unsteady := _unsteady(question, ask, *seen[0]):
        return unsteady
    if not problems:
        return _card(question, "passed", f"Right on all {len(cases)} instances.")
    case, called, outputs, problem = problems[0]
    more = f"Wrong on {len(problems)} of {len(cases)} instances; this is the smallest of them. {problem.message}"
    return _refused(
        question,
        case,
        called,
        Problem(problem.kind, more, problem.mistake, problem.hint),
        recognise(question, seen) or _deaf(question, ask, seen),
        outputs,
    )


def _signature_complaint(question: Question, fn) -> str | None:
    """A sentence if fn cannot be called with the question's arguments in their order."""
    try:
        signature = inspect.signature(fn)
    except (ValueError, TypeError):  # a builtin without a signature: just try it
        return None
    wanted = question.arguments
    names = [name for name, p in signature.parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    try:
        signature.bind(*wanted)
        in_order = all(a == b for a, b in zip(names, wanted, strict=False) if {a, b} <= set(wanted))
    except TypeError:
        in_order = False
    if in_order:
        return None
    return (
        f"Your function should take the arguments ({', '.join(wanted)}) in this order; "
        f"yours is {getattr(fn, '__name__', 'it')}{_plain(signature)}."
    )


def _plain(signature: inspect.Signature) -> inspect.Signature:
    """Without annotations and defaults, which can be long or fail to print."""
    return inspect.Signature([p.replace(annotation=p.empty, default=p.empty) for p in signature.parameters.values()])


def _unsteady(question, ask, case, outputs, _) -> Card | None:
    """A card if a second call on the same inputs answers differently."""
    called = ask(case.args)
    if _repeats(question, called, outputs, **tolerance(question, case, outputs)):
        return None
    message = "Called twice with the same inputs, your function gave two different answers."
    return _refused(question, case, called, Problem("unsteady", message), UNSTEADY, None)


def _deaf(question, ask, seen) -> Mistake | None:
    """DEAF if most is wrong, and on the largest ordinary instance the same comes out when other numbers go in.

    Twice, for what is only compared with a threshold may well stay on its side of it once.
    """
    wrong = [x for x in seen if not x[2]]
    plain = [
        (case, outputs) for case, outputs, _ in wrong if not case.note and all(np.isfinite(x).all() for x in outputs)
    ]
    if not plain or 2 * len(wrong) <= len(seen):
        return None
    case, outputs = plain[-1]
    for change in (lambda x: x / 2 + 0.1, lambda x: x + 1):
        is_number = {k: isinstance(x, np.ndarray) and x.dtype.kind == "f" for k, x in case.args.items()}
        other = {k: change(x) if is_number[k] else x for k, x in case.args.items()}
        if not _repeats(question, ask(other), outputs, 0, 0):
            return None
    return DEAF


def _repeats(question, called: Called, outputs, rtol, atol) -> bool:
    """Whether a call gave these outputs (once more)."""
    again = None if called.error is not None else read_outputs(question, called.value)
    return isinstance(again, tuple) and same(outputs, again, rtol, atol)


def _not_yet(question: Question, said: str) -> Card | None:
    """A card for the stub's NotImplementedError; None for one that comes from elsewhere."""
    if said in ("", question.id):
        return _card(question, "not yet", "Write your solution in the cell above, then run this cell again.")
    if QUESTION_ID.fullmatch(said):
        return _card(question, "not yet", f"This one uses your answer to {said}: finish {said} first.")


def _raised(question: Question, case: Case, called: Called, traceback: bool) -> Card:
    error = called.error
    said = f"{error.kind}: {error.text}".rstrip(": .")
    rows = [_instance(question, case), *_printed(called)]
    if error.where:
        rows.insert(0, Row((Block(error.where, error.line or "(its source is not at hand)"),)))
    if traceback:
        rows.append(Row((Block("traceback", error.traceback),)))
    more = "" if traceback else f' For the whole traceback: check("{question.id}", …, traceback=True).'
    return _card(question, "failed", f"Your function stopped with {said}.{more}", rows)


def _refused(question, case, called, problem: Problem, mistake: Mistake | None, outputs) -> Card:
    name, hint = (mistake.name, mistake.hint) if mistake else (problem.mistake, problem.hint)
    rows = [_instance(question, case)]
    for output, got, want in zip(question.outputs, outputs or (), expected_outputs(case), strict=False):
        rows.append(Row((Block(f"{output}: yours", show_value(got)), Block(f"{output}: expected", show_value(want)))))
    return _card(question, "failed", problem.message, rows + _printed(called), name, hint)


def _instance(question: Question, case: Case) -> Row:
    blocks = [
        Block(f"{name} {x.shape}" if isinstance(x, np.ndarray) else name, show_value(x))
        for name, x in case.args.items()
    ]
    return Row(tuple(blocks), "Instance" + (f" ({case.note})" if case.note else ""))


def _printed(called: Called) -> list:
    return [Row((Block("your function printed", called.printed[:600]),))] if called.printed else []


def _card(question, status, message, rows=(), mistake=None, hint=None) -> Card:
    footer = "" if status == "not yet" else MORE
    return Card(question.id, question.title, status, message, tuple(rows), mistake, hint, footer)
