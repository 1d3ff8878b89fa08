"""Adversarial imitation: guided cost learning as a GAN, GAIL and AIRL.

Here D → 1 means *expert* everywhere (papers differ, and lecture 05 has the table), and a discriminator is given by its
logit, log D − log(1 − D), from which every formula below follows without overflow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import environments
from course_utils.experts import check_demonstrations
from course_utils.networks import Policy, check_counts, mlp, to_tensor, torch_generator
from course_utils.ppo import PPO


def gan_gcl_logit(R, log_Z, log_q):
    """log p − log q for p = e^R / Z: the logit of D = p / (p + q).  (Finn et al. 2016, arXiv:1611.03852)"""
    return R - log_Z - log_q


def airl_logit(f, log_π):
    """The logit of D = e^f / (e^f + π).  (Fu, Luo, Levine 2017, arXiv:1710.11248)"""
    return f - log_π


def discriminator_loss(logit_expert, logit_policy):
    """−mean log D(expert) − mean log(1 − D(policy))."""
    return F.softplus(-logit_expert).mean() + F.softplus(logit_policy).mean()


def gail_reward(logit):
    """−log(1 − D) ≥ 0.  (Ho & Ermon 2016, arXiv:1606.03476, whose D is our 1 − D)"""
    return F.softplus(logit)


def airl_reward(logit):
    """log D − log(1 − D), which is the logit: positive where the expert is likelier, negative where the policy is."""
    return logit


REWARDS = {"log D − log(1−D)": airl_reward, "−log(1−D)": gail_reward}


class GAILDiscriminator(nn.Module):
    """The logit is any function of state and action."""

    def __init__(self, policy, rng, discount, hidden):  # discount: as for AIRL, not used
        super().__init__()
        self.policy = [policy]  # in a list, so that its parameters are not ours
        self.network = mlp((policy.n_in + policy.n_out, *hidden, 1), rng)

    def inputs(self, obs, actions, next_obs, terminated):
        """What the logit is a smooth function of, (M, k): normalised states, and actions as one-hot or in their box."""
        (policy,) = self.policy
        return torch.cat([policy.norm(obs), policy.encoded(actions)], -1)

    def forward(self, x, log_π):
        return self.network(x).squeeze(-1)


class AIRLDiscriminator(nn.Module):
    """The logit is f(s, s') − log π(a|s) with f = g(s) + γ h(s') − h(s): a reward of states and a shaping term.

    Only a reward of the state alone can be told from its shaping, and then up to a constant.
    """

    def __init__(self, policy, rng, discount, hidden):
        super().__init__()
        self.policy, self.discount = [policy], discount
        self.g, self.h = (mlp((policy.n_in, *hidden, 1), rng) for _ in "gh")

    def inputs(self, obs, actions, next_obs, terminated):
        """Normalised states, next states, and whether there is one: (M, 2d + 1)."""
        norm = self.policy[0].norm
        return torch.cat([norm(obs), norm(next_obs), 1 - terminated.float().unsqueeze(-1)], -1)

    def forward(self, x, log_π):
        return airl_logit(self.f(x), log_π)

    def f(self, x):
        """g(s) + γ h(s') − h(s), where h is 0 after a termination."""
        d = (x.shape[-1] - 1) // 2
        s, s_next, alive = x[..., :d], x[..., d:-1], x[..., -1]
        return (self.g(s) - self.h(s)).squeeze(-1) + self.discount * alive * self.h(s_next).squeeze(-1)

    @torch.no_grad()
    def reward(self, obs):
        """g(s) of raw observations (M, d): the reward that was found."""
        return self.g(self.policy[0].norm(to_tensor(obs))).squeeze(-1)


DISCRIMINATORS = {"gail": GAILDiscriminator, "airl": AIRLDiscriminator}


def slope_penalty(logit, x_expert, x_policy, generator):
    """mean ‖∂ logit / ∂x‖² at random points between experts and policy: keeps the discriminator smooth, hence useful.

    (Gulrajani et al. 2017, arXiv:1704.00028; towards a slope of 0: Mescheder et al. 2018, arXiv:1801.04406)
    """
    u = torch.rand((len(x_expert), 1), generator=generator)
    x = (u * x_expert + (1 - u) * x_policy).requires_grad_()
    (slope,) = torch.autograd.grad(logit(x).sum(), x, create_graph=True)
    return slope.square().sum(-1).mean()


def absorbing_logits(expert, ours, discount, least=0.01):
    """Who is it whose episode is over?  Two log-ratios, expert to policy: of acting, and of having ended.

    expert, ours: (terminations, steps).  An episode that terminates goes on for ever in an absorbing state, and counts
    as γ + γ² + … = γ/(1−γ) further steps. Without it a reward that is always positive pays for staying alive, and
    one that is always negative for dying, whatever the expert does. (Kostrikov et al. 2019, arXiv:1809.02925)
    """
    over = [(ends := discount / (1 - discount) * n) / (ends + steps) for n, steps in (expert, ours)]
    expert, ours = np.clip(over, least, 1 - least)
    return float(np.log((1 - expert) / (1 - ours))), float(np.log(expert / ours))


@dataclass
class Fit:
    """What came out: the policy, the discriminator, and a row of history for each iteration."""

    policy: Policy
    discriminator: nn.Module
    history: list = field(default_factory=list)


def imitate(
    name,
    demos,
    rng,
    method="gail",
    *,
    iterations=100,
    reward=airl_reward,
    copies=32,
    hidden=(64, 64),
    learning_rate=1e-3,
    penalty=1.0,
    rounds=4,
    rows=512,
    callback=None,
    **ppo,
):
    """Train a policy against a discriminator that tells it from the demonstrations.  Returns a Fit.

    name: a task of `environments`; demos: `experts.Demonstrations`, or anything with its obs, actions, next_obs,
    terminated, lengths and ended.
    method: "gail" or "airl"; reward: of the logit. An iteration is one batch of the policy, `rounds` steps of the
    discriminator on `rows` experts and as many policy steps, and one PPO update. The learning rates fall to 0.
    callback(iteration, learner, discriminator) is called after each. ppo: further arguments of PPO.
    Raises ValueError for an unknown method, and for demonstrations that are not of this task.
    """
    if method not in DISCRIMINATORS:
        raise ValueError(f"method is {' or '.join(map(repr, DISCRIMINATORS))}, got {method!r}")
    check_counts(iterations=iterations, copies=copies, rounds=rounds, rows=rows)
    check_demonstrations(name, demos)
    learner = PPO(environments.make(name, copies), rng, hidden=hidden, **ppo)
    discriminator = DISCRIMINATORS[method](learner.policy, rng, learner.discount, hidden)
    optimiser = torch.optim.Adam(discriminator.parameters(), lr=learning_rate)
    schedules = [torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, iterations) for o in (optimiser, learner.optimiser)]
    generator, expert = torch_generator(rng), expert_transitions(demos, learner.policy)
    expert_ends, ends = np.array([demos.ended.sum(), demos.lengths.sum()]), np.zeros(2)
    fit = Fit(learner.policy, discriminator)
    for iteration in range(iterations):
        batch = learner.collect()
        if iteration == 0:  # PPO takes in the observations' scale after its update; the discriminator needs one now
            learner.policy.norm.update(batch.obs)
        ours = tuple(x.flatten(0, 1) for x in (batch.obs, batch.actions, batch.next_obs, batch.terminated))
        for _ in range(rounds):
            loss = discriminator_step(discriminator, optimiser, expert, ours, rows, penalty, generator)
        with torch.no_grad():
            log_π = batch.log_π.flatten() - learner.policy.log_prior(ours[1])
            logit = discriminator(discriminator.inputs(*ours), log_π).reshape(batch.log_π.shape)
        ends = 0.8 * ends + [batch.terminated.sum(), batch.terminated.numel()]
        shift, after = absorbing_logits(expert_ends, ends, learner.discount)
        rest = learner.discount / (1 - learner.discount) * reward(torch.tensor(after))
        learner.update(batch, reward(logit + shift) + rest * batch.terminated)
        for schedule in schedules:
            schedule.step()
        fit.history.append({"loss": loss, "logit": float(logit.mean())})
        if callback:
            callback(iteration, learner, discriminator)
    return fit


