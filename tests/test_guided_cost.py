"""Guided cost learning.  The oracle for its estimates: every trajectory of a small deterministic world, written out."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from worlds import central_difference, every_session, random_mdp, random_policy

from course_utils import environments
from course_utils.experts import demonstrations
from course_utils.guided_cost import (
    GuidedCostLearner,
    Mixture,
    RewardNet,
    along,
    effective_sample_size,
    entropic,
    first_episodes,
    from_demonstrations,
    fused_log_density,
    guided_cost_learning,
    importance_weights,
    irl_loss,
    lcr,
    log_partition,
    mono,
    policy_loss,
    proposal_balance,
    replan,
    reward_map,
    tempered_weights,
)
from course_utils.mdp import TabularMDP
from course_utils.planning import soft_value_iteration
from course_utils.ppo import PPO, evaluate

seeds = pytest.mark.parametrize("seed", range(4))


class World:
    """A deterministic world with one start, all its trajectories, and their features f[τ, k] = Σ_t f[s_t, a_t, k]."""

    def __init__(self, seed, horizon=3, scale=1.0, K=3):
        self.rng = np.random.default_rng(seed)
        some = random_mdp(self.rng, deterministic=True)
        self.mdp = TabularMDP(some.dense(), np.eye(some.n_states)[0], horizon)
        self.sessions = every_session(self.mdp)
        features = scale * self.rng.normal(size=(some.n_states, some.n_actions, K))
        self.f = torch.tensor(np.array([[τ.total(features[..., k]) for k in range(K)] for τ in self.sessions]))
        self.θ = self.rng.normal(size=K)
        self.R = self.f @ torch.tensor(self.θ)
        V, _, self.optimal = soft_value_iteration(self.mdp, features @ self.θ)
        self.log_Z = V[0, 0]
        self.p = torch.softmax(self.R, 0)

    def density(self, π):
        """log q(τ) of every trajectory."""
        return torch.tensor([np.log(τ.policy_probability(π)) for τ in self.sessions])

    def draw(self, log_q, n, rng):
        return torch.tensor(rng.choice(len(self.sessions), size=n, p=log_q.exp().numpy()))


@seeds
def test_with_all_trajectories_loss_and_gradient_are_exact(seed):
    """Each trajectory once is a sample of the uniform density 1/N.  Oracles: V_0, enumeration, finite differences."""
    world = World(seed)
    N = len(world.sessions)
    log_μ = torch.full((N,), -np.log(N), dtype=torch.float64)
    assert log_partition(world.R, log_μ).item() == pytest.approx(world.log_Z, abs=1e-12)
    demonstrations = world.draw(world.density(random_policy(world.rng, world.mdp)), 5, world.rng)

    def loss(θ):
        R = world.f @ torch.as_tensor(θ)
        return irl_loss(R[demonstrations], R, log_μ)

    θ = torch.tensor(world.θ, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(θ), θ)
    exact = world.p @ world.f - world.f[demonstrations].mean(0)
    assert torch.allclose(gradient, exact, atol=1e-12)
    assert np.allclose(gradient, central_difference(lambda θ: loss(θ).item(), world.θ), atol=1e-7)
    assert torch.allclose(importance_weights(world.R, log_μ), world.p, atol=1e-14)


@seeds
def test_fused_estimate_is_unbiased_exactly(seed):
    """One sample from each of two policies and one demonstration: the mean over all triples of samples is Z, and that
    of the balance is 1.  Unequal counts included: two of the three are drawn from the same policy for odd seeds."""
    world = World(seed, horizon=2)
    policies = [world.density(random_policy(world.rng, world.mdp)) for _ in range(2 - seed % 2)]
    log_q = torch.stack([*policies, world.p.log()])
    counts = [1, 1, 1] if len(log_q) == 3 else [2, 1]
    sources = np.repeat(np.arange(len(log_q)), counts)
    Z, balance = 0.0, torch.zeros(len(log_q), dtype=torch.float64)
    for τ in itertools.product(range(len(world.sessions)), repeat=3):
        chance = log_q[sources, τ].sum().exp()
        log_μ = fused_log_density(log_q[:, τ], counts)
        Z += chance * log_partition(world.R[list(τ)], log_μ).exp()
        balance += chance * proposal_balance(log_q[:, τ], log_μ)
    assert Z.log().item() == pytest.approx(world.log_Z, abs=1e-12)
    assert torch.allclose(balance, torch.ones_like(balance), atol=1e-12)


def study(world, how, seed, N=200):
    """Estimates from N samples: error of log Z, error of the gradient, effective sample size, balance."""
    rng = np.random.default_rng(seed)
    log_q = torch.stack([torch.full_like(world.R, -np.log(len(world.R))), world.p.log()])  # uniform; the expert
    counts = [N, 0] if how == "q only" else [N // 2, N // 2]
    τ = torch.cat([world.draw(q, n, rng) for q, n in zip(log_q, counts, strict=True)])
    log_μ = fused_log_density(log_q[:, τ], counts) if how == "fused" else log_q[0, τ]
    w = importance_weights(world.R[τ], log_μ)
    gap = w @ world.f[τ] - world.p @ world.f
    error = log_partition(world.R[τ], log_μ).item() - world.log_Z
    return error, gap.square().sum().item(), effective_sample_size(w).item(), *proposal_balance(log_q[:, τ], log_μ)


def test_fusing_helps_and_only_the_balance_sees_the_classic_bug():
    """Over 40 seeds: fused has less bias, a better gradient and a better effective sample size than q alone; giving
    the demonstrations the weight 1/q is far off, and looks no worse than q alone by its effective sample size."""
    world = World(3, horizon=5, scale=1.5)
    table = {
        how: np.array([study(world, how, seed) for seed in range(40)]) for how in ("q only", "fused", "classic bug")
    }
    bias = {how: rows[:, 0].mean() for how, rows in table.items()}
    error = {how: rows[:, 0].std(ddof=1) / np.sqrt(40) for how, rows in table.items()}
    rmse = {how: np.sqrt(rows[:, 1].mean()) for how, rows in table.items()}
    ess = {how: rows[:, 2].mean() for how, rows in table.items()}
    balance = {how: rows[:, 4].mean() for how, rows in table.items()}
    assert abs(bias["fused"]) < 4 * error["fused"] + 0.02 and abs(bias["fused"]) < 0.1
    assert rmse["fused"] < 0.6 * rmse["q only"] and ess["fused"] > 3 * ess["q only"]
    assert bias["classic bug"] > 1.0 and rmse["classic bug"] > 2 * rmse["fused"]
    assert ess["classic bug"] > ess["q only"]
    noise = table["fused"][:, 4].std(ddof=1) / np.sqrt(40)
    assert abs(balance["fused"] - 1) < 4 * noise and balance["classic bug"] > 3
    assert np.allclose(table["fused"][:, 3:].mean(1), 1, atol=1e-12)  # the counts' mean of the balance is 1 by algebra


def test_gradient_is_unbiased_within_noise():
    """Self-normalised weights have a bias of order 1/N, so: N = 4,000, and 25 seeds."""
    world = World(1)
    errors = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        log_q = torch.stack([world.density(random_policy(np.random.default_rng(k), world.mdp)) for k in range(3)])
        τ = torch.cat([world.draw(q, 1333, rng) for q in log_q])
        log_μ = fused_log_density(log_q[:, τ], [1333] * 3)
        θ = torch.tensor(world.θ, requires_grad=True)
        R = world.f @ θ
        (gradient,) = torch.autograd.grad(irl_loss(R[:5], R[τ], log_μ), θ)
        errors.append((gradient - (world.p @ world.f - world.f[:5].mean(0))).numpy())
    mean, standard_error = np.mean(errors, axis=0), np.std(errors, axis=0, ddof=1) / 5
    assert (np.abs(mean) < 4 * standard_error).all() and (standard_error < 0.05).all()


@seeds
def test_samples_of_the_optimal_policy_have_equal_weights(seed):
    """log Z = R(τ) − log π*(τ) for every τ: with the inner problem solved weights are not needed (Danskin)."""
    world = World(seed)
    log_π = world.density(world.optimal)
    τ = world.draw(log_π, 7, world.rng)
    assert log_partition(world.R[τ], log_π[τ]).item() == pytest.approx(world.log_Z, abs=1e-12)
    assert effective_sample_size(importance_weights(world.R[τ], log_π[τ])).item() == pytest.approx(1, abs=1e-12)


def test_effective_sample_size_at_its_ends():
    assert effective_sample_size(torch.ones(8)).item() == pytest.approx(1)
    assert effective_sample_size(torch.eye(8)[3]).item() == pytest.approx(1 / 8)
    assert effective_sample_size(torch.tensor([2.0, 2, 0, 0])).item() == pytest.approx(1 / 2)


@seeds
def test_policy_gradient_is_that_of_the_divergence(seed):
    """Exactly: its mean over all pairs of samples.  Oracles: the enumerated KL(π̃ ‖ p), by autograd and differences."""
    world = World(seed, horizon=2)
    S, A = world.mdp.n_states, world.mdp.n_actions
    steps = [[(t * S + s, a) for t, (s, a) in τ.steps()] for τ in world.sessions]

    def log_density(φ):
        table = torch.log_softmax(φ.reshape(-1, A), dim=1)
        return torch.stack([sum(table[row, a] for row, a in τ) for τ in steps])

    def divergence(φ):
        log_π = log_density(torch.as_tensor(φ))
        return (log_π.exp() * (log_π - torch.log_softmax(world.R, 0))).sum()

    φ = torch.tensor(world.rng.normal(size=2 * S * A), requires_grad=True)
    log_π = log_density(φ)
    mean = sum(
        (log_π[i] + log_π[j]).exp().detach() * policy_loss(log_π[[i, j]], world.R[[i, j]])
        for i, j in itertools.product(range(len(steps)), repeat=2)
    )
    (gradient,) = torch.autograd.grad(mean, φ, retain_graph=True)
    (exact,) = torch.autograd.grad(divergence(φ), φ, retain_graph=True)
    assert torch.allclose(gradient, exact, atol=1e-12)
    assert np.allclose(exact, central_difference(lambda φ: divergence(φ).item(), φ.detach().numpy()), atol=1e-8)
    (slide,) = torch.autograd.grad((log_π.exp().detach() * log_π * -(1 + world.R)).sum(), φ)
    assert (slide - exact).abs().max() > 1e-2  # without log π̃: another gradient


@seeds
def test_regularisers_against_loops(seed):
    c = 2 * np.random.default_rng(seed).normal(size=(4, 6))
    rate = [sum(((x[t + 1] - x[t]) - (x[t] - x[t - 1])) ** 2 for t in range(1, 5)) for x in c]
    rise = [sum(max(0.0, x[t] - x[t - 1] - 1) ** 2 for t in range(1, 6)) for x in c]
    assert lcr(torch.tensor(c)).item() == pytest.approx(np.mean(rate))
    assert mono(torch.tensor(c)).item() == pytest.approx(np.mean(rise))
    straight = torch.arange(6.0).repeat(2, 1) * 0.9
    assert lcr(straight).item() == pytest.approx(0, abs=1e-10) and mono(straight) == 0


@pytest.mark.parametrize("size", [1.0, 1e3, -1e3])
def test_shift_and_extreme_values(size):
    rng = np.random.default_rng(0)
    R, log_q = torch.tensor(size * (1 + rng.random(50))), torch.tensor(-abs(size) * rng.random((3, 50)))
    log_μ = fused_log_density(log_q, [10, 20, 20])
    plain = np.logaddexp.reduce(log_q.numpy() + np.log([[0.2], [0.4], [0.4]]), axis=0)
    assert np.allclose(log_μ.numpy(), plain, rtol=1e-12)
    value = log_partition(R, log_μ)
    assert value.item() == pytest.approx(np.logaddexp.reduce(R.numpy() - plain) - np.log(50), rel=1e-12)
    assert (log_partition(R + 7, log_μ) - value).item() == pytest.approx(7, abs=1e-9)
    w = importance_weights(R, log_μ)
    assert w.sum().item() == pytest.approx(1, abs=1e-12) and torch.allclose(w, importance_weights(R + 7, log_μ))
    assert irl_loss(R[:4], R, log_μ).isfinite() and 1 / 50 <= effective_sample_size(w) <= 1


def test_a_proposal_without_samples_counts_for_nothing():
    log_q = torch.tensor([[-1.0, -2.0], [5.0, 5.0]])
    assert torch.allclose(fused_log_density(log_q, [2, 0]), log_q[0])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: fused_log_density(x, [4]), r"\(K, N\)"),
        (lambda x: fused_log_density(x.repeat(2, 1), [4]), r"counts \(K,\)"),
        (lambda x: fused_log_density(x.repeat(2, 1), [4, 1]), r"sum to the N = 4"),
        (lambda x: fused_log_density(x.repeat(2, 1), [5, -1]), "≥ 0"),
        (lambda x: log_partition(x, x[:3]), "one entry a trajectory"),
        (lambda x: log_partition(x[:0], x[:0]), "one entry a trajectory"),
        (lambda x: importance_weights(x[:, None], x[:, None]), "one entry a trajectory"),
        (lambda x: proposal_balance(x, x), r"\(K, N\)"),
        (lambda x: policy_loss(x, x[:2]), "one entry a trajectory"),
        (lambda x: policy_loss(x[:1], x[:1]), "at least 2"),
        (lambda x: lcr(x.reshape(2, 2)), "T ≥ 3"),
        (lambda x: mono(x), "T ≥ 2"),
    ],
)
def test_errors_say_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(4))


# The joint loop


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small(seed=0, name="Navigation-v0", n=3, every=1, **settings):
    rng = np.random.default_rng(seed)
    demos = demonstrations(name, n, rng, every)
    return demos, GuidedCostLearner(name, demos, rng, **{"copies": 6, "hidden": (8,), **settings})


def test_a_kept_step_stands_for_those_left_out():
    """The mean over all offsets of the estimate is the full sum, where `every` divides the length."""
    whole = demonstrations("Navigation-v0", 4, np.random.default_rng(0))
    full = from_demonstrations(whole)
    x = torch.randn(len(full.obs), generator=torch.Generator().manual_seed(0))
    loops = [sum(x[j].item() for j in range(len(x)) if whole.episode[j] == i) for i in range(4)]
    assert np.allclose(full.sum(x), loops, atol=1e-4)
    estimates = []
    for offset in range(5):
        kept = whole.time % 5 == offset
        fields = {key: getattr(whole, key)[kept] for key in ("obs", "actions", "next_obs", "time", "episode")}
        part = from_demonstrations(dataclasses.replace(whole, **fields))
        estimates.append(part.sum(x[torch.as_tensor(kept)]))
    assert torch.allclose(torch.stack(estimates).mean(0), full.sum(x), atol=1e-4)


def test_first_episodes_against_loops():
    agent = PPO(environments.make("CartPole-v1", 5), np.random.default_rng(0), steps=60)
    batch = agent.collect()
    τ = first_episodes(batch)
    expected, of = [], []
    for i in range(5):
        for t in range(60):
            expected.append(batch.obs[t, i])
            of.append(i)
            if batch.terminated[t, i] or batch.truncated[t, i]:
                break
    assert torch.equal(τ.obs, torch.stack(expected)) and τ.of.tolist() == of and τ.n == 5
    assert len(of) < 300  # some did end


def test_memory_says_how_many_past_policies_stay_in_the_mixture():
    for memory, kept in ((2, 2), (math.inf, 5)):
        demos, learner = small(memory=memory)
        for _ in range(5):
            learner.improve_policy()
        assert len(learner.mixture.proposals) == kept + 1  # and the demonstrations, the first of them
        assert learner.mixture.counts()[0] == len(demos.lengths)


def test_mixture_holds_every_density_at_every_sample():
    mixture, policies, batches = Mixture(), [], []
    for seed in range(4):
        agent = PPO(environments.make("CartPole-v1", 2 + seed), np.random.default_rng(seed), steps=40)
        policies.append(agent.policy)
        batches.append(first_episodes(agent.collect()))
        mixture.add(agent.policy, batches[-1])
    for forgotten in (None, 1):
        if forgotten is not None:
            mixture.forget(forgotten)
            del policies[forgotten], batches[forgotten]
        samples = mixture.samples()
        assert mixture.counts() == [τ.n for τ in batches] and mixture.log_q.shape == (len(policies), samples.n)
        for κ, policy in enumerate(policies):
            for j in range(samples.n):
                steps = samples.of == j
                expected = policy.log_prob(samples.obs[steps], samples.actions[steps]).sum()
                assert mixture.log_q[κ, j].item() == pytest.approx(expected.item(), abs=1e-3)


def test_tempered_weights():
    log_w = 5 * torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    w, α = tempered_weights(log_w, 0.0)
    assert α == 1 and torch.allclose(w, torch.softmax(log_w, 0))
    w, α = tempered_weights(log_w, 0.5)
    ess = np.mean([effective_sample_size(column).item() for column in w.T])
    assert 0 < α < 1 and ess == pytest.approx(0.5, abs=2e-3) and torch.allclose(w.sum(0), torch.ones(3).double())
    assert torch.allclose(w, torch.softmax(α * log_w, 0))
    assert tempered_weights(torch.full((7, 2), 3.0), 0.99)[1] == 1


def test_the_loop_descends_the_loss():
    """Untempered and without penalties its gradient is that of irl_loss, start by start, in units of the reward."""
    demos, learner = small(least_ess=0.0, l2=0.0, l2_elsewhere=0.0, temperature=0.7, learning_rate=0.0)
    for _ in range(2):
        learner.improve_policy()
    learner.improve_reward()
    found = [p.grad.clone() for p in learner.reward.parameters()]
    samples = learner.mixture.samples()
    R = learner.reward(samples.obs).double().reshape(-1, 30).sum(1) / 0.7
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(samples.actions.double()).sum(1).reshape(-1, 30).sum(1)
    log_μ = fused_log_density(learner.mixture.log_q.double(), learner.mixture.counts()) - prior
    loss = sum(irl_loss(R[[i]], R[i::3], log_μ[i::3]) for i in range(3)) / 3
    exact = torch.autograd.grad(loss * 0.7 / 30, learner.reward.parameters())
    assert max(e.abs().max() for e in exact) > 1e-3
    for e, f in zip(exact, found, strict=True):
        assert torch.allclose(e.float(), f, atol=1e-5)


def test_proposals_start_where_the_demonstrations_did():
    demos, learner = small(memory=2)
    for _ in range(3):
        learner.improve_policy()
    assert learner.mixture.counts() == [3, 6, 6]  # the demonstrations are kept, the first policy is forgotten
    first = learner.mixture.samples().obs.reshape(-1, 30, 2)[:, 0]
    assert torch.allclose(first, torch.as_tensor(demos.obs[demos.time == 0]).float().repeat(5, 1))


@pytest.mark.parametrize("name, every", [("Navigation-v0", 10), ("Pendulum-v1", 1)])
def test_without_known_starts_or_whole_demonstrations(name, every):
    _, learner = small(name=name, every=every)
    learner.improve_policy()
    assert learner.starts is None and len(learner.mixture.batches) == (2 if every == 1 else 1)
    assert np.isfinite(float(learner.improve_reward()["loss"]))


def test_entropy_is_in_the_reward_of_the_policy():
    _, learner = small()
    batch = learner.improve_policy()
    plain, r = entropic(learner.agent.policy, batch, learner.reward, 0.0), learner.reward(batch.obs)
    assert torch.allclose(plain, r)
    with_entropy = entropic(learner.agent.policy, batch, learner.reward, 0.5)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(batch.actions).sum(-1)
    assert torch.allclose(with_entropy, r - 0.5 * (batch.log_π - prior), atol=1e-5)
    discrete = PPO(environments.make("CartPole-v1", 2), np.random.default_rng(0), steps=3)
    assert (discrete.policy.log_prior(discrete.collect().actions) == 0).all()


def test_regularisers_follow_trajectories_of_unlike_lengths():
    """The penalty is their mean over trajectories, each by itself: no difference is taken across a border."""
    agent = PPO(environments.make("CartPole-v1", 4), np.random.default_rng(1), steps=60)
    τ = first_episodes(agent.collect())
    r = torch.randn(len(τ.obs), generator=torch.Generator().manual_seed(1))
    parts = [r[τ.of == i] for i in range(4)]
    assert along(lcr, r, τ).item() == pytest.approx(np.mean([lcr(-p[None]).item() for p in parts]), rel=1e-5)
    _, plain = small(l2=0.5, l2_elsewhere=0.0)
    _, regular = small(l2=0.5, l2_elsewhere=0.0, lcr_weight=2.0, mono_weight=3.0)
    τ = plain.demo
    r = 3 * torch.randn(len(τ.obs), generator=torch.Generator().manual_seed(2))
    assert plain.penalty(r, r, τ).item() == pytest.approx(0.5 * r.square().mean().item(), rel=1e-5)
    extra = regular.penalty(r, r, τ) - plain.penalty(r, r, τ)
    c = -r.reshape(3, 30)
    assert extra.item() == pytest.approx(2 * lcr(c).item() + 3 * mono(c).item(), rel=1e-4)


def test_reward_is_kept_small_where_nobody_was():
    """The second part of the penalty: the mean r² at demonstrated places with noise of the demonstrations' spread."""
    _, learner = small(l2=0.0, l2_elsewhere=0.5, n=10)
    demo = learner.demo
    found = np.mean([learner.penalty(demo.obs[:, 0], demo.obs[:, 0], demo).item() for _ in range(50)])
    rng, obs = np.random.default_rng(0), demo.obs.double().numpy()
    places = obs + obs.std(axis=0) * rng.standard_normal((50, *obs.shape))
    expected = 0.5 * learner.reward(torch.tensor(places).float()).square().mean().item()
    assert found == pytest.approx(expected, rel=0.1)


