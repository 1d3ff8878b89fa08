"""A kart on a closed track: what Ross, Gordon and Bagnell (2011, arXiv:1011.0686) did with Super Tux Kart, in NumPy.

The throttle is held, the driver only steers.  The kart has momentum: it turns with a lag behind the steering.  Bumps
knock it about.  Who leaves the track falls: reward -1, and the kart is put back on the middle of the road, there, and
drives on.

State (n, 4), in the road's own coordinates; metres, radians and seconds; to the left is positive:

    s         how far along the middle line, in [0, LENGTH)
    offset    how far to the left of it; beyond ±HALF_WIDTH is a fall
    heading   the direction in which the kart goes, from the road's
    yaw       how fast that turns

What a driver sees and feels, (n, 7): offset, heading, yaw, and how the road bends 0, 4, 8 and 12 metres ahead, in
radians per AHEAD = 10 metres.
"""

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from course_utils.networks import check_counts
from course_utils.vectorised import Task

# The road: straights (metres) and bends (degrees to the left, radius), joined end to end.
ROAD = (10.575, (-40, 14), (80, 12), (-40, 14), 12, (90, 12), 10, (90, 12), 6, (90, 9), 3)
ROAD += ((-90, 10), 4, (-90, 13), 5, (90, 9), 8, (90, 11), 14, (90, 14))
HALF_WIDTH = 3.0
SPEED, DT = 10.0, 0.1
LAG = 0.15  # of the turning behind the steering, in seconds
TURN = 3.0  # how fast the kart turns at full lock, radians a second
BUMP = 0.03  # standard deviation of what a bump does to the yaw, in each step
VIEW = np.array([0.0, 4.0, 8.0, 12.0])  # how far ahead the driver sees the road's bend
AHEAD = 10.0  # bends are seen in radians per so many metres
STEPS = 250  # of an episode: about a lap
HIGH = np.array([HALF_WIDTH, np.pi, 10.0, *np.full(len(VIEW), 2.0)])  # bounds of what is seen


# ---- the road


def along(x, y, θ, κ, d):
    """Where one is, and in which direction, after d metres on a line of curvature κ from (x, y) in direction θ."""
    chord = d * np.sinc(κ * d / (2 * np.pi))
    return x + chord * np.cos(θ + κ * d / 2), y + chord * np.sin(θ + κ * d / 2), θ + κ * d


def _lay(road):
    """(pieces, 5): length, curvature, and x, y, direction where it begins."""
    rows, start = [], (0.0, 0.0, 0.0)
    for piece in road:
        degrees, radius = piece if isinstance(piece, tuple) else (0, np.inf)
        length = np.deg2rad(abs(degrees)) * radius if degrees else piece
        κ = np.sign(degrees) / radius
        rows.append((length, κ, *start))
        start = along(*start, κ, length)
    return np.array(rows)


PIECES = _lay(ROAD)
STARTS = np.cumsum(PIECES[:, 0]) - PIECES[:, 0]
LENGTH = PIECES[:, 0].sum()


def piece_at(s):
    """The number of the piece of road s metres along it: any shape."""
    return np.searchsorted(STARTS, np.mod(s, LENGTH), side="right") - 1


def bend(s):
    """The road's curvature s metres along it, 1/radius, positive to the left: any shape."""
    return PIECES[piece_at(s), 1]


def place(s, offset=0.0):
    """Road coordinates → x, y and the road's direction: (…), (…) → (…), (…), (…)."""
    k = piece_at(s)
    x, y, θ = along(*PIECES[k, 2:].T, PIECES[k, 1], np.mod(s, LENGTH) - STARTS[k])
    return x - offset * np.sin(θ), y + offset * np.cos(θ), θ


# ---- the kart


def kart_step(state, steering, bumps):
    """(n, 4), (n,) in [-1, 1], (n,) → the next states, who fell (n,), how far they came along the road (n,), metres."""
    s, offset, heading, yaw = state.T
    κ = bend(s)
    forward = SPEED * np.cos(heading) / (1 - κ * offset)  # on the inside of a bend one gets on faster
    new = np.empty_like(state)
    new[:, 0] = (s + DT * forward) % LENGTH
    new[:, 1] = offset + DT * SPEED * np.sin(heading)
    new[:, 2] = heading + DT * (yaw - κ * forward)
    new[:, 3] = yaw + DT / LAG * (TURN * steering - yaw) + bumps
    fell = np.abs(new[:, 1]) > HALF_WIDTH
    new[fell, 1:] = 0
    return new, fell, DT * forward


def draw_bumps(rng, n):
    return BUMP * rng.standard_normal(n)


def draw_start(rng, n):
    """n karts in the middle of the road, anywhere along it: (n, 4)."""
    state = np.zeros((n, 4))
    state[:, 0] = rng.uniform(0, LENGTH, n)
    return state


def look(state):
    """What a driver sees and feels: (n, 4) → (n, 7)."""
    return np.column_stack([state[:, 1:], AHEAD * bend(state[:, :1] + VIEW)])


