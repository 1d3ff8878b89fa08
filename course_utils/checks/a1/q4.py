"""a1.q4: The gradient for demonstrations of unequal lengths."""

from __future__ import annotations

import numpy as np

from course_utils.checks import oracles
from course_utils.checks.common import ALMOST, HUGE, OVERFLOW, TRUNCATED, WHOLE, distributions, gaps, rewards
from course_utils.checks.core import Case, Mistake, Output, Question


def demonstrations(rng, P, p0, lengths):
    """Random sessions of the given lengths, padded with −1."""
    S, A = P.shape[:2]
    states, actions = np.full((2, len(lengths), max(lengths)), -1)
    for i, h in enumerate(lengths):
        s = rng.choice(S, p=p0)
        for t in range(h):
            states[i, t], actions[i, t] = s, rng.integers(A)
            s = rng.choice(S, p=P[s, actions[i, t]])
    return states, actions, np.array(lengths)


def instance(θ, features, P, p0, states, actions, lengths, note=""):
    gradient = oracles.derivative(lambda x: oracles.dual(x, features, P, p0, states, actions, lengths), 1.0 * θ)
    args = dict(θ=θ, features=features, P=P, p0=p0, states=states, actions=actions, lengths=lengths)
    return Case(args, gradient, note)


def cases(rng):
    def world(S, A, K, lengths):
        P, p0 = distributions(rng, S, A, S), distributions(rng, S)
        return [rewards(rng, K), rewards(rng, S, A, K), P, p0, *demonstrations(rng, P, p0, lengths)]

    cases = [
        instance(*world(*size))
        for size in [
            (2, 2, 2, [1, 2]),
            (2, 2, 2, [3, 1]),
            (2, 3, 2, [1, 3, 2]),
            (3, 2, 3, [1, 4, 2]),
            (3, 3, 2, [2, 1, 4]),
            (4, 2, 4, [1, 3, 4, 1]),
            (3, 2, 2, [5, 2, 1, 2, 2]),
            (5, 2, 5, [2, 4, 1]),
        ]
    ]
    θ, features, P, p0, *demos = world(3, 2, 3, [4, 1, 3])
    large = features.copy()
    large[..., 0] += 500
    cases += [
        instance(θ, features, gaps(rng, P), p0, *demos, "some moves are impossible"),
        instance(
            rng.permutation([-1, 1, 2]),
            rng.integers(-2, 3, features.shape),
            P,
            p0,
            *demos,
            f"{WHOLE} in θ and features",
        ),
        instance(np.array([2.0, *θ[1:]]), large, P, p0, *demos, f"{HUGE}: near 1000"),
    ]
    return cases


# What goes wrong, from the most to the least specific, recomputed from the slow oracles.


def difference(demo, model, lengths):
    return (demo - model).mean(0)


def q4(
    combine=difference,
    demo=oracles.demo_features,
    horizons=lambda lengths: lengths,
    start=None,
    to_go=lambda t, h, longest: h - t,
    ahead=oracles.expectation,
    best=oracles.best_response,
    dynamics=lambda P, V: P,
):
    """The difference of shown and expected features, with something wrong in it.

    combine(demo, model, lengths) takes both as (N, K); horizons(lengths) are the model's;
    start(p0, s, states) is the distribution of its first state for a demonstration from s; to_go(t, h, longest) are
    the actions that its policy at t believes to have; ahead and best plan it; dynamics(P, V_{t+1}) move it.
    """

    def gives(θ, features, P, p0, states, actions, lengths):
        W, policies = oracles.plan(P, features @ θ, np.ones(features.shape[:2]), max(lengths) + 1, ahead, best)

        def expected(h, first):
            now = [policies[to_go(t, h, max(lengths))] for t in range(h)]
            steps = [now[t][..., None] * dynamics(P, W[h - t - 1]) for t in range(h - 1)]
            return sum(
                (
                    np.einsum("s,sa,sak->k", d, p, features)
                    for d, p in zip(oracles.path_visits(first, steps), now, strict=False)
                ),
                np.zeros(len(θ)),
            )

        firsts = [start(p0, s[0], states) if start else p0 for s in states]
        model = np.array([expected(h, first) for h, first in zip(horizons(lengths), firsts, strict=True)])
        return combine(demo(features, states, actions, lengths), model, lengths)

    return gives


