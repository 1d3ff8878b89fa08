"""MAIL: gradients through a model against finite differences, and what the whole loop does."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from course_utils import environments
from course_utils.experts import demonstrations, normalised_return
from course_utils.mail import (
    ForwardModel,
    RatioDiscriminator,
    clip_rows,
    fit_model,
    fit_value,
    mail,
    pathwise_gradient,
    policy_step,
    rollout,
    score_function_gradient,
)
from course_utils.networks import Policy, torch_generator
from course_utils.ppo import PPO, evaluate

torch.set_num_threads(1)
SPACE = Box(-1.0, 1.0, (2,), np.float64)
T = 4


def generator(seed):
    return torch.Generator().manual_seed(seed)


def small_policy(seed=0, hidden=(3,)):
    policy = Policy(SPACE, SPACE, np.random.default_rng(seed), hidden).double()
    with torch.no_grad():
        policy.network[-1].weight *= 50  # not the near-constant policy that training starts from
    return policy


def starts(n, seed=0):
    return torch.as_tensor(np.random.default_rng(seed).uniform(-1, 1, (n, 2)))


def step(s, a):
    return s + 0.3 * torch.tanh(a) - 0.1 * s**2


def cost(s, a):
    return (s - 0.5).square().sum(-1) + 0.1 * a.square().sum(-1)


def each_parameter(policy):
    """Every number in the policy, in the order of a gradient's columns."""
    return [(p.view(-1), i) for p in policy.parameters() for i in range(p.numel())]


def finite_differences(objective, policy, ε=1e-5):
    """The central differences of objective() (...,) in every parameter of the policy: (P, ...)."""
    rows = []
    with torch.no_grad():
        for values, i in each_parameter(policy):
            middle = values[i].item()
            values[i] = middle + ε
            above = objective()
            values[i] = middle - ε
            below = objective()
            values[i] = middle
            rows.append((above - below) / (2 * ε))
    return torch.stack(rows)


@pytest.mark.parametrize("learned", [False, True])
def test_pathwise_gradient_is_that_of_every_trajectory_with_its_noise_held_fixed(learned):
    policy, s = small_policy(), starts(5)
    world = ForwardModel(policy, np.random.default_rng(1), (4,)).double() if learned else step

    def J():
        states, actions = rollout(world, policy, s, T, generator(3))
        return cost(states[:-1], actions).sum(0)

    g = pathwise_gradient(world, cost, policy, s, T, generator(3))
    assert g.shape == (5, len(each_parameter(policy)))
    assert g.abs().max() > 0.1
    assert torch.allclose(g.T, finite_differences(J, policy), atol=1e-7)


def many_gradients(gradient, policy, batches=40, n=64, **options):
    """(batches · n, P): trajectories from n fresh starts at a time."""
    return torch.cat(
        [gradient(step, cost, policy, starts(n, i), T, generator(1000 + i), **options) for i in range(batches)]
    )


@pytest.fixture(scope="module")
def exact():
    """∇ E Σ c: finite differences of the mean cost of 10,000 trajectories, the same noise on both sides."""
    policy, s = small_policy(), starts(10_000, 99)

    def expected_cost():
        states, actions = rollout(step, policy, s, T, generator(7))
        return cost(states[:-1], actions).sum(0).mean()

    return finite_differences(expected_cost, policy)


@pytest.mark.parametrize(
    "gradient, options",
    [(pathwise_gradient, {}), (score_function_gradient, {}), (score_function_gradient, {"baseline": True})],
)
def test_both_gradients_are_unbiased_for_the_expected_cost(exact, gradient, options):
    g = many_gradients(gradient, small_policy(), **options)
    standard_error = g.std(0) / len(g) ** 0.5
    assert ((g.mean(0) - exact) / standard_error).abs().max() < 4
    assert (exact / standard_error).abs().max() > 5  # a gradient of 0, or of the other sign, would not have passed


def test_the_pathwise_gradient_varies_less_on_every_seed_and_a_baseline_helps():
    for seed in range(6):
        policy = small_policy(seed)
        pathwise = many_gradients(pathwise_gradient, policy, 4).var(0).sum()
        score = many_gradients(score_function_gradient, policy, 4).var(0).sum()
        assert pathwise < many_gradients(score_function_gradient, policy, 4, baseline=True).var(0).sum() < score
        assert score / pathwise > 3


def test_a_score_function_gradient_needs_no_derivative_of_world_or_cost():
    policy, s = small_policy(), starts(3)
    world = lambda s, a: torch.as_tensor(step(s, a).numpy())  # numpy() raises on what has a gradient
    g = score_function_gradient(world, lambda s, a: torch.as_tensor(cost(s, a).numpy()), policy, s, T, generator(0))
    assert torch.equal(g, score_function_gradient(step, cost, policy, s, T, generator(0)))


def test_limited_gradients_stay_finite_where_the_world_explodes():
    policy, s = small_policy().float(), starts(4).float()
    chaos = lambda s, a: torch.sin(20 * s) + a  # bounded, but it stretches distances twentyfold in each step
    for limit, finite in ((None, False), (1.0, True)):
        policy.zero_grad()
        states, _ = rollout(chaos, policy, s, 200, generator(0), limit)
        states[-1].sum().backward()
        norm = sum(p.grad.norm() for p in policy.parameters())
        assert torch.isfinite(norm) == finite
    assert norm > 0


def test_clipping_shortens_long_rows_only():
    g = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    assert torch.allclose(clip_rows(g, 1.0), torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]]))


