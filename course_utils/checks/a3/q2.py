"""a3.q2: One step of GAIL in a tabular world, exactly."""

from __future__ import annotations

from functools import partial

import numpy as np

from course_utils.checks.common import ALMOST, HUGE, SATURATED, TRUNCATED, WHOLE, certain, distributions, gaps, rewards
from course_utils.checks.core import Case, Mistake, Output, Question
from course_utils.checks.oracles import all_times, complex_step, held, log_sigmoid


def instance(w, φ, features, expert, P, p0, γ, λ, η, note=""):
    args = dict(w=w, φ=φ, features=features, expert=expert, P=P, p0=p0, γ=γ, λ=λ, η=η)
    return Case(args, q2()(**args), note)


def cases(rng):
    def world(S, A, K):
        γ = float(rng.choice([0.5, 0.75, 0.8]))
        λ, η = rng.permutation([0.2, 0.3, 0.4])[:2].tolist()
        expert = distributions(rng, S * A, least=0).reshape(S, A) / (1 - γ)
        w, φ, features = rewards(rng, K) + 0.5, rewards(rng, S, A), rewards(rng, S, A, K) / 2
        P, p0 = distributions(rng, S, A, S), distributions(rng, S)
        return dict(w=w, φ=φ, features=features, expert=expert, P=P, p0=p0, γ=γ, λ=λ, η=η)

    sizes = [(2, 2, 1), (2, 2, 2), (3, 2, 3), (4, 3, 2)]
    cases = [instance(**world(*size)) for size in sizes]
    x = world(3, 2, 3)
    whole = dict(
        w=rng.permutation([-1, 1, 1]),
        φ=rng.integers(-2, 3, (3, 2)),
        features=rng.integers(-1, 2, (3, 2, 3)),
        P=certain(rng, 3, 2, 3),
        p0=certain(rng, 3),
    )
    signs = np.array([[1, -1], [-1, 1], [1, 1]])
    strong = {"w": np.array([1000, *x["w"][1:]]), "features": np.dstack([signs, x["features"][..., 1:]])}
    cases += [
        instance(**x | {"P": gaps(rng, x["P"])}, note="some moves are impossible"),
        instance(**x | whole, note=f"{WHOLE} in w, φ, features, P and p0"),
        instance(**x | strong, note=f"{HUGE}: logits of D near ±1000"),
        instance(**x | {"φ": x["φ"] + np.array([[0, 1000]])}, note=f"{HUGE}: logits of π 1000 apart"),
    ]
    return cases


# The oracle: the definitions, differentiated by a complex step. Everything takes leading axes.


def log_policy(φ):
    level = np.real(φ).max(-1, keepdims=True)
    return φ - level - np.log(np.exp(φ - level).sum(-1, keepdims=True))


def visits(π, P, p0, γ):
    """d(s) = Σ_t γ^t Pr(s_t = s), shape (…, S)."""
    chain = (π[..., None] * P).sum(-2)
    return (p0[:, None] * all_times(γ * chain)).sum(-2)


def logit(w, features):
    return (w[..., None, None, :] * features).sum(-1)


def game(z, ρ_π, ρ_E):
    """The discriminator's objective, equation (3), for logits z (…, S, A)."""
    return (ρ_π * log_sigmoid(z) + ρ_E * log_sigmoid(-z)).sum((-2, -1))


def toll(φ, cost, P, p0, γ, λ):
    """The policy's objective, equation (4), for its logits φ (…, S, A)."""
    log_π = log_policy(φ)
    return (visits(np.exp(log_π), P, p0, γ)[..., None] * np.exp(log_π) * (cost + λ * log_π)).sum((-2, -1))


def downhill(φ, *game, toll=toll):
    """The gradient of the toll, (S, A)."""
    return complex_step(lambda x: toll(x.reshape(-1, *φ.shape), *game), φ.ravel()).reshape(φ.shape)


