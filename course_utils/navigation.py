"""2-D navigation: a point walks to a goal past three round obstacles.

The state is the point's place (x, y) in the square [-1, 1]², the action a push in [-1, 1]².  The reward of a place is
known and can be drawn as a picture: what inverse RL recovers can be laid beside it.
"""

import gymnasium
import numpy as np
from gymnasium.spaces import Box

STEP = 0.1  # how far the largest push moves the point along each axis
TIME_LIMIT = 30
START = np.array([[-0.95, -0.8], [-0.75, 0.8]])  # corners of the strip where episodes begin
GOAL = np.array([0.7, 0.5])
GOAL_WIDTH = 0.25
OBSTACLES = np.array([[-0.3, 0.45], [-0.15, -0.35], [0.3, 0.05]])
RADIUS = 0.22
EDGE = 0.04  # over this distance an obstacle's border goes from floor to obstacle
SPACE = Box(-1.0, 1.0, (2,), np.float64)

FLOOR, GREEN, RED, BLUE = np.array([[238, 238, 238], [0, 140, 80], [200, 70, 50], [40, 80, 200]], dtype=float)


def _goal(xy):
    """1 at the goal, falling off as a Gaussian bump: (..., 2) → (...)."""
    return np.exp(-((xy - GOAL) ** 2).sum(axis=-1) / (2 * GOAL_WIDTH**2))


def _obstacle(xy):
    """1 inside an obstacle, 0 outside all, smooth at the border: (..., 2) → (...)."""
    distance = np.sqrt(((xy[..., None, :] - OBSTACLES) ** 2).sum(axis=-1))
    return (1 / (1 + np.exp((distance - RADIUS) / EDGE))).sum(axis=-1)


def navigation_reward(xy):
    """r(x, y) = bump at the goal − 2 · obstacle, about -2 … 1: (..., 2) → (...)."""
    xy = np.asarray(xy, dtype=float)
    if xy.shape[-1:] != (2,):
        raise ValueError(f"places (x, y) are needed, an array (..., 2); got shape {xy.shape}")
    return _goal(xy) - 2 * _obstacle(xy)


def navigation_step(xy, action):
    """s' = clip(s + 0.1 · clip(a, -1, 1), -1, 1): (..., 2), (..., 2) → (..., 2)."""
    return np.clip(xy + STEP * np.clip(action, -1, 1), -1, 1)


def draw_start(rng, n):
    """n places drawn uniformly from the strip on the left: (n, 2)."""
    return rng.uniform(*START, size=(n, 2))


class Navigation(gymnasium.Env):
    """One copy, for gymnasium's own tools: `gymnasium.make("course/Navigation-v0")` adds the time limit of 30 steps.

    reset's option "state" is the place (2,) to start from.  render() gives a picture (200, 200, 3), y upwards.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, render_mode=None):
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode must be None or 'rgb_array', got {render_mode!r}")
        self.render_mode = render_mode
        self.observation_space, self.action_space = (Box(-1.0, 1.0, (2,), np.float64) for _ in range(2))
        self.state = None

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        start = (options or {}).get("state")
        if start is None:
            self.state = draw_start(self.np_random, 1)[0]
        else:
            self.state = np.array(start, dtype=float)
            if self.state.shape != (2,) or self.state not in SPACE:
                raise ValueError(f"the state must be a place (x, y) in [-1, 1]²; got {start}")
        return self.state.copy(), {}

    def step(self, action):
        if self.state is None:
            raise RuntimeError("call reset() before step()")
        action = np.asarray(action, dtype=float)
        if action.shape != (2,) or not np.isfinite(action).all():
            raise ValueError(f"the action must be 2 finite numbers; got {action}")
        reward = float(navigation_reward(self.state))
        self.state = navigation_step(self.state, action)
        return self.state.copy(), reward, False, False, {}

    def render(self):
        if self.render_mode is None:
            return None
        return navigation_picture(self.state)


def navigation_picture(place=None, pixels=200):
    """The square as a picture (pixels, pixels, 3) of bytes: goal green, obstacles red, the point (if given) blue."""
    axis = (np.arange(pixels) + 0.5) * 2 / pixels - 1
    xy = np.stack(np.meshgrid(axis, axis[::-1]), axis=-1)
    goal, obstacle = _goal(xy)[..., None], np.minimum(_obstacle(xy), 1)[..., None]
    picture = FLOOR + goal * (GREEN - FLOOR) + obstacle * (RED - FLOOR)
    if place is not None:
        picture[((xy - place) ** 2).sum(axis=-1) < 0.04**2] = BLUE
    return np.clip(picture, 0, 255).astype(np.uint8)
