"""a2.q3: The joint loop of guided cost learning, on batches from workers."""

from __future__ import annotations

import numpy as np

from course_utils.checks.a2.joint import (
    descend,
    gap,
    log_policy,
    logits_for_logs,
    loop,
    model_weights,
    normalised,
    one_softmax,
    over_states,
    plain,
    policy_down,
    policy_weights,
    reward_up,
    sample,
    score,
    shown,
)
from course_utils.checks.common import ALMOST, HUGE, OVERFLOW, TRUNCATED, WHOLE, distributions, rewards
from course_utils.checks.core import Case, Mistake, Output, Question


def instance(demos, batches, log_q, θ, φ, η_θ, η_φ, note=""):
    args = dict(demos=demos, batches=batches, log_q=log_q, θ=θ, φ=φ, η_θ=η_θ, η_φ=η_φ)
    return Case(args, descend(**args), note)


def cases(rng):
    def run(S, A, n, B, D, horizon):
        next_state = rng.integers(S, size=(S, A))
        expert, worker = distributions(rng, S, A), distributions(rng, S, A, least=8)
        demos, batches = (sample(rng, next_state, π, m, horizon) for π, m in [(expert, (D,)), (worker, (n, B))])
        log_q = (batches * np.log(worker)).sum((2, 3)) + rng.uniform(-0.5, 0.5, (n, B))
        steps = rng.permutation([0.1, 0.3, 0.5])[:2]
        return [demos, batches, log_q.round(2), rewards(rng, S, A), rewards(rng, S, A), *map(float, steps)]

    cases = [
        instance(*run(*size))
        for size in [
            (2, 2, 1, 2, 1, 2),
            (2, 2, 1, 3, 2, 3),
            (2, 2, 2, 3, 2, 3),
            (2, 3, 2, 4, 3, 4),
            (3, 2, 3, 4, 2, 4),
            (3, 3, 3, 6, 4, 5),
            (4, 3, 4, 8, 5, 5),
        ]
    ]
    demos, batches, log_q, θ, φ, *steps = run(3, 2, 2, 5, 3, 4)
    whole = rng.integers(-2, 3, size=(2, *θ.shape))
    cases += [
        instance(demos, batches, log_q, *whole, *steps, f"{WHOLE} in θ and φ"),
        instance(demos, batches, log_q, θ + 1000, φ, *steps, f"{HUGE}: near 1000"),
        instance(demos, batches, log_q, θ - 1000, φ, *steps, f"{HUGE}: near -1000"),
        instance(demos, batches, log_q - 1500, θ, φ, *steps, f"{HUGE}, or rather tiny densities: long sessions"),
        instance(
            demos, batches, log_q, θ, 500 * φ, *steps, f"{HUGE}, or rather logits: a policy that is nearly certain"
        ),
    ]
    return cases


# What goes wrong, from the most to the least specific: the closed form with one or two of its parts changed.


def product(ups, downs):
    return tuple(loop(up, down) for up in ups for down in downs)


def bare(v, g):
    return 0.0


def unweighted(v, g):
    return g.mean()


def forms(weights, bracket, constant=1.0):
    """The step of φ centred, not centred, and with a constant that only a mean over all sessions forgives."""
    return (
        policy_down(weights, bracket),
        policy_down(weights, bracket, bare),
        policy_down(weights, lambda x: bracket(x) + constant, bare),
    )


NO_ENTROPY = (*forms(policy_weights, lambda x: -x.R, -1.0), *forms(plain, lambda x: -x.R, -1.0))
UNWEIGHTED = forms(plain, gap)


def ratios(x):
    return np.exp(x.R - x.lq)


def policy_ratios(x):
    return np.exp(x.log_π - x.lq)


def nowhere(x):
    return 0.0


def all_at_once(args):
    """Every batch as one, as often as there were batches."""
    n = len(args["batches"])
    return np.repeat(np.concatenate(args["batches"])[None], n, 0), np.repeat(np.concatenate(args["log_q"])[None], n, 0)


