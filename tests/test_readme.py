"""What the README shows and links to is there, and its pictures are what the code draws today."""

import re
import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

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
