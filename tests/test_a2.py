"""Assignment a2: the contract of every assignment, and its oracles are right."""

import itertools
import math

import numpy as np
import pytest
import torch
from assignment_contract import SEEDS, Assignment, Contract
from worlds import central_difference

from course_utils import guided_cost
from course_utils.checks.a2 import joint, q1, q2
from course_utils.checks.runner import examine

A2 = Assignment("a2_guided_cost")
public, hidden, REFERENCE, HIDDEN = A2.public, A2.hidden, A2.reference, A2.hidden_tests


class TestA2(Contract):
    assignment = A2
    unfinished = {"a2.q1": 1, "a2.q2": 1, "a2.q3": 1}
    must_know = {
        "a2.q1": {
            "entropy forgotten",
            "dynamics in the weight",
            "wrong sign",
            "quotient of logarithms",
            "reference ignored",
            "temperature ignored",
            "later steps forgotten",
        },
        "a2.q2": {
            "own density only",
            "demonstrations not in the mixture",
            "every sample alike",
            "sum, not mean",
            "geometric mean",
            "equal shares",
            "shares taken from the sizes",
            "exp overflow",
            "weights not normalised",
            "effective sample size as a fraction",
        },
        "a2.q3": {
            "the slide's pair",
            "no entropy",
            "no importance weights",
            "wrong sign of θ",
            "old θ in the step of φ",
            "step sizes mixed up",
        },
    }


# q1: the divergence, written out


def divergence(φ, base, ref, P, r, f, horizon, α):
    """KL(p_φ ‖ p*) of equation (2) for π_φ ∝ base·e^{φ·f}, one session after the other."""
    π = base * np.exp(f @ φ)
    π = π / π.sum(1, keepdims=True)
    p, target = [], []
    for path in itertools.product(range(len(P[0])), range(len(P)), repeat=horizon):
        s, chance, goal = 0, 1.0, 1.0
        for a, there in zip(path[::2], path[1::2], strict=True):
            chance *= π[s, a] * P[s, a, there]
            goal *= ref[s, a] * P[s, a, there] * math.exp(r[s, a] / α)
            s = there
        p.append(chance)
        target.append(goal)
    return sum(x * math.log(x / y * sum(target)) for x, y in zip(p, target, strict=True) if x > 0)


def small_world(rng, S=2, A=3, K=3):
    rows = [rng.dirichlet(np.ones(A), S), rng.dirichlet(np.ones(A), S), rng.dirichlet(np.ones(S), (S, A))]
    return *rows, rng.normal(size=(S, A)), rng.normal(size=(S, A, K))


@pytest.mark.parametrize("horizon, α", [(1, 0.4), (2, 2.0), (3, 0.7)])
def test_q1_oracle_is_the_slope_of_the_divergence(horizon, α):
    for seed in SEEDS[:3]:
        world = small_world(np.random.default_rng(seed))
        case = q1.instance(*world, horizon, α)
        slope = central_difference(lambda φ, w=world: divergence(φ, *w, horizon, α), np.zeros(3))
        assert np.allclose(case.expected, slope, atol=1e-8) and np.abs(slope).max() > 1e-2


def test_q1_has_one_answer_whatever_the_constant():
    """E[score] = 0 on every instance, so a constant in the weight changes nothing."""
    for seed in SEEDS:
        for case in public("a2.q1", seed) + hidden("a2.q1", seed % 5):
            x = case.args
            p = np.prod(x["policy"] * x["moves"], axis=1, dtype=float)
            assert p.sum() == pytest.approx(1, abs=1e-5)
            assert np.allclose(p @ x["score"].sum(1, dtype=float), 0, atol=1e-5)


def test_q1_vanishes_at_the_target():
    """One step: π ∝ ref·e^{r/α} is the target. The weight without entropy does not vanish there."""
    base, ref, P, r, f = small_world(np.random.default_rng(0))
    best = ref * np.exp(r / 0.5)
    case = q1.instance(best / best.sum(1, keepdims=True), ref, P, r, f, 1, 0.5)
    assert np.abs(case.expected).max() < 1e-12
    assert np.abs(q1.q1(lambda x: -x.rewards / x.α)(**case.args)).max() > 0.1


