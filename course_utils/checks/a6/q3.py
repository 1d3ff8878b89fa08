"""a6.q3: SMILe's mixture with a rate for each iteration, without its expert, and one step of each policy drawn."""

from __future__ import annotations

import numpy as np

from course_utils.checks.common import ALMOST, rewards
from course_utils.checks.core import Case, Mistake, Output, Question

TINY = "tiny rates"


def instance(α, proposed, coins, note=""):
    args = dict(α=α, proposed=proposed, coins=coins)
    return Case(args, q3()(**args), note)


def coins_for(rng, α, M):
    """M random numbers in steps of 1/1000, none near an edge, so that rounding decides nothing."""
    n = len(α)
    edges = np.concatenate([handed_over(α)[1].cumsum(), np.cumsum(α), np.cumsum(α) / np.sum(α), np.arange(n + 1) / n])
    grid = np.arange(5, 996) / 1000
    return rng.choice(grid[np.abs(grid[:, None] - edges).min(1) > 0.003], size=M)


def cases(rng):
    def draw(n, M, lowest=0.1, highest=0.7):
        α = rng.permutation(np.linspace(lowest, highest, n) + rng.uniform(-0.04, 0.04, n)).round(2)
        return instance(α, rewards(rng, n, M), coins_for(rng, α, M))

    cases = [draw(*size) for size in [(2, 8, 0.35, 0.5), (3, 10), (4, 15, 0.1, 0.2), (6, 20), (8, 30)]]
    while drawn_by_ends(cases[-1]) & special(cases[-1]) or 0 in special(cases[-1]):
        cases[-1] = draw(8, 30)
    tiny = 1e-14 * rng.permutation([2.0, 3.0, 5.0, 7.0])
    return [
        *cases,
        instance(tiny, rewards(rng, 4, 6), coins_for(rng, tiny, 6), f"{TINY}: α = 1/T² for a T of millions"),
    ]


def drawn_by_ends(case):
    """The policies that the first and the last coin draw."""
    return set(index(handed_over(case.args["α"])[1], case.args["coins"])[[0, -1]].tolist())


def special(case):
    """The likeliest policy and the newest."""
    w = handed_over(case.args["α"])[1]
    return {int(w.argmax()), len(w) - 1}


# The oracle: probabilities that change hands. Shares s (n+1,), weights w (n,), and what is done in each state.


def handed_over(α):
    """(s, w): what the expert has left after each iteration, and what each policy has got, normalised."""
    expert, s, w = 1.0, [1.0], []
    for rate in α:
        w.append(rate * expert)
        expert = expert * (1 - rate)
        s.append(expert)
    return np.array(s), np.array(w) / np.sum(w)


def by_coin(w, proposed, coins):
    return proposed[index(w, coins), np.arange(len(coins))]


def index(w, coins):
    """The first j with coin < w_0 + … + w_j, the last one if there is none."""
    return np.minimum((coins >= np.cumsum(w)[:, None]).sum(0), len(w) - 1)


def q3(share=None, weights=None, choose=by_coin, after=lambda s, w, a, x: (s, w, a), normalise=True):
    """The oracle, or something wrong: share(α, s), weights(α, s) up to a factor (if that is taken out), or a choice."""

    def gives(**x):
        α = np.asarray(x["α"], dtype=float)
        s, w = handed_over(α)
        s = share(α, s) if share else s
        if weights:
            w = weights(α, s)
            w = w / np.sum(w) if normalise else w
        return after(s, w, choose(w, np.asarray(x["proposed"], dtype=float), np.asarray(x["coins"], float)), x)

    return gives


# What goes wrong, from the most to the least specific, recomputed from the slow oracle.


def shares(*wrong):
    """A wrong share that the weights follow, or do not."""
    return tuple(q3(share=f, **more) for f in wrong for more in ({}, {"weights": lambda α, s: α * s[:-1]}))


def weights(*wrong):
    """Wrong weights that the choice follows, normalised or not, or does not."""
    return tuple(
        variant
        for f in wrong
        for variant in (
            q3(weights=f),
            q3(weights=f, normalise=False),
            q3(weights=f, choose=lambda w, *x: w, after=lambda s, w, _, x: (s, w, q3()(**x)[2])),
        )
    )


def constant(rate):
    """All of SMILe with one rate, as in the lecture."""
    return (
        q3(share=lambda α, s: (1 - rate(α)) ** np.arange(len(s)), weights=lambda α, s: rate(α) * s[:-1]),
        q3(weights=lambda α, s: rate(α) * (1 - rate(α)) ** np.arange(len(α))),
    )


