"""Experts for the tasks of environments.py, and their demonstrations.

An expert is a small file data/experts/NAME.npz, made by `python experiments/train_experts.py`.  How it was made, what
it earns and the checksum of its file stand in data/experts/provenance.json.

- CartPole-v1, Acrobot-v1, MountainCar-v0: a network of a few hidden units; the action with the largest output is taken.
- Pendulum-v1: the same, its output is the mean of a Gaussian with a small σ.
- LunarLander-v3, Hopper-v5: a network of 64 hidden units and the likeliest action of the policy that was trained (σ 0).
- Navigation-v0: the maximum-entropy expert at a stated temperature α, for which inverse RL is made:
  π_t(a|s) ∝ exp(Q_t(s,a)/α).
"""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gymnasium.spaces import Discrete

from course_utils.environments import checked_name, make
from course_utils.navigation import navigation_step

FOLDER = Path(__file__).resolve().parents[1] / "data" / "experts"


@dataclass(frozen=True)
class Demonstrations:
    """Steps of an expert's n episodes: M rows, sorted by episode and then by time.

    obs (M, d), actions (M,) or (M, k), next_obs (M, d) before any reset; terminated (M,): did the step end its episode,
    other than by time; time (M,): the step's number in its episode, from 0; episode (M,): 0 … n-1.
    lengths, returns, ended (n,): of the whole episodes, not only of the steps kept; ended: did it terminate.
    """

    obs: np.ndarray
    actions: np.ndarray
    next_obs: np.ndarray
    terminated: np.ndarray
    time: np.ndarray
    episode: np.ndarray
    lengths: np.ndarray
    returns: np.ndarray
    ended: np.ndarray

    def __len__(self):
        return len(self.obs)


def network(obs, scale, W1, b1, W2, b2):
    """tanh(obs/scale W₁ + b₁) W₂ + b₂: (..., N, d) → (..., N, outputs)."""
    return np.tanh((obs / scale) @ W1 + b1) @ W2 + b2


def network_actions(space, outputs, bounded=np.tanh):
    """Outputs (..., N, k) → the actions: the largest output (..., N), or the box's bound times tanh (..., N, k)."""
    return outputs.argmax(axis=-1) if isinstance(space, Discrete) else space.high * bounded(outputs)


def clipped(x):
    """x where it lies in [-1, 1], else the nearer end: what an environment does to the mean of a Gaussian policy."""
    return np.clip(x, -1, 1)


class NetworkExpert:
    """`expert(obs)`: the most probable actions; `expert(obs, rng)`: drawn from the policy.  `time` is not looked at."""

    def __init__(self, name, space, arrays):
        self.name, self._space = name, space
        self.σ = float(arrays["σ"])  # of a continuous action; 0 where actions are discrete
        self._weights = [arrays[key] for key in ("scale", "W1", "b1", "W2", "b2")]
        self._bounded = clipped if "clipped" in arrays else np.tanh

    def __call__(self, obs, rng=None, time=None):
        outputs = network(np.asarray(obs, dtype=float), *self._weights)
        actions = network_actions(self._space, outputs, self._bounded)
        if rng is None or self.σ == 0:
            return actions
        return np.clip(actions + self.σ * rng.standard_normal(actions.shape), self._space.low, self._space.high)


class SoftExpert:
    """The maximum-entropy expert of Navigation-v0 at temperature α: `expert(obs, rng, time)`.

    V[t] holds the soft values V_t(s)/α on a grid over the square.  The box of actions is cut into equal square cells.
    With a the centre of a cell, Q_t(s,a) = r(s) + V_{t+1}(s + 0.1 a); the cell is drawn with probability ∝ exp(Q_t/α)
    and the action uniformly within it: a density on the box that is constant in each cell.
    Without rng, `expert(obs, time=t)` gives the policy's mean.
    """

    def __init__(self, name, space, arrays):
        self.name = name
        self.α = float(arrays["α"])
        self._V, self._cells = arrays["V"].astype(float), int(arrays["cells"])
        self.centres = cell_centres(self._cells)

    def probabilities(self, obs, time):
        """Of each cell, (N, cells²), at the places obs (N, 2) and the times (N,) or one time for all."""
        obs = np.asarray(obs, dtype=float)
        time = np.broadcast_to(time, len(obs))
        if time.min() < 0 or time.max() >= len(self._V) - 1:
            raise ValueError(f"the time must be 0 … {len(self._V) - 2}; got {time.min()} … {time.max()}")
        V_next = interpolate(self._V, time[:, None] + 1, navigation_step(obs[:, None], self.centres))
        weights = np.exp(V_next - V_next.max(axis=1, keepdims=True))  # r(s) is the same for all actions: it cancels
        return weights / weights.sum(axis=1, keepdims=True)

    def log_density(self, obs, actions, time):
        """log π_t(a|s) of actions (N, 2) in the box: (N,)."""
        i, j = np.minimum((np.asarray(actions) + 1) / 2 * self._cells, self._cells - 1).astype(int).T
        p = self.probabilities(obs, time)[np.arange(len(i)), i * self._cells + j]
        return np.log(p) + 2 * np.log(self._cells / 2)

    def __call__(self, obs, rng=None, time=None):
        if time is None:
            raise ValueError("this expert's policy depends on the time: give time=, the step's number in its episode")
        π = self.probabilities(obs, time)
        if rng is None:
            return π @ self.centres
        cell = (π.cumsum(axis=1) < rng.random((len(π), 1))).sum(axis=1).clip(max=π.shape[1] - 1)
        return self.centres[cell] + rng.uniform(-1, 1, (len(π), 2)) / self._cells


