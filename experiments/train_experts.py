"""Train the experts that the course ships: `python experiments/train_experts.py [NAME …]`, all tasks if none is named.

The control tasks' experts are small networks found by the cross-entropy method (Rubinstein 1999; Szita and Lőrincz
2006): draw many weight vectors from a Gaussian, keep the best, fit the Gaussian to them.  It needs no gradient, and all
candidates play at once.  For Pendulum-v1 the search starts at a network fitted to a policy planned on a grid, as it
would otherwise stop some 20 short.  Navigation's expert is planned outright: soft value iteration on a fine grid.
LunarLander's and Hopper's are trained by proximal policy optimisation, in two and six minutes.

Writes data/experts/NAME.npz and the entry of NAME in data/experts/provenance.json.
"""

import hashlib
import json
import platform
import sys
from importlib import metadata

import gymnasium
import numpy as np
import scipy
import scipy.sparse as sp
import torch
from gymnasium.spaces import Discrete

from course_utils import navigation
from course_utils.environments import LIBRARY, TASKS, checked_name, make
from course_utils.experts import (
    FOLDER,
    cell_centres,
    corners,
    from_arrays,
    interpolate,
    network,
    network_actions,
    whole_episodes,
)
from course_utils.mdp import TabularMDP
from course_utils.planning import soft_value_iteration, value_iteration
from course_utils.ppo import PPO, evaluate

ALL = (*TASKS, *LIBRARY)
EPISODES, EVALUATION_SEED = 100, 2024  # of the measured returns
VALIDATION_SEED = 1
CEM = {
    "CartPole-v1": dict(seed=0, hidden=4, generations=30, candidates=96, episodes=8, sd=1.0, floor=0.02, σ=0.0),
    "Acrobot-v1": dict(seed=0, hidden=8, generations=80, candidates=96, episodes=24, sd=1.0, floor=0.03, σ=0.0),
    "MountainCar-v0": dict(seed=2, hidden=8, generations=150, candidates=200, episodes=16, sd=1.0, floor=0.05, σ=0.0),
    "Pendulum-v1": dict(seed=0, hidden=24, generations=100, candidates=200, episodes=32, sd=0.15, floor=0.2, σ=0.1),
}
SCALE = {  # what the observations are divided by
    "CartPole-v1": [2.4, 2.0, 0.2, 2.0],
    "Acrobot-v1": [1.0, 1.0, 1.0, 1.0, 4.0, 8.0],
    "MountainCar-v0": [0.5, 0.05],
    "Pendulum-v1": [1.0, 1.0, 8.0],
}
GRADIENT = {
    "LunarLander-v3": dict(
        seed=0, copies=32, iterations=100, looks=20, hidden=[64], steps=512, learning_rate=2e-3, discount=0.999,
        trace=0.98, entropy=0.01, epochs=4, minibatches=32,
    ),
    "Hopper-v5": dict(
        seed=0, copies=16, iterations=240, looks=20, hidden=[64], steps=512, learning_rate=7e-4, discount=0.995,
        trace=0.95, entropy=0.0, epochs=8, minibatches=32,
    ),
}  # fmt: skip
PHYSICS = {"LunarLander-v3": ["box2d"], "Hopper-v5": ["mujoco"]}
SOFT = dict(temperature=0.1, grid=41, cells=10)


def weights(θ, d, hidden, outputs):
    """Parameter vectors (C, n) cut into W1 (C, d, hidden), b1, W2 and b2 (C, 1, …)."""
    shapes = (d, hidden), (1, hidden), (hidden, outputs), (1, outputs)
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    return [part.reshape(-1, *shape) for part, shape in zip(np.split(θ, ends[:-1], axis=1), shapes, strict=True)]


def scores(name, layers, episodes, rng):
    """The mean score of each of C networks over the same episodes: (C,).

    The score is the return.  In MountainCar-v0, where all first policies earn -200, an episode that ends below the flag
    earns less the farther it stayed from it.
    """
    C = len(layers[0])
    starts, env = make(name, episodes), make(name, C * episodes)
    starts.reset(seed=int(rng.integers(2**31)))
    obs, _ = env.reset(options={"state": np.tile(starts.state, (C, 1))})
    running, score, farthest = np.ones(len(obs), dtype=bool), np.zeros(len(obs)), np.full(len(obs), -np.inf)
    while running.any():
        outputs = network(obs.reshape(C, episodes, -1), SCALE[name], *layers)
        actions = network_actions(env.single_action_space, outputs)
        obs, reward, terminated, truncated, info = env.step(actions.reshape(len(obs), *actions.shape[2:]))
        score += running * reward
        farthest = np.where(running, np.maximum(farthest, info["final_obs"][:, 0]), farthest)
        running &= ~(terminated | truncated)
    if name == "MountainCar-v0":
        score -= 100 * np.maximum(0, 0.5 - farthest)
    return score.reshape(C, episodes).mean(axis=1)


