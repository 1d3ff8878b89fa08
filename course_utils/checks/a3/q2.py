"""a3.q2: One step of GAIL in a tabular world, exactly."""

from __future__ import annotations

from functools import partial

import numpy as np

from course_utils.checks.a3.game import (
    against,
    centred,
    downhill,
    entropy_twice_weighed,
    entropy_without_a_future,
    game,
    gradient_against,
    log_policy,
    over_all,
    over_states,
    paying_entropy_twice_weighed,
    pieces,
    q2,
    scaled,
    sigmoid,
    swapped,
    without_a_future,
)
from course_utils.checks.common import ALMOST, HUGE, SATURATED, TRUNCATED, WHOLE, certain, distributions, gaps, rewards
from course_utils.checks.core import Case, Mistake, Output, Question
from course_utils.checks.oracles import held, log_sigmoid


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


# What goes wrong, from the most to the least specific, recomputed from the slow oracle.

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
        "D missing from the step",
        "Each pair pulls as hard as D is wrong about it: by 1 − D where the policy is, by D where the expert is. The "
        "plain difference of the occupancies is the step of a *linear* game (apprenticeship learning).",
        (
            q2(game=lambda z, ρ_π, ρ_E: (z * (ρ_π - ρ_E)).sum((-2, -1))),
            q2(game=lambda z, ρ_π, ρ_E: (z * (ρ_E - ρ_π)).sum((-2, -1))),
        ),
    ),
    Mistake(
        "derivative of D forgotten",
        "1/D is the derivative of log D by D. But D = σ(w·f), whose derivative by the logit is D(1 − D).",
        q2(game=lambda z, ρ_π, ρ_E: (z * held(ρ_π / sigmoid(z) - ρ_E / sigmoid(-z))).sum((-2, -1))),
    ),
    Mistake(
        "sign of one term",
        "The derivative of log σ(x) is 1 − σ(x), that of log(1 − σ(x)) is −σ(x): the policy and the expert pull w in "
        "opposite directions.",
        (
            q2(occupancies=lambda ρ, E, x: (ρ, -E)),
            q2(occupancies=lambda ρ, E, x: (-ρ, E)),
        ),
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
        "First the discriminator steps, then the policy is charged by the *new* one: in the cost, and in the gradient.",
        (
            q2(seen=lambda new, old: old),
            lambda **x: (*q2()(**x)[:2], q2(seen=lambda new, old: old)(**x)[2]),
            lambda **x: (q2()(**x)[0], q2(seen=lambda new, old: old)(**x)[1], q2()(**x)[2]),
        ),
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
        "old w returned",
        "Return the new w: the old one plus η times the gradient.",
        (
            q2(after=lambda w, c, g, x: (x["w"], c, g)),
            q2(after=lambda w, c, g, x: (w - x["w"], c, g)),
            q2(after=lambda w, c, g, x: ((w - x["w"]) / x["η"], c, g)),
        ),
    ),
    Mistake(
        "entropy in the cost",
        "The cost that is returned is log D alone. The entropy belongs to what the gradient is of.",
        q2(after=lambda w, c, g, x: (w, c + x["λ"] * log_policy(x["φ"]), g)),
    ),
    Mistake(
        "π twice in the entropy",
        "What is paid for an action is λ log π(a|s). That an action happens with probability π(a|s) is in the "
        "expectation already.",
        (
            q2(gradient=partial(downhill, toll=entropy_twice_weighed)),
            q2(gradient=paying_entropy_twice_weighed),
        ),
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
            q2(gradient=pieces(lambda d, π, Q, V, x: d * π * (Q - Q.mean(1, keepdims=True)))),
            q2(gradient=pieces(lambda d, π, Q, V, x: d * π * (Q + x["λ"] - V))),
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
        "visits against the moves",
        "Visits flow with the moves: d(s') = p0(s') + γ Σ_s d(s) P_π(s'|s), so it is the *transpose* of P_π that "
        "stands in their linear system. (Values flow back, with P_π itself.)",
        (
            q2(occupancies=lambda ρ, E, x: (against(x["φ"], x["P"], x["p0"], x["γ"]) * np.exp(log_policy(x["φ"])), E)),
            q2(
                occupancies=lambda ρ, E, x: (
                    against(x["φ"], x["P"], x["p0"], x["γ"]) * np.exp(log_policy(x["φ"])),
                    E,
                ),
                gradient=gradient_against,
            ),
        ),
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
