import numpy as np
import pytest
from worlds import random_mdp, random_policy

from course_utils.planning import occupancy, visitation
from course_utils.rollouts import PAD, Trajectories, empirical_occupancy, sample_trajectories


def frequencies(mdp, sessions):
    """The share of the sessions that act in s at t, counted in plain loops: (H, S)."""
    d = np.zeros((sessions.actions.shape[1], mdp.n_states))
    for states, n in zip(sessions.states, sessions.lengths, strict=True):
        d[np.arange(n), states[:n]] += 1 / len(sessions)
    return d


@pytest.mark.parametrize("kind", [dict(), dict(sparse=True), dict(terminal=[1, 3]), dict(discount=0.8)], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_frequencies_agree_with_the_exact_visitation(kind, seed):
    """Within five standard errors in every one of the H·S places."""
    rng = np.random.default_rng(seed)
    mdp = random_mdp(rng, 5, 3, horizon=6, **kind)
    π, N = random_policy(rng, mdp), 20_000
    sessions = sample_trajectories(mdp, π, N, rng)
    d = visitation(mdp, π)
    assert (np.abs(frequencies(mdp, sessions) - d) <= 5 * np.sqrt(d * (1 - d) / N) + 1e-12).all()
    m = occupancy(mdp, π)
    assert (np.abs(empirical_occupancy(mdp, sessions) - m) <= 5 * mdp.horizon * np.sqrt(1 / N)).all()
    assert np.isclose(sessions.lengths.mean(), frequencies(mdp, sessions).sum())


@pytest.mark.parametrize("seed", range(3))
def test_every_step_is_possible_and_the_end_is_the_end(seed):
    rng = np.random.default_rng(seed)
    mdp = random_mdp(rng, 5, 3, horizon=6, terminal=[2], sparse=True)
    π = random_policy(rng, mdp)
    sessions = sample_trajectories(mdp, π, 500, rng)
    i, t, s, a = sessions.steps()
    assert len(i) == sessions.lengths.sum()
    assert (mdp.dense()[s, a, sessions.states[i, t + 1]] > 0).all()
    assert not mdp.terminal[s].any()
    for states, actions, n in zip(sessions.states, sessions.actions, sessions.lengths, strict=True):
        assert (actions[n:] == PAD).all() and (states[n + 1 :] == PAD).all() and (states[: n + 1] >= 0).all()
        assert n == 6 or mdp.terminal[states[n]]


def test_the_generator_decides_and_nothing_else():
    mdp = random_mdp(np.random.default_rng(0), 5, 3, horizon=6)
    π = random_policy(np.random.default_rng(1), mdp)
    one, same, other = (sample_trajectories(mdp, π, 50, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(one.states, same.states) and np.array_equal(one.actions, same.actions)
    assert not np.array_equal(one.states, other.states)


def test_endless_worlds_are_cut_where_told():
    rng = np.random.default_rng(0)
    mdp = random_mdp(rng, 4, 2, horizon=None, discount=0.7)
    π = random_policy(rng, mdp)
    with pytest.raises(ValueError, match="say where to cut"):
        sample_trajectories(mdp, π, 5, rng)
    sessions = sample_trajectories(mdp, π, 40_000, rng, horizon=30)
    assert np.abs(empirical_occupancy(mdp, sessions) - occupancy(mdp, π)).max() < 0.02


def test_bad_input_is_refused_by_name():
    rng = np.random.default_rng(0)
    mdp = random_mdp(rng)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        sample_trajectories(mdp, random_policy(rng, mdp), 0, rng)
    with pytest.raises(ValueError, match=r"got \(2, 3\), \(2, 3\), \(2,\)"):
        Trajectories(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(2))