def cross_entropy_method(name, seed, hidden, generations, candidates, episodes, sd, floor, σ):
    """The arrays of a NetworkExpert."""
    rng = np.random.default_rng(seed)
    env = make(name, 1)
    d, space = env.single_observation_space.shape[0], env.single_action_space
    outputs = int(space.n) if isinstance(space, Discrete) else space.shape[0]
    size = d * hidden + hidden + hidden * outputs + outputs
    mean = planned_pendulum(hidden, rng) if name == "Pendulum-v1" else np.zeros(size)
    spread, champion = np.full(size, sd), (-np.inf, mean)
    for g in range(generations):
        θ = mean + spread * rng.standard_normal((candidates, size))
        best = θ[np.argsort(-scores(name, weights(θ, d, hidden, outputs), episodes, rng))[: candidates // 7]]
        mean = 0.2 * mean + 0.8 * best.mean(axis=0)
        spread = 0.2 * spread + 0.8 * best.std(axis=0) + floor * sd * (1 - g / generations)  # keeps on exploring
        if g % 10 == 9:  # the Gaussian's mean wanders: its best place on episodes of their own is kept
            validation = np.random.default_rng(VALIDATION_SEED)
            value = scores(name, weights(mean[None], d, hidden, outputs), 500, validation)[0]
            champion = max(champion, (value, mean), key=lambda pair: pair[0])
    mean = champion[1]
    layers = dict(zip(("W1", "b1", "W2", "b2"), (w[0] for w in weights(mean[None], d, hidden, outputs)), strict=True))
    return layers | {"scale": np.array(SCALE[name]), "σ": np.array(σ)}


def planned_pendulum(hidden, rng, grid=121, steps=4000):
    """Weights of a network that is fitted to the best policy on a grid of (θ, ω): a place to start from."""
    torques, axis = np.linspace(-2, 2, 17), np.linspace(-1, 1, grid)
    states = np.stack(np.meshgrid(np.pi * axis, 8 * axis, indexing="ij"), axis=-1).reshape(-1, 2)
    S, A = len(states), len(torques)
    pendulum = make("Pendulum-v1", 1)
    following, r, _ = pendulum.dynamics(np.repeat(states, A, axis=0), np.tile(torques, S)[:, None])
    following[:, 0] = (following[:, 0] + np.pi) % (2 * np.pi) - np.pi
    P = interpolated_transitions(following / [np.pi, 8], grid)
    _, _, π = value_iteration(TabularMDP(P, np.full(S, 1 / S), discount=0.99), r.reshape(S, A))

    obs = torch.tensor(pendulum.observe(states) / SCALE["Pendulum-v1"], dtype=torch.float32)
    target = torch.tensor(π @ torques, dtype=torch.float32)[:, None]
    start = rng.standard_normal(3 * hidden), rng.standard_normal(hidden), 0.3 * rng.standard_normal(hidden), np.zeros(1)
    start = weights(np.concatenate(start)[None], 3, hidden, 1)
    layers = [torch.tensor(w[0], dtype=torch.float32, requires_grad=True) for w in start]
    optimizer = torch.optim.Adam(layers, 0.01)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = rng.integers(S, size=1024)
        W1, b1, W2, b2 = layers
        error = 2 * torch.tanh(torch.tanh(obs[rows] @ W1 + b1) @ W2 + b2) - target[rows]
        optimizer.zero_grad()
        (error**2).mean().backward()
        optimizer.step()
        decay.step()
    return np.concatenate([w.detach().numpy().ravel() for w in layers]).astype(float)


def interpolated_transitions(places, grid):
    """Rows of P (M, grid²) for steps that lead to places (M, 2) in [-1, 1]²: to the four grid points around each, with
    the weights of bilinear interpolation as probabilities."""
    index, weight = corners(places, grid)
    return sp.csr_array((weight.ravel(), index.ravel(), np.arange(0, weight.size + 1, 4)), shape=(len(places), grid**2))


def navigation_mdp(grid, actions):
    """Navigation-v0 on a grid: the world with the given actions (A, 2), and its reward r[s,a]."""
    axis, A = np.linspace(-1, 1, grid), len(actions)
    places = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    P = interpolated_transitions(navigation.navigation_step(places, actions).reshape(-1, 2), grid)
    S = len(places)
    mdp = TabularMDP(P, np.full(S, 1 / S), horizon=navigation.TIME_LIMIT)
    return mdp, np.repeat(navigation.navigation_reward(places), A, axis=1)


def soft_planning(temperature, grid, cells):
    """The arrays of a SoftExpert: V_t/α by soft value iteration with the reward r/α."""
    mdp, r = navigation_mdp(grid, cell_centres(cells))
    V, _, _ = soft_value_iteration(mdp, r / temperature)
    return {"V": V.reshape(-1, grid, grid).astype(np.float32), "α": np.array(temperature), "cells": np.array(cells)}


def optimal_return(grid):
    """What the best policy earns in Navigation-v0, entropy apart: hard value iteration, mean over many starts."""
    axis = np.linspace(-1, 1, 7)
    mdp, r = navigation_mdp(grid, np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))
    V, _, _ = value_iteration(mdp, r)
    starts = navigation.draw_start(np.random.default_rng(EVALUATION_SEED), 10_000)
    return interpolate(V.reshape(-1, grid, grid), np.zeros(len(starts), dtype=int), starts).mean()


def policy_gradient(name, seed, copies, iterations, looks, learning_rate, **settings):
    """The arrays of a NetworkExpert: of the policies at `looks` times of the training, the best on validation episodes.

    The learning rate falls to zero in the course of it.
    """
    rng, space = np.random.default_rng(seed), make(name, 1).single_action_space
    learner, champion = PPO(make(name, copies), rng, learning_rate=learning_rate, **settings), (-np.inf, None)
    for i in range(iterations):
        learner.optimiser.param_groups[0]["lr"] = learning_rate * (1 - i / iterations)
        batch = learner.collect()
        learner.update(batch, batch.reward)
        if (i + 1) % (iterations // looks) == 0:
            returns = evaluate(learner.policy, name, 50, np.random.default_rng(VALIDATION_SEED), greedy=True)
            champion = max(champion, (returns.mean(), folded(learner.policy)), key=lambda pair: pair[0])
    return champion[1] | ({} if isinstance(space, Discrete) else {"clipped": np.array(True)})


@torch.no_grad()
def folded(policy):
    """The layers of a `networks.Policy` with one hidden layer, which takes over the normalisation of observations."""
    first, _, second = policy.network
    mean, sd = policy.norm.mean.double(), (policy.norm.var.double() + 1e-8).sqrt()
    W1, W2 = first.weight.T.double(), second.weight.T.double()
    layers = {"scale": sd, "W1": W1, "b1": first.bias - (mean / sd) @ W1, "W2": W2, "b2": second.bias}
    return {key: x.double().numpy() for key, x in layers.items()} | {"σ": np.array(0.0)}


def measure(name, expert):
    """Returns of the expert and of uniformly random actions over EPISODES episodes each."""
    space = make(name, 1).single_action_space

    def random(obs, rng, time):
        if isinstance(space, Discrete):
            return rng.integers(space.n, size=len(obs))
        return rng.uniform(space.low, space.high, (len(obs), *space.shape))

    measured = {"episodes": EPISODES, "seed": EVALUATION_SEED}
    for who, act in (("expert", expert), ("random", random)):
        *_, reward, running = whole_episodes(name, EPISODES, act, np.random.default_rng(EVALUATION_SEED))
        returns = (reward * running).sum(axis=0)
        measured |= {f"{who}_mean": returns.mean(), f"{who}_sd": returns.std(ddof=1), f"{who}_worst": returns.min()}
    if name == "Navigation-v0":
        measured["optimal_mean"] = optimal_return(2 * SOFT["grid"] - 1)
    return {key: value if isinstance(value, int) else round(float(value), 3) for key, value in measured.items()}


def train(name):
    """Train, write and measure one expert; returns its provenance."""
    if name == "Navigation-v0":
        method, settings, arrays = "soft value iteration on a grid", SOFT, soft_planning(**SOFT)
    elif name in LIBRARY:
        method, settings = "proximal policy optimisation", GRADIENT[name]
        arrays = policy_gradient(name, **settings)
    else:
        method, settings = "cross-entropy method over a network's weights", CEM[name]
        if name == "Pendulum-v1":
            method = "value iteration on a grid, a network fitted to its policy, then the " + method
        arrays = cross_entropy_method(name, **settings)
    path = FOLDER / f"{name}.npz"
    np.savez_compressed(path, **arrays)
    return {
        "command": f"python experiments/train_experts.py {name}",
        "method": method,
        "settings": settings,
        "versions": {
            "python": platform.python_version(),
            **{package.__name__: package.__version__ for package in (np, scipy, torch, gymnasium)},
            **{package: metadata.version(package) for package in PHYSICS.get(name, ())},
        },
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "measured": measure(name, from_arrays(name, arrays)),
    }


def main(names):
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "provenance.json"
    entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in [checked_name(name) for name in names]:  # a slip in the last name shows at once
        entries[name] = train(name)
        text = json.dumps({task: entries[task] for task in ALL if task in entries}, indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        print(name, json.dumps(entries[name]["measured"]))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:] or ALL)
