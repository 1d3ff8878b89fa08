"""a3.q1: The discriminator of guided cost learning, with batches of unequal sizes."""

from __future__ import annotations

import numpy as np

from course_utils.checks.common import ALMOST, HUGE, SATURATED, TRUNCATED, WHOLE, rewards
from course_utils.checks.core import Case, Mistake, Output, Question
from course_utils.checks.oracles import complex_step, log_sigmoid, log_total


def instance(R_expert, log_q_expert, R_policy, log_q_policy, log_Z, note=""):
    args = dict(R_expert=R_expert, log_q_expert=log_q_expert, R_policy=R_policy, log_q_policy=log_q_policy, log_Z=log_Z)
    return Case(args, q1()(**args), note)


def cases(rng):
    def world(n, m):
        log_q = rng.uniform(-4, -0.5, n + m).round(2)
        log_Z = float((rng.choice([-1, 1]) * rng.uniform(0.5, 2)).round(2))
        return [rewards(rng, n) + 1, log_q[:n], rewards(rng, m) - 1, log_q[n:], log_Z]

    cases = [instance(*world(*size)) for size in [(1, 2), (3, 1), (2, 4), (5, 3), (3, 7)]]
    R, log_q, R_policy, log_q_policy, log_Z = world(3, 5)
    whole = [rng.integers(-3, 4, size=k) for k in (3, 3, 5, 5)]
    level = 1000 * np.array([1, -1, 0, 1, -1])
    cases += [
        instance(*whole, int(rng.choice([-2, -1, 1, 2])), f"{WHOLE}"),
        instance(R - 1000, log_q - 1000, R_policy - 1000, log_q_policy - 1000, log_Z, f"{HUGE}: long trajectories"),
        instance(R + level[:3], log_q, R_policy + level, log_q_policy, log_Z, f"{HUGE}, different in each trajectory"),
    ]
    return cases


def weights(R, log_q, log_Z, n, m):
    """How much the experts and how much the policy put on a trajectory, as logarithms."""
    return np.log(n) + R - log_Z, np.log(m) + log_q


def total(expert, policy):
    """The sum in equation (2), from (log D, log(1 − D)) of both batches."""
    return -expert[0].sum(-1) - policy[1].sum(-1)


def size(batch):
    return batch[0].shape[-1]


def mean_loss(expert, policy):
    return total(expert, policy) / (size(expert) + size(policy))


def q1(
    weigh=weights,
    loss=mean_loss,
    generator=lambda yes, no: no - yes,
    belief=lambda yes, no: np.exp(yes),
    after=lambda *outputs: outputs,
    **change,
):
    """The oracle, or something wrong: the weights, a loss, an outcome, or an argument.

    A batch is (log D, log(1 − D)) of its trajectories: the logs of the two shares in the sum of the weights.
    """

    def gives(**x):
        x = x | {k: f(x) for k, f in change.items()}
        R, log_q, R_π, log_q_π, log_Z = (np.asarray(x[k], dtype=float) for k in ARGUMENTS)

        def batches(log_Z):
            pairs = [weigh(*batch, log_Z, len(R), len(R_π)) for batch in ((R, log_q), (R_π, log_q_π))]
            return [(log_sigmoid(a - b), log_sigmoid(b - a)) for a, b in pairs]

        expert, policy = batches(log_Z)
        slope = complex_step(lambda log_Z: loss(*batches(log_Z)), log_Z[None])[0]
        return after(belief(*expert), belief(*policy), generator(*policy), slope)

    return gives


# What goes wrong, from the most to the least specific, recomputed from the slow oracle.


def either_sign(**wrong):
    """Something wrong, with the slope that follows from it, or the opposite one, derived from what is right."""
    return q1(**wrong), q1(**wrong, after=flipped)


def flipped(D_E, D_π, g, slope):
    return D_E, D_π, g, -slope


def slope_of(*losses):
    """The slope of another loss, with this sign or the other."""
    return tuple(gives for loss in losses for gives in either_sign(loss=loss))


def of_experts(expert, policy):
    return -expert[0].sum(-1)


def of_samples(expert, policy):
    return -policy[1].sum(-1)


def each_its_mean(expert, policy):
    return -expert[0].mean(-1) - policy[1].mean(-1)


def without_logs(expert, policy):
    return mean_loss([np.exp(x) for x in expert], [np.exp(x) for x in policy])


def over(number, loss):
    return lambda E, Π: loss(E, Π) / number(size(E), size(Π))


def generator_with(more):
    """The generator's loss with something added, and all else right."""

    def gives(**x):
        D_E, D_π, g, slope = q1()(**x)
        return D_E, D_π, g + more(x), slope

    return gives


def residuals_swapped(sign, **x):
    D_E, D_π, g, _ = q1()(**x)
    return D_E, D_π, g, sign * (D_E.sum() - (1 - D_π).sum()) / (len(D_E) + len(D_π))


