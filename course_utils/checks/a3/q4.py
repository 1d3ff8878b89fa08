"""a3.q4: AIRL's reward, and the end of an episode."""

from __future__ import annotations

import numpy as np

from course_utils.checks.common import ALMOST, HUGE, SATURATED, TRUNCATED, WHOLE, rewards
from course_utils.checks.core import Case, Mistake, Output, Question
from course_utils.checks.oracles import log_sigmoid


def instance(g, h, states, log_π, lengths, terminated, γ, note=""):
    args = dict(g=g, h=h, states=states, log_π=log_π, lengths=lengths, terminated=terminated, γ=γ)
    return Case(args, q4()(**args), note)


def episodes(rng, S, lengths):
    """Random episodes: states (N, L+1) padded with −1, log_π (N, L) padded with 0, lengths, terminated."""
    inside = np.arange(max(lengths) + 1) <= np.array(lengths)[:, None]
    log_π = rng.uniform(-3, -0.2, (len(lengths), max(lengths))).round(2) * inside[:, 1:]
    terminated = rng.permutation(np.arange(len(lengths)) % 2)
    return np.where(inside, rng.integers(S, size=inside.shape), -1), log_π + 0.0, np.array(lengths), terminated


def cases(rng):
    def world(S, lengths):
        return [
            rewards(rng, S),
            rewards(rng, S),
            *episodes(rng, S, lengths),
            float(rng.choice([0.5, 0.6, 0.7, 0.8, 0.9])),
        ]

    sizes = [
        (2, [1, 1]),
        (2, [1, 2]),
        (3, [2, 4, 1]),
        (4, [3, 3, 2]),
        (6, [4, 6, 2, 5, 6]),
    ]
    cases = [instance(*world(*size)) for size in sizes]
    g, h, states, log_π, lengths, terminated, γ = world(4, [3, 4, 2, 4])
    far = 1000 * rng.permutation([-1, 0, 1, 1])
    cases += [
        instance(
            *(rng.integers(-3, 4, 4) for _ in "gh"), states, np.round(log_π).astype(int), lengths, terminated, γ, WHOLE
        ),
        instance(g + far, h, states, log_π, lengths, terminated, γ, f"{HUGE}: near ±1000"),
        instance(g, h, states, 400 * log_π, lengths, terminated, γ, f"{HUGE}: actions nearly impossible"),
    ]
    return cases


def shaped(g, h, g_next, h_next, γ, last, terminal, t):
    """f of equation (6); `last` marks the last steps, `terminal` those that lead to a terminal state."""
    return g - h + γ * np.where(terminal, 0, h_next)


def q4(
    f=shaped,
    logit=lambda f, log_π: f - log_π,
    belief=lambda yes, no: np.exp(yes),
    reward=lambda yes, no: yes - no,
    after=lambda D, r, inside: (D, r),
    lengths=lambda lengths: lengths,
    terminal=lambda last, terminated: last & terminated,
    everywhere=False,
):
    """The oracle, from yes = log D and no = log(1 − D) of every step, or something wrong: a part, or which steps."""

    def gives(**x):
        g, h, log_π, γ = (np.asarray(x[k], dtype=float) for k in ("g", "h", "log_π", "γ"))
        here, there, T = x["states"][:, :-1], x["states"][:, 1:], x["lengths"][:, None]
        t = np.arange(log_π.shape[1])
        last, inside = t == T - 1, t < lengths(T)
        ends = terminal(last, x["terminated"][:, None] == 1)
        z = logit(f(g[here], h[here], g[there], h[there], γ, last, ends, t), log_π)
        outputs = (function(log_sigmoid(z), log_sigmoid(-z)) for function in (belief, reward))
        return after(*(np.where(inside | everywhere, y, 0) for y in outputs), inside)

    return gives


# What goes wrong, from the most to the least specific, recomputed from the slow oracle.


def last_column(last):
    return np.arange(last.shape[1]) == last.shape[1] - 1


def leads_to_the_end(lengths, terminated, log_π, **_):
    return (np.arange(log_π.shape[1]) == lengths[:, None] - 1) & (terminated[:, None] == 1)


