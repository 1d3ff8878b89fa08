"""Every session of a small world, written out: the oracle of lectures 02 and 04, exponential and beyond doubt."""

from typing import NamedTuple

import numpy as np


class Sessions(NamedTuple):
    states: np.ndarray  # (M, H+1), M sessions
    actions: np.ndarray  # (M, H)
    chance: np.ndarray  # (M,): p0(s_0) Π_t P(s_{t+1}|s_t,a_t), what the world contributes


def enumerate_sessions(mdp):
    """Every session that the world allows.

    For worlds with a horizon and no terminal states, so that all sessions have H actions; others raise ValueError.
    """
    if mdp.horizon is None or mdp.terminal.any():
        raise ValueError("only sessions of one length H can be listed: give the world a horizon, and no terminal state")
    P, states = mdp.dense(), np.flatnonzero(mdp.p0)[:, None]
    actions, chance = np.zeros((len(states), 0), dtype=int), mdp.p0[states[:, 0]]
    for _ in range(mdp.horizon):
        i, a, s = np.nonzero(P[states[:, -1]])  # session i can go on with action a to state s
        chance = chance[i] * P[states[i, -1], a, s]
        states, actions = np.c_[states[i], s], np.c_[actions[i], a]
    return Sessions(states, actions, chance)


def total(x, sessions):
    """Σ_t x(s_t, a_t) of each session: returns for x = r[s,a], feature sums for x = f[s,a,k]."""
    return x[sessions.states[:, :-1], sessions.actions].sum(axis=1)


def chosen(π, sessions):
    """Π_t π_t(a_t|s_t) of each session."""
    t = np.arange(sessions.actions.shape[1])
    return np.array(π)[t, sessions.states[:, :-1], sessions.actions].prod(axis=1)
