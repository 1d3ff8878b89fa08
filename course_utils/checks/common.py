"""What several questions share: random pieces of a world, and the mistakes that only numerics bring out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from course_utils.checks.core import Mistake, expected_outputs, same

# Notes that mark a kind of instance.
HUGE, WHOLE = "huge rewards", "whole numbers"


def almost(case, outputs):
    return same(outputs, expected_outputs(case), rtol=1e-3, atol=1e-3)


ALMOST = Mistake(
    "almost right",
    "Right to three digits and not to six: an approximation. Is something computed in float32 (torch's "
    "default), is a small number added to be on the safe side, or a derivative taken by differences? Compute in "
    "float64, by the formula.",
    when=almost,
)
OVERFLOW = Mistake(
    "exp overflow",
    "Only the instances with huge rewards are wrong: e^1000 is inf and e^−1000 is 0 in floating point. "
    "Never leave the logarithm: scipy.special.logsumexp, or subtract the maximum first (in every state its own).",
    when=lambda case, outputs: case.note.startswith(HUGE),
)
TRUNCATED = Mistake(
    "whole numbers",
    "Only the instance with integer arrays is wrong: an array made by np.zeros_like(x), x.copy() or "
    "np.full_like of integers holds integers, and cuts the decimals off what you write into it. Use np.zeros(shape).",
    when=lambda case, outputs: case.note.startswith(WHOLE),
)


SATURATED = replace(
    OVERFLOW,
    hint="Only the instances with huge numbers are wrong: e^1000 is inf, e^−1000 is 0, and the log of 0 is −inf. Work "
    "with the logit: scipy.special.expit gives σ, scipy.special.log_expit log σ without leaving the logarithm, "
    "log(1 − σ(x)) is log σ(−x), and scipy.special.log_softmax is the log of a softmax.",
)


# Everything is rounded, so that what a card prints is exact and can be pasted.


def rewards(rng, *shape):
    return rng.uniform(-2, 2, shape).round(2)


def distributions(rng, *shape, least=1):
    """Distributions over the last axis in steps of 1/40; every probability at least least/40."""
    n = shape[-1]
    counts = rng.multinomial(40 - least * n, rng.dirichlet(np.full(n, 0.5), shape[:-1]))
    return (counts + least) / 40


def certain(rng, *shape):
    """Distributions over the last axis, all on one outcome, as whole numbers."""
    return np.eye(shape[-1], dtype=int)[rng.integers(shape[-1], size=shape[:-1])]


def gaps(rng, probabilities):
    """The same distributions with some outcomes made impossible (never all of a row)."""
    p = probabilities * (rng.random(probabilities.shape) < 0.5)
    p = np.where(p.sum(-1, keepdims=True) > 0, p, probabilities)
    return p / p.sum(-1, keepdims=True)
