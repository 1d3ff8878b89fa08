"""The policy optimiser: advantages against their definition, batches against the environment, and that it learns."""

import numpy as np
import pytest
import torch

from course_utils import environments
from course_utils.networks import Policy
from course_utils.ppo import PPO, advantages, evaluate


def by_definition(reward, value, next_value, terminated, truncated, γ, λ):
    """A_t = Σ_k (γλ)^k δ_{t+k}, until the episode ends: written out for one copy."""
    T, A = len(reward), np.zeros(len(reward))
    for t in range(T):
        weight = 1.0
        for k in range(t, T):
            after = 0.0 if terminated[k] else next_value[k]
            A[t] += weight * (reward[k] + γ * after - value[k])
            if terminated[k] or truncated[k]:
                break
            weight *= γ * λ
    return A


def test_advantages_are_the_discounted_sum_of_differences():
    rng = np.random.default_rng(0)
    reward, value, next_value = rng.normal(size=(3, 30, 4))
    terminated, truncated = rng.random((2, 30, 4)) < 0.1
    tensors = map(torch.as_tensor, (reward, value, next_value, terminated, truncated))
    A = advantages(*tensors, 0.9, 0.8).numpy()
    for n in range(4):
        columns = (x[:, n] for x in (reward, value, next_value, terminated, truncated))
        assert np.allclose(A[:, n], by_definition(*columns, 0.9, 0.8), atol=1e-5)


def test_time_that_is_over_is_not_the_end_of_the_world():
    """With the true value of an endless stream of ones, truncation leaves no advantage; termination loses the rest."""
    γ, ones, no, yes = 0.9, torch.ones(1, 1), torch.tensor([[False]]), torch.tensor([[True]])
    V = ones / (1 - γ)
    assert torch.allclose(advantages(ones, V, V, no, yes, γ, 0.95), 0 * ones, atol=1e-6)
    assert torch.allclose(advantages(ones, V, V, yes, no, γ, 0.95), 1 - V)
    assert torch.allclose(advantages(ones, V, V, yes, yes, γ, 0.95), 1 - V)  # both at once: it did terminate


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1"])
def test_a_batch_is_what_happened(name):
    """Every recorded step, repeated from its own observation, leads where the batch says."""
    envs = environments.make(name, 3)
    learner = PPO(envs, np.random.default_rng(0), steps=250)
    batch = learner.collect()
    assert torch.allclose(batch.log_π, learner.policy.log_prob(batch.obs.flatten(0, 1), batch.actions.flatten(0, 1))
                          .reshape(250, 3), atol=1e-5)  # fmt: skip
    over = batch.terminated | batch.truncated
    assert over.any()
    assert torch.equal(batch.obs[1:][~over[:-1]], batch.next_obs[:-1][~over[:-1]])
    assert not torch.equal(batch.obs[1:][over[:-1]], batch.next_obs[:-1][over[:-1]])  # those were reset
    following = learner.collect()
    on = ~over[-1]
    assert torch.equal(following.obs[0][on], batch.next_obs[-1][on])
    if name == "CartPole-v1":  # the state is the observation
        again = environments.make(name, 3)
        again.reset(options={"state": batch.obs[17].double().numpy()})
        _, reward, terminated, _, info = again.step(batch.actions[17].numpy())
        assert np.allclose(info["final_obs"], batch.next_obs[17], atol=1e-5)
        assert np.array_equal(terminated, batch.terminated[17]) and np.allclose(reward, batch.reward[17])


def test_one_step_of_the_loss_is_the_policy_gradient():
    """At the policy that drew the batch the surrogate's gradient is −mean A ∇log π (the value's part apart)."""
    learner = PPO(environments.make("CartPole-v1", 4), np.random.default_rng(0), steps=8)
    batch = learner.collect()
    obs, actions, log_π = (x.flatten(0, 1) for x in (batch.obs, batch.actions, batch.log_π))
    A = torch.as_tensor(np.random.default_rng(1).normal(size=32), dtype=torch.float32)
    weights = list(learner.policy.network.parameters())
    ours = torch.autograd.grad(learner.loss(obs, actions, log_π, A, torch.zeros(32)), weights)
    plain = torch.autograd.grad(-(A * learner.policy.log_prob(obs, actions)).mean(), weights)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours, plain, strict=True))


def test_a_ratio_beyond_the_clip_has_no_gradient():
    learner = PPO(environments.make("CartPole-v1", 4), np.random.default_rng(0), steps=8)
    batch = learner.collect()
    obs, actions, log_π = (x.flatten(0, 1) for x in (batch.obs, batch.actions, batch.log_π))
    weights = list(learner.policy.network.parameters())
    for A, log_old in ((1.0, log_π - 1), (-1.0, log_π + 1)):  # already far in the good direction
        loss = learner.loss(obs, actions, log_old, A * torch.ones(32), torch.zeros(32))
        assert all(not g.any() for g in torch.autograd.grad(loss, weights, retain_graph=True))


def test_it_learns_over_five_seeds():
    """CartPole from its own reward: 30 batches bring every seed from about 20 steps to more than 150."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        learner = PPO(environments.make("CartPole-v1", 16), rng)
        before = evaluate(learner.policy, "CartPole-v1", 20, np.random.default_rng(9)).mean()
        for _ in range(30):
            batch = learner.collect()
            learner.update(batch, batch.reward)
        after = evaluate(learner.policy, "CartPole-v1", 20, np.random.default_rng(9)).mean()
        assert before < 60 and after > 150, (seed, before, after)


def test_the_rng_decides_everything():
    def trained(seed):
        learner = PPO(environments.make("Pendulum-v1", 4), np.random.default_rng(seed), steps=16)
        for _ in range(2):
            batch = learner.collect()
            learner.update(batch, batch.reward)
        return torch.cat([p.detach().flatten() for p in learner.parameters])

    assert torch.equal(trained(0), trained(0))
    assert not torch.equal(trained(0), trained(1))


def test_rewards_of_another_shape_are_refused():
    learner = PPO(environments.make("CartPole-v1", 4), np.random.default_rng(0), steps=8)
    batch = learner.collect()
    with pytest.raises(ValueError, match=r"expected shape \(8, 4\), got \(8,\)"):
        learner.update(batch, batch.reward[:, 0])


def test_evaluation_counts_the_first_episode_only_and_can_be_greedy():
    envs = environments.make("CartPole-v1", 1)
    policy = Policy(envs.single_observation_space, envs.single_action_space, np.random.default_rng(0))
    returns = evaluate(policy, "CartPole-v1", 50, np.random.default_rng(0))
    assert returns.shape == (50,) and returns.min() >= 8 and returns.max() < 200
    always_left = evaluate(policy, "CartPole-v1", 50, np.random.default_rng(0), greedy=True)
    again = evaluate(policy, "CartPole-v1", 50, np.random.default_rng(0), greedy=True)
    assert np.array_equal(always_left, again) and not np.array_equal(always_left, returns)