def reward_to_go(policy, ref, moves, rewards, score, α):
    """Right too: an action's score times the weights from its own step on, less a number that depends on t only."""
    to_go = np.cumsum((np.log(policy) - np.log(ref) - rewards / α)[:, ::-1], axis=1)[:, ::-1]
    return np.einsum("i,it,itk->k", (policy * moves).prod(1), to_go - to_go.mean(0), score)


def test_q1_accepts_the_reward_to_go():
    for seed in SEEDS[:5]:
        for cases in (public("a2.q1", seed), hidden("a2.q1", seed)):
            card = examine(A2.questions["a2.q1"], reward_to_go, cases)
            assert card.passed, card


# q2: what an estimate of log Z owes to the truth


def three_sessions(rng, K):
    """All sessions of a tiny world, with their rewards and their densities under K samplers."""
    return rng.normal(size=3), rng.dirichlet(np.ones(3), size=K)


def expectation(estimate, R, q, counts, share):
    """E e^(log Ẑ) over everything that the samplers may draw."""
    source, mean = np.repeat(np.arange(len(counts)), counts), 0.0
    for drawn in itertools.product(range(3), repeat=sum(counts)):
        drawn = list(drawn)
        log_Z, *_ = estimate(R[drawn], np.log(q[:, drawn]), np.array(counts), share)
        mean += math.prod(q[source, drawn]) * math.exp(log_Z)
    return mean


@pytest.mark.parametrize("counts", [(1, 2), (2, 1, 1), (3, 1)])
def test_q2_estimate_is_unbiased(counts):
    rng = np.random.default_rng(len(counts))
    R, q = three_sessions(rng, len(counts))
    share = rng.dirichlet(np.ones(len(counts)))
    Z = np.exp(R).sum()
    assert expectation(q2.estimate, R, q, counts, share) == pytest.approx(Z, rel=1e-12)
    assert expectation(REFERENCE["a2.q2"], R, q, counts, share) == pytest.approx(Z, rel=1e-12)
    wrong = {fn.__name__: fn for fn, _ in A2.wrong["a2.q2"]}
    for name in ("plain_mean", "policies_only", "sum_of_batch_means", "mean_of_log_densities"):
        assert abs(expectation(wrong[name], R, q, counts, share) / Z - 1) > 1e-3, name


@pytest.mark.parametrize("seed", range(5))
def test_q2_is_exact_on_batches_without_noise(seed):
    """A batch that holds every session as often as its sampler means to gives Z, and expectations, exactly."""
    rng = np.random.default_rng(seed)
    R, often = rng.normal(size=4), rng.integers(1, 5, size=(3, 4))  # how often a batch holds a session
    counts, share = often.sum(1), rng.dirichlet(np.ones(3))
    drawn = np.concatenate([np.repeat(np.arange(4), n) for n in often])
    log_q = np.log(often / counts[:, None])[:, drawn]
    log_Z, w, ess = q2.estimate(R[drawn], log_q, counts, share)
    p = np.exp(R) / np.exp(R).sum()
    assert log_Z == pytest.approx(math.log(np.exp(R).sum()), abs=1e-12)
    assert np.bincount(drawn, w) == pytest.approx(p, abs=1e-12)
    assert ess == pytest.approx(1 / (w**2).sum()) and 1 <= ess <= len(w)


def test_q2_shifts():
    for case in public("a2.q2", 0):
        log_Z, w, ess = case.expected
        more, same_w, same_ess = q2.estimate(**(case.args | {"R": case.args["R"] + 7}))
        assert more - log_Z == pytest.approx(7, abs=1e-9) and w.sum() == pytest.approx(1)
        assert same_w == pytest.approx(w, abs=1e-12) and same_ess == pytest.approx(ess)


def test_q2_with_the_sizes_as_shares_is_the_package():
    for case in public("a2.q2", 1):
        x = case.args
        R, log_q = (torch.tensor(x[k], dtype=torch.float64) for k in ("R", "log_q"))
        log_μ = guided_cost.fused_log_density(log_q, x["counts"])
        w = guided_cost.importance_weights(R, log_μ)
        log_Z, ours, ess = q2.estimate(**(x | {"share": x["counts"] / x["counts"].sum()}))
        assert log_Z == pytest.approx(guided_cost.log_partition(R, log_μ).item(), abs=1e-9)
        assert ours == pytest.approx(w.numpy(), abs=1e-12)
        assert ess == pytest.approx(guided_cost.effective_sample_size(w).item() * len(R))


