"""a1.q2: Soft Bellman with a reference policy."""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from course_utils.checks import oracles
from course_utils.checks.common import (
    ALMOST,
    HUGE,
    OVERFLOW,
    TRUNCATED,
    WHOLE,
    almost,
    certain,
    distributions,
    gaps,
    rewards,
)
from course_utils.checks.core import Case, Mistake, Output, Question

FORBIDDEN = "forbidden actions"


def instance(P, r, ref, horizon, note=""):
    return Case(dict(P=P, r=r, ref=ref, horizon=horizon), q2()(P, r, ref, horizon), note)


def cases(rng):
    def world(S, A):
        return distributions(rng, S, A, S), rewards(rng, S, A), distributions(rng, S, A, least=2)

    cases = [
        instance(*world(S, A), H)
        for S, A, H in [(2, 2, 1), (2, 2, 2), (2, 3, 2), (3, 2, 3), (3, 3, 3), (3, 4, 4), (4, 3, 5), (5, 4, 6)]
    ]
    P, r, ref = world(3, 3)
    level = 1000 * rng.permutation([-1, 0, 1])[:, None]
    blind = np.repeat(P[:, :1], 3, axis=1)  # no action leads elsewhere, so each row of Q stays in range
    some = gaps(rng, ref)
    cases += [
        instance(gaps(rng, P), r, ref, 3, "some moves are impossible"),
        instance(P, r + 40 * (some == 0), some, 3, f"{FORBIDDEN} that are tempting"),
        instance(P, r + 1000 * (some == 0), some, 3, f"{HUGE} for {FORBIDDEN}"),
        instance(certain(rng, 3, 3, 3), rng.integers(-2, 3, size=(3, 3)), ref, 3, f"{WHOLE} in P and r"),
        instance(P, r + 1000, ref, 3, f"{HUGE}: near 1000"),
        instance(P, r - 1000, ref, 3, f"{HUGE}: near -1000"),
        instance(blind, r + level, ref, 3, f"{HUGE}, different in each state"),
    ]
    return cases


def q2(best=oracles.best_response, ahead=oracles.expectation, after=lambda V, π: (V, π), **change):
    """The oracle, or something wrong: another best(q, ref) of a state, value ahead, outcome, or argument."""

    def gives(P, r, ref, horizon):
        x = dict(P=P, r=r, ref=ref, horizon=horizon)
        W, policies = oracles.plan(**(x | {k: f(x) for k, f in change.items()}), best=best, ahead=ahead)
        return after(np.array(W[::-1]), np.array(policies[:0:-1]))

    return gives


# What goes wrong, from the most to the least specific, recomputed from the slow oracles.


def by(wrong):
    """A wrong `best`, from q, ref and the right value and policy: with the reference (v, p), without (v0, p0)."""

    def best(q, ref):
        return wrong(q, ref, *oracles.best_response(q, ref), *oracles.best_response(q, np.ones(q.shape[-1])))

    return best


def greedy(q):
    return q.max(-1), np.eye(q.shape[-1])[q.argmax(-1)]


def with_log(q, ref):
    with np.errstate(divide="ignore"):
        return q + np.log(ref)


def own_value_ahead(P, r, ref, horizon):
    """π_t from V_t where V_{t+1} belongs."""
    V, _ = q2()(P, r, ref, horizon)
    return V, oracles.best_response(r + oracles.expectation(P, V[:-1]), ref)[1]


def own_value_ahead_unnormalised(P, r, ref, horizon):
    V, _ = q2()(P, r, ref, horizon)
    return V, ref * np.exp(r + oracles.expectation(P, V[:-1]) - V[:-1, :, None])


def over(*axes):
    """π normalised over other axes than the actions."""

    def gives(P, r, ref, horizon):
        V, _ = q2()(P, r, ref, horizon)
        weight = with_log(r + oracles.expectation(P, V[1:]), ref)
        π = np.exp(weight - weight.max(axes, keepdims=True))
        return V, π / π.sum(axes, keepdims=True)

    return gives


def ones(x):
    return np.ones(x["r"].shape)


