"""Imitation as supervised learning, and its repairs: behavioural cloning, forward training, SMILe, DAgger.

    policy    any callable act(obs (M, d), rng, time) -> actions (M,) or (M, k); `time` is the step's number
    expert    a policy too; what it does in a state is the state's label
    learner   any callable learn(obs, labels, rng) -> policy; `neural` and `ridge` make two

env is a vector environment of gymnasium's interface that resets its copies itself (for a plain one there is
`vectorised.Wrapped(name, n)`); an iteration is one episode in each of its copies. The expert is asked once for every
state that counts in an episode, and the number of labels is the number of questions: `len(run.data)`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode, VectorEnv

from course_utils.networks import Policy, check_counts, to_tensor, torch_generator

# ---- policies


def memoryless(f):
    """The policy that calls f(obs): for an expert that needs neither randomness nor the time."""
    return lambda obs, rng, time: f(obs)


def mixture(policies, weights):
    """The policy that draws at each step, and for each row, whose action is taken; weights (K,) sum to 1."""
    weights = np.asarray(weights, dtype=float)
    if weights.shape != (len(policies),) or (weights < 0).any() or not np.isclose(weights.sum(), 1):
        raise ValueError(f"{len(policies)} policies need as many weights that sum to 1, got {weights}")

    def act(obs, rng, time):
        who = rng.choice(len(policies), size=len(obs), p=weights)
        parts = {k: np.asarray(policies[k](obs[who == k], rng, time)) for k in np.unique(who)}
        shape = next(iter(parts.values())).shape[1:]
        actions = np.empty((len(obs), *shape), np.result_type(*parts.values()))
        for k, part in parts.items():
            actions[who == k] = part
        return actions

    return act


def at_each_time(policies):
    """The policy that acts as policies[t] at time t, and as the last one after that."""
    return lambda obs, rng, time: policies[min(time, len(policies) - 1)](obs, rng, time)


# ---- data


@dataclass(frozen=True)
class Steps:
    """M steps of episodes, in order of time: obs (M, d), actions (M,) or (M, k) as the policy gave them, and (M,) each:
    time, the step's number in its episode; episode, the copy it was made in; reward, the environment's own."""

    obs: np.ndarray
    actions: np.ndarray
    time: np.ndarray
    episode: np.ndarray
    reward: np.ndarray

    def __len__(self):
        return len(self.obs)

    @property
    def returns(self):
        """Of each episode, undiscounted: (episodes,)."""
        return np.bincount(self.episode, self.reward)


@dataclass(frozen=True)
class Labelled:
    """M states and what the expert would do there: obs (M, d), labels (M,) or (M, k), and (M,) each: driven, whether
    the expert's action was the one executed; time; iteration, the one that the state was visited in."""

    obs: np.ndarray
    labels: np.ndarray
    driven: np.ndarray
    time: np.ndarray
    iteration: np.ndarray

    def __len__(self):
        return len(self.obs)

    def __add__(self, other):
        return Labelled(*(np.concatenate([getattr(x, f.name) for x in (self, other)]) for f in fields(self)))


def check_vectorised(env):
    """env, if it is a vector environment that resets its copies itself; ValueError otherwise."""
    if not isinstance(env, VectorEnv):
        raise ValueError(f"expected a vector environment, such as vectorised.Wrapped(name, n); got {env!r:.80}")
    if env.metadata.get("autoreset_mode") == AutoresetMode.DISABLED:
        raise ValueError("expected a vector environment that resets its copies itself; this one's autoreset is off")
    return env


def rollout(env, act, rng, steps=None):
    """One episode in each copy of env, whole or its first `steps` steps.  act sees the copies that still run."""
    shape = check_vectorised(env).single_action_space.shape
    obs, _ = env.reset(seed=int(rng.integers(2**31)))
    running, rows, t = np.arange(env.num_envs), [], 0
    while running.size and t != steps:
        chosen = np.asarray(act(obs[running], rng, t))
        if chosen.shape != (len(running), *shape):
            raise ValueError(f"a policy must give actions of shape {(len(running), *shape)}, got {chosen.shape}")
        if t == 0:
            actions = chosen.astype(float) if shape else chosen.copy()
        actions[running] = chosen  # a copy that has ended repeats its last action, and nobody looks
        following, reward, terminated, truncated, _ = env.step(actions)
        rows.append((obs[running], chosen, np.full(len(running), t), running, reward[running]))
        obs, running, t = following, running[~(terminated | truncated)[running]], t + 1
    return Steps(*map(np.concatenate, zip(*rows, strict=True)))