END = (
    "What can still be earned after a terminal state is nothing, so h counts as 0 there, whatever the table says. It "
    "is the step t = T − 1 that leads there."
)
MISTAKES = (
    ALMOST,
    TRUNCATED,
    SATURATED,
    Mistake(
        "h of a terminal state",
        END,
        q4(terminal=lambda last, terminated: last & False),
    ),
    Mistake(
        "time limit taken for an end",
        "An episode that was cut off by the time limit has not ended: s_T is a state like any other and h(s_T) counts. "
        "Only a *terminal* state has h = 0.",
        q4(terminal=lambda last, terminated: last),
    ),
    Mistake(
        "terminated the wrong way round",
        "Your h is 0 where the time limit cut the episode, and counts where it reached a terminal state.",
        q4(terminal=lambda last, terminated: last & ~terminated),
    ),
    Mistake(
        "terminated at every step",
        "A terminated episode ends *after its last step*: before that, h(s_{t+1}) counts.",
        q4(terminal=lambda last, terminated: terminated | (0 * last > 1)),
    ),
    Mistake(
        "the last column taken for the last step",
        "Episodes differ in length: the last step of episode i is t = lengths[i] − 1, not the last column.",
        q4(terminal=lambda last, terminated: last_column(last) & terminated),
    ),
    Mistake(
        "too much dropped at the end",
        "At the last step only h(s_{t+1}) is 0. What belongs to s_t, g(s_t) and −h(s_t), stays.",
        (
            q4(f=lambda g, h, g2, h2, γ, last, terminal, t: g - np.where(terminal, 0, h - γ * h2)),
            q4(f=lambda g, h, g2, h2, γ, last, terminal, t: g - np.where(last, 0, h - γ * h2)),
            q4(f=lambda *x: shaped(*x) * ~x[6]),
            q4(f=lambda g, *x: shaped(np.where(x[5], 0, g), *x)),
            q4(f=lambda g, h, *x: shaped(g, np.where(x[4], 0, h), *x)),
            lambda **x: (q4()(**x)[0], q4()(**x)[1] * ~leads_to_the_end(**x)),
        ),
    ),
    Mistake(
        "γ missing",
        "The shaping is γ h(s') − h(s): only with γ does it leave the best policy as it was.",
        q4(f=lambda g, h, g2, h2, γ, last, terminal, t: shaped(g, h, g2, h2, 1, last, terminal, t)),
    ),
    Mistake(
        "γ at the wrong h",
        "It is the next state, and that alone, that comes one step later: γ h(s') − h(s).",
        (
            q4(f=lambda g, h, g2, h2, γ, last, terminal, t: shaped(g, γ * h, g2, h2, 1, last, terminal, t)),
            q4(f=lambda g, h, g2, h2, γ, last, terminal, t: shaped(g, γ * h, g2, h2, γ, last, terminal, t)),
        ),
    ),
    Mistake(
        "discounted from the start",
        "f belongs to one transition, whenever it is made: γ to the power 1, not to that of the time.",
        (
            q4(
                f=lambda g, h, g2, h2, γ, last, terminal, t: shaped(
                    g, γ**t * h, g2, h2, γ ** (t + 1), last, terminal, t
                )
            ),
            q4(f=lambda g, h, g2, h2, γ, last, terminal, t: γ**t * shaped(g, h, g2, h2, γ, last, terminal, t)),
            lambda **x: (q4()(**x)[0], q4()(**x)[1] * x["γ"] ** np.arange(x["log_π"].shape[1])),
        ),
    ),
    Mistake(
        "sign of the shaping",
        "f = g(s) + γ h(s') − h(s): along an episode the h cancel, all but the first and the last.",
        (
            q4(f=lambda g, h, g2, h2, γ, last, terminal, t: shaped(g, -h, g2, -h2, γ, last, terminal, t)),
            q4(f=lambda g, h, g2, h2, γ, last, terminal, t: shaped(g, -h, g2, h2, γ, last, terminal, t)),
        ),
    ),
    Mistake(
        "no shaping",
        "Where is h? Without it g has to explain the advantage of an action by itself.",
        q4(f=lambda g, *_: g),
    ),
    Mistake(
        "h without g",
        "The reward g(s) itself is missing.",
        q4(f=lambda g, *x: shaped(0, *x)),
    ),
    Mistake(
        "g of the next state",
        "Here g is the reward of the state in which the action is taken.",
        q4(f=lambda g, h, g2, *x: shaped(g2, h, g, *x)),
    ),
    Mistake(
        "π missing",
        "D compares e^f with the probability π of the action that was taken.",
        q4(logit=lambda f, log_π: f),
    ),
    Mistake(
        "π multiplied",
        "An action that the policy takes often looks *less* like an expert's: log π is subtracted.",
        q4(logit=lambda f, log_π: f + log_π),
    ),
    Mistake(
        "π, not log π",
        "You take the probability where its logarithm belongs: the logit of D is f − log π.",
        q4(logit=lambda f, log_π: f - np.exp(log_π)),
    ),
    Mistake(
        "labels swapped",
        "In AIRL D → 1 is the *expert*: D is the share of e^f.",
        (
            q4(logit=lambda f, log_π: log_π - f),
            q4(belief=lambda yes, no: np.exp(no)),
        ),
    ),
    Mistake(
        "f, not the reward",
        "The policy's reward is log D − log(1 − D), which is f less something: the entropy bonus comes with it.",
        lambda **x: (q4()(**x)[0], q4(logit=lambda f, log_π: f)(**x)[1]),
    ),
    Mistake(
        "g, not the reward",
        "g is what one keeps when all is learned. What the policy is paid while it learns is log D − log(1 − D), with "
        "the shaping in it and less log π.",
        (
            lambda **x: (q4()(**x)[0], q4(f=lambda g, *_: g)(**x)[1]),
            lambda **x: (q4()(**x)[0], q4(f=lambda g, *_: g, logit=lambda f, log_π: f)(**x)[1]),
        ),
    ),
    Mistake(
        "half of the reward",
        "The reward is log D − log(1 − D). log D alone is never positive, −log(1 − D) (GAIL's, for D → 1 the expert) "
        "never negative: an agent would learn to end episodes early, or to drag them out.",
        tuple(
            q4(reward=f)
            for f in (
                lambda yes, no: yes,
                lambda yes, no: -no,
                lambda yes, no: -yes,
                lambda yes, no: no,
            )
        ),
    ),
    Mistake("D as the reward", "The reward is log D − log(1 − D).", q4(reward=lambda yes, no: np.exp(yes))),
    Mistake(
        "sign of the reward",
        "A reward is high where the policy is taken for the expert, D → 1.",
        q4(reward=lambda yes, no: no - yes),
    ),
    Mistake(
        "logit or log D, not D",
        "D is a probability.",
        (q4(belief=lambda yes, no: yes - no), q4(belief=lambda yes, no: yes)),
    ),
    Mistake(
        "D and the reward swapped",
        "Return (D, reward) in this order.",
        q4(after=lambda D, r, inside: (r, D)),
    ),
    Mistake(
        "padding counted",
        "−1 marks what comes after the end (as an index it is the last state), and both outputs are 0 there.",
        (
            q4(everywhere=True),
            q4(everywhere=True, after=lambda D, r, inside: (D, r * inside)),
            q4(everywhere=True, after=lambda D, r, inside: (D * inside, r)),
        ),
    ),
    Mistake(
        "D is ½ after the end",
        "σ(0) is ½, not 0: mask D itself, not its logit.",
        q4(after=lambda D, r, inside: (np.where(inside, D, 0.5), r)),
    ),
    Mistake(
        "one step short",
        "An episode of length T has T steps, t = 0 … T−1, and T + 1 states.",
        q4(lengths=lambda lengths: lengths - 1),
    ),
    Mistake(
        "one step too many",
        "An episode of length T has T steps, t = 0 … T−1. From its last state, s_T, no step is made.",
        q4(lengths=lambda lengths: lengths + 1),
    ),
)

QUESTION = Question(
    "a3.q4",
    "AIRL's reward, and the end of an episode",
    "Shape a reward by potentials, with terminal states and time limits kept apart, and turn it into D and its reward.",
    difficulty=2,
    minutes=20,
    points=2,
    arguments=("g", "h", "states", "log_π", "lengths", "terminated", "γ"),
    outputs=(Output("D", "it"), Output("reward", "it")),
    cases=cases,
    mistakes=MISTAKES,
)
