"""Five control tasks, n copies of each at once, in NumPy, and two of gymnasium's own.

The dynamics, rewards, starts and time limits of CartPole-v1, Acrobot-v1, MountainCar-v0 and Pendulum-v1 are gymnasium's
own; that is tested step for step.  Navigation-v0 is ours.  All speak the vector interface of vectorised.py:

    env = make("CartPole-v1", 32)
    obs, info = env.reset(seed=0)                                   # (32, 4)
    obs, reward, terminated, truncated, info = env.step(actions)    # (32, 4), (32,), (32,), (32,)

An episode that ends starts anew in the same step: `obs` is then already the first observation of the next one, and
`info["final_obs"]` (n, d) is, for every copy, the observation that the step led to.
"""

import difflib

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from course_utils import navigation
from course_utils.navigation import Navigation, navigation_picture, navigation_reward
from course_utils.vectorised import Task, Wrapped

__all__ = ["TASKS", "Navigation", "make", "navigation_picture", "navigation_reward"]


class CartPole(Task):
    """Balance a pole on a cart; state (x, v, θ, ω); push left or right.  (Barto, Sutton and Anderson 1983)"""

    name = "CartPole-v1"
    time_limit = 500
    n_state = 4
    fall = 12 * 2 * np.pi / 360  # the angle at which the episode ends
    high = np.array([4.8, np.inf, 2 * fall, np.inf])
    single_action_space = Discrete(2)

    def draw(self, n):
        return self.np_random.uniform(-0.05, 0.05, (n, 4))

    def dynamics(self, state, actions):
        gravity, mass_pole, mass, half_length, force, dt = 9.8, 0.1, 1.1, 0.5, 10.0, 0.02
        x, v, θ, ω = state.T
        sin, cos = np.sin(θ), np.cos(θ)
        push = (force * (2 * actions - 1) + mass_pole * half_length * ω**2 * sin) / mass
        angular = (gravity * sin - cos * push) / (half_length * (4 / 3 - mass_pole / mass * cos**2))
        linear = push - mass_pole * half_length / mass * angular * cos
        new = np.empty_like(state)
        new[:, 0] = x + dt * v  # explicit Euler: positions move with the old velocities
        new[:, 1] = v + dt * linear
        new[:, 2] = θ + dt * ω
        new[:, 3] = ω + dt * angular
        terminated = (np.abs(new[:, 0]) > 2.4) | (np.abs(new[:, 2]) > self.fall)
        return new, np.ones(len(state)), terminated


class Acrobot(Task):
    """Swing the tip of a double pendulum above a line; state (θ₁, θ₂, ω₁, ω₂); torque at the elbow.  (Sutton 1996)"""

    name = "Acrobot-v1"
    time_limit = 500
    n_state = 4
    fastest = np.array([4 * np.pi, 9 * np.pi])
    high = np.array([1, 1, 1, 1, *fastest])
    single_action_space = Discrete(3)

    def draw(self, n):
        return self.np_random.uniform(-0.1, 0.1, (n, 4))

    def dynamics(self, state, actions):
        dt, torque = 0.2, actions - 1.0
        s = state.T
        k1 = self.derivative(s, torque)
        k2 = self.derivative(s + dt / 2 * k1, torque)
        k3 = self.derivative(s + dt / 2 * k2, torque)
        k4 = self.derivative(s + dt * k3, torque)
        new = (s + dt / 6 * (k1 + 2 * (k2 + k3) + k4)).T  # Runge–Kutta
        new[:, :2] -= 2 * np.pi * np.rint(new[:, :2] / (2 * np.pi))  # the angles lie in [-π, π]
        new[:, 2:] = np.clip(new[:, 2:], -self.fastest, self.fastest)
        terminated = -np.cos(new[:, 0]) - np.cos(new[:, 0] + new[:, 1]) > 1
        return new, terminated - 1.0, terminated

    @staticmethod
    def derivative(s, torque):
        """ds/dt of s (4, n): both links of mass 1, length 1, centre of mass ½ and moment of inertia 1; g = 9.8."""
        θ1, θ2, ω1, ω2 = s
        sin2, cos2 = np.sin(θ2), np.cos(θ2)
        d1 = 3.5 + cos2
        d2 = 1.25 + 0.5 * cos2
        φ2 = 4.9 * np.sin(θ1 + θ2)
        φ1 = 14.7 * np.sin(θ1) + φ2 - sin2 * ω2 * (0.5 * ω2 + ω1)
        ratio = d2 / d1
        out = np.empty_like(s)
        out[:2] = s[2:]
        out[3] = (torque + ratio * φ1 - 0.5 * ω1 * ω1 * sin2 - φ2) / (1.25 - d2 * ratio)
        out[2] = -(d2 * out[3] + φ1) / d1
        return out

    def observe(self, state):
        obs = np.empty((len(state), 6))
        obs[:, 0:4:2] = np.cos(state[:, :2])
        obs[:, 1:4:2] = np.sin(state[:, :2])
        obs[:, 4:] = state[:, 2:]
        return obs


