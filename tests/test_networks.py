"""Networks: the densities are densities, the samples follow them, and the generator decides everything."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from course_utils.networks import Policy, RunningNorm, mlp, to_tensor, torch_generator

OBS = Box(-np.inf, np.inf, (3,))
BOX = Box(np.array([-2.0, 0.0]), np.array([2.0, 6.0]))


def policy(actions, seed=0, **settings):
    made = Policy(OBS, actions, np.random.default_rng(seed), **settings)
    with torch.no_grad():
        made.network[-1].weight.mul_(100)  # away from the near-uniform beginning
    return made


def test_running_norm_of_batches_is_that_of_their_union():
    rng = np.random.default_rng(0)
    rows, norm = [to_tensor(rng.normal(3, 2, size=(n, 2))) for n in (5, 1, 400)], RunningNorm(2)
    for x in rows:
        norm.update(x)
    union = torch.cat(rows)
    assert torch.allclose(norm.mean, union.mean(0), atol=1e-5)
    assert torch.allclose(norm.var, union.var(0, correction=0), rtol=1e-5)
    assert torch.allclose(norm(union).mean(0), torch.zeros(2), atol=1e-5)
    assert norm(torch.tensor([1e9, 0.0]))[0] == norm.clip


def test_discrete_policy_is_a_distribution_and_its_draws_follow_it():
    π, obs = policy(Discrete(4)), to_tensor([[0.3, -1.0, 2.0]]).expand(40_000, 3)
    p = torch.stack([π.log_prob(obs[:1], torch.tensor([a])) for a in range(4)]).exp().flatten().detach()
    assert abs(p.sum() - 1) < 1e-5
    actions, log_π = π.sample(obs, torch_generator(np.random.default_rng(1)))
    share = torch.bincount(actions, minlength=4) / len(actions)
    assert torch.allclose(share, p, atol=4 * 0.5 / 200)  # 4 standard errors
    assert torch.allclose(log_π, π.log_prob(obs, actions))
    assert π.mode(obs[:1])[0] == p.argmax()
    assert torch.allclose(π.entropy(obs[:1])[0], -(p * p.log()).sum(), atol=1e-5)


def test_gaussian_policy_integrates_to_one_in_the_units_of_the_environment():
    π, obs = policy(BOX), to_tensor([[0.3, -1.0, 2.0]])
    with torch.no_grad():
        mean, σ = π(obs)[0], π.scale * π.log_σ.exp()
        axes = [torch.linspace(float(m - 8 * s), float(m + 8 * s), 200) for m, s in zip(mean, σ, strict=True)]
        grid = torch.cartesian_prod(*axes)
        log_p = π.log_prob(obs.expand(len(grid), 3), grid)
    cell = float((axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0]))
    assert abs(log_p.exp().sum() * cell - 1) < 1e-3
    assert abs(-(log_p.exp() * log_p).sum() * cell - π.entropy(obs)[0]) < 1e-2
    actions, log_π = π.sample(obs.expand(40_000, 3), torch_generator(np.random.default_rng(1)))
    assert torch.allclose(actions.mean(0), mean, atol=4 * float(σ.max()) / 200)
    assert torch.allclose(log_π, π.log_prob(obs.expand(40_000, 3), actions), atol=1e-5)
    assert torch.equal(π.mode(obs)[0], mean)


def test_actions_as_a_network_takes_them_in():
    assert torch.equal(policy(Discrete(3)).encoded(torch.tensor([2, 0])), torch.tensor([[0.0, 0, 1], [1, 0, 0]]))
    assert torch.allclose(policy(BOX).encoded(to_tensor([[2, 3], [9, 0]])), to_tensor([[1, 0], [1, -1]]))


def test_the_generator_decides_everything():
    first, again, other = policy(BOX), policy(BOX), policy(BOX, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.network[0].weight, other.network[0].weight)
    rng = np.random.default_rng(0)
    assert torch_generator(rng).initial_seed() != torch_generator(rng).initial_seed()


def test_a_new_network_is_nearly_silent_if_asked_for():
    rng = np.random.default_rng(0)
    loud, quiet = mlp((3, 8, 2), rng), mlp((3, 8, 2), rng, last_gain=0.01)
    x = torch.ones(1, 3)
    assert quiet(x).abs().max() < 0.05 < loud(x).abs().max()


@pytest.mark.parametrize(
    "obs, actions, words",
    [
        (Box(-1, 1, (2, 2)), Discrete(2), "vectors"),
        (Discrete(3), Discrete(2), "vectors"),
        (Box(-1, 1, (2,)), Discrete(2, start=1), "numbered from 0"),
        (OBS, Box(-np.inf, np.inf, (1,)), "bounded"),
    ],
)
def test_spaces_that_are_not_served(obs, actions, words):
    with pytest.raises(ValueError, match=words):
        Policy(obs, actions, np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least"):
        mlp((3,), np.random.default_rng(0))
