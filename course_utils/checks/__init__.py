"""Checks that a student calls: `check("a1.q2", soft_bellman)`.

A check runs a function on many random instances, compares it with an independent oracle, and names a mistake that it
recognises. It never shows a solution, and it is not the grading: more tests run there.
"""

from __future__ import annotations

from contextlib import contextmanager
from difflib import get_close_matches

import numpy as np

from course_utils import progress
from course_utils.checks import a1, a2, a3, a6, warmup
from course_utils.checks.card import Card
from course_utils.checks.core import Case, Mistake, Output, Question
from course_utils.checks.runner import examine

__all__ = ["Card", "Case", "Mistake", "Output", "Question", "check", "make_cases", "questions", "unfinished_ok"]

ASSIGNMENTS = (warmup, a1, a2, a3, a6)


def questions() -> dict:
    """All questions by id, in the order in which they are set."""
    return {question.id: question for module in ASSIGNMENTS for question in module.QUESTIONS}


def make_cases(question: Question, seed: int = 0) -> list:
    """The instances of a question's check: always the same for one id and seed."""
    with np.errstate(all="ignore"):  # a notebook may have set np.seterr(all="raise")
        return question.cases(np.random.default_rng([seed, *question.id.encode()]))


def check(question_id: str, fn, *, traceback: bool = False, seed: int = 0) -> Card:
    """Check an answer, log the outcome (see `course progress`) and return a card that says what was found.

    Raises ValueError for an unknown question id.
    """
    known = questions()
    if question_id not in known:
        close = get_close_matches(str(question_id), known, n=1, cutoff=0)
        raise ValueError(
            f"there is no question {question_id!r}; did you mean {close[0]!r}? Known are {', '.join(known)}."
        )
    with np.errstate(all="ignore"):
        card = examine(known[question_id], fn, make_cases(known[question_id], seed), traceback)
    progress.record(card.question, card.status, card.mistake)
    return card


@contextmanager
def unfinished_ok():
    """For a cell that uses a student's functions: one that is not written yet ends the cell with a friendly line."""
    try:
        yield
    except NotImplementedError as error:
        print(
            f"Not yet: finish {error} first, then run this cell again."
            if str(error) in questions()
            else f"Not yet: {error or 'something here is not written'}."
        )