def query(env, expert, π, β, rng, iteration=0):
    """One episode in each copy, driven by βπ* + (1 − β)π; the expert π* labels every state on the way."""
    if not 0 <= β <= 1:
        raise ValueError(f"β is a probability, got {β}")
    if π is None and β < 1:
        raise ValueError(f"there is no policy yet to share the driving with: β must be 1 at first, got {β}")
    labels, driven = [], []

    def act(obs, rng, time):
        label = np.asarray(expert(obs, rng, time))
        mine = rng.random(len(obs)) < β
        labels.append(label)
        driven.append(mine)
        if mine.all():
            return label
        return np.where(mine.reshape(-1, *[1] * (label.ndim - 1)), label, π(obs, rng, time))

    visited = rollout(env, act, rng)
    labels, driven = np.concatenate(labels), np.concatenate(driven)
    return Labelled(visited.obs, labels, driven, visited.time, np.full(len(visited), iteration))


# ---- algorithms


@dataclass(frozen=True)
class Run:
    """What an algorithm made: the policy after each iteration, and all that the expert was asked.

    queries (iterations,): how many labels had been asked for after each.
    """

    policies: list
    data: Labelled

    @property
    def final(self):
        return self.policies[-1]

    @property
    def queries(self):
        return np.bincount(self.data.iteration, minlength=len(self.policies)).cumsum()


def first_only(i):
    """β_i = I(i = 0): the expert drives in the first iteration, the learner ever after."""
    return float(i == 0)


def geometric(p):
    """β_i = pⁱ."""
    return lambda i: p**i


def always(i):
    """β_i = 1: the expert drives throughout; its learner is a behavioural clone."""
    return 1.0


def dagger(env, expert, learn, rng, iterations=20, β=first_only):
    """Dataset aggregation.  (Ross, Gordon and Bagnell 2011, arXiv:1011.0686)

    Iteration i drives with β(i) π* + (1 − β(i)) π_i, adds the states visited, with the expert's labels, to all that
    were collected before, and fits π_{i+1} to them.
    """
    check_counts(iterations=iterations)
    data, policies = None, [None]
    for i in range(iterations):
        visited = query(env, expert, policies[-1], β(i), rng, i)
        data = visited if data is None else data + visited
        policies.append(learn(data.obs, data.labels, rng))
    return Run(policies[1:], data)


def behavioural_cloning(env, expert, learn, rng, iterations=1):
    """Fit a policy to what the expert does where the expert goes: DAgger whose expert never lets go of the wheel."""
    return dagger(env, expert, learn, rng, iterations, always)


def smile_weights(α, n):
    """What each of π̂_1 … π̂_n is worth in SMILe's policy once the expert has left it: α(1 − α)^{j−1}, normalised."""
    if not 0 < α <= 1:
        raise ValueError(f"α must be above 0 and at most 1, got {α}")
    w = α * (1 - α) ** np.arange(n)
    return w / w.sum()


def smile(env, expert, learn, rng, iterations=20, α=0.1, weights=smile_weights):
    """Stochastic mixing iterative learning.  (Ross and Bagnell 2010)

    π_n = (1 − α)ⁿ π* + α Σ_j (1 − α)^{j−1} π̂_j, where π̂_j is fitted to the states that π_{j−1} visited, and to those
    only.  The policies returned are the mixtures without the expert.  weights(α, n): of π̂_1 … π̂_n in such a mixture.
    """
    check_counts(iterations=iterations)
    data, fitted, policies = None, [], [None]
    for n in range(iterations):
        visited = query(env, expert, policies[-1], (1 - α) ** n, rng, n)
        data = visited if data is None else data + visited
        fitted.append(learn(visited.obs, visited.labels, rng))
        policies.append(mixture(list(fitted), weights(α, len(fitted))))
    return Run(policies[1:], data)


