"""The adversarial identities to machine precision, the discriminators, and that GAIL and AIRL imitate."""

import dataclasses

import numpy as np
import pytest
import torch

from course_utils import environments
from course_utils.adversarial import (
    AIRLDiscriminator,
    GAILDiscriminator,
    absorbing_logits,
    airl_logit,
    airl_reward,
    discriminator_loss,
    gail_reward,
    gan_gcl_logit,
    imitate,
    slope_penalty,
)
from course_utils.experts import demonstrations, normalised_return
from course_utils.guided_cost import guided_cost_learning
from course_utils.mail import mail
from course_utils.mdp import TabularMDP
from course_utils.networks import Policy, torch_generator
from course_utils.ppo import evaluate
from course_utils.sessions import enumerate_sessions, total

torch.set_num_threads(1)


def sessions(seed, K=3):
    """Feature sums F (M, K) of all sessions of a calm world, θ (K,), and the density q (M,) of a policy."""
    rng = np.random.default_rng(seed)
    S, A, H = 4, 3, 3
    P = np.eye(S)[rng.integers(S, size=(S, A))]
    τ = enumerate_sessions(TabularMDP(P, np.eye(S)[0], horizon=H))
    F = torch.as_tensor(total(rng.normal(size=(S, A, K)), τ))
    π = rng.dirichlet(np.ones(A), size=S)
    q = torch.as_tensor(π[τ.states[:, :-1], τ.actions].prod(1))
    return F, torch.as_tensor(rng.normal(size=K)), q


