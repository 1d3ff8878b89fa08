"""a2.q1: The gradient of KL(policy ‖ target), with a reference policy and a temperature."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from course_utils.checks import oracles
from course_utils.checks.common import ALMOST, HUGE, OVERFLOW, TRUNCATED, WHOLE, distributions, gaps, rewards
from course_utils.checks.core import Case, Mistake, Output, Question

IMPOSSIBLE = "some moves are impossible"


def sessions(S, A, horizon):
    """All (s_0 … s_H), shape (N, H+1), and (a_0 … a_{H−1}), shape (N, H), that start in state 0."""
    steps = np.indices((A, S) * horizon).reshape(2 * horizon, -1).T
    states = np.concatenate([np.zeros((len(steps), 1), dtype=int), steps[:, 1::2]], axis=1)
    return states, steps[:, ::2]


def divergence(log_p, log_target):
    """KL(p ‖ p*) for log p and the log of an unnormalised p*, both (…, N)."""
    return (np.exp(log_p) * (log_p - log_target + oracles.log_sum(log_target)[..., None])).sum(-1)


def instance(base, ref, P, r, f, horizon, α, note=""):
    """The policies π_φ(a|s) ∝ base(a|s) e^{φ·f(s,a)}, differentiated at φ = 0, where π_φ is base."""
    S, A = base.shape
    states, actions = sessions(S, A, horizon)
    s, a, there = states[:, :-1], actions, states[:, 1:]
    possible = (P[s, a, there] > 0).all(1)
    log_P = np.log(P[s, a, there][possible]).sum(1)

    def kl(φ):
        log_π = np.log(base) + np.einsum("...k,sak->...sa", φ, f)
        log_π = log_π - oracles.log_sum(log_π)[..., None]
        log_target = np.log(ref[s, a]).sum(1) + r[s, a].sum(1) / α
        return divergence(log_P + log_π[..., s, a].sum(-1)[..., possible], log_P + log_target[possible])

    score = f - (base[..., None] * f).sum(1, keepdims=True)
    args = dict(policy=base[s, a], ref=ref[s, a], moves=P[s, a, there], rewards=r[s, a], score=score[s, a], α=α)
    return Case(args, oracles.complex_step(kl, np.zeros(f.shape[-1])), note)


def cases(rng):
    def world(S, A, K):
        tables = (distributions(rng, S, A, least=2) for _ in range(2))
        return [*tables, distributions(rng, S, A, S), rewards(rng, S, A), rng.integers(-2, 3, size=(S, A, K))]

    α = rng.permutation([0.25, 0.4, 0.5, 2.0, 2.5, 3.0])
    cases = [
        instance(*world(S, A, K), H, float(α[i % 6]))
        for i, (S, A, K, H) in enumerate(
            [(2, 2, 2, 1), (2, 2, 3, 2), (2, 3, 2, 2), (3, 2, 3, 2), (2, 2, 4, 3), (3, 3, 2, 2), (1, 4, 3, 3)]
        )
    ]
    base, ref, P, r, f = world(2, 3, 3)
    cases += [
        instance(base, ref, gaps(rng, P), r, f, 2, 0.5, IMPOSSIBLE),
        instance(base, ref, P, rng.integers(-2, 3, size=(2, 3)), f, 2, 2, f"{WHOLE} in rewards and α"),
        instance(base, ref, P, r + 1000, f, 2, 0.5, f"{HUGE}: near 1000"),
        instance(base, ref, P, r - 1000, f, 2, 0.5, f"{HUGE}: near -1000"),
    ]
    return cases


# What goes wrong, from the most to the least specific. Each returns the sum over sessions of
# chance (N,) · Σ_t weight (N, H) · Σ_t score (N, H, K), with one of the three changed.


def chance(x):
    return (x.moves * x.policy).prod(1)


def target(x):
    log_p = np.log(x.moves * x.ref).sum(1) + x.rewards.sum(1) / x.α
    return np.exp(log_p - oracles.log_total(log_p))


def whole(p, weight, score):
    return p @ (weight.sum(1)[:, None] * score.sum(1))


def log_ratio(x):
    return np.log(x.policy / x.ref)


def q1(weight, p=chance, combine=whole):
    return lambda **args: combine(
        p(SimpleNamespace(**args)), weight(SimpleNamespace(**args)), SimpleNamespace(**args).score
    )


def right(x):
    return log_ratio(x) - x.rewards / x.α


def each(*weights, **more):
    return tuple(q1(weight, **more) for weight in weights)


def of_session(f):
    """A weight that is not a sum over steps: f of the session's log π, log ref, log P, R/α and of x."""
    return lambda x: f(*(np.log(y).sum(1) for y in (x.policy, x.ref, x.moves)), x.rewards.sum(1) / x.α, x)[:, None]


