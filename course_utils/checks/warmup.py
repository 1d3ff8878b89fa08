"""The warm-up question of the first notebook: it carries no points and shows what a check is."""

from math import exp, fsum, log

import numpy as np

from course_utils.checks.core import Case, Mistake, Output, Question


def cases(rng):
    """Vectors of 1 to 6 numbers, with ties, far apart, and far from 0."""
    vectors = [rng.normal(size=n) for n in (1, 2, 3, 4, 5, 6)]
    vectors += [np.full(3, rng.normal()), rng.normal(size=4) + 2000, rng.normal(size=4) - 2000]
    return [Case({"q": q}, _oracle(q)) for q in vectors]


def _oracle(q):
    """One term after another in the standard library's exact sum, shifted by the first number."""
    return q[0] + log(fsum(exp(x - q[0]) for x in q))


SOFT_MAXIMUM = Question(
    id="a0.q1",
    title="A soft maximum that cannot overflow",
    objective="compute log Σ e^q for numbers of any size",
    difficulty=1,
    minutes=5,
    points=0,
    arguments=("q",),
    outputs=(Output("value"),),
    cases=cases,
    mistakes=(
        Mistake(
            "exp overflows",
            "e^2000 is larger than any float, and e^−2000 is 0. Take the largest number out first: "
            "log Σ e^q = c + log Σ e^(q−c) for every c. Which c keeps every exponent ≤ 0?",
            gives=lambda q: np.log(np.exp(q).sum()),
        ),
        Mistake(
            "the maximum itself",
            "A soft maximum is larger than max q: every q has its share.",
            gives=lambda q: q.max(),
        ),
        Mistake(
            "the shift is not put back",
            "log Σ e^(q−c) is smaller than log Σ e^q by exactly c. What happened to c?",
            gives=lambda q: np.log(np.exp(q - q.max()).sum()),
        ),
        Mistake("mean, not sum", "Σ is a sum. A mean is smaller by log n.", gives=lambda q: _oracle(q) - log(len(q))),
    ),
)

QUESTIONS = (SOFT_MAXIMUM,)