@pytest.mark.parametrize("seed", range(5))
def test_the_discriminator_of_gan_gcl_is_p_over_p_plus_q(seed):
    F, θ, q = sessions(seed)
    R = F @ θ
    log_Z = R.logsumexp(0)
    p = (R - log_Z).exp()
    assert torch.allclose(torch.sigmoid(gan_gcl_logit(R, log_Z, q.log())), p / (p + q), rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_discriminators_gradient_is_that_of_maximum_entropy(seed):
    """∂/∂θ of its loss, at the true Z, is the importance-weighted MaxEnt gradient with μ = ½(p + q)."""
    F, θ, q = sessions(seed)
    expert = torch.softmax(F @ torch.as_tensor(np.random.default_rng(seed + 99).normal(size=3)), 0)
    θ, log_Z = θ.requires_grad_(), (F @ θ).logsumexp(0).detach()
    logit = gan_gcl_logit(F @ θ, log_Z, q.log())
    loss = (expert * torch.nn.functional.softplus(-logit)).sum() + (q * torch.nn.functional.softplus(logit)).sum()
    (gradient,) = torch.autograd.grad(loss, θ)
    p = (F @ θ - log_Z).exp().detach()
    μ = (p + q) / 2  # the samples: half from q, half from the expert, whose density p stands in for
    samples = (expert + q) / 2
    weights = samples * p / μ  # what a sample counts: its share, times p/μ
    assert torch.allclose(gradient, -(expert @ F - weights @ F), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_generators_loss_is_the_kl_divergence(seed):
    F, θ, q = sessions(seed)
    R = F @ θ
    log_Z = R.logsumexp(0)
    D = torch.sigmoid(gan_gcl_logit(R, log_Z, q.log()))
    loss = (q * ((1 - D).log() - D.log())).sum()
    assert torch.allclose(loss, (q * (q.log() - R)).sum() + log_Z, rtol=1e-10)
    assert torch.allclose(-(q * airl_reward(gan_gcl_logit(R, log_Z, q.log()))).sum(), loss, rtol=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_the_best_discriminator_and_what_it_is_worth(seed):
    """Among all logits log p − log q is best, and the loss is log 4 − D_JS, D_JS being the sum of two divergences."""
    p, q = torch.as_tensor(np.random.default_rng(seed).dirichlet(np.ones(6), size=2))

    def loss(logit):
        return -(p * torch.sigmoid(logit).log()).sum() - (q * torch.sigmoid(-logit).log()).sum()

    best, m = p.log() - q.log(), (p + q) / 2
    jensen_shannon = (p * (p / m).log()).sum() + (q * (q / m).log()).sum()
    assert torch.allclose(loss(best), np.log(4) - jensen_shannon)
    for direction in torch.eye(6, dtype=p.dtype):
        assert loss(best + 0.1 * direction) > loss(best) < loss(best - 0.1 * direction)


def test_the_loss_is_binary_cross_entropy_and_survives_large_logits():
    expert, policy = torch.tensor([0.3, -2.0, 5.0]), torch.tensor([1.0, -1.0])
    D = torch.sigmoid
    assert torch.allclose(discriminator_loss(expert, policy), -D(expert).log().mean() - (1 - D(policy)).log().mean())
    assert discriminator_loss(torch.tensor([-1e4]), torch.tensor([1e4])) == 2e4


def test_the_two_rewards_are_functions_of_the_logit():
    logit = torch.linspace(-5, 5, 11)
    D = torch.sigmoid(logit)
    assert torch.allclose(gail_reward(logit), -(1 - D).log(), atol=1e-6)
    assert torch.allclose(airl_reward(logit), D.log() - (1 - D).log(), atol=1e-5)
    assert (gail_reward(logit) > 0).all()
    assert torch.allclose(torch.sigmoid(airl_logit(logit, -1.0 + 0 * logit)), logit.exp() / (logit.exp() + np.exp(-1)))


def test_who_is_over_is_counted_as_further_steps():
    """Against a count: the absorbing visits of every termination written out, up to a far horizon."""
    γ, steps = 0.9, 4000
    further = sum(γ**k for k in range(1, steps))
    expert, ours = (3, 500), (40, 900)
    over = [n * further / (n * further + total) for n, total in (expert, ours)]
    acting, ended = absorbing_logits(expert, ours, γ)
    assert np.isclose(ended, np.log(over[0] / over[1])) and np.isclose(acting, np.log((1 - over[0]) / (1 - over[1])))
    assert absorbing_logits(expert, expert, γ) == (0, 0)
    assert absorbing_logits((0, 500), ours, γ)[0] > 0 > absorbing_logits((0, 500), ours, γ)[1]  # the expert never ends
    assert absorbing_logits((0, 500), (0, 10), γ) == (0, 0)


def made(kind, name="CartPole-v1", discount=0.9):
    envs, rng = environments.make(name, 2), np.random.default_rng(0)
    policy = Policy(envs.single_observation_space, envs.single_action_space, rng)
    return kind(policy, rng, discount, (16,)), policy


def test_airls_f_is_reward_plus_shaping():
    D, policy = made(AIRLDiscriminator)
    s, s_next = torch.randn(2, 5, 4, generator=torch_generator(np.random.default_rng(0)))
    a, log_π = torch.zeros(5), torch.full((5,), -0.7)
    terminated = torch.tensor([False, True, False, True, False])
    logit = D(D.inputs(s, a, s_next, terminated), log_π)
    h, h_next = D.h(s).squeeze(-1), D.h(s_next).squeeze(-1)
    assert torch.allclose(logit, D.reward(s) + 0.9 * h_next * ~terminated - h + 0.7, atol=1e-6)


@pytest.mark.parametrize("kind", [GAILDiscriminator, AIRLDiscriminator])
def test_a_discriminator_does_not_own_the_policy(kind):
    D, policy = made(kind, "Pendulum-v1")
    assert not {id(p) for p in D.parameters()} & {id(p) for p in policy.parameters()}


def test_the_slope_penalty_of_a_linear_logit_is_its_squared_norm():
    w = torch.tensor([3.0, 4.0])
    x = torch.randn(2, 7, 2, generator=torch_generator(np.random.default_rng(0)))
    assert torch.allclose(
        slope_penalty(lambda x: x @ w, *x, torch_generator(np.random.default_rng(0))), torch.tensor(25.0)
    )


@pytest.mark.parametrize("method", ["gail", "airl"])
def test_it_imitates(method):
    """One demonstration, every 20th step of it, three seeds: all better than random, and the best like the expert."""
    scores = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        fit = imitate("CartPole-v1", demonstrations("CartPole-v1", 1, rng, every=20), rng, method, iterations=25)
        scores.append(
            normalised_return("CartPole-v1", evaluate(fit.policy, "CartPole-v1", 20, rng, greedy=True).mean())
        )
    assert min(scores) > 0.1 and max(scores) > 0.8, scores


def test_the_rng_decides_everything():
    def trained(seed):
        rng = np.random.default_rng(seed)
        fit = imitate("Pendulum-v1", demonstrations("Pendulum-v1", 1, rng), rng, iterations=2, copies=4)
        return [row["loss"] for row in fit.history]

    assert trained(0) == trained(0) != trained(1)


def test_a_method_that_is_not_there():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="'gail' or 'airl', got 'gan'"):
        imitate("CartPole-v1", demonstrations("CartPole-v1", 1, rng), rng, "gan")


def swapped(demos, **changes):
    return dataclasses.replace(demos, **{key: change(getattr(demos, key)) for key, change in changes.items()})


def with_nan(x):
    return np.where(np.arange(x.size).reshape(x.shape) == 3, np.nan, x)


BAD = [
    (lambda d: swapped(d, obs=lambda x: x[:, :2]), r"obs and next_obs \(M, 3\)"),
    (lambda d: swapped(d, next_obs=lambda x: x[:, :2]), r"next_obs \(200, 2\)"),
    (lambda d: swapped(d, actions=lambda x: x[:, 0]), r"as many actions \(200, 1\)"),
    (lambda d: swapped(d, actions=lambda x: x[:-1]), r"actions \(199, 1\)"),
    (lambda d: swapped(d, actions=with_nan), "1 numbers in the demonstrations are NaN"),
    (lambda d: swapped(d, obs=with_nan), "1 numbers in the demonstrations are NaN"),
    (lambda d: dataclasses.replace(d, **{k: getattr(d, k)[:0] for k in vars(d)}), "no demonstrations"),
]


@pytest.mark.parametrize("learn", [imitate, guided_cost_learning, mail], ids=lambda f: f.__name__)
@pytest.mark.parametrize("spoil, words", BAD, ids=[words for _, words in BAD])
def test_odd_demonstrations_are_refused_by_all_three(learn, spoil, words):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=words):
        learn("Pendulum-v1", spoil(demonstrations("Pendulum-v1", 1, rng)), rng)


def test_actions_that_are_not_there_are_refused():
    rng = np.random.default_rng(0)
    demos = swapped(demonstrations("CartPole-v1", 1, rng), actions=lambda x: x + 1)
    with pytest.raises(ValueError, match=r"actions are 0 … 1; the demonstrations have \[1 2\]"):
        imitate("CartPole-v1", demos, rng)


@pytest.mark.parametrize(
    "learn, setting",
    [
        (imitate, dict(iterations=0)),
        (imitate, dict(rounds=0)),
        (imitate, dict(rows=2.5)),
        (mail, dict(iterations=0)),
        (mail, dict(policy_rounds=0)),
        (mail, dict(recent=0)),
        (guided_cost_learning, dict(iterations=0)),
        (guided_cost_learning, dict(reward_steps=0)),
        (guided_cost_learning, dict(memory=0)),
        (guided_cost_learning, dict(temperature=0.0)),
    ],
    ids=lambda x: getattr(x, "__name__", str(x)),
)
def test_settings_with_which_nothing_could_be_learned(learn, setting):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=next(iter(setting))):
        learn("Pendulum-v1", demonstrations("Pendulum-v1", 1, rng), rng, **setting)


def test_torchs_own_generator_is_left_alone():
    before = torch.get_rng_state()
    rng = np.random.default_rng(0)
    imitate("Pendulum-v1", demonstrations("Pendulum-v1", 1, rng), rng, iterations=1, copies=2)
    assert torch.equal(before, torch.get_rng_state())