def test_reward_map():
    net = RewardNet(2, np.random.default_rng(0))
    seen = np.array([[0.5, -0.25], [-1.0, 1.0]])
    axis, r, visited = reward_map(net, seen, points=9, near=0.2)
    for i, y in enumerate(axis):
        for j, x in enumerate(axis):
            assert r[i, j] == pytest.approx(net(torch.tensor([x, y]).float()).item(), abs=1e-5)
            assert visited[i, j] == any(abs(x - a) < 0.2 and abs(y - b) < 0.2 for a, b in seen)


def test_a_demonstration_without_steps_is_refused():
    demos, _ = small()
    kept = demos.episode != 1
    fields = {key: getattr(demos, key)[kept] for key in ("obs", "actions", "next_obs", "time", "episode")}
    with pytest.raises(ValueError, match="at least one step"):
        from_demonstrations(dataclasses.replace(demos, **fields))


@pytest.mark.parametrize("seed", range(2))
def test_a_short_run_beats_random_actions_by_far(seed):
    """CartPole: random actions last about 23 steps.  The reward's net never sees the true reward."""
    rng = np.random.default_rng(seed)
    demos = demonstrations("CartPole-v1", 2, rng)
    calls = []
    fit = guided_cost_learning(
        "CartPole-v1",
        demos,
        rng,
        iterations=7,
        policy_updates=2,
        copies=8,
        temperature=0.05,
        callback=lambda i, learner: calls.append(i),
    )
    assert calls == list(range(7)) and all(len(values) == 7 for values in fit.history.values())
    assert evaluate(fit.policy, "CartPole-v1", 20, rng).mean() > 70


def test_the_same_generator_gives_the_same_reward():
    def once(seed):
        rng = np.random.default_rng(seed)
        demos = demonstrations("Navigation-v0", 2, np.random.default_rng(0))
        fit = guided_cost_learning("Navigation-v0", demos, rng, iterations=2, policy_updates=1, copies=4)
        return fit.reward(torch.zeros(1, 2)).item(), fit.history["loss"]

    assert once(1) == once(1) != once(2)


def test_replanning_from_scratch():
    """With 1 a step for being up a pole is to be kept up; with −1 it is to be dropped at once."""

    def length(sign):
        policy = replan(
            "CartPole-v1",
            lambda obs: torch.full(obs.shape[:-1], sign),
            np.random.default_rng(0),
            iterations=12,
            copies=32,
            temperature=0.01,
        )
        return evaluate(policy, "CartPole-v1", 30, np.random.default_rng(1)).mean()

    assert length(1.0) > 80 and length(-1.0) < 15