class KartVector(Task):
    """n karts at once; action (n, 1): the steering in [-1, 1], positive to the left; episodes end by time only.

    info holds "fell" (n,), and "progress" (n,): the laps driven in this step.
    """

    name = "Kart-v0"
    time_limit = STEPS
    n_state = 4
    high = HIGH
    single_action_space = Box(-1.0, 1.0, (1,), np.float64)

    def draw(self, n):
        return draw_start(self.np_random, n)

    def _checked_state(self, state):
        state = super()._checked_state(state)
        if (np.abs(state[:, 1]) > HALF_WIDTH).any():
            raise ValueError(f"a kart stands on the road: its offset is within ±{HALF_WIDTH}; got {state[:, 1]}")
        return state

    def dynamics(self, state, actions):
        new, self._fell, metres = kart_step(state, actions[:, 0], draw_bumps(self.np_random, len(state)))
        self._progress = metres / LENGTH
        return new, -self._fell.astype(float), np.zeros(len(state), dtype=bool)

    def observe(self, state):
        return look(state)

    def step(self, actions):
        *returned, info = super().step(actions)
        return *returned, info | {"fell": self._fell, "progress": self._progress}


class Kart(gymnasium.Env):
    """One kart, for gymnasium's own tools: `gymnasium.make("course/Kart-v0")` adds the time limit.

    reset's option "state" is the state (4,) to start from.  render() gives what `kart_plots.kart_picture` draws.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": round(1 / DT)}

    def __init__(self, render_mode=None):
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode must be None or 'rgb_array', got {render_mode!r}")
        self.render_mode = render_mode
        self.observation_space = Box(-HIGH, HIGH, dtype=np.float64)
        self.action_space = Box(-1.0, 1.0, (1,), np.float64)
        self.state = None

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        options = dict(options or {})
        start = options.pop("state", None)
        if options:
            raise ValueError(f'reset knows the option "state" only, got {sorted(options)}')
        state = draw_start(self.np_random, 1)[0] if start is None else np.array(start, dtype=float)
        if state.shape != (4,) or not np.isfinite(state).all() or abs(state[1]) > HALF_WIDTH:
            raise ValueError(f"the state must be s, an offset within ±{HALF_WIDTH}, heading and yaw; got {start}")
        self.state = state
        return look(state[None])[0], {}

    def step(self, action):
        if self.state is None:
            raise RuntimeError("call reset() before step()")
        action = np.asarray(action, dtype=float)
        if action.shape != (1,) or not np.isfinite(action).all():
            raise ValueError(f"the action must be 1 finite number; got {action}")
        bumps = draw_bumps(self.np_random, 1)
        new, fell, metres = kart_step(self.state[None], np.clip(action, -1, 1), bumps)
        self.state = new[0]
        info = {"fell": bool(fell[0]), "progress": float(metres[0] / LENGTH)}
        return look(new)[0], -float(fell[0]), False, False, info

    def render(self):
        from course_utils.kart_plots import kart_picture  # it draws with this module's road

        return None if self.render_mode is None else kart_picture(self.state)


# ---- drivers


def driver(obs, rng=None, time=None):
    """The expert: it steers as the road bends here and 4 metres ahead, and corrects where it would come out.

    That is 8 metres ahead; what is less than a hand's breadth off the middle there, it leaves alone.
    """
    offset, heading, yaw, here, ahead = obs[:, :5].T
    turn = SPEED / AHEAD  # from the road's bend to the yaw that follows it
    aim = offset + 8 * heading + 2 * (yaw - turn * here)
    aim = np.sign(aim) * np.maximum(np.abs(aim) - 0.25, 0)
    return np.clip(turn * (here + ahead) / 2 / TURN - 0.2 * aim, -1, 1)[:, None]


def one_hot(x, width, n):
    """In which cell of this width x lies; cells -n … n, around 0, the outer ones open: (M,) → (M, 2n + 1)."""
    return np.eye(2 * n + 1)[np.clip(np.rint(x / width), -n, n).astype(int) + n]


def cells(obs):
    """What the learner has: which metre of the road, which fifth of a radian, and the bends: (M, 7) → (M, 20).

    Coarse, as a small picture is: while the kart stays within half a cell of the right line, the cells do not change.
    """
    return np.column_stack([one_hot(obs[:, 0], 1.0, 3), one_hot(obs[:, 1], 0.2, 4), obs[:, 3:]])


def poor_cells(obs):
    """Too little: the metre of the road and a direction four times as coarse; no bends.  (M, 7) → (M, 12)."""
    return np.column_stack([one_hot(obs[:, 0], 1.0, 3), one_hot(obs[:, 1], 0.8, 2)])


def falls_per_lap(act, rng, laps=1, copies=16):
    """Falls a lap of a driver act(obs, rng, time), over `copies` karts that each drive for the time of `laps` laps."""
    check_counts(laps=laps, copies=copies)
    steps = round(laps * LENGTH / (SPEED * DT))
    env = KartVector(copies, max_episode_steps=steps + 1)
    obs, _ = env.reset(seed=int(rng.integers(2**31)))
    fallen = progress = 0.0
    for t in range(steps):
        obs, _, _, _, info = env.step(act(obs, rng, t))
        fallen += info["fell"].sum()
        progress += info["progress"].sum()
    return fallen / progress


if "course/Kart-v0" not in gymnasium.registry:  # a module that is loaded again registers nothing twice
    gymnasium.register(
        "course/Kart-v0",
        entry_point="course_utils.kart:Kart",
        vector_entry_point="course_utils.kart:KartVector",
        max_episode_steps=STEPS,
    )