MISTAKES = (
    ALMOST,
    TRUNCATED,
    OVERFLOW,
    Mistake(
        "the slide's pair",
        "Both steps are those of the slide: sessions counted alike in the step of θ, and a weight without log π in the "
        "step of φ. Where are the importance weights, and where is the entropy?",
        product([reward_up(plain), reward_up(policy_weights)], NO_ENTROPY),
    ),
    Mistake(
        "no entropy",
        "The step of φ has no log π: it is the gradient of the expected reward alone. KL(v‖w) holds log v − log w.",
        product([reward_up()], [*NO_ENTROPY, policy_down(bracket=lambda x: x.R)]),
    ),
    Mistake(
        "no reward in the step of φ",
        "The step of φ has no R: it makes the policy flat, or sharp, whatever the reward is. KL(v‖w) holds log w.",
        product(
            [reward_up()],
            [
                policy_down(bracket=lambda x, k=k: k * x.log_π, baseline=b)
                for k in (1, -1)
                for b in (lambda v, g: v @ g, bare)
            ],
        ),
    ),
    Mistake(
        "one of the two does not learn",
        "A joint step is a step of θ and then a step of φ, and both are returned as they are in the end.",
        (loop(up=nowhere), loop(down=nowhere)),
    ),
    Mistake(
        "no importance weights",
        "The batch was drawn by a worker, with the density q. In the step of θ each of its sessions counts with its "
        "weight w, proportional to e^R/q.",
        product([reward_up(plain)], [policy_down(), *UNWEIGHTED, policy_down(baseline=bare)])
        + product([reward_up(lambda x: np.ones(len(x.lq)))], [policy_down()]),
    ),
    Mistake(
        "the policy's expectation in the step of θ",
        "∇ log Z is an expectation under the model e^R/Z, so its weights are w, not v. They agree only when the policy "
        "has caught up with the reward.",
        product([reward_up(policy_weights)], [policy_down(), policy_down(baseline=bare)]),
    ),
    Mistake(
        "policy step not reweighted",
        "The batch was drawn by a worker, not by your policy: in the step of φ each of its sessions counts with v, "
        "proportional to π/q.",
        product([reward_up()], UNWEIGHTED),
    ),
    Mistake(
        "the model's weights in the step of φ",
        "KL(v‖w) is an expectation under v, the policy's weights.",
        product([reward_up()], forms(model_weights, gap)),
    ),
    Mistake(
        "KL the wrong way round",
        "KL(v‖w) is asked for. This is the gradient of KL(w‖v): it fits the policy to the model's weights, as in "
        "behavioural cloning.",
        (
            loop(down=lambda x: np.tensordot(policy_weights(x) - model_weights(x), score(x), 1)),
            loop(down=lambda x: -np.tensordot(model_weights(x), score(x), 1)),
        ),
    ),
    Mistake(
        "not centred",
        "On a finite batch Σ v·score is not zero, so a constant in the bracket matters. Differentiate KL(v‖w) once "
        "more: v is normalised, and its normaliser depends on φ as well. What comes out is a baseline.",
        product(
            [reward_up()],
            [
                policy_down(baseline=bare),
                policy_down(bracket=lambda x: 1 + gap(x), baseline=bare),
                policy_down(baseline=unweighted),
                policy_down(bracket=lambda x: gap(x) - x.lq, baseline=bare),
                policy_down(bracket=lambda x: np.log(policy_weights(x) / model_weights(x)), baseline=bare),
                policy_down(bracket=lambda x: 1 + np.log(policy_weights(x) / model_weights(x)), baseline=bare),
            ],
        ),
    ),
    Mistake(
        "signs in the bracket",
        "A session is good for the policy if its reward is high, and if the policy seldom takes it: check both signs.",
        product(
            [reward_up()],
            [*forms(policy_weights, lambda x: x.log_π + x.R), *forms(policy_weights, lambda x: -x.log_π - x.R)],
        ),
    ),
    Mistake(
        "sampler in the bracket",
        "q stands in v and in w: in log v − log w it cancels.",
        product([reward_up()], [policy_down(bracket=lambda x, k=k: gap(x) + k * x.lq) for k in (-1, 1)]),
    ),
    Mistake(
        "sampler ignored",
        "The batch was drawn with the density q: divide by it, e^R/q and π/q. Else what the worker liked counts twice.",
        product(
            [reward_up(lambda x: normalised(x.R)), reward_up()],
            [policy_down(lambda x: normalised(x.log_π))],
        )
        + product([reward_up(lambda x: normalised(x.R))], [policy_down(), policy_down(plain)]),
    ),
    Mistake(
        "multiplied by the sampler",
        "An importance weight is target over sampler: log q is subtracted.",
        product(
            [reward_up(lambda x: normalised(x.R + x.lq))],
            [policy_down(lambda x: normalised(x.log_π + x.lq)), policy_down()],
        )
        + product([reward_up()], [policy_down(lambda x: normalised(x.log_π + x.lq))]),
    ),
    Mistake(
        "weights not normalised",
        "The weights of a batch sum to one.",
        product(
            [reward_up(), reward_up(ratios), reward_up(lambda x: ratios(x) / len(x.lq))],
            [
                policy_down(),
                policy_down(policy_ratios),
                policy_down(lambda x: policy_ratios(x) / len(x.lq)),
                policy_down(lambda x: policy_ratios(x) / len(x.lq), baseline=bare),
            ],
        )[1:],
    ),
    Mistake(
        "half of the gradient of θ",
        "L has two terms: what the demonstrations do pulls θ up, what the model does pushes it down.",
        (
            loop(shown),
            loop(lambda x: reward_up()(x) - shown(x)),
            loop(lambda x: shown(x) - reward_up()(x)),
        ),
    ),
    Mistake(
        "wrong sign of θ",
        "θ *climbs* the likelihood: towards what the demonstrations do more often than the model.",
        loop(lambda x: -reward_up()(x)),
    ),
    Mistake(
        "wrong sign of φ",
        "φ goes *down* the divergence.",
        loop(down=lambda x: -policy_down()(x)),
    ),
    Mistake(
        "both signs wrong",
        "θ climbs the likelihood, φ goes down the divergence.",
        loop(lambda x: -reward_up()(x), lambda x: -policy_down()(x)),
    ),
    Mistake(
        "old θ in the step of φ",
        "First θ steps, then φ, and it is the *new* θ that φ meets: R must be computed again.",
        loop(fresh=False),
    ),
    Mistake(
        "step sizes mixed up",
        "η_θ belongs to θ, η_φ to φ.",
        (
            loop(η_θ=lambda x: x["η_φ"], η_φ=lambda x: x["η_θ"]),
            loop(η_θ=lambda x: x["η_φ"]),
            loop(η_φ=lambda x: x["η_θ"]),
        ),
    ),
    Mistake(
        "step size missing",
        "Each gradient is multiplied by its step size, once.",
        (
            loop(η_θ=lambda x: 1.0),
            loop(η_φ=lambda x: 1.0),
            loop(η_θ=lambda x: 1.0, η_φ=lambda x: 1.0),
            loop(η_θ=lambda x: x["η_θ"] ** 2),
            loop(η_φ=lambda x: x["η_φ"] ** 2),
        ),
    ),
    Mistake(
        "one batch for all steps",
        "Step k works on batch k.",
        (loop(batch=lambda k, n: 0), loop(batch=lambda k, n: n - 1), loop(batch=lambda k, n: n - 1 - k)),
    ),
    Mistake(
        "only one step",
        "There are n batches, so n joint steps: does your loop return in its first round, or start again from the "
        "first θ?",
        (
            loop(batches=lambda x: x["batches"][:1]),
            loop(batches=lambda x: x["batches"][-1:], log_q=lambda x: x["log_q"][-1:]),
            loop(batches=lambda x: x["batches"][:-1]),
        ),
    ),
    Mistake(
        "all batches in each step",
        "Step k works on batch k alone.",
        loop(batches=lambda x: all_at_once(x)[0], log_q=lambda x: all_at_once(x)[1]),
    ),
    Mistake(
        "demonstrations added up",
        "L is a mean over demonstrations.",
        (
            loop(reward_up(demos=lambda x: x.demos.sum(0))),
            loop(reward_up(demos=lambda x: x.demos[0])),
            loop(lambda x: (x.demos - np.tensordot(model_weights(x), x.counts, 1)).sum(0)),
        ),
    ),
    Mistake(
        "frequencies, not counts",
        "A session's reward is the *sum* of θ over its steps. The gradient holds counts; nothing divides by the number "
        "of actions.",
        (
            loop(reward_up(demos=lambda x: shown(x) / shown(x).sum())),
            loop(lambda x: reward_up()(x) / shown(x).sum()),
            loop(lambda x: reward_up()(x) / shown(x).sum(), lambda x: policy_down()(x) / shown(x).sum()),
        ),
    ),
    Mistake(
        "score without its normaliser",
        "∂ log π(τ)/∂φ(s,a) is the count of (s, a) minus the count of s times π(a|s): a softmax has a normaliser, and "
        "it counts in every visit to s.",
        (
            loop(down=policy_down(score=lambda x: x.counts)),
            loop(down=policy_down(score=lambda x: x.counts - x.counts.sum(2, keepdims=True))),
            loop(down=policy_down(score=lambda x: x.counts * (1 - x.π))),
        ),
    ),
    Mistake(
        "every pair counted once",
        "A session may take a in s several times: it is the number that counts, not whether it is above zero.",
        (
            loop(down=policy_down(score=lambda x: (x.counts > 0) - (x.counts.sum(2, keepdims=True) > 0) * x.π)),
            loop(down=policy_down(score=lambda x: x.counts - (x.counts.sum(2, keepdims=True) > 0) * x.π)),
        ),
    ),
    Mistake(
        "softmax over the wrong axis",
        "In every state the *actions* compete: each row of π sums to one (axis=1).",
        (loop(down=one_softmax), loop(down=over_states)),
    ),
    Mistake(
        "φ taken for log π",
        "φ holds logits: log π(a|s) = φ(s, a) − log Σ_b e^φ(s,b). What is subtracted depends on the state.",
        (
            loop(down=lambda x: policy_down()(logits_for_logs(x))),
            loop(down=lambda x: policy_down(weights=lambda y: policy_weights(logits_for_logs(y)))(x)),
            loop(down=lambda x: policy_down(bracket=lambda y: gap(logits_for_logs(y)))(x)),
        ),
    ),
    Mistake(
        "divided by the size of the batch",
        "The weights sum to one: they average already.",
        product(
            [reward_up(), reward_up(lambda x: model_weights(x) / len(x.lq))],
            [policy_down(), lambda x: policy_down()(x) / len(x.lq)],
        )[1:],
    ),
    Mistake("θ and φ swapped", "Return (θ, φ), in this order.", loop(after=lambda θ, φ: (φ, θ))),
    Mistake(
        "probabilities, not logits",
        "Return φ itself, not the policy that it gives.",
        loop(after=lambda θ, φ: (θ, np.exp(log_policy(φ.ravel(), φ.shape)).reshape(φ.shape))),
    ),
)

QUESTION = Question(
    "a2.q3",
    "The joint loop, with workers",
    "Alternate reward and policy steps of guided cost learning on batches that others drew.",
    difficulty=3,
    minutes=45,
    points=4,
    arguments=("demos", "batches", "log_q", "θ", "φ", "η_θ", "η_φ"),
    outputs=(Output("θ", "sa"), Output("φ", "sa")),
    cases=cases,
    mistakes=MISTAKES,
)
