"""Falls a lap of karts that learn to steer, after each of 20 iterations: cloning, SMILe, and DAgger with three β.

The shape of the kart figure of Ross, Gordon and Bagnell (2011, arXiv:1011.0686), on a track and with a kart of our own.
An iteration is one episode, about a lap, of 250 labels. The learner is linear in coarse cells of what the driver sees
(`kart.cells`), or in too little of it (`kart.poor_cells`). After each iteration the learner drives alone, 32 karts for
the time of a lap, each with its own bumps.
"""

import numpy as np

from course_utils.imitation import always, dagger, first_only, geometric, ridge, smile
from course_utils.kart import KartVector, cells, driver, falls_per_lap, poor_cells

SEEDS = 12
ITERATIONS = 20
FEATURES = {"cells": cells, "poor": poor_cells}
METHODS = {
    "supervised": lambda *given: dagger(*given, ITERATIONS, always),
    "SMILe": lambda *given: smile(*given, ITERATIONS, α=0.1),
    "DAgger, β = I(i = 1)": lambda *given: dagger(*given, ITERATIONS, first_only),
    "DAgger, β = .5^(i−1)": lambda *given: dagger(*given, ITERATIONS, geometric(0.5)),
    "DAgger, β = .9^(i−1)": lambda *given: dagger(*given, ITERATIONS, geometric(0.9)),
}
POOR = ("supervised", "SMILe", "DAgger, β = I(i = 1)")
CONFIGURATIONS = [dict(method=method, features="cells") for method in METHODS]
CONFIGURATIONS += [dict(method=method, features="poor") for method in POOR]


def run(configuration, seed):
    env = KartVector(1)
    learn = ridge(env, features=FEATURES[configuration["features"]])
    learned = METHODS[configuration["method"]](env, driver, learn, np.random.default_rng([seed, 0]))
    falls = [falls_per_lap(π, np.random.default_rng([seed, 1]), copies=32) for π in learned.policies]
    return {"labels": int(learned.queries[-1])} | {f"falls_{i}": float(n) for i, n in enumerate(falls, 1)}


def report(rows):
    shown = (1, 2, 5, 10, 15, 20)
    lines = ["Falls a lap after iteration …, mean ± sd over seeds", f"{'':32}" + "".join(f"{i:>14}" for i in shown)]
    for configuration in CONFIGURATIONS:
        mine = [row for row in rows if configuration.items() <= row.items()]
        if mine:
            cells = [[row[f"falls_{i}"] for row in mine] for i in shown]
            spread = "".join(f"{f'{np.mean(x):.2f} ± {np.std(x):.2f}':>14}" for x in cells)
            name = configuration["method"] + (", poor" if configuration["features"] == "poor" else "")
            lines.append(f"{name:32}" + spread)
    return "\n".join(lines)
