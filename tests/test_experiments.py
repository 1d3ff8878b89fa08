"""The stored tables of the studies: complete, made by this code, and a cheap row of each still comes out."""

from math import isnan

import numpy as np
import pytest
import torch

from course_utils.studies import find, is_stale, load_table, rerun_row

# For each table: the cheap row to run again, and the column that it must reproduce.
CHEAP = {
    "classic_control": (dict(method="bc"), "normalised"),
    "guided_cost": (dict(task="CartPole-v1", every=20), "replanned"),
    "adversarial": (dict(task="Acrobot-v1", method="gail"), "final"),
    "control": (dict(task="LunarLander-v3", method="cloning"), "return_6"),
    "kart": (dict(method="supervised", features="cells"), "falls_20"),
    "handwriting": (dict(folds=2, method="DAgger"), "accuracy"),
}


@pytest.mark.parametrize("name", CHEAP)
def test_the_table_is_complete_and_of_this_code(name):
    study, rows = find(name), load_table(name)
    assert study.module.SEEDS >= 5 and not is_stale(name)
    for configuration in study.module.CONFIGURATIONS:
        seeds = {row["seed"] for row in rows if configuration.items() <= row.items()}
        assert seeds >= set(range(study.module.SEEDS)), configuration
    assert study.module.report(rows)


@pytest.mark.parametrize("name", CHEAP)
def test_a_cheap_row_comes_out_within_the_spread(name):
    """Not to the last digit: another machine's arithmetic may send a training run elsewhere."""
    torch.set_num_threads(1)
    match, column = CHEAP[name]
    old, new = rerun_row(name, **match)
    configuration = {key: old[key] for key in find(name).module.CONFIGURATIONS[0]}
    alike = [row[column] for row in load_table(name) if configuration.items() <= row.items()]
    assert len(alike) >= 5 and not isnan(new[column])
    assert abs(new[column] - np.mean(alike)) < 4 * np.std(alike, ddof=1) + 0.05, (old, new)
