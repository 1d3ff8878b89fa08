import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.optimize import minimize
from worlds import ENDLESS, KINDS, central_difference, every_session, random_mdp, random_policy

from course_utils.irl import (
    deep_maxent_irl,
    feature_expectations,
    maxent_dual,
    maxent_irl,
)
from course_utils.mdp import TabularMDP
from course_utils.planning import ConvergenceError, occupancy, policy_evaluation, soft_value_iteration

seeds = pytest.mark.parametrize("seed", range(4))
worlds = pytest.mark.parametrize("kind", [*KINDS, *ENDLESS], ids=str)


def make(kind, seed, K=3, **more):
    rng = np.random.default_rng(seed)
    mdp = random_mdp(rng, **{**kind, **more})
    features = rng.normal(size=(mdp.n_states, mdp.n_actions, K))
    return rng, mdp, features, rng.normal(size=K)


def exact_features(mdp, features, θ):
    """What a perfect expert with reward f·θ shows on infinitely many sessions."""
    return feature_expectations(mdp, features, occupancy(mdp, soft_value_iteration(mdp, features @ θ)[2]))


@worlds
@seeds
def test_gradient_of_the_dual_is_its_derivative(kind, seed):
    """Finite differences; with discount and terminals, so discount-while-training and H-against-H+1 fail here."""
    rng, mdp, features, θ = make(kind, seed)
    expert = rng.normal(size=3)
    for l2 in (0.0, 0.3):
        _, gradient = maxent_dual(mdp, features, expert, θ, l2)
        difference = central_difference(lambda x, l2=l2: maxent_dual(mdp, features, expert, x, l2)[0], θ)
        assert np.allclose(gradient, difference, atol=1e-8)