def discriminator_step(discriminator, optimiser, expert, ours, rows, penalty, generator):
    """One gradient step on random rows of the expert's and of our transitions; returns the loss without the penalty."""
    x, log_π, (policy,) = [], [], discriminator.policy
    for transitions in (expert, ours):
        drawn = torch.randint(len(transitions[0]), (rows,), generator=generator)
        obs, actions, next_obs, terminated = (column[drawn] for column in transitions)
        x.append(discriminator.inputs(obs, actions, next_obs, terminated).detach())
        with torch.no_grad():
            log_π.append(policy.log_prob(obs, actions) - policy.log_prior(actions))
    loss = discriminator_loss(*map(discriminator, x, log_π))
    slope = slope_penalty(lambda x: discriminator(x, 0.0), *x, generator)
    optimiser.zero_grad()
    (loss + penalty * slope).backward()
    optimiser.step()
    return float(loss.detach())


def expert_transitions(demos, policy):
    """Demonstrations as the tensors obs, actions, next_obs, terminated."""
    obs, next_obs, terminated = to_tensor(demos.obs), to_tensor(demos.next_obs), torch.as_tensor(demos.terminated)
    actions = torch.as_tensor(np.asarray(demos.actions), dtype=torch.int64 if policy.discrete else torch.float32)
    return obs, actions, next_obs, terminated
