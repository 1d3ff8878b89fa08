"""Wrong answers to assignment a2, each with the name of the mistake that its check must recognise.

WRONG maps a question id to a list of (function, name). They are written as students write them, on their own: nothing
here is shared with the checks, and nothing of the checks is used here.
"""
import numpy as np

WRONG = {}


def wrong(question, mistake):
    """Enter a function into WRONG."""
    def enter(fn):
        WRONG.setdefault(question, []).append((fn, mistake))
        return fn
    return enter


def logsumexp(x, axis=None):
    """Like SciPy's, but faster on small arrays."""
    return np.logaddexp.reduce(np.ravel(x) if axis is None else x, axis=-1 if axis is None else axis)


def softmax(x):
    w = np.exp(x - x.max())
    return w / w.sum()


# ---------------------------------------------------------------- q1: the gradient of the divergence

def mean_of(policy, moves, weight, score):
    """Σ over sessions of probability × weight × score."""
    p = np.prod(policy, axis=1) * np.prod(moves, axis=1)
    return np.einsum("i,i,ik->k", p, weight, score.sum(axis=1))


def log_sum(x):
    return np.log(x).sum(axis=1)


@wrong("a2.q1", "entropy forgotten")
def as_on_the_slide(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, -(1 + rewards.sum(axis=1)), score)


@wrong("a2.q1", "entropy forgotten")
def slide_with_temperature(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, -(1 + rewards.sum(axis=1) / α), score)


@wrong("a2.q1", "entropy forgotten")
def log_target_only(policy, ref, moves, rewards, score, α):
    log_target = log_sum(ref) + rewards.sum(axis=1) / α
    return mean_of(policy, moves, -log_target, score)


@wrong("a2.q1", "entropy forgotten")
def reinforce(policy, ref, moves, rewards, score, α):
    """Policy gradient of the reward, with a baseline."""
    p = np.prod(policy * moves, axis=1)
    R = rewards.sum(axis=1)
    return ((p * (R - p @ R))[:, None] * score.sum(axis=1)).sum(axis=0)


@wrong("a2.q1", "entropy forgotten")
def reward_to_go_without_entropy(policy, ref, moves, rewards, score, α):
    to_go = np.flip(np.cumsum(np.flip(rewards / α, axis=1), axis=1), axis=1)
    p = np.prod(policy * moves, axis=1)
    return -np.einsum("i,it,itk->k", p, to_go, score)


@wrong("a2.q1", "dynamics in the weight")
def whole_density_of_the_policy(policy, ref, moves, rewards, score, α):
    log_p = np.log(policy * moves).sum(axis=1)
    return mean_of(policy, moves, log_p - log_sum(ref) - rewards.sum(axis=1) / α, score)


@wrong("a2.q1", "dynamics in the weight")
def whole_density_of_the_target(policy, ref, moves, rewards, score, α):
    log_target = log_sum(moves) + log_sum(ref) + rewards.sum(axis=1) / α
    return mean_of(policy, moves, log_sum(policy) - log_target, score)


@wrong("a2.q1", "dynamics in the weight")
def density_and_no_reference(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, log_sum(policy * moves) - rewards.sum(axis=1) / α, score)


@wrong("a2.q1", "wrong sign")
def ascent(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, rewards.sum(axis=1) / α + log_sum(ref) - log_sum(policy), score)


@wrong("a2.q1", "wrong sign")
def ascent_step_by_step(policy, ref, moves, rewards, score, α):
    K, total = score.shape[2], 0
    for i in range(len(policy)):
        advantage = sum(rewards[i] / α - np.log(policy[i] / ref[i]))
        total = total + policy[i].prod() * moves[i].prod() * advantage * score[i].sum(axis=0)
    return np.reshape(total, K)


@wrong("a2.q1", "reference with the wrong sign")
def reference_added(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, log_sum(policy) + log_sum(ref) - rewards.sum(axis=1) / α, score)


@wrong("a2.q1", "the weight of the lecture")
def lecture(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, log_sum(policy) - rewards.sum(axis=1), score)


@wrong("a2.q1", "the weight of the lecture")
def lecture_with_the_one(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, 1 + log_sum(policy) - rewards.sum(axis=1), score)


@wrong("a2.q1", "reference ignored")
def no_reference(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, log_sum(policy) - rewards.sum(axis=1) / α, score)


@wrong("a2.q1", "reference ignored")
def entropy_bonus(policy, ref, moves, rewards, score, α):
    """Minus the gradient of E R + α H."""
    return -mean_of(policy, moves, rewards.sum(axis=1) - α * log_sum(policy), score)


@wrong("a2.q1", "temperature ignored")
def no_temperature(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, log_sum(policy / ref) - rewards.sum(axis=1), score)


@wrong("a2.q1", "α times the gradient")
def in_units_of_reward(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, α * log_sum(policy / ref) - rewards.sum(axis=1), score)


@wrong("a2.q1", "α times the gradient")
def ascent_on_the_regularised_return(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, (rewards - α * np.log(policy) + α * np.log(ref)).sum(axis=1), score)


@wrong("a2.q1", "signs in the weight")
def reward_added(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, log_sum(policy / ref) + rewards.sum(axis=1) / α, score)


@wrong("a2.q1", "signs in the weight")
def entropy_subtracted(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, log_sum(ref) - log_sum(policy) - rewards.sum(axis=1) / α, score)


@wrong("a2.q1", "temperature misplaced")
def multiplied_by_temperature(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, log_sum(policy / ref) - α * rewards.sum(axis=1), score)


@wrong("a2.q1", "temperature misplaced")
def everything_divided(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, (log_sum(policy / ref) - rewards.sum(axis=1)) / α, score)


@wrong("a2.q1", "temperature misplaced")
def target_divided(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, log_sum(policy) - (log_sum(ref) + rewards.sum(axis=1)) / α, score)


@wrong("a2.q1", "quotient of logarithms")
def log_by_log(policy, ref, moves, rewards, score, α):
    log_target = log_sum(ref) + rewards.sum(axis=1) / α
    return mean_of(policy, moves, log_sum(policy) / log_target, score)


@wrong("a2.q1", "quotient of logarithms")
def log_by_log_normalised(policy, ref, moves, rewards, score, α):
    log_target = log_sum(moves) + log_sum(ref) + rewards.sum(axis=1) / α
    log_target = log_target - logsumexp(log_target)
    return mean_of(policy, moves, log_sum(policy * moves) / log_target, score)


@wrong("a2.q1", "logarithm forgotten")
def ratio_of_steps(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, (policy / ref - rewards / α).sum(axis=1), score)


