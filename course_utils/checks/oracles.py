"""Slow, independent ways to the numbers that assignments ask for: enumeration, numerical optimisation, differences.

None of them is the method that a student is asked to write: they go back to the definitions.
"""

from __future__ import annotations

import numpy as np

MOST = 10**7  # things to enumerate: beyond this an enumeration is refused, before the memory is gone


def sessions(next_state, r, start, horizon):
    """Every session of a deterministic world: rewards (A^H,) and the states s_0 … s_H, shape (H+1, A^H)."""
    A = r.shape[1]
    if horizon > 60 or A**horizon > MOST:
        raise ValueError(f"{A}^{horizon} sessions are too many to enumerate")
    plans = np.indices((A,) * horizon).reshape(horizon, A**horizon)
    states, R = [np.full(A**horizon, start)], np.zeros(A**horizon)
    for a in plans:
        R = R + r[states[-1], a]
        states.append(next_state[states[-1], a])
    return R, np.array(states)


def log_total(x) -> float:
    """log Σ e^x, by sorting and adding from the smallest."""
    x = np.sort(np.asarray(x, dtype=float))
    return float(x[-1] + np.log(np.exp(x - x[-1]).sum()))


def expectation(P, V):
    """Σ_s' P[s,a,s'] V[…,s'], shape (…,S,A)."""
    return (P @ V[..., None, :, None])[..., 0]


def optimist(P, V):
    """log Σ_s' P[s,a,s'] e^V[…,s']: a wrong idea of what comes next, as if the agent could choose its luck."""
    top = V.max(-1, keepdims=True)
    return np.log(expectation(P, np.exp(V - top))) + top[..., None]


def best_response(q, ref):
    """max_p Σ_a p_a (q_a − log(p_a / ref_a)) over distributions p, and the maximiser; last axis a.

    Newton's method on the definition: the Hessian is −diag(1/p), so a step multiplies p_a by one plus its slope less
    the mean slope. It is damped so as to stay inside the simplex. Raises ValueError for q that is not finite,
    RuntimeError without convergence.
    """
    if not np.isfinite(q).all():
        raise ValueError("best_response needs finite q")
    level = q.max(-1, keepdims=True)  # adds to the maximum and leaves the maximiser alone
    gain = q - level + np.log(np.where(ref > 0, ref, 1.0))
    p = np.broadcast_to(ref, q.shape)
    for _ in range(1000):
        p = np.where(p > 1e-250, p / p.sum(-1, keepdims=True), 0.0)
        inside = p > 0
        slope = np.where(inside, gain - np.log(np.where(inside, p, 1.0)), 0.0)
        value = (p * slope).sum(-1, keepdims=True)
        step = np.where(inside, slope - value, 0.0)
        if np.abs(step).max() <= 1e-9:  # the next step would be of its square
            return (value + level)[..., 0], p
        p = p * (1 + step / np.maximum(1, -step.min(-1, keepdims=True) / 0.99))
    raise RuntimeError("best_response did not converge")


def plan(P, r, ref, horizon, ahead=expectation, best=best_response):
    """Values W[n,…,s] with n actions to go and policies p[n,…,s,a] for the first of n actions (n = 1 … horizon).

    Maximises E Σ r − KL(π‖ref) by the principle of optimality; r may have leading axes. `ahead(P, V)` and
    `best(q, ref)` can be replaced, to see what a wrong idea would give.
    """
    W, policies = [np.zeros(r.shape[:-1])], [None]
    for _ in range(horizon):
        value, p = best(r + ahead(P, W[-1]), ref)
        W.append(value)
        policies.append(p)
    return W, policies


def path_visits(first, steps):
    """Σ of the weights of all paths that are in s at t, for every t: shape (len(steps)+1, S).

    A path starts in s with weight first[s] and goes from s by a to s' with weight steps[t][s,a,s']. Every path is
    followed on its own, so the work grows as (A·S)^t: for small worlds only.
    """
    S = len(first)
    where, weight = np.arange(S), np.asarray(first, dtype=float)
    d = [np.bincount(where, weight, S)]
    for W in steps:
        if len(weight) * W[0].size > MOST:
            raise ValueError(f"{len(weight)} × {W[0].size} paths are too many to enumerate")
        weight = weight[:, None, None] * W[where]
        where = np.broadcast_to(np.arange(S), weight.shape).ravel()
        weight = weight.ravel()
        d.append(np.bincount(where, weight, S))
    return np.array(d)


def demo_features(features, states, actions, lengths):
    """Σ_{t<h_i} f(s_t, a_t) for each demonstration i, shape (N, K)."""
    return np.array(
        [sum(features[s[t], a[t]] for t in range(h)) for s, a, h in zip(states, actions, lengths, strict=True)]
    )


def dual(θ, features, P, p0, states, actions, lengths):
    """mean_i [θ·f(τ_i) − E_{s~p0} V_0(s; horizon h_i)], for θ of shape (…, K)."""
    r = np.tensordot(θ, features, (-1, -1))
    W, _ = plan(P, r, np.ones(features.shape[:2]), max(lengths))
    linear = θ @ demo_features(features, states, actions, lengths).mean(0)
    return linear - np.mean([W[h] @ p0 for h in lengths], axis=0)


def derivative(f, θ, step=4e-3):
    """∇f(θ) by central differences with one Richardson extrapolation; f takes θ of shape (…, K)."""
    unit = np.eye(len(θ))
    wide, narrow = ((f(θ + h * unit) - f(θ - h * unit)) / (2 * h) for h in (step, step / 2))
    return (4 * narrow - wide) / 3


def complex_step(f, x):
    """∇f(x) = Im f(x + ih) / h with a tiny h: exact to rounding. f is analytic and takes x of shape (…, K).

    Inside f, `held` hides a quantity from the derivative.
    """
    h = 1e-30
    return f(np.asarray(x, dtype=float) + 1j * h * np.eye(len(x))).imag / h


def held(z):
    """The value of z, as if it did not depend on what one differentiates by."""
    return np.real(z)


def log_sigmoid(z):
    """log 1/(1 + e^−z), for complex z too."""
    far = np.where(np.real(z) > 0, -1, 1) * z
    return np.where(np.real(z) > 0, 0, z) - np.log(1 + np.exp(far))


def all_times(M):
    """Σ_t M^t over t = 0, 1, 2, … as (1 + M)(1 + M²)(1 + M⁴)…, M (…, S, S).

    Where the powers grow there is no sum: there it is what a linear solver would say, (1 − M)⁻¹.
    """
    total, power = np.eye(M.shape[-1]) + M, M
    for _ in range(60):
        power = power @ power
        if np.abs(power).max() < 1e-20:
            return total
        if not np.abs(power).max() < 1e20:
            break
        total = total + total @ power
    return np.linalg.inv(np.eye(M.shape[-1]) - M)


def log_sum(z):
    """log Σ e^z over the last axis, for complex z too."""
    top = np.real(z).max(-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(z - top).sum(-1))
