"""a1.q1: log Z by dynamic programming, with a terminal reward."""

from __future__ import annotations

import numpy as np

from course_utils.checks import oracles
from course_utils.checks.common import ALMOST, HUGE, OVERFLOW, TRUNCATED, WHOLE, rewards
from course_utils.checks.core import Case, Mistake, Output, Question


def instance(next_state, r, g, start, horizon, note=""):
    args = dict(next_state=next_state, r=r, g=g, start=start, horizon=horizon)
    return Case(args, q1()(**args), note)


def cases(rng):
    def world(S, A):
        return rng.integers(S, size=(S, A)), rewards(rng, S, A), rewards(rng, S), int(rng.integers(S))

    cases = [
        instance(*world(S, A), H)
        for S, A, H in [
            (2, 2, 1),
            (2, 2, 2),
            (2, 3, 2),
            (3, 2, 3),
            (3, 3, 3),
            (4, 3, 4),
            (5, 3, 5),
            (4, 4, 4),
            (6, 2, 6),
        ]
    ]
    next_state, r, g, start = world(3, 3)
    whole = rng.integers(-2, 3, size=(3, 3)), rng.integers(-2, 3, size=3)
    apart = rng.integers(2, size=(4, 3)) + np.array([0, 0, 2, 2])[:, None]  # two worlds side by side
    poor_and_rich = rewards(rng, 4, 3) + np.array([-1000, -1000, 1000, 1000])[:, None]
    cases += [
        instance(next_state, *whole, start, 3, WHOLE),
        instance(next_state, r + 1000, g, start, 3, f"{HUGE}: near 1000"),
        instance(next_state, r - 1000, g, start, 3, f"{HUGE}: near -1000"),
        instance(apart, poor_and_rich, rewards(rng, 4), 1, 3, f"{HUGE}, different in each state"),
    ]
    return cases


def q1(earns=lambda R, states, g: R + g[states[-1]], reduce=oracles.log_total, **change):
    """The oracle, or something wrong: what a session earns, how sessions are added up, or an argument."""

    def gives(**x):
        x = x | {k: f(x) for k, f in change.items()}
        g = x.pop("g")
        return reduce(earns(*oracles.sessions(**x), g))

    return gives


# What goes wrong, from the most to the least specific, recomputed from the slow oracle.


def from_every_start(**x):
    return np.array([q1(start=lambda _, s=s: s)(**x) for s in range(len(x["g"]))])


def at_every_time(**x):
    return np.array([from_every_start(**(x | {"horizon": h})) for h in range(x["horizon"], -1, -1)])


def lonely(keep_last):
    """The rewards, with all but one of the actions that lead from s to the same s' left out."""

    def change(x):
        r = x["r"].astype(float)
        for s, row in enumerate(x["next_state"]):
            for a, there in enumerate(row):
                if there in (row[a + 1 :] if keep_last else row[:a]):
                    r[s, a] = -np.inf
        return r

    return change


def lost_arrivals(next_state, r, g, start, horizon):
    weight = np.eye(len(g))[start]
    for _ in range(horizon):
        new = np.zeros(len(g))
        new[next_state] = weight[:, None] * np.exp(r)  # of several writes to one place the last survives
        weight = new
    return np.log(weight @ np.exp(g))


def backward(backup):
    """The recursion, with another reduction of Q (S, A) to V (S,)."""

    def gives(next_state, r, g, start, horizon):
        V = g
        for _ in range(horizon):
            V = backup(r + V[next_state])
        return V[start]

    return gives


def expected_under_softmax(Q):
    p = np.exp(Q - Q.max(1, keepdims=True))
    return (p * Q).sum(1) / p.sum(1)


def in_place(next_state, r, g, start, horizon):
    V = g.astype(float)
    for _ in range(horizon):
        for s in range(len(g)):
            V[s] = oracles.log_total(r[s] + V[next_state[s]])
    return V[start]