@wrong("a2.q1", "logarithm forgotten")
def ratio_of_sessions(policy, ref, moves, rewards, score, α):
    ratio = policy.prod(axis=1) / ref.prod(axis=1)
    return mean_of(policy, moves, ratio - rewards.sum(axis=1) / α, score)


@wrong("a2.q1", "logarithm forgotten")
def difference_of_steps(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, (policy - ref - rewards / α).sum(axis=1), score)


@wrong("a2.q1", "KL the wrong way round")
def maximum_likelihood(policy, ref, moves, rewards, score, α):
    R = rewards.sum(axis=1) / α
    target = moves.prod(axis=1) * ref.prod(axis=1) * np.exp(R - R.max())
    return -(target / target.sum()) @ score.sum(axis=1)


@wrong("a2.q1", "expectation under another policy")
def expectation_under_target(policy, ref, moves, rewards, score, α):
    R = rewards.sum(axis=1) / α
    target = moves.prod(axis=1) * ref.prod(axis=1) * np.exp(R - R.max())
    weight = log_sum(policy / ref) - R
    return (target / target.sum() * weight) @ score.sum(axis=1)


@wrong("a2.q1", "expectation under another policy")
def expectation_under_reference(policy, ref, moves, rewards, score, α):
    return mean_of(ref, moves, log_sum(policy / ref) - rewards.sum(axis=1) / α, score)


@wrong("a2.q1", "sessions counted alike")
def mean_over_rows(policy, ref, moves, rewards, score, α):
    weight = log_sum(policy / ref) - rewards.sum(axis=1) / α
    return (weight[:, None] * score.sum(axis=1)).mean(axis=0)


@wrong("a2.q1", "sessions counted alike")
def sum_over_rows(policy, ref, moves, rewards, score, α):
    weight = log_sum(policy / ref) - rewards.sum(axis=1) / α
    return weight @ score.sum(axis=1)


@wrong("a2.q1", "dynamics missing from the expectation")
def chance_of_the_actions(policy, ref, moves, rewards, score, α):
    weight = log_sum(policy / ref) - rewards.sum(axis=1) / α
    return (np.exp(log_sum(policy)) * weight) @ score.sum(axis=1)


@wrong("a2.q1", "dynamics missing from the expectation")
def chance_of_the_actions_normalised(policy, ref, moves, rewards, score, α):
    weight = log_sum(policy / ref) - rewards.sum(axis=1) / α
    return (softmax(log_sum(policy)) * weight) @ score.sum(axis=1)


@wrong("a2.q1", "divided by the number of sessions")
def mean_of_products(policy, ref, moves, rewards, score, α):
    p = np.prod(policy * moves, axis=1)
    weight = log_sum(policy / ref) - rewards.sum(axis=1) / α
    return np.mean((p * weight)[:, None] * score.sum(axis=1), axis=0)


@wrong("a2.q1", "later steps forgotten")
def step_by_step(policy, ref, moves, rewards, score, α):
    p = np.prod(policy * moves, axis=1)
    weight = np.log(policy / ref) - rewards / α
    return (p[:, None, None] * weight[:, :, None] * score).sum(axis=(0, 1))


@wrong("a2.q1", "later steps forgotten")
def what_went_before(policy, ref, moves, rewards, score, α):
    p = np.prod(policy * moves, axis=1)
    so_far = np.cumsum(np.log(policy / ref) - rewards / α, axis=1)
    return np.einsum("i,it,itk->k", p, so_far, score)


@wrong("a2.q1", "own step forgotten")
def from_the_next_step_on(policy, ref, moves, rewards, score, α):
    p = np.prod(policy * moves, axis=1)
    weight = np.log(policy / ref) - rewards / α
    total = np.zeros(score.shape[2])
    for t in range(policy.shape[1]):
        total += (p * weight[:, t + 1:].sum(axis=1)) @ score[:, t]
    return total


@wrong("a2.q1", "averaged over steps")
def mean_weight(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, np.mean(np.log(policy / ref) - rewards / α, axis=1), score)


@wrong("a2.q1", "averaged over steps")
def mean_reward(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, log_sum(policy / ref) - rewards.mean(axis=1) / α, score)


@wrong("a2.q1", "score of one step")
def first_score(policy, ref, moves, rewards, score, α):
    p = np.prod(policy * moves, axis=1)
    return (p * (log_sum(policy / ref) - rewards.sum(axis=1) / α)) @ score[:, 0]


@wrong("a2.q1", "score of one step")
def last_score(policy, ref, moves, rewards, score, α):
    p = np.prod(policy * moves, axis=1)
    return (p * (log_sum(policy / ref) - rewards.sum(axis=1) / α)) @ score[:, -1]


@wrong("a2.q1", "one number for each session")
def the_weight_itself(policy, ref, moves, rewards, score, α):
    return log_sum(policy) - log_sum(ref) - rewards.sum(axis=1) / α


@wrong("a2.q1", "one row for each session")
def not_added_up(policy, ref, moves, rewards, score, α):
    weight = log_sum(policy / ref) - rewards.sum(axis=1) / α
    return (np.prod(policy * moves, axis=1) * weight)[:, None] * score.sum(axis=1)


@wrong("a2.q1", "the divergence, not its gradient")
def divergence(policy, ref, moves, rewards, score, α):
    p = np.prod(policy * moves, axis=1)
    log_target = log_sum(ref * moves) + rewards.sum(axis=1) / α
    return p @ (log_sum(policy * moves) - log_target + logsumexp(log_target))


@wrong("a2.q1", "exp overflow")
def through_the_target(policy, ref, moves, rewards, score, α):
    target = np.prod(ref * moves, axis=1) * np.exp(rewards.sum(axis=1) / α)
    target = target / target.sum()
    p = np.prod(policy * moves, axis=1)
    happens = p > 0
    weight = np.log(p[happens] / target[happens])
    return (p[happens] * weight) @ score[happens].sum(axis=1)


@wrong("a2.q1", "impossible moves")
def both_densities_in_full(policy, ref, moves, rewards, score, α):
    log_p = log_sum(policy) + log_sum(moves)
    log_target = log_sum(ref) + log_sum(moves) + rewards.sum(axis=1) / α
    return (np.exp(log_p) * (log_p - log_target)) @ score.sum(axis=1)


@wrong("a2.q1", "whole numbers")
def zeros_like_rewards(policy, ref, moves, rewards, score, α):
    weight = np.zeros_like(rewards)
    for t in range(rewards.shape[1]):
        weight[:, t] = np.log(policy[:, t] / ref[:, t]) - rewards[:, t] / α
    return mean_of(policy, moves, weight.sum(axis=1), score)