def forward_training(env, expert, learn, rng, T):
    """A policy for each time: π_t is fitted to the states where π_0 … π_{t−1} lead.  (Ross and Bagnell 2010)

    For each t the expert is asked once in each copy's episode, unless that ended before.  Run.final is the policy of
    all T times; the iteration of a label is its time.
    """
    check_counts(T=T)
    data, policies = None, []
    for t in range(T):
        drive = at_each_time([*policies, expert])  # at time t the expert takes the wheel
        visited = rollout(env, drive, rng, t + 1)
        now = visited.time == t
        if not now.any():
            raise ValueError(f"no episode lasted longer than {t} steps, so there is nothing to learn at time {t}")
        arrived = (x[now] for x in (visited.obs, visited.actions, now, visited.time, visited.time))
        data = Labelled(*arrived) if data is None else data + Labelled(*arrived)
        policies.append(learn(data.obs[data.time == t], data.labels[data.time == t], rng))
    return Run([at_each_time(policies[: t + 1]) for t in range(T)], data)


# ---- learners


def cloning_loss(policy, obs, labels):
    """−mean log π(a|s): the loss of behavioural cloning, for a `networks.Policy`."""
    return -policy.log_prob(obs, labels).mean()


def clone(policy, obs, labels, steps=200, learning_rate=5e-3, batch=None, rng=None):
    """Fit a `networks.Policy` in place by maximum likelihood, with all rows or `batch` of them drawn for each step."""
    policy.norm.update(obs)
    optimiser = torch.optim.Adam(policy.parameters(), learning_rate)
    generator = None if batch is None else torch_generator(rng)
    for _ in range(steps):
        rows = slice(None) if batch is None else torch.randint(len(obs), (batch,), generator=generator)
        optimiser.zero_grad()
        cloning_loss(policy, obs[rows], labels[rows]).backward()
        optimiser.step()
    return policy


def likeliest(policy):
    """The policy in this module's sense that takes a `networks.Policy`'s likeliest actions."""

    @torch.no_grad()
    def act(obs, rng, time):
        return policy.mode(to_tensor(obs)).numpy()

    return act


def numbered_from_0(space):
    """A space of actions, a Discrete one numbered from 0; and the number that its first action had."""
    return (Discrete(int(space.n)), int(space.start)) if isinstance(space, Discrete) else (space, 0)


def neural(env, hidden=(64, 64), steps=500, learning_rate=5e-3, batch=256):
    """The learner that fits a network to the labels from scratch, by maximum likelihood."""
    check_counts(steps=steps, batch=batch)
    space, first = numbered_from_0(env.single_action_space)

    def learn(obs, labels, rng):
        policy = Policy(env.single_observation_space, space, rng, hidden)
        labels = torch.as_tensor(labels - first) if policy.discrete else to_tensor(labels)
        act = likeliest(clone(policy, to_tensor(obs), labels, steps, learning_rate, batch, rng))
        return lambda obs, rng, time: act(obs, rng, time) + first

    return learn


def ridge(env, λ=1e-3, features=lambda obs: obs):
    """The learner that is linear in features(obs) (M, m) and an intercept: least squares with the penalty λ M |w|².

    Actions of a box are fitted as they are; of discrete ones, their indicators, and the largest is taken.
    """
    if not λ >= 0:
        raise ValueError(f"λ must not be negative, got {λ}")
    space, first = numbered_from_0(env.single_action_space)
    discrete = isinstance(space, Discrete)

    def design(obs):
        φ = features(obs)
        return np.column_stack([φ, np.ones(len(φ))])

    def learn(obs, labels, rng):
        X, y = design(obs), np.eye(int(space.n))[labels - first] if discrete else labels
        penalty = λ * len(X) * np.diag(np.r_[np.ones(X.shape[1] - 1), 0])  # the intercept is free
        w = np.linalg.solve(X.T @ X + penalty, X.T @ y)
        return lambda obs, rng, time: first + (design(obs) @ w).argmax(axis=1) if discrete else design(obs) @ w

    return learn
