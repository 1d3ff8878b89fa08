"""Assignment a3: the contract of every assignment, and its oracles are right."""

import math
from decimal import Decimal, localcontext

import matplotlib
import numpy as np
import pytest
import torch
from assignment_contract import SEEDS, Assignment, Contract
from helpers import code_cells
from torch.nn.functional import logsigmoid

from course_utils.checks import oracles

A3 = Assignment("a3_adversarial")
public, hidden, REFERENCE = A3.public, A3.hidden, A3.reference


class TestA3(Contract):
    assignment = A3
    unfinished = {"a3.q1": 1, "a3.q2": 1, "a3.q3": 1, "a3.q4": 1}
    must_know = {
        "a3.q1": {"q missing", "Z missing", "labels swapped", "batch sizes ignored", "exp overflow", "sign of log Z"},
        "a3.q2": {
            "labels swapped",
            "the other convention",
            "descent of the discriminator",
            "mean over the table",
            "entropy missing",
            "log(1 − D), not log D",
            "occupancies normalised",
            "sigmoid twice",
        },
        "a3.q3": {
            "cut at the state",
            "score function, not pathwise",
            "one step back only",
            "discount missing",
            "sum over trajectories",
            "one cost too many",
            "sign of the gradient",
        },
        "a3.q4": {"γ missing", "h of a terminal state", "time limit taken for an end", "half of the reward"},
    }


# The oracles, against something even simpler


def double(case):
    """The arguments in double precision; None for an instance of single precision."""
    if any(getattr(x, "dtype", None) == np.float32 for x in case.args.values()):
        return None
    return {k: np.asarray(x, dtype=float) for k, x in case.args.items()}


def instances(id, seeds=3):
    """(arguments, expected) of public and hidden instances in double precision."""
    cases = [case for seed in SEEDS[:seeds] for case in (*public(id, seed), *hidden(id, seed))]
    found = [(double(case), case.expected) for case in cases if double(case) is not None]
    assert len(found) > 20
    return found


def decimals(*arrays):
    return [[Decimal(float(x)) for x in np.ravel(array)] for array in arrays]


def test_q1_oracle_in_numbers_of_sixty_digits():
    """D as it is written in (1), and the slope as a difference quotient of (2): nothing overflows in Decimal."""
    for x, (D_expert, D_policy, generator, slope) in instances("a3.q1", 2):
        *batches, log_Z = x.values()
        (R, log_q, R_π, log_q_π), n, m = decimals(*batches), len(batches[0]), len(batches[2])
        if n + m > 60:
            continue
        with localcontext(prec=60):

            def D(R, log_q, log_Z, n=n, m=m):
                p, q = R.exp() / log_Z.exp(), log_q.exp()
                return n * p / (n * p + m * q), m * q / (n * p + m * q)

            def loss(log_Z, batches=(R, log_q, R_π, log_q_π), D=D):
                R, log_q, R_π, log_q_π = batches
                yes = sum(D(a, b, log_Z)[0].ln() for a, b in zip(R, log_q, strict=True))
                return -(yes + sum(D(a, b, log_Z)[1].ln() for a, b in zip(R_π, log_q_π, strict=True))) / len(R + R_π)

            z, step = Decimal(float(log_Z)), Decimal("1e-18")
            quotient = (loss(z + step) - loss(z - step)) / (2 * step)
            policy = [D(a, b, z) for a, b in zip(R_π, log_q_π, strict=True)]
            wanted = [no.ln() - yes.ln() for yes, no in policy]
            assert np.allclose(D_expert, [float(D(a, b, z)[0]) for a, b in zip(R, log_q, strict=True)], atol=1e-12)
        assert np.allclose(D_policy, [float(yes) for yes, _ in policy], atol=1e-12)
        assert np.allclose(generator, [float(y) for y in wanted], rtol=1e-12, atol=1e-12)
        assert slope == pytest.approx(float(quotient), abs=1e-12)


