"""Behavioural cloning against DAgger on LunarLander-v3 and Hopper-v5: return against the number of expert labels.

The same learner for all: a network fitted by maximum likelihood, from scratch, to all labels so far. Cloning's labels
are those of the expert's own episodes; DAgger's are those of the states where the learner went. A DAgger iteration is
as many whole episodes as give BATCH labels; the expert drives the first (dagger_first), or βᵢ = .5ⁱ of the steps of
iteration i (dagger_half).

With a label for each step one episode of Hopper-v5 is 1000 labels of much the same stride, and enough for cloning. The
expert is therefore asked in every EVERY-th step of an episode only, from a random one on, as in the demonstrations of
Ho and Ermon (2016, arXiv:1606.03476). A budget of B labels is the first B that a run got: the labels of an episode may
be spread over two budgets, and none is thrown away. Each budget's policy plays EPISODES whole episodes by its likeliest
action; the return is normalised (0: random actions, 1: the expert).

labels_j, return_j: the j-th budget and what its policy earns. own_j: the policy's error on the states of these very
episodes; expert_j: on those of HELD_OUT episodes of the expert that no learner saw. The error is the share of wrong
actions in LunarLander-v3, and the mean squared distance of the actions in Hopper-v5. iterations: of the run, to its
last budget. The settings were chosen on other random streams than those of the table.
"""

from dataclasses import fields

import numpy as np
import torch

from course_utils.environments import make
from course_utils.experts import expert, normalised_return
from course_utils.imitation import Labelled, always, first_only, geometric, neural, query, rollout

SEEDS = 5
EPISODES, HELD_OUT = 20, 5
BUDGETS = [25, 50, 100, 200, 400, 800]
BATCH = 25
EVERY = {"LunarLander-v3": 10, "Hopper-v5": 20}
METHODS = {"cloning": always, "dagger_first": first_only, "dagger_half": geometric(0.5)}
LEARNER = dict(hidden=(64, 64), steps=1000, learning_rate=1e-3, batch=100)
CONFIGURATIONS = [dict(task=task, method=method) for task in EVERY for method in METHODS]


def run(configuration, seed):
    torch.set_num_threads(1)
    task, β = configuration["task"], METHODS[configuration["method"]]
    env, act = make(task, 1), expert(task)
    learn, rng = neural(env, **LEARNER), np.random.default_rng([seed, 20])
    theirs = rollout(make(task, HELD_OUT), act, np.random.default_rng([seed, 21]))
    data, π, i, row = None, None, 0, {}
    for j, B in enumerate(BUDGETS, start=1):
        while data is None or len(data) < B:
            batch = every_nth(query(env, act, π, β(i), rng, iteration=i), EVERY[task], rng)
            data = batch if data is None else data + batch
            if (data.iteration == i).sum() >= BATCH:
                i += 1
                if β(i) < 1:  # else nobody drives by it
                    π = learn(data.obs, data.labels, rng)
        policy = learn(data.obs[:B], data.labels[:B], rng)
        mine = rollout(make(task, EPISODES), policy, np.random.default_rng([seed, 22]))
        row |= {
            f"labels_{j}": len(data.labels[:B]),
            f"return_{j}": float(normalised_return(task, mine.returns.mean())),
            f"expert_{j}": error(policy, act, theirs.obs),
            f"own_{j}": error(policy, act, mine.obs),
        }
    return row | {"iterations": int(data.iteration[B - 1]) + 1}


def every_nth(visited, n, rng):
    """The labels of an episode that the expert was asked for: those of the steps k, k + n, … from a random k < n on."""
    rows = slice(rng.integers(min(n, len(visited))), None, n)
    return Labelled(*(getattr(visited, field.name)[rows] for field in fields(visited)))


def error(policy, act, obs):
    """Of the policy against the expert: the share of other actions, or the squared distance of actions in [−1, 1]^k."""
    mine, label = policy(obs, None, 0), act(obs)
    return float(
        (mine != label).mean() if label.ndim == 1 else ((np.clip(mine, -1, 1) - label) ** 2).sum(axis=1).mean()
    )


def report(rows):
    """Mean ± standard deviation over the seeds, a line for each budget."""
    lines = []
    for task in EVERY:
        lines.append(f"{task:16}{'':8}" + "".join(f"{method:^48}" for method in METHODS))
        lines.append(f"{'':16}{'labels':>8}" + f"{'return':>16}{'own error':>16}{'expert’s':>16}" * len(METHODS))
        for j, B in enumerate(BUDGETS, start=1):
            cells = ""
            for method in METHODS:
                mine = [row for row in rows if (row["task"], row["method"]) == (task, method)]
                for column in ("return", "own", "expert"):
                    x = [row[f"{column}_{j}"] for row in mine]
                    cells += f"{f'{np.mean(x):.3f} ± {np.std(x, ddof=1):.3f}' if len(x) > 1 else '–':>16}"
            lines.append(f"{'':16}{B:>8}{cells}")
    return "\n".join(lines)
