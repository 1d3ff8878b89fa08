"""Wrong answers to assignment a3, each with the name of the mistake that its check must recognise.

WRONG maps a question id to a list of (function, name). They are written as students write them, on their own: nothing
here is shared with the checks, and nothing of the checks is used here.
"""
import numpy as np
import torch
from scipy.special import expit, log_expit, log_softmax, logsumexp, softmax

WRONG = {}


def wrong(question, mistake):
    """Enter a function into WRONG."""
    def enter(fn):
        WRONG.setdefault(question, []).append((fn, mistake))
        return fn
    return enter


# ---------------------------------------------------------------- q1: the discriminator of guided cost learning

def answer(x, y):
    """All four outputs from the logits of the demonstrations and of the samples."""
    slope = ((1 - expit(x)).sum() - expit(y).sum()) / (len(x) + len(y))
    return expit(x), expit(y), -y, slope


def logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    shift = np.log(len(R_expert)) - np.log(len(R_policy))
    return R_expert - log_Z - log_q_expert + shift, R_policy - log_Z - log_q_policy + shift


@wrong("a3.q1", "exp overflow")
def densities(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    n, m = len(R_expert), len(R_policy)

    def D(R, log_q):
        p = np.exp(R) / np.exp(log_Z)
        return n * p / (n * p + m * np.exp(log_q))
    D_E, D_π = D(R_expert, log_q_expert), D(R_policy, log_q_policy)
    return D_E, D_π, np.log(1 - D_π) - np.log(D_π), ((1 - D_E).sum() - D_π.sum()) / (n + m)


@wrong("a3.q1", "exp overflow")
def logs_of_probabilities(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    D_E, D_π = expit(x), expit(y)
    return D_E, D_π, np.log(1 - D_π) - np.log(D_π), (len(x) - D_E.sum() - D_π.sum()) / (len(x) + len(y))


@wrong("a3.q1", "exp overflow")
def clipped_logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    return answer(np.clip(x, -50, 50), np.clip(y, -50, 50))


@wrong("a3.q1", "exp overflow")
def own_sigmoid(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    sigmoid = lambda x: np.exp(x) / (1 + np.exp(x))
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    slope = (sum(1 - sigmoid(x)) - sum(sigmoid(y))) / (len(x) + len(y))
    return sigmoid(x), sigmoid(y), -y, slope


@wrong("a3.q1", "batch sizes ignored")
def equal_batches(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    return answer(R_expert - log_Z - log_q_expert, R_policy - log_Z - log_q_policy)


@wrong("a3.q1", "batch sizes ignored")
def as_in_the_lecture(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    D_E, D_π = expit(R_expert - log_Z - log_q_expert), expit(R_policy - log_Z - log_q_policy)
    return D_E, D_π, log_q_policy + log_Z - R_policy, (1 - D_E).mean() - D_π.mean()


@wrong("a3.q1", "batch sizes the wrong way round")
def sizes_swapped(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    shift = 2 * np.log(len(y) / len(x))
    return answer(x + shift, y + shift)


@wrong("a3.q1", "q missing")
def reward_as_logit(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    return answer(*logits(R_expert, 0 * log_q_expert, R_policy, 0 * log_q_policy, log_Z))


@wrong("a3.q1", "q multiplied")
def plus_log_q(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    return answer(*logits(R_expert, -log_q_expert, R_policy, -log_q_policy, log_Z))


@wrong("a3.q1", "Z missing")
def no_log_z(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    return answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, 0))


@wrong("a3.q1", "sign of log Z")
def plus_log_z(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    return answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, -log_Z))


@wrong("a3.q1", "sign of log Z")
def plus_log_z_and_its_slope(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    D_E, D_π, loss, slope = answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, -log_Z))
    return D_E, D_π, loss, -slope


@wrong("a3.q1", "normalised over the batch")
def softmax_of_all(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    log_Z = logsumexp(np.concatenate([R_expert, R_policy]))
    return answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z))


@wrong("a3.q1", "normalised over the batch")
def partition_of_the_samples(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    return answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, logsumexp(R_policy)))


@wrong("a3.q1", "labels swapped")
def policy_is_one(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    D_E, D_π = expit(-x), expit(-y)
    slope = (D_E.sum() - (1 - D_π).sum()) / (len(x) + len(y))
    return D_E, D_π, -y, slope


@wrong("a3.q1", "labels swapped")
def q_over_sum(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    """D = N_π q / (…), and then everything by the book."""
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    return answer(-x, -y)


@wrong("a3.q1", "logit, not D")
def raw_logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    return x, y, *answer(x, y)[2:]


@wrong("a3.q1", "log D, not D")
def log_probabilities(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    return log_expit(x), log_expit(y), *answer(x, y)[2:]


@wrong("a3.q1", "sign of the generator's loss")
def generator_as_reward(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    D_E, D_π, loss, slope = answer(x, y)
    return D_E, D_π, log_expit(y) - log_expit(-y), slope


@wrong("a3.q1", "half of the generator's loss")
def minus_log_d(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    D_E, D_π, _, slope = answer(x, y)
    return D_E, D_π, -log_expit(y), slope


@wrong("a3.q1", "half of the generator's loss")
def log_one_minus_d(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    D_E, D_π, _, slope = answer(x, y)
    return D_E, D_π, log_expit(-y), slope


@wrong("a3.q1", "generator's loss averaged")
def generator_mean(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    D_E, D_π, loss, slope = answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z))
    return D_E, D_π, loss.mean(), slope


@wrong("a3.q1", "generator's loss of the demonstrations")
def generator_of_experts(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    return expit(x), expit(y), -x, answer(x, y)[3]


@wrong("a3.q1", "sign of the slope")
def slope_down(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    D_E, D_π, loss, slope = answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z))
    return D_E, D_π, loss, -slope


@wrong("a3.q1", "sum, not mean")
def slope_summed(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    return *answer(x, y)[:3], expit(-x).sum() - expit(y).sum()


@wrong("a3.q1", "a mean for each batch")
def two_means(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    return *answer(x, y)[:3], expit(-x).mean() - expit(y).mean()


@wrong("a3.q1", "a mean for each batch")
def two_means_by_autograd(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    z = torch.tensor(float(log_Z), dtype=torch.float64, requires_grad=True)
    shift = np.log(len(R_expert) / len(R_policy))
    x, y = (torch.tensor(R - q + shift) - z for R, q in ((R_expert, log_q_expert), (R_policy, log_q_policy)))
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    (0.5 * (bce(x, torch.ones_like(x)) + bce(y, torch.zeros_like(y)))).backward()
    return torch.sigmoid(x), torch.sigmoid(y), -y, z.grad


@wrong("a3.q1", "half of the slope")
def slope_of_the_experts(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    return *answer(x, y)[:3], (1 - expit(x)).mean()


@wrong("a3.q1", "half of the slope")
def slope_of_the_samples(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    return *answer(x, y)[:3], -expit(y).sum() / (len(x) + len(y))


@wrong("a3.q1", "log forgotten in the slope")
def derivative_of_sigmoid(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    D_E, D_π, loss, _ = answer(x, y)
    slope = ((D_E * (1 - D_E)).sum() - (D_π * (1 - D_π)).sum()) / (len(x) + len(y))
    return D_E, D_π, loss, slope


@wrong("a3.q1", "slope with respect to Z")
def slope_by_z(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    D_E, D_π, loss, slope = answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z))
    return D_E, D_π, loss, slope / np.exp(log_Z)


@wrong("a3.q1", "the loss, not its slope")
def returns_the_loss(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    return *answer(x, y)[:3], -(log_expit(x).sum() + log_expit(-y).sum()) / (len(x) + len(y))


@wrong("a3.q1", "whole numbers")
def filled_like_the_rewards(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    D_E, D_π, loss = np.zeros_like(R_expert), np.zeros_like(R_policy), np.zeros_like(R_policy)
    D_E[:], D_π[:], loss[:] = expit(x), expit(y), -y
    return D_E, D_π, loss, answer(x, y)[3]


@wrong("a3.q1", "almost right")
def on_the_safe_side(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    D_E, D_π, loss, slope = answer(x, y)
    h = 1e-4
    L = lambda x, y: -(log_expit(x).sum() + log_expit(-y).sum()) / (len(x) + len(y))
    return np.clip(D_E, 1e-5, 1 - 1e-5), np.clip(D_π, 1e-5, 1 - 1e-5), loss, (L(x - h, y - h) - L(x, y)) / h


@wrong("a3.q1", "inputs changed")
def subtracts_in_place(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    R_expert -= log_q_expert
    R_policy -= log_q_policy
    return answer(*logits(R_expert, 0, R_policy, 0, log_Z))


@wrong("a3.q1", "outputs in another order")
def policy_first(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    D_E, D_π, loss, slope = answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z))
    return D_π, D_E, loss, slope


@wrong("a3.q1", "one batch size only")
def prior_of_the_experts_only(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    x, y = logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z)
    n, m = len(x), len(y)
    return answer(x + np.log(m / (n + m)), y + np.log(m / (n + m)))


@wrong("a3.q1", "sizes without their logarithm")
def sizes_as_summands(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    ratio = len(R_expert) / len(R_policy)
    return answer(R_expert - log_Z - log_q_expert + ratio, R_policy - log_Z - log_q_policy + ratio)


@wrong("a3.q1", "Z taken for log Z")
def exponential_of_log_z(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    return answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, np.exp(log_Z)))


@wrong("a3.q1", "generator's loss incomplete")
def generator_of_the_lecture(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    D_E, D_π, _, slope = answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z))
    return D_E, D_π, log_q_policy + log_Z - R_policy, slope


@wrong("a3.q1", "D and the generator's loss swapped")
def generator_before_d(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    D_E, D_π, loss, slope = answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z))
    return D_E, loss, D_π, slope


@wrong("a3.q1", "sign of the slope")
def both_pull_alike(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    D_E, D_π, loss, _ = answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z))
    return D_E, D_π, loss, ((1 - D_E).sum() + D_π.sum()) / (len(D_E) + len(D_π))


@wrong("a3.q1", "σ and 1 − σ swapped")
def derivatives_of_the_logs_swapped(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    D_E, D_π, loss, _ = answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z))
    return D_E, D_π, loss, (D_E.sum() - (1 - D_π).sum()) / (len(D_E) + len(D_π))


@wrong("a3.q1", "sum, not mean")
def divided_by_the_demonstrations(R_expert, log_q_expert, R_policy, log_q_policy, log_Z):
    D_E, D_π, loss, _ = answer(*logits(R_expert, log_q_expert, R_policy, log_q_policy, log_Z))
    return D_E, D_π, loss, ((1 - D_E).sum() - D_π.sum()) / len(D_E)


# ---------------------------------------------------------------- q2: one step of GAIL

def visits(π, P, p0, γ):
    """Discounted visits to states."""
    return np.linalg.solve(np.eye(len(p0)) - γ * np.einsum("sa,sak->ks", π, P), p0)


def discriminator_step(w, features, ρ, expert, η):
    D = expit(features @ w)
    return w + η * ((ρ * (1 - D) - expert * D)[:, :, None] * features).sum(axis=(0, 1))


def evaluate(π, pays, P, γ):
    """Q and V of what is paid at each step."""
    V = np.linalg.solve(np.eye(len(P)) - γ * np.einsum("sa,sak->sk", π, P), (π * pays).sum(axis=1))
    return pays + γ * P @ V, V[:, None]


def policy_gradient(φ, cost, P, p0, γ, λ):
    log_π = log_softmax(φ, axis=1)
    π = np.exp(log_π)
    Q, V = evaluate(π, cost + λ * log_π, P, γ)
    return visits(π, P, p0, γ)[:, None] * π * (Q - V)


def occupancy(φ, P, p0, γ):
    π = softmax(φ, axis=1)
    return visits(π, P, p0, γ)[:, None] * π


def with_cost(cost_of, w, φ, features, expert, P, p0, γ, λ, η):
    """The right step, and another cost of the logits."""
    w = discriminator_step(w, features, occupancy(φ, P, p0, γ), expert, η)
    cost = cost_of(features @ w)
    return w, cost, policy_gradient(φ, cost, P, p0, γ, λ)


def with_step(step, w, φ, features, expert, P, p0, γ, λ, η, cost_of=log_expit):
    """Another gradient of the discriminator: step(ρ, expert, D)."""
    pull = step(occupancy(φ, P, p0, γ), expert, expit(features @ w))
    w = w + η * np.einsum("sa,sak->k", pull, features)
    cost = cost_of(features @ w)
    return w, cost, policy_gradient(φ, cost, P, p0, γ, λ)


def with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η):
    """The right discriminator, and another gradient of the policy: gradient(π, log_π, d, cost)."""
    w = discriminator_step(w, features, occupancy(φ, P, p0, γ), expert, η)
    cost = log_expit(features @ w)
    log_π = log_softmax(φ, axis=1)
    π = np.exp(log_π)
    return w, cost, gradient(π, log_π, visits(π, P, p0, γ)[:, None], cost)


@wrong("a3.q2", "labels swapped")
def public_text(w, φ, features, expert, P, p0, γ, λ, η):
    """Trained so that D → 1 on the expert, and then the reward is −log D, so the cost log D."""
    return with_step(lambda ρ, E, D: E * (1 - D) - ρ * D, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "labels swapped")
def expert_is_one_and_pays(w, φ, features, expert, P, p0, γ, λ, η):
    """D → 1 on the expert, and the reward log(1 − D)."""
    return with_step(lambda ρ, E, D: E * (1 - D) - ρ * D, w, φ, features, expert, P, p0, γ, λ, η,
                     cost_of=lambda x: -log_expit(-x))


@wrong("a3.q2", "the other convention")
def expert_is_one(w, φ, features, expert, P, p0, γ, λ, η):
    return with_step(lambda ρ, E, D: E * (1 - D) - ρ * D, w, φ, features, expert, P, p0, γ, λ, η,
                     cost_of=lambda x: log_expit(-x))


@wrong("a3.q2", "the other convention")
def expert_is_one_not_saturating(w, φ, features, expert, P, p0, γ, λ, η):
    return with_step(lambda ρ, E, D: E * (1 - D) - ρ * D, w, φ, features, expert, P, p0, γ, λ, η,
                     cost_of=lambda x: -log_expit(x))


@wrong("a3.q2", "descent of the discriminator")
def minimises(w, φ, features, expert, P, p0, γ, λ, η):
    return with_step(lambda ρ, E, D: -ρ * (1 - D) + E * D, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "descent of the discriminator")
def sgd_by_autograd(w, φ, features, expert, P, p0, γ, λ, η):
    v = torch.tensor(np.asarray(w, dtype=float), requires_grad=True)
    x = torch.tensor(np.asarray(features, dtype=float)) @ v
    logσ, ρ = torch.nn.functional.logsigmoid, torch.tensor(occupancy(φ, P, p0, γ))
    (ρ * logσ(x) + torch.tensor(expert) * logσ(-x)).sum().backward()
    w = w - η * v.grad.numpy()
    cost = log_expit(features @ w)
    return w, cost, policy_gradient(φ, cost, P, p0, γ, λ)


@wrong("a3.q2", "step size ignored")
def full_step(w, φ, features, expert, P, p0, γ, λ, η):
    w = discriminator_step(w, features, occupancy(φ, P, p0, γ), expert, 1.0)
    cost = log_expit(features @ w)
    return w, cost, policy_gradient(φ, cost, P, p0, γ, λ)


@wrong("a3.q2", "σ and 1 − σ swapped")
def residuals_swapped(w, φ, features, expert, P, p0, γ, λ, η):
    return with_step(lambda ρ, E, D: ρ * D - E * (1 - D), w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "log forgotten")
def derivative_of_d(w, φ, features, expert, P, p0, γ, λ, η):
    return with_step(lambda ρ, E, D: (ρ - E) * D * (1 - D), w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "half of the game")
def policy_only(w, φ, features, expert, P, p0, γ, λ, η):
    return with_step(lambda ρ, E, D: ρ * (1 - D), w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "half of the game")
def expert_only(w, φ, features, expert, P, p0, γ, λ, η):
    return with_step(lambda ρ, E, D: -E * D, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "sigmoid twice")
def log_sigmoid_of_d(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(lambda x: log_expit(expit(x)), w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "sigmoid twice")
def loss_with_logits_of_probabilities(w, φ, features, expert, P, p0, γ, λ, η):
    v = torch.tensor(np.asarray(w, dtype=float), requires_grad=True)
    f, ρ = torch.tensor(np.asarray(features, dtype=float)), torch.tensor(occupancy(φ, P, p0, γ))
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    D = torch.sigmoid(f @ v)
    loss = bce(D, torch.ones_like(D), weight=ρ, reduction="sum")
    loss = loss + bce(D, torch.zeros_like(D), weight=torch.tensor(expert), reduction="sum")
    loss.backward()
    w = w - η * v.grad.numpy()
    cost = log_expit(expit(features @ w))
    return w, cost, policy_gradient(φ, cost, P, p0, γ, λ)


@wrong("a3.q2", "occupancies normalised")
def both_are_distributions(w, φ, features, expert, P, p0, γ, λ, η):
    ρ = occupancy(φ, P, p0, γ)
    w = discriminator_step(w, features, ρ / ρ.sum(), expert / expert.sum(), η)
    cost = log_expit(features @ w)
    return w, cost, policy_gradient(φ, cost, P, p0, γ, λ)


@wrong("a3.q2", "occupancies normalised")
def policy_normalised(w, φ, features, expert, P, p0, γ, λ, η):
    w = discriminator_step(w, features, (1 - γ) * occupancy(φ, P, p0, γ), expert, η)
    cost = log_expit(features @ w)
    return w, cost, (1 - γ) * policy_gradient(φ, cost, P, p0, γ, λ)


@wrong("a3.q2", "occupancies normalised")
def normalised_in_the_gradient(w, φ, features, expert, P, p0, γ, λ, η):
    w, cost, gradient = with_cost(log_expit, w, φ, features, expert, P, p0, γ, λ, η)
    return w, cost, (1 - γ) * gradient


@wrong("a3.q2", "mean over the table")
def mean_of_pairs(w, φ, features, expert, P, p0, γ, λ, η):
    D = expit(features @ w)
    pull = occupancy(φ, P, p0, γ) * (1 - D) - expert * D
    w = w + η * (pull[:, :, None] * features).mean(axis=(0, 1))
    cost = log_expit(features @ w)
    return w, cost, policy_gradient(φ, cost, P, p0, γ, λ)


@wrong("a3.q2", "occupancy of states only")
def states_for_pairs(w, φ, features, expert, P, p0, γ, λ, η):
    d = visits(softmax(φ, axis=1), P, p0, γ)[:, None]
    w = discriminator_step(w, features, d, expert, η)
    cost = log_expit(features @ w)
    return w, cost, policy_gradient(φ, cost, P, p0, γ, λ)


@wrong("a3.q2", "cost of the old discriminator")
def charged_before_the_step(w, φ, features, expert, P, p0, γ, λ, η):
    cost = log_expit(features @ w)
    w = discriminator_step(w, features, occupancy(φ, P, p0, γ), expert, η)
    return w, cost, policy_gradient(φ, cost, P, p0, γ, λ)


@wrong("a3.q2", "reward, not cost")
def minus_log(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(lambda x: -log_expit(x), w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "reward, not cost")
def reward_returned(w, φ, features, expert, P, p0, γ, λ, η):
    w, cost, gradient = with_cost(log_expit, w, φ, features, expert, P, p0, γ, λ, η)
    return w, -cost, gradient


@wrong("a3.q2", "log(1 − D), not log D")
def other_term(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(lambda x: log_expit(-x), w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "log(1 − D), not log D")
def minus_log_of_one_minus_d(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(lambda x: -log_expit(-x), w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "D or its logit, not log D")
def d_itself(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(expit, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "D or its logit, not log D")
def cost_like_airl(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(lambda x: log_expit(x) - log_expit(-x), w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "entropy missing")
def no_entropy(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(log_expit, w, φ, features, expert, P, p0, γ, 0, η)


@wrong("a3.q2", "wrong sign of the entropy")
def entropy_paid(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(log_expit, w, φ, features, expert, P, p0, γ, -λ, η)


@wrong("a3.q2", "λ forgotten")
def full_entropy(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(log_expit, w, φ, features, expert, P, p0, γ, 1, η)


@wrong("a3.q2", "entropy of the present only")
def entropy_bonus_of_deep_rl(w, φ, features, expert, P, p0, γ, λ, η):
    """The usual entropy bonus: the entropy's own gradient in the states visited, not in Q."""
    def gradient(π, log_π, d, cost):
        Q, V = evaluate(π, cost, P, γ)
        entropy = -(π * log_π).sum(axis=1, keepdims=True)
        return d * π * (Q - V) + λ * d * π * (log_π + entropy)
    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "entropy of the future only")
def soft_value_but_plain_q(w, φ, features, expert, P, p0, γ, λ, η):
    def gradient(π, log_π, d, cost):
        _, V = evaluate(π, cost + λ * log_π, P, γ)
        Q = cost + γ * P @ V[:, 0]
        return d * π * (Q - (π * Q).sum(axis=1, keepdims=True))
    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "entropy of the future only")
def soft_value_as_baseline_of_plain_q(w, φ, features, expert, P, p0, γ, λ, η):
    def gradient(π, log_π, d, cost):
        _, V = evaluate(π, cost + λ * log_π, P, γ)
        return d * π * (cost + γ * P @ V[:, 0] - V)
    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "no future")
def greedy_for_the_step(w, φ, features, expert, P, p0, γ, λ, η):
    def gradient(π, log_π, d, cost):
        pays = cost + λ * log_π
        return d * π * (pays - (π * pays).sum(axis=1, keepdims=True))
    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "no future")
def autograd_through_the_policy_alone(w, φ, features, expert, P, p0, γ, λ, η):
    def gradient(π, log_π, d, cost):
        z = torch.tensor(np.asarray(φ, dtype=float), requires_grad=True)
        log_p = torch.log_softmax(z, 1)
        (torch.tensor(d) * log_p.exp() * (torch.tensor(cost) + λ * log_p)).sum().backward()
        return z.grad
    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "γ missing in Q")
def undiscounted_next_value(w, φ, features, expert, P, p0, γ, λ, η):
    def gradient(π, log_π, d, cost):
        _, V = evaluate(π, cost + λ * log_π, P, γ)
        Q = cost + λ * log_π + P @ V[:, 0]
        return d * π * (Q - (π * Q).sum(axis=1, keepdims=True))
    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "only the first state")
def weighted_by_the_start(w, φ, features, expert, P, p0, γ, λ, η):
    def gradient(π, log_π, d, cost):
        Q, V = evaluate(π, cost + λ * log_π, P, γ)
        return p0[:, None] * π * (Q - V)
    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "only the first state")
def not_weighted_at_all(w, φ, features, expert, P, p0, γ, λ, η):
    def gradient(π, log_π, d, cost):
        Q, V = evaluate(π, cost + λ * log_π, P, γ)
        return π * (Q - V)
    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "Q without its mean")
def no_baseline(w, φ, features, expert, P, p0, γ, λ, η):
    def gradient(π, log_π, d, cost):
        return d * π * evaluate(π, cost + λ * log_π, P, γ)[0]
    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "gradient in π, not in φ")
def by_the_probabilities(w, φ, features, expert, P, p0, γ, λ, η):
    def gradient(π, log_π, d, cost):
        return d * evaluate(π, cost + λ * log_π, P, γ)[0]
    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "gradient in π, not in φ")
def autograd_by_the_probabilities(w, φ, features, expert, P, p0, γ, λ, η):
    def gradient(π, log_π, d, cost):
        π, P_, p = (torch.tensor(np.asarray(x, dtype=float)) for x in (π, P, p0))
        π.requires_grad_()
        d = torch.linalg.solve(torch.eye(len(p)) - γ * torch.einsum("sa,sak->ks", π, P_), p)
        (d[:, None] * π * (torch.tensor(cost) + λ * torch.log(π))).sum().backward()
        return π.grad
    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "sign of the policy's gradient")
def direction_of_the_step(w, φ, features, expert, P, p0, γ, λ, η):
    w, cost, gradient = with_cost(log_expit, w, φ, features, expert, P, p0, γ, λ, η)
    return w, cost, -gradient


@wrong("a3.q2", "softmax over the wrong axis")
def scipys_default(w, φ, features, expert, P, p0, γ, λ, η):
    π, log_π = softmax(φ), log_softmax(φ)
    d = visits(π, P, p0, γ)[:, None]
    w = discriminator_step(w, features, d * π, expert, η)
    cost = log_expit(features @ w)
    Q, V = evaluate(π, cost + λ * log_π, P, γ)
    return w, cost, d * π * (Q - V)


@wrong("a3.q2", "P transposed")
def p_the_other_way(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(log_expit, w, φ, features, expert, np.transpose(P, (2, 1, 0)), p0, γ, λ, η)


@wrong("a3.q2", "uniform start")
def starts_anywhere(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(log_expit, w, φ, features, expert, P, np.full(len(p0), 1 / len(p0)), γ, λ, η)


@wrong("a3.q2", "exp overflow")
def logs_of_sigmoids(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(lambda x: np.log(1 / (1 + np.exp(-x))), w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "exp overflow")
def a_bit_in_the_log(w, φ, features, expert, P, p0, γ, λ, η):
    return with_cost(lambda x: np.log(expit(x) + 1e-12), w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "exp overflow")
def log_of_softmax(w, φ, features, expert, P, p0, γ, λ, η):
    w = discriminator_step(w, features, occupancy(φ, P, p0, γ), expert, η)
    cost, π = log_expit(features @ w), softmax(φ, axis=1)
    Q, V = evaluate(π, cost + λ * np.log(π), P, γ)
    return w, cost, visits(π, P, p0, γ)[:, None] * π * (Q - V)


@wrong("a3.q2", "whole numbers")
def written_into_a_copy_of_w(w, φ, features, expert, P, p0, γ, λ, η):
    new = w.copy()
    new[:] = discriminator_step(w, features, occupancy(φ, P, p0, γ), expert, η)
    cost = log_expit(features @ new)
    return new, cost, policy_gradient(φ, cost, P, p0, γ, λ)


@wrong("a3.q2", "whole numbers")
def gradient_like_the_logits(w, φ, features, expert, P, p0, γ, λ, η):
    w, cost, right = with_cost(log_expit, w, φ, features, expert, P, p0, γ, λ, η)
    gradient = np.zeros_like(φ)
    for s in range(len(p0)):
        gradient[s] = right[s]
    return w, cost, gradient


@wrong("a3.q2", "almost right")
def gradient_by_differences(w, φ, features, expert, P, p0, γ, λ, η):
    w, cost, _ = with_cost(log_expit, w, φ, features, expert, P, p0, γ, λ, η)

    def J(φ):
        return (occupancy(φ, P, p0, γ) * (cost + λ * log_softmax(φ, axis=1))).sum()
    gradient, h = np.zeros(φ.shape), 1e-4 / (1 + np.abs(cost).max())
    for s, a in np.ndindex(φ.shape):
        step = np.zeros(φ.shape)
        step[s, a] = h
        gradient[s, a] = (J(φ + step) - J(φ)) / h
    return w, cost, gradient.round(4)


@wrong("a3.q2", "cost and gradient swapped")
def gradient_first(w, φ, features, expert, P, p0, γ, λ, η):
    w, cost, gradient = with_cost(log_expit, w, φ, features, expert, P, p0, γ, λ, η)
    return w, gradient, cost


@wrong("a3.q2", "inputs changed")
def w_in_place(w, φ, features, expert, P, p0, γ, λ, η):
    w[:] = discriminator_step(w, features, occupancy(φ, P, p0, γ), expert, η)
    cost = log_expit(features @ w)
    return w, cost, policy_gradient(φ, cost, P, p0, γ, λ)


@wrong("a3.q2", "nothing returned")
def no_return(w, φ, features, expert, P, p0, γ, λ, η):
    w, cost, gradient = with_cost(log_expit, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "D missing from the step")
def feature_matching(w, φ, features, expert, P, p0, γ, λ, η):
    return with_step(lambda ρ, E, D: ρ - E, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "derivative of D forgotten")
def one_over_d(w, φ, features, expert, P, p0, γ, λ, η):
    return with_step(lambda ρ, E, D: ρ / D - E / (1 - D), w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "sign of one term")
def both_terms_added(w, φ, features, expert, P, p0, γ, λ, η):
    return with_step(lambda ρ, E, D: ρ * (1 - D) + E * D, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "cost of the old discriminator")
def gradient_of_the_old_cost(w, φ, features, expert, P, p0, γ, λ, η):
    new, cost, _ = with_cost(log_expit, w, φ, features, expert, P, p0, γ, λ, η)
    return new, cost, policy_gradient(φ, log_expit(features @ w), P, p0, γ, λ)


@wrong("a3.q2", "old w returned")
def w_as_it_came(w, φ, features, expert, P, p0, γ, λ, η):
    _, cost, gradient = with_cost(log_expit, w, φ, features, expert, P, p0, γ, λ, η)
    return w, cost, gradient


@wrong("a3.q2", "old w returned")
def the_step_alone(w, φ, features, expert, P, p0, γ, λ, η):
    new, cost, gradient = with_cost(log_expit, w, φ, features, expert, P, p0, γ, λ, η)
    return (new - w) / η, cost, gradient


@wrong("a3.q2", "entropy in the cost")
def charges_entropy_in_the_cost(w, φ, features, expert, P, p0, γ, λ, η):
    w, cost, gradient = with_cost(log_expit, w, φ, features, expert, P, p0, γ, λ, η)
    return w, cost + λ * log_softmax(φ, axis=1), gradient


@wrong("a3.q2", "π twice in the entropy")
def minus_entropy_as_payment(w, φ, features, expert, P, p0, γ, λ, η):
    def gradient(π, log_π, d, cost):
        Q, V = evaluate(π, cost + λ * π * log_π, P, γ)
        return d * π * (Q - V)

    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "Q without its mean")
def plain_mean_of_q(w, φ, features, expert, P, p0, γ, λ, η):
    def gradient(π, log_π, d, cost):
        Q, _ = evaluate(π, cost + λ * log_π, P, γ)
        return d * π * (Q - Q.mean(axis=1, keepdims=True))

    return with_gradient(gradient, w, φ, features, expert, P, p0, γ, λ, η)


@wrong("a3.q2", "visits against the moves")
def chain_not_transposed(w, φ, features, expert, P, p0, γ, λ, η):
    log_π = log_softmax(φ, axis=1)
    π = np.exp(log_π)
    d = np.linalg.solve(np.eye(len(p0)) - γ * np.einsum("sa,sak->sk", π, P), p0)[:, None]
    w = discriminator_step(w, features, d * π, expert, η)
    cost = log_expit(features @ w)
    Q, V = evaluate(π, cost + λ * log_π, P, γ)
    return w, cost, d * π * (Q - V)


# ---------------------------------------------------------------- q3: the pathwise gradient of MAIL

def tensors(K, log_σ, *rest):
    K, log_σ, *rest = (torch.tensor(np.asarray(x, dtype=float)) for x in (K, log_σ, *rest))
    return K.requires_grad_(), log_σ.requires_grad_(), *rest


def torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, after_step=lambda s: s, before_acting=lambda s: s,
                   cost=lambda s, a, u, v: torch.nn.functional.logsigmoid(s @ u + a @ v),
                   model=lambda s, a, W, B: s + torch.tanh(s @ W.T + a @ B.T), size=torch.exp,
                   weight=lambda γ, t, H: γ**t, add_up=lambda c: c.sum(1).mean()):
    """The torch way, with places where something can be changed."""
    K, log_σ, W, B, u, v, s, ε = tensors(K, log_σ, W, B, u, v, s0, ε)
    costs = []
    for t in range(ε.shape[1]):
        a = before_acting(s) @ K.T + size(log_σ) * ε[:, t]
        costs.append(weight(γ, t, ε.shape[1]) * cost(s, a, u, v))
        s = after_step(model(s, a, W, B))
    J = add_up(torch.stack(costs, 1))
    J.sum().backward()
    zero = lambda x: torch.zeros_like(x) if x.grad is None else x.grad
    return J, zero(K), zero(log_σ)


def backward(K, log_σ, W, B, u, v, s0, ε, γ, da_ds=True, identity=True, through_W=True, own_action=True, own_state=True,
             tanh_slope=lambda z, y, s: 1 - y**2, log_slope=lambda D: 1 - D, discount=lambda γ, t: γ**t, carry=1.0):
    """The NumPy way, with terms that can be left out."""
    σ, H, N = np.exp(log_σ), ε.shape[1], len(s0)
    s, J, kept = s0, 0.0, []
    for t in range(H):
        a = s @ K.T + σ * ε[:, t]
        x, z = s @ u + a @ v, s @ W.T + a @ B.T
        J += γ**t * log_expit(x).mean()
        new = s + np.tanh(z)
        kept.append((s, log_slope(expit(x))[:, None] / N, tanh_slope(z, np.tanh(z), new)))
        s = new
    dK, dσ, ds = np.zeros(K.shape), np.zeros(len(log_σ)), np.zeros(s0.shape)
    for t in range(H - 1, -1, -1):
        s, dx, dz = kept[t]
        dx = discount(γ, t) * dx
        da = own_action * dx * v + (carry * ds * dz) @ B
        dK += da.T @ s
        dσ += (da * ε[:, t]).sum(axis=0) * σ
        ds = carry * (identity * ds + through_W * (ds * dz) @ W) + own_state * dx * u + da_ds * da @ K
    return J, dK, dσ


@wrong("a3.q3", "cut at the state")
def detached_state(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, after_step=lambda s: s.detach())


@wrong("a3.q3", "cut at the state")
def model_without_gradient(K, log_σ, W, B, u, v, s0, ε, γ):
    def model(s, a, W, B):
        with torch.no_grad():
            return s + torch.tanh(s @ W.T + a @ B.T)
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, model=model)


@wrong("a3.q3", "cut at the state")
def direct_effect_of_the_action(K, log_σ, W, B, u, v, s0, ε, γ):
    s, J, dK, dσ = s0, 0.0, 0.0, 0.0
    for t in range(ε.shape[1]):
        a = s @ K.T + np.exp(log_σ) * ε[:, t]
        x = s @ u + a @ v
        J = J + γ**t * log_expit(x).mean()
        da = γ**t * expit(-x)[:, None] * v / len(s0)
        dK, dσ = dK + da.T @ s, dσ + (da * ε[:, t] * np.exp(log_σ)).sum(axis=0)
        s = s + np.tanh(s @ W.T + a @ B.T)
    return J, dK, dσ


@wrong("a3.q3", "score function, not pathwise")
def reinforce(K, log_σ, W, B, u, v, s0, ε, γ):
    K, log_σ, W, B, u, v, s, ε = tensors(K, log_σ, W, B, u, v, s0, ε)
    log_π, J = 0, 0
    for t in range(ε.shape[1]):
        π = torch.distributions.Normal(s @ K.T, log_σ.exp())
        a = (s @ K.T + log_σ.exp() * ε[:, t]).detach()
        log_π = log_π + π.log_prob(a).sum(1)
        J = J + γ**t * torch.nn.functional.logsigmoid(s @ u + a @ v)
        s = s + torch.tanh(s @ W.T + a @ B.T)
    (log_π * J).mean().backward()
    return J.mean(), K.grad, log_σ.grad


@wrong("a3.q3", "score function, not pathwise")
def reinforce_with_costs_to_go(K, log_σ, W, B, u, v, s0, ε, γ):
    s, σ, costs, score_K, score_σ = s0, np.exp(log_σ), [], [], []
    for t in range(ε.shape[1]):
        a = s @ K.T + σ * ε[:, t]
        costs.append(γ**t * log_expit(s @ u + a @ v))
        score_K.append((ε[:, t] / σ)[:, :, None] * s[:, None, :])
        score_σ.append(ε[:, t] ** 2 - 1)
        s = s + np.tanh(s @ W.T + a @ B.T)
    to_go = np.cumsum(costs[::-1], axis=0)[::-1]
    dK = sum((g[:, None, None] * k).mean(axis=0) for g, k in zip(to_go, score_K, strict=True))
    return np.sum(costs, axis=0).mean(), dK, sum((g[:, None] * k).mean(0) for g, k in zip(to_go, score_σ, strict=True))


@wrong("a3.q3", "one step back only")
def truncated(K, log_σ, W, B, u, v, s0, ε, γ):
    """Each cost is differentiated by its own action and by the action before it."""
    K, log_σ, W, B, u, v, s, ε = tensors(K, log_σ, W, B, u, v, s0, ε)
    J = 0
    for t in range(ε.shape[1]):
        J = J + γ**t * torch.nn.functional.logsigmoid(s @ u + (s @ K.T + log_σ.exp() * ε[:, t]) @ v).mean()
        s = s.detach()
        a = s @ K.T + log_σ.exp() * ε[:, t]
        s = s + torch.tanh(s @ W.T + a @ B.T)
    J.backward()
    return J, K.grad, log_σ.grad


@wrong("a3.q3", "one step back only")
def carries_nothing_on(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, identity=False, through_W=False, da_ds=False)


@wrong("a3.q3", "feedback forgotten")
def open_loop(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, da_ds=False)


@wrong("a3.q3", "feedback forgotten")
def policy_sees_a_constant(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, before_acting=lambda s: s.detach())


@wrong("a3.q3", "Jacobian of the state incomplete")
def no_identity(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, identity=False)


@wrong("a3.q3", "Jacobian of the state incomplete")
def no_w(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, through_W=False)


@wrong("a3.q3", "derivative of tanh")
def tanh_is_linear(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, tanh_slope=lambda z, y, s: np.ones_like(z))


@wrong("a3.q3", "derivative of tanh")
def one_minus_argument_squared(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, tanh_slope=lambda z, y, s: 1 - z**2)


@wrong("a3.q3", "derivative of tanh")
def one_minus_state_squared(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, tanh_slope=lambda z, y, s: 1 - s**2)


@wrong("a3.q3", "derivative of log D")
def sigma_for_one_minus_sigma(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, log_slope=lambda D: D)


@wrong("a3.q3", "derivative of log D")
def derivative_of_d_itself(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, log_slope=lambda D: D * (1 - D))


@wrong("a3.q3", "the cost's own action forgotten")
def no_v(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, own_action=False)


@wrong("a3.q3", "the cost's own state forgotten")
def no_u(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, own_state=False)


@wrong("a3.q3", "discount missing")
def undiscounted(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, 1.0)


@wrong("a3.q3", "discount missing")
def undiscounted_gradient(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, discount=lambda γ, t: 1.0)


@wrong("a3.q3", "discount one step late")
def discounted_once_too_often(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, weight=lambda γ, t, H: γ ** (t + 1))


@wrong("a3.q3", "discount reversed")
def running_total_times_gamma(K, log_σ, W, B, u, v, s0, ε, γ):
    K, log_σ, W, B, u, v, s, ε = tensors(K, log_σ, W, B, u, v, s0, ε)
    J = 0
    for t in range(ε.shape[1]):
        a = s @ K.T + log_σ.exp() * ε[:, t]
        J = γ * J + torch.nn.functional.logsigmoid(s @ u + a @ v).mean()
        s = s + torch.tanh(s @ W.T + a @ B.T)
    J.backward()
    return J, K.grad, log_σ.grad


@wrong("a3.q3", "discount restarted at every action")
def bellman_like(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε, γ, discount=lambda γ, t: 1.0, carry=γ)


@wrong("a3.q3", "sum over trajectories")
def summed(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, add_up=lambda c: c.sum())


@wrong("a3.q3", "sum over trajectories")
def gradient_summed(K, log_σ, W, B, u, v, s0, ε, γ):
    J, dK, dσ = backward(K, log_σ, W, B, u, v, s0, ε, γ)
    return J, dK * len(s0), dσ * len(s0)


@wrong("a3.q3", "mean over steps")
def mean_of_everything(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, add_up=lambda c: c.mean())


@wrong("a3.q3", "one cost for each trajectory")
def cost_of_each(K, log_σ, W, B, u, v, s0, ε, γ):
    J, dK, dσ = torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, add_up=lambda c: c.sum(1))
    return J, dK / len(s0), dσ / len(s0)


@wrong("a3.q3", "log σ taken for σ")
def no_exp(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, size=lambda x: x)


@wrong("a3.q3", "log σ taken for a log variance")
def half_of_it(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, size=lambda x: torch.exp(x / 2))


@wrong("a3.q3", "log σ taken for a log variance")
def variance_for_size(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, size=lambda x: torch.exp(x) ** 2)


@wrong("a3.q3", "gradient in σ, not in log σ")
def by_sigma(K, log_σ, W, B, u, v, s0, ε, γ):
    J, dK, dσ = backward(K, log_σ, W, B, u, v, s0, ε, γ)
    return J, dK, dσ / np.exp(log_σ)


@wrong("a3.q3", "noise ignored")
def mean_action(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, np.zeros(ε.shape), γ)


@wrong("a3.q3", "one noise for all steps")
def same_noise(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, np.stack([ε[:, 0]] * ε.shape[1], axis=1), γ)


@wrong("a3.q3", "sign of the gradient")
def downhill(K, log_σ, W, B, u, v, s0, ε, γ):
    J, dK, dσ = backward(K, log_σ, W, B, u, v, s0, ε, γ)
    return J, -dK, -dσ


@wrong("a3.q3", "reward, not cost")
def minus_log_sigmoid(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ,
                          cost=lambda s, a, u, v: torch.nn.functional.softplus(-(s @ u + a @ v)))


@wrong("a3.q3", "log(1 − D), not log D")
def of_one_minus_d(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ,
                          cost=lambda s, a, u, v: torch.nn.functional.logsigmoid(-(s @ u + a @ v)))


@wrong("a3.q3", "log(1 − D), not log D")
def softplus_of_the_logit(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ,
                          cost=lambda s, a, u, v: torch.nn.functional.softplus(s @ u + a @ v))


@wrong("a3.q3", "D or its logit, not log D")
def probability_as_cost(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, cost=lambda s, a, u, v: torch.sigmoid(s @ u + a @ v))


@wrong("a3.q3", "cost of the next state")
def paid_after_the_move(K, log_σ, W, B, u, v, s0, ε, γ):
    K, log_σ, W, B, u, v, s, ε = tensors(K, log_σ, W, B, u, v, s0, ε)
    J = 0
    for t in range(ε.shape[1]):
        a = s @ K.T + log_σ.exp() * ε[:, t]
        s = s + torch.tanh(s @ W.T + a @ B.T)
        J = J + γ**t * torch.nn.functional.logsigmoid(s @ u + a @ v).mean()
    J.backward()
    return J, K.grad, log_σ.grad


@wrong("a3.q3", "one cost too many")
def last_state_too(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, np.append(ε, np.zeros((len(s0), 1, len(log_σ))), axis=1), γ)


@wrong("a3.q3", "one step short")
def drops_the_last_action(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, ε[:, : ε.shape[1] - 1], γ)


@wrong("a3.q3", "only the last cost")
def overwrites_the_total(K, log_σ, W, B, u, v, s0, ε, γ):
    K, log_σ, W, B, u, v, s, ε = tensors(K, log_σ, W, B, u, v, s0, ε)
    for t in range(ε.shape[1]):
        a = s @ K.T + log_σ.exp() * ε[:, t]
        J = γ**t * torch.nn.functional.logsigmoid(s @ u + a @ v).mean()
        s = s + torch.tanh(s @ W.T + a @ B.T)
    J.backward()
    return J, K.grad, log_σ.grad


@wrong("a3.q3", "the change, not the next state")
def jumps(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, model=lambda s, a, W, B: torch.tanh(s @ W.T + a @ B.T))


@wrong("a3.q3", "tanh missing")
def linear_model(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, model=lambda s, a, W, B: s + s @ W.T + a @ B.T)


@wrong("a3.q3", "W transposed")
def rows_times_w(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, model=lambda s, a, W, B: s + torch.tanh(s @ W + a @ B.T))


@wrong("a3.q3", "axes in another order")
def k_transposed(K, log_σ, W, B, u, v, s0, ε, γ):
    J, dK, dσ = backward(K, log_σ, W, B, u, v, s0, ε, γ)
    return J, dK.T, dσ


@wrong("a3.q3", "not the same twice")
def fresh_noise(K, log_σ, W, B, u, v, s0, ε, γ):
    return backward(K, log_σ, W, B, u, v, s0, np.random.default_rng().normal(size=ε.shape), γ)


@wrong("a3.q3", "exp overflow")
def log_of_a_sigmoid(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ,
                          cost=lambda s, a, u, v: torch.log(torch.sigmoid(s @ u + a @ v)))


@wrong("a3.q3", "exp overflow")
def log_of_a_clamped_sigmoid(K, log_σ, W, B, u, v, s0, ε, γ):
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ,
                          cost=lambda s, a, u, v: torch.log(torch.sigmoid(s @ u + a @ v).clamp(min=1e-20)))


@wrong("a3.q3", "whole numbers")
def states_in_an_array(K, log_σ, W, B, u, v, s0, ε, γ):
    J, dK, dσ = backward(K, log_σ, W, B, u, v, s0, ε, γ)
    out = np.zeros_like(K)
    out[:] = dK
    return J, out, dσ


@wrong("a3.q3", "almost right")
def by_differences(K, log_σ, W, B, u, v, s0, ε, γ):
    def J(K, log_σ):
        s, total = s0, 0.0
        for t in range(ε.shape[1]):
            a = s @ K.T + np.exp(log_σ) * ε[:, t]
            total += γ**t * log_expit(s @ u + a @ v).mean()
            s = s + np.tanh(s @ W.T + a @ B.T)
        return total

    h, dK, dσ = 2e-5, np.zeros(K.shape), np.zeros(log_σ.shape)
    for i in np.ndindex(K.shape):
        step = np.zeros(K.shape)
        step[i] = h
        dK[i] = (J(K + step, log_σ) - J(K, log_σ)) / h
    for i in range(len(log_σ)):
        dσ[i] = (J(K, log_σ + h * np.eye(len(log_σ))[i]) - J(K, log_σ)) / h
    return J(K, log_σ), dK, dσ


@wrong("a3.q3", "sum over trajectories")
def gradient_in_k_summed(K, log_σ, W, B, u, v, s0, ε, γ):
    J, dK, dσ = backward(K, log_σ, W, B, u, v, s0, ε, γ)
    return J, dK * len(s0), dσ


@wrong("a3.q3", "gradient in σ, not in log σ")
def sigma_twice(K, log_σ, W, B, u, v, s0, ε, γ):
    J, dK, dσ = backward(K, log_σ, W, B, u, v, s0, ε, γ)
    return J, dK, dσ * np.exp(log_σ)


@wrong("a3.q3", "log σ without a gradient")
def sigma_left_torch(K, log_σ, W, B, u, v, s0, ε, γ):
    σ = torch.tensor(np.exp(np.asarray(log_σ, dtype=float)))
    return torch_gradient(K, log_σ, W, B, u, v, s0, ε, γ, size=lambda _: σ)


# ---------------------------------------------------------------- q4: AIRL's reward

def steps(states, lengths, terminated):
    """Where each step begins and leads to, and the masks: it exists, it leads to a terminal state."""
    t = np.arange(states.shape[1] - 1)
    inside = t < lengths[:, None]
    ends = (t == lengths[:, None] - 1) & (terminated[:, None] == 1)
    return states[:, :-1], states[:, 1:], inside, ends


def masked(x, inside):
    return expit(x) * inside, x * inside


@wrong("a3.q4", "h of a terminal state")
def never_ends(g, h, states, log_π, lengths, terminated, γ):
    s, n, inside, _ = steps(states, lengths, terminated)
    return masked(g[s] + γ * h[n] - h[s] - log_π, inside)


@wrong("a3.q4", "time limit taken for an end")
def done(g, h, states, log_π, lengths, terminated, γ):
    s, n, inside, ends = steps(states, lengths, np.ones(len(lengths)))
    return masked(g[s] + γ * ~ends * h[n] - h[s] - log_π, inside)


@wrong("a3.q4", "terminated the wrong way round")
def bootstraps_at_the_end(g, h, states, log_π, lengths, terminated, γ):
    s, n, inside, ends = steps(states, lengths, 1 - terminated)
    return masked(g[s] + γ * np.where(ends, 0, h[n]) - h[s] - log_π, inside)


@wrong("a3.q4", "terminated at every step")
def whole_episode_terminal(g, h, states, log_π, lengths, terminated, γ):
    s, n, inside, _ = steps(states, lengths, terminated)
    return masked(g[s] + γ * h[n] * (1 - terminated[:, None]) - h[s] - log_π, inside)


@wrong("a3.q4", "too much dropped at the end")
def no_shaping_at_the_end(g, h, states, log_π, lengths, terminated, γ):
    s, n, inside, ends = steps(states, lengths, terminated)
    return masked(g[s] + (1 - ends) * (γ * h[n] - h[s]) - log_π, inside)


@wrong("a3.q4", "too much dropped at the end")
def nothing_at_the_end(g, h, states, log_π, lengths, terminated, γ):
    s, n, inside, ends = steps(states, lengths, terminated)
    return masked((1 - ends) * (g[s] + γ * h[n] - h[s]) - log_π, inside)


def with_f(f, g, h, states, log_π, lengths, terminated, γ):
    """f(g(s), h(s), h̄(s'), t) instead of the right one."""
    s, n, inside, ends = steps(states, lengths, terminated)
    return masked(f(g[s], h[s], np.where(ends, 0, h[n]), np.arange(inside.shape[1])) - log_π, inside)


@wrong("a3.q4", "γ missing")
def no_discount(g, h, states, log_π, lengths, terminated, γ):
    return with_f(lambda g, h, n, t: g + n - h, g, h, states, log_π, lengths, terminated, γ)


@wrong("a3.q4", "γ at the wrong h")
def present_discounted(g, h, states, log_π, lengths, terminated, γ):
    return with_f(lambda g, h, n, t: g + n - γ * h, g, h, states, log_π, lengths, terminated, γ)


@wrong("a3.q4", "discounted from the start")
def powers_of_gamma(g, h, states, log_π, lengths, terminated, γ):
    return with_f(lambda g, h, n, t: g + γ ** (t + 1) * n - γ**t * h, g, h, states, log_π, lengths, terminated, γ)


@wrong("a3.q4", "sign of the shaping")
def potential_upside_down(g, h, states, log_π, lengths, terminated, γ):
    return with_f(lambda g, h, n, t: g - (γ * n - h), g, h, states, log_π, lengths, terminated, γ)


@wrong("a3.q4", "sign of the shaping")
def potentials_added(g, h, states, log_π, lengths, terminated, γ):
    return with_f(lambda g, h, n, t: g + γ * n + h, g, h, states, log_π, lengths, terminated, γ)


@wrong("a3.q4", "no shaping")
def state_only(g, h, states, log_π, lengths, terminated, γ):
    return with_f(lambda g, h, n, t: g, g, h, states, log_π, lengths, terminated, γ)


@wrong("a3.q4", "h without g")
def shaping_only(g, h, states, log_π, lengths, terminated, γ):
    return with_f(lambda g, h, n, t: γ * n - h, g, h, states, log_π, lengths, terminated, γ)


@wrong("a3.q4", "g of the next state")
def reward_on_arrival(g, h, states, log_π, lengths, terminated, γ):
    s, n, inside, ends = steps(states, lengths, terminated)
    return masked(g[n] + γ * np.where(ends, 0, h[n]) - h[s] - log_π, inside)


def right_f(g, h, states, lengths, terminated, γ):
    s, n, inside, ends = steps(states, lengths, terminated)
    return g[s] + γ * np.where(ends, 0, h[n]) - h[s], inside


@wrong("a3.q4", "π missing")
def sigmoid_of_f(g, h, states, log_π, lengths, terminated, γ):
    return masked(*right_f(g, h, states, lengths, terminated, γ))


@wrong("a3.q4", "π multiplied")
def plus_log_pi(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    return masked(f + log_π, inside)


@wrong("a3.q4", "π, not log π")
def minus_pi(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    return masked(f - np.exp(log_π), inside)


@wrong("a3.q4", "labels swapped")
def d_of_the_policy(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    return masked(log_π - f, inside)


@wrong("a3.q4", "labels swapped")
def d_of_the_policy_right_reward(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    return inside * expit(log_π - f), inside * (f - log_π)


@wrong("a3.q4", "f, not the reward")
def f_returned(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    return inside * expit(f - log_π), inside * f


@wrong("a3.q4", "half of the reward")
def log_d(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    return inside * expit(f - log_π), inside * log_expit(f - log_π)


@wrong("a3.q4", "half of the reward")
def gails_reward(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    return inside * expit(f - log_π), inside * np.logaddexp(0, f - log_π)


@wrong("a3.q4", "D as the reward")
def d_twice(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    return inside * expit(f - log_π), inside * expit(f - log_π)


@wrong("a3.q4", "sign of the reward")
def cost_returned(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    return inside * expit(f - log_π), inside * (log_π - f)


@wrong("a3.q4", "logit or log D, not D")
def logit_twice(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    return inside * (f - log_π), inside * (f - log_π)


@wrong("a3.q4", "logit or log D, not D")
def log_of_d(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    return inside * log_expit(f - log_π), inside * (f - log_π)


@wrong("a3.q4", "padding counted")
def no_mask(g, h, states, log_π, lengths, terminated, γ):
    f, _ = right_f(g, h, states, lengths, terminated, γ)
    return expit(f - log_π), f - log_π


@wrong("a3.q4", "padding counted")
def reward_not_masked(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    return inside * expit(f - log_π), f - log_π


@wrong("a3.q4", "D is ½ after the end")
def logit_masked(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    logit = inside * (f - log_π)
    return expit(logit), logit


@wrong("a3.q4", "one step short")
def last_step_dropped(g, h, states, log_π, lengths, terminated, γ):
    D, r = np.zeros(log_π.shape), np.zeros(log_π.shape)
    for i, T in enumerate(lengths):
        for t in range(T - 1):
            s, n = states[i, t], states[i, t + 1]
            r[i, t] = g[s] + γ * h[n] - h[s] - log_π[i, t]
            D[i, t] = expit(r[i, t])
    return D, r


@wrong("a3.q4", "exp overflow")
def fraction_of_exponentials(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    D = np.exp(f) / (np.exp(f) + np.exp(log_π))
    return np.where(inside, D, 0), np.where(inside, np.log(D) - np.log(1 - D), 0)


@wrong("a3.q4", "exp overflow")
def clipped_d(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    D = np.clip(expit(f - log_π), 1e-12, 1 - 1e-12)
    return np.where(inside, D, 0), np.where(inside, np.log(D) - np.log(1 - D), 0)


@wrong("a3.q4", "whole numbers")
def filled_like_log_pi(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    D, r = np.zeros_like(log_π), np.zeros_like(log_π)
    D[inside], r[inside] = expit(f - log_π)[inside], (f - log_π)[inside]
    return D, r


@wrong("a3.q4", "almost right")
def rounded(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    D, r = masked(f - log_π, inside)
    return D.round(4), r


@wrong("a3.q4", "inputs changed")
def zero_in_the_table(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    log_π *= -1
    return masked(f + log_π, inside)


@wrong("a3.q4", "D and the reward swapped")
def reward_first(g, h, states, log_π, lengths, terminated, γ):
    f, inside = right_f(g, h, states, lengths, terminated, γ)
    D, r = masked(f - log_π, inside)
    return r, D


@wrong("a3.q4", "the last column taken for the last step")
def last_column(g, h, states, log_π, lengths, terminated, γ):
    s, n, inside, _ = steps(states, lengths, terminated)
    h_next = h[n] * 1.0
    h_next[terminated == 1, -1] = 0
    return masked(g[s] + γ * h_next - h[s] - log_π, inside)


@wrong("a3.q4", "too much dropped at the end")
def no_g_at_the_end(g, h, states, log_π, lengths, terminated, γ):
    s, n, inside, ends = steps(states, lengths, terminated)
    return masked((1 - ends) * (g[s] + γ * h[n]) - h[s] - log_π, inside)


@wrong("a3.q4", "too much dropped at the end")
def no_reward_at_the_end(g, h, states, log_π, lengths, terminated, γ):
    s, n, inside, ends = steps(states, lengths, terminated)
    D, r = masked(g[s] + γ * np.where(ends, 0, h[n]) - h[s] - log_π, inside)
    return D, np.where(ends, 0, r)


@wrong("a3.q4", "γ at the wrong h")
def difference_discounted(g, h, states, log_π, lengths, terminated, γ):
    return with_f(lambda g, h, h_next, t: g + γ * (h_next - h), g, h, states, log_π, lengths, terminated, γ)


@wrong("a3.q4", "discounted from the start")
def reward_discounted(g, h, states, log_π, lengths, terminated, γ):
    D, r = with_f(lambda g, h, h_next, t: g + γ * h_next - h, g, h, states, log_π, lengths, terminated, γ)
    return D, r * γ ** np.arange(r.shape[1])


@wrong("a3.q4", "g, not the reward")
def g_as_the_reward(g, h, states, log_π, lengths, terminated, γ):
    D, r = with_f(lambda g, h, h_next, t: g + γ * h_next - h, g, h, states, log_π, lengths, terminated, γ)
    return D, np.where(r == 0, 0, g[states[:, :-1]] - log_π)


@wrong("a3.q4", "one step too many")
def after_the_last_step(g, h, states, log_π, lengths, terminated, γ):
    s, n, _, ends = steps(states, lengths, terminated)
    return masked(g[s] + γ * np.where(ends, 0, h[n]) - h[s] - log_π, np.arange(log_π.shape[1]) <= lengths[:, None])