def test_q1_generator_loss_is_a_kl_divergence():
    """Over all trajectories, weighted by q: E_q[log(1 − D) − log D] = KL(q‖p̃) + log N_π/N_E."""
    rng = np.random.default_rng(0)
    R, log_q = rng.normal(size=9), np.log(rng.dirichlet(np.ones(9)))
    log_Z = math.log(np.exp(R).sum())
    for n in (3, 9, 40):
        _, _, generator, _ = REFERENCE["a3.q1"](np.zeros(n), np.zeros(n), R, log_q, log_Z)
        kl = np.exp(log_q) @ (log_q - R + log_Z)
        assert np.exp(log_q) @ generator == pytest.approx(kl + math.log(9 / n), abs=1e-12)


def test_q1_slope_vanishes_at_the_true_log_z():
    """Batches that hold each trajectory in proportion to its density: the true log Z minimises the loss."""
    p, q = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.4, 0.4, 0.1, 0.1])
    expert, policy = (
        np.repeat(np.arange(4), (10 * p).round().astype(int)),
        np.repeat(np.arange(4), (20 * q).astype(int)),
    )
    R = np.log(p) + 1.7
    slopes = [
        REFERENCE["a3.q1"](R[expert], np.log(q)[expert], R[policy], np.log(q)[policy], z)[3] for z in (1.6, 1.7, 1.8)
    ]
    assert slopes[0] < 0 < slopes[2] and abs(slopes[1]) < 1e-12


def gail_by_autograd(w, φ, features, expert, P, p0, γ, λ, η):
    """The visits added up step by step, everything differentiated by torch."""
    w, φ, f, E, P, p0 = (torch.tensor(x) for x in (w, φ, features, expert, P, p0))
    γ, λ, η = float(γ), float(λ), float(η)

    def visits(π):
        now, total, weight = p0, 0.0, 1.0
        while weight > 1e-18:
            total, weight = total + weight * now, weight * γ
            now = torch.einsum("s,sa,sak->k", now, π, P)
        return total[:, None] * π

    w.requires_grad_()
    logit = f @ w
    ρ = visits(torch.softmax(φ, 1))
    (slope,) = torch.autograd.grad((ρ * logsigmoid(logit) + E * logsigmoid(-logit)).sum(), w)
    new = (w + η * slope).detach()
    cost = logsigmoid(f @ new)
    φ.requires_grad_()
    log_π = torch.log_softmax(φ, 1)
    (visits(log_π.exp()) * (cost + λ * log_π)).sum().backward()
    return new, cost, φ.grad


def test_q2_oracle_against_autograd():
    for x, expected in instances("a3.q2", 1):
        if x["γ"] < 0.9:
            for mine, theirs in zip(gail_by_autograd(**x), expected, strict=True):
                assert np.allclose(mine.detach(), theirs, rtol=1e-7, atol=1e-7)


def test_q2_a_discriminator_that_may_be_anything_ends_at_the_ratio():
    """With one feature for each pair the steps climb to D = ρ_π/(ρ_π + ρ_E), where (3) is D_JS − log 4, without −λH."""
    x = double(next(case for case in hidden("a3.q2", 0) if case.note == "one feature for each pair"))
    S, A = x["φ"].shape
    π = np.exp(x["φ"]) / np.exp(x["φ"]).sum(1, keepdims=True)
    ρ = np.linalg.solve(np.eye(S) - x["γ"] * np.einsum("sa,sak->ks", π, x["P"]), x["p0"])[:, None] * π
    w = x["w"]
    for _ in range(3000):
        w, cost, _ = REFERENCE["a3.q2"](**x | {"w": w, "η": 4.0})
    assert np.allclose(np.exp(cost), ρ / (ρ + x["expert"]), atol=1e-4)
    p, q = (1 - x["γ"]) * ρ, (1 - x["γ"]) * x["expert"]
    js = (p * np.log(2 * p / (p + q))).sum() + (q * np.log(2 * q / (p + q))).sum()
    game = (p * cost).sum() + (q * np.log1p(-np.exp(cost))).sum()
    assert game == pytest.approx(js - math.log(4), abs=1e-6)


def mail_by_autograd(K, log_σ, W, B, u, v, s0, ε, γ):
    """One trajectory and one step at a time."""
    K, log_σ, W, B, u, v, s0, ε = (torch.tensor(x) for x in (K, log_σ, W, B, u, v, s0, ε))
    K.requires_grad_()
    log_σ.requires_grad_()
    J = 0.0
    for s, noise in zip(s0, ε, strict=True):
        for t, e in enumerate(noise):
            a = K @ s + torch.exp(log_σ) * e
            J = J + float(γ) ** t * logsigmoid(u @ s + v @ a) / len(s0)
            s = s + torch.tanh(W @ s + B @ a)
    J.backward()
    return J.detach(), K.grad, log_σ.grad