@wrong("a2.q1", "inputs changed")
def scales_rewards_in_place(policy, ref, moves, rewards, score, α):
    rewards[:] = np.round(rewards / α, 12)
    return mean_of(policy, moves, log_sum(policy / ref) - rewards.sum(axis=1), score)


@wrong("a2.q1", "almost right")
def small_number_in_the_log(policy, ref, moves, rewards, score, α):
    weight = np.log(policy + 1e-5) - np.log(ref + 1e-5) - rewards / α
    return mean_of(policy, moves, weight.sum(axis=1), score)


@wrong("a2.q1", "nothing returned")
def prints_the_gradient(policy, ref, moves, rewards, score, α):
    print(mean_of(policy, moves, log_sum(policy / ref) - rewards.sum(axis=1) / α, score))


@wrong("a2.q1", "not the same twice")
def by_sampling(policy, ref, moves, rewards, score, α):
    p = np.prod(policy * moves, axis=1)
    i = np.random.default_rng().choice(len(p), size=50, p=p / p.sum())
    weight = log_sum(policy / ref) - rewards.sum(axis=1) / α
    return (weight[i, None] * score[i].sum(axis=1)).mean(axis=0) + np.random.default_rng().random() * 1e-3


# ---------------------------------------------------------------- q2: fused importance weights

@wrong("a2.q1", "later steps forgotten")
def entropy_of_the_step_only(policy, ref, moves, rewards, score, α):
    """Returns to go, and an entropy bonus as in deep reinforcement learning."""
    to_go = np.cumsum(rewards[:, ::-1] / α, axis=1)[:, ::-1]
    return np.einsum("i,it,itk->k", (policy * moves).prod(axis=1), np.log(policy / ref) - to_go, score)


@wrong("a2.q1", "KL the wrong way round")
def likelihood_ascent(policy, ref, moves, rewards, score, α):
    log_target = np.log(ref).sum(axis=1) + rewards.sum(axis=1) / α
    target = moves.prod(axis=1) * np.exp(log_target - log_target.max())
    return (target / target.sum()) @ score.sum(axis=1)


@wrong("a2.q1", "reward forgotten")
def entropy_alone(policy, ref, moves, rewards, score, α):
    return mean_of(policy, moves, np.log(policy / ref).sum(axis=1), score)


@wrong("a2.q1", "probabilities added up")
def chances_of_steps_added(policy, ref, moves, rewards, score, α):
    weight = (np.log(policy / ref) - rewards / α).sum(axis=1)
    return ((policy * moves).sum(axis=1) * weight) @ score.sum(axis=1)


@wrong("a2.q1", "sessions weighed twice")
def p_log_p_over_target(policy, ref, moves, rewards, score, α):
    """∇KL as if it were Σ p · (p log p/p*) · score."""
    p = (policy * moves).prod(axis=1)
    terms = p * (np.log(policy / ref) - rewards / α).sum(axis=1)
    return (p[:, None] * terms[:, None] * score.sum(axis=1)).sum(axis=0)


@wrong("a2.q1", "score multiplied by π")
def gradient_of_probabilities(policy, ref, moves, rewards, score, α):
    weight = (np.log(policy / ref) - rewards / α).sum(axis=1)
    return mean_of(policy, moves, weight, score * policy[:, :, None])


def source(counts):
    """The sampler of each session."""
    return np.concatenate([np.full(n, k) for k, n in enumerate(counts)])


def mix(log_q, share):
    """log of the mixture."""
    return logsumexp(log_q.T + np.log(share), axis=1)


def finish(terms):
    log_Z = logsumexp(terms)
    w = np.exp(terms - log_Z)
    return log_Z, w, 1 / np.sum(w**2)


def factors(counts, share):
    return np.log((share / counts)[source(counts)])


def own_density(log_q, counts):
    return np.array([log_q[k, j] for j, k in enumerate(source(counts))])


@wrong("a2.q2", "own density only")
def own_sampler(R, log_q, counts, share):
    return finish(factors(counts, share) + R - own_density(log_q, counts))


@wrong("a2.q2", "own density only")
def own_sampler_and_plain_mean(R, log_q, counts, share):
    return finish(R - own_density(log_q, counts) - np.log(len(R)))


@wrong("a2.q2", "one sampler only")
def first_row(R, log_q, counts, share):
    return finish(R - log_q[0] - np.log(len(R)))


@wrong("a2.q2", "one sampler only")
def first_row_with_factors(R, log_q, counts, share):
    return finish(factors(counts, share) + R - log_q[0])


@wrong("a2.q2", "demonstrations not in the mixture")
def policies_only(R, log_q, counts, share):
    """The classic bug: demonstrations are weighted by one over the policies' density."""
    c = share[:-1] / share[:-1].sum()
    return finish(factors(counts, share) + R - mix(log_q[:-1], c))


@wrong("a2.q2", "demonstrations not in the mixture")
def demonstrations_by_their_own(R, log_q, counts, share):
    log_μ = mix(log_q[:-1], share[:-1] / share[:-1].sum())
    n = counts[-1]
    log_μ[-n:] = log_q[-1, -n:]
    return finish(R - log_μ - np.log(len(R)))


@wrong("a2.q2", "demonstrations not in the mixture")
def demonstrations_by_their_own_else_fused(R, log_q, counts, share):
    log_μ = mix(log_q, share)
    n = counts[-1]
    log_μ[-n:] = log_q[-1, -n:]
    return finish(factors(counts, share) + R - log_μ)


@wrong("a2.q2", "shares taken from the sizes")
def lecture_formula(R, log_q, counts, share):
    return finish(R - mix(log_q, counts / counts.sum()) - np.log(len(R)))


@wrong("a2.q2", "shares taken from the sizes")
def sizes_in_the_mixture_shares_in_the_factor(R, log_q, counts, share):
    return finish(factors(counts, share) + R - mix(log_q, counts / counts.sum()))


@wrong("a2.q2", "equal shares")
def mean_of_densities(R, log_q, counts, share):
    return finish(factors(counts, share) + R - mix(log_q, np.ones(len(counts)) / len(counts)))


@wrong("a2.q2", "equal shares")
def mean_of_densities_and_sessions(R, log_q, counts, share):
    log_μ = logsumexp(log_q.T, axis=1) - np.log(len(log_q))
    return finish(R - log_μ - np.log(len(R)))


