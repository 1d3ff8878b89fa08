"""a1.q3: Visitation when sessions may stop."""

from __future__ import annotations

import numpy as np

from course_utils.checks import oracles
from course_utils.checks.common import ALMOST, TRUNCATED, WHOLE, certain, distributions, gaps
from course_utils.checks.core import Case, Mistake, Output, Question


def instance(P, p0, π, stop, note=""):
    return Case(dict(P=P, p0=p0, π=π, stop=stop), q3()(P, p0, π, stop), note)


def cases(rng):
    def world(S, A, H):
        stop = rng.permutation(np.linspace(0.1, 0.7, S) + rng.uniform(-0.1, 0.1, S)).round(2)
        return distributions(rng, S, A, S), distributions(rng, S), distributions(rng, H, S, A), stop

    cases = [
        instance(*world(S, A, H))
        for S, A, H in [
            (2, 2, 1),
            (2, 2, 2),
            (2, 2, 3),
            (2, 3, 3),
            (3, 2, 3),
            (3, 3, 4),
            (4, 2, 4),
            (5, 3, 3),
            (3, 2, 5),
        ]
    ]
    P, p0, π, stop = world(3, 2, 4)
    cases += [
        instance(P, p0, π, np.zeros(3), "sessions never stop early"),
        instance(
            gaps(rng, P),
            p0,
            gaps(rng, π),
            np.where(stop == stop.max(), 1.0, stop),
            "some moves are impossible, and one state always ends the session",
        ),
        instance(certain(rng, 3, 2, 3), certain(rng, 3), certain(rng, 4, 3, 2), stop, f"{WHOLE} in P, p0 and π"),
    ]
    return cases


def forward(now, P, stop):
    """The weight of the step from s by a to s'."""
    return (now * (1 - stop)[:, None])[..., None] * P


def q3(step=forward, after=lambda d: d, policies=lambda π: π[:-1], **change):
    """The oracle, or something wrong: another step, outcome, policy of each move, or argument."""

    def gives(P, p0, π, stop):
        x = dict(P=P, p0=p0, π=π, stop=stop)
        x = x | {k: f(x) for k, f in change.items()}
        return after(oracles.path_visits(x["p0"], [step(now, x["P"], x["stop"]) for now in policies(x["π"])]))

    return gives


# What goes wrong, from the most to the least specific, recomputed from the slow oracles.


def never_stop(x):
    return 0 * x["stop"]


def of_stop(f):
    """d, changed by f(d, stop)."""
    return lambda **x: f(q3()(**x), x["stop"])


def heap(d, stop):
    """Sessions that ended are counted in the state where they ended, for ever."""
    return d + np.vstack([0 * stop, np.cumsum(stop * d, axis=0)[:-1]])


def last_only(step, last):
    kept = np.zeros_like(step)
    kept[last] = step[last]
    return kept


def equilibrium(P, p0, π, stop):
    """What a chain with the mean policy comes to after a long time."""
    chain = np.einsum("sa,sak->sk", π.mean(0), P)
    return np.repeat(np.linalg.matrix_power(chain, 1000).mean(0)[None], len(π), 0)


