import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from worlds import KINDS, central_difference, every_session, random_mdp, random_policy

from course_utils import planning
from course_utils.mdp import TabularMDP
from course_utils.planning import (
    ConvergenceError,
    occupancy,
    policy_evaluation,
    soft_value_iteration,
    value_iteration,
    visitation,
)

worlds = pytest.mark.parametrize("kind", KINDS, ids=str)
seeds = pytest.mark.parametrize("seed", range(4))


def make(kind, seed, **more):
    rng = np.random.default_rng(seed)
    mdp = random_mdp(rng, **{**kind, **more})
    return rng, mdp, rng.normal(size=(mdp.n_states, mdp.n_actions))


@seeds
@pytest.mark.parametrize("kind", [dict(deterministic=True), dict(deterministic=True, terminal=[1])], ids=str)
def test_log_partition_is_the_start_value_when_the_world_is_deterministic(kind, seed):
    """log Z(s0) = V_0(s0), and Π π = e^R / Z: MATH steps 1 and 2, by enumeration."""
    _, mdp, r = make(kind, seed, horizon=4)
    V, _, π = soft_value_iteration(mdp, r)
    sessions = every_session(mdp)
    for s0 in np.flatnonzero(mdp.p0):
        of_start = [τ for τ in sessions if τ.states[0] == s0]
        log_Z = logsumexp([τ.total(r) for τ in of_start])
        assert np.isclose(log_Z, V[0, s0], rtol=0, atol=1e-12)
        for τ in of_start:
            assert np.isclose(τ.policy_probability(π), np.exp(τ.total(r) - log_Z), rtol=1e-11, atol=0)


@worlds
@seeds
def test_visitation_and_occupancy_against_enumeration(kind, seed):
    rng, mdp, _ = make(kind, seed)
    π = random_policy(rng, mdp)
    d, m = np.zeros((mdp.horizon, mdp.n_states)), np.zeros((mdp.n_states, mdp.n_actions))
    lengths = 0
    for τ in every_session(mdp):
        p = τ.chance * τ.policy_probability(π)
        lengths += p * len(τ.actions)
        for t, (s, a) in τ.steps():
            d[t, s] += p
            m[s, a] += p * mdp.discount**t
    assert np.allclose(visitation(mdp, π), d, atol=1e-14)
    assert np.allclose(occupancy(mdp, π), m, atol=1e-14)
    # H where nothing ends early, the expected number of actions in general
    assert np.isclose(visitation(mdp, π).sum(), lengths)
    if not mdp.terminal.any():
        assert np.isclose(lengths, mdp.horizon)


@worlds
@seeds
def test_policy_evaluation_against_enumeration(kind, seed):
    rng, mdp, r = make(kind, seed)
    π = random_policy(rng, mdp)
    J = sum(τ.chance * τ.policy_probability(π) * τ.total(r, mdp.discount) for τ in every_session(mdp))
    assert np.isclose(mdp.p0 @ policy_evaluation(mdp, π, r)[0], J)
    assert np.isclose((occupancy(mdp, π) * r).sum(), J)


@worlds
@seeds
def test_hard_values_are_the_best_over_all_policies(kind, seed):
    """V_0 ≥ every one of 200 random policies, and the greedy policy attains it."""
    rng, mdp, r = make(kind, seed)
    V, _, π = value_iteration(mdp, r)
    assert np.allclose(policy_evaluation(mdp, π, r), V, atol=1e-12)
    shape = (200, mdp.horizon, mdp.n_states)
    for greedy in np.eye(mdp.n_actions)[rng.integers(mdp.n_actions, size=shape)]:
        assert (policy_evaluation(mdp, greedy, r)[0] <= V[0] + 1e-12).all()


def soft_objective(mdp, r, logits):
    """E Σ γ^t (r + entropy) of the policy softmax(logits), from every start, written in torch."""
    P, r = torch.as_tensor(mdp.dense()), torch.as_tensor(r)
    alive = torch.as_tensor(mdp.alive)
    V = torch.zeros(mdp.n_states, dtype=torch.float64)
    for t in reversed(range(mdp.horizon)):
        log_π = torch.log_softmax(logits[t], dim=-1)
        V = alive * (log_π.exp() * (r + mdp.discount * P @ V - log_π)).sum(dim=-1)
    return V