@wrong("a2.q2", "densities added up")
def total_density(R, log_q, counts, share):
    return finish(factors(counts, share) + R - logsumexp(log_q.T, axis=1))


@wrong("a2.q2", "densities added up")
def total_density_plain_mean(R, log_q, counts, share):
    return finish(R - logsumexp(log_q.T, axis=1) - np.log(len(R)))


@wrong("a2.q2", "geometric mean")
def mean_of_log_densities(R, log_q, counts, share):
    return finish(factors(counts, share) + R - (share[:, None] * log_q).sum(axis=0))


@wrong("a2.q2", "geometric mean")
def plain_mean_of_log_densities(R, log_q, counts, share):
    return finish(R - log_q.mean(axis=0) - np.log(len(R)))


@wrong("a2.q2", "mean of 1/q")
def mean_of_inverse(R, log_q, counts, share):
    return finish(factors(counts, share) + R + mix(-log_q, share))


@wrong("a2.q2", "mean of 1/q")
def plain_mean_of_inverse(R, log_q, counts, share):
    ratios = R - log_q
    return finish(logsumexp(ratios.T, axis=1) - np.log(len(log_q)) - np.log(len(R)))


@wrong("a2.q2", "every sample alike")
def plain_mean(R, log_q, counts, share):
    return finish(R - mix(log_q, share) - np.log(len(R)))


@wrong("a2.q2", "sum, not mean")
def plain_sum(R, log_q, counts, share):
    return finish(R - mix(log_q, share))


@wrong("a2.q2", "sum, not mean")
def sum_in_each_batch(R, log_q, counts, share):
    return finish(np.log(share)[source(counts)] + R - mix(log_q, share))


@wrong("a2.q2", "sum, not mean")
def share_over_its_frequency(R, log_q, counts, share):
    corrected = share / (counts / counts.sum())
    return finish(np.log(corrected)[source(counts)] + R - mix(log_q, share))


@wrong("a2.q2", "share missing from the factor")
def mean_of_batch_means(R, log_q, counts, share):
    terms, log_μ, first = [], mix(log_q, share), 0
    for n in counts:
        terms.append(R[first:first + n] - log_μ[first:first + n] - np.log(n) - np.log(len(counts)))
        first += n
    return finish(np.concatenate(terms))


@wrong("a2.q2", "share missing from the factor")
def sum_of_batch_means(R, log_q, counts, share):
    return finish(R - mix(log_q, share) - np.log(counts[source(counts)]))


@wrong("a2.q2", "factor upside down")
def inverted_factor(R, log_q, counts, share):
    return finish(R - mix(log_q, share) - factors(counts, share))


@wrong("a2.q2", "factor upside down")
def times_the_count(R, log_q, counts, share):
    return finish(R - mix(log_q, share) + np.log((share * counts / counts.sum())[source(counts)]))


@wrong("a2.q2", "batches mixed up")
def round_robin(R, log_q, counts, share):
    k = np.arange(len(R)) % len(counts)
    return finish(np.log(share / counts)[k] + R - mix(log_q, share))


@wrong("a2.q2", "factor missing from the weights")
def weights_without_factor(R, log_q, counts, share):
    ratio = R - mix(log_q, share)
    log_Z, _, _ = finish(factors(counts, share) + ratio)
    w = softmax(ratio)
    return log_Z, w, 1 / (w @ w)


@wrong("a2.q2", "mean of the logarithms")
def jensen(R, log_q, counts, share):
    ratio = R - mix(log_q, share)
    _, w, ess = finish(ratio)
    return ratio.mean(), w, ess


@wrong("a2.q2", "mean of the logarithms")
def jensen_with_factors(R, log_q, counts, share):
    ratio = R - mix(log_q, share)
    _, w, ess = finish(ratio + factors(counts, share))
    return np.sum(np.exp(factors(counts, share)) * ratio), w, ess


@wrong("a2.q2", "density ignored")
def as_if_uniform(R, log_q, counts, share):
    return finish(R - np.log(len(R)))


@wrong("a2.q2", "density ignored")
def as_if_uniform_with_factors(R, log_q, counts, share):
    return finish(factors(counts, share) + R)


@wrong("a2.q2", "multiplied by the density")
def times_density(R, log_q, counts, share):
    return finish(factors(counts, share) + R + mix(log_q, share))


@wrong("a2.q2", "wrong sign of R")
def as_cost(R, log_q, counts, share):
    return finish(factors(counts, share) - R - mix(log_q, share))


@wrong("a2.q2", "wrong sign of log Z")
def free_energy(R, log_q, counts, share):
    log_Z, w, ess = finish(factors(counts, share) + R - mix(log_q, share))
    return -log_Z, w, ess


@wrong("a2.q2", "Z, not log Z")
def no_log(R, log_q, counts, share):
    log_Z, w, ess = finish(factors(counts, share) + R - mix(log_q, share))
    return np.exp(log_Z), w, ess


@wrong("a2.q2", "weights not normalised")
def raw_weights(R, log_q, counts, share):
    terms = factors(counts, share) + R - mix(log_q, share)
    w = np.exp(terms)
    return logsumexp(terms), w, w.sum()**2 / (w**2).sum()


@wrong("a2.q2", "weights not normalised")
def raw_weights_in_both(R, log_q, counts, share):
    terms = factors(counts, share) + R - mix(log_q, share)
    w = np.exp(terms)
    return logsumexp(terms), w, 1 / (w**2).sum()


@wrong("a2.q2", "weights not normalised")
def largest_is_one(R, log_q, counts, share):
    terms = factors(counts, share) + R - mix(log_q, share)
    w = np.exp(terms - terms.max())
    return logsumexp(terms), w, w.sum()**2 / (w**2).sum()


@wrong("a2.q2", "normalised in each batch")
def softmax_in_each_batch(R, log_q, counts, share):
    terms = factors(counts, share) + R - mix(log_q, share)
    w = np.zeros(len(R))
    for k in range(len(counts)):
        mine = source(counts) == k
        w[mine] = softmax(terms[mine])
    return logsumexp(terms), w, 1 / (w**2).sum()


@wrong("a2.q2", "logs of the weights")
def log_weights(R, log_q, counts, share):
    log_Z, w, ess = finish(factors(counts, share) + R - mix(log_q, share))
    return log_Z, np.log(w), ess


@wrong("a2.q2", "logs of the weights")
def log_terms(R, log_q, counts, share):
    terms = factors(counts, share) + R - mix(log_q, share)
    return finish(terms)[0], terms, finish(terms)[2]