class MountainCar(Task):
    """Drive a weak car out of a valley; state (position, velocity); push left, not at all, right.  (Moore 1990)"""

    name = "MountainCar-v0"
    time_limit = 200
    n_state = 2
    low, high = np.array([-1.2, -0.07]), np.array([0.6, 0.07])
    single_action_space = Discrete(3)

    def draw(self, n):
        state = np.zeros((n, 2))
        state[:, 0] = self.np_random.uniform(-0.6, -0.4, n)
        return state

    def dynamics(self, state, actions):
        x, v = state.T
        v = np.clip(v + 0.001 * (actions - 1) - 0.0025 * np.cos(3 * x), self.low[1], self.high[1])
        x = np.clip(x + v, self.low[0], self.high[0])
        v[(x == self.low[0]) & (v < 0)] = 0  # the wall on the left stops the car
        terminated = (x >= 0.5) & (v >= 0)
        return np.column_stack([x, v]), np.full(len(state), -1.0), terminated


class Pendulum(Task):
    """Swing a pendulum up and hold it there; state (θ, ω), θ = 0 is up; torque in [-2, 2]; never terminates."""

    name = "Pendulum-v1"
    time_limit = 200
    n_state = 2
    high = np.array([1.0, 1.0, 8.0])
    single_action_space = Box(-2.0, 2.0, (1,), np.float64)

    def draw(self, n):
        return self.np_random.uniform([-np.pi, -1], [np.pi, 1], (n, 2))

    def dynamics(self, state, actions):
        (θ, ω), torque = state.T, actions[:, 0]
        from_top = (θ + np.pi) % (2 * np.pi) - np.pi
        reward = -(from_top**2 + 0.1 * ω**2 + 0.001 * torque**2)
        ω = np.clip(ω + 0.05 * (15 * np.sin(θ) + 3 * torque), -8, 8)
        return np.column_stack([θ + 0.05 * ω, ω]), reward, np.zeros(len(state), dtype=bool)

    def observe(self, state):
        θ, ω = state.T
        return np.column_stack([np.cos(θ), np.sin(θ), ω])


class NavigationVector(Task):
    """Walk to the goal past the obstacles; state and observation (x, y); never terminates.  See navigation.py."""

    name = "Navigation-v0"
    time_limit = navigation.TIME_LIMIT
    n_state = 2
    high = np.array([1.0, 1.0])
    single_action_space = Box(-1.0, 1.0, (2,), np.float64)

    def draw(self, n):
        return navigation.draw_start(self.np_random, n)

    def dynamics(self, state, actions):
        new = navigation.navigation_step(state, actions)
        return new, navigation_reward(state), np.zeros(len(state), dtype=bool)


TASKS = {task.name: task for task in (CartPole, Acrobot, MountainCar, Pendulum, NavigationVector)}


LIBRARY = ("LunarLander-v3", "Hopper-v5")  # gymnasium's own, wrapped: they need Box2D and MuJoCo


def make(name, n):
    """n copies of a task, as a gymnasium.vector.VectorEnv.  Names: TASKS and LIBRARY."""
    return Wrapped(name, n) if checked_name(name) in LIBRARY else TASKS[name](n)


def checked_name(name):
    """The name of a task; ValueError with the nearest name for any other."""
    known = (*TASKS, *LIBRARY)
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.3)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"there is no task {name!r}; {hint}The tasks are {', '.join(known)}")
    return name


if "course/Navigation-v0" not in gymnasium.registry:  # a module that is loaded again registers nothing twice
    gymnasium.register(
        "course/Navigation-v0",
        entry_point="course_utils.navigation:Navigation",
        vector_entry_point="course_utils.environments:NavigationVector",
        max_episode_steps=navigation.TIME_LIMIT,
    )