def pooled(*names):
    return lambda x: log_total(np.concatenate([x[k] for k in names]))


MISTAKES = (
    ALMOST,
    TRUNCATED,
    SATURATED,
    Mistake(
        "batch sizes ignored",
        "p̃/(p̃ + q) is right if there are as many demonstrations as samples. Here a trajectory picked at random from "
        "both batches is a demonstration with probability N_E/(N_E + N_π) before one looks at it: Bayes.",
        (
            *either_sign(weigh=lambda R, log_q, log_Z, n, m: weights(R, log_q, log_Z, 1, 1)),
            *either_sign(weigh=lambda R, log_q, log_Z, n, m: weights(R, log_q, log_Z, 1, 1), loss=each_its_mean),
        ),
    ),
    Mistake(
        "batch sizes the wrong way round",
        "The more demonstrations there are, the more likely is an expert: N_E belongs to p̃, N_π to q.",
        either_sign(weigh=lambda R, log_q, log_Z, n, m: weights(R, log_q, log_Z, m, n)),
    ),
    Mistake(
        "one batch size only",
        "In (1) both explanations are weighed by the size of their batch: N_E multiplies p̃ and N_π multiplies q.",
        (
            *either_sign(weigh=lambda R, log_q, log_Z, n, m: weights(R, log_q, log_Z, n, 1)),
            *either_sign(weigh=lambda R, log_q, log_Z, n, m: weights(R, log_q, log_Z, 1, m)),
            *either_sign(weigh=lambda R, log_q, log_Z, n, m: weights(R, log_q, log_Z, n / (n + m), 1)),
        ),
    ),
    Mistake(
        "sizes without their logarithm",
        "In the logit a factor becomes a summand: log(N_E p̃) = log N_E + log p̃.",
        either_sign(weigh=lambda R, log_q, log_Z, n, m: weights(R + n / m, log_q, log_Z, 1, 1)),
    ),
    Mistake(
        "q missing",
        "What else could have made this trajectory? D compares p̃ with the density q of the policy's samples; without "
        "q it is a classifier with the reward as its logit.",
        either_sign(weigh=lambda R, log_q, log_Z, n, m: weights(R, 0 * log_q, log_Z, n, m)),
    ),
    Mistake(
        "q multiplied",
        "The policy's samples are the *other* explanation: a trajectory that the policy makes often looks less like an "
        "expert's. What is the sign of log q in log(p̃/q)?",
        either_sign(weigh=lambda R, log_q, log_Z, n, m: weights(R, -log_q, log_Z, n, m)),
    ),
    Mistake(
        "Z missing",
        "e^R is not a density. p̃ = e^R / Z, and log Z is an argument.",
        either_sign(log_Z=lambda x: 0.0),
    ),
    Mistake(
        "Z taken for log Z",
        "The argument is log Z, the number that is subtracted from R: it needs no logarithm and no exponential.",
        either_sign(log_Z=lambda x: np.exp(x["log_Z"])),
    ),
    Mistake("sign of log Z", "p̃ = e^R / Z: what becomes of log Z in log p̃?", either_sign(log_Z=lambda x: -x["log_Z"])),
    Mistake(
        "normalised over the batch",
        "You divide e^R by its sum over a batch. Z is a sum over *all* trajectories, not over those at hand; here it "
        "is a parameter of the discriminator, given as log Z.",
        (
            *either_sign(log_Z=pooled("R_expert", "R_policy")),
            *either_sign(log_Z=pooled("R_policy")),
            *either_sign(log_Z=pooled("R_expert")),
        ),
    ),
    Mistake(
        "labels swapped",
        "Here D → 1 is the *expert*: D is the share of p̃. (In GAIL's paper it is the other way round.)",
        (
            *either_sign(weigh=lambda *x: weights(*x)[::-1]),
            *either_sign(belief=lambda yes, no: np.exp(no)),
            *either_sign(weigh=lambda *x: weights(*x)[::-1], generator=lambda yes, no: yes - no),
        ),
    ),
    Mistake(
        "logit, not D",
        "Return the probability, σ(logit).",
        either_sign(belief=lambda yes, no: yes - no),
    ),
    Mistake("log D, not D", "Return the probability, not its logarithm.", either_sign(belief=lambda yes, no: yes)),
    Mistake(
        "sign of the generator's loss",
        "The generator *descends* its loss, and wants to be taken for the expert: where D is large the loss is small.",
        q1(generator=lambda yes, no: yes - no),
    ),
    Mistake(
        "half of the generator's loss",
        "log(1 − D) alone is the loss of the first GANs, −log D alone the other usual one. Only their sum is "
        "log q − log p̃ up to a constant, so only with it does the policy minimise a KL divergence.",
        tuple(
            q1(generator=f)
            for f in (
                lambda yes, no: -yes,
                lambda yes, no: no,
                lambda yes, no: -no,
                lambda yes, no: yes,
            )
        ),
    ),
    Mistake(
        "generator's loss incomplete",
        "log(1 − D) − log D with the D of (1): its logit holds log Z and the sizes too. (For the policy's gradient "
        "they are only a baseline; the question asks for the loss.)",
        (
            generator_with(lambda x: np.log(len(x["R_expert"]) / len(x["R_policy"]))),
            generator_with(lambda x: -x["log_Z"]),
            generator_with(lambda x: np.log(len(x["R_expert"]) / len(x["R_policy"])) - x["log_Z"]),
        ),
    ),
    Mistake(
        "D and the generator's loss swapped",
        "Return (D of the demonstrations, D of the samples, the generator's loss, the slope).",
        q1(after=lambda D_E, D_π, g, slope: (D_E, g, D_π, slope)),
    ),
    Mistake(
        "generator's loss averaged",
        "One number for each of the policy's trajectories: the policy gradient will weigh them one by one.",
        (
            q1(after=lambda D_E, D_π, g, slope: (D_E, D_π, g.mean(), slope)),
            q1(after=lambda D_E, D_π, g, slope: (D_E, D_π, g.sum(), slope)),
        ),
    ),
    Mistake(
        "generator's loss of the demonstrations",
        "The generator is asked about what it made: the policy's trajectories, not the demonstrations.",
        lambda **x: (*q1()(**x)[:2], np.log(1 / q1()(**x)[0] - 1), q1()(**x)[3]),
    ),
    Mistake(
        "sign of the slope",
        "Raise log Z a little: every D falls. What does that do to −log D of a demonstration, what to −log(1 − D) of a "
        "sample?",
        (
            q1(after=flipped),
            *slope_of(lambda E, Π: of_experts(E, Π) / (size(E) + size(Π)) - of_samples(E, Π) / (size(E) + size(Π))),
        ),
    ),
    Mistake(
        "σ and 1 − σ swapped",
        "The derivative of log σ(x) is 1 − σ(x), that of log(1 − σ(x)) is −σ(x): a trajectory that D takes for what it "
        "is pulls no more.",
        tuple(lambda sign=sign, **x: residuals_swapped(sign, **x) for sign in (1.0, -1.0)),
    ),
    Mistake(
        "sum, not mean",
        "The loss is a mean over all N_E + N_π trajectories.",
        slope_of(total, over(lambda n, m: n, total), over(lambda n, m: m, total)),
    ),
    Mistake(
        "a mean for each batch",
        "In (2) every *trajectory* counts alike, so the larger batch counts more. Two means, added, count the "
        "batches alike, and then N_E/N_π does not belong in D.",
        slope_of(each_its_mean, over(lambda n, m: 2, each_its_mean)),
    ),
    Mistake(
        "half of the slope",
        "log Z is in the D of every trajectory, the demonstrations' and the samples'.",
        slope_of(
            *(over(number, of_experts) for number in (lambda n, m: 1, lambda n, m: n, lambda n, m: n + m)),
            *(over(number, of_samples) for number in (lambda n, m: 1, lambda n, m: m, lambda n, m: n + m)),
        ),
    ),
    Mistake(
        "log forgotten in the slope",
        "A factor D(1 − D) is the derivative of D. The loss has log D: the derivative of log σ(x) is 1 − σ(x).",
        slope_of(without_logs),
    ),
    Mistake(
        "slope with respect to Z",
        "Differentiate with respect to log Z, the parameter that is learned: ∂/∂log Z = Z ∂/∂Z.",
        tuple(
            lambda sign=sign, **x: (*q1()(**x)[:3], sign * q1()(**x)[3] / np.exp(x["log_Z"])) for sign in (1.0, -1.0)
        ),
    ),
    Mistake(
        "the loss, not its slope",
        "The last output is a derivative: how fast the loss of (2) grows with log Z.",
        lambda **x: (*q1()(**x)[:3], loss_itself(**x)),
    ),
)


def loss_itself(**x):
    D_E, D_π, *_ = q1()(**x)
    return -(np.log(D_E).sum() + np.log(1 - D_π).sum()) / (len(D_E) + len(D_π))


ARGUMENTS = ("R_expert", "log_q_expert", "R_policy", "log_q_policy", "log_Z")
QUESTION = Question(
    "a3.q1",
    "The discriminator of guided cost learning",
    "Turn a reward and a policy's density into a discriminator, when the two batches differ in size.",
    difficulty=2,
    minutes=25,
    points=3,
    arguments=ARGUMENTS,
    outputs=(Output("D_expert", "i"), Output("D_policy", "j"), Output("generator", "j"), Output("slope")),
    cases=cases,
    mistakes=MISTAKES,
)
