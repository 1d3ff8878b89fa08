"""The one policy optimiser of the course: proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347).

It takes the rewards from its caller, step by step: those of the environment, of a discriminator, of a learned reward.
    learner = PPO(environments.make("CartPole-v1", 32), rng)
    batch = learner.collect()                # T steps in each of N copies of the environment
    learner.update(batch, reward)            # reward (T, N)

An episode that ends because its time is over has not ended for the agent: the value of where it would have gone on is
still counted. Only `terminated` makes the future worth nothing (Pardo et al. 2018, arXiv:1712.00378).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from course_utils.experts import whole_episodes
from course_utils.networks import Policy, RunningNorm, mlp, to_tensor, torch_generator


@dataclass(frozen=True)
class Batch:
    """T steps in each of N copies, as tensors: time is the first axis, the copy the second.

    next_obs is what the step led to, before an environment that ended was reset. reward is the environment's own.
    """

    obs: torch.Tensor  # (T, N, d)
    actions: torch.Tensor  # (T, N) or (T, N, k)
    log_π: torch.Tensor  # (T, N), when the action was drawn
    next_obs: torch.Tensor  # (T, N, d)
    terminated: torch.Tensor  # (T, N) bool
    truncated: torch.Tensor  # (T, N) bool
    reward: torch.Tensor  # (T, N)


def advantages(reward, value, next_value, terminated, truncated, discount, trace):
    """Generalised advantage estimates, (T, N), from V(s_t) and V(s_{t+1}).  (Schulman et al. 2016, arXiv:1506.02438)

    δ_t = r_t + γ V(s_{t+1}) − V(s_t), with V = 0 after a termination, and A_t = δ_t + γλ A_{t+1} within an episode.
    """
    δ = reward + discount * next_value * ~terminated - value
    carry = discount * trace * ~(terminated | truncated)
    A, ahead = torch.zeros_like(δ), torch.zeros_like(δ[0])
    for t in reversed(range(len(δ))):
        A[t] = ahead = δ[t] + carry[t] * ahead
    return A


class PPO:
    """Policy and value network, and how to improve them.

    envs: a vector environment that resets a copy in the step in which it ended, with `final_obs` (`environments`).
    steps: T, how many steps of each copy make a batch; entropy: the weight of the entropy bonus.
    """

    def __init__(
        self,
        envs,
        rng,
        *,
        hidden=(64, 64),
        steps=64,
        learning_rate=3e-3,
        discount=0.99,
        trace=0.95,
        entropy=0.0,
        epochs=4,
        minibatches=4,
        clip=0.2,
    ):
        self.envs, self.steps, self.discount, self.trace = envs, steps, discount, trace
        self.entropy, self.epochs, self.minibatches, self.clip = entropy, epochs, minibatches, clip
        self.policy = Policy(envs.single_observation_space, envs.single_action_space, rng, hidden)
        self.value_network = mlp((envs.single_observation_space.shape[0], *hidden, 1), rng)
        self.value_norm = RunningNorm(1)  # values are learned in units of their own spread
        self.parameters = [*self.policy.parameters(), *self.value_network.parameters()]
        self.optimiser = torch.optim.Adam(self.parameters, lr=learning_rate, eps=1e-5)
        self.generator = torch_generator(rng)
        self.obs = to_tensor(envs.reset(seed=int(rng.integers(2**31)))[0])

    def value(self, obs):
        """V(s), for observations (…, d)."""
        v = self.value_network(self.policy.norm(obs)).squeeze(-1)
        return v * (self.value_norm.var + 1e-8).sqrt() + self.value_norm.mean

    @torch.no_grad()
    def collect(self):
        """A Batch of the next T steps of every copy, with the current policy."""
        rows = []
        for _ in range(self.steps):
            actions, log_π = self.policy.sample(self.obs, self.generator)
            obs, reward, terminated, truncated, info = self.envs.step(actions.numpy())
            ends = map(torch.as_tensor, (terminated, truncated))
            rows.append((self.obs, actions, log_π, to_tensor(info["final_obs"]), *ends, to_tensor(reward)))
            self.obs = to_tensor(obs)
        return Batch(*map(torch.stack, zip(*rows, strict=True)))

    def update(self, batch, reward):
        """Improve π on the batch for the given reward (T, N), and V with it; then take in the observations' scale."""
        if reward.shape != batch.log_π.shape:
            raise ValueError(f"one reward a step: expected shape {tuple(batch.log_π.shape)}, got {tuple(reward.shape)}")
        with torch.no_grad():
            value, next_value = self.value(batch.obs), self.value(batch.next_obs)
            A = advantages(reward, value, next_value, batch.terminated, batch.truncated, self.discount, self.trace)
            target = A + value
            A = (A - A.mean()) / (A.std() + 1e-8)
            self.value_norm.update(target.reshape(-1, 1))
            target = self.value_norm(target.unsqueeze(-1)).squeeze(-1)
        flat = [x.flatten(0, 1) for x in (batch.obs, batch.actions, batch.log_π, A, target)]
        for _ in range(self.epochs):
            for rows in torch.randperm(len(flat[0]), generator=self.generator).chunk(self.minibatches):
                self.optimiser.zero_grad()
                self.loss(*(x[rows] for x in flat)).backward()
                nn.utils.clip_grad_norm_(self.parameters, 0.5)
                self.optimiser.step()
        self.policy.norm.update(batch.obs)

    def loss(self, obs, actions, log_π_old, A, target):
        """Clipped surrogate, squared error of the value in its own units, and entropy bonus."""
        log_π = self.policy.log_prob(obs, actions)
        ratio = (log_π - log_π_old).exp()
        surrogate = torch.minimum(ratio * A, ratio.clamp(1 - self.clip, 1 + self.clip) * A).mean()
        value = self.value_network(self.policy.norm(obs)).squeeze(-1)
        return (value - target).square().mean() / 2 - surrogate - self.entropy * self.policy.entropy(obs).mean()


@torch.no_grad()
def evaluate(policy, name, episodes, rng, greedy=False):
    """True returns (episodes,) of whole episodes of the environment, the policy's actions drawn, or its likeliest."""
    generator = torch_generator(rng)

    def act(obs, rng, time):
        obs = to_tensor(obs)
        return (policy.mode(obs) if greedy else policy.sample(obs, generator)[0]).numpy()

    *_, reward, running = whole_episodes(name, episodes, act, rng)
    return (reward * running).sum(axis=0)
