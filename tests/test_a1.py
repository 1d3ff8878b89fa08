"""Assignment a1: the contract of every assignment, and its oracles are right."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
from assignment_contract import SEEDS, Assignment, Contract
from helpers import ROOT
from scipy.optimize import minimize

from course_utils.checks import Case, oracles
from course_utils.checks.calling import call

A1 = Assignment("a1_maxent")
public, hidden, REFERENCE, HIDDEN = A1.public, A1.hidden, A1.reference, A1.hidden_tests


class TestA1(Contract):
    assignment = A1
    unfinished = {"a1.q2": 2}
    must_know = {
        "a1.q1": {"exp overflow", "one step short", "terminal reward forgotten"},
        "a1.q2": {"log E e^V", "stationary policy", "reference ignored", "reference in V but not in π", "hard max"},
        "a1.q3": {"P transposed", "normalised", "stationary", "stop ignored", "uniform start"},
        "a1.q4": {
            "wrong sign",
            "log E e^V",
            "uniform start",
            "one horizon for all",
            "averaged over steps",
            "sum, not mean",
        },
    }


def test_checks_do_not_lean_on_the_package():
    """An oracle that uses course_utils.planning would check the package against itself."""
    for path in (ROOT / "course_utils" / "checks").rglob("*.py"):
        assert not re.search(
            r"course_utils\.(planning|irl|mdp|rollouts|guided_cost|adversarial|ppo)", path.read_text()
        ), path


# The oracles, against something even simpler


def test_q1_oracle_is_the_sum_over_all_sessions():
    for case in public("a1.q1", 3):
        n, r, g, start, horizon = case.args.values()
        terms = []
        for plan in itertools.product(range(r.shape[1]), repeat=horizon):
            s, total = start, 0.0
            for a in plan:
                total, s = total + r[s, a], n[s, a]
            terms.append(total + g[s])
        top = max(terms)
        assert case.expected == pytest.approx(top + math.log(math.fsum(math.exp(x - top) for x in terms)), abs=1e-10)
        if "different in each state" not in case.note:  # there e^(r - max r) is 0 where it matters
            assert HIDDEN.log_Z(**case.args) == pytest.approx(case.expected, abs=1e-9)
            more = HIDDEN.log_Z(**(case.args | {"r": r + 1000}))
            assert more - case.expected == pytest.approx(1000 * horizon, abs=1e-8)


def returns(P, r, ref, π):
    """J of equation (2) from s_0 = s for every s, as a sum over all sessions, for a torch policy π (H, S, A)."""
    H, S, A = π.shape
    J = []
    for start in range(S):
        total = 0
        for path in itertools.product(range(A), range(S), repeat=H):
            probability, gain, s = 1.0, 0.0, start
            for t, (a, there) in enumerate(zip(path[::2], path[1::2], strict=True)):
                probability = probability * π[t, s, a] * P[s, a, there]
                gain = gain + r[s, a] - torch.log(π[t, s, a] / ref[s, a])
                s = there
            total = total + probability * gain
        J.append(total)
    return torch.stack(J)


@pytest.mark.parametrize("seed", range(5))
def test_q2_oracle_is_the_optimum_of_the_primal(seed):
    """A generic optimiser over all time-dependent policies, the objective summed over all sessions."""
    case = public("a1.q2", seed)[1]
    P, r, ref = (torch.tensor(case.args[k]) for k in ("P", "r", "ref"))
    V, π = case.expected
    H, S, A = π.shape

    def loss(x):
        z = torch.tensor(x.reshape(H, S, A), requires_grad=True)
        value = -returns(P, r, ref, torch.softmax(z, -1)).sum()
        value.backward()
        return value.item(), z.grad.numpy().ravel()

    found = minimize(loss, np.zeros(H * S * A), jac=True, method="BFGS", options={"gtol": 1e-9})
    best = torch.softmax(torch.tensor(found.x.reshape(H, S, A)), -1)
    assert np.allclose(returns(P, r, ref, best).numpy(), V[0], atol=1e-9)
    assert np.allclose(best.numpy(), π, atol=1e-5)  # full support, so every (t, s) is pinned down
    assert np.allclose(returns(P, r, ref, torch.tensor(π)).numpy(), V[0], atol=1e-10)
    assert (π > 1e-4).all() and V.shape == (H + 1, S) and not V[H].any()


def test_best_response_against_the_closed_form():
    rng = np.random.default_rng(0)
    for scale in (0.1, 3.0, 50.0, 2000.0):
        q, ref = scale * rng.normal(size=(30, 4)), rng.dirichlet(np.ones(4), size=30)
        ref[::3, 1] = 0
        with np.errstate(divide="ignore"):
            x = q + np.log(ref)
        top = x.max(1, keepdims=True)
        weight = np.exp(x - top)
        V, p = oracles.best_response(q, ref)
        assert np.allclose(V, top[:, 0] + np.log(weight.sum(1)), rtol=1e-12, atol=1e-12)
        assert np.allclose(p, weight / weight.sum(1, keepdims=True), rtol=1e-7, atol=1e-200)


def test_best_response_refuses_what_it_cannot_solve():
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="finite"):
            oracles.best_response(np.array([[0.0, bad]]), np.ones(2))


def test_q3_oracle_is_the_sum_over_all_paths():
    for case in [c for c in public("a1.q3", 2) if c.args["π"].size <= 18]:
        P, p0, π, stop = case.args.values()
        H, S, A = π.shape
        for t, s in np.ndindex(H, S):
            total = 0.0
            for path in itertools.product(*[range(S), range(A)] * t):
                states, actions = (*path[::2], s), path[1::2]
                total += p0[states[0]] * math.prod(
                    π[k, states[k], a] * (1 - stop[states[k]]) * P[states[k], a, states[k + 1]]
                    for k, a in enumerate(actions)
                )
            assert case.expected[t, s] == pytest.approx(total, abs=1e-12)
    for case in public("a1.q3", 2):
        assert np.allclose(HIDDEN.visits(**case.args), case.expected, atol=1e-12)
        assert case.args["stop"].any() or case.expected.sum() == pytest.approx(len(case.args["π"]))


def test_q3_oracle_against_simulation():
    """Five seeds of 20,000 sessions each: every entry within five standard errors of the exact one."""
    P, p0, π, stop = next(c for c in public("a1.q3", 0) if c.args["π"].shape == (4, 3, 3)).args.values()
    exact = HIDDEN.visits(P, p0, π, stop)
    for seed in range(5):
        rng, n = np.random.default_rng(seed), 20_000
        s, going = rng.choice(len(p0), n, p=p0), np.ones(n, dtype=bool)
        for t, now in enumerate(π):
            seen = np.bincount(s[going], minlength=len(p0)) / n
            assert (np.abs(seen - exact[t]) <= 5 * np.sqrt(exact[t] * (1 - exact[t]) / n)).all()
            a = (rng.random((n, 1)) > now[s].cumsum(1)).sum(1)
            going &= rng.random(n) >= stop[s]
            s = (rng.random((n, 1)) > P[s, a].cumsum(1)).sum(1).clip(max=len(p0) - 1)


def autograd_gradient(θ, features, P, p0, states, actions, lengths):
    θ, f, P, p0 = (torch.tensor(np.asarray(x, dtype=float)) for x in (θ, features, P, p0))
    θ.requires_grad_()
    total = 0
    for s, a, h in zip(states, actions, lengths, strict=True):
        V = torch.zeros(len(p0), dtype=torch.float64)
        for _ in range(h):
            V = torch.logsumexp(f @ θ + P @ V, dim=1)
        total = total + (f[s[:h], a[:h]] @ θ).sum() - p0 @ V
    (total / len(lengths)).backward()
    return θ.grad.numpy()


def test_q4_oracle_against_autograd():
    for case in [c for seed in SEEDS[:3] for c in (*public("a1.q4", seed), *hidden("a1.q4", seed))]:
        if not any(getattr(x, "dtype", None) == np.float32 for x in case.args.values()):
            assert np.allclose(case.expected, autograd_gradient(**case.args), rtol=1e-7, atol=1e-8)


def test_q4_gradient_vanishes_at_the_true_reward():
    """Sessions of the model itself, weighted by their probability, leave no gradient: E_θ ∇L(θ) = 0."""
    θ, features, P, p0, *_ = public("a1.q4", 0)[2].args.values()
    S, A = P.shape[:2]
    for h in (1, 3):
        W, policies = oracles.plan(P, features @ θ, np.ones((S, A)), h)
        mean, mass = np.zeros(len(θ)), 0.0
        for path in itertools.product(range(S), range(A), repeat=h):
            s, a = np.array(path[::2]), np.array(path[1::2])
            weight = p0[s[0]] * math.prod(policies[h - t][s[t], a[t]] for t in range(h))
            weight *= math.prod(P[s[t], a[t], s[t + 1]] for t in range(h - 1))
            gradient = REFERENCE["a1.q4"](θ, features, P, p0, s[None], a[None], np.array([h]))
            mean, mass = mean + weight * gradient, mass + weight
        assert mass == pytest.approx(1) and np.abs(mean).max() < 1e-10


def test_a_case_is_never_changed_by_a_call():
    case = Case({"x": np.arange(3.0), "n": 2}, np.zeros(3))

    def spoil(x, n):
        x[:] = 7
        return x

    called = call(spoil, case.args)
    assert called.changed == ("x",) and case.args["x"].tolist() == [0, 1, 2]