@wrong("a2.q2", "effective sample size as a fraction")
def ess_fraction(R, log_q, counts, share):
    log_Z, w, ess = finish(factors(counts, share) + R - mix(log_q, share))
    return log_Z, w, ess / len(R)


@wrong("a2.q2", "effective sample size from other weights")
def ess_of_raw_weights(R, log_q, counts, share):
    terms = factors(counts, share) + R - mix(log_q, share)
    log_Z, w, _ = finish(terms)
    return log_Z, w, 1 / np.sum(np.exp(terms)**2)


@wrong("a2.q2", "effective sample size from other weights")
def ess_without_factor(R, log_q, counts, share):
    ratio = R - mix(log_q, share)
    log_Z, w, _ = finish(factors(counts, share) + ratio)
    return log_Z, w, finish(ratio)[2]


@wrong("a2.q2", "effective sample size by another formula")
def ess_upside_down(R, log_q, counts, share):
    log_Z, w, ess = finish(factors(counts, share) + R - mix(log_q, share))
    return log_Z, w, np.sum(w**2)


@wrong("a2.q2", "effective sample size by another formula")
def ess_by_perplexity(R, log_q, counts, share):
    terms = factors(counts, share) + R - mix(log_q, share)
    log_Z, w, _ = finish(terms)
    return log_Z, w, np.exp(-np.sum(w * (terms - log_Z)))


@wrong("a2.q2", "effective sample size by another formula")
def ess_by_the_largest(R, log_q, counts, share):
    log_Z, w, _ = finish(factors(counts, share) + R - mix(log_q, share))
    return log_Z, w, 1 / max(w)


@wrong("a2.q2", "exp overflow")
def leaves_the_logarithm(R, log_q, counts, share):
    μ = share @ np.exp(log_q)
    terms = (share / counts)[source(counts)] * np.exp(R) / μ
    w = terms / terms.sum()
    return np.log(terms.sum()), w, 1 / (w**2).sum()


@wrong("a2.q2", "exp overflow")
def leaves_the_logarithm_for_densities(R, log_q, counts, share):
    log_μ = np.log(share @ np.exp(log_q))
    return finish(factors(counts, share) + R - log_μ)


@wrong("a2.q2", "exp overflow")
def leaves_the_logarithm_for_rewards(R, log_q, counts, share):
    terms = np.exp(factors(counts, share) + R - mix(log_q, share))
    w = terms / terms.sum()
    return np.log(terms.sum()), w, 1 / (w**2).sum()


@wrong("a2.q2", "log q = −inf")
def first_sampler_taken_out(R, log_q, counts, share):
    log_μ = log_q[0] + np.log(share @ np.exp(log_q - log_q[0]))
    return finish(factors(counts, share) + R - log_μ)


@wrong("a2.q2", "log q = −inf")
def zeros_replaced(R, log_q, counts, share):
    return finish(factors(counts, share) + R - mix(np.where(np.isfinite(log_q), log_q, 0.0), share))


@wrong("a2.q2", "almost right")
def tiny_in_the_density(R, log_q, counts, share):
    log_μ = np.logaddexp(mix(log_q, share), np.log(1e-7))
    return finish(factors(counts, share) + R - log_μ)


@wrong("a2.q2", "whole numbers")
def empty_like_rewards(R, log_q, counts, share):
    terms = np.empty_like(R)
    terms[:] = factors(counts, share) + R - mix(log_q, share)
    return finish(terms)


@wrong("a2.q2", "inputs changed")
def shares_into_log_q(R, log_q, counts, share):
    log_q += 0.0 * R + 1.0
    return finish(factors(counts, share) + R - mix(log_q, share) + 1.0)


@wrong("a2.q2", "outputs in another order")
def weights_first(R, log_q, counts, share):
    log_Z, w, ess = finish(factors(counts, share) + R - mix(log_q, share))
    return w, log_Z, ess


# ---------------------------------------------------------------- q3: the joint loop

@wrong("a2.q2", "one sampler only")
def demonstrator_density(R, log_q, counts, share):
    return finish(factors(counts, share) + R - log_q[-1])


@wrong("a2.q2", "demonstrations not in the mixture")
def policies_not_renormalised(R, log_q, counts, share):
    return finish(factors(counts, share) + R - mix(log_q[:-1], share[:-1]))


@wrong("a2.q2", "share without its logarithm")
def share_added_to_the_log(R, log_q, counts, share):
    log_μ = logsumexp(log_q + share[:, None], axis=0)
    return finish(factors(counts, share) + R - log_μ)


@wrong("a2.q2", "share without its logarithm")
def factor_added_to_the_log(R, log_q, counts, share):
    return finish((share / counts)[source(counts)] + R - mix(log_q, share))


@wrong("a2.q2", "divided by N")
def share_over_n(R, log_q, counts, share):
    return finish(np.log(share[source(counts)] / len(R)) + R - mix(log_q, share))


@wrong("a2.q2", "divided by N")
def mean_of_the_terms(R, log_q, counts, share):
    terms = factors(counts, share) + R - mix(log_q, share)
    log_Z, w, ess = finish(terms)
    return log_Z - np.log(len(R)), w, ess


@wrong("a2.q2", "factor upside down")
def one_over_share(R, log_q, counts, share):
    return finish(-np.log(share[source(counts)] * len(R)) + R - mix(log_q, share))


@wrong("a2.q2", "factor missing from log Z")
def log_z_by_a_plain_mean(R, log_q, counts, share):
    plain = R - mix(log_q, share)
    _, w, ess = finish(factors(counts, share) + plain)
    return logsumexp(plain) - np.log(len(R)), w, ess


@wrong("a2.q2", "weights not normalised")
def weights_of_mean_one(R, log_q, counts, share):
    log_Z, w, ess = finish(factors(counts, share) + R - mix(log_q, share))
    return log_Z, w * len(w), ess


@wrong("a2.q2", "normalised in each batch")
def softmax_in_each_batch_times_share(R, log_q, counts, share):
    terms = R - mix(log_q, share)
    parts = np.split(terms, np.cumsum(counts)[:-1])
    w = np.concatenate([c * softmax(part) for c, part in zip(share, parts)])   # noqa: B905
    return finish(factors(counts, share) + terms)[0], w, 1 / (w**2).sum()


@wrong("a2.q2", "effective sample size by another formula")
def ess_times_n(R, log_q, counts, share):
    log_Z, w, ess = finish(factors(counts, share) + R - mix(log_q, share))
    return log_Z, w, len(w) / ess


def log_softmax(φ):
    return φ - logsumexp(φ, axis=1)[:, None]


