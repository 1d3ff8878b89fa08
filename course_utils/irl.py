"""Tabular inverse RL by maximum causal entropy: a linear reward, and a neural one.

The dual of "the most random policy whose expected features are the expert's" is convex in θ:

    L(θ) = E_p0 V_θ − θ·f̂ + λ/2 ‖θ‖²,      ∇L = E_πθ[Σ_t γ^t f] − f̂ + λ θ,

where V_θ is the soft value of the reward r = f θ.  (Ziebart, Bagnell, Dey 2010; Ziebart 2010)
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from scipy.optimize import minimize

from course_utils.planning import ConvergenceError, occupancy, soft_value_iteration


@dataclass(frozen=True)
class MaxEntFit:
    """What a fit found: θ (K,), reward (S, A), its soft policy π, and how well it did.

    gap: the largest |component| of ∇L, in the features' units; objective: L(θ); evaluations of L.
    """

    θ: np.ndarray
    reward: np.ndarray
    π: np.ndarray
    gap: float
    objective: float
    evaluations: int


def feature_matrix(mdp, features):
    """Features f[s,a,k] as a matrix (S·A, K): from an array (S, A, K), or sparse (S·A, K) as it is."""
    S, A = mdp.n_states, mdp.n_actions
    if sp.issparse(features):
        if features.shape[0] != S * A:
            raise ValueError(f"sparse features must have S·A = {S * A} rows, got shape {features.shape}")
        return sp.csr_array(features)
    features = np.asarray(features, dtype=float)
    if not np.isfinite(features).all():
        raise ValueError("features have entries that are NaN or infinite")
    if features.ndim != 3 or features.shape[:2] != (S, A):
        raise ValueError(f"features must be f[s,a,k] of shape ({S}, {A}, K), got {features.shape}")
    return features.reshape(S * A, -1)


def feature_expectations(mdp, features, m):
    """f̄[k] = Σ_sa m[s,a] f[s,a,k] for an occupancy m (S, A), exact or counted in sessions: (K,)."""
    m = np.asarray(m, dtype=float)
    if m.shape != (mdp.n_states, mdp.n_actions):
        raise ValueError(f"an occupancy has shape {(mdp.n_states, mdp.n_actions)}, got {m.shape}")
    return feature_matrix(mdp, features).T @ m.reshape(-1)


def maxent_dual(mdp, features, expert_features, θ, l2=0.0):
    """L(θ) and ∇L(θ) of the dual above: a number and (K,)."""
    f = feature_matrix(mdp, features)
    V, _, π = soft_value_iteration(mdp, (f @ θ).reshape(mdp.n_states, mdp.n_actions))
    start_value = mdp.p0 @ (V if mdp.horizon is None else V[0])
    value = start_value - θ @ expert_features + l2 / 2 * θ @ θ
    gradient = f.T @ occupancy(mdp, π).reshape(-1) - expert_features + l2 * θ
    return value, gradient


def maxent_irl(mdp, features, expert_features, l2=0.0, tol=1e-5, max_evaluations=500):
    """Fit the weights θ of the reward r[s,a] = Σ_k f[s,a,k] θ_k: L-BFGS on the convex dual, from θ = 0.

    features: (S, A, K), or sparse (S·A, K).  expert_features: (K,), expected (discounted) sums over a session.
    l2: λ ≥ 0; needed where the expert is deterministic and the best θ is infinitely long.
    Returns a MaxEntFit whose gap is at most tol, or raises ConvergenceError.
    """
    f = feature_matrix(mdp, features)
    expert_features = np.asarray(expert_features, dtype=float)
    if expert_features.shape != (f.shape[1],) or not np.isfinite(expert_features).all():
        raise ValueError(f"expert_features must be {f.shape[1]} finite numbers, got shape {expert_features.shape}")
    if not l2 >= 0:
        raise ValueError(f"l2 must be ≥ 0, got {l2}")
    found = minimize(
        lambda θ: maxent_dual(mdp, features, expert_features, θ, l2),
        np.zeros(f.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"gtol": tol, "ftol": 0.0, "maxiter": max_evaluations, "maxfun": max_evaluations, "maxcor": 30},
    )
    θ, gap = found.x, np.abs(found.jac).max()
    if not gap <= tol:
        raise ConvergenceError(
            f"the feature gap is {gap:.3g} after {found.nfev} evaluations, above tol = {tol:g}; ‖θ‖ = "
            f"{np.linalg.norm(θ):.3g}. Perhaps no θ is best, because the expert never does some things, or because no "
            f"policy has these features: give l2 > 0. If tol is near 1e-8, rounding is in the way"
        )
    reward = (f @ θ).reshape(mdp.n_states, mdp.n_actions)
    _, _, π = soft_value_iteration(mdp, reward)
    return MaxEntFit(θ, reward, π, float(gap), float(found.fun), found.nfev)


def deep_maxent_irl(mdp, net, inputs, expert_occupancy, steps=300, learning_rate=1e-2):
    """Train a torch net whose output on `inputs` is the reward, (S·A,) or (S·A, 1) or (S, A), by Adam.

    The gradient of L in the net's weights w is Σ_sa (m_π − m_E)[s,a] ∂r[s,a]/∂w, where m_E is the
    expert's occupancy (S, A).  (Wulfmeier, Ondruska, Posner 2015, arXiv:1507.04888.)  L is not convex in w:
    judge the fit by what comes back, the reward (S, A), its soft policy π, and a list of max |m_π − m_E| per step.
    """
    expert_occupancy = np.asarray(expert_occupancy, dtype=float)
    if expert_occupancy.shape != (mdp.n_states, mdp.n_actions):
        raise ValueError(
            f"expert_occupancy must have shape {(mdp.n_states, mdp.n_actions)}, got {expert_occupancy.shape}"
        )
    optimiser = torch.optim.Adam(net.parameters(), lr=learning_rate)
    gaps = []
    for _ in range(steps):
        r = net(inputs).reshape(mdp.n_states, mdp.n_actions)
        reward = r.detach().double().numpy()
        _, _, π = soft_value_iteration(mdp, reward)
        difference = occupancy(mdp, π) - expert_occupancy
        gaps.append(float(np.abs(difference).max()))
        optimiser.zero_grad()
        (torch.as_tensor(difference, dtype=r.dtype) * r).sum().backward()
        optimiser.step()
    reward = net(inputs).detach().double().numpy().reshape(mdp.n_states, mdp.n_actions)
    return reward, soft_value_iteration(mdp, reward)[2], gaps
