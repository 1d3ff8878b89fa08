"""Gridworlds: a map drawn with characters becomes a sparse TabularMDP."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from course_utils.mdp import TabularMDP

MOVES = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1), "stay": (0, 0)}


@dataclass(frozen=True)
class GridWorld:
    """A world on a grid.  cells[s] = (row, column) of state s; index[row, column] = its state, -1 in a wall."""

    mdp: TabularMDP
    cells: np.ndarray
    index: np.ndarray
    actions: tuple

    @property
    def shape(self):
        """(rows, columns) of the map."""
        return self.index.shape

    def picture(self, values):
        """values[s] laid out on the map, (rows, columns), NaN in walls."""
        values = np.asarray(values, dtype=float)
        if values.shape != (self.mdp.n_states,):
            raise ValueError(f"one value per state is needed, ({self.mdp.n_states},); got {values.shape}")
        return np.where(self.index >= 0, values[self.index], np.nan)


def gridworld(layout, slip=0.0, horizon=None, discount=1.0, stay=False):
    """A GridWorld from a list of equally long strings: `.` floor, `#` wall, `S` start, `G` terminal floor.

    With several `S` the start is uniform over them; with none, over all floor cells that are not terminal.
    Actions: up, right, down, left and, if asked for, stay; a move into a wall or off the map stays put.
    slip: the probability that the action is replaced by one drawn uniformly from all.
    """
    letters = _letters(layout)
    if not 0 <= slip <= 1:
        raise ValueError(f"slip must be a probability, got {slip}")
    free = letters != "#"
    index = np.where(free, np.cumsum(free).reshape(free.shape) - 1, -1)
    cells = np.argwhere(free)
    actions = tuple(MOVES)[: 5 if stay else 4]
    marks = letters[free]
    start = (marks == "S") if (marks == "S").any() else (marks != "G")
    if not start.any():
        raise ValueError("the map has no cell to start from")
    mdp = TabularMDP(
        _transitions(index, cells, actions, slip), start / start.sum(), horizon, discount, terminal=marks == "G"
    )
    return GridWorld(mdp, cells, index, actions)


def _letters(layout):
    if isinstance(layout, str) or not layout or len({len(line) for line in layout}) != 1 or not layout[0]:
        raise ValueError('a map is a list of equally long strings, such as ["S.", ".G"]')
    letters = np.array([list(line) for line in layout])
    unknown = sorted(set("".join(layout)) - set(".#SG"))
    if unknown:
        raise ValueError(f"a map is made of . # S G; it has {unknown}")
    return letters


def _transitions(index, cells, actions, slip):
    """The (S·A, S) matrix: the chosen move with probability 1 − slip, plus a uniform one with probability slip."""
    S, A = len(cells), len(actions)
    padded = np.pad(index, 1, constant_values=-1)
    target = np.empty((S, A), dtype=np.int32)
    for a, name in enumerate(actions):
        row, column = (cells + 1 + MOVES[name]).T
        target[:, a] = padded[row, column]
    bumped = target < 0
    target[bumped] = np.broadcast_to(np.arange(S, dtype=np.int32)[:, None], (S, A))[bumped]
    # Row s·A + a has A entries: where each move would lead, with the chosen one's share on top.
    columns = np.repeat(target, A, axis=0)
    chance = np.tile(np.full((A, A), slip / A) + (1 - slip) * np.eye(A), (S, 1))
    row_starts = np.arange(0, S * A * A + 1, A)
    P = sp.csr_array((chance.ravel(), columns.ravel(), row_starts), shape=(S * A, S))
    P.sum_duplicates()
    P.eliminate_zeros()
    return P


def radial_features(world, centres, width):
    """One Gaussian bump per centre (row, column), of the given width in cells: f[s,a,k], the same for all a."""
    centres = np.atleast_2d(np.asarray(centres, dtype=float))
    if width <= 0 or centres.shape[1] != 2:
        raise ValueError(f"centres must be (row, column) pairs and width > 0; got {centres.shape}, {width}")
    squared = ((world.cells[:, None, :] - centres[None]) ** 2).sum(axis=2)
    bumps = np.exp(-squared / (2 * width**2))
    return np.repeat(bumps[:, None, :], len(world.actions), axis=1)


def state_indicators(world):
    """One indicator per state, f[s,a,k] = [k = s], sparse (S·A, S): a reward of its own for every state."""
    S, A = world.mdp.n_states, world.mdp.n_actions
    return sp.csr_array((np.ones(S * A), np.repeat(np.arange(S), A), np.arange(S * A + 1)), shape=(S * A, S))