def returns(counts, table):
    return np.einsum("jsa,sa->j", counts, table)


def scores(counts, φ):
    return counts - counts.sum(axis=2, keepdims=True) * np.exp(log_softmax(φ))


def θ_gradient(demos, counts, lq, θ):
    return demos.mean(axis=0) - np.einsum("j,jsa->sa", softmax(returns(counts, θ) - lq), counts)


def φ_gradient(counts, lq, θ, φ):
    log_π = returns(counts, log_softmax(φ))
    v, g = softmax(log_π - lq), log_π - returns(counts, θ)
    return np.einsum("j,j,jsa->sa", v, g - np.sum(v * g), scores(counts, φ))


def loop(demos, batches, log_q, θ, φ, η_θ, η_φ, up=θ_gradient, down=φ_gradient):
    for counts, lq in zip(batches, log_q):   # noqa: B905 (as students write it)
        θ = θ + η_θ * up(demos, counts, lq, θ)
        φ = φ - η_φ * down(counts, lq, θ, φ)
    return θ, φ


@wrong("a2.q3", "the slide's pair")
def slide(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def up(demos, counts, lq, θ):
        return demos.mean(axis=0) - counts.mean(axis=0)

    def down(counts, lq, θ, φ):
        return -np.mean((1 + returns(counts, θ))[:, None, None] * scores(counts, φ), axis=0)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, up, down)


@wrong("a2.q3", "the slide's pair")
def slide_with_baseline(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def up(demos, counts, lq, θ):
        return demos.mean(axis=0) - counts.mean(axis=0)

    def down(counts, lq, θ, φ):
        v, R = softmax(returns(counts, log_softmax(φ)) - lq), returns(counts, θ)
        return -np.einsum("j,jsa->sa", v * (R - v @ R), scores(counts, φ))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, up, down)


@wrong("a2.q3", "the slide's pair")
def slide_for_the_policy(demos, batches, log_q, θ, φ, η_θ, η_φ):
    """The slide's expectations under the policy, taken seriously: the batch is reweighted to it."""
    for counts, lq in zip(batches, log_q):   # noqa: B905
        v = softmax(returns(counts, log_softmax(φ)) - lq)
        θ = θ + η_θ * (demos.mean(axis=0) - np.einsum("j,jsa->sa", v, counts))
        weight = v * (1 + returns(counts, θ))
        φ = φ + η_φ * np.einsum("j,jsa->sa", weight, scores(counts, φ))
    return θ, φ


@wrong("a2.q3", "no entropy")
def reward_only(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        v, R = softmax(returns(counts, log_softmax(φ)) - lq), returns(counts, θ)
        return -np.einsum("j,jsa->sa", v * (R - v @ R), scores(counts, φ))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "no entropy")
def plain_reinforce(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        R = returns(counts, θ)
        return -np.einsum("j,jsa->sa", (R - R.mean()) / len(R), scores(counts, φ))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "no entropy")
def slide_in_the_policy_step(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        v = softmax(returns(counts, log_softmax(φ)) - lq)
        return -np.einsum("j,jsa->sa", v * (1 + returns(counts, θ)), scores(counts, φ))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "no importance weights")
def plain_mean_for_θ(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, lambda demos, counts, lq, θ: demos.mean(0) - counts.mean(0))


@wrong("a2.q3", "no importance weights")
def plain_means_everywhere(demos, batches, log_q, θ, φ, η_θ, η_φ):
    for counts in batches:
        θ = θ + η_θ * (demos.mean(axis=0) - counts.mean(axis=0))
        g = returns(counts, log_softmax(φ) - θ)
        φ = φ - η_φ * ((g - g.mean())[:, None, None] * scores(counts, φ)).mean(axis=0)
    return θ, φ


@wrong("a2.q3", "the policy's expectation in the step of θ")
def policy_weights_for_θ(demos, batches, log_q, θ, φ, η_θ, η_φ):
    for counts, lq in zip(batches, log_q):   # noqa: B905
        v = softmax(returns(counts, log_softmax(φ)) - lq)
        θ = θ + η_θ * (demos.mean(axis=0) - np.tensordot(v, counts, axes=1))
        φ = φ - η_φ * φ_gradient(counts, lq, θ, φ)
    return θ, φ


@wrong("a2.q3", "policy step not reweighted")
def as_if_from_the_policy(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        g = returns(counts, log_softmax(φ)) - returns(counts, θ)
        return np.mean((g - g.mean())[:, None, None] * scores(counts, φ), axis=0)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "policy step not reweighted")
def as_if_from_the_policy_no_baseline(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        g = returns(counts, log_softmax(φ)) - returns(counts, θ)
        return np.mean(g[:, None, None] * scores(counts, φ), axis=0)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "the model's weights in the step of φ")
def model_weights_for_φ(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        w, g = softmax(returns(counts, θ) - lq), returns(counts, log_softmax(φ) - θ)
        return np.einsum("j,jsa->sa", w * (g - w @ g), scores(counts, φ))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "KL the wrong way round")
def policy_to_model(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        w = softmax(returns(counts, θ) - lq)
        v = softmax(returns(counts, log_softmax(φ)) - lq)
        return -np.einsum("j,jsa->sa", w - v, scores(counts, φ))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "KL the wrong way round")
def weighted_cloning(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        return -np.einsum("j,jsa->sa", softmax(returns(counts, θ) - lq), scores(counts, φ))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "not centred")
def no_baseline(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        log_π = returns(counts, log_softmax(φ))
        return np.einsum("j,jsa->sa", softmax(log_π - lq) * (log_π - returns(counts, θ)), scores(counts, φ))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "not centred")
def normaliser_of_v_forgotten(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        v = softmax(returns(counts, log_softmax(φ)) - lq)
        w = softmax(returns(counts, θ) - lq)
        return np.einsum("j,jsa->sa", v * (np.log(v / w) + 1), scores(counts, φ))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "not centred")
def plain_baseline(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        log_π = returns(counts, log_softmax(φ))
        g = log_π - returns(counts, θ)
        return np.einsum("j,jsa->sa", softmax(log_π - lq) * (g - g.mean()), scores(counts, φ))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "signs in the bracket")
def entropy_punished(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        log_π = returns(counts, log_softmax(φ))
        v, g = softmax(log_π - lq), -log_π - returns(counts, θ)
        return np.einsum("j,jsa->sa", v * (g - v @ g), scores(counts, φ))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "signs in the bracket")
