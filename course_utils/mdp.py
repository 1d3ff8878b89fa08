"""Tabular Markov decision processes, dense or sparse, with the two operators that all planning needs.

`expect` looks one step ahead, (expect V)[s,a] = Σ_s' P[s,a,s'] V[s'], and `push` moves mass one step on,
(push m)[s'] = Σ_sa m[s,a] P[s,a,s'].  They are adjoint: Σ_sa m · expect(V) = Σ_s' push(m) · V.
Planning is made of the first, visitation of the second.
"""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp

TOLERANCE = 1e-8  # how far a distribution's sum may be from 1


class TabularMDP:
    """A finite MDP without a reward: inverse RL is about worlds whose reward is not known.

    P: transition probabilities P[s,a,s'], dense (S, A, S), or scipy-sparse (S·A, S) with row s·A + a.
    p0: start distribution, (S,).
    horizon: number of actions H in an episode, or None for an endless one (needs discount < 1).
    discount: γ in (0, 1].
    terminal: boolean mask (S,) or list of state numbers.  The episode ends on entering such a state: no
        action is taken there, no reward is paid, its value is 0.  (Its rows of P must still sum to 1.)

    Raises ValueError where a shape, a probability or a sum is wrong, and says which.
    """

    def __init__(self, P, p0, horizon=None, discount=1.0, terminal=None):
        self.p0 = _distribution(p0)
        self.n_states = len(self.p0)
        P = _stacked(P, self.n_states)
        self.n_actions = P.shape[0] // self.n_states
        # Kept with row a·S + s: tables [s,a] then lie action by action in memory, and the reductions over
        # actions, which planning is made of, run along whole vectors of states.
        self._P = P[np.arange(P.shape[0]).reshape(self.n_states, self.n_actions).T.ravel()]
        self._P_transposed = self._P.T.tocsr() if sp.issparse(self._P) else self._P.T
        self.horizon, self.discount = _clock(horizon, discount)
        self.terminal = _mask(terminal, self.n_states)
        self.alive = (~self.terminal).astype(float)  # 1 where an action is taken, 0 where all is over
        if self.p0 @ self.terminal > 0:
            raise ValueError("p0 puts probability on a terminal state: an episode cannot start where it ends")

    def expect(self, V):
        """Σ_s' P[s,a,s'] V[s'] for every state and action: (S,) → (S, A)."""
        if np.shape(V) != (self.n_states,):
            raise ValueError(f"expect needs V[s] of shape ({self.n_states},), got {np.shape(V)}")
        return (self._P @ V).reshape(self.n_actions, self.n_states).T

    def push(self, m):
        """Σ_sa m[s,a] P[s,a,s'] for every next state: (S, A) → (S,)."""
        if np.shape(m) != (self.n_states, self.n_actions):
            raise ValueError(f"push needs m[s,a] of shape {(self.n_states, self.n_actions)}, got {np.shape(m)}")
        return self._P_transposed @ np.asarray(m).T.reshape(-1)

    def rows(self):
        """The transitions as a sparse matrix (S·A, S) with row s·A + a."""
        by_state = np.arange(self._P.shape[0]).reshape(self.n_actions, self.n_states).T.ravel()
        return sp.csr_array(self._P[by_state])

    def dense(self):
        """P[s,a,s'] as an array (S, A, S): for small worlds, and to look at."""
        return self.rows().toarray().reshape(self.n_states, self.n_actions, self.n_states)

    def reward(self, r):
        """r as a float array (S, A), or a ValueError that says what came instead."""
        r = np.asarray(r, dtype=float, order="F")
        if r.shape != (self.n_states, self.n_actions):
            raise ValueError(
                f"the reward must be r[s,a] of shape {(self.n_states, self.n_actions)}, got {r.shape}"
                + ("; for a reward of states, give np.tile(r[:, None], (1, n_actions))" if r.ndim == 1 else "")
            )
        if not np.isfinite(r).all():
            raise ValueError("the reward has entries that are NaN or infinite")
        return r

    def __repr__(self):
        clock = f"horizon={self.horizon}, discount={self.discount:g}"
        return f"TabularMDP({self.n_states} states, {self.n_actions} actions, {clock})"


def _distribution(p0):
    p0 = np.array(p0, dtype=float)
    if p0.ndim != 1 or len(p0) == 0:
        raise ValueError(f"p0 must be a vector of S probabilities, got shape {p0.shape}")
    if not np.isfinite(p0).all() or (p0 < 0).any():
        raise ValueError("p0 has an entry that is negative, infinite or NaN")
    if abs(p0.sum() - 1) > TOLERANCE:
        raise ValueError(f"p0 must sum to 1, it sums to {p0.sum():.10g}")
    return p0


def _stacked(P, S):
    """P as a (S·A, S) matrix, every row checked to be a distribution."""
    if np.iscomplexobj(P):
        raise ValueError("P has complex entries; probabilities are real")
    if sp.issparse(P):
        P = sp.csr_array(P, dtype=float)
        if P.shape[1] != S or P.shape[0] == 0 or P.shape[0] % S:
            raise ValueError(f"sparse P must be (S·A, S) with S = len(p0) = {S}, got {P.shape}")
        if not P.has_canonical_format:
            P = P.copy()  # the caller's matrix is not ours to tidy
            P.sum_duplicates()
        entries = P.data
    else:
        P = np.asarray(P, dtype=float)
        if P.ndim != 3 or P.shape[0] != S or P.shape[2] != S or P.shape[1] == 0:
            raise ValueError(f"dense P must be (S, A, S) with S = len(p0) = {S}, got {P.shape}")
        P = entries = P.reshape(-1, S)
    A = P.shape[0] // S
    if not np.isfinite(entries).all():
        raise ValueError("P has entries that are NaN or infinite")
    if (entries < 0).any():
        raise ValueError(f"P has a negative probability: {entries.min():.6g}")
    sums = P.sum(axis=1)
    if (np.abs(sums - 1) > TOLERANCE).any():
        row = int(np.abs(sums - 1).argmax())
        raise ValueError(
            f"P[s,a,:] must sum to 1 for every s and a; P[{row // A},{row % A},:] sums to {sums[row]:.10g}"
        )
    return P


def _clock(horizon, discount):
    if not isinstance(discount, Real) or not 0 < discount <= 1:
        raise ValueError(f"discount must be in (0, 1], got {discount!r}")
    if horizon is None:
        if discount == 1:
            raise ValueError("an endless episode (horizon=None) needs discount < 1: its return may not converge")
    elif not isinstance(horizon, Integral) or isinstance(horizon, bool) or horizon < 1:
        raise ValueError(f"horizon must be a positive whole number of actions, or None; got {horizon!r}")
    return (None if horizon is None else int(horizon)), float(discount)


def _mask(terminal, S):
    mask = np.zeros(S, dtype=bool)
    if terminal is None:
        return mask
    terminal = np.asarray(terminal)
    if terminal.dtype == bool:
        if terminal.shape != (S,):
            raise ValueError(f"a terminal mask must have shape ({S},), got {terminal.shape}")
        return terminal.copy()
    numbers = terminal.size == 0 or (terminal.ndim == 1 and terminal.dtype.kind in "iu")
    if not numbers or (terminal.size and (terminal.min() < 0 or terminal.max() >= S)):
        raise ValueError(f"terminal states must be numbers 0…{S - 1}, got {terminal.tolist()}")
    if len(np.unique(terminal)) != terminal.size:
        raise ValueError(f"terminal names a state twice: {terminal.tolist()}; if it is a mask, make it boolean")
    mask[terminal.astype(int).ravel()] = True
    return mask
