import numpy as np
import pytest
from worlds import every_session, random_mdp, random_policy

from course_utils.mdp import TabularMDP
from course_utils.sessions import chosen, enumerate_sessions, total

KINDS = [dict(), dict(sparse=True), dict(deterministic=True), dict(horizon=1)]


def two_lamps():
    """Action 0 waits, action 1 switches to the other state, and works three times in four from state 0."""
    return TabularMDP([[[1, 0], [0.25, 0.75]], [[0, 1], [1, 0]]], [1, 0], horizon=2)


def test_a_world_counted_by_hand():
    sessions = enumerate_sessions(two_lamps())
    rows = zip(sessions.states.tolist(), sessions.actions.tolist(), sessions.chance.tolist(), strict=True)
    assert sorted(rows) == [
        ([0, 0, 0], [0, 0], 1),
        ([0, 0, 0], [0, 1], 0.25),
        ([0, 0, 0], [1, 0], 0.25),
        ([0, 0, 0], [1, 1], 0.0625),
        ([0, 0, 1], [0, 1], 0.75),
        ([0, 0, 1], [1, 1], 0.1875),
        ([0, 1, 0], [1, 1], 0.75),
        ([0, 1, 1], [1, 0], 0.75),
    ]


def test_sums_and_products_along_a_session_by_hand():
    sessions = enumerate_sessions(two_lamps())
    k = np.flatnonzero((sessions.states == [0, 1, 0]).all(axis=1)).item()  # switches twice
    r = np.array([[1.0, 10.0], [100.0, 1000.0]])
    assert total(r, sessions)[k] == 1010
    assert total(np.stack([r, -2 * r], axis=-1), sessions)[k].tolist() == [1010, -2020]
    π = np.array([[[0.9, 0.1], [0.5, 0.5]], [[0.5, 0.5], [0.8, 0.2]]])
    assert np.isclose(chosen(π, sessions)[k], 0.1 * 0.2)
    assert np.isclose(chosen(list(π), sessions)[k], 0.1 * 0.2)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_plain_loops(kind, seed):
    """The same sessions, chances, sums and probabilities as one-by-one enumeration, and a probability in all."""
    rng = np.random.default_rng(seed)
    mdp = random_mdp(rng, **kind)
    π, r = random_policy(rng, mdp), rng.normal(size=(mdp.n_states, mdp.n_actions))
    sessions = enumerate_sessions(mdp)
    R, q = total(r, sessions), chosen(π, sessions)
    ours = {(*s, *a): x for s, a, *x in zip(*(x.tolist() for x in (*sessions, R, q)), strict=True)}
    theirs = {(*s.states, *s.actions): [s.chance, s.total(r), s.policy_probability(π)] for s in every_session(mdp)}
    assert len(ours) == len(R) and ours.keys() == theirs.keys()
    assert all(np.allclose(ours[key], theirs[key]) for key in theirs)
    assert np.isclose(sessions.chance @ q, 1)


@pytest.mark.parametrize("kind", [dict(horizon=None, discount=0.9), dict(terminal=[1])], ids=str)
def test_sessions_of_unequal_length_are_refused(kind):
    with pytest.raises(ValueError, match="give the world a horizon, and no terminal state"):
        enumerate_sessions(random_mdp(np.random.default_rng(0), **kind))