@worlds
@seeds
def test_soft_values_are_the_maximum_of_return_plus_entropy(kind, seed):
    """Value attained, gradient 0 there, and no other policy does better: the maximum, in any dynamics."""
    rng, mdp, r = make(kind, seed)
    V, Q, π = soft_value_iteration(mdp, r)
    logits = torch.tensor(np.log(π), requires_grad=True)
    objective = soft_objective(mdp, r, logits)
    assert np.allclose(objective.detach(), V[0], atol=1e-12)
    objective.sum().backward()
    assert logits.grad.abs().max() < 1e-12
    for scale in (0.1, 1.0, 10.0):
        other = logits.detach() + scale * torch.as_tensor(rng.normal(size=π.shape))
        assert (soft_objective(mdp, r, other).numpy() <= V[0] + 1e-12).all()
    assert (π > 0).all() and np.allclose(π.sum(axis=-1), 1)
    assert (V[:, mdp.terminal] == 0).all()


@worlds
@seeds
def test_gradient_of_the_soft_value_is_the_occupancy(kind, seed):
    """∂ E_p0 V_0 / ∂ r[s,a] = m[s,a]: finite differences (MATH step 4), with discount and with terminals."""
    _, mdp, r = make(kind, seed)
    m = occupancy(mdp, soft_value_iteration(mdp, r)[2])
    value = lambda x: mdp.p0 @ soft_value_iteration(mdp, x.reshape(r.shape))[0][0]
    assert np.allclose(central_difference(value, r.ravel()), m.ravel(), atol=1e-8)


@seeds
@pytest.mark.parametrize("kind", [dict(), dict(terminal=[1]), dict(sparse=True)], ids=str)
def test_endless_world_is_the_limit_of_long_horizons(kind, seed):
    """Truncation error ≤ γ^H ‖V‖ (MATH step 11), for values, visitation and evaluation alike."""
    γ, H = 0.7, 60
    rng, endless, r = make(kind, seed, horizon=None, discount=γ)
    _, long, r_long = make(kind, seed, horizon=H, discount=γ)
    assert np.array_equal(r, r_long)
    for plan in (soft_value_iteration, value_iteration):
        V, Q, π = plan(endless, r)
        V_long, Q_long, _ = plan(long, r)
        assert np.abs(V_long[0] - V).max() <= γ**H * np.abs(V).max() + 1e-9
        assert np.allclose(Q, r + γ * endless.expect(V), atol=1e-8)
    stationary = random_policy(rng, endless)
    γ_t = γ ** np.arange(H)
    assert np.allclose(visitation(endless, stationary), γ_t @ visitation(long, stationary), atol=1e-8)
    assert np.allclose(occupancy(endless, stationary), occupancy(long, stationary), atol=1e-8)
    V = policy_evaluation(endless, stationary, r)
    assert np.allclose(V, policy_evaluation(long, stationary, r)[0], atol=1e-8)
    assert np.isclose(endless.p0 @ V, (occupancy(endless, stationary) * r).sum())


@seeds
def test_potential_shaping_leaves_the_soft_policy_unchanged(seed):
    """r + γ E Φ(s') − Φ(s): endless, and with a horizon where the last potential is 0 (MATH step 7)."""
    rng, mdp, r = make({}, seed, horizon=None, discount=0.8)
    Φ = rng.normal(size=mdp.n_states)
    shaped = r + 0.8 * mdp.expect(Φ) - Φ[:, None]
    V, _, π = soft_value_iteration(mdp, r)
    V_shaped, _, π_shaped = soft_value_iteration(mdp, shaped)
    assert np.allclose(π_shaped, π, atol=1e-8)
    assert np.allclose(V_shaped, V - Φ, atol=1e-8)
    _, short, _ = make({}, seed, horizon=3, discount=0.8)
    assert not np.allclose(soft_value_iteration(short, shaped)[2], soft_value_iteration(short, r)[2], atol=1e-3)


@seeds
def test_a_constant_is_invisible_at_fixed_length_only(seed):
    _, mdp, r = make({}, seed)
    assert np.allclose(soft_value_iteration(mdp, r + 5)[2], soft_value_iteration(mdp, r)[2], atol=1e-12)
    assert np.allclose(soft_value_iteration(mdp, r + 5)[0][0], soft_value_iteration(mdp, r)[0][0] + 5 * mdp.horizon)
    _, ending, r = make(dict(terminal=[1]), seed)
    assert not np.allclose(soft_value_iteration(ending, r + 5)[2], soft_value_iteration(ending, r)[2], atol=1e-2)


