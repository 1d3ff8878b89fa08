"""Planning on a TabularMDP: hard and soft value iteration, visitation, policy evaluation.

Each comes for a finite horizon, where values and policies depend on the time t, and for an endless
discounted episode (`mdp.horizon is None`), where the time axis is absent.  r[s,a] is the reward, γ the
discount; a terminal state has value 0, and nothing is done there.
"""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve

from course_utils.mdp import TOLERANCE


class ConvergenceError(RuntimeError):
    """An iteration reached its cap before it converged."""


def table(*shape):
    """Zeros of shape (…, S, A), laid out in memory action by action, as TabularMDP lays out its transitions."""
    return np.zeros((*shape[:-2], shape[-1], shape[-2])).swapaxes(-1, -2)


def soft_backup(Q):
    """V = log Σ_a e^Q and π = e^(Q−V), safe for large Q: (S, A) → (S,), (S, A)."""
    largest = Q.max(axis=1, keepdims=True)
    weights = np.exp(Q - largest)
    total = weights.sum(axis=1, keepdims=True)
    return (largest + np.log(total))[:, 0], weights / total


def hard_backup(Q):
    """V = max_a Q and the greedy policy, ties to the first action: (S, A) → (S,), (S, A)."""
    return Q.max(axis=1), np.eye(Q.shape[1])[Q.argmax(axis=1)]


def dynamic_programming(mdp, r, backup):
    """Backward in time: Q_t = r + γ P V_{t+1}, then V_t and π_t from Q_t by the backup.

    r: (S, A).  Returns V (H+1, S), Q (H, S, A), π (H, S, A); without the time axis if the horizon is None.
    """
    r = mdp.reward(r)
    if mdp.horizon is None:
        return fixed_point(mdp, r, backup)
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    V, Q, π = np.zeros((H + 1, S)), table(H, S, A), table(H, S, A)
    for t in reversed(range(H)):
        Q[t] = r + mdp.discount * mdp.expect(V[t + 1])
        V[t], π[t] = backup(Q[t])
        V[t] *= mdp.alive  # after the end nothing happens, not even a choice
    return V, Q, π


def fixed_point(mdp, r, backup, tol=1e-10, max_iterations=200_000):
    """The stationary V (S,), Q (S, A), π (S, A) of an endless episode, V to `tol` (relative above 1).

    Raises ConvergenceError after `max_iterations` sweeps.
    """
    V = np.zeros(mdp.n_states)
    for _ in range(max_iterations):
        Q = r + mdp.discount * mdp.expect(V)
        V_new, π = backup(Q)
        V_new = V_new * mdp.alive
        # The backup contracts by γ, so this bounds the distance to the fixed point, not only the last step.
        error = np.abs(V_new - V).max() * mdp.discount / (1 - mdp.discount)
        V = V_new
        if error <= tol * max(1.0, np.abs(V).max()):
            return V, Q, π
    raise ConvergenceError(f"no fixed point after {max_iterations} sweeps: still off by up to {error:.3g}")


def soft_value_iteration(mdp, r):
    """The policy that maximises E Σ_t γ^t (r + its own entropy), and its values.  (Ziebart 2010)

    Shapes as in `dynamic_programming`.
    """
    return dynamic_programming(mdp, r, soft_backup)


def value_iteration(mdp, r):
    """A policy that maximises E Σ_t γ^t r (greedy, one-hot), and its values.  (Bellman 1957)

    Shapes as in `dynamic_programming`.
    """
    return dynamic_programming(mdp, r, hard_backup)


def checked_policy(mdp, π):
    """π as an array (H, S, A), or (S, A) if the horizon is None; a stationary π is repeated over time.

    Raises ValueError for another shape, a negative probability or a sum that is not 1.
    """
    π = np.asarray(π, dtype=float)
    stationary = (mdp.n_states, mdp.n_actions)
    shape = stationary if mdp.horizon is None else (mdp.horizon, *stationary)
    if π.shape not in (shape, stationary):
        raise ValueError(f"the policy must be π of shape {shape}, or {stationary} at all times; got {π.shape}")
    for π_t in π if π.ndim == 3 else [π]:  # slice by slice: a large π is not copied
        # Written so that NaN fails too.
        if not (π_t.min() >= 0 and np.abs(π_t.sum(axis=1) - 1).max() <= TOLERANCE):
            raise ValueError("π[…,a] must be probabilities ≥ 0 that sum to 1 over the actions")
    return np.broadcast_to(π, shape)


def visitation(mdp, π):
    """How often each state is acted in.

    Finite horizon: d[t,s] = P(s_t = s and the episode is not over), (H, S).
    Endless: the discounted sum d[s] = Σ_t γ^t P(s_t = s, not over), (S,).
    """
    π = checked_policy(mdp, π)
    if mdp.horizon is None:
        return spsolve((sp.eye_array(mdp.n_states) - mdp.discount * policy_transitions(mdp, π).T).tocsc(), mdp.p0)
    d = np.zeros((mdp.horizon, mdp.n_states))
    d[0] = mdp.p0
    for t in range(mdp.horizon - 1):
        d[t + 1] = mdp.alive * mdp.push(d[t][:, None] * π[t])
    return d


def occupancy(mdp, π):
    """m[s,a] = Σ_t γ^t P(s_t = s, a_t = a): (S, A).  E_π Σ_t γ^t r is then Σ_sa m·r, for any reward."""
    π = checked_policy(mdp, π)
    d = visitation(mdp, π)
    if mdp.horizon is None:
        return d[:, None] * π
    return sum(mdp.discount**t * d[t][:, None] * π[t] for t in range(mdp.horizon))


def policy_evaluation(mdp, π, r):
    """The expected discounted return V_π from each state (and time): (H+1, S), or (S,) if endless."""
    π, r = checked_policy(mdp, π), mdp.reward(r)
    if mdp.horizon is None:
        gain = mdp.alive * (π * r).sum(axis=1)
        return spsolve((sp.eye_array(mdp.n_states) - mdp.discount * policy_transitions(mdp, π)).tocsc(), gain)
    V = np.zeros((mdp.horizon + 1, mdp.n_states))
    for t in reversed(range(mdp.horizon)):
        V[t] = mdp.alive * (π[t] * (r + mdp.discount * mdp.expect(V[t + 1]))).sum(axis=1)
    return V


def policy_transitions(mdp, π):
    """P_π[s,s'] = Σ_a π[s,a] P[s,a,s'], without what leads to or from a terminal state."""
    S, A = π.shape
    choose = sp.csr_array((π.reshape(-1), np.arange(S * A), np.arange(0, S * A + 1, A)), shape=(S, S * A))
    alive = sp.diags_array(mdp.alive)
    return alive @ (choose @ mdp.rows()) @ alive
