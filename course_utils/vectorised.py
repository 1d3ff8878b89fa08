"""Vector environments: n copies of a task at once, through gymnasium's vector interface.

`Task` is the base of our own, in NumPy; `Wrapped` gives any environment of gymnasium's the same manners:

    env = Wrapped("LunarLander-v3", 8)                              # or a function that makes a gymnasium.Env
    obs, info = env.reset(seed=0)                                   # (8, 8)
    obs, reward, terminated, truncated, info = env.step(actions)    # (8, 8), (8,), (8,), (8,)

An episode that ends starts anew in the same step: `obs` is then already the first observation of the next one, and
`info["final_obs"]` (n, d) is, for every copy, the observation that the step led to.
"""

import copy

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space


def checked_actions(name, space, n, actions):
    """Actions for n copies as an array, those of a Box clipped to it; ValueError, with the name, for others."""
    actions = np.asarray(actions)
    if actions.shape != (n, *space.shape):
        raise ValueError(f"{name}: the actions must have the shape {(n, *space.shape)}; got {actions.shape}")
    if isinstance(space, Discrete):
        first, last = int(space.start), int(space.start + space.n) - 1
        if actions.dtype.kind not in "iu":
            raise ValueError(f"{name}: the actions must be whole numbers; got {actions.dtype}")
        if actions.min() < first or actions.max() > last:
            raise ValueError(f"{name}: the actions must be {first} … {last}; got {np.unique(actions)}")
        return actions
    if actions.dtype.kind not in "fiu" or not np.isfinite(actions).all():
        raise ValueError(f"{name}: the actions must be finite numbers; got {actions}")
    return np.clip(actions.astype(space.dtype), space.low, space.high)


class Task(VectorEnv):
    """n copies of one task.  A task says what happens: draw, dynamics and observe; this class does the rest.

    state (n, k): the copies' states.  time_limit: the step in which an episode is truncated.
    reset(seed=…, options={"state": (n, k)}) seeds the generator of the starts, or sets the states.
    Observations are float64.  Continuous actions are clipped to their box.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
    name: str
    time_limit: int
    n_state: int  # k
    high: np.ndarray  # (d,) bounds of the observations; the lower ones are -high unless `low` says otherwise
    low = None
    single_action_space: gymnasium.Space

    def __init__(self, num_envs=1, max_episode_steps=None):
        if num_envs < 1:
            raise ValueError(f"the number of copies must be at least 1, got {num_envs}")
        self.num_envs = num_envs
        self.time_limit = self.time_limit if max_episode_steps is None else max_episode_steps
        high = np.asarray(self.high, dtype=float)
        self.single_observation_space = Box(-high if self.low is None else np.array(self.low), high, dtype=np.float64)
        self.single_action_space = copy.deepcopy(self.single_action_space)  # it has a generator of its own
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._state = None

    def draw(self, n):
        """n states to start from, (n, k), drawn with self.np_random."""
        raise NotImplementedError

    def dynamics(self, state, actions):
        """(n, k), (n,) or (n, m) → the next states (n, k), a new array; the rewards (n,); which episodes end (n,)."""
        raise NotImplementedError

    def observe(self, state):
        """(n, k) → (n, d)."""
        return state.copy()

    @property
    def state(self):
        """The copies' states (n, k)."""
        if self._state is None:
            raise RuntimeError("call reset() first")
        return self._state.copy()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        options = dict(options or {})
        state = options.pop("state", None)
        if options:
            raise ValueError(f'reset knows the option "state" only, got {sorted(options)}')
        self._state = self.draw(self.num_envs) if state is None else self._checked_state(state)
        self._t = np.zeros(self.num_envs, dtype=int)
        return self.observe(self._state), {}

    def step(self, actions):
        actions = checked_actions(self.name, self.single_action_space, self.num_envs, actions)
        state, reward, terminated = self.dynamics(self.state, actions)
        self._t += 1
        truncated = self._t >= self.time_limit
        final_obs = self.observe(state)
        obs = final_obs.copy()
        over = np.flatnonzero(terminated | truncated)
        if over.size:
            state[over] = self.draw(over.size)
            obs[over] = self.observe(state[over])
            self._t[over] = 0
        self._state = state
        return obs, reward, terminated, truncated, {"final_obs": final_obs}

    def _checked_state(self, state):
        state = np.array(state, dtype=float)
        if state.shape != (self.num_envs, self.n_state) or not np.isfinite(state).all():
            expected = (self.num_envs, self.n_state)
            raise ValueError(f"{self.name}: the states must be finite numbers {expected}; got {state.shape}: {state}")
        return state


class Wrapped(VectorEnv):
    """n copies of a gymnasium environment, one after the other.

    make_one: its name in gymnasium's registry, or a function without arguments that makes one gymnasium.Env.
    Observations must be vectors, actions Discrete or a Box; ValueError otherwise.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}

    def __init__(self, make_one, num_envs=1):
        if num_envs < 1:
            raise ValueError(f"the number of copies must be at least 1, got {num_envs}")
        if isinstance(make_one, str):
            name, make_one = make_one, lambda: gymnasium.make(name)
        self.inner = SyncVectorEnv([make_one] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP)
        self.num_envs, self.spec = num_envs, self.inner.envs[0].spec
        self.single_observation_space = self.inner.single_observation_space
        self.single_action_space = self.inner.single_action_space
        self.observation_space, self.action_space = self.inner.observation_space, self.inner.action_space
        space = self.single_observation_space
        if not isinstance(space, Box) or len(space.shape) != 1:
            raise ValueError(f"observations must be vectors (a one-dimensional Box), got {space}")
        if not isinstance(self.single_action_space, (Box, Discrete)):
            raise ValueError(f"actions must be Discrete or a Box, got {self.single_action_space}")

    @property
    def time_limit(self):
        """The step in which gymnasium truncates an episode; None if it has no limit."""
        return self.spec.max_episode_steps if self.spec else None

    def reset(self, *, seed=None, options=None):
        obs, _ = self.inner.reset(seed=seed, options=options)
        return obs.astype(float), {}

    def step(self, actions):
        name = self.spec.id if self.spec else "environment"
        actions = checked_actions(name, self.single_action_space, self.num_envs, actions)
        obs, reward, terminated, truncated, info = self.inner.step(actions)
        obs = obs.astype(float)
        final_obs = obs.copy()
        for i in np.flatnonzero(terminated | truncated):
            final_obs[i] = info["final_obs"][i]
        return obs, reward, terminated, truncated, {"final_obs": final_obs}

    def close_extras(self, **kwargs):
        self.inner.close(**kwargs)
