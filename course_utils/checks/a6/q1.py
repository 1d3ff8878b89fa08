"""a6.q1: The loss of behavioural cloning, where every episode counts the same, and its gradient."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from course_utils.checks.common import ALMOST, OVERFLOW, TRUNCATED, WHOLE, almost, rewards
from course_utils.checks.core import Case, Mistake, Output, Question
from course_utils.checks.oracles import complex_step, log_sum

HUGE = "huge logits"


def instance(θ, obs, actions, lengths, note=""):
    args = dict(θ=θ, obs=obs, actions=actions, lengths=lengths)
    return Case(args, q1()(**args), note)


def episodes(rng, lengths, d, A, longest=None):
    """Observations (N, L, d), one 0 if N > 2 and leftovers after the end; actions (N, L), padded; lengths (N,)."""
    lengths, L = np.array(lengths), longest or max(lengths)
    inside = np.arange(L) < lengths[:, None]
    actions = rng.integers(A, size=inside.shape)
    actions[:, 0] = rng.permutation(np.arange(len(lengths)) % A)  # not all the same
    obs = rewards(rng, *inside.shape, d)
    obs[1:2, 0] *= len(lengths) < 3
    return obs, np.where(inside, actions, -1), lengths


def cases(rng):
    def world(d, A, lengths, longest=None):
        return [rewards(rng, d, A), *episodes(rng, lengths, d, A, longest)]

    sizes = [(1, 2, [1, 2]), (2, 3, [3, 1]), (2, 2, [2, 4, 1]), (3, 4, [1, 5, 3], 6), (3, 3, [6, 2, 4, 3])]
    cases = [instance(*world(*size)) for size in sizes]
    θ, obs, actions, lengths = world(2, 3, [2, 4, 3])
    obs[..., 0] = 1.0  # a constant: its weights move all logits of an action alike
    level = 1000 * np.array([[1, 1, 1], [0, 0, 0]])
    far = 1000 * np.array([rng.permutation([-1, 0, 1]), [0, 0, 0]])
    whole = (rng.integers(-2, 3, size=x) for x in ((2, 3), (3, 4, 2)))
    cases += [
        instance(*whole, actions, lengths, WHOLE),
        instance(θ + level, obs, actions, lengths, f"{HUGE}: near 1000"),
        instance(θ + far, obs, actions, lengths, f"{HUGE}: some actions hopeless"),
    ]
    return cases


# The oracle, in parts. x holds the arguments, t and T and what is inside; y the expert's actions as indicators.


def each_episode(x):
    """The weight (N, L) of each step."""
    return x.inside / x.T / x.N


def of_actions(z):
    """log π(a|s) from logits z (…, N, L, A)."""
    return z - log_sum(z)[..., None]


def surprise(log_π, y, z):
    """What a step costs (…, N, L)."""
    return -(log_π * y).sum(-1)


def total(w, costs):
    return (w * costs).sum((-2, -1))


def q1(
    weights=each_episode,
    cost=surprise,
    log_policy=of_actions,
    finish=total,
    after=lambda loss, gradient, x: (loss, gradient),
):
    """The oracle, or something wrong: the gradient of whatever loss comes out, by a complex step."""

    def gives(**args):
        x = setting(**args)

        def loss(θ):
            z = np.einsum("nld,...da->...nla", x.obs, θ.reshape(*θ.shape[:-1], *x.θ.shape))
            return finish(weights(x), cost(log_policy(z), x.y, z))

        gradient = complex_step(loss, x.θ.ravel()).reshape(x.θ.shape)
        return after(np.real(loss(x.θ.ravel())), gradient, x)

    return gives


def setting(θ, obs, actions, lengths):
    θ, obs = np.asarray(θ, dtype=float), np.asarray(obs, dtype=float)
    (N, L), T, t = actions.shape, np.asarray(lengths, dtype=float)[:, None], np.arange(actions.shape[1])
    y = np.eye(θ.shape[1])[actions]
    return SimpleNamespace(θ=θ, obs=obs, y=y, N=N, L=L, T=T, t=t, inside=t < T, actions=actions)


# What goes wrong, from the most to the least specific, recomputed from the slow oracle.


def both_or_one(*wrong):
    """Something wrong in the loss and its gradient, or in one of them only."""
    return tuple(f for parts in wrong for f in (q1(**parts), loss_of(**parts), gradient_of(**parts)))


def loss_of(**parts):
    return lambda **args: (q1(**parts)(**args)[0], q1()(**args)[1])


def gradient_of(**parts):
    return lambda **args: (q1()(**args)[0], q1(**parts)(**args)[1])


def weighed(*weights):
    return both_or_one(*({"weights": w} for w in weights))


def pull(*coefficients):
    """The gradient as the sum of w obs ⊗ c, with another c(π, y) than π − y."""

    def gives(c):
        def after(loss, gradient, x):
            π = np.exp(of_actions(x.obs @ x.θ))
            return loss, np.einsum("nl,nld,nla->da", each_episode(x), x.obs, c(π, x.y))

        return q1(after=after)

    return tuple(map(gives, coefficients))


def over(*axes):
    """log-softmax over other axes of (N, L, A)."""

    def normalised(axes):
        def log_policy(z):
            top = np.real(z).max(axes, keepdims=True)
            return z - top - np.log(np.exp(z - top).sum(axes, keepdims=True))

        return {"log_policy": log_policy}

    return both_or_one(*map(normalised, axes))


def alone(θ, obs, actions, lengths):
    """Loss and gradient of each episode: (N,) and (N, d, A)."""
    each = [
        q1()(θ=θ, obs=obs[i : i + 1], actions=actions[i : i + 1], lengths=lengths[i : i + 1])
        for i in range(len(lengths))
    ]
    return tuple(map(np.array, zip(*each, strict=True)))


def as_action_0(weights):
    return lambda **x: q1(weights=weights)(**(x | {"actions": np.maximum(x["actions"], 0)}))


def without_action(loss, gradient, x):
    π = np.exp(of_actions(x.obs @ x.θ))
    return loss, gradient + np.einsum("nl,nld,nla->da", (1 - x.inside) / x.T / x.N, x.obs, π)


def by_logits(loss, gradient, x):
    return loss, each_episode(x)[..., None] * (np.exp(of_actions(x.obs @ x.θ)) - x.y)


def misses(log_π, y, z):
    return 1.0 - (log_π.real.argmax(-1) == y.argmax(-1))


def of_mean_probability(w, costs):
    """costs are −log π: the log of the mean of π, over everything."""
    return -np.log((w * np.exp(-costs)).sum((-2, -1)))


def of_mean_probabilities(w, costs):
    """The same within each episode."""
    return -np.log((w * np.exp(-costs)).sum(-1) * len(w)).mean(-1)


def squared(scale):
    return lambda log_π, y, z: scale(y.shape[-1]) * ((np.exp(log_π) - y) ** 2).sum(-1)


def one_against_all(log_π, y, z):
    return -(y * log_π + (1 - y) * np.log(1 - np.exp(log_π))).sum(-1)


HUGE_LOGITS = replace(
    OVERFLOW,
    hint="Only the instances with huge logits are wrong: e^1000 is inf, e^−1000 is 0 and its logarithm −inf, or what "
    "it was clipped to. Never leave the logarithm: scipy.special.log_softmax is the log of a softmax.",
    when=lambda case, outputs: case.note.startswith(HUGE) or almost(case, outputs),
)
STEPS = "An episode of length T has the steps t = 0 … T − 1, and all of them count."
EACH = "First the mean over the steps of an episode, then the mean of these over the episodes: a step counts 1/(N T_i)."
MISTAKES = (
    ALMOST,
    TRUNCATED,
    HUGE_LOGITS,
    Mistake(
        "every step counts the same",
        f"A long episode must not outvote a short one. {EACH}",
        weighed(lambda x: x.inside / x.T.sum()),
    ),
    Mistake(
        "padding counted",
        "What stands after the end is no step: its weight is 0, in the loss and in the gradient. (An action −1 is, as "
        "an index, the last action.)",
        weighed(
            lambda x: np.full((x.N, x.L), 1 / (x.N * x.L)),
            lambda x: (0 * x.t + 1) / x.T / x.N,
            lambda x: np.full((x.N, x.L), 1 / x.T.sum()),
            lambda x: np.full((x.N, x.L), 1 / x.N),
            lambda x: np.ones((x.N, x.L)),
        )
        + (as_action_0(lambda x: 1 / x.T / x.N + 0 * x.t), as_action_0(lambda x: np.full((x.N, x.L), 1 / (x.N * x.L))))
        + (q1(after=without_action),),
    ),
    Mistake(
        "divided by the padded length",
        "The padding does not count, and yet you divide by the length of the padded array. Divide by lengths[i].",
        weighed(lambda x: x.inside / (x.N * x.L), lambda x: x.inside / x.L, lambda x: x.inside / (x.N * x.T.max())),
    ),
    Mistake(
        "sum over the steps",
        f"Episodes are averaged and their steps are added up, so that a long one counts more. {EACH}",
        weighed(lambda x: x.inside / x.N),
    ),
    Mistake("sum over the episodes", f"Divide by their number too. {EACH}", weighed(lambda x: x.inside / x.T)),
    Mistake("sum over everything", EACH, weighed(lambda x: 1.0 * x.inside)),
    Mistake(
        "one step short",
        STEPS,
        weighed(
            lambda x: (x.t < x.T - 1) / x.T / x.N,
            lambda x: (x.t < x.T - 1) / np.maximum(x.T - 1, 1) / x.N,
            lambda x: (x.t > 0) * x.inside / x.T / x.N,
        ),
    ),
    Mistake(
        "one step too many",
        STEPS,
        weighed(lambda x: (x.t <= x.T) / x.T / x.N, lambda x: (x.t <= x.T) / (x.T + 1) / x.N),
    ),
    Mistake(
        "only one step of each episode",
        "Is something overwritten in a loop, where it should be added up?",
        weighed(
            lambda x: (x.t == x.T - 1) / x.N,
            lambda x: (x.t == x.T - 1) / x.T / x.N,
            lambda x: (x.t == 0) / x.N + 0 * x.T,
        ),
    ),
    Mistake(
        "only one episode",
        "Is something overwritten in a loop, or does `return` stand inside it?",
        weighed(
            lambda x: (np.arange(x.N)[:, None] == x.N - 1) * x.inside / x.T,
            lambda x: (np.arange(x.N)[:, None] == x.N - 1) * x.inside / x.T / x.N,
            lambda x: (np.arange(x.N)[:, None] == 0) * x.inside / x.T,
            lambda x: (np.arange(x.N)[:, None] == 0) * x.inside / x.T / x.N,
        ),
    ),
    Mistake(
        "wrong sign",
        "A likelihood wants to be large, a loss small: −log π is never negative.",
        (q1(cost=lambda log_π, y, z: (log_π * y).sum(-1)), loss_of(cost=lambda log_π, y, z: (log_π * y).sum(-1))),
    ),
    Mistake(
        "sign of the gradient",
        "Return ∇L itself, the way uphill. Whoever uses it will then *descend*.",
        pull(lambda π, y: y - π),
    ),
    Mistake(
        "log forgotten",
        "The loss is −log π(a|s). The probability itself hardly pulls where the policy is most wrong.",
        both_or_one(
            {"cost": lambda log_π, y, z: -(np.exp(log_π) * y).sum(-1)},
            {"cost": lambda log_π, y, z: 1 - (np.exp(log_π) * y).sum(-1)},
        ),
    ),
    Mistake(
        "0-1 loss",
        "Counting the states in which the likeliest action is wrong gives a loss without a slope. Its stand-in, which "
        "can be learned from, is −log π(a|s).",
        (
            loss_of(cost=misses),
            q1(cost=lambda *x: misses(*x) + 0 * x[2].sum(-1)),
            loss_of(cost=lambda *x: 1 - misses(*x)),
        ),
    ),
    Mistake(
        "squared error",
        "Squared differences of probabilities are Brier's score. Cloning by maximum likelihood costs −log π(a|s).",
        both_or_one(*({"cost": squared(f)} for f in (lambda A: 1, lambda A: 0.5, lambda A: 1 / A))),
    ),
    Mistake(
        "one against all",
        "Binary cross-entropies, one for each action, are for answers that may hold at once. The actions exclude each "
        "other: the cost of a step is −log π(a|s) and nothing more.",
        both_or_one({"cost": one_against_all}, {"cost": lambda *x: one_against_all(*x) / x[1].shape[-1]}),
    ),
    Mistake(
        "mean over the actions",
        "The indicator picks one action: the sum over actions has one term. Where does it get divided by A?",
        both_or_one({"cost": lambda log_π, y, z: -(log_π * y).mean(-1)}),
    ),
    Mistake(
        "the policy's own entropy",
        "−Σ_a π log π asks how random the policy is, and not what the expert did: where is actions[i, t]?",
        both_or_one({"cost": lambda log_π, y, z: -(np.exp(log_π) * log_π).sum(-1)}),
    ),
    Mistake(
        "no normaliser",
        "log π(a|s) is a logit *less* log Σ_b e^{logit b}: raising one probability lowers the others.",
        both_or_one({"cost": lambda log_π, y, z: -(z * y).sum(-1)}),
    ),
    Mistake(
        "log of the mean",
        "First the logarithm of every step, then the means: −log of the mean of π is smaller (Jensen).",
        both_or_one({"finish": of_mean_probability}, {"finish": of_mean_probabilities}),
    ),
    Mistake(
        "another base of the logarithm",
        "log is the natural logarithm: np.log, not np.log2 or np.log10.",
        both_or_one(*({"cost": lambda *x, base=base: surprise(*x) / np.log(base)} for base in (2, 10))),
    ),
    Mistake(
        "softmax twice",
        "The logits are obs @ θ. What goes into a log-softmax, or into torch's cross_entropy, is logits.",
        both_or_one({"log_policy": lambda z: of_actions(np.exp(of_actions(z)))}),
    ),
    Mistake(
        "the action of another step",
        "actions[i, t] belongs to obs[i, t]: is one of them shifted by a step?",
        both_or_one(*({"cost": lambda log_π, y, z, k=k: surprise(log_π, np.roll(y, k, -2), z)} for k in (1, -1))),
    ),
    Mistake(
        "a step taken for padding",
        "Action 0 is an action, and zeros can be seen. What comes after the end is told by lengths, or by actions < 0.",
        weighed(lambda x: x.inside * (x.actions > 0) / x.T / x.N)
        + (q1(weights=lambda x: x.inside * x.obs.any(-1) / x.T / x.N),),
    ),
    Mistake(
        "not added up",
        "The loss is one number, the mean over all episodes, and the gradient has the shape of θ.",
        (
            lambda **x: (alone(**x)[0], q1()(**x)[1]),
            lambda **x: (q1()(**x)[0], alone(**x)[1]),
            lambda **x: (q1()(**x)[0], alone(**x)[1] / len(x["lengths"])),
            alone,
        ),
    ),
    Mistake(
        "softmax over the wrong axis",
        "In every state the *actions* compete: the last axis of the logits. SciPy's softmax runs over the whole array "
        "if it is not told an axis.",
        over((-3, -2, -1), (-2,), (-3,), (-2, -1)),
    ),
    Mistake(
        "only the action taken",
        "Raising the logit of one action lowers the probabilities of all others. Their columns of the gradient are not "
        "0: ∂ log π(a|s)/∂ logit b = 1[a = b] − π(b|s).",
        pull(lambda π, y: -(1 - π) * y, lambda π, y: (π - 1) * y / π),
    ),
    Mistake(
        "half of the gradient",
        "∂(−log π(a|s))/∂ logit b = π(b|s) − 1[a = b]: where is the action that the expert took?",
        pull(lambda π, y: π),
    ),
    Mistake(
        "gradient in π, not in θ",
        "1/π is the derivative of log π by π. But π is a softmax of logits, and these are obs @ θ.",
        pull(lambda π, y: -y / π, lambda π, y: y / π),
    ),
    Mistake(
        "gradient in the logits, not in θ",
        "The logits are obs @ θ: multiply what you have by the observation, and add up over all steps.",
        q1(after=by_logits),
    ),
)

QUESTION = Question(
    "a6.q1",
    "A clone of episodes that differ in length",
    "Write the loss of behavioural cloning for padded episodes that count the same, and its gradient.",
    difficulty=2,
    minutes=25,
    points=3,
    arguments=("θ", "obs", "actions", "lengths"),
    outputs=(Output("loss"), Output("gradient", "da")),
    cases=cases,
    mistakes=MISTAKES,
)