@seeds
def test_huge_rewards_neither_overflow_nor_lose_digits(seed):
    _, mdp, r = make({}, seed)
    V, _, π = soft_value_iteration(mdp, r)
    V_huge, _, π_huge = soft_value_iteration(mdp, r + 1e6)
    assert np.allclose(V_huge[0], V[0] + 1e6 * mdp.horizon)
    assert np.allclose(π_huge, π, atol=1e-8)
    cold = soft_value_iteration(mdp, 1e6 * r)[2]
    assert np.isfinite(cold).all() and np.allclose(cold, value_iteration(mdp, r)[2], atol=1e-6)


def policy_jacobian_rank(basis, *mdps):
    """Rank of ∂ log π / ∂ θ for r = basis · θ seen in one world or several, by finite differences."""
    rng = np.random.default_rng(0)

    def log_policies(θ):
        logs = []
        for mdp in mdps:
            r = (basis @ θ).reshape(mdp.n_states, mdp.n_actions)
            logs.append(np.log(soft_value_iteration(mdp, r)[2]).ravel())
        return np.concatenate(logs)

    J = central_difference(log_policies, rng.normal(size=basis.shape[1]), h=1e-4)
    σ = np.linalg.svd(J, compute_uv=False)
    return int((σ > 1e-6 * σ[0]).sum())


def test_identifiability_dimensions():
    """Finite horizon, time-dependent π: r[s,a] loses 1; endless stationary: |S|, but two discounts or two
    dynamics recover all but one; r[s] generically loses 1 (MATH step 8)."""
    S, A = 4, 3
    everything, states = np.eye(S * A), np.repeat(np.eye(S), A, axis=0)
    _, finite, _ = make({}, 0, S=S, A=A, horizon=4)
    _, endless, _ = make({}, 0, S=S, A=A, horizon=None, discount=0.8)
    _, other_discount, _ = make({}, 0, S=S, A=A, horizon=None, discount=0.5)
    _, other_dynamics, _ = make({}, 1, S=S, A=A, horizon=None, discount=0.8)
    assert policy_jacobian_rank(everything, finite) == S * A - 1
    assert policy_jacobian_rank(everything, endless) == S * A - S
    assert policy_jacobian_rank(everything, endless, other_discount) == S * A - 1
    assert policy_jacobian_rank(everything, endless, other_dynamics) == S * A - 1
    assert policy_jacobian_rank(states, endless) == S - 1


@pytest.mark.parametrize("n, lost", [(4, 2), (5, 1), (6, 2)])
def test_an_even_ring_hides_one_reward_more(n, lost):
    """Left or right on a ring: where n is even, a potential of the parity moves nobody (MATH step 8)."""
    P = np.stack([np.roll(np.eye(n), -1, axis=1), np.roll(np.eye(n), 1, axis=1)], axis=1)
    ring = TabularMDP(P, np.full(n, 1 / n), discount=0.8)
    assert policy_jacobian_rank(np.repeat(np.eye(n), 2, axis=0), ring) == n - lost


def test_a_cap_on_iterations_is_an_error():
    _, mdp, r = make({}, 0, horizon=None, discount=0.9)
    with pytest.raises(ConvergenceError, match="after 3 sweeps: still off by up to"):
        planning.fixed_point(mdp, r, planning.soft_backup, max_iterations=3)
    tight = planning.fixed_point(mdp, r, planning.soft_backup, tol=1e-13)[0]
    loose = planning.fixed_point(mdp, r, planning.soft_backup, tol=1e-3)[0]
    assert 0 < np.abs(loose - tight).max() <= 1e-3 * np.abs(tight).max() + 1e-3


def test_bad_policies_are_refused_by_name():
    rng, mdp, r = make({}, 0)
    good = random_policy(rng, mdp)
    for spoiled, message in [
        (good[:-1], r"shape \(3, 4, 3\), or \(4, 3\) at all times; got \(2, 4, 3\)"),
        (good * 1.1, "sum to 1"),
        (np.where(good == good.max(), np.nan, good), "sum to 1"),
        (good - 0.5, "≥ 0"),
    ]:
        for use in (visitation, occupancy, lambda m, π: policy_evaluation(m, π, r)):
            with pytest.raises(ValueError, match=message):
                use(mdp, spoiled)
    stationary = rng.dirichlet(np.ones(3), size=4)
    assert np.array_equal(visitation(mdp, stationary), visitation(mdp, np.stack([stationary] * 3)))
