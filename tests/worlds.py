"""Random small worlds, and the oracle for them: every session written out, one by one."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from course_utils.mdp import TabularMDP

KINDS = [  # of worlds with a horizon, as options of random_mdp
    dict(),
    dict(sparse=True),
    dict(discount=0.8),
    dict(terminal=[1]),
    dict(terminal=[0, 2], discount=0.9, sparse=True),
    dict(deterministic=True),
]
ENDLESS = [dict(horizon=None, discount=0.7), dict(horizon=None, discount=0.7, terminal=[1], sparse=True)]


def random_mdp(rng, S=4, A=3, horizon=3, discount=1.0, terminal=None, sparse=False, deterministic=False):
    """A world whose transitions have zeros in them, dense or sparse."""
    P = rng.exponential(size=(S, A, S)) * (rng.random((S, A, S)) < 0.7)
    P[..., 0] += 0.05
    if deterministic:
        P = np.eye(S)[P.argmax(axis=2)]
    P /= P.sum(axis=2, keepdims=True)
    p0 = rng.dirichlet(np.ones(S))
    if terminal is not None:
        p0[terminal] = 0
        p0 /= p0.sum()
    if sparse:
        P = sp.csr_array(P.reshape(S * A, S))
    return TabularMDP(P, p0, horizon, discount, terminal)


def random_policy(rng, mdp):
    """A policy with full support, π[t,s,a] or π[s,a] if the world is endless."""
    shape = (mdp.n_states,) if mdp.horizon is None else (mdp.horizon, mdp.n_states)
    return rng.dirichlet(np.ones(mdp.n_actions), size=shape)


@dataclass
class Session:
    """states s_0 … s_n and actions a_0 … a_{n-1}; chance = p0 Π P, the probability without the policy's."""

    states: list
    actions: list
    chance: float

    def steps(self):
        return list(enumerate(zip(self.states, self.actions, strict=False)))

    def total(self, table, discount=1.0):
        """Σ_t γ^t table[s_t, a_t]."""
        return sum(discount**t * table[s, a] for t, (s, a) in self.steps())

    def policy_probability(self, π):
        return np.prod([π[t, s, a] for t, (s, a) in self.steps()])


def every_session(mdp):
    """All sessions with positive chance of a world with a horizon, in plain loops over the definition."""
    P, sessions = mdp.dense(), []

    def extend(states, actions, chance):
        s = states[-1]
        if len(actions) == mdp.horizon or mdp.terminal[s]:
            sessions.append(Session(states, actions, chance))
            return
        for a in range(mdp.n_actions):
            for s_next in np.flatnonzero(P[s, a]):
                extend([*states, int(s_next)], [*actions, a], chance * P[s, a, s_next])

    for s in np.flatnonzero(mdp.p0):
        extend([int(s)], [], mdp.p0[s])
    return sessions


def central_difference(function, x, h=1e-5):
    """∂function/∂x by central differences; function may return a number or an array."""
    x = np.asarray(x, dtype=float)
    columns = [(np.asarray(function(x + e)) - np.asarray(function(x - e))) / (2 * h) for e in h * np.eye(len(x))]
    return np.stack(columns, axis=-1)
