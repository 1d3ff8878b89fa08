"""a2.q2: The partition function from batches of several samplers."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np

from course_utils.checks.a2.estimators import (
    alike,
    changed,
    demonstrations_apart,
    equal,
    fused,
    in_batches,
    mean_of_logs,
    mixture,
    of_batches,
    of_weights,
    own,
    per_sample,
    q2,
    results,
    sizes,
    without_demonstrations,
)
from course_utils.checks.common import ALMOST, HUGE, OVERFLOW, TRUNCATED, WHOLE, distributions, rewards
from course_utils.checks.core import Case, Mistake, Output, Question

NEVER = "log q = −inf: what one sampler never does, another may do"


def estimate(R, log_q, counts, share):
    """log Ẑ, the weights and 1/Σw², by the definition in 60 digits: a Decimal neither overflows nor vanishes."""
    with localcontext(prec=60, Emax=10**9, Emin=-(10**9)):
        exact = np.vectorize(lambda x: Decimal(float(x)), otypes=[object])
        q = np.vectorize(lambda x: x.exp(), otypes=[object])(exact(log_q))
        μ = exact(share) @ q
        β = exact(share) / exact(counts)
        terms = [
            β[k] * R_j.exp() / μ_j
            for k, R_j, μ_j in zip(np.repeat(np.arange(len(counts)), counts), exact(R), μ, strict=True)
        ]
        Z = sum(terms)
        w = [term / Z for term in terms]
        return float(Z.ln()), np.array(w, dtype=float), float(1 / sum(x * x for x in w))


def instance(R, log_q, counts, share, note=""):
    args = dict(R=R, log_q=log_q, counts=counts, share=share)
    return Case(args, estimate(**args), note)


def cases(rng):
    def batches(*counts):
        """Samples with random log densities; each is likely under the sampler that drew it."""
        K, N = len(counts), sum(counts)
        own = np.repeat(np.arange(K), counts) == np.arange(K)[:, None]
        log_q = rng.uniform(-6, -2, (K, N)) + own * rng.uniform(0, 2, (K, N))
        return [rewards(rng, N), log_q.round(2), np.array(counts), distributions(rng, K, least=4)]

    cases = [
        instance(*batches(*counts))
        for counts in [(1, 2), (3, 1), (2, 4), (1, 3, 2), (4, 2, 1), (2, 5, 3), (6, 1, 3, 2), (3, 9), (2, 3, 1, 4, 2)]
    ]
    R, log_q, counts, share = batches(2, 3, 1)
    never = log_q.copy()
    never[[0, 1, 2], [3, 0, 1]] = -np.inf
    whole = rng.integers(-2, 3, size=6), rng.integers(-6, -1, size=(3, 6))
    cases += [
        instance(R, never, counts, share, NEVER),
        instance(*whole, counts, share, f"{WHOLE} in R and log_q"),
        instance(R + 1000, log_q, counts, share, f"{HUGE}: near 1000"),
        instance(R - 1000, log_q, counts, share, f"{HUGE}: near -1000"),
        instance(R, log_q - 2000, counts, share, f"{HUGE}, or rather tiny densities: long sessions"),
    ]
    return cases


# What goes wrong, from the most to the least specific: another density μ, another factor β of a batch, or other
# results from the logs of the terms.

ESS = "The effective sample size is 1/Σ w̄², from weights that sum to one: N if all are equal, 1 if one has everything."
MISTAKES = (
    ALMOST,
    TRUNCATED,
    OVERFLOW,
    Mistake(
        "log q = −inf",
        "Only the instance with densities of zero is wrong. e^−inf = 0 is as it should be: let it be, and take the "
        "largest log q of each session out of the sum, not that of a certain sampler.",
        when=lambda case, outputs: case.note == NEVER,
    ),
    Mistake(
        "own density only",
        "You divide each sample by the density of the sampler that drew it. That is right on average, and ruled by a "
        "few huge weights: any sampler may have drawn it. Divide by the mixture μ.",
        (q2(own), q2(own, alike), q2(own, lambda x: of_batches(1 / x.counts, x))),
    ),
    Mistake(
        "one sampler only",
        "Which samplers may a sample have come from? All of them count in μ.",
        tuple(q2(lambda x, k=k: x.log_q[k], f) for k in (0, -1) for f in (per_sample, alike)),
    ),
    Mistake(
        "demonstrations not in the mixture",
        "The demonstrations are samples too, so their density belongs to μ like the others. Weigh them otherwise, and "
        "log Z can be far too large; and the effective sample size does not tell.",
        (
            q2(without_demonstrations),
            q2(without_demonstrations, alike),
            q2(lambda x: mixture(x.log_q[:-1], x.share[:-1])),
            q2(demonstrations_apart(without_demonstrations)),
            q2(demonstrations_apart(without_demonstrations), alike),
            q2(demonstrations_apart(fused)),
            q2(demonstrations_apart(fused), alike),
        ),
    ),
    Mistake(
        "shares taken from the sizes",
        "The share of a sampler in μ is share[k]; how many samples it drew, counts[k], is another matter.",
        (q2(sizes), q2(sizes, alike), q2(lambda x: mixture(x.log_q, x.counts), alike)),
    ),
    Mistake(
        "equal shares",
        "The samplers do not count alike in μ: sampler k has the share share[k].",
        (q2(equal), q2(equal, alike), q2(equal, lambda x: of_batches(1 / x.counts / len(x.counts), x))),
    ),
    Mistake(
        "densities added up",
        "μ is a density: a mixture, Σ_κ share_κ q_κ, and not the sum of the q_κ.",
        tuple(
            q2(lambda x: np.logaddexp.reduce(x.log_q, axis=0), f)
            for f in (per_sample, alike, lambda x: np.ones(len(x.R)))
        ),
    ),
    Mistake(
        "share without its logarithm",
        "In the logarithm a factor becomes a summand, log(c q) = log c + log q: the *log* of the share is added to log "
        "q, and the log of β to the other logs.",
        (
            q2(lambda x: np.logaddexp.reduce(x.log_q + x.share[:, None], axis=0)),
            q2(lambda x: np.logaddexp.reduce(x.log_q * x.share[:, None], axis=0)),
            q2(factor=lambda x: np.exp(per_sample(x))),
        ),
    ),
    Mistake(
        "geometric mean",
        "A mixture averages the densities. You average their logarithms.",
        (
            q2(lambda x: x.share @ x.log_q),
            q2(lambda x: x.share @ x.log_q, alike),
            q2(lambda x: x.log_q.mean(0)),
            q2(lambda x: x.log_q.mean(0), alike),
            q2(lambda x: x.counts / x.counts.sum() @ x.log_q, alike),
        ),
    ),
    Mistake(
        "mean of 1/q",
        "First the mean of the densities, then one over it: 1/μ is not the mean of the 1/q.",
        tuple(
            q2(lambda x, c=c: -mixture(-x.log_q, c(x)), f)
            for c in (lambda x: x.share, lambda x: np.full(len(x.counts), 1 / len(x.counts)))
            for f in (per_sample, alike)
        ),
    ),
    Mistake(
        "every sample alike",
        "A mean over all N samples is right if the batches are as large as their shares say. Here they are not: a "
        "batch with many samples must not count more for it. What is the expectation of your estimate?",
        q2(factor=alike),
    ),
    Mistake(
        "sum, not mean",
        "Twice as many samples give twice your Z. In each batch a mean must be taken: divide by its size.",
        (
            q2(factor=lambda x: np.ones(len(x.R))),
            q2(factor=lambda x: of_batches(x.share, x)),
            q2(factor=lambda x: of_batches(x.share / x.counts * len(x.R), x)),
        ),
    ),
    Mistake(
        "divided by N",
        "A sampler's share is divided among the n_κ sessions that *it* drew, and then the terms are added up: N does "
        "not occur.",
        (
            q2(factor=lambda x: of_batches(x.share / len(x.R), x)),
            q2(factor=lambda x: of_batches(x.share / x.counts / len(x.R), x)),
        ),
    ),
    Mistake(
        "share missing from the factor",
        "You take the mean of each batch, and then add up or average the batches as if they had equal shares. "
        "What is the expectation of your estimate?",
        (
            q2(factor=lambda x: of_batches(1 / x.counts, x)),
            q2(factor=lambda x: of_batches(1 / x.counts / len(x.counts), x)),
        ),
    ),
    Mistake(
        "factor upside down",
        "A batch of many samples needs a *smaller* factor for each of them: share/count.",
        (
            q2(factor=lambda x: of_batches(x.counts / x.share, x)),
            q2(factor=lambda x: of_batches(x.counts * x.share, x)),
            q2(factor=lambda x: of_batches(x.counts * x.share / len(x.R), x)),
            q2(factor=lambda x: of_batches(1 / x.share, x)),
            q2(factor=lambda x: of_batches(1 / x.share / len(x.R), x)),
            q2(factor=lambda x: of_batches(1 / x.share / x.counts, x)),
        ),
    ),
    Mistake(
        "batches mixed up",
        "The columns come batch by batch: counts[0] of the first sampler, then counts[1] of the second, …: "
        "np.repeat, not np.tile.",
        q2(factor=lambda x: np.resize(x.share / x.counts, len(x.R))),
    ),
    Mistake(
        "factor missing from the weights",
        "log Z is right. The weights are the terms of the same sum, each divided by the sum: the factor of the batch "
        "belongs to them too.",
        (
            changed(lambda log_Z, w, ess, x: (log_Z, *of_weights(w / per_sample(x) / (w / per_sample(x)).sum()))),
            changed(lambda log_Z, w, ess, x: (log_Z, w / per_sample(x) / (w / per_sample(x)).sum(), ess)),
        ),
    ),
    Mistake(
        "factor missing from log Z",
        "The weights are right. Ẑ is the sum of the same terms, factors of the batches included.",
        tuple(
            changed(lambda log_Z, w, ess, x, f=f: (q2(factor=f)(**vars(x))[0], w, ess))
            for f in (alike, lambda x: np.ones(len(x.R)), lambda x: of_batches(1 / x.counts, x))
        ),
    ),
    Mistake(
        "mean of the logarithms",
        "log Z is the log of a mean. The mean of the logs is smaller (Jensen): it is the bound that variational "
        "methods use.",
        tuple(mean_of_logs(density, factor) for density in (fused, own) for factor in (alike, per_sample)),
    ),
    Mistake(
        "density ignored",
        "Sessions that the samplers like are over-represented: each sample is divided by μ(τ).",
        tuple(q2(lambda x: 0 * x.R, f) for f in (per_sample, alike, lambda x: np.ones(len(x.R)))),
    ),
    Mistake(
        "multiplied by the density",
        "An importance weight is target over sampler, e^R/μ: log μ is subtracted.",
        (q2(lambda x: -fused(x)), q2(lambda x: -fused(x), alike)),
    ),
    Mistake(
        "wrong sign of R",
        "R is a reward, not a cost: p(τ) ∝ e^{R(τ)}.",
        (q2(R=lambda x: -x.R), q2(R=lambda x: -x.R, factor=alike)),
    ),
    Mistake(
        "wrong sign of log Z",
        "Return log Z, not −log Z.",
        changed(lambda log_Z, w, ess, x: (-log_Z, w, ess)),
    ),
    Mistake(
        "Z, not log Z",
        "Return the logarithm. Better: never leave it.",
        changed(lambda log_Z, w, ess, x: (np.exp(log_Z), w, ess)),
    ),
    Mistake(
        "weights not normalised",
        "The weights sum to one: divide by their sum.",
        (
            changed(lambda log_Z, w, ess, x: (log_Z, w * np.exp(log_Z), ess)),
            changed(lambda log_Z, w, ess, x: (log_Z, *of_weights(w * np.exp(log_Z)))),
            changed(lambda log_Z, w, ess, x: (log_Z, w / w.max(), ess)),
            changed(lambda log_Z, w, ess, x: (log_Z, w * len(w), ess)),
            changed(lambda log_Z, w, ess, x: (log_Z, *of_weights(w * len(w)))),
            changed(lambda log_Z, w, ess, x: (log_Z, *of_weights(w / w.max()))),
            changed(lambda log_Z, w, ess, x: (log_Z, w * np.exp(log_Z) / per_sample(x), ess)),
        ),
    ),
    Mistake(
        "normalised in each batch",
        "The terms of all batches are divided by one number, Ẑ, and not batch by batch by a sum of their own.",
        tuple(
            q2(finish=lambda terms, x, f=f: (results(terms, x)[0], *of_weights(f(x) * in_batches(terms, x))))
            for f in (
                lambda x: 1.0,
                lambda x: of_batches(x.share, x),
                lambda x: 1 / len(x.counts),
                lambda x: of_batches(x.counts / len(x.R), x),
            )
        ),
    ),
    Mistake(
        "logs of the weights",
        "Return the weights, not their logarithms.",
        (
            changed(lambda log_Z, w, ess, x: (log_Z, np.log(w), ess)),
            q2(finish=lambda terms, x: (results(terms, x)[0], terms, results(terms, x)[2])),
        ),
    ),
    Mistake(
        "effective sample size as a fraction",
        f"{ESS} You divide by N once more.",
        changed(lambda log_Z, w, ess, x: (log_Z, w, ess / len(w))),
    ),
    Mistake(
        "effective sample size from other weights",
        f"{ESS} The weights are w̄, with the factors of the batches in them.",
        (
            changed(lambda log_Z, w, ess, x: (log_Z, w, of_weights(w * np.exp(log_Z))[1])),
            changed(lambda log_Z, w, ess, x: (log_Z, w, of_weights(w / per_sample(x) / (w / per_sample(x)).sum())[1])),
        ),
    ),
    Mistake(
        "effective sample size by another formula",
        ESS,
        (
            changed(lambda log_Z, w, ess, x: (log_Z, w, 1 / ess)),
            changed(lambda log_Z, w, ess, x: (log_Z, w, 1 / w.max())),
            changed(lambda log_Z, w, ess, x: (log_Z, w, 1 / w.sum() ** 2)),
            changed(lambda log_Z, w, ess, x: (log_Z, w, 1 / (w**2).mean())),
            changed(lambda log_Z, w, ess, x: (log_Z, w, len(w) * (w**2).sum())),
            changed(lambda log_Z, w, ess, x: (log_Z, w, np.sqrt(ess))),
            changed(lambda log_Z, w, ess, x: (log_Z, w, np.exp(-(w * np.log(np.maximum(w, 1e-300))).sum()))),
        ),
    ),
)

QUESTION = Question(
    "a2.q2",
    "log Z from batches of several samplers",
    "Estimate a partition function without bias from policies' batches and demonstrations, with shares of your choice.",
    difficulty=2,
    minutes=30,
    points=3,
    arguments=("R", "log_q", "counts", "share"),
    outputs=(Output("log Z"), Output("w", "j"), Output("ess")),
    cases=cases,
    mistakes=MISTAKES,
)
