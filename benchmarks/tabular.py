"""How fast the tabular core is, on slippery grids: 5 actions, slip 0.2, horizon 50.  Run by `make bench`.

Prints the best of several repetitions; the promise of each row stands beside it.  One BLAS thread.
"""

import os
import platform
import resource
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (the thread count must be set first)

from course_utils.gridworlds import gridworld, radial_features  # noqa: E402
from course_utils.irl import feature_expectations, maxent_irl  # noqa: E402
from course_utils.planning import occupancy, soft_value_iteration, visitation  # noqa: E402


def best_of(n, function):
    """(seconds, result) of the fastest of n runs."""
    runs = []
    for _ in range(n):
        start = time.perf_counter()
        result = function()
        runs.append(time.perf_counter() - start)
    return min(runs), result


def bumps(world, per_side, width):
    """Gaussian features on a per_side × per_side lattice of centres."""
    rows, columns = world.shape
    lattice = (np.arange(per_side) + 0.5) / per_side
    return radial_features(world, [(rows * x - 0.5, columns * y - 0.5) for x in lattice for y in lattice], width)


def measure(side, fit_widths=()):
    rng = np.random.default_rng(0)
    world = gridworld(["." * side] * side, slip=0.2, horizon=50, stay=True)
    S = world.mdp.n_states
    r = rng.normal(size=(S, 5))
    repetitions = 20 if S < 1e5 else 1
    back, (_, _, π) = best_of(repetitions, lambda: soft_value_iteration(world.mdp, r))
    forward, _ = best_of(repetitions, lambda: visitation(world.mdp, π))
    print(f"{S:>9,} states: soft backward pass {1e3 * back:9.1f} ms, forward pass {1e3 * forward:9.1f} ms")
    for per_side, width in fit_widths:
        f = bumps(world, per_side, width)
        θ = rng.normal(size=f.shape[2])
        expert = feature_expectations(world.mdp, f, occupancy(world.mdp, soft_value_iteration(world.mdp, f @ θ)[2]))
        del π
        seconds, fit = best_of(3, lambda: maxent_irl(world.mdp, f, expert, tol=1e-4))  # noqa: B023
        print(
            f"{'':>9} fit, {f.shape[2]:>2} Gaussian features of width {width:>3g}: {seconds:5.2f} s, "
            f"{fit.evaluations} evaluations, feature gap {fit.gap:.1e}"
        )
        π = fit.π


if __name__ == "__main__":
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}")
    measure(8)
    measure(20, [(4, 3)])
    print("promise at 2,500 states: backward pass ≤ 10 ms, fit to gap 1e-4 ≤ 1 s")
    measure(50, [(4, 6), (5, 8)])
    measure(100, [(5, 10)])
    print("promise at 1,000,000 states: both passes together ≤ 60 s, ≤ 6 GB")
    measure(1000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"peak memory {peak / 1e9:.2f} GB")