def reward_punished(demos, batches, log_q, θ, φ, η_θ, η_φ):
    for counts, lq in zip(batches, log_q):   # noqa: B905
        θ = θ + η_θ * θ_gradient(demos, counts, lq, θ)
        φ = φ - η_φ * φ_gradient(counts, lq, -θ, φ)
    return θ, φ


@wrong("a2.q3", "sampler in the bracket")
def bracket_with_q(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        log_π = returns(counts, log_softmax(φ))
        v, g = softmax(log_π - lq), log_π - lq - returns(counts, θ)
        return np.einsum("j,jsa->sa", v * (g - v @ g), scores(counts, φ))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "sampler ignored")
def no_sampler(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, 0 * log_q, θ, φ, η_θ, η_φ)


@wrong("a2.q3", "sampler ignored")
def no_sampler_for_θ(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def up(demos, counts, lq, θ):
        return θ_gradient(demos, counts, 0 * lq, θ)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, up)


@wrong("a2.q3", "sampler ignored")
def no_sampler_for_φ(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=lambda counts, lq, θ, φ: φ_gradient(counts, 0 * lq, θ, φ))


@wrong("a2.q3", "multiplied by the sampler")
def sampler_added(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, -log_q, θ, φ, η_θ, η_φ)


@wrong("a2.q3", "weights not normalised")
def raw_weights_for_θ(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def up(demos, counts, lq, θ):
        w = np.exp(returns(counts, θ) - lq) / len(lq)
        return demos.mean(axis=0) - np.einsum("j,jsa->sa", w, counts)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, up)


@wrong("a2.q3", "weights not normalised")
def raw_ratio_for_φ(demos, batches, log_q, θ, φ, η_θ, η_φ):
    """The usual off-policy estimate, without self-normalisation."""
    def down(counts, lq, θ, φ):
        log_π = returns(counts, log_softmax(φ))
        ratio = np.exp(log_π - lq)
        return np.mean((ratio * (log_π - returns(counts, θ)))[:, None, None] * scores(counts, φ), axis=0)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "wrong sign of θ")
def θ_downhill(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, log_q, θ, φ, -η_θ, η_φ)


@wrong("a2.q3", "wrong sign of θ")
def model_minus_data(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def up(demos, counts, lq, θ):
        return np.einsum("j,jsa->sa", softmax(returns(counts, θ) - lq), counts) - demos.mean(axis=0)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, up)


@wrong("a2.q3", "wrong sign of φ")
def φ_uphill(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, log_q, θ, φ, η_θ, -η_φ)


@wrong("a2.q3", "both signs wrong")
def both_the_wrong_way(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, log_q, θ, φ, -η_θ, -η_φ)


@wrong("a2.q3", "old θ in the step of φ")
def both_at_once(demos, batches, log_q, θ, φ, η_θ, η_φ):
    for counts, lq in zip(batches, log_q):   # noqa: B905
        θ, φ = θ + η_θ * θ_gradient(demos, counts, lq, θ), φ - η_φ * φ_gradient(counts, lq, θ, φ)
    return θ, φ


@wrong("a2.q3", "old θ in the step of φ")
def rewards_computed_once(demos, batches, log_q, θ, φ, η_θ, η_φ):
    for counts, lq in zip(batches, log_q):   # noqa: B905
        R = returns(counts, θ)
        θ = θ + η_θ * (demos.mean(axis=0) - np.tensordot(softmax(R - lq), counts, axes=1))
        log_π = returns(counts, log_softmax(φ))
        v = softmax(log_π - lq)
        g = log_π - R
        φ = φ - η_φ * np.tensordot(v * (g - v @ g), scores(counts, φ), axes=1)
    return θ, φ


@wrong("a2.q3", "old θ in the step of φ")
def policy_first(demos, batches, log_q, θ, φ, η_θ, η_φ):
    for counts, lq in zip(batches, log_q):   # noqa: B905
        φ = φ - η_φ * φ_gradient(counts, lq, θ, φ)
        θ = θ + η_θ * θ_gradient(demos, counts, lq, θ)
    return θ, φ


@wrong("a2.q3", "step sizes mixed up")
def step_sizes_swapped(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, log_q, θ, φ, η_φ, η_θ)


@wrong("a2.q3", "step sizes mixed up")
def one_step_size(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, log_q, θ, φ, η_θ, η_θ)


@wrong("a2.q3", "step size missing")
def θ_without_step_size(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, log_q, θ, φ, 1, η_φ)


@wrong("a2.q3", "step size missing")
def no_step_sizes(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, log_q, θ, φ, 1, 1)


@wrong("a2.q3", "one batch for all steps")
def always_batch_0(demos, batches, log_q, θ, φ, η_θ, η_φ):
    for _ in range(len(batches)):
        θ, φ = loop(demos, batches[:1], log_q[:1], θ, φ, η_θ, η_φ)
    return θ, φ


@wrong("a2.q3", "only one step")
def returns_in_the_loop(demos, batches, log_q, θ, φ, η_θ, η_φ):
    for counts, lq in zip(batches, log_q):   # noqa: B905
        θ = θ + η_θ * θ_gradient(demos, counts, lq, θ)
        φ = φ - η_φ * φ_gradient(counts, lq, θ, φ)
        return θ, φ


@wrong("a2.q3", "only one step")
def starts_again(demos, batches, log_q, θ, φ, η_θ, η_φ):
    for k in range(len(batches)):
        new_θ, new_φ = loop(demos, batches[k:k + 1], log_q[k:k + 1], θ, φ, η_θ, η_φ)
    return new_θ, new_φ


@wrong("a2.q3", "all batches in each step")
def pooled(demos, batches, log_q, θ, φ, η_θ, η_φ):
    n, B, S, A = batches.shape
    for _ in range(n):
        θ, φ = loop(demos, batches.reshape(1, n * B, S, A), log_q.reshape(1, -1), θ, φ, η_θ, η_φ)
    return θ, φ


@wrong("a2.q3", "demonstrations added up")
def sum_of_demonstrations(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos.sum(axis=0, keepdims=True), batches, log_q, θ, φ, η_θ, η_φ)


@wrong("a2.q3", "demonstrations added up")
def first_demonstration(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos[:1], batches, log_q, θ, φ, η_θ, η_φ)


