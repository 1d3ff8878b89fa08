"""Hidden tests of assignment a2: CASES maps a question id to a function of a generator that returns a list of Case.

They follow the same definitions as the public checks, on other sizes and kinds of instances: more sessions, a single
state, a single action, a single step, impossible moves, huge rewards, integers and single precision. Gradients come
from automatic differentiation of the objectives, the estimate of log Z from its definition in 60 digits.
"""
import numpy as np
import torch

from course_utils.checks import Case
from course_utils.checks.a2.joint import sample
from course_utils.checks.a2.q1 import sessions
from course_utils.checks.a2.q2 import estimate
from course_utils.checks.common import gaps


def double(*arrays):
    return [torch.tensor(np.asarray(x, dtype=float)) for x in arrays]


# q1: a softmax policy of features, differentiated by torch

def q1_case(rng, φ, f, ref, P, r, horizon, α, note="", as_type=lambda x: x):
    """The policy π(a|s) ∝ e^{φ·f(s,a)}; sessions in a random order."""
    states, actions = sessions(*ref.shape, horizon)
    order = rng.permutation(len(states))
    s, a, there = states[order, :-1], actions[order], states[order, 1:]
    z, features, ref_, P_, r_ = double(φ, f, ref, P, r)
    z.requires_grad_()
    log_π = torch.log_softmax(features @ z, dim=1)
    possible = (P[s, a, there] > 0).all(1)
    log_P = torch.log(P_[s, a, there][possible]).sum(1)
    log_p = log_P + log_π[s, a][possible].sum(1)
    log_target = log_P + (torch.log(ref_[s, a]) + r_[s, a] / α)[possible].sum(1)
    (log_p.exp() * (log_p - torch.log_softmax(log_target, 0))).sum().backward()
    π = torch.exp(log_π).detach().numpy()
    score = f - (π[..., None] * f).sum(1, keepdims=True)
    args = dict(policy=π[s, a], ref=ref[s, a], moves=P[s, a, there], rewards=r[s, a], score=score[s, a])
    return Case({k: as_type(x) for k, x in args.items()} | {"α": α}, z.grad.numpy(), note)


def q1(rng):
    def world(S, A, K, scale=2.0):
        return [rng.normal(size=K), rng.normal(size=(S, A, K)), 0.9 * rng.dirichlet(np.ones(A), size=S) + 0.1 / A,
                rng.dirichlet(np.ones(S), size=(S, A)), scale * rng.normal(size=(S, A))]

    def case(S, A, K, horizon, α, note="", scale=2.0):
        return q1_case(rng, *world(S, A, K, scale), horizon, α, note)

    φ, f, ref, P, r = world(2, 3, 4)
    certain = np.eye(2)[rng.integers(2, size=(2, 3))]
    cases = [case(1, 2, 1, 1, 0.7, "one state, one step"), case(1, 3, 2, 4, 1.5, "one state"),
             case(3, 1, 2, 3, 0.5, "one action: nothing to learn"), case(4, 3, 3, 1, 2.0, "horizon 1"),
             case(2, 2, 1, 3, 0.6, "one parameter"), case(3, 2, 7, 3, 0.8), case(2, 2, 5, 5, 3.0),
             case(2, 3, 3, 3, 0.3, "a cold target", 1.0), case(2, 3, 3, 3, 50.0, "a hot target", 20.0),
             q1_case(rng, φ, f, ref, P, 0 * r, 3, 0.5, "no reward"),
             q1_case(rng, φ, f, ref, certain, r, 3, 0.5, "deterministic"),
             q1_case(rng, φ, f, ref, gaps(rng, P), r, 3, 0.5, "impossible moves"),
             q1_case(rng, 0 * φ, f, np.full((2, 3), 1 / 3), P, r, 3, 0.5, "policy and reference are uniform")]
    cases += [q1_case(rng, φ, f, ref, P, r + shift, 3, 0.5, "huge rewards") for shift in (700.0, -700.0)]
    cases.append(q1_case(rng, φ, f, ref, P, r, 3, 0.5, "single precision", lambda x: x.astype(np.float32)))
    cases.append(q1_case(rng, φ, f, ref, P, np.round(2 * r).astype(int), 3, np.int64(2), "integers"))
    return cases


# q2

def q2_case(R, log_q, counts, share, note=""):
    args = dict(R=R, log_q=log_q, counts=counts, share=share)
    return Case(args, estimate(**args), note)


