"""Estimates of log Z as in a2.q2, with another density, another factor or another outcome: its known mistakes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np


def of_batches(per_batch, x):
    """One number for each batch, repeated for each of its samples."""
    return np.repeat(np.asarray(per_batch, dtype=float), x.counts)


def mixture(log_q, share):
    with np.errstate(divide="ignore"):
        return np.logaddexp.reduce(log_q + np.log(share)[:, None], axis=0)


def fused(x):
    return mixture(x.log_q, x.share)


def own(x):
    return x.log_q[np.repeat(np.arange(len(x.counts)), x.counts), np.arange(len(x.R))]


def per_sample(x):
    return of_batches(x.share / x.counts, x)


def alike(x):
    return np.full(len(x.R), 1 / len(x.R))


def results(terms, x):
    log_Z = np.logaddexp.reduce(terms)
    return log_Z, *of_weights(np.exp(terms - log_Z))


def of_weights(w):
    return w, 1 / (w**2).sum()


def q2(density=fused, factor=per_sample, R=lambda x: x.R, finish=results):
    def gives(**args):
        x = SimpleNamespace(**args)
        with np.errstate(divide="ignore"):
            return finish(np.log(factor(x)) + R(x) - density(x), x)

    return gives


def changed(f, **more):
    """The right results, changed by f(log_Z, w, ess, x)."""
    return q2(finish=lambda terms, x: f(*results(terms, x), x), **more)


def mean_of_logs(density, factor=alike):
    """Averages where the log of an average belongs."""

    def gives(**args):
        x = SimpleNamespace(**args)
        log_Z, w, ess = q2(density, factor)(**args)
        return (factor(x) * (x.R - density(x))).sum(), w, ess

    return gives


def without_demonstrations(x):
    left = x.share[:-1] / x.share[:-1].sum()
    return mixture(x.log_q[:-1], left)


def in_batches(terms, x):
    """Weights that sum to one in every batch."""
    parts = np.split(terms, np.cumsum(x.counts)[:-1])
    return np.concatenate([np.exp(part - np.logaddexp.reduce(part)) for part in parts])


def demonstrations_apart(policies):
    """The classic bug: policies' samples fused among themselves, demonstrations by their own density."""

    def density(x):
        return np.where(np.arange(len(x.R)) < len(x.R) - x.counts[-1], policies(x), own(x))

    return density


def sizes(x):
    return mixture(x.log_q, x.counts / x.counts.sum())


def equal(x):
    return mixture(x.log_q, np.full(len(x.counts), 1 / len(x.counts)))