def q2(
    game=game,
    occupancies=lambda ρ, E, x: (ρ, E),
    climb=lambda η, slope: η * slope,
    seen=lambda new, old: new,
    cost=log_sigmoid,
    policy=log_policy,
    gradient=downhill,
    after=lambda w, cost, gradient, x: (w, cost, gradient),
    **change,
):
    """The oracle, or something wrong: an objective, the two occupancies, a step, a cost, an outcome or an argument."""

    def gives(**x):
        x = {k: np.asarray(y, dtype=float) for k, y in x.items()}
        x |= {k: f(x) for k, f in change.items()}
        w, φ, features, expert, P, p0, γ, λ, η = x.values()
        π = np.exp(policy(φ))
        both = occupancies(visits(π, P, p0, γ)[:, None] * π, expert, x)
        w_new = w + climb(η, complex_step(lambda w: game(logit(w, features), *both), w))
        c = cost(logit(seen(w_new, w), features))
        return after(w_new, c, gradient(φ, c, P, p0, γ, λ), x)

    return gives


# What goes wrong, from the most to the least specific, recomputed from the slow oracle.


def swapped(ρ, E, x):
    return E, ρ


def sigmoid(z):
    return np.exp(log_sigmoid(z))


def scaled(new, policy, gradient):
    """Occupancies that sum to one: the expert's, the policy's, or the one in the gradient."""

    def share(yes, x):
        return 1 - x["γ"] if yes else 1.0

    return q2(
        occupancies=lambda ρ, E, x: (ρ * share(policy, x), E * share(new, x)),
        after=lambda w, c, g, x: (w, c, g * share(gradient, x)),
    )


def pieces(combine, log_policy=log_policy):
    """A gradient put together from d (S, 1), π, Q and V (S, 1) of the policy, and from the arguments."""

    def gradient(φ, cost, P, p0, γ, λ):
        log_π = log_policy(φ)
        π = np.exp(log_π)
        now = cost + λ * log_π
        V = all_times(γ * (π[..., None] * P).sum(1)) @ (π * now).sum(1)
        d, x = (
            visits(π, P, p0, γ)[:, None],
            dict(now=now, cost=cost, ahead=P @ V, p0=p0[:, None], γ=γ, λ=λ, log_π=log_π),
        )
        return combine(d, π, now + γ * P @ V, V[:, None], x)

    return gradient


def centred(π, Q):
    return π * (Q - (π * Q).sum(1, keepdims=True))


def over_all(φ):
    return log_policy(φ.ravel()).reshape(φ.shape)


def over_states(φ):
    return log_policy(φ.T).T


def without_a_future(φ, cost, P, p0, γ, λ):
    log_π = log_policy(φ)
    d = held(visits(np.exp(log_π), P, p0, γ))
    return (d[..., None] * np.exp(log_π) * (cost + λ * log_π)).sum((-2, -1))


def entropy_without_a_future(φ, cost, P, p0, γ, λ):
    return toll(φ, cost, P, p0, γ, 0) + without_a_future(φ, 0, P, p0, γ, λ)


