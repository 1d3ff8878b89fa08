"""Behavioural cloning, GAIL, AIRL and guided cost learning on three tasks of classic control, with few demonstrations.

CartPole-v1, Acrobot-v1 and MountainCar-v0; 1, 4, 7 or 10 demonstrations, of each of which every 20th step is kept, as
in Ho & Ermon (2016, arXiv:1606.03476). All methods get the same demonstrations of a seed, and the same settings for
all three tasks. Guided cost learning is judged by the reward that it found: a policy is trained on it from scratch.
A row is the true return, averaged over 50 whole episodes in which the policy takes its likeliest action (so does the
expert), and the same normalised: 0 for random actions, 1 for the expert.

The published figures printed beside ours are from other versions of the tasks, other experts and longer training: the
shapes can be compared, the numbers cannot.
"""

import numpy as np
import torch

from course_utils import environments
from course_utils.adversarial import imitate
from course_utils.experts import demonstrations, normalised_return, reference_returns
from course_utils.guided_cost import cloned_policy, from_demonstrations, guided_cost_learning, replan
from course_utils.ppo import evaluate

SEEDS = 5
CONFIGURATIONS = [
    dict(task=task, method=method, demonstrations=n)
    for task in ("CartPole-v1", "Acrobot-v1", "MountainCar-v0")
    for n in (1, 4, 7, 10)
    for method in ("bc", "gail", "airl", "gcl")
]
# Mean returns with 1, 4, 7, 10 demonstrations, from the results that Ho & Ermon released with their paper.
PUBLISHED = {
    ("CartPole-v1", "bc"): (72, 169, 189, 177),  # CartPole-v0, whose episodes have 200 steps
    ("CartPole-v1", "gail"): (200, 200, 200, 200),
    ("Acrobot-v1", "bc"): (-131, -93, -97, -95),  # Acrobot-v0
    ("Acrobot-v1", "gail"): (-77, -83, -83, -79),
    ("MountainCar-v0", "bc"): (-137, -133, -127, -123),
    ("MountainCar-v0", "gail"): (-102, -101, -100, -101),
}


def run(configuration, seed):
    torch.set_num_threads(1)
    task, method = configuration["task"], configuration["method"]
    demos = demonstrations(task, configuration["demonstrations"], np.random.default_rng([seed, 0]), every=20)
    rng = np.random.default_rng([seed, 1])
    if method == "bc":
        policy = cloned_policy(environments.make(task, 1), from_demonstrations(demos), rng)
    elif method == "gail":
        policy = imitate(task, demos, rng, "gail", iterations=50).policy
    elif method == "airl":
        policy = imitate(task, demos, rng, "airl", iterations=50, penalty=0.3, rounds=8).policy
    else:
        settings = dict(copies=16, iterations=25, policy_updates=2, temperature=0.05)
        policy = replan(task, guided_cost_learning(task, demos, rng, **settings).reward, rng, temperature=0.05)
    J = float(evaluate(policy, task, 50, np.random.default_rng([seed, 2]), greedy=True).mean())
    return {"return": J, "normalised": float(normalised_return(task, J))}


def report(rows):
    lines = ["Mean true return, and its standard deviation over seeds; below it the published mean, where there is one"]
    for task in dict.fromkeys(row["task"] for row in rows):
        J_random, J_expert, _ = reference_returns(task)
        lines += ["", f"{task}: random {J_random:.0f}, expert {J_expert:.0f}", "demonstrations" + columns(NUMBERS, "d")]
        for method in ("bc", "gail", "airl", "gcl"):
            ours = [cell(rows, task, method, n) for n in NUMBERS]
            lines.append(f"{method:14}" + columns(ours, "s"))
            if (task, method) in PUBLISHED:
                lines.append(f"{'  published':14}" + columns(PUBLISHED[task, method], "d"))
    return "\n".join(lines)


NUMBERS = (1, 4, 7, 10)


def columns(cells, kind):
    return "".join(f"{cell:>14{kind}}" for cell in cells)


def cell(rows, task, method, n):
    """ "mean ± sd (seeds)" of one entry of the table."""
    wanted = {"task": task, "method": method, "demonstrations": n}
    J = [row["return"] for row in rows if wanted.items() <= row.items()]
    return f"{np.mean(J):.0f} ± {np.std(J, ddof=1) if len(J) > 1 else 0:.0f}" if J else "–"
