"""Handwritten words read letter by letter: no structure, supervised, SEARN, SMILe, DAgger.

The protocol of Ross, Gordon and Bagnell (2011, arXiv:1011.0686): ten folds, trained on nine, tested on the tenth, all
pairs of linear SVMs, greedy reading from left to right; accuracy is the share of letters that are right.
The seed is the test fold. The first iteration of DAgger, SEARN and SMILe is the supervised approach, trained with the
true previous letters: it has no rows of its own.

C: chosen from GRID on the training folds alone, by what the supervised approach (or the one without structure) trained
on all of them but one achieves on that one; or fixed, to see what it decides. folds = 2 is the small version that the
lecture runs. labels: how often the expert was asked; letters: how many different ones there were to ask about.
The columns of whole words and those of letters when the true previous letter is told (a help that no reader has) are
for the first and for the last iteration.
"""

import functools

import numpy as np

from course_utils.handwriting import PIXELS, Reading, accuracy, load_letters, read, searn, svms
from course_utils.imitation import behavioural_cloning, dagger, rollout, smile

SEEDS = 10
GRID = (0.01, 0.03, 0.1, 0.3, 1.0)
CONFIGURATIONS = [
    dict(folds=folds, method=method, α=α, fixed=fixed, iterations=iterations)
    for folds, method, α, fixed, iterations in [
        (2, "no structure", None, None, 1),
        (2, "DAgger", None, None, 10),
        (9, "no structure", None, None, 1),
        (9, "DAgger", None, None, 20),
        (9, "SEARN", 1.0, None, 20),
        (9, "SEARN", 0.8, None, 20),
        (9, "SEARN", 0.1, None, 20),
        (9, "SMILe", 0.1, None, 20),
        (9, "no structure", None, 1.0, 1),
        (9, "DAgger", None, 1.0, 5),
        (9, "no structure", None, 10.0, 1),
        (9, "DAgger", None, 10.0, 5),
    ]
]
METHODS = {"no structure": behavioural_cloning, "DAgger": dagger, "SEARN": searn, "SMILe": smile}


def run(configuration, seed):
    method, α, iterations = (configuration[key] for key in ("method", "α", "iterations"))
    train, test = training_folds(configuration["folds"], seed), load_letters().folds(seed)
    columns = PIXELS if method == "no structure" else slice(None)
    C = configuration["fixed"] or chosen(train, columns is PIXELS)
    letters = load_letters().folds(*train)
    env, rng = Reading(letters), np.random.default_rng([seed, 20])
    options = {} if α is None else dict(α=α)
    result = METHODS[method](env, env.expert, svms(env, C, columns), rng, iterations, **options)
    by_expert = rollout(Reading(test), Reading(test).expert, rng)  # each state with the true previous letter
    told = [(result.policies[k](by_expert.obs, rng, 0) == by_expert.actions).mean() for k in (0, -1)]
    right, whole = zip(*(accuracy(test, read(test, policy, rng)) for policy in result.policies), strict=True)
    return {
        "C": C,
        "letters": len(letters),
        "labels": int(result.queries[-1]),
        "accuracy": float(right[-1]),
        "words_at_first": float(whole[0]),
        "words": float(whole[-1]),
        "told_at_first": float(told[0]),
        "told": float(told[1]),
        **{f"accuracy_{i}": float(value) for i, value in enumerate(right, 1)},
    }


def training_folds(n, seed):
    """The n folds after the test fold, cyclically."""
    return tuple((seed + k) % 10 for k in range(1, n + 1))


@functools.cache
def chosen(train, pixels_only):
    """The C of GRID whose clone, trained on the folds `train` but the first, reads the first one best."""
    valid, env = load_letters().folds(train[0]), Reading(load_letters().folds(*train[1:]))

    def score(C):
        learn = svms(env, C, PIXELS if pixels_only else slice(None))
        clone = behavioural_cloning(env, env.expert, learn, np.random.default_rng(0)).final
        return accuracy(valid, read(valid, clone))[0]

    return max(GRID, key=score)


PUBLISHED = {"no structure": "82", "supervised": "83.6", "DAgger": "85.5"}  # Ross, Gordon and Bagnell 2011
BLOCKS = {
    "9 folds, C chosen": (9, None),
    "9 folds, C = 1": (9, 1.0),
    "9 folds, C = 10": (9, 10.0),
    "2 folds, C chosen": (2, None),
}
FOOT = """
Mean ± standard deviation over the test folds; told: letters that are right if the true previous letter is told.
Published: trained on 9 folds, too; the paper's C, the loss of its SVMs and its iterations are not known to us.
All folds share their 55 words. Ours is the squared hinge loss; an error in one of N passes over the data costs C/N."""


def report(rows):
    lines = []
    for title, (folds, fixed) in BLOCKS.items():
        block = sorted((r for r in rows if (r["folds"], r["fixed"]) == (folds, fixed)), key=lambda r: r["seed"])
        ours = [r for r in block if r["method"] == "DAgger"]
        if not ours:
            continue
        lines.append(f"{title:26}{'letters %':>14}{'words %':>14}{'told %':>14}{'published':>11}  C")
        for method, α in dict.fromkeys((c["method"], c["α"]) for c in CONFIGURATIONS):
            mine = [r for r in block if (r["method"], r["α"]) == (method, α)]
            if method == "DAgger":
                lines.append(line("supervised", mine, ("accuracy_1", "words_at_first", "told_at_first"), folds))
            if mine:
                lines.append(
                    line(method, mine, ("accuracy", "words", "told"), folds, "" if α is None else f", α = {α}")
                )
        last = ours[0]["iterations"]
        for i in (2, last):
            gain = 100 * np.array([r[f"accuracy_{i}"] - r["accuracy_1"] for r in ours])
            lines.append(
                f"  DAgger after {i} iterations − supervised: {spread(gain)} ({gain.min():+.1f} … {gain.max():+.1f}),"
                f" ahead on {(gain > 0).sum()} of {len(gain)} folds"
            )
        lines.append("")
    return "\n".join(lines) + FOOT


def line(method, rows, columns, folds, detail=""):
    cells = "".join(f"{spread([100 * row[column] for row in rows]):>14}" for column in columns)
    C = ", ".join(f"{C:g}" for C in sorted({row["C"] for row in rows}))
    return f"  {method + detail:24}{cells}{PUBLISHED.get(method, '') if folds == 9 else '':>11}  {C}"


def spread(values):
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1) if len(values) > 1 else np.nan:.1f}"
