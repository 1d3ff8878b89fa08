"""Sessions: sampling them from a policy, and counting what they visit."""

from dataclasses import dataclass

import numpy as np

from course_utils.planning import checked_policy

PAD = -1  # fills states and actions after the end of an episode


@dataclass(frozen=True)
class Trajectories:
    """N sessions.  states (N, H+1), actions (N, H): whole numbers, -1 after the end; lengths (N,): actions taken.

    Session i visits states[i, 0] … states[i, lengths[i]], the last of which it enters but does not act in.
    """

    states: np.ndarray
    actions: np.ndarray
    lengths: np.ndarray

    def __len__(self):
        return len(self.states)

    def __post_init__(self):
        N, H = self.actions.shape
        if self.states.shape != (N, H + 1) or self.lengths.shape != (N,):
            raise ValueError(
                f"N sessions need states (N, H+1), actions (N, H), lengths (N,); "
                f"got {self.states.shape}, {self.actions.shape}, {self.lengths.shape}"
            )

    def steps(self):
        """Every step of every session: session i, time t, state s, action a, as four vectors."""
        i, t = np.nonzero(np.arange(self.actions.shape[1]) < self.lengths[:, None])
        return i, t, self.states[i, t], self.actions[i, t]


def sample_trajectories(mdp, π, n, rng, horizon=None):
    """n sessions of a policy π (H, S, A) or (S, A), drawn with the generator rng.

    horizon: where to cut an endless world's sessions; a finite world has its own.
    """
    if n < 1:
        raise ValueError(f"the number of sessions must be at least 1, got {n}")
    H = mdp.horizon if mdp.horizon is not None else horizon
    if H is None:
        raise ValueError("this world has no horizon: say where to cut the sessions, horizon=…")
    π = checked_policy(mdp, π)
    states, actions = np.full((n, H + 1), PAD), np.full((n, H), PAD)
    states[:, 0] = rng.choice(mdp.n_states, size=n, p=mdp.p0)
    running = np.arange(n)  # the sessions that are not over
    draw_next = _row_sampler(mdp.rows(), rng)
    for t in range(H):
        s = states[running, t]
        a = _draw_columns((π if mdp.horizon is None else π[t])[s], rng)
        actions[running, t] = a
        states[running, t + 1] = draw_next(s * mdp.n_actions + a)
        running = running[~mdp.terminal[states[running, t + 1]]]
    return Trajectories(states, actions, (actions != PAD).sum(axis=1))


def _draw_columns(probabilities, rng):
    """One column index for each row of a (N, A) table of probabilities."""
    cumulative = probabilities.cumsum(axis=1)
    u = rng.random(len(probabilities)) * cumulative[:, -1]
    return (cumulative <= u[:, None]).sum(axis=1)


def _row_sampler(rows, rng):
    """A function that draws a column for each of the given rows of a sparse stochastic matrix."""
    cumulative = np.concatenate([[0.0], np.cumsum(rows.data)])

    def draw(row):
        first, last = cumulative[rows.indptr[row]], cumulative[rows.indptr[row + 1]]
        u = first + rng.random(len(row)) * (last - first)
        at = np.searchsorted(cumulative, u, side="right") - 1
        return rows.indices[np.clip(at, rows.indptr[row], rows.indptr[row + 1] - 1)]

    return draw


def empirical_occupancy(mdp, trajectories):
    """m[s,a] = mean over the sessions of Σ_t γ^t [s_t = s, a_t = a], (S, A); estimates `occupancy`."""
    m = np.zeros((mdp.n_states, mdp.n_actions))
    _, t, s, a = trajectories.steps()
    np.add.at(m, (s, a), mdp.discount**t / len(trajectories))
    return m
