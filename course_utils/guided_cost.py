"""Guided cost learning: maximum-entropy inverse RL from samples, without a model.  (Finn, Levine, Abbeel 2016)

The density p(τ) = e^{R(τ)} / Z needs Z, a sum over all trajectories.  Here it is estimated from trajectories that
were sampled from several proposals q_κ: every policy on the way, and the demonstrator.  (arXiv:1603.00448)

R (N,) is the sum of rewards of each trajectory.  A trajectory's log density leaves the dynamics out,
log q(τ) = Σ_t log π̃(a_t|s_t): in a deterministic world with one start they cancel in every weight.  In a stochastic
world they do too, but what is then fitted is the distribution of Ziebart 2008, not maximum causal entropy.
"""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from course_utils import environments
from course_utils.experts import check_demonstrations
from course_utils.imitation import clone
from course_utils.networks import Policy, RunningNorm, check_counts, mlp, to_tensor, torch_generator
from course_utils.ppo import PPO


def fused_log_density(log_q, counts):
    """log μ(τ_j) of the mixture μ = Σ_κ (counts_κ/N) q_κ that all the samples together were drawn from: (N,).

    log_q[κ, j] = log q_κ(τ_j): *every* proposal's density at *every* sample, whoever drew it; the demonstrations are
    a proposal like the others.  counts[κ]: how many of the N samples came from κ.  Raises ValueError on other shapes.
    """
    counts = torch.as_tensor(counts, dtype=log_q.dtype)
    if log_q.ndim != 2 or counts.shape != log_q.shape[:1]:
        raise ValueError(f"log_q must be (K, N) and counts (K,), got {tuple(log_q.shape)} and {tuple(counts.shape)}")
    if (counts < 0).any() or counts.sum() != log_q.shape[1]:
        raise ValueError(f"counts must be ≥ 0 and sum to the N = {log_q.shape[1]} samples, got {counts.tolist()}")
    return torch.logsumexp(log_q + (counts / counts.sum()).log()[:, None], dim=0)


def log_partition(R, log_μ):
    """log Z ≈ log mean_j e^{R(τ_j)} / μ(τ_j), by log-sum-exp; e to this power has the mean Z.  R, log_μ: (N,)."""
    _same_length(R, log_μ)
    return torch.logsumexp(R - log_μ, dim=0) - math.log(len(R))


def importance_weights(R, log_μ):
    """w̄_j ∝ e^{R(τ_j)} / μ(τ_j), which sum to 1: (N,).  Then E_p f ≈ Σ_j w̄_j f(τ_j)."""
    _same_length(R, log_μ)
    return torch.softmax(R - log_μ, dim=0)


def effective_sample_size(w):
    """1 / (N Σ w̄²), a fraction in (0, 1]: 1 if all weights are equal, 1/N if one sample has all of it."""
    w = w / w.sum()
    return 1 / (len(w) * (w**2).sum())


def proposal_balance(log_q, log_μ):
    """mean_j q_κ(τ_j)/μ(τ_j) for every proposal κ, (K,): 1 up to noise if μ is the samples' true density.

    For E_μ[q_κ/μ] = Σ_τ q_κ(τ) = 1.  No effective sample size can tell this: it looks at the weights alone, and
    wrong weights can be beautifully even.
    """
    if log_q.ndim != 2 or log_μ.shape != log_q.shape[1:]:
        raise ValueError(f"log_q must be (K, N) and log_μ (N,), got {tuple(log_q.shape)} and {tuple(log_μ.shape)}")
    return (log_q - log_μ).exp().mean(dim=1)


def irl_loss(R_demo, R, log_μ):
    """−log-likelihood of a demonstration, −mean R(τ_demo) + log Z; its gradient is −(E_D ∇R − Σ_j w̄_j ∇R(τ_j)).

    R_demo: (M,), the demonstrations'; R: (N,), of the samples that estimate Z; log_μ: (N,), a constant.
    """
    return -R_demo.mean() + log_partition(R, log_μ.detach())


