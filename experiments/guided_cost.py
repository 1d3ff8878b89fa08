"""Guided cost learning, and the test of its rewards: policies trained from scratch on the frozen reward.

Navigation-v0 (24 demonstrations of the soft expert) and CartPole-v1 (4 demonstrations, whole or every 20th step). A row
says what the policy of the joint loop earns and what the re-planned one does, normalised (0: random actions, 1: the
expert), over 100 episodes with actions drawn, and, where the reward can be drawn, how it correlates with the true one
over the places within 0.1 of a demonstration. CPU seconds of learning and of re-planning are separate columns.
"""

import time

import numpy as np
import torch

from course_utils.environments import navigation_reward
from course_utils.experts import demonstrations, normalised_return
from course_utils.guided_cost import guided_cost_learning, replan, reward_map
from course_utils.ppo import evaluate

SEEDS = 5
CONFIGURATIONS = [
    dict(task="Navigation-v0", demonstrations=24, every=1),
    dict(task="CartPole-v1", demonstrations=4, every=1),
    dict(task="CartPole-v1", demonstrations=4, every=20),
]
LEARN = {
    "Navigation-v0": dict(),
    "CartPole-v1": dict(copies=8, iterations=20, policy_updates=2, temperature=0.05),
}
REPLAN = {
    "Navigation-v0": dict(temperature=0.3, discount=0.95, iterations=80),
    "CartPole-v1": dict(temperature=0.05),
}


def run(configuration, seed):
    torch.set_num_threads(1)
    rng, task = np.random.default_rng(seed), configuration["task"]
    demos = demonstrations(task, configuration["demonstrations"], rng, configuration["every"])
    begin = time.process_time()
    fit = guided_cost_learning(task, demos, rng, **LEARN[task])
    learned = time.process_time()
    policy = replan(task, fit.reward, rng, **REPLAN[task])
    planned = time.process_time()
    return {
        "demonstrator": float(normalised_return(task, demos.returns.mean())),
        "policy": float(normalised_return(task, evaluate(fit.policy, task, 100, rng).mean())),
        "replanned": float(normalised_return(task, evaluate(policy, task, 100, rng).mean())),
        "correlation": correlation(fit.reward, demos.obs) if task == "Navigation-v0" else float("nan"),
        "learn_seconds": learned - begin,
        "replan_seconds": planned - learned,
    }


def correlation(reward, seen):
    """Of the recovered reward with the true one, over the points of a grid that lie near a demonstration."""
    axis, r, visited = reward_map(reward, seen)
    true = navigation_reward(np.stack(np.meshgrid(axis, axis), axis=-1))
    return float(np.corrcoef(r[visited], true[visited])[0, 1])


def report(rows):
    lines = [
        f"{'task':<14}{'every':>6}{'policy':>14}{'replanned':>15}{'lowest':>8}{'correlation':>15}{'learn s':>9}{'+':>5}"
    ]
    for configuration in CONFIGURATIONS:
        chosen = [row for row in rows if all(row[key] == value for key, value in configuration.items())]
        column = {key: np.array([row[key] for row in chosen]) for key in chosen[0] if key not in configuration}
        spread = [f"{column[key].mean():.2f} ± {column[key].std(ddof=1):.2f}" for key in ("policy", "replanned")]
        r = column["correlation"]
        spread.append("" if np.isnan(r).any() else f"{r.mean():.2f} ± {r.std(ddof=1):.2f}")
        seconds = [column[key].mean() for key in ("learn_seconds", "replan_seconds")]
        lines.append(
            f"{configuration['task']:<14}{configuration['every']:>6}{spread[0]:>14}{spread[1]:>15}"
            f"{column['replanned'].min():>8.2f}{spread[2]:>15}{seconds[0]:>9.1f}{seconds[1]:>5.1f}"
        )
    return "\n".join(lines)