def test_q3_oracle_against_autograd():
    for x, expected in instances("a3.q3", 1):
        for mine, theirs in zip(mail_by_autograd(**x), expected, strict=True):
            assert np.allclose(mine, theirs, rtol=1e-7, atol=1e-9)


def test_q4_oracle_in_numbers_of_sixty_digits():
    """Step by step, D as a quotient of exponentials, as it is written in (6)."""
    for x, (D, reward) in instances("a3.q4", 1):
        (g, h), N, L = decimals(x["g"], x["h"]), *x["log_π"].shape
        if N * L > 200:
            continue
        states, γ = x["states"].astype(int), Decimal(float(x["γ"]))
        right = np.zeros((2, N, L))
        with localcontext(prec=60):
            for i, T in enumerate(x["lengths"].astype(int)):
                for t in range(T):
                    f = g[states[i, t]] - h[states[i, t]]
                    if t < T - 1 or not x["terminated"][i]:
                        f += γ * h[states[i, t + 1]]
                    a, b = f.exp(), Decimal(float(x["log_π"][i, t])).exp()
                    right[:, i, t] = float(a / (a + b)), float((a / (a + b)).ln() - (b / (a + b)).ln())
        assert np.allclose(D, right[0], atol=1e-12) and np.allclose(reward, right[1], rtol=1e-12, atol=1e-12)


def test_the_oracles_parts():
    rng = np.random.default_rng(0)
    x = rng.normal(size=4)
    f = lambda x: np.exp(np.sin(x).sum(-1)) * x[..., 0]
    assert np.allclose(oracles.complex_step(f, x), oracles.derivative(f, x, 1e-3), rtol=1e-9)
    assert np.allclose(oracles.complex_step(lambda x: f(x) + f(oracles.held(x)), x), oracles.complex_step(f, x))
    z = np.array([-800.0, -30.0, -1.0, 0.0, 1.0, 30.0, 800.0])
    assert np.allclose(oracles.log_sigmoid(z), logsigmoid(torch.tensor(z)), rtol=1e-14, atol=1e-15)
    assert np.allclose(oracles.log_sigmoid(z + 1e-30j).imag / 1e-30, torch.sigmoid(-torch.tensor(z)), rtol=1e-12)
    M = 0.95 * rng.dirichlet(np.ones(4), size=(3, 4))
    sums = sum(np.linalg.matrix_power(M, t) for t in range(800))
    assert np.allclose(oracles.all_times(M), sums, rtol=1e-12)
    assert np.allclose(oracles.all_times(2 * M) @ (np.eye(4) - 2 * M), np.eye(4), atol=1e-9)  # no sum, but no error


# What the notebook says of its last cells


def test_the_agent_ends_at_the_expert_and_flees_with_one_sign_turned():
    matplotlib.use("Agg")
    namespace = {}
    for source, _ in code_cells(A3.slug):
        if "check(" not in source and "with unfinished_ok" not in source:
            exec(source, namespace)
    step = namespace["gail_step"]

    def distance():
        _, gaps = namespace["imitate"](steps=300)
        return gaps[0], gaps[-1]

    first, last = distance()
    assert last < 0.1 * first
    namespace["gail_step"] = lambda *x: (*step(*x)[:2], -step(*x)[2])
    assert distance()[1] > 1.2 * first
    namespace["gail_step"] = lambda *x: public_text(step, *x)
    assert distance()[1] > 1.2 * first


def public_text(step, w, φ, features, expert, P, p0, γ, λ, η):
    """The step with ρ_π and the expert's swapped in the discriminator only: w in the other convention, cost log D."""
    π = np.exp(φ) / np.exp(φ).sum(1, keepdims=True)
    ρ = np.linalg.solve(np.eye(len(p0)) - γ * np.einsum("sa,sak->ks", π, P), p0)[:, None] * π
    D = 1 / (1 + np.exp(-features @ w))
    w = w + η * np.einsum("sa,sak->k", expert * (1 - D) - ρ * D, features)
    return w, *step(w, φ, features, expert, P, p0, γ, λ, 0.0)[1:]