def value(**args):
    x = SimpleNamespace(**args)
    return divergence(np.log(chance(x)), np.log(x.moves * x.ref).sum(1) + x.rewards.sum(1) / x.α)


def to_go(weight):
    """The sum from each step on."""
    return weight[:, ::-1].cumsum(1)[:, ::-1]


def step_by_step(p, weight, score):
    return np.einsum("n,nt,ntk->k", p, weight, score)


def to_go_after(p, weight, score):
    return step_by_step(p, to_go(weight) - weight, score)


MISTAKES = (
    ALMOST,
    TRUNCATED,
    OVERFLOW,
    Mistake(
        "impossible moves",
        "Only the instance in which some moves have probability 0 is wrong. There log P = −inf, and inf − inf is not a "
        "number. What cancels on paper is best left out.",
        when=lambda case, outputs: case.note == IMPOSSIBLE,
    ),
    Mistake(
        "entropy forgotten",
        "Where is the entropy? E[score] = 0, so the 1 in (1 + R) does nothing: what is missing is log π. Without it "
        "nothing keeps the policy from putting all its mass on one session.",
        each(
            lambda x: -x.rewards / x.α,
            lambda x: -x.rewards,
            lambda x: -x.rewards / x.α - np.log(x.ref),
            lambda x: -x.rewards - np.log(x.ref),
            lambda x: x.rewards / x.α,
            lambda x: x.rewards,
            lambda x: x.rewards / x.α + np.log(x.ref),
        ),
    ),
    Mistake(
        "reward forgotten",
        "Where is the reward? The weight is log p_φ − log p*, and log p* holds R/α.",
        each(log_ratio, lambda x: -log_ratio(x), lambda x: np.log(x.policy), lambda x: -np.log(x.policy)),
    ),
    Mistake(
        "dynamics in the weight",
        "log P stands in log p_φ and in log p*: in the ratio it cancels. (How often a session happens is another "
        "matter: there P belongs.)",
        each(
            lambda x: right(x) + np.log(x.moves),
            lambda x: right(x) - np.log(x.moves),
            lambda x: np.log(x.policy * x.moves) - x.rewards / x.α,
            lambda x: np.log(x.policy * x.moves) - x.rewards,
        ),
    ),
    Mistake(
        "wrong sign",
        "This is the direction in which the divergence falls. The question asks for its gradient.",
        q1(lambda x: -right(x)),
    ),
    Mistake(
        "reference with the wrong sign",
        "log p*(τ) = … + log ref + R/α, and the weight is log p_φ − log p*.",
        q1(lambda x: np.log(x.policy * x.ref) - x.rewards / x.α),
    ),
    Mistake(
        "the weight of the lecture",
        "log π − R belongs to the target e^R. What is log p* here? There is a reference policy, and a temperature.",
        each(lambda x: np.log(x.policy) - x.rewards, lambda x: x.rewards - np.log(x.policy)),
    ),
    Mistake(
        "reference ignored",
        "The target holds ref(a|s) as a factor: where is log ref?",
        each(lambda x: np.log(x.policy) - x.rewards / x.α, lambda x: x.α * np.log(x.policy) - x.rewards),
    ),
    Mistake(
        "temperature ignored",
        "The exponent of the target is R/α.",
        q1(lambda x: log_ratio(x) - x.rewards),
    ),
    Mistake(
        "signs in the weight",
        "The policy's own logarithm counts with plus, and everything that belongs to log p* with minus.",
        each(
            lambda x: log_ratio(x) + x.rewards / x.α,
            lambda x: -log_ratio(x) - x.rewards / x.α,
            lambda x: -np.log(x.policy) - x.rewards / x.α,
            lambda x: np.log(x.policy) + x.rewards / x.α,
            lambda x: -np.log(x.policy * x.ref) - x.rewards / x.α,
        ),
    ),
    Mistake(
        "α times the gradient",
        "This is the gradient of α·KL, up or down: of expected reward less α times the divergence from the habit. The "
        "question asks for that of KL.",
        each(lambda x: x.α * log_ratio(x) - x.rewards, lambda x: x.rewards - x.α * log_ratio(x)),
    ),
    Mistake(
        "temperature misplaced",
        "The temperature divides the reward, and nothing else.",
        each(
            lambda x: log_ratio(x) - x.α * x.rewards,
            lambda x: (log_ratio(x) - x.rewards) / x.α,
            lambda x: log_ratio(x) / x.α - x.rewards,
            lambda x: x.α * np.log(x.policy) - np.log(x.ref) - x.rewards,
            lambda x: np.log(x.policy) - (np.log(x.ref) + x.rewards) / x.α,
            lambda x: np.log(x.policy) - np.log(x.ref) / x.α - x.rewards,
            lambda x: x.α * np.log(x.policy) - np.log(x.ref) - x.rewards / x.α,
        ),
    ),
    Mistake(
        "quotient of logarithms",
        "KL is E[log(p/p*)]: the logarithm of a ratio, log p − log p*. It is not log p / log p*, which would be 1 and "
        "not 0 for equal p.",
        each(
            of_session(lambda π, ref, P, R, x: π / (ref + R)),
            of_session(lambda π, ref, P, R, x: (P + π) / (P + ref + R)),
            of_session(lambda π, ref, P, R, x: (P + π) / (P + ref + R - oracles.log_total(P + ref + R))),
            of_session(lambda π, ref, P, R, x: π / (ref + R - oracles.log_total(P + ref + R))),
        ),
    ),
    Mistake(
        "logarithm forgotten",
        "It is log π and log ref that add up along a session, not the probabilities.",
        each(
            lambda x: x.policy - x.ref - x.rewards / x.α,
            lambda x: x.policy / x.ref - x.rewards / x.α,
            of_session(lambda π, ref, P, R, x: np.exp(π - ref) - R),
            of_session(lambda π, ref, P, R, x: np.exp(π) - np.exp(ref) - R),
            of_session(lambda π, ref, P, R, x: np.exp(P + π) / target(x)),
        ),
    ),
    Mistake(
        "KL the wrong way round",
        "KL(p_φ ‖ p*) is an expectation under the policy p_φ. What you have is the gradient of KL(p* ‖ p_φ): minus the "
        "target's expected score, or the opposite.",
        each(*(lambda x, k=k: k / x.rewards.shape[1] + 0 * x.rewards for k in (-1.0, 1.0)), p=target),
    ),
    Mistake(
        "expectation under another policy",
        "The expectation in KL(p_φ ‖ p*) is over sessions of π_φ.",
        (
            *each(right, p=target),
            *each(right, p=lambda x: (x.moves * x.ref).prod(1)),
            *each(right, p=lambda x: x.moves.prod(1)),
        ),
    ),
    Mistake(
        "sessions counted alike",
        "The rows are all the sessions there are, each of them once. They do not happen equally often: weigh each with "
        "its probability under the policy.",
        (
            *each(right, p=lambda x: np.full(len(x.rewards), 1 / len(x.rewards))),
            *each(right, p=lambda x: np.ones(len(x.rewards))),
        ),
    ),
    Mistake(
        "dynamics missing from the expectation",
        "The probability of a session is Π_t π(a_t|s_t) P(s_{t+1}|s_t, a_t). P cancels in the weight, not there.",
        (
            *each(right, p=lambda x: x.policy.prod(1)),
            *each(right, p=lambda x: x.policy.prod(1) / x.policy.prod(1).sum()),
        ),
    ),
    Mistake(
        "probabilities added up",
        "The probability of a session is the *product* of the probabilities of its steps.",
        (*each(right, p=lambda x: (x.moves * x.policy).sum(1)), *each(right, p=lambda x: (x.moves * x.policy).mean(1))),
    ),
    Mistake(
        "sessions weighed twice",
        "An expectation is Σ p(τ) w(τ) score(τ): the probability stands in it once.",
        q1(right, p=lambda x: chance(x) ** 2),
    ),
    Mistake(
        "score multiplied by π",
        "score is ∇ log π already, and the probability of the whole session weighs it. π ∇ log π is ∇π.",
        lambda **x: q1(right)(**x | {"score": x["score"] * x["policy"][..., None]}),
    ),
    Mistake(
        "divided by the number of sessions",
        "An expectation is the sum of probability times value. Nothing is left to be averaged.",
        q1(right, p=lambda x: chance(x) / len(x.rewards)),
    ),
    Mistake(
        "later steps forgotten",
        "An action changes what comes after it, the rewards and also log π and log ref. Its score is multiplied by the "
        "weights of its own step and of all later ones (or simply by the whole session's).",
        (
            q1(right, combine=step_by_step),
            q1(lambda x: log_ratio(x) - to_go(x.rewards / x.α), combine=step_by_step),
            q1(lambda x: to_go(log_ratio(x)) - x.rewards / x.α, combine=step_by_step),
        ),
    ),
    Mistake(
        "own step forgotten",
        "What an action costs at once belongs to its weight too: sum from t on, not from t + 1 on.",
        q1(right, combine=to_go_after),
    ),
    Mistake(
        "averaged over steps",
        "log π(τ), log ref(τ) and R(τ) are sums over the steps of a session, and so is its score.",
        (
            *(q1(lambda x, k=k: right(x) / x.rewards.shape[1] ** k) for k in (1, 2)),
            q1(lambda x: log_ratio(x) / x.rewards.shape[1] - x.rewards / x.α),
            q1(lambda x: log_ratio(x) - x.rewards / x.rewards.shape[1] / x.α),
        ),
    ),
    Mistake(
        "score of one step",
        "The score of a session is the sum of its steps' scores.",
        tuple(q1(right, combine=lambda p, w, score, i=i: whole(p, w, score[:, i : i + 1 or None])) for i in (0, -1)),
    ),
    Mistake(
        "one number for each session",
        "The gradient has one number for each parameter: multiply the weights with the scores, and take the "
        "expectation over sessions.",
        (
            lambda **x: right(SimpleNamespace(**x)).sum(1),
            lambda **x: chance(SimpleNamespace(**x)) * right(SimpleNamespace(**x)).sum(1),
            lambda **x: -right(SimpleNamespace(**x)).sum(1),
        ),
    ),
    Mistake(
        "one row for each session",
        "Take the expectation: the sum over sessions of probability times weight times score.",
        (
            q1(right, combine=lambda p, w, score: w.sum(1)[:, None] * score.sum(1)),
            q1(right, combine=lambda p, w, score: (p * w.sum(1))[:, None] * score.sum(1)),
        ),
    ),
    Mistake(
        "the divergence, not its gradient",
        "Return the derivative by φ, one number for each parameter.",
        (value, lambda **x: chance(SimpleNamespace(**x)) @ right(SimpleNamespace(**x)).sum(1)),
    ),
)

QUESTION = Question(
    "a2.q1",
    "The gradient of the divergence from a target",
    "Derive the weight in the policy gradient of guided cost learning, for a target with a habit and a temperature.",
    difficulty=2,
    minutes=30,
    points=3,
    arguments=("policy", "ref", "moves", "rewards", "score", "α"),
    outputs=(Output("gradient", "k"),),
    cases=cases,
    mistakes=MISTAKES,
)
