"""The notation table of the first notebook against the code: every name in it exists, with the axes it promises."""

import importlib
import re
from pathlib import Path

import numpy as np
from worlds import random_mdp

from course_utils.planning import occupancy, soft_value_iteration, visitation

SOURCE = Path(__file__).parents[1] / "authoring/lectures/00_start_here.py"


def table():
    text = SOURCE.read_text(encoding="utf-8")
    return re.findall(r"^# \|(.*)\|(.*)\|(.*)\|$", text[text.index("## Notation") : text.index("## Do you know")], re.M)


def test_every_name_in_the_table_exists():
    mdp = random_mdp(np.random.default_rng(0))
    names = [name for row in table() for name in re.findall(r"`([^`]+)`", row[2])]
    assert len(names) >= 15
    for name in names:
        owner, attribute = re.fullmatch(r"(\w+)\.(\w+)(?:\(.*\))?", name).groups()
        place = mdp if owner == "mdp" else importlib.import_module(f"course_utils.{owner}")
        assert hasattr(place, attribute), name


def test_the_axes_are_as_promised():
    """The table's P[s,a,s'], r[s,a], π[t,s,a] … on a world in which S, A and H all differ."""
    rng = np.random.default_rng(0)
    mdp = random_mdp(rng, S=5, A=2, horizon=3)
    size = {"s": 5, "a": 2, "t": 3, "s'": 5}
    V, Q, π = soft_value_iteration(mdp, rng.normal(size=(5, 2)))
    found = {"P": mdp.dense(), "r": np.zeros((5, 2)), "π": π, "V": V[:-1], "Q": Q, "d": visitation(mdp, π)}
    text = " ".join(row[1] for row in table())
    promised = re.findall(r"`(\w)\[([^\]]+)\]`", text)
    assert {name for name, _ in promised} == set(found)
    for name, axes in promised:
        assert found[name].shape == tuple(size[axis] for axis in axes.split(",")), name
    assert occupancy(mdp, π).shape == (5, 2)