def cell_centres(cells):
    """The box [-1, 1]² cut into cells² equal squares: their centres, (cells², 2)."""
    axis = (np.arange(cells) + 0.5) * 2 / cells - 1
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)


def corners(xy, n):
    """The four points of an n × n grid over [-1, 1]² around each place (..., 2): indices and weights (..., 4)."""
    at = (xy + 1) / 2 * (n - 1)
    low = np.clip(at.astype(int), 0, n - 2)
    (u, v), (i, j) = np.moveaxis(at - low, -1, 0), np.moveaxis(low, -1, 0)
    index = np.stack([i * n + j, i * n + j + 1, (i + 1) * n + j, (i + 1) * n + j + 1], axis=-1)
    return index, np.stack([(1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v], axis=-1)


def interpolate(V, time, xy):
    """V[time] (T, n, n) at the places xy (..., 2), bilinear between the grid's points: (...)."""
    index, weight = corners(xy, V.shape[1])
    return (V.reshape(len(V), -1)[time[..., None], index] * weight).sum(axis=-1)


def expert(name):
    """The expert of a task: `expert(name)(obs (N, d), rng, time) -> actions`.

    Raises ValueError if the file is not the one whose checksum the provenance file holds.
    """
    expected = provenance(name)["sha256"]
    path = FOLDER / f"{name}.npz"
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ValueError(f"{path} is damaged or was replaced: its SHA-256 should be {expected}, it is {found}")
    return from_arrays(name, np.load(io.BytesIO(content), allow_pickle=False))


def from_arrays(name, arrays):
    """The expert whose file holds these arrays."""
    return (SoftExpert if "V" in arrays else NetworkExpert)(name, make(name, 1).single_action_space, arrays)


def provenance(name):
    """How an expert was made and what it earns: its entry in data/experts/provenance.json."""
    return json.loads((FOLDER / "provenance.json").read_text(encoding="utf-8"))[checked_name(name)]


def reference_returns(name):
    """(J_random, J_expert, sd): mean returns of uniformly random actions and of the expert, and the latter's sd."""
    measured = provenance(name)["measured"]
    return measured["random_mean"], measured["expert_mean"], measured["expert_sd"]


def normalised_return(name, J):
    """(J − J_random) / (J_expert − J_random): 0 is as good as random actions, 1 as the expert."""
    J_random, J_expert, _ = reference_returns(name)
    return (np.asarray(J, dtype=float) - J_random) / (J_expert - J_random)


def whole_episodes(name, n, act, rng):
    """n whole episodes of act(obs, rng, time=t) -> actions, side by side.

    Returns obs (T, n, d), actions (T, n, …), next_obs (T, n, d), and terminated, reward, running (T, n): running is
    false after the end.
    """
    if n < 1:
        raise ValueError(f"the number of episodes must be at least 1, got {n}")
    env = make(name, n)
    obs, _ = env.reset(seed=int(rng.integers(2**31)))
    running, steps = np.ones(n, dtype=bool), []
    while running.any():
        actions = act(obs, rng, time=len(steps))
        following, reward, terminated, truncated, info = env.step(actions)
        steps.append((obs, actions, info["final_obs"], terminated, reward, running))
        obs, running = following, running & ~(terminated | truncated)
    return [np.stack(column) for column in zip(*steps, strict=True)]


def check_demonstrations(name, demos):
    """Raises ValueError, which says what was expected, unless demos can be demonstrations of the task `name`."""
    env = make(name, 1)
    d, space, M = env.single_observation_space.shape[0], env.single_action_space, len(demos.obs)
    if M == 0 or len(demos.lengths) == 0:
        raise ValueError(f"{name}: there are no demonstrations, not a single step")
    columns = [np.asarray(x) for x in (demos.obs, demos.next_obs, demos.actions, demos.terminated)]
    obs, next_obs, actions, terminated = columns
    expected = [(M, d), (M, d), (M, *space.shape), (M,)]
    if [x.shape for x in columns] != expected:
        raise ValueError(
            f"{name}: demonstrations need obs and next_obs (M, {d}), and as many actions {expected[2]} and terminated; "
            f"got obs {obs.shape}, next_obs {next_obs.shape}, actions {actions.shape}, terminated {terminated.shape}"
        )
    wrong = sum(int((~np.isfinite(x)).sum()) for x in (obs, next_obs, actions))
    if wrong:
        raise ValueError(f"{name}: {wrong} numbers in the demonstrations are NaN or infinite")
    if isinstance(space, Discrete) and not np.isin(actions, np.arange(space.n)).all():
        raise ValueError(f"{name}: the actions are 0 … {space.n - 1}; the demonstrations have {np.unique(actions)}")


def demonstrations(name, n, rng, every=1):
    """n episodes of a task's expert; of each the steps offset, offset + every, … with a random offset < every.

    every=20 is the subsampling of Ho and Ermon (2016, arXiv 1606.03476), which makes few demonstrations few.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1, got {every}")
    obs, actions, next_obs, terminated, reward, running = whole_episodes(name, n, expert(name), rng)
    lengths = running.sum(axis=0)
    offset = rng.integers(np.minimum(every, lengths))  # an episode gives at least one step
    time = np.arange(len(running))[:, None]
    episode, t = np.nonzero((running & (time >= offset) & ((time - offset) % every == 0)).T)
    rows = t, episode
    kept = (x[rows] for x in (obs, actions, next_obs, terminated))
    whole = lengths, (reward * running).sum(axis=0), (terminated & running).any(axis=0)
    return Demonstrations(*kept, t, episode, *whole)