def test_the_forward_model_fits_linear_dynamics():
    rng = np.random.default_rng(0)
    policy = Policy(SPACE, SPACE, rng)
    A, B = (torch.as_tensor(rng.normal(size=(2, 2)), dtype=torch.float32) for _ in range(2))
    draw = lambda n: [torch.as_tensor(rng.uniform(-1, 1, (n, 2)), dtype=torch.float32) for _ in range(2)]
    world = lambda s, a: s + 0.1 * (s @ A + a.clamp(-1, 1) @ B) + 0.05
    s, a = draw(2000)
    policy.norm.update(s)
    model = ForwardModel(policy, rng)
    model.change.update(world(s, a) - s)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for rate in (3e-3, 3e-4):
        optimiser.param_groups[0]["lr"] = rate
        fit_model(model, optimiser, (s, a, world(s, a)), 300, torch_generator(rng))
    s, a = draw(1000)  # held out, actions outside their box included
    a = 1.5 * a
    with torch.no_grad():
        assert model.loss(s, a, world(s, a)) < 1e-3
        assert (model(s, a) - world(s, a)).square().mean().sqrt() < 5e-3


def test_the_discriminator_has_the_factors_of_the_paper():
    rng = np.random.default_rng(0)
    policy = Policy(SPACE, SPACE, rng)
    D = RatioDiscriminator(policy, rng)
    s, a = starts(6).float(), starts(6, 1).float()
    x = D.inputs(s, a)
    φ, ψ = D.log_φ(x).exp().squeeze(-1), D.log_ψ(policy.norm(s)).exp().squeeze(-1)
    assert torch.allclose(1 - torch.sigmoid(D(x)), 1 / (1 + φ * ψ), atol=1e-6)  # P(policy); ours is P(expert)


def test_without_a_future_the_value_is_the_reward():
    rng = np.random.default_rng(0)
    learner = PPO(environments.make("Navigation-v0", 16), rng, steps=30, discount=0.0)
    batch = learner.collect()
    learner.policy.norm.update(batch.obs)
    reward = 3 + 2 * batch.obs[..., 0] - batch.obs[..., 1]
    optimiser = torch.optim.Adam(learner.value_network.parameters(), 3e-3)
    fit_value(learner, batch, reward, optimiser, 300, torch_generator(rng))
    with torch.no_grad():
        assert (learner.value(batch.obs) - reward).abs().mean() < 0.05


def test_policy_steps_find_the_best_action_through_the_model():
    rng = np.random.default_rng(0)
    learner = PPO(environments.make("Navigation-v0", 4), rng, discount=0.9)
    model = lambda s, a: s + 0.1 * a.clamp(-1, 1)
    optimiser = torch.optim.Adam(learner.policy.parameters(), 1e-2)
    with torch.no_grad():
        learner.value_network[-1].weight *= 0  # no value after the window
        learner.policy.network[-1].bias += 3.0  # far outside the box, where clipping has no gradient
    target = torch.tensor([0.5, -0.25])
    reward = lambda s, a: -(a.clamp(-1, 1) - target).square().sum(-1)
    s = starts(32).float()
    for _ in range(200):
        policy_step(learner, model, reward, s, 3, optimiser, torch_generator(rng))
    assert (learner.policy.mode(s) - target).abs().max() < 0.15


QUICK = {"copies": 8, "steps": 30, "rounds": 4, "model_rounds": 5, "policy_rounds": 3, "value_rounds": 3}


def test_the_same_rng_gives_the_same_fit():
    demos = demonstrations("Navigation-v0", 3, np.random.default_rng(0))
    calls = []
    fits = [
        mail(
            "Navigation-v0",
            demos,
            np.random.default_rng(seed),
            iterations=2,
            callback=lambda *x: calls.append(x),
            **QUICK,
        )
        for seed in (1, 1, 2)
    ]
    assert fits[0].history == fits[1].history != fits[2].history
    weights = [torch.cat([p.flatten() for p in fit.policy.parameters()]) for fit in fits]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert [row["steps"] for row in fits[0].history] == [240, 480]
    assert [x[0] for x in calls] == [0, 1] * 3 and isinstance(calls[0][2], ForwardModel)


def test_a_short_training_beats_the_random_policy_on_every_seed():
    demos = demonstrations("Navigation-v0", 50, np.random.default_rng(0))
    settings = {"copies": 16, "starts": 32, "policy_rounds": 15, "discount": 0.9, "penalty": 0.05}
    for seed in range(3):
        fit = mail("Navigation-v0", demos, np.random.default_rng(seed), iterations=10, **settings)
        returns = evaluate(fit.policy, "Navigation-v0", 100, np.random.default_rng(100 + seed))
        assert normalised_return("Navigation-v0", returns.mean()) > 0.1  # 0 is random, 0.03 its standard error
        assert fit.history[-1]["model"] < fit.history[0]["model"] / 5  # the model has come to know this world


def test_discrete_actions_are_refused_with_the_reason():
    demos = demonstrations("CartPole-v1", 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="derivative.*reparameterisation"):
        mail("CartPole-v1", demos, np.random.default_rng(0))
    with pytest.raises(ValueError, match="derivative"):
        ForwardModel(Policy(SPACE, Discrete(3), np.random.default_rng(0)), np.random.default_rng(0))


def test_demonstrations_of_another_task_are_refused():
    demos = demonstrations("Pendulum-v1", 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="obs"):
        mail("Navigation-v0", demos, np.random.default_rng(0), iterations=1, **QUICK)