# q3: the two objectives


def test_q3_oracle_against_autograd():
    for case in public("a2.q3", 0) + public("a2.q3", 1):
        for ours, theirs in zip(case.expected, HIDDEN.descend(**case.args), strict=True):
            assert np.allclose(ours, theirs, rtol=1e-10, atol=1e-10)


def objectives(θ, φ, demos, counts, log_q):
    """L of equation (6) and KL(v‖w) of equation (7), session by session."""
    π = np.exp(φ) / np.exp(φ).sum(1, keepdims=True)
    w = [math.exp((n * θ).sum() - lq) for n, lq in zip(counts, log_q, strict=True)]
    v = [(π**n).prod() / math.exp(lq) for n, lq in zip(counts, log_q, strict=True)]
    L = np.mean([(n * θ).sum() for n in demos]) - math.log(np.mean(w))
    return L, sum(x / sum(v) * math.log(x / sum(v) / (y / sum(w))) for x, y in zip(v, w, strict=True))


def check_one_step(demos, batches, log_q, θ, φ, η_θ, η_φ, new_θ, new_φ):
    batch = batches[0], log_q[0]
    up = central_difference(lambda x: objectives(x.reshape(θ.shape), φ, demos, *batch)[0], θ.ravel())
    down = central_difference(lambda x: objectives(new_θ, x.reshape(φ.shape), demos, *batch)[1], φ.ravel())
    assert np.allclose((new_θ - θ).ravel(), η_θ * up, atol=1e-8)
    assert np.allclose((new_φ - φ).ravel(), -η_φ * down, atol=1e-8)


def test_q3_oracle_is_one_step_on_each_objective():
    single = [case for seed in SEEDS[:3] for case in public("a2.q3", seed) if len(case.args["batches"]) == 1]
    assert len(single) == 6
    for case in single:
        check_one_step(*case.args.values(), *case.expected)


def test_q3_stays_where_it_should():
    """At a policy that is the model, and at demonstrations that are the model's, nothing moves."""
    rng = np.random.default_rng(0)
    counts = joint.sample(rng, rng.integers(3, size=(3, 2)), np.full((3, 2), 0.5), (6,), 4)
    log_q, φ = rng.normal(size=6), rng.normal(size=(3, 2))
    θ = φ - np.logaddexp.reduce(φ, axis=1)[:, None]
    w = np.exp((counts * θ).sum((1, 2)) - log_q)
    demos = np.tensordot(w / w.sum(), counts, 1)[None]
    for fn in (joint.descend, REFERENCE["a2.q3"]):
        for before, after in zip((θ, φ), fn(demos, counts[None], log_q[None], θ, φ, 1.0, 1.0), strict=True):
            assert np.allclose(before, after, atol=1e-12)


def test_q3_step_of_φ_is_q1_on_a_batch_of_everything():
    """All plans, the same log q for each: KL(v‖w) is then the divergence of question 1."""
    rng = np.random.default_rng(0)
    θ, φ, next_state = *rng.normal(size=(2, 3, 2)), rng.integers(3, size=(3, 2))
    actions = np.indices((2, 2, 2)).reshape(3, -1).T
    states = np.zeros((8, 4), dtype=int)
    for t in range(3):
        states[:, t + 1] = next_state[states[:, t], actions[:, t]]
    taken = np.eye(6)[2 * states[:, :3] + actions].reshape(8, 3, 3, 2)
    π = np.exp(φ) / np.exp(φ).sum(1, keepdims=True)
    score = (taken - taken.sum(3, keepdims=True) * π).reshape(8, 3, 6)
    s, ones = states[:, :3], np.ones((8, 3))
    gradient = REFERENCE["a2.q1"](π[s, actions], ones / 2, ones, θ[s, actions], score, 1.0)
    _, new = joint.descend(taken.sum(1)[:1], taken.sum(1)[None], np.zeros((1, 8)), θ, φ, 0.0, 1.0)
    assert np.allclose((φ - new).ravel(), gradient, atol=1e-12) and np.abs(gradient).max() > 1e-2