def policy_loss(log_π, R):
    """A surrogate with the gradient of KL(π̃ ‖ p), E[∇log π̃ (log π̃ − R − baseline)], for samples of π̃.

    log_π: (N,), log π̃(τ_j) with its graph; R: (N,).  The log π̃ in the bracket is the entropy; without it the policy
    collapses.  The baseline is the mean over the *other* samples, so the gradient is unbiased.
    """
    _same_length(log_π, R)
    if len(R) < 2:
        raise ValueError("the baseline is the mean of the other samples: at least 2 are needed, got 1")
    weight = (log_π - R).detach()
    others = (weight.sum() - weight) / (len(R) - 1)
    return (log_π * (weight - others)).mean()


def lcr(c):
    """Σ_t [(c_{t+1} − c_t) − (c_t − c_{t−1})]², mean over trajectories: the cost changes at a locally constant rate.

    c: (N, T), costs −r(s_t) along N trajectories, T ≥ 3.  (Finn, Levine, Abbeel 2016)
    """
    return _costs(c, 3).diff(n=2, dim=1).square().sum(dim=1).mean()


def mono(c, slack=1.0):
    """Σ_t max(0, c_t − c_{t−1} − slack)², mean over trajectories: demonstrations should get ever cheaper.

    c: (N, T), T ≥ 2; for the demonstrations only.  (Finn, Levine, Abbeel 2016, where slack = 1)
    """
    return (_costs(c, 2).diff(dim=1) - slack).clamp(min=0).square().sum(dim=1).mean()


def _same_length(a, b):
    if a.ndim != 1 or a.shape != b.shape or len(a) == 0:
        raise ValueError(f"expected two vectors with one entry a trajectory, got {tuple(a.shape)} and {tuple(b.shape)}")


def _costs(c, T):
    if c.ndim != 2 or c.shape[1] < T:
        raise ValueError(f"expected costs (N, T) with T ≥ {T} steps, got {tuple(c.shape)}")
    return c


# The joint loop: a reward network and a policy, in turns


class RewardNet(nn.Module):
    """r_θ(s) of raw observations (…, dim): a small network on inputs that are shifted and scaled, nothing else.

    sharpness: the first layer's weights and biases are drawn with this standard deviation.  With the usual small ones
    and few inputs a unit bends nowhere near the data, and the net sees slopes before it sees obstacles.
    """

    def __init__(self, dim, rng, hidden=(64, 64), sharpness=2.0):
        super().__init__()
        self.norm, self.network = RunningNorm(dim), mlp((dim, *hidden, 1), rng, last_gain=0.1)
        for parameter in self.network[0].parameters():
            nn.init.normal_(parameter, std=sharpness, generator=torch_generator(rng))

    def forward(self, obs):
        return self.network(self.norm(obs)).squeeze(-1)


@dataclass(frozen=True)
class Trajectories:
    """n trajectories, one after the other: obs (M, d), actions (M,) or (M, k), of (M,): whose step it is, 0 … n−1.

    stands_for (M,): how many steps of its trajectory a step speaks for, 1 if none was left out.
    """

    obs: torch.Tensor
    actions: torch.Tensor
    of: torch.Tensor
    n: int
    stands_for: torch.Tensor

    def sum(self, x):
        """Σ_t x_t of each trajectory: (M,) → (n,)."""
        return torch.zeros(self.n, dtype=x.dtype).index_add(0, self.of, x * self.stands_for)

    def log_density(self, policy):
        """log q(τ) = Σ_t log π̃(a_t|s_t), (n,)."""
        return self.sum(policy.log_prob(self.obs, self.actions))

    def __add__(self, other):
        pairs = [(self.obs, other.obs), (self.actions, other.actions), (self.of, other.of + self.n)]
        return Trajectories(*map(torch.cat, pairs), self.n + other.n, torch.cat([self.stands_for, other.stands_for]))


def from_demonstrations(demos):
    """Trajectories from `experts.Demonstrations`; where only every 20th step was kept, one stands for about 20."""
    kept = np.bincount(demos.episode, minlength=len(demos.lengths))
    if kept.min() == 0:
        raise ValueError("every demonstration needs at least one step; some have none")
    actions = to_tensor(demos.actions) if demos.actions.dtype.kind == "f" else torch.as_tensor(demos.actions)
    stands_for = to_tensor((demos.lengths / kept)[demos.episode])
    return Trajectories(to_tensor(demos.obs), actions, torch.as_tensor(demos.episode), len(kept), stands_for)