MISTAKES = (
    ALMOST,
    TRUNCATED,
    Mistake(
        "forbidden actions",
        "Only instances where ref is 0 for some actions are wrong. There log ref = −inf, and e^−inf = 0 is the right "
        "answer: let it be, add log ref to Q before anything is exponentiated, and never multiply 0 by inf.",
        when=lambda case, outputs: FORBIDDEN in case.note or almost(case, outputs),
    ),
    OVERFLOW,
    Mistake(
        "log E e^V",
        "Who picks s'? You add the next states up as if the agent could choose among them. It chooses a, "
        "the world draws s': take the expectation of V, not of e^V (Ziebart 2010 against 2008).",
        q2(ahead=oracles.optimist),
    ),
    Mistake(
        "stationary policy",
        "What is the horizon? The best policy depends on the number of actions still to go: π[t] must be "
        "computed from V[t+1], for every t anew.",
        tuple(
            q2(after=f)
            for f in (
                lambda V, π: (V, np.repeat(π[:1], len(π), 0)),
                lambda V, π: (V, np.repeat(π[-1:], len(π), 0)),
                lambda V, π: (V, π[0]),
                lambda V, π: (V[0], π[0]),
            )
        ),
    ),
    Mistake(
        "time reversed",
        "V[t] is what can still be had from time t on, so V[H] = 0 comes last. You index by the number of "
        "actions still to go.",
        tuple(
            q2(after=f) for f in (lambda V, π: (V[::-1], π[::-1]), lambda V, π: (V[::-1], π), lambda V, π: (V, π[::-1]))
        ),
    ),
    Mistake(
        "reference ignored",
        "This is the plain entropy bonus. Where does ref(a|s) enter −log(π/ref)?",
        (
            q2(ref=ones),
            q2(ref=lambda x: np.full(x["r"].shape, 1 / x["r"].shape[1])),
            q2(ahead=oracles.optimist, ref=ones),
            q2(P=lambda x: x["P"].swapaxes(0, 2), ref=ones),
            q2(after=lambda V, π: (V[::-1], π[::-1]), ref=ones),
        ),
    ),
    Mistake(
        "reference in V but not in π",
        "V counts the reference and π does not. Each row of π must sum to one: which terms does e^V add up?",
        (
            q2(by(lambda q, ref, v, p, v0, p0: (v, p0))),
            q2(by(lambda q, ref, v, p, v0, p0: (v, np.exp(q - v[..., None])))),
        ),
    ),
    Mistake(
        "reference in π but not in V",
        "π counts the reference and V does not. e^V is the normaliser of π: what must be summed?",
        (
            q2(by(lambda q, ref, v, p, v0, p0: (v0, p))),
            q2(by(lambda q, ref, v, p, v0, p0: (v0, ref * p0))),
            q2(by(lambda q, ref, v, p, v0, p0: ((p * q - xlogy(p, p)).sum(-1), p))),
        ),
    ),
    Mistake(
        "divided by the reference",
        "The sign of log ref: −log(π/ref) = −log π + log ref.",
        q2(ref=lambda x: np.where(x["ref"] > 0, 1 / np.maximum(x["ref"], 1e-9), 0)),
    ),
    Mistake(
        "log of the reference missing",
        "It is log ref(a|s) that adds to the reward: ref(a|s) itself neither adds nor multiplies.",
        tuple(
            q2(lambda q, ref, f=f: oracles.best_response(f(q, ref), np.ones(ref.shape))) for f in (np.add, np.multiply)
        ),
    ),
    Mistake(
        "reference counted twice",
        "log ref is in Q already (or in the normaliser): π must not be multiplied by ref once more.",
        (
            q2(by(lambda q, ref, v, p, v0, p0: (v, ref * p / (ref * p).sum(-1, keepdims=True)))),
            q2(by(lambda q, ref, v, p, v0, p0: (v, ref * p))),
            q2(
                lambda q, ref: tuple(
                    np.subtract(x, y)
                    for x, y in zip(
                        oracles.best_response(q, ref**2 / (ref**2).sum(-1, keepdims=True)),
                        (-np.log((ref**2).sum(-1)), 0),
                        strict=True,
                    )
                )
            ),
        ),
    ),
    Mistake(
        "KL missing from V",
        "The policy is soft, but its value is E[Q] alone. V also pays −KL(π‖ref).",
        q2(by(lambda q, ref, v, p, v0, p0: ((p * q).sum(-1), p))),
    ),
    Mistake(
        "wrong sign of KL",
        "KL(π‖ref) is what the agent pays: V = E_π[Q] − KL(π‖ref).",
        q2(by(lambda q, ref, v, p, v0, p0: (2 * (p * q).sum(-1) - v, p))),
    ),
    Mistake(
        "KL the wrong way round",
        "The price is KL(π‖ref) = Σ π log(π/ref), an average over π. You average over ref.",
        q2(by(lambda q, ref, v, p, v0, p0: ((p * q).sum(-1) - (xlogy(ref, ref) - xlogy(ref, p)).sum(-1), p))),
    ),
    Mistake(
        "V averages over the reference",
        "E_ref[Q] is the value of following the reference. V is the *maximum* over π of "
        "E_π[Q] − KL(π‖ref): a log, a sum and an exp.",
        (
            q2(by(lambda q, ref, v, p, v0, p0: ((ref * q).sum(-1), p))),
            q2(by(lambda q, ref, v, p, v0, p0: ((ref * q).sum(-1), np.broadcast_to(ref, q.shape)))),
        ),
    ),
    Mistake(
        "hard max",
        "A maximum belongs to the agent without a KL term. What is the maximum over π of E_π[Q] − KL(π‖ref)?",
        (
            q2(lambda q, ref: greedy(q)),
            q2(lambda q, ref: greedy(with_log(q, ref))),
            q2(by(lambda q, ref, v, p, v0, p0: (q.max(-1), p))),
            q2(by(lambda q, ref, v, p, v0, p0: (np.where(ref > 0, q, -np.inf).max(-1), p))),
            q2(by(lambda q, ref, v, p, v0, p0: (with_log(q, ref).max(-1), p))),
        ),
    ),
    Mistake(
        "one step too many",
        "V[H] is 0: no action is left, so no reward either. H actions, H backups.",
        q2(after=lambda V, π: (V[:-1], π[:-1]), horizon=lambda x: x["horizon"] + 1),
    ),
    Mistake(
        "forward in time",
        "V[t] needs V[t+1]. Your loop goes upward, so V[t+1] is still empty when it is used: go down from H−1 to 0.",
        q2(after=lambda V, π: (np.vstack([np.repeat(V[-2:-1], len(π), 0), V[-1:]]), np.repeat(π[-1:], len(π), 0))),
    ),
    Mistake(
        "t = 0 left out",
        "V[0] and π[0] are still zero: range(H − 1, 0, -1) ends at 1. reversed(range(H)) does not.",
        q2(after=lambda V, π: (V * (np.arange(len(V)) > 0)[:, None], π * (np.arange(len(π)) > 0)[:, None, None])),
    ),
    Mistake("last row missing", "V has H + 1 rows: V[H] = 0 belongs to it.", q2(after=lambda V, π: (V[:-1], π))),
    Mistake(
        "π from V[t], not V[t+1]",
        "Q[t] = r + E V[t+1]: what the next state is worth *after* this action. Your π[t] uses V[t] there.",
        (own_value_ahead, own_value_ahead_unnormalised),
    ),
    Mistake(
        "P transposed",
        "The axes are P[s, a, s']: the sum runs over the last one.",
        q2(P=lambda x: x["P"].swapaxes(0, 2)),
    ),
    Mistake(
        "normalised over states",
        "In every state the *actions* compete: each row π[t, s, :] sums to one.",
        (over(1), over(1, 2)),
    ),
    Mistake("log π, not π", "Return the probabilities, not their logarithms.", q2(after=lambda V, π: (V, np.log(π)))),
)

QUESTION = Question(
    "a1.q2",
    "Soft Bellman with a reference policy",
    "Turn the soft Bellman equation from an entropy bonus to a KL penalty, in a stochastic world.",
    difficulty=2,
    minutes=25,
    points=3,
    arguments=("P", "r", "ref", "horizon"),
    outputs=(Output("V", "ts"), Output("π", "tsa")),
    cases=cases,
    mistakes=MISTAKES,
)
