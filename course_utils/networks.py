"""Small networks: what every model-free method of the course is made of.

All randomness comes from a NumPy generator that the caller passes; `torch_generator` makes torch's own from it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from gymnasium.spaces import Box, Discrete
from torch import nn


def torch_generator(rng):
    """A torch generator seeded from the NumPy generator rng: two calls give two different ones."""
    return torch.Generator().manual_seed(int(rng.integers(2**63 - 1)))


def check_counts(**counts):
    """Raises ValueError unless all are whole numbers of at least 1."""
    for name, n in counts.items():
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {n!r}")


def to_tensor(x):
    """A NumPy array as a tensor in single precision."""
    return torch.as_tensor(np.asarray(x), dtype=torch.float32)


def mlp(sizes, rng, activation=nn.Tanh, last_gain=1.0):
    """A fully connected network of the given layer sizes, with orthogonal weights drawn from rng and no bias.

    last_gain: how large the outputs are at the start; a policy begins near uniform with a small one.
    """
    if len(sizes) < 2:
        raise ValueError(f"a network needs at least the sizes of its input and its output, got {tuple(sizes)}")
    generator, layers = torch_generator(rng), []
    for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True):
        linear = nn.utils.skip_init(nn.Linear, n_in, n_out)  # nothing drawn from torch's own generator
        nn.init.orthogonal_(linear.weight, math.sqrt(2), generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, activation()]
    with torch.no_grad():
        layers[-2].weight *= last_gain / math.sqrt(2)
    return nn.Sequential(*layers[:-1])


class RunningNorm(nn.Module):
    """Subtracts the mean and divides by the standard deviation of all that `update` has seen, column by column."""

    def __init__(self, dim, clip=10.0):
        super().__init__()
        self.clip = clip
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("var", torch.ones(dim))
        self.register_buffer("count", torch.zeros(()))

    def update(self, x):
        """Take in the rows of x (…, dim): exact for the union of all rows so far (Chan, Golub, LeVeque 1983)."""
        x = x.reshape(-1, len(self.mean))
        mean, var, total = x.mean(0), x.var(0, correction=0), self.count + len(x)
        new = len(x) / total  # the share of the new rows
        self.var.copy_((1 - new) * self.var + new * var + new * (1 - new) * (mean - self.mean) ** 2)
        self.mean.copy_((1 - new) * self.mean + new * mean)
        self.count.copy_(total)

    def forward(self, x):
        return ((x - self.mean) / (self.var + 1e-8).sqrt()).clamp(-self.clip, self.clip)


class Policy(nn.Module):
    """π(a|s): a softmax over discrete actions, or a Gaussian around a network's output for a box of actions.

    Observations are (N, d) float tensors, normalised inside by `norm`. Discrete actions are (N,) whole numbers.
    Continuous ones are (N, k) in the environment's units, with a standard deviation that does not depend on the
    state; they may leave the box, and it is the environment that clips them. Raises ValueError for other spaces.
    """

    def __init__(self, observation_space, action_space, rng, hidden=(64, 64)):
        super().__init__()
        if not isinstance(observation_space, Box) or len(observation_space.shape) != 1:
            raise ValueError(f"observations must be vectors (a one-dimensional Box), got {observation_space}")
        self.discrete = isinstance(action_space, Discrete)
        if self.discrete:
            if action_space.start != 0:
                raise ValueError(f"actions must be numbered from 0, got {action_space}")
            n_out = int(action_space.n)
        elif isinstance(action_space, Box) and np.isfinite([action_space.low, action_space.high]).all():
            n_out = action_space.shape[0]
            low, high = (torch.as_tensor(x, dtype=torch.float32) for x in (action_space.low, action_space.high))
            self.register_buffer("middle", (low + high) / 2)
            self.register_buffer("scale", (high - low) / 2)
            self.log_σ = nn.Parameter(torch.full((n_out,), math.log(0.5)))  # in units of half the box
        else:
            raise ValueError(f"actions must be Discrete or a bounded Box, got {action_space}")
        self.n_in, self.n_out = observation_space.shape[0], n_out
        self.norm = RunningNorm(self.n_in)
        self.network = mlp((self.n_in, *hidden, n_out), rng, last_gain=0.01)

    def forward(self, obs):
        """Log-probabilities of all actions (N, A), or the mean action (N, k)."""
        out = self.network(self.norm(obs))
        return torch.log_softmax(out, -1) if self.discrete else self.middle + self.scale * out

    def _σ(self):
        return self.scale * self.log_σ.exp()

    def sample(self, obs, generator):
        """Actions drawn for (N, d) observations, and their log π (N,)."""
        out = self(obs)
        if self.discrete:  # Gumbel's trick: argmax of log p − log e with e ~ Exp(1) is a draw from p
            actions = (out - torch.empty_like(out).exponential_(generator=generator).log()).argmax(-1)
        else:
            actions = out + self._σ() * torch.randn(out.shape, generator=generator)
        return actions, self._log_density(out, actions)

    def log_prob(self, obs, actions):
        """log π(a|s), (N,): for a box of actions a density in the environment's units."""
        return self._log_density(self(obs), actions)

    def _log_density(self, out, actions):
        if self.discrete:
            return out.gather(-1, actions.long().unsqueeze(-1)).squeeze(-1)
        z = (actions - out) / self._σ()
        return -(z**2 / 2 + self._σ().log() + math.log(2 * math.pi) / 2).sum(-1)

    def log_prior(self, actions):
        """log ρ(a), (N,): a Gaussian as wide as the box of actions; 0 if they are discrete.

        What entropy should be relative to where it is rewarded. The environment clips what leaves the box, so with a
        flat ρ a Gaussian policy gets entropy for nothing out there, and grows ever wider.
        """
        if self.discrete:
            return torch.zeros(actions.shape)
        z = (actions - self.middle) / self.scale
        return -(z**2 / 2 + self.scale.log() + math.log(2 * math.pi) / 2).sum(-1)

    def encoded(self, actions):
        """Actions as a network takes them in, (N, n_out): one-hot, or clipped to their box and scaled to [−1, 1]."""
        if self.discrete:
            return F.one_hot(actions.long(), self.n_out).float()
        return ((actions - self.middle) / self.scale).clamp(-1, 1)

    def entropy(self, obs):
        """The entropy of π(·|s), (N,), in nats: for a box of actions a differential one."""
        out = self(obs)
        if self.discrete:
            return -(out.exp() * out).sum(-1)
        return (self._σ().log() + math.log(2 * math.pi * math.e) / 2).sum().expand(len(out))

    def mode(self, obs):
        """The likeliest actions."""
        out = self(obs)
        return out.argmax(-1) if self.discrete else out
