"""What both sides of benchmarks/gail.py do alike: runs in the course's environment and in the peer's."""

import time

import gymnasium
import numpy as np

EPISODES = 20


def mean_return(name, act, seed, episodes=EPISODES):
    """The mean return of whole episodes in gymnasium's own environment; act: observations (n, d) → actions (n, …)."""
    envs = [gymnasium.make(name, disable_env_checker=True) for _ in range(episodes)]
    obs = [env.reset(seed=seed + i)[0] for i, env in enumerate(envs)]
    total, running = np.zeros(episodes), list(range(episodes))
    while running:
        for i, action in zip(running.copy(), act(np.stack([obs[i] for i in running])), strict=True):
            obs[i], reward, terminated, truncated, _ = envs[i].step(action)
            total[i] += reward
            if terminated or truncated:
                running.remove(i)
    return float(total.mean())


class Stopwatch:
    """CPU seconds of this process, without those spent in evaluations: `curve` has (steps, CPU-s, mean return)."""

    def __init__(self, name, seed):
        self.name, self.seed, self.curve = name, seed, []
        self.start = time.process_time()

    def seconds(self):
        return time.process_time() - self.start

    def evaluate(self, steps, act):
        """Take in how good `act` is after so many steps of training.  Each evaluation has starts of its own."""
        before = time.process_time()
        seed = 1_000_000 * (self.seed + 1) + EPISODES * len(self.curve)
        self.curve.append((steps, round(self.seconds(), 3), mean_return(self.name, act, seed)))
        self.start += time.process_time() - before
