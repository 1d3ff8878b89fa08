"""Model-based adversarial imitation: a forward model, and policy gradients that flow through it.

GAIL's reward comes from a network, so it has a derivative; only the world in between has none. Learn a model of the
world, s' = s + f(s, a), write the action as a = μ(s) + σ ε, and the whole trajectory is a differentiable function of
the policy's parameters.  (Baram, Anschel, Mannor 2016, arXiv:1612.02179)

Trajectories have time as their first axis and the copy as their second: states (T, N, d), actions (T, N, k).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import environments
from course_utils.adversarial import Fit, airl_reward, discriminator_step, expert_transitions
from course_utils.experts import check_demonstrations
from course_utils.networks import RunningNorm, check_counts, mlp, torch_generator
from course_utils.ppo import PPO, advantages


class ForwardModel(nn.Module):
    """s' = s + f(s, a), learned.  States (N, d), actions (N, k).

    The network takes in what the policy's own does, normalised states, and actions clipped to their box, as the world
    does.  Raises ValueError if the policy's actions are discrete.
    """

    def __init__(self, policy, rng, hidden=(64, 64)):
        super().__init__()
        if policy.discrete:
            raise ValueError(
                "actions must be a Box: a draw from finitely many actions has no derivative with respect to the "
                "policy's parameters, so no gradient can flow through it (no reparameterisation a = μ + σ ε)"
            )
        self.policy = [policy]  # in a list, so that its parameters are not ours
        self.change = RunningNorm(policy.n_in)  # of s' − s
        self.network = mlp((policy.n_in + policy.n_out, *hidden, policy.n_in), rng, nn.SiLU, last_gain=0.01)

    def f(self, s, a):
        """The predicted change of state, in units of its spread: (N, d)."""
        (policy,) = self.policy
        return self.network(torch.cat([policy.norm(s), policy.encoded(a)], -1))

    def forward(self, s, a):
        return s + self.change.mean + self.change.var.sqrt() * self.f(s, a)

    def loss(self, s, a, s_next):
        """Mean squared error of one step; 1 is that of a model that always predicts the mean change."""
        return F.mse_loss(self.f(s, a), self.change(s_next - s))


def fit_model(model, optimiser, transitions, steps, generator, rows=256):
    """`steps` gradient steps of the model on random rows of the transitions (s, a, s'), each (M, ·)."""
    for _ in range(steps):
        drawn = torch.randint(len(transitions[0]), (rows,), generator=generator)
        optimiser.zero_grad()
        model.loss(*(x[drawn] for x in transitions)).backward()
        optimiser.step()


class RatioDiscriminator(nn.Module):
    """The paper's D, for which 1 means the policy: 1 / (1 + φ(s,a) ψ(s)).  Our logit, of the expert: log φ + log ψ.

    At the best D, φ = π_E(a|s) / π(a|s) compares actions and ψ = d_E(s) / d(s) compares states. Nothing forces the two
    networks to split the logit in this way: only their sum is learned.
    """

    def __init__(self, policy, rng, hidden=(64, 64)):
        super().__init__()
        self.policy = [policy]
        self.log_φ = mlp((policy.n_in + policy.n_out, *hidden, 1), rng)
        self.log_ψ = mlp((policy.n_in, *hidden, 1), rng)

    def inputs(self, obs, actions, next_obs=None, terminated=None):
        """Normalised states, and actions in their box: (M, d + k)."""
        (policy,) = self.policy
        return torch.cat([policy.norm(obs), policy.encoded(actions)], -1)

    def forward(self, x, log_π=None):
        return (self.log_φ(x) + self.log_ψ(x[..., : self.policy[0].n_in])).squeeze(-1)


def clip_rows(gradient, limit):
    """Rows longer than limit are shortened to it."""
    return gradient * (limit / (gradient.norm(dim=-1, keepdim=True) + 1e-12)).clamp(max=1)


def rollout(step, policy, s, T, generator, limit=None):
    """T steps of s' = step(s, a) with a = μ(s) + σ ε, all differentiable: states (T+1, N, d) and actions (T, N, k).

    limit: no gradient that flows back from a state s' (N, d) is longer than this, row by row. Where the dynamics
    stretch distances by a factor g, a gradient grows like g^T on its way back.
    """
    states, actions = [s], []
    for _ in range(T):
        a, _ = policy.sample(s, generator)
        s = step(s, a)
        if limit is not None and s.requires_grad:
            s.register_hook(lambda gradient: clip_rows(gradient, limit))
        states.append(s)
        actions.append(a)
    return torch.stack(states), torch.stack(actions)


def per_trajectory(J, policy):
    """The gradient of each J (N,) with respect to all parameters of the policy, as rows (N, P)."""
    gradients = torch.autograd.grad(
        J, list(policy.parameters()), torch.eye(len(J), dtype=J.dtype), is_grads_batched=True
    )
    return torch.cat([g.flatten(1) for g in gradients], 1)


def pathwise_gradient(step, cost, policy, s, T, generator):
    """∇ Σ_t c(s_t, a_t) for each start s (N, d), through the dynamics `step`: (N, P).

    Its mean estimates ∇ E Σ_t c if step(s, a) and cost(s, a) (T, N) are differentiable.  The policy is continuous.
    """
    states, actions = rollout(step, policy, s, T, generator)
    return per_trajectory(cost(states[:-1], actions).sum(0), policy)


def score_function_gradient(step, cost, policy, s, T, generator, baseline=False):
    """Σ_t ∇log π(a_t|s_t) Σ_{t'≥t} c_t' for each start s (N, d): (N, P). Neither `step` nor `cost` is differentiated.

    baseline: subtract from the cost to go the mean of the *other* trajectories', which leaves the mean as it is.
    """
    with torch.no_grad():
        states, actions = rollout(step, policy, s, T, generator)
        c = cost(states[:-1], actions)
        to_go = c.flip(0).cumsum(0).flip(0)
        if baseline:
            to_go = to_go - (to_go.sum(1, keepdim=True) - to_go) / (len(s) - 1)
    log_π = policy.log_prob(states[:-1].flatten(0, 1), actions.flatten(0, 1)).reshape(c.shape)
    return per_trajectory((log_π * to_go).sum(0), policy)


def fit_value(learner, batch, reward, optimiser, steps, generator, rows=256):
    """Fit V(s) to the λ-returns of the given reward (T, N) on a batch of real steps."""
    with torch.no_grad():
        V, V_next = learner.value(batch.obs), learner.value(batch.next_obs)
        A = advantages(reward, V, V_next, batch.terminated, batch.truncated, learner.discount, learner.trace)
        target = (A + V).reshape(-1, 1)
        learner.value_norm.update(target)
        target, x = learner.value_norm(target), learner.policy.norm(batch.obs.flatten(0, 1))
    for _ in range(steps):
        drawn = torch.randint(len(x), (rows,), generator=generator)
        optimiser.zero_grad()
        F.mse_loss(learner.value_network(x[drawn]), target[drawn]).backward()
        optimiser.step()


def policy_step(learner, model, reward, s, T, optimiser, generator, limit=10.0):
    """One step up ∇ E[Σ_{t<T} γ^t r(s_t, a_t) + γ^T V(s_T)] through the model, from states s (N, d).

    `limit` bounds each trajectory's gradient on its way back, and 1 the whole step's.  Returns the gradient's length.
    """
    states, actions = rollout(model, learner.policy, s, T, generator, limit / len(s))
    γ = learner.discount ** torch.arange(T + 1)
    J = γ[:T] @ reward(states[:-1], actions).mean(1) + γ[T] * learner.value(states[-1]).mean()
    mean = (learner.policy(states[:-1].detach()) - learner.policy.middle) / learner.policy.scale
    outside = F.relu(mean.abs() - 1).square().mean()  # out there clipping leaves no gradient that could lead back
    optimiser.zero_grad()
    (outside - J).backward()
    norm = nn.utils.clip_grad_norm_(learner.policy.parameters(), 1.0)
    optimiser.step()
    return float(norm)


def mail(
    name,
    demos,
    rng,
    *,
    iterations=15,
    copies=32,
    steps=100,
    window=10,
    starts=64,
    reward=airl_reward,
    rounds=20,
    model_rounds=30,
    policy_rounds=30,
    value_rounds=20,
    learning_rate=3e-3,
    discriminator_rate=3e-3,
    penalty=0.3,
    discount=0.98,
    recent=3,
    hidden=(64, 64),
    callback=None,
):
    """Imitate demos of the task `name` (`environments`) through a model of it that is learned too.  Returns a Fit.

    An iteration: `steps` real steps in each of `copies` copies; refit the model on all real steps so far; refit the
    discriminator on the last `recent` batches, and the value of its reward on the last; then `policy_rounds` gradient
    steps of the policy through the model, over windows of `window` steps from `starts` states that were visited. The
    value stands for what comes after the window: the paper back-propagates along whole trajectories instead.
    The task's actions are continuous, and its episodes end by time only. The learning rates fall to a tenth.

    history: for each iteration the model's error on real steps before it was fitted to them (`ForwardModel.loss`), the
    discriminator's loss, the length of the last policy gradient, the number of real steps so far.
    callback(iteration, learner, model, discriminator) is called after each.
    Raises ValueError for discrete actions, or for demonstrations that are not of this task.
    """
    check_counts(iterations=iterations, copies=copies, rounds=rounds, policy_rounds=policy_rounds, recent=recent)
    check_demonstrations(name, demos)
    learner = PPO(environments.make(name, copies), rng, hidden=hidden, steps=steps, discount=discount)
    policy, generator = learner.policy, torch_generator(rng)
    model, discriminator = ForwardModel(policy, rng, hidden), RatioDiscriminator(policy, rng, hidden)
    expert = expert_transitions(demos, policy)
    rates = {model: 3e-3, discriminator: discriminator_rate, learner.value_network: 3e-3, policy: learning_rate}
    optimisers = [torch.optim.Adam(net.parameters(), rate) for net, rate in rates.items()]
    schedules = [torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, iterations) for o in optimisers]
    r = lambda s, a: reward(discriminator(discriminator.inputs(s, a)))
    seen, fit = [], Fit(policy, discriminator)
    for iteration in range(iterations):
        batch = learner.collect()
        seen.append([x.flatten(0, 1) for x in (batch.obs, batch.actions, batch.next_obs, batch.terminated)])
        s, a, s_next, _ = seen[-1]
        policy.norm.update(s)
        model.change.update(s_next - s)
        with torch.no_grad():
            error = float(model.loss(s, a, s_next))
        everything = [torch.cat(x) for x in zip(*seen, strict=True)]
        fit_model(model, optimisers[0], everything[:3], model_rounds * (1 if iteration else 5), generator)
        ours = [torch.cat(x) for x in zip(*seen[-recent:], strict=True)]
        for _ in range(rounds):
            loss = discriminator_step(discriminator, optimisers[1], expert, ours, 256, penalty, generator)
        fit_value(learner, batch, r(batch.obs, batch.actions).detach(), optimisers[2], value_rounds, generator)
        for _ in range(policy_rounds):
            s = ours[0][torch.randint(len(ours[0]), (starts,), generator=generator)]
            length = policy_step(learner, model, r, s, window, optimisers[3], generator)
        for schedule in schedules:
            schedule.step()
        fit.history.append({"model": error, "loss": loss, "gradient": length, "steps": len(everything[0])})
        if callback:
            callback(iteration, learner, model, discriminator)
    return fit