def q2(rng):
    def batches(*counts, scale=2.0):
        K, N = len(counts), sum(counts)
        own = np.repeat(np.arange(K), counts) == np.arange(K)[:, None]
        log_q = rng.normal(-6, scale, (K, N)) + 2 * own
        return [scale * rng.normal(size=N), log_q, np.array(counts), 0.9 * rng.dirichlet(np.ones(K)) + 0.1 / K]

    R, log_q, counts, share = batches(4, 1, 6)
    own = np.repeat(np.arange(3), counts) == np.arange(3)[:, None]
    nearly = np.array([1e-6, 1 - 2e-6, 1e-6])
    cases = [q2_case(*batches(1), "one sampler, one session"), q2_case(*batches(5), "one sampler"),
             q2_case(*batches(1, 1), "one session each"), q2_case(*batches(3, 3, 3), "equal batches"),
             q2_case(R, log_q, counts, counts / 11, "shares as the sizes"), q2_case(*batches(7, 2, 1, 5)),
             q2_case(*batches(20, 50, 5, 80, 3, 12)), q2_case(*batches(30, 4, scale=8.0), "large rewards"),
             q2_case(R, log_q, counts, nearly, "a share close to one"),
             q2_case(R, np.where(own, log_q, -np.inf), counts, share, "nobody else draws it: log q = −inf"),
             q2_case(0 * R, log_q, counts, share, "no reward"),
             q2_case(np.linspace(-1500, 1500, 11), log_q, counts, share, "huge differences")]
    cases += [q2_case(R + shift, log_q + more, counts, share, "huge numbers")
              for shift, more in [(2000.0, 0), (-2000.0, 0), (0, -3000.0), (1000.0, -3000.0), (0, 900.0)]]
    cases.append(q2_case(*(x.astype(np.float32) for x in (R, log_q)), counts.astype(np.int32),
                         share.astype(np.float32), "single precision"))
    cases.append(q2_case(np.round(R).astype(int), np.round(log_q).astype(int), counts, share, "integers"))
    return cases


# q3: the two objectives, differentiated by torch

def descend(demos, batches, log_q, θ, φ, η_θ, η_φ):
    demos, batches, log_q, θ, φ = double(demos, batches, log_q, θ, φ)
    for counts, lq in zip(batches, log_q, strict=True):
        def log_w(θ, counts=counts, lq=lq):
            return torch.log_softmax((counts * θ).sum((1, 2)) - lq, 0)

        def log_v(φ, counts=counts, lq=lq):
            return torch.log_softmax((counts * torch.log_softmax(φ, 1)).sum((1, 2)) - lq, 0)

        θ.requires_grad_()
        likelihood = (demos * θ).sum((1, 2)).mean() - torch.logsumexp((counts * θ).sum((1, 2)) - lq, 0)
        θ = (θ + float(η_θ) * torch.autograd.grad(likelihood, θ)[0]).detach()
        φ.requires_grad_()
        divergence = (log_v(φ).exp() * (log_v(φ) - log_w(θ))).sum()
        φ = (φ - float(η_φ) * torch.autograd.grad(divergence, φ)[0]).detach()
    return θ.numpy(), φ.numpy()


def q3_case(demos, batches, log_q, θ, φ, η_θ, η_φ, note=""):
    args = dict(demos=demos, batches=batches, log_q=log_q, θ=θ, φ=φ, η_θ=η_θ, η_φ=η_φ)
    return Case(args, descend(**args), note)


def q3(rng):
    def run(S, A, n, B, D, horizon, η_θ=0.3, η_φ=0.2):
        next_state = rng.integers(S, size=(S, A))
        expert, worker = rng.dirichlet(np.ones(A), size=S), 0.8 * rng.dirichlet(np.ones(A), size=S) + 0.2 / A
        demos = sample(rng, next_state, expert, (D,), horizon)
        batches = sample(rng, next_state, worker, (n, B), horizon)
        return [demos, batches, (batches * np.log(worker)).sum((2, 3)), *rng.normal(size=(2, S, A)), η_θ, η_φ]

    def case(*size, note="", **steps):
        return q3_case(*run(*size, **steps), note)

    demos, batches, log_q, θ, φ, *steps = run(3, 3, 3, 6, 4, 5)
    shorter = batches.copy()
    shorter[:, ::2] = shorter[:, ::2].clip(max=1)
    cases = [case(1, 2, 1, 2, 1, 1, note="one state, one action each"), case(1, 3, 3, 4, 2, 3, note="one state"),
             case(3, 1, 2, 3, 2, 3, note="only one action: nothing to learn for the policy"),
             case(3, 2, 3, 1, 1, 4, note="one session a batch"), case(3, 2, 1, 5, 3, 4, note="one step"),
             case(3, 3, 5, 8, 5, 6), case(6, 3, 10, 20, 10, 8, η_θ=0.1, η_φ=0.1), case(8, 4, 4, 60, 30, 10, η_φ=0.05),
             q3_case(demos, batches, log_q, θ, φ, 0.0, 0.3, "only the policy learns"),
             q3_case(demos, batches, log_q, θ, φ, 0.3, 0.0, "only the reward learns"),
             q3_case(demos, batches, log_q, 0 * θ, 0 * φ, *steps, "from nothing"),
             q3_case(demos, shorter, log_q, θ, φ, *steps, "sessions of unequal lengths"),
             q3_case(demos, batches, rng.normal(-300, 300, log_q.shape), θ, φ, *steps, "far-off workers")]
    cases += [q3_case(demos, batches, log_q + more, θ + shift, φ - shift, *steps, "huge numbers")
              for shift, more in [(2000.0, 0), (-2000.0, 0), (0, -3000.0), (0, 3000.0)]]
    cases.append(q3_case(demos, batches, log_q, θ, 900 * φ, *steps, "a policy that is nearly certain"))
    cases.append(q3_case(demos.astype(np.int32), batches.astype(np.int32),
                         *(x.astype(np.float32) for x in (log_q, θ, φ)), *steps, "single precision"))
    cases.append(q3_case(demos, batches, np.round(log_q).astype(int), np.round(2 * θ).astype(int),
                         np.round(2 * φ).astype(int), *steps, "integers"))
    return cases


CASES = {"a2.q1": q1, "a2.q2": q2, "a2.q3": q3}