MISTAKES = (
    ALMOST,
    TRUNCATED,
    Mistake(
        "stop ignored",
        "Your sessions never end early. With which probability is a session that acts in s still going afterwards?",
        (
            q3(stop=never_stop),
            q3(stop=never_stop, P=lambda x: x["P"].swapaxes(0, 2)),
            q3(stop=never_stop, policies=lambda π: π[1:]),
            q3(stop=never_stop, policies=lambda π: π),
            q3(stop=never_stop, after=lambda d: d / len(d)),
        ),
    ),
    Mistake(
        "stop of the state entered",
        "It is the state in which the action was *taken* that may end the session: stop[s_t], not stop[s_{t+1}].",
        q3(lambda now, P, stop: forward(now, P, 0 * stop) * (1 - stop)),
    ),
    Mistake(
        "stopped before acting",
        "The session acts first and ends afterwards: d[0] = p0, whatever stop is.",
        of_stop(lambda d, stop: d * (1 - stop)),
    ),
    Mistake(
        "stop and go swapped", "stop is the probability of *ending*. What goes on?", q3(stop=lambda x: 1 - x["stop"])
    ),
    Mistake(
        "stop without memory",
        "Whether a session is still going depends on every state it has been in, not on the present one alone: "
        "stop must act inside the recursion.",
        (
            lambda **x: q3(stop=never_stop)(**x) * (1 - x["stop"]) ** np.arange(len(x["π"]))[:, None],
            lambda **x: q3(stop=never_stop)(**x) * (1 - x["stop"]) ** (np.arange(len(x["π"])) > 0)[:, None],
        ),
    ),
    Mistake(
        "one stop for all states",
        "Each state has its own probability of ending the session: multiply d[t] by 1 − stop before it moves.",
        q3(stop=lambda x: np.full(len(x["stop"]), x["stop"].mean())),
    ),
    Mistake(
        "stopped sessions still counted",
        "A session that has ended is nowhere: d[t] sums to less than one.",
        (
            q3(lambda now, P, stop: forward(now, P, stop) + (now * stop[:, None])[..., None] * np.eye(len(P))[:, None]),
            of_stop(heap),
        ),
    ),
    Mistake(
        "P transposed",
        "The axes are P[s, a, s']: probability flows from the first to the last.",
        (
            q3(P=lambda x: x["P"].swapaxes(0, 2)),
            q3(lambda now, P, stop: forward(now, P, stop).swapaxes(0, 2)),
            q3(lambda now, P, stop: forward(now, P, 0 * stop).swapaxes(0, 2) * (1 - stop)[:, None, None]),
        ),
    ),
    Mistake(
        "arrivals overwritten",
        "Many ways lead to s', and their probabilities add up. Where several states or actions write to one place, "
        "write += and start from zero.",
        tuple(q3(lambda now, P, stop, last=last: last_only(forward(now, P, stop), last)) for last in (-1, (-1, -1))),
    ),
    Mistake(
        "one array for all rows",
        "All your rows are equal: they are one and the same array, which every step overwrites. Make a new array in "
        "every step, or write into d[t].",
        (
            q3(policies=lambda π: π, after=lambda d: np.repeat(d[-1:], len(d) - 1, 0)),
            q3(after=lambda d: np.repeat(d[-1:], len(d), 0)),
        ),
    ),
    Mistake(
        "normalised",
        "d[t] is the probability that a session is still going *and* in s. Its sum over s shrinks with t; the sum "
        "over t and s is the expected number of actions (H when nothing stops).",
        tuple(
            q3(after=f)
            for f in (
                lambda d: d / d.sum(1, keepdims=True),
                lambda d: d / d.sum(),
                lambda d: d / d.sum() * len(d),
                lambda d: d / len(d),
            )
        ),
    ),
    Mistake(
        "stationary",
        "There is no stationary distribution in a session of H actions: the start is not forgotten, and π depends "
        "on t. Keep d[t] for every t; their sum is what takes its place.",
        (
            q3(policies=lambda π: np.repeat(π[:1], len(π) - 1, 0)),
            q3(policies=lambda π: np.repeat(π[-1:], len(π) - 1, 0)),
            q3(policies=lambda π: np.repeat(π.mean(0)[None], len(π) - 1, 0)),
            equilibrium,
            lambda **x: equilibrium(**x)[0],
            lambda **x: equilibrium(**x) / len(x["π"]),
            *(
                q3(after=f)
                for f in (lambda d: d.sum(0), lambda d: d.mean(0), lambda d: np.repeat(d.mean(0)[None], len(d), 0))
            ),
        ),
    ),
    Mistake("uniform start", "Sessions start from p0.", q3(p0=lambda x: np.full(len(x["p0"]), 1 / len(x["p0"])))),
    Mistake("π one step late", "The move from t to t+1 is made by π[t].", q3(policies=lambda π: π[1:])),
    Mistake(
        "π ignored",
        "The actions are drawn from π[t, s, :]; they are not equally likely.",
        (q3(π=lambda x: np.full(x["π"].shape, 1 / x["π"].shape[2])), q3(π=lambda x: np.ones(x["π"].shape))),
    ),
    Mistake(
        "first row missing",
        "d[0] is p0: the first action is taken in s_0.",
        q3(policies=lambda π: π, after=lambda d: d[1:]),
    ),
    Mistake(
        "one row too many",
        "H actions are taken, at t = 0 … H−1. Nobody acts in s_H: d has H rows.",
        q3(policies=lambda π: π),
    ),
    Mistake(
        "time reversed", "d[t] is the distribution at time t: d[0] = p0 is the first row.", q3(after=lambda d: d[::-1])
    ),
    Mistake(
        "state-action occupancy",
        "d[t, s] is about states: do not multiply by π at the end.",
        lambda **x: q3()(**x)[..., None] * x["π"],
    ),
)

QUESTION = Question(
    "a1.q3",
    "Visitation when sessions may stop",
    "Push probability forward in time under a time-dependent policy, and lose what stops.",
    difficulty=2,
    minutes=20,
    points=2,
    arguments=("P", "p0", "π", "stop"),
    outputs=(Output("d", "ts"),),
    cases=cases,
    mistakes=MISTAKES,
)
