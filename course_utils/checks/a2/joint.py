"""The joint loop of a2.q3 twice: by its two objectives, and in closed form with parts that can be replaced.

A session is given by its counts[s, a], how often it takes a in s.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from course_utils.checks import oracles


def sample(rng, next_state, policy, shape, horizon):
    """How often random sessions of a deterministic world take a in s: counts, an array of `shape` + (S, A)."""
    counts = np.zeros((*shape, *policy.shape), dtype=int)
    for i in np.ndindex(*shape):
        s = 0
        for _ in range(horizon):
            a = rng.choice(len(policy[s]), p=policy[s])
            counts[(*i, s, a)] += 1
            s = next_state[s, a]
    return counts


def dots(z, counts):
    """Σ_{s,a} z[…, sa] counts[j, s, a] for every session j, shape (…, B)."""
    return z @ counts.reshape(len(counts), -1).T


def log_policy(z, shape):
    """The log of a softmax over actions, for logits of shape (…, S·A)."""
    z = z.reshape(*z.shape[:-1], *shape)
    return (z - oracles.log_sum(z)[..., None]).reshape(*z.shape[:-2], -1)


def log_weights(log_density, counts, lq):
    """log of density/q, normalised over the sessions of a batch; log_density (…, S·A) is per state and action."""
    z = dots(log_density, counts) - lq
    return z - oracles.log_sum(z)[..., None]


def descend(demos, batches, log_q, θ, φ, η_θ, η_φ):
    """The loop by its two objectives: each is differentiated by a complex step."""

    def likelihood(θ, counts, lq):
        return dots(θ, demos).mean(-1) - oracles.log_sum(dots(θ, counts) - lq)

    def divergence(φ, θ, counts, lq):
        log_v = log_weights(log_policy(φ, shape), counts, lq)
        return (np.exp(log_v) * (log_v - log_weights(θ, counts, lq))).sum(-1)

    shape, θ, φ = θ.shape, np.ravel(θ), np.ravel(φ)
    for batch in zip(batches, log_q, strict=True):
        θ = θ + η_θ * oracles.complex_step(lambda z, batch=batch: likelihood(z, *batch), θ)
        φ = φ - η_φ * oracles.complex_step(lambda z, θ=θ, batch=batch: divergence(z, θ, *batch), φ)
    return θ.reshape(shape), φ.reshape(shape)


# The closed forms. x holds the arguments, the batch of the step (counts, lq), and what follows from θ and φ.


def normalised(z):
    return np.exp(z - oracles.log_total(z))


def model_weights(x):
    return normalised(x.R - x.lq)


def policy_weights(x):
    return normalised(x.log_π - x.lq)


def plain(x):
    return np.full(len(x.lq), 1 / len(x.lq))


def shown(x):
    return x.demos.mean(0)


def score(x):
    return x.counts - x.counts.sum(2, keepdims=True) * x.π


def gap(x):
    return x.log_π - x.R


def reward_up(weights=model_weights, demos=shown):
    """The direction in which θ goes."""
    return lambda x: demos(x) - np.tensordot(weights(x), x.counts, 1)


def policy_down(weights=policy_weights, bracket=gap, baseline=lambda v, g: v @ g, score=score):
    """The gradient that φ descends: Σ_j v_j (bracket_j − baseline) score_j."""

    def direction(x):
        v, g = weights(x), bracket(x)
        return np.tensordot(v * (g - baseline(v, g)), score(x), 1)

    return direction


def one_softmax(x):
    """The step of φ for a policy that is a softmax over all pairs (s, a)."""
    log_π = x.φ - oracles.log_total(x.φ.ravel())
    wide = SimpleNamespace(**vars(x) | {"log_π": dots(log_π.ravel(), x.counts)})
    wide_score = x.counts - x.counts.sum((1, 2), keepdims=True) * np.exp(log_π)
    return policy_down(score=lambda _: wide_score)(wide)


def over_states(x):
    """The step of φ for a softmax over the states."""
    log_π = x.φ - oracles.log_sum(x.φ.T)
    other = SimpleNamespace(**vars(x) | {"log_π": dots(log_π.ravel(), x.counts), "π": np.exp(log_π)})
    return policy_down()(other)


def logits_for_logs(x):
    """The step of φ that takes φ(s, a) for log π(a|s)."""
    return SimpleNamespace(**vars(x) | {"log_π": dots(x.φ.ravel(), x.counts)})


def at(x, θ, φ, k=None):
    """What a step sees: the batch k (or still the last one), and everything that follows from θ and φ on it."""
    if k is not None:
        x.counts, x.lq = x.batches[k], x.log_q[k]
    log_π = log_policy(np.ravel(φ), φ.shape)
    x.θ, x.φ, x.π = θ, φ, np.exp(log_π).reshape(φ.shape)
    x.R, x.log_π = dots(np.ravel(θ), x.counts), dots(log_π, x.counts)
    return x


RIGHT = reward_up(), policy_down()


def loop(up=RIGHT[0], down=RIGHT[1], fresh=True, batch=lambda k, n: k, after=lambda θ, φ: (θ, φ), **change):
    """The loop with other directions, another batch for step k of n, another outcome, or other arguments.

    fresh: whether the step of φ meets the new θ.
    """

    def gives(**args):
        x = SimpleNamespace(**(args | {name: f(args) for name, f in change.items()}))
        θ, φ = 1.0 * x.θ, 1.0 * x.φ
        for k in range(len(x.batches)):
            b = batch(k, len(x.batches))
            new = θ + x.η_θ * up(at(x, θ, φ, b))
            φ = φ - x.η_φ * down(at(x, new if fresh else θ, φ))
            θ = new
        return after(θ, φ)

    return gives