@seeds
def test_occupancy_counts_as_many_steps_as_the_partition(seed):
    """A peer's defect: visits summed over H+1 states while log Z sums H rewards.  With the feature 1 everywhere,
    ∂ log Z/∂θ is the number of rewards in a session: exactly H."""
    _, mdp, _, _ = make({}, seed)
    one = np.ones((mdp.n_states, mdp.n_actions, 1))
    _, gradient = maxent_dual(mdp, one, np.zeros(1), np.array([0.4]))
    assert np.isclose(gradient[0], mdp.horizon, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_discount_is_used_while_training_and_in_the_policy_returned(seed):
    """A peer's defect: undiscounted training.  Here the policy returned has the expert's *discounted* features."""
    _, mdp, features, θ = make({}, seed, discount=0.6, horizon=5)
    expert = exact_features(mdp, features, θ)
    fit = maxent_irl(mdp, features, expert, tol=1e-7)
    assert fit.gap <= 1e-7
    γ_t = mdp.discount ** np.arange(5)
    shown = np.zeros(3)
    for k in range(3):  # by evaluation of the returned policy, feature by feature
        shown[k] = mdp.p0 @ policy_evaluation(mdp, fit.π, features[:, :, k])[0]
    assert np.allclose(shown, expert, atol=1e-6)
    undiscounted = TabularMDP(mdp.dense(), mdp.p0, 5)
    wrong = feature_expectations(undiscounted, features, occupancy(undiscounted, fit.π))
    assert np.abs(wrong - expert).max() > 1e-2 and γ_t[-1] < 1


@worlds
@seeds
def test_a_perfect_expert_is_recovered(kind, seed):
    """Features generic, K small: θ is identified, and found."""
    _, mdp, features, θ = make(kind, seed)
    fit = maxent_irl(mdp, features, exact_features(mdp, features, θ), tol=1e-7)
    assert fit.gap <= 1e-7
    assert np.allclose(fit.θ, θ, atol=1e-5)
    assert np.allclose(fit.reward, features @ θ, atol=1e-5)
    assert np.allclose(fit.π, soft_value_iteration(mdp, features @ θ)[2], atol=1e-5)


@seeds
def test_sparse_features_are_the_same_features(seed):
    rng, mdp, features, θ = make({}, seed)
    stacked = sp.csr_array(features.reshape(-1, 3))
    expert = exact_features(mdp, features, θ)
    assert np.allclose(maxent_irl(mdp, stacked, expert).θ, maxent_irl(mdp, features, expert).θ, atol=1e-10)
    m = rng.random((mdp.n_states, mdp.n_actions))
    expected = np.einsum("sa,sak->k", m, features)
    assert np.allclose(feature_expectations(mdp, stacked, m), expected)
    assert np.allclose(feature_expectations(mdp, features, m), expected)


@seeds
@pytest.mark.parametrize("kind", [dict(), dict(deterministic=True)], ids=str)
def test_hessian_is_the_expected_variance_of_the_advantage_gradient(kind, seed):
    """∇²E V_0 = E Σ_t Var_a[∇Q_t] ⪰ 0; equal to Cov(f(τ)) only where the world is deterministic (MATH step 5)."""
    _, mdp, features, θ = make(kind, seed)
    mdp.p0[:] = np.eye(mdp.n_states)[0]  # one start, so that Cov(f) has no share of p0's
    _, _, π = soft_value_iteration(mdp, features @ θ)
    hessian = central_difference(lambda x: maxent_dual(mdp, features, np.zeros(3), x)[1], θ)

    sessions = [(τ, τ.chance * τ.policy_probability(π)) for τ in every_session(mdp)]
    totals = np.array([τ.total(features) for τ, _ in sessions])
    p = np.array([p for _, p in sessions])
    mean = p @ totals
    covariance = (totals - mean).T @ ((totals - mean) * p[:, None])

    # ∇Q_t[s,a] is the expected sum of features from (t, s, a) on, under π.
    G = np.zeros((mdp.n_states, 3))
    d, expected_variance = np.zeros((mdp.horizon, mdp.n_states)), np.zeros((3, 3))
    for τ, p_τ in sessions:
        for t, (s, _) in τ.steps():
            d[t, s] += p_τ
    for t in reversed(range(mdp.horizon)):
        gradient_Q = features + np.einsum("sax,xk->sak", mdp.dense(), G)
        G = np.einsum("sa,sak->sk", π[t], gradient_Q)
        centred = gradient_Q - G[:, None]
        expected_variance += np.einsum("s,sa,sak,sal->kl", d[t], π[t], centred, centred)

    assert np.allclose(hessian, expected_variance, atol=1e-7)
    assert np.linalg.eigvalsh(hessian).min() > 0
    assert np.allclose(hessian, covariance, atol=1e-6) == ("deterministic" in kind)


@pytest.mark.parametrize("seed", range(3))
def test_the_dual_solves_the_primal(seed):
    """max causal entropy s.t. expected features = f̂, by a generic constrained optimiser (MATH step 6)."""
    rng, mdp, features, _ = make({}, seed, K=2, S=3, A=2, horizon=2)
    expert = feature_expectations(mdp, features, occupancy(mdp, random_policy(rng, mdp)))
    fit = maxent_irl(mdp, features, expert, tol=1e-7)
    P, f = torch.as_tensor(mdp.dense()), torch.as_tensor(features)

    def entropy_and_features(logits):
        log_π = torch.log_softmax(logits.reshape(2, 3, 2), dim=-1)
        d, H_c, seen = torch.as_tensor(mdp.p0), 0.0, 0.0
        for t in range(2):
            m = d[:, None] * log_π[t].exp()
            H_c, seen = H_c - (m * log_π[t]).sum(), seen + torch.einsum("sa,sak->k", m, f)
            d = torch.einsum("sa,sax->x", m, P)
        return H_c, seen

    def value_and_gradient(x):
        x = torch.tensor(x, requires_grad=True)
        H_c = entropy_and_features(x)[0]
        H_c.backward()
        return -H_c.item(), -x.grad.numpy()

    def jacobian(x):
        return torch.autograd.functional.jacobian(lambda y: entropy_and_features(y)[1], torch.tensor(x)).numpy()

    constraint = {
        "type": "eq",
        "fun": lambda x: entropy_and_features(torch.tensor(x))[1].numpy() - expert,
        "jac": jacobian,
    }
    primal = minimize(
        value_and_gradient, np.zeros(12), jac=True, constraints=constraint, options={"ftol": 1e-14, "maxiter": 500}
    )
    assert primal.success
    assert np.isclose(-primal.fun, fit.objective, atol=1e-8)  # strong duality
    π = torch.softmax(torch.tensor(primal.x).reshape(2, 3, 2), dim=-1).numpy()
    assert np.allclose(π, fit.π, atol=1e-4)


@seeds
def test_a_deterministic_expert_needs_l2(seed):
    """‖θ‖ runs away, which is an error that says so; with λ the optimum satisfies f̂ − E f = λ θ (MATH step 9)."""
    _, mdp, _, _ = make(dict(deterministic=True), seed, S=4, A=3)
    features = np.eye(12).reshape(4, 3, 12)
    always_first = np.tile(np.eye(3)[0], (3, 4, 1))
    expert = feature_expectations(mdp, features, occupancy(mdp, always_first))
    with pytest.raises(ConvergenceError, match="feature gap is .* above tol = 1e-08.* give l2 > 0"):
        maxent_irl(mdp, features, expert, tol=1e-8, max_evaluations=8)
    lengths = []
    for λ in (0.1, 0.01, 0.001):
        fit = maxent_irl(mdp, features, expert, l2=λ, tol=1e-6)
        shown = feature_expectations(mdp, features, occupancy(mdp, fit.π))
        assert np.allclose(expert - shown, λ * fit.θ, atol=1e-6)
        lengths.append(np.linalg.norm(fit.θ))
    assert lengths[0] < lengths[1] < lengths[2]


@pytest.mark.parametrize("far", [50.0, 1e3, 1e6])
def test_features_that_no_policy_has_are_an_error_that_says_so(far):
    _, mdp, features, _ = make({}, 0)
    with pytest.raises(ConvergenceError, match="no policy has these features: give l2 > 0"):
        maxent_irl(mdp, features, np.array([far, -far, 0.0]))


@seeds
def test_gradient_descent_with_step_1_over_L_is_monotone(seed):
    """L ≤ (H max‖f‖)² bounds the curvature (MATH step 10)."""
    rng, mdp, features, θ = make({}, seed)
    expert = exact_features(mdp, features, θ)
    L = (mdp.horizon * np.linalg.norm(features, axis=2).max()) ** 2
    θ, objectives = rng.normal(size=3), []
    for _ in range(50):
        objective, gradient = maxent_dual(mdp, features, expert, θ)
        objectives.append(objective)
        θ = θ - gradient / L
    assert (np.diff(objectives) <= 1e-12).all() and objectives[-1] < objectives[0] - 1e-6


@seeds
def test_discounted_feature_gap_is_the_gradient_of_the_discounted_log_likelihood(seed):
    """∇ E_expert Σ γ^t log π_θ(a_t|s_t) = discounted feature gap (MATH step 12), by enumeration."""
    _, mdp, features, θ = make({}, seed, discount=0.7)
    expert_π = soft_value_iteration(mdp, features @ np.array([1.0, -1.0, 0.5]))[2]
    expert = feature_expectations(mdp, features, occupancy(mdp, expert_π))
    sessions = [(τ, τ.chance * τ.policy_probability(expert_π)) for τ in every_session(mdp)]

    def log_likelihood(x):
        log_π = np.log(soft_value_iteration(mdp, features @ x)[2])
        return sum(p * mdp.discount**t * log_π[t, s, a] for τ, p in sessions for t, (s, a) in τ.steps())

    _, gradient = maxent_dual(mdp, features, expert, θ)
    assert np.allclose(central_difference(log_likelihood, θ), -gradient, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_an_l1_penalty_is_a_box_on_the_features(seed):
    """min L(θ) + ε‖θ‖₁ leaves every feature within ε of the expert's (MATH §2, last line), with θ = p − q ≥ 0."""
    _, mdp, features, θ = make({}, seed)
    expert, ε = exact_features(mdp, features, θ), 0.2

    def penalised(x):
        value, gradient = maxent_dual(mdp, features, expert, x[:3] - x[3:])
        return value + ε * x.sum(), np.concatenate([gradient, -gradient]) + ε

    x = minimize(penalised, np.zeros(6), jac=True, method="L-BFGS-B", bounds=[(0, None)] * 6, tol=1e-14).x
    gap = maxent_dual(mdp, features, expert, x[:3] - x[3:])[1]
    assert np.abs(gap).max() <= ε + 1e-5
    assert np.allclose(np.abs(gap)[np.abs(x[:3] - x[3:]) > 1e-6], ε, atol=1e-5)


@pytest.mark.parametrize("kind", [dict(), dict(terminal=[1], discount=0.8), dict(horizon=None, discount=0.7)], ids=str)
def test_neural_gradient_is_the_chain_rule_of_the_dual(kind):
    """One step of SGD-sized Adam is hard to read, so compare ∂L/∂w by finite differences of E V_0 − Σ m_E r."""
    rng, mdp, _, _ = make(kind, 0)
    expert = occupancy(mdp, random_policy(rng, mdp))
    inputs = torch.as_tensor(rng.normal(size=(mdp.n_states * mdp.n_actions, 2)))
    weights = rng.normal(size=2)

    class Bend(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.as_tensor(weights))

        def forward(self, x):
            return torch.tanh(x @ self.w)

    def loss(w):
        r = np.tanh(inputs.numpy() @ w).reshape(mdp.n_states, mdp.n_actions)
        V = soft_value_iteration(mdp, r)[0]
        return mdp.p0 @ (V if mdp.horizon is None else V[0]) - (expert * r).sum()

    net = Bend()
    deep_maxent_irl(mdp, net, inputs, expert, steps=1, learning_rate=0.0)
    assert np.allclose(net.w.grad.numpy(), central_difference(loss, weights), atol=1e-7)


def test_a_neural_reward_reaches_the_experts_occupancy():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng, mdp, features, θ = make({}, 0, S=6, A=3, horizon=5)
    expert = occupancy(mdp, soft_value_iteration(mdp, features @ θ)[2])
    net = torch.nn.Sequential(torch.nn.Linear(3, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    inputs = torch.as_tensor(features.reshape(-1, 3), dtype=torch.float32)
    reward, π, gaps = deep_maxent_irl(mdp, net, inputs, expert, steps=400, learning_rate=1e-2)
    assert gaps[-1] < 0.02 < 0.1 < gaps[0]
    assert np.abs(occupancy(mdp, π) - expert).max() < 0.02
    assert np.allclose(π, soft_value_iteration(mdp, reward)[2])


def test_bad_input_is_refused_by_name():
    _, mdp, features, θ = make({}, 0)
    expert = exact_features(mdp, features, θ)
    for call, message in [
        (lambda: maxent_irl(mdp, features[:-1], expert), r"f\[s,a,k\] of shape \(4, 3, K\), got \(3, 3, 3\)"),
        (lambda: maxent_irl(mdp, sp.csr_array((11, 3)), expert), r"must have S·A = 12 rows, got shape \(11, 3\)"),
        (lambda: maxent_irl(mdp, features, expert[:2]), r"must be 3 finite numbers, got shape \(2,\)"),
        (lambda: maxent_irl(mdp, features, expert * np.nan), "finite"),
        (lambda: maxent_irl(mdp, features, expert, l2=-1), "l2 must be ≥ 0, got -1"),
        (lambda: maxent_irl(mdp, features, expert, l2=np.nan), "l2 must be ≥ 0, got nan"),
        (lambda: maxent_irl(mdp, features * np.nan, expert), "features have entries that are NaN"),
        (lambda: feature_expectations(mdp, features, np.ones(4)), r"occupancy has shape \(4, 3\), got \(4,\)"),
        (lambda: deep_maxent_irl(mdp, None, None, np.ones(4)), r"expert_occupancy must have shape \(4, 3\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
