"""What the README shows and links to is there, and its pictures are what the code draws today."""

import re
import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from course_utils.studies import load_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

matplotlib.use("Agg")


def test_pictures_and_folders_exist_and_pictures_are_described():
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", README)
    assert len(pictures) == 2
    for alt, path in pictures:
        assert (ROOT / path).is_file() and len(alt) > 40
    for folder in re.findall(r"`([\w/]+/)`", README):
        assert (ROOT / folder).is_dir(), folder


def test_lectures_called_ready_are_there_and_others_are_not():
    ready = re.findall(r"^\| (\d\d) \|.*\| ready \|$", README, re.M)
    built = sorted(path.name[:2] for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert ready == built


@pytest.mark.parametrize("name", ["puzzle", "reward"])
def test_pictures_are_what_the_code_draws(name, tmp_path):
    """To within a thousandth of the brightness: fonts may render a little differently elsewhere."""
    figure = runpy.run_path(str(ROOT / "docs/pictures.py"))[f"{name}_picture"]()
    figure.savefig(tmp_path / "now.png", dpi=90, facecolor="white")
    plt.close(figure)
    now, committed = plt.imread(tmp_path / "now.png"), plt.imread(ROOT / f"docs/{name}.png")
    assert now.shape == committed.shape
    assert np.abs(now - committed).mean() < 1e-3


def test_the_karts_table_is_the_stored_one():
    rows = load_table("kart")
    lines = re.findall(
        r"^\| ((?:supervised|SMILe|DAgger).*?) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", README, re.M
    )
    assert len(lines) == 6
    for name, *cells in lines:
        method, features = name.replace(", α = .1", ""), "cells"
        if method.endswith(", features too poor"):
            method, features = method.removesuffix(", features too poor"), "poor"
        mine = [row for row in rows if (row["method"], row["features"]) == (method, features)]
        assert len(mine) == 12
        assert cells == [f"{np.mean([row[f'falls_{i}'] for row in mine]):.1f}" for i in (1, 5, 10, 20)], name


def test_what_is_said_of_handwriting_and_hopper_is_in_the_stored_tables():
    rows = [row for row in load_table("handwriting") if row["folds"] == 9]

    def share(method, column, fixed=None, spread=True):
        x = [100 * row[column] for row in rows if (row["method"], row["fixed"]) == (method, fixed)]
        assert len(x) == 10
        return f"{np.mean(x):.1f}" + (f" ± {np.std(x, ddof=1):.1f}" if spread else "")

    parts = ("no structure", "accuracy"), ("DAgger", "accuracy_1"), ("DAgger", "accuracy")
    text = " ".join(README.split())
    chosen, fixed = [share(*part) for part in parts], [share(*part, 1, False) for part in parts]
    assert "{} % without structure, {} % supervised, {} % DAgger".format(*chosen) in text
    assert "{}, {}, {} % with a fixed one".format(*fixed) in text
    for fixed in (None, 1):
        both = [row for row in rows if (row["method"], row["fixed"]) == ("DAgger", fixed)]
        assert all(row["accuracy"] > row["accuracy_1"] for row in both)

    def earned(task, method, j):
        x = [row[f"return_{j}"] for row in load_table("control") if (row["task"], row["method"]) == (task, method)]
        return f"{np.mean(x):.2f} ± {np.std(x, ddof=1):.2f}".replace("0.", ".")

    hopper, lander = (
        [earned(task, m, 6) for m in ("cloning", "dagger_first")] for task in ("Hopper-v5", "LunarLander-v3")
    )
    few = [earned("Hopper-v5", m, 3) for m in ("cloning", "dagger_first")]
    assert "cloning has {} of its normalised return and DAgger {}".format(*hopper) in text
    assert "{} and {}); on LunarLander-v3 there is little to mend ({} and {})".format(*few, *lander) in text