def first_episodes(batch):
    """The first episode of each copy in a PPO batch that began with a reset: one trajectory a copy."""
    over = (batch.terminated | batch.truncated).long()
    running = (over.cumsum(0) - over).T == 0  # (N, T): up to and with the step that ended it
    of = running.nonzero()[:, 0]
    obs, actions = (x.transpose(0, 1)[running] for x in (batch.obs, batch.actions))
    return Trajectories(obs, actions, of, len(running), torch.ones(len(of)))


class Mixture:
    """The samples of the kept proposals, and log_q[κ, j]: each proposal's density at each sample."""

    def __init__(self):
        self.proposals, self.batches, self.log_q = [], [], torch.zeros(0, 0)

    @torch.no_grad()
    def add(self, policy, trajectories):
        """A new proposal, kept as it is now, and what was drawn from it."""
        columns = [trajectories.log_density(q)[None] for q in self.proposals]
        self.proposals.append(copy.deepcopy(policy))
        self.batches.append(trajectories)
        row = torch.cat([τ.log_density(policy) for τ in self.batches])
        old = torch.cat([self.log_q, torch.cat(columns)], dim=1) if columns else self.log_q.reshape(0, len(row))
        self.log_q = torch.cat([old, row[None]])

    def forget(self, κ):
        """Drop proposal κ and its samples."""
        kept = torch.arange(len(self.batches)) != κ
        self.log_q = self.log_q[kept][:, kept.repeat_interleave(torch.tensor(self.counts()))]
        del self.proposals[κ], self.batches[κ]

    def counts(self):
        return [τ.n for τ in self.batches]

    def samples(self):
        """All the samples, in the order of log_q's columns."""
        return sum(self.batches[1:], self.batches[0])


def tempered_weights(log_w, least_ess):
    """w̄ ∝ w^α down each column of log_w (m, G), with the largest α ≤ 1 whose effective sample size is ≥ least_ess.

    A trajectory's weight is a product over its steps: with many steps one sample soon has it all.  α → 0 gives equal
    weights, which are right where the policy has solved its problem (Danskin); between them bias is traded for noise.
    Returns w̄ (m, G), each column summing to 1, and α.
    """
    low, high, α = 0.0, 1.0, 1.0
    for _ in range(15):
        w = torch.softmax(α * log_w, dim=0)
        enough = (1 / (len(w) * w.square().sum(0))).mean() >= least_ess
        low, high = (α, high) if enough else (low, α)
        if low == 1:
            break
        α = (low + high) / 2
    return torch.softmax(low * log_w, dim=0), low


def cloned_policy(envs, demo, rng):
    """A policy fitted to demonstrations by maximum likelihood: it stands in for their unknown density."""
    return clone(Policy(envs.single_observation_space, envs.single_action_space, rng), demo.obs, demo.actions)