def choices(*wrong):
    return tuple(q3(choose=f) for f in wrong)


def raw(α, s):
    return α * s[:-1]


def newest_most(α, s):
    return α * np.append(np.cumprod((1 - α)[:0:-1])[::-1], 1)


def with_rest(k):
    """What is left is given to policy k."""

    def f(α, s):
        w = raw(α, s)
        w[k] += s[-1]
        return w

    return f


def expert_kept(order):
    return q3(after=lambda s, w, a, x: (s, np.concatenate(order(s[-1:], w * (1 - s[-1]))), a))


def expert_draws(first):
    """The expert is the first to be drawn, and policy `first` stands in for it."""

    def after(s, w, a, x):
        who = index(np.concatenate([s[-1:], w * (1 - s[-1])]), x["coins"])
        return s, w, x["proposed"][np.where(who, who - 1, first), np.arange(len(who))]

    return q3(after=after)


def own_weight(w, proposed, coins):
    """The first j with coin < w_j."""
    hit = coins < w[:, None]
    return proposed[np.where(hit.any(0), hit.argmax(0), len(w) - 1), np.arange(len(coins))]


def shifted(by):
    return lambda w, y, c: y[np.clip(index(w, c) + by, 0, len(w) - 1), np.arange(len(c))]


DRAW = "In every state one policy is drawn, by that state's coin, and acts alone."
HANDS = "In iteration j the new policy gets α_j of what the *expert* still has, and everybody else keeps what he has."
MISTAKES = (
    Mistake(
        "digits lost",
        "Only the instance with tiny rates is wrong: 1 − s_n, or s_{j−1} − s_j, subtracts two numbers that agree in 13 "
        "digits. What was handed over is known without a difference, and so is its sum.",
        when=lambda case, outputs: case.note.startswith(TINY),
    ),
    ALMOST,
    Mistake(
        "not renormalised",
        "The expert has left and taken its share along: the weights that remain do not sum to 1.",
        (
            q3(weights=raw, normalise=False),
            q3(after=lambda s, w, a, x: (s, raw(np.asarray(x["α"]), s), a)),
            q3(after=lambda s, w, a, x: (s, w, by_coin(w * (1 - s[-1]), x["proposed"], x["coins"]))),
        ),
    ),
    Mistake(
        "the expert not removed",
        "When the mixture is used there is no expert to ask: weights are those of the n learned policies.",
        (expert_kept(lambda e, w: (e, w)), expert_kept(lambda e, w: (w, e)), expert_draws(0), expert_draws(-1)),
    ),
    Mistake(
        "the expert's share given away",
        "Removing the expert leaves the proportions of the others as they were: divide by their sum.",
        weights(with_rest(-1), with_rest(0), lambda α, s: raw(α, s) + s[-1] / len(α)),
    ),
    Mistake(
        "the newest weighted most",
        f"That is the mixture of conservative policy iteration and SEARN, where all older policies give. {HANDS}",
        weights(newest_most, lambda α, s: raw(α, s)[::-1]),
    ),
    Mistake(
        "cumulative weights",
        "The sums w_1 + … + w_j are for comparing with the coins: return the weights themselves.",
        q3(after=lambda s, w, a, x: (s, np.cumsum(w), a)),
    ),
    Mistake("uniform weights", HANDS, weights(lambda α, s: 0 * α + 1 / len(α))),
    Mistake(
        "the rates as weights",
        f"α_j is a fraction of what the expert has at that time, which is less each time. {HANDS}",
        weights(lambda α, s: α),
    ),
    Mistake(
        "one rate for all iterations",
        "α(1 − α)^{j−1} is for a constant rate. Here each iteration has its own: the power becomes a product.",
        tuple(f for rate in (lambda α: α[0], lambda α: α[-1], np.mean) for f in constant(rate))
        + weights(lambda α, s: α * (1 - α) ** np.arange(len(α))),
    ),
    Mistake(
        "powers of α",
        "The expert keeps 1 − α_k of what it has, in every iteration before: a product of 1 − α_k, not of α_k.",
        weights(lambda α, s: np.cumprod(α)),
    ),
    Mistake(
        "one iteration off",
        f"{HANDS} That is what it has *before* iteration j: s_{{j−1}}, and s_0 = 1.",
        weights(lambda α, s: α * s[1:]),
    ),
    Mistake(
        "what the expert keeps, not what it gives",
        "A policy's weight is what is handed over: α_j s_{j−1}.",
        weights(lambda α, s: s[1:], lambda α, s: s[:-1], lambda α, s: (1 - α) * s[1:]),
    ),
    Mistake(
        "share without its start",
        "share has n + 1 entries: before the first iteration the expert has everything, s_0 = 1.",
        q3(after=lambda s, w, a, x: (s[1:], w, a)),
    ),
    Mistake(
        "share without its end",
        "share has n + 1 entries: the last one, s_n, is what the expert has left after iteration n.",
        q3(after=lambda s, w, a, x: (s[:-1], w, a)),
    ),
    Mistake(
        "only the last share",
        "Return the expert's share after every iteration, s_0 … s_n.",
        (q3(after=lambda s, w, a, x: (s[-1], w, a)), q3(after=lambda s, w, a, x: (s[-1:], w, a))),
    ),
    Mistake(
        "rates subtracted",
        "α_n is a fraction of what is left, not of the whole: s_n = (1 − α_n) s_{n−1}.",
        shares(lambda α, s: 1 - np.append(0, np.cumsum(α)), lambda α, s: np.maximum(1 - np.append(0, np.cumsum(α)), 0))
        + weights(lambda α, s: α * (1 - np.cumsum(α) + α), lambda α, s: α * np.maximum(1 - np.cumsum(α) + α, 0)),
    ),
    Mistake(
        "what was given, not what is left",
        "share is what the *expert* still has: it begins with 1 and falls.",
        (
            q3(after=lambda s, w, a, x: (1 - s, w, a)),
            q3(after=lambda s, w, a, x: (np.append(1, np.cumprod(x["α"])), w, a)),
            q3(after=lambda s, w, a, x: (np.append(1, x["α"] * s[:-1]), w, a)),
        ),
    ),
    Mistake(
        "a power of the last rate",
        "The factor of each iteration is its own: s_n = (1 − α_1)(1 − α_2) … (1 − α_n).",
        shares(
            lambda α, s: np.append(1, (1 - α) ** np.arange(1, len(s))),
            lambda α, s: np.append(1, 1 - α),
        ),
    ),
    Mistake(
        "an average of actions",
        f"Half left and half right is straight into the tree. {DRAW}",
        choices(
            lambda w, y, c: w @ y,
            lambda w, y, c: y.mean(0),
            lambda w, y, c: np.median(y, axis=0),
        ),
    ),
    Mistake("the likeliest policy acts", DRAW, choices(lambda w, y, c: y[w.argmax()])),
    Mistake("the newest policy acts", DRAW, choices(lambda w, y, c: y[-1])),
    Mistake(
        "one policy for all states",
        DRAW,
        choices(lambda w, y, c: y[index(w, c[:1])[0]], lambda w, y, c: y[index(w, c[-1:])[0]]),
    ),
    Mistake(
        "all policies equally likely",
        f"{DRAW} With the weights as chances.",
        choices(lambda w, y, c: by_coin(np.full(len(w), 1 / len(w)), y, c)),
    ),
    Mistake(
        "the coin against one weight",
        "Compare the coin with w_1 + … + w_j, the sum *up to* j, or policy j is not drawn with chance w_j.",
        choices(own_weight),
    ),
    Mistake(
        "counted from the newest",
        "The first j with coin < w_1 + … + w_j: begin with the oldest policy.",
        choices(
            lambda w, y, c: by_coin(w[::-1], y[::-1], c),
            lambda w, y, c: by_coin(w, y, 1 - c),
        ),
    ),
    Mistake(
        "the neighbour acts",
        "The *first* j with coin < w_1 + … + w_j: is j counted from 0 or from 1, and is it one too far?",
        choices(shifted(1), shifted(-1)),
    ),
    Mistake(
        "the number of the policy, not its action",
        "Return what the policy that is drawn does: proposed[j, m].",
        choices(lambda w, y, c: 1.0 * index(w, c), lambda w, y, c: 1.0 + index(w, c)),
    ),
)

QUESTION = Question(
    "a6.q3",
    "SMILe's mixture, when the expert has left",
    "Weigh the policies of a mixture that takes over from its expert bit by bit, and draw who acts.",
    difficulty=2,
    minutes=25,
    points=3,
    arguments=("α", "proposed", "coins"),
    outputs=(Output("share", "n"), Output("weights", "j"), Output("actions", "m")),
    cases=cases,
    mistakes=MISTAKES,
)
