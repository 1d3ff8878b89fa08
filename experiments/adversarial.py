"""GAIL, AIRL and MAIL to the expert's level, and whether they stay there.

CartPole-v1, Acrobot-v1 and Pendulum-v1, 10 whole demonstrations. The policy is evaluated 25 times or more in the
course of training, in 50 whole episodes, always the same, in which it takes its likeliest action, normalised (0:
random actions, 1: the expert). The settings were chosen on other random streams than those of this table.

first: CPU seconds of training to the first evaluation of .95 or more; sustained: to the first one from which on all
are, at least ten of them; nan where that never happened. The seconds are one thread's; evaluations are not counted.
"""

import math
import time

import numpy as np
import torch

from course_utils.adversarial import imitate
from course_utils.experts import demonstrations, normalised_return
from course_utils.mail import mail
from course_utils.ppo import evaluate

SEEDS = 5
LEVEL, LAST = 0.95, 10
SETTINGS = {
    ("CartPole-v1", "gail"): dict(iterations=50, steps=128, rounds=8),
    ("Acrobot-v1", "gail"): dict(iterations=60),
    ("Pendulum-v1", "gail"): dict(iterations=90, steps=128),
    ("CartPole-v1", "airl"): dict(iterations=50, steps=128, penalty=0.3, rounds=8),
    ("Acrobot-v1", "airl"): dict(iterations=60, penalty=0.3, rounds=8),
    ("Pendulum-v1", "airl"): dict(iterations=100, steps=128, penalty=0.05, rounds=8, learning_rate=3e-3),
    ("Pendulum-v1", "mail"): dict(iterations=25),
}
CONFIGURATIONS = [dict(task=task, method=method) for task, method in SETTINGS]


def run(configuration, seed):
    torch.set_num_threads(1)
    task, method = configuration["task"], configuration["method"]
    demos = demonstrations(task, 10, np.random.default_rng([seed, 10]))
    curve, begin = [], time.process_time()  # (CPU seconds, normalised return)

    def look(iteration, learner, *rest):
        nonlocal begin
        if iteration % 2 and method != "mail":  # MAIL's iterations are fewer and longer
            return
        now = time.process_time()
        J = evaluate(learner.policy, task, 50, np.random.default_rng([seed, 12]), greedy=True).mean()
        curve.append((now - begin, float(normalised_return(task, J))))
        begin += time.process_time() - now

    rng, settings = np.random.default_rng([seed, 11]), SETTINGS[task, method]
    if method == "mail":
        fit = mail(task, demos, rng, callback=look, **settings)
    else:
        fit = imitate(task, demos, rng, method, callback=look, **settings)
    seconds = time.process_time() - begin
    final = evaluate(fit.policy, task, 100, np.random.default_rng([seed, 13]), greedy=True).mean()
    drawn = evaluate(fit.policy, task, 100, np.random.default_rng([seed, 13])).mean()
    first, sustained = milestones(curve)
    return {
        "first": first,
        "sustained": sustained,
        "seconds": seconds,
        "worst_of_last_ten": min(score for _, score in curve[-LAST:]),
        "final": float(normalised_return(task, final)),
        "final_drawn": float(normalised_return(task, drawn)),
    }


def milestones(curve):
    """Seconds to the first score of LEVEL or more, and to the first from which on all of at least LAST are; or nan."""
    seconds, good = zip(*((s, score >= LEVEL) for s, score in curve), strict=True)
    first = next((s for s, ok in zip(seconds, good, strict=True) if ok), math.nan)
    stays = len(good) - next((i for i, ok in enumerate(reversed(good)) if not ok), len(good))
    return first, seconds[stays] if len(good) - stays >= LAST else math.nan


def report(rows):
    lines = [f"{'task':14}{'method':8}{'sustained by':>14}{'CPU-s to it':>18}{'CPU-s in all':>14}{'final return':>18}"]
    for task, method in SETTINGS:
        mine = [row for row in rows if (row["task"], row["method"]) == (task, method)]
        if not mine:
            continue
        when = [row["sustained"] for row in mine if not math.isnan(row["sustained"])]
        final = [row["final"] for row in mine]
        lines.append(
            f"{task:14}{method:8}{f'{len(when)} of {len(mine)}':>14}"
            f"{f'{np.median(when):.1f} (≤ {max(when):.1f})' if when else '–':>18}"
            f"{np.mean([row['seconds'] for row in mine]):>14.1f}{f'{np.mean(final):.3f} ± {np.std(final):.3f}':>18}"
        )
    return "\n".join(lines)
