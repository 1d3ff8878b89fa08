"""The README's two pictures, made by the course's own code: `python docs/pictures.py`."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (the backend must be chosen first)
import numpy as np  # noqa: E402

from course_utils.gridworlds import gridworld, radial_features  # noqa: E402
from course_utils.irl import feature_expectations, maxent_irl  # noqa: E402
from course_utils.planning import occupancy, soft_value_iteration, visitation  # noqa: E402
from course_utils.plotting import draw_grid  # noqa: E402
from course_utils.rollouts import empirical_occupancy, sample_trajectories  # noqa: E402
from course_utils.tile_plots import draw_bounds, draw_puzzle  # noqa: E402
from course_utils.tiles import FIRST_PUZZLE, consistent_rewards  # noqa: E402

FOLDER = Path(__file__).parent


def puzzle_picture():
    """A session on the tile puzzle, and the exact set of rewards that explain it."""
    session = "URRDRRURRDR"
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 2.8), width_ratios=(1.25, 1), layout="constrained")
    draw_puzzle(left, FIRST_PUZZLE, [session], "an expert walks, and exits")
    draw_bounds(right, consistent_rewards(FIRST_PUZZLE, [session]))
    right.set_title("what it must want, exactly", fontsize=10)
    return fig


def reward_picture(sessions=200, seed=0):
    """True reward, what was seen of the expert, recovered reward, and what the recovered reward does."""
    rng = np.random.default_rng(seed)
    layout = ["." * 16 if row not in (5, 10) else "......####......" for row in range(16)]
    world = gridworld(layout, slip=0.2, horizon=40, stay=True)
    f = radial_features(world, [(i, j) for i in range(1, 16, 3) for j in range(1, 16, 3)], width=2)
    θ = rng.normal(size=f.shape[2])
    expert = soft_value_iteration(world.mdp, f @ θ)[2]
    seen = empirical_occupancy(world.mdp, sample_trajectories(world.mdp, expert, sessions, rng))
    fit = maxent_irl(world.mdp, f, feature_expectations(world.mdp, f, seen), l2=0.02)
    true, found = (f @ θ)[:, 0], fit.reward[:, 0]
    pictures = [
        (true - true.mean(), "the reward nobody tells you", "RdBu_r"),
        (seen.sum(axis=1), f"where {sessions} sessions went", "viridis"),
        (found - found.mean(), f"the reward recovered (correlation {np.corrcoef(true, found)[0, 1]:.2f})", "RdBu_r"),
        (visitation(world.mdp, fit.π).sum(axis=0), "where it leads", "viridis"),
    ]
    fig, axes = plt.subplots(1, 4, figsize=(15, 3.4), layout="constrained")
    for ax, (values, title, cmap) in zip(axes, pictures, strict=True):
        largest = np.abs(values).max()
        draw_grid(ax, world, values, title, cmap, limits=(-largest if cmap == "RdBu_r" else 0, largest))
    assert np.abs(occupancy(world.mdp, fit.π) - occupancy(world.mdp, expert)).max() < 0.5
    return fig


if __name__ == "__main__":
    for name, make in {"puzzle": puzzle_picture, "reward": reward_picture}.items():
        make().savefig(FOLDER / f"{name}.png", dpi=90, facecolor="white", metadata={"Software": None})
        print(f"docs/{name}.png")