MISTAKES = (
    ALMOST,
    TRUNCATED,
    SATURATED,
    Mistake(
        "labels swapped",
        "Your step moves D towards 1 on the *expert*, and then you charge log D: the policy is driven away from the "
        "expert. In the paper's convention, equation (3), D → 1 is the policy. Which E has log D in it?",
        (
            q2(occupancies=swapped),
            q2(occupancies=swapped, cost=lambda z: -log_sigmoid(-z)),
            q2(occupancies=swapped, cost=lambda z: log_sigmoid(z) - log_sigmoid(-z)),
        ),
    ),
    Mistake(
        "the other convention",
        "Your D → 1 is the expert, and your cost fits to that: a sound algorithm, not the one of (3). There D → 1 is "
        "the policy and the cost is log D.",
        (
            q2(occupancies=swapped, cost=lambda z: log_sigmoid(-z)),
            q2(occupancies=swapped, cost=lambda z: -log_sigmoid(z)),
            q2(occupancies=swapped, cost=lambda z: log_sigmoid(-z) - log_sigmoid(z)),
        ),
    ),
    Mistake(
        "descent of the discriminator",
        "The discriminator maximises (3): w goes up the slope.",
        q2(climb=lambda η, slope: -η * slope),
    ),
    Mistake("step size ignored", "The step is η times the gradient.", q2(climb=lambda η, slope: slope)),
    Mistake(
        "σ and 1 − σ swapped",
        "The derivative of log σ(x) is 1 − σ(x), that of log(1 − σ(x)) is −σ(x): a pair that D takes for what it is "
        "pulls no more.",
        q2(game=lambda z, ρ_π, ρ_E: -game(z, ρ_E, ρ_π)),
    ),
    Mistake(
        "log forgotten",
        "A factor D(1 − D) is the derivative of D. Equation (3) has log D.",
        q2(game=lambda z, ρ_π, ρ_E: (ρ_π * sigmoid(z) + ρ_E * sigmoid(-z)).sum((-2, -1))),
    ),
    Mistake(
        "half of the game",
        "The discriminator sees both: the policy's pairs and the expert's.",
        (q2(occupancies=lambda ρ, E, x: (ρ, 0 * E)), q2(occupancies=lambda ρ, E, x: (0 * ρ, E))),
    ),
    Mistake(
        "sigmoid twice",
        "D = σ(w·f), once. What goes into log σ is the logit w·f, not D.",
        (
            q2(cost=lambda z: log_sigmoid(sigmoid(z))),
            q2(
                game=lambda z, *both: game(sigmoid(z), *both),
                cost=lambda z: log_sigmoid(sigmoid(z)),
            ),
            q2(
                game=lambda z, *both: game(held(sigmoid(z) - z) + z, *both),
                cost=lambda z: log_sigmoid(sigmoid(z)),
            ),
        ),
    ),
    Mistake(
        "occupancies normalised",
        "An occupancy measure counts visits, Σ_t γ^t Pr(s_t = s, a_t = a): it sums to 1/(1 − γ), for the policy as for "
        "the expert's table that you are given. Nothing here is divided by its sum.",
        tuple(
            scaled(*which)
            for which in (
                (False, True, False),
                (False, True, True),
                (True, True, False),
                (True, True, True),
                (False, False, True),
                (True, False, False),
            )
        ),
    ),
    Mistake(
        "mean over the table",
        "E_ρ is a sum weighted by ρ: nothing divides by the number of states and actions.",
        (
            q2(occupancies=lambda ρ, E, x: (ρ / ρ.size, E / E.size)),
            q2(occupancies=lambda ρ, E, x: (ρ / ρ.size, E / E.size), after=lambda w, c, g, x: (w, c, g / g.size)),
        ),
    ),
    Mistake(
        "occupancy of states only",
        "ρ_π(s, a) = d(s) π(a|s): every pair has its own weight.",
        (
            q2(occupancies=lambda ρ, E, x: (ρ.sum(1, keepdims=True) + 0 * E, E)),
            q2(occupancies=lambda ρ, E, x: (ρ.sum(1, keepdims=True) + 0 * E, E.sum(1, keepdims=True) + 0 * E)),
        ),
    ),
    Mistake(
        "cost of the old discriminator",
        "First the discriminator steps, then the policy is charged by the *new* one.",
        q2(seen=lambda new, old: old),
    ),
    Mistake(
        "reward, not cost",
        "log D is what the policy *pays* where D takes it for itself. You return −log D.",
        (
            q2(cost=lambda z: -log_sigmoid(z)),
            q2(after=lambda w, c, g, x: (w, -c, g)),
        ),
    ),
    Mistake(
        "log(1 − D), not log D",
        "Where D is near 1 the policy has been caught, and should pay more. In which term of (3) is the policy?",
        (q2(cost=lambda z: log_sigmoid(-z)), q2(cost=lambda z: -log_sigmoid(-z))),
    ),
    Mistake(
        "D or its logit, not log D",
        "The cost is log D(s, a): not D itself, nor log D − log(1 − D), which is AIRL's reward.",
        (q2(cost=sigmoid), q2(cost=lambda z: z), q2(cost=lambda z: -z)),
    ),
    Mistake(
        "cost and gradient swapped",
        "Return (w, cost, gradient) in this order.",
        q2(after=lambda w, c, g, x: (w, g, c)),
    ),
    Mistake(
        "entropy missing",
        "The policy also pays λ log π(a|s) at every step, or it would become deterministic.",
        q2(λ=lambda x: 0.0),
    ),
    Mistake(
        "wrong sign of the entropy",
        "(4) is minimised, and entropy is wanted: −λH = +λ E log π.",
        q2(λ=lambda x: -x["λ"]),
    ),
    Mistake("λ forgotten", "How much the entropy counts is the argument λ.", q2(λ=lambda x: 1.0)),
    Mistake(
        "entropy of the present only",
        "An action decides where the agent will be, and so how random it will be there: λ log π belongs into every "
        "step of Q, like the cost.",
        q2(gradient=partial(downhill, toll=entropy_without_a_future)),
    ),
    Mistake(
        "entropy of the future only",
        "The entropy of the very step is missing from Q(s, a): it counts λ log π(a|s) too.",
        (
            q2(gradient=pieces(lambda d, π, Q, V, x: d * centred(π, Q - x["λ"] * x["log_π"]))),
            q2(gradient=pieces(lambda d, π, Q, V, x: d * π * (Q - x["λ"] * x["log_π"] - V))),
        ),
    ),
    Mistake(
        "no future",
        "An action is charged for all that follows from it, not for its own step alone: Q(s, a) looks ahead.",
        (
            q2(gradient=partial(downhill, toll=without_a_future)),
            q2(gradient=pieces(lambda d, π, Q, V, x: d * π * x["now"])),
            q2(gradient=pieces(lambda d, π, Q, V, x: d * π * (x["now"] - V))),
        ),
    ),
    Mistake(
        "γ missing in Q",
        "What comes one step later counts γ times.",
        (
            q2(gradient=pieces(lambda d, π, Q, V, x: d * centred(π, x["now"] + x["ahead"]))),
            q2(gradient=pieces(lambda d, π, Q, V, x: d * π * (x["now"] + x["ahead"] - V))),
        ),
    ),
    Mistake(
        "only the first state",
        "The policy acts in every state that it comes to: weigh the states by d(s) = Σ_t γ^t Pr(s_t = s), not by p0.",
        (
            q2(gradient=pieces(lambda d, π, Q, V, x: x["p0"] * π * (Q - V))),
            q2(gradient=pieces(lambda d, π, Q, V, x: π * (Q - V))),
        ),
    ),
    Mistake(
        "Q without its mean",
        "φ is the logits of a softmax: raising one probability lowers the others. ∂log π(b|s)/∂φ(s, a) = 1[a = b] − "
        "π(a|s).",
        (
            q2(gradient=pieces(lambda d, π, Q, V, x: d * π * Q)),
            q2(gradient=pieces(lambda d, π, Q, V, x: -d * π * Q)),
        ),
    ),
    Mistake(
        "gradient in π, not in φ",
        "∂J/∂π(a|s) is d(s) Q(s, a), but the policy's parameters are the logits φ, with π = softmax(φ).",
        (
            q2(gradient=pieces(lambda d, π, Q, V, x: d * Q)),
            q2(gradient=pieces(lambda d, π, Q, V, x: d * (Q - V))),
            q2(gradient=pieces(lambda d, π, Q, V, x: d * (Q + x["λ"]))),
        ),
    ),
    Mistake(
        "sign of the policy's gradient",
        "Return ∇J itself. The policy will then *descend* it.",
        q2(after=lambda w, c, g, x: (w, c, -g)),
    ),
    Mistake(
        "softmax over the wrong axis",
        "In every state the *actions* compete: softmax(φ, axis=1). SciPy's softmax runs over the whole array if it is "
        "not told an axis.",
        tuple(q2(policy=f, gradient=pieces(lambda d, π, Q, V, x: d * π * (Q - V), f)) for f in (over_all, over_states)),
    ),
    Mistake(
        "P transposed",
        "The axes are P[s, a, s'].",
        q2(P=lambda x: x["P"].swapaxes(0, 2)),
    ),
    Mistake("uniform start", "Episodes start from p0.", q2(p0=lambda x: np.full(len(x["p0"]), 1 / len(x["p0"])))),
)

QUESTION = Question(
    "a3.q2",
    "One step of GAIL",
    "Step a discriminator uphill, charge the policy by it, and differentiate what the policy pays.",
    difficulty=3,
    minutes=45,
    points=4,
    arguments=("w", "φ", "features", "expert", "P", "p0", "γ", "λ", "η"),
    outputs=(Output("w", "k"), Output("cost", "sa"), Output("gradient", "sa")),
    cases=cases,
    mistakes=MISTAKES,
)