COUNT = "Count the actions: a session of horizon H takes H of them, a_0 … a_{H−1}. H actions, H backups."
MISTAKES = (
    ALMOST,
    TRUNCATED,
    OVERFLOW,
    Mistake(
        "terminal reward forgotten",
        "Count once more what one session earns. What is still to come when no action is left and the session "
        "ends in s?",
        (
            q1(g=lambda x: 0 * x["g"]),
            q1(g=lambda x: 0 * x["g"], reduce=np.max),
            *(q1(g=lambda x: 0 * x["g"], horizon=lambda x, k=k: x["horizon"] + k) for k in (-1, 1)),
        ),
    ),
    Mistake("one step short", COUNT, q1(horizon=lambda x: x["horizon"] - 1)),
    Mistake("one step too many", COUNT, q1(horizon=lambda x: x["horizon"] + 1)),
    Mistake(
        "terminal reward at every step",
        "g is earned once, at the end of the session, not in every state on the way.",
        tuple(
            q1(f)
            for f in (
                lambda R, states, g: R + g[states[1:]].sum(0),
                lambda R, states, g: R + g[states].sum(0),
                lambda R, states, g: R + g[states[:-1]].sum(0),
                lambda R, states, g: R + g[states[1:]].sum(0) + g[states[-1]],
            )
        ),
    ),
    Mistake(
        "terminal reward of the wrong state",
        "g belongs to s_H, the state after the last action.",
        (q1(lambda R, states, g: R + g[states[0]]), q1(lambda R, states, g: R + g[states[-2]])),
    ),
    Mistake(
        "hard max",
        "You return the reward of the best session. Z is a sum over all of them: which operator stands where "
        "the maximum stood?",
        q1(reduce=np.max),
    ),
    Mistake(
        "mean, not sum",
        "Z is a sum over sessions, not their average: nothing divides by the number of actions.",
        q1(reduce=lambda R: oracles.log_total(R) - np.log(len(R))),
    ),
    Mistake(
        "average reward",
        "You return the expected reward of an agent. log Z is no expectation: the log of a sum of exponentials stands "
        "where your average stands (for the soft-optimal agent it is reward plus entropy).",
        (q1(reduce=np.mean), backward(expected_under_softmax)),
    ),
    Mistake(
        "the shift is not put back",
        "log Σ e^q = c + log Σ e^(q−c). What is taken out must be put back, and as often: a constant added to r comes "
        "back H times.",
        (
            lambda **x: q1()(**x) - x["horizon"] * x["r"].max(),
            lambda **x: q1()(**x) - (x["horizon"] - 1) * x["r"].max(),
            backward(lambda Q: np.log(np.exp(Q - Q.max(1, keepdims=True)).sum(1))),
        ),
    ),
    Mistake(
        "Z, not log Z",
        "Return the logarithm. Better: never leave it.",
        q1(reduce=lambda R: np.exp(oracles.log_total(R))),
    ),
    Mistake(
        "wrong sign",
        "The free energy is −log Z; the question asks for log Z.",
        q1(reduce=lambda R: -oracles.log_total(R)),
    ),
    Mistake(
        "start ignored",
        "You return the value of state 0. V[k] is indexed by states: sessions begin in `start`.",
        q1(start=lambda x: 0),
    ),
    Mistake(
        "every start at once",
        "Sessions begin in `start`: return the one number that belongs to it.",
        (
            from_every_start,
            at_every_time,
            lambda **x: oracles.log_total(from_every_start(**x)),
            lambda **x: from_every_start(**x).mean(),
            lambda **x: oracles.log_total(from_every_start(**x)) - np.log(len(x["g"])),
        ),
    ),
    Mistake(
        "parallel actions lost",
        "Two actions may lead from s to the same s'. They are two sessions, and both count; M[s, s'] = … keeps "
        "only one of them.",
        (q1(r=lonely(True)), q1(r=lonely(False))),
    ),
    Mistake(
        "arrivals overwritten",
        "Several states may lead to the same s'. In new[next_state] += … only one of them survives: use "
        "np.add.at, or go backward in time.",
        lost_arrivals,
    ),
    Mistake(
        "old and new values mixed",
        "Your sweep overwrites V[s] while other states still need the old one. Write the values with one more "
        "action to go into a new array.",
        in_place,
    ),
)

QUESTION = Question(
    "a1.q1",
    "log Z with a terminal reward",
    "Sum over all sessions of a deterministic world by dynamic programming, without overflow.",
    difficulty=1,
    minutes=15,
    points=2,
    arguments=("next_state", "r", "g", "start", "horizon"),
    outputs=(Output("log Z"),),
    cases=cases,
    mistakes=MISTAKES,
)