class GuidedCostLearner:
    """The two players, and the samples that they share.  The arguments are explained at `guided_cost_learning`."""

    def __init__(
        self, name, demos, rng, *, temperature=0.1, copies=48, memory=4, least_ess=0.95, learning_rate=2e-3,
        l2=0.005, l2_elsewhere=0.02, lcr_weight=0.0, mono_weight=0.0, hidden=(64, 64), sharpness=2.0, **ppo,
    ):  # fmt: skip
        check_counts(copies=copies)
        check_demonstrations(name, demos)
        if memory < 1 or not temperature > 0:
            raise ValueError(f"memory must be at least 1 and temperature positive, got {memory} and {temperature}")
        self.temperature, self.memory, self.least_ess = temperature, memory, least_ess
        self.l2, self.l2_elsewhere, self.lcr_weight, self.mono_weight = l2, l2_elsewhere, lcr_weight, mono_weight
        self.demo, n = from_demonstrations(demos), len(demos.lengths)
        self.length, self.whole = float(demos.lengths.mean()), len(demos.obs) == demos.lengths.sum()
        envs = environments.make(name, -(-copies // n) * n)  # equally many from each demonstration's start
        obs, _ = envs.reset(seed=int(rng.integers(2**31)))
        known = self.whole and np.array_equal(envs.state, obs)  # then a first observation is a state to start from
        self.starts = np.tile(demos.obs[demos.time == 0], (envs.num_envs // n, 1)) if known else None
        self.agent = PPO(envs, rng, steps=envs.time_limit, **ppo)
        self.reward = RewardNet(obs.shape[1], rng, hidden, sharpness)
        self.reward.norm.update(self.demo.obs)
        self.average = copy.deepcopy(self.reward)
        self.optimiser = torch.optim.Adam(self.reward.parameters(), learning_rate)
        self.mixture, self.generator = Mixture(), torch_generator(rng)
        if self.whole:
            self.mixture.add(cloned_policy(envs, self.demo, rng), self.demo)

    def improve_policy(self):
        """One PPO step on r_θ(s) − temperature · log π(a|s)/ρ(a); its samples become a proposal of the mixture."""
        agent = self.agent
        options = None if self.starts is None else {"state": self.starts}
        agent.obs = to_tensor(agent.envs.reset(options=options)[0])
        batch = agent.collect()
        self.mixture.add(agent.policy, first_episodes(batch))
        if len(self.mixture.batches) > self.memory + self.whole:
            self.mixture.forget(int(self.whole))  # the oldest policy's; the demonstrations, first in the list, stay
        agent.update(batch, entropic(agent.policy, batch, self.reward, self.temperature))
        return batch

    def improve_reward(self):
        """One gradient step on the demonstrations' likelihood; returns what to record."""
        samples, log_μ = self.mixture.samples(), fused_log_density(self.mixture.log_q, self.mixture.counts())
        r, r_demo = self.reward(samples.obs), self.reward(self.demo.obs)
        R, R_demo = samples.sum(r), self.demo.sum(r_demo)
        log_w = R.detach() / self.temperature + samples.sum(self.agent.policy.log_prior(samples.actions)) - log_μ
        log_w = log_w.reshape(-1, 1 if self.starts is None else self.demo.n)  # a column for each start: its own Z
        w, α = tempered_weights(log_w, self.least_ess)
        gap = R_demo.mean() - (w * R.reshape(w.shape)).sum(0).mean()  # its gradient is E_D ∇R − Σ w̄ ∇R
        self.optimiser.zero_grad()
        (self.penalty(r, r_demo, samples) - gap / self.length).backward()
        self.optimiser.step()
        ess = [effective_sample_size(column) for column in torch.softmax(log_w, dim=0).T]
        loss = torch.logsumexp(log_w, dim=0).mean() - math.log(len(log_w)) - R_demo.mean() / self.temperature
        balance = proposal_balance(self.mixture.log_q, log_μ)
        record = dict(gap=gap, loss=loss, ess=torch.stack(ess).mean(), α=α, low=balance.min(), high=balance.max())
        return {key: float(torch.as_tensor(value).detach()) for key, value in record.items()}

    def penalty(self, r, r_demo, samples):
        """l2 · mean r², and the paper's two if asked for."""
        obs, σ = self.demo.obs, self.reward.norm.var.sqrt()
        elsewhere = self.reward(obs + σ * torch.randn(obs.shape, generator=self.generator))
        penalty = self.l2 * r.square().mean() + self.l2_elsewhere * elsewhere.square().mean()
        parts = (self.lcr_weight, lcr, r, samples), (self.mono_weight, mono, r_demo, self.demo)
        return penalty + sum(weight * along(regulariser, x, τ) for weight, regulariser, x, τ in parts if weight)


def entropic(policy, batch, reward, temperature):
    """r(s) − temperature · log π(a|s)/ρ(a) at each step of a batch, (T, N)."""
    with torch.no_grad():
        return reward(batch.obs) - temperature * (batch.log_π - policy.log_prior(batch.actions))


def along(regulariser, r, trajectories):
    """A regulariser's mean over trajectories of unlike lengths (those of 3 steps or more), for the costs −r."""
    costs = (-r).split(trajectories.of.bincount(minlength=trajectories.n).tolist())
    return torch.stack([regulariser(c[None]) for c in costs if len(c) >= 3]).mean()


@dataclass(frozen=True)
class GuidedCost:
    """What `guided_cost_learning` found.  history: a list under each name, with one entry an iteration."""

    reward: RewardNet
    policy: Policy
    history: dict


def guided_cost_learning(
    name, demos, rng, *, iterations=50, policy_updates=3, reward_steps=3, average=0.97, callback=None, **settings
):
    """Learn a reward r_θ(s) of raw observations, and a policy, from demonstrations (`experts.Demonstrations`).

    In turns: `policy_updates` PPO steps on r_θ − temperature · log(π/ρ), each on one whole episode in each of `copies`
    environments, and `reward_steps` gradient steps on the likelihood of p(τ) ∝ e^{R(τ)/temperature} Π_t ρ(a_t), where ρ
    is `Policy.log_prior`: a constant for discrete actions.
    Samples: those of the last `memory` policies (math.inf keeps all, which costs time) and the demonstrations, whose
    density is that of a policy cloned from them.  Every start has a Z of its own: where observations are states, the
    policies start where the demonstrations did, and weights are normalised start by start; elsewhere (Acrobot,
    Pendulum) all starts share one, and demonstrations of which steps were left out are not among the samples.
    What is not in the formulas: weights are tempered to an effective sample size of `least_ess`, which for long
    episodes makes them nearly equal, as they would be if the policy had solved its problem; l2 keeps the reward small
    on the samples, l2_elsewhere on demonstrations with noise of their own spread added, where the data say nothing and
    a planner would believe anything; the learning rate falls to 0, and the reward returned is a running average
    (`average`) over the iterations.  lcr_weight, mono_weight: the paper's regularisers; ppo: further arguments of PPO.
    callback(iteration, learner) is called after each iteration.  history: per iteration the feature gap
    E_D R − Σ w̄ R; the loss, −log-likelihood of a demonstration up to its own Σ log ρ, a constant; the untempered
    effective sample size, the exponent α of the weights, the lowest and highest proposal balance, the policy's entropy,
    and the true return of its batch, from which nothing is learned.
    """
    check_counts(iterations=iterations, policy_updates=policy_updates, reward_steps=reward_steps)
    learner, history = GuidedCostLearner(name, demos, rng, **settings), {}
    rate = learner.optimiser.param_groups[0]["lr"]
    for i in range(iterations):
        for _ in range(policy_updates):
            batch = learner.improve_policy()
        learner.optimiser.param_groups[0]["lr"] = rate * (1 - i / iterations)
        for _ in range(reward_steps):
            record = learner.improve_reward()
        with torch.no_grad():  # the last reward still circles around the answer; the running average does not
            for mean, now in zip(learner.average.parameters(), learner.reward.parameters(), strict=True):
                mean.lerp_(now, max(1 - average, 1 / (i + 1)))
        record["entropy"] = float(learner.agent.policy.entropy(batch.obs[0]).mean().detach())
        record["true_return"] = float(batch.reward.sum(0).mean())  # to be drawn; nothing is learned from it
        for key, value in record.items():
            history.setdefault(key, []).append(value)
        if callback is not None:
            callback(i, learner)
    return GuidedCost(learner.average, learner.agent.policy, history)


def replan(name, reward, rng, *, iterations=100, copies=64, steps=32, temperature=0.1, **ppo):
    """A policy trained from scratch on a frozen reward r(s), with an entropy in it that fades out."""
    agent = PPO(environments.make(name, copies), rng, steps=steps, **ppo)
    for i in range(iterations):
        batch = agent.collect()
        agent.update(batch, entropic(agent.policy, batch, reward, temperature * (1 - i / iterations)))
    return agent.policy


def reward_map(reward, seen, points=41, near=0.1):
    """What there is to draw of a reward r(x, y) on the square [-1, 1]².

    seen (M, 2): places that were visited.  Returns the axis (points,), r[row of y, column of x], and a mask of the same
    shape: which points lie within `near` of a seen place along both axes.
    """
    axis = np.linspace(-1, 1, points)
    xy = np.stack(np.meshgrid(axis, axis), axis=-1)
    with torch.no_grad():
        r = reward(to_tensor(xy)).numpy()
    visited = [(np.abs(xy - place) < near).all(axis=-1) for place in seen]
    return axis, r, np.any(visited, axis=0)
