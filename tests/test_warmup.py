"""The warm-up of notebook 00: right answers pass, and each wrong one is named, over many seeds."""

import numpy as np
import pytest

from course_utils.checks import check

SEEDS = range(25)


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.jsonl"))


def shifted_by_the_largest(q):
    return q.max() + np.log(np.exp(q - q.max()).sum())


def pairwise(q):
    return np.logaddexp.reduce(q)


@pytest.mark.parametrize("right", [shifted_by_the_largest, pairwise])
def test_right_answers_pass(right):
    for seed in SEEDS:
        assert check("a0.q1", right, seed=seed).passed


@pytest.mark.parametrize(
    "wrong, mistake",
    [
        (lambda q: np.log(np.exp(q).sum()), "exp overflows"),
        (lambda q: q.max(), "the maximum itself"),
        (lambda q: np.log(np.exp(q - q.max()).sum()), "the shift is not put back"),
        (lambda q: q.max() + np.log(np.exp(q - q.max()).mean()), "mean, not sum"),
        (lambda q: q.mean(), None),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_answers_are_named(wrong, mistake):
    for seed in SEEDS:
        card = check("a0.q1", wrong, seed=seed)
        assert not card.passed and card.mistake == mistake
