"""One step of GAIL by its definitions, with parts that can be replaced: the oracle of a3.q2, and its known mistakes."""

from __future__ import annotations

import numpy as np

from course_utils.checks.oracles import all_times, complex_step, held, log_sigmoid

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


def against(φ, P, p0, γ):
    """What the visits would be if every move went backward, (S, 1)."""
    chain = (np.exp(log_policy(φ))[..., None] * P).sum(1)
    return (all_times(γ * chain) @ p0)[:, None]


def gradient_against(φ, cost, P, p0, γ, λ):
    d = against(φ, P, p0, γ)
    return pieces(lambda _, π, Q, V, x: d * π * (Q - V))(φ, cost, P, p0, γ, λ)


def entropy_twice_weighed(φ, cost, P, p0, γ, λ):
    log_π = log_policy(φ)
    return toll(φ, cost, P, p0, γ, 0) + toll(φ, λ * np.exp(log_π) * log_π, P, p0, γ, 0)


def paying_entropy_twice_weighed(φ, cost, P, p0, γ, λ):
    log_π = log_policy(φ)
    return pieces(lambda d, π, Q, V, x: d * π * (Q - V))(φ, cost + λ * (np.exp(log_π) - 1) * log_π, P, p0, γ, λ)


def without_a_future(φ, cost, P, p0, γ, λ):
    log_π = log_policy(φ)
    d = held(visits(np.exp(log_π), P, p0, γ))
    return (d[..., None] * np.exp(log_π) * (cost + λ * log_π)).sum((-2, -1))


def entropy_without_a_future(φ, cost, P, p0, γ, λ):
    return toll(φ, cost, P, p0, γ, 0) + without_a_future(φ, 0, P, p0, γ, λ)