def tilted(P, V):
    """P(s'|s,a) e^{V(s')}, normalised: the dynamics that the likelihood of 2008 believes in."""
    weight = P * np.exp(V - V.max())
    return weight / weight.sum(-1, keepdims=True)


def for_all(pick):
    return lambda lengths: np.full(len(lengths), int(pick(lengths)))


def with_padding(features, states, actions, lengths):
    return features[states, actions].sum(1)


def along_the_demonstrations(θ, features, P, p0, states, actions, lengths):
    _, policies = oracles.plan(P, features @ θ, np.ones(features.shape[:2]), max(lengths))
    model = [
        sum(policies[h - t][s[t]] @ features[s[t]] for t in range(h)) for s, h in zip(states, lengths, strict=True)
    ]
    return (oracles.demo_features(features, states, actions, lengths) - model).mean(0)


def without_last(features, states, actions, lengths):
    return np.array([features[s[: h - 1], a[: h - 1]].sum(0) for s, a, h in zip(states, actions, lengths, strict=True)])


MISTAKES = (
    ALMOST,
    TRUNCATED,
    OVERFLOW,
    Mistake(
        "wrong sign",
        "This is the gradient for going down. The log-likelihood rises where the demonstrations show more of "
        "a feature than the model expects: data − model.",
        (q4(lambda f, m, h: (m - f).mean(0)), q4(lambda f, m, h: (m - f).sum(0))),
    ),
    Mistake(
        "log E e^V",
        "Your backup is log E e^V, as in Algorithm 1 of Ziebart 2008, and your forward pass uses the true P. "
        "Who picks s'? In a stochastic world this is the gradient of no likelihood: back up E V.",
        q4(ahead=oracles.optimist),
    ),
    Mistake(
        "optimistic dynamics",
        "Your model's sessions follow P(s'|s,a) e^{V(s')}: an agent that also chooses its luck (the likelihood "
        "of Ziebart 2008). The world draws s' from P.",
        (q4(ahead=oracles.optimist, dynamics=tilted), q4(dynamics=tilted)),
    ),
    Mistake(
        "uniform start",
        "The model's sessions start from p0.",
        q4(start=lambda p0, s, states: np.full(len(p0), 1 / len(p0))),
    ),
    Mistake(
        "starts of the demonstrations",
        "The model's sessions start from p0, not where the demonstrations happened to start.",
        (
            q4(start=lambda p0, s, states: np.eye(len(p0))[s]),
            q4(start=lambda p0, s, states: np.eye(len(p0))[states[:, 0]].mean(0)),
        ),
    ),
    Mistake(
        "one horizon for all",
        "Demonstration i takes lengths[i] actions, and the model is asked about sessions of just that length: "
        "one expectation for each length.",
        tuple(
            q4(horizons=for_all(f))
            for f in (
                np.max,
                np.min,
                np.mean,
                np.median,
                lambda h: np.round(h.mean()),
                lambda h: np.ceil(h.mean()),
                lambda h: h[0],
                lambda h: h[-1],
            )
        ),
    ),
    Mistake(
        "policy of the longest horizon",
        "An expert with 2 actions to go does not act like one with 5. The policy of the longest horizon, from "
        "its first action on, does not know when this session ends.",
        q4(to_go=lambda t, h, longest: longest - t),
    ),
    Mistake(
        "policy reversed in time",
        "π[0] is the policy with all h actions to go. A list that was made backward must be turned round.",
        q4(to_go=lambda t, h, longest: t + 1),
    ),
    Mistake(
        "averaged over steps",
        "A session counts with the *sum* of its features, whatever its length; then the mean is over demonstrations.",
        tuple(
            q4(f)
            for f in (
                lambda f, m, h: ((f - m) / h[:, None]).mean(0),
                lambda f, m, h: (f / h[:, None] - m).mean(0),
                lambda f, m, h: (f - m / h[:, None]).mean(0),
                lambda f, m, h: (f - m).sum(0) / h.sum(),
                lambda f, m, h: f.sum(0) / h.sum() - m.mean(0),
                lambda f, m, h: (f - m).mean(0) / h.max(),
            )
        ),
    ),
    Mistake(
        "sum, not mean",
        "Divide by the number of demonstrations (both parts).",
        (
            q4(lambda f, m, h: (f - m).sum(0)),
            q4(lambda f, m, h: f.sum(0) - m.mean(0)),
            q4(lambda f, m, h: f.mean(0) - m.sum(0)),
        ),
    ),
    Mistake(
        "one demonstration only",
        "All demonstrations count: does your loop overwrite the sum (= for +=), or return in its first round?",
        tuple(q4(lambda f, m, h, i=i, n=n: (f - m)[i] / len(h) ** n) for i in (0, -1) for n in (0, 1)),
    ),
    Mistake(
        "each length once",
        "A length that occurs twice counts twice: the mean is over demonstrations, not over different lengths.",
        q4(lambda f, m, h: f.mean(0) - m[np.unique(h, return_index=True)[1]].mean(0)),
    ),
    Mistake(
        "padding counted",
        "−1 in states and actions marks what comes after the end. It is no state and no action (as an index it is the "
        "last one): cut each demonstration at lengths[i].",
        (
            q4(demo=with_padding),
            q4(demo=with_padding, horizons=for_all(np.max)),
            q4(lambda f, m, h: (f - m).sum(0), demo=with_padding),
            q4(demo=lambda f, states, actions, lengths: f[states.clip(0), actions.clip(0)].sum(1)),
        ),
    ),
    Mistake(
        "number 0 masked away",
        "0 is a state and an action like any other. What comes after the end is marked by −1.",
        (
            q4(demo=lambda f, states, actions, lengths: (f[states, actions] * (states > 0)[..., None]).sum(1)),
            q4(demo=lambda f, states, actions, lengths: (f[states, actions] * (actions > 0)[..., None]).sum(1)),
        ),
    ),
    Mistake(
        "one step too many",
        "Demonstration i holds lengths[i] actions; the model must take as many.",
        q4(horizons=lambda h: h + 1),
    ),
    Mistake(
        "one step short",
        "Demonstration i holds lengths[i] actions: t = 0 … lengths[i]−1.",
        (q4(horizons=lambda h: h - 1), q4(demo=without_last), q4(demo=without_last, horizons=lambda h: h - 1)),
    ),
    Mistake(
        "stationary",
        "What is the horizon? The soft-optimal policy depends on the actions still to go.",
        (q4(to_go=lambda t, h, longest: h), q4(to_go=lambda t, h, longest: 1), q4(to_go=lambda t, h, longest: longest)),
    ),
    Mistake(
        "stops after one action",
        "These sessions do not stop early: in `visitation`, `stop` is zero for every state.",
        q4(dynamics=lambda P, V: 0 * P),
    ),
    Mistake(
        "states of the demonstrations",
        "You ask what the policy does in the states that the demonstrations visit: the gradient of imitating their "
        "actions. The model runs sessions of its own, from p0.",
        along_the_demonstrations,
    ),
    Mistake(
        "hard max",
        "The model is the *soft*-optimal policy, π = e^{Q−V}, not the greedy one.",
        q4(best=lambda q, ref: (q.max(-1), np.eye(q.shape[-1])[q.argmax(-1)])),
    ),
    Mistake(
        "policy ignored",
        "The expectation is under the soft-optimal policy of the reward θ·f, not under equally likely actions.",
        q4(best=lambda q, ref: oracles.best_response(0 * q, ref)),
    ),
    Mistake(
        "half of the gradient",
        "The gradient is a difference: the demonstrations' features minus the expected ones.",
        tuple(q4(f) for f in (lambda f, m, h: f.mean(0), lambda f, m, h: m.mean(0), lambda f, m, h: -m.mean(0))),
    ),
    Mistake(
        "one row for each demonstration",
        "Return the mean over the demonstrations, of shape (K,).",
        q4(lambda f, m, h: f - m),
    ),
    Mistake("the value, not its gradient", "Return ∇θ, one number for each feature.", oracles.dual),
    Mistake("P transposed", "The axes are P[s, a, s'].", lambda **x: q4()(**(x | {"P": x["P"].swapaxes(0, 2)}))),
)

QUESTION = Question(
    "a1.q4",
    "The gradient for demonstrations of unequal lengths",
    "Assemble the gradient of maximum entropy IRL, each demonstration with its own horizon.",
    difficulty=3,
    minutes=40,
    points=3,
    arguments=("θ", "features", "P", "p0", "states", "actions", "lengths"),
    outputs=(Output("gradient", "k"),),
    cases=cases,
    mistakes=MISTAKES,
)