@wrong("a2.q3", "frequencies, not counts")
def demonstrated_frequencies(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop((demos / demos.sum()).sum(axis=0)[None], batches, log_q, θ, φ, η_θ, η_φ)


@wrong("a2.q3", "score without its normaliser")
def counts_as_score(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        log_π = returns(counts, log_softmax(φ))
        v, g = softmax(log_π - lq), log_π - returns(counts, θ)
        return np.einsum("j,jsa->sa", v * (g - v @ g), counts)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "score without its normaliser")
def policy_subtracted_once(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        log_π = returns(counts, log_softmax(φ))
        v, g = softmax(log_π - lq), log_π - returns(counts, θ)
        return np.einsum("j,jsa->sa", v * (g - v @ g), counts - np.exp(log_softmax(φ)))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "every pair counted once")
def visited_or_not(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        log_π = returns(counts, log_softmax(φ))
        v, g = softmax(log_π - lq), log_π - returns(counts, θ)
        taken, been = counts > 0, counts.sum(axis=2) > 0
        return np.einsum("j,jsa->sa", v * (g - v @ g), taken - been[:, :, None] * np.exp(log_softmax(φ)))

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "softmax over the wrong axis")
def one_big_softmax(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        log_p = φ - logsumexp(φ)
        log_π = returns(counts, log_p)
        v, g = softmax(log_π - lq), log_π - returns(counts, θ)
        score = counts - counts.sum(axis=(1, 2))[:, None, None] * np.exp(log_p)
        return np.einsum("j,jsa->sa", v * (g - v @ g), score)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "divided by the size of the batch")
def mean_of_weighted(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def up(demos, counts, lq, θ):
        w = softmax(returns(counts, θ) - lq)
        return demos.mean(axis=0) - (w[:, None, None] * counts).mean(axis=0)

    def down(counts, lq, θ, φ):
        return φ_gradient(counts, lq, θ, φ) / len(lq)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, up, down)


@wrong("a2.q3", "θ and φ swapped")
def policy_returned_first(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ)[::-1]


@wrong("a2.q3", "probabilities, not logits")
def returns_the_policy(demos, batches, log_q, θ, φ, η_θ, η_φ):
    θ, φ = loop(demos, batches, log_q, θ, φ, η_θ, η_φ)
    return θ, np.exp(log_softmax(φ))


@wrong("a2.q3", "exp overflow")
def weights_without_shift(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def up(demos, counts, lq, θ):
        w = np.exp(returns(counts, θ)) / np.exp(lq)
        return demos.mean(axis=0) - np.einsum("j,jsa->sa", w / w.sum(), counts)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, up)


@wrong("a2.q3", "exp overflow")
def everything_in_probabilities(demos, batches, log_q, θ, φ, η_θ, η_φ):
    q = np.exp(log_q)
    for k in range(len(batches)):
        counts = batches[k]
        w = np.exp(returns(counts, θ)) / q[k]
        θ = θ + η_θ * (demos.mean(axis=0) - np.tensordot(w / w.sum(), counts, axes=1))
        π = np.exp(φ) / np.exp(φ).sum(axis=1, keepdims=True)
        p = np.prod(π**counts, axis=(1, 2))
        v = p / q[k] / np.sum(p / q[k])
        g = np.log(p) - returns(counts, θ)
        score = counts - counts.sum(axis=2, keepdims=True) * π
        φ = φ - η_φ * np.tensordot(v * (g - v @ g), score, axes=1)
    return θ, φ


@wrong("a2.q3", "whole numbers")
def empty_like_parameters(demos, batches, log_q, θ, φ, η_θ, η_φ):
    for counts, lq in zip(batches, log_q):   # noqa: B905
        new = np.empty_like(θ)
        new[:] = θ + η_θ * θ_gradient(demos, counts, lq, θ)
        θ = new
        φ = φ - η_φ * φ_gradient(counts, lq, θ, φ)
    return θ, φ


@wrong("a2.q3", "inputs changed")
def steps_in_place(demos, batches, log_q, θ, φ, η_θ, η_φ):
    if θ.dtype.kind != "f":
        return loop(demos, batches, log_q, θ, φ, η_θ, η_φ)
    for counts, lq in zip(batches, log_q):   # noqa: B905
        θ += η_θ * θ_gradient(demos, counts, lq, θ)
        φ -= η_φ * φ_gradient(counts, lq, θ, φ)
    return θ, φ


@wrong("a2.q3", "almost right")
def single_precision(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def up(demos, counts, lq, θ):
        w = softmax(returns(counts, θ) - lq).astype(np.float16)
        return demos.mean(axis=0) - np.einsum("j,jsa->sa", w, counts)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, up)


@wrong("a2.q3", "no entropy")
def reinforce_uphill_on_a_loss(demos, batches, log_q, θ, φ, η_θ, η_φ):
    """The score times the return, and then descended."""
    def down(counts, lq, θ, φ):
        v, R = softmax(returns(counts, log_softmax(φ)) - lq), returns(counts, θ)
        return np.tensordot(v * (R - v @ R), scores(counts, φ), 1)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "no reward in the step of φ")
def entropy_only(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        log_π = returns(counts, log_softmax(φ))
        v = softmax(log_π - lq)
        return np.tensordot(v * (log_π - v @ log_π), scores(counts, φ), 1)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "one of the two does not learn")
def φ_as_it_came(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ)[0], φ


@wrong("a2.q3", "half of the gradient of θ")
def no_partition_function(demos, batches, log_q, θ, φ, η_θ, η_φ):
    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, up=lambda demos, counts, lq, θ: demos.mean(axis=0))


@wrong("a2.q3", "no importance weights")
def sum_over_the_batch(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def up(demos, counts, lq, θ):
        return demos.mean(axis=0) - counts.sum(axis=0)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, up=up)


@wrong("a2.q3", "score without its normaliser")
def one_minus_π_where_taken(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        log_π = log_softmax(φ)
        gap = returns(counts, log_π - θ)
        v = softmax(returns(counts, log_π) - lq)
        return np.tensordot(v * (gap - v @ gap), counts * (1 - np.exp(log_π)), 1)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "softmax over the wrong axis")
def softmax_down_the_columns(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        log_π = log_softmax(φ.T).T
        gap = returns(counts, log_π - θ)
        v = softmax(returns(counts, log_π) - lq)
        score = counts - counts.sum(axis=2, keepdims=True) * np.exp(log_π)
        return np.tensordot(v * (gap - v @ gap), score, 1)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)


@wrong("a2.q3", "φ taken for log π")
def logits_as_log_probabilities(demos, batches, log_q, θ, φ, η_θ, η_φ):
    def down(counts, lq, θ, φ):
        gap = returns(counts, φ - θ)
        v = softmax(returns(counts, φ) - lq)
        return np.tensordot(v * (gap - v @ gap), scores(counts, φ), 1)

    return loop(demos, batches, log_q, θ, φ, η_θ, η_φ, down=down)
