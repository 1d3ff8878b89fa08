import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import random_mdp

from course_utils.mdp import TabularMDP

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, S=st.integers(1, 7), A=st.integers(1, 4), sparse=st.booleans())
def test_expect_and_push_are_the_sums_and_adjoint(seed, S, A, sparse):
    rng = np.random.default_rng(seed)
    mdp = random_mdp(rng, S, A, sparse=sparse)
    V, m, P = rng.normal(size=S), rng.normal(size=(S, A)), mdp.dense()
    assert np.allclose(mdp.expect(V), np.einsum("sax,x->sa", P, V), atol=1e-13)
    assert np.allclose(mdp.push(m), np.einsum("sa,sax->x", m, P), atol=1e-13)
    assert abs((m * mdp.expect(V)).sum() - mdp.push(m) @ V) < 1e-12 * max(1, np.abs(m).sum())


@pytest.mark.parametrize("seed", range(5))
def test_dense_and_sparse_are_the_same_world(seed):
    rng = np.random.default_rng(seed)
    dense = random_mdp(rng, 5, 3)
    stacked = dense.dense().reshape(15, 5)
    for form in (sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix):
        world = TabularMDP(form(stacked), dense.p0, horizon=3)
        assert np.array_equal(world.dense(), dense.dense())
        assert np.array_equal(world.rows().toarray(), stacked)
        m = rng.normal(size=(5, 3))
        assert np.allclose(world.push(m), dense.push(m), atol=1e-14)


def test_what_was_given_is_not_changed_and_not_shared():
    P, p0 = np.full((2, 1, 2), 0.5), np.array([1.0, 0.0])
    mdp = TabularMDP(P, p0, horizon=2)
    P[:] = 9
    p0[:] = 9
    assert np.array_equal(mdp.dense(), np.full((2, 1, 2), 0.5))
    assert np.array_equal(mdp.p0, [1, 0])


GOOD_P, GOOD_p0 = np.full((2, 3, 2), 0.5), np.array([0.25, 0.75])


def bad(change, at=None):
    P = GOOD_P.copy()
    P[at or (1, 2)] = change
    return P


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(P=bad([0.5, 0.6])), r"P\[1,2,:\] sums to 1.1"),
        (dict(P=bad([-0.5, 1.5])), "negative probability: -0.5"),
        (dict(P=bad([np.nan, 1.0])), "NaN"),
        (dict(P=bad([np.inf, 1.0])), "infinite"),
        (dict(P=GOOD_P[:, :, :1]), r"dense P must be \(S, A, S\).*got \(2, 3, 1\)"),
        (dict(P=GOOD_P.reshape(6, 2)), r"dense P must be"),
        (dict(P=sp.csr_array(np.full((5, 2), 0.5))), r"sparse P must be \(S·A, S\).*got \(5, 2\)"),
        (dict(P=sp.csr_array(bad([0.5, 0.6]).reshape(6, 2))), r"P\[1,2,:\] sums to 1.1"),
        (dict(P=sp.csr_array(bad([-0.5, 1.5]).reshape(6, 2))), "negative"),
        (dict(P=sp.csr_array(bad([np.nan, 1.0]).reshape(6, 2))), "NaN"),
        (dict(p0=[0.5, 0.6]), "p0 must sum to 1, it sums to 1.1"),
        (dict(p0=[-0.5, 1.5]), "p0 has an entry that is negative"),
        (dict(p0=[np.nan, 1.0]), "NaN"),
        (dict(p0=[[0.5, 0.5]]), r"vector of S probabilities, got shape \(1, 2\)"),
        (dict(p0=[]), "p0 must be a vector"),
        (dict(horizon=0), "positive whole number"),
        (dict(horizon=2.5), "positive whole number"),
        (dict(horizon=None), "needs discount < 1"),
        (dict(discount=0), r"discount must be in \(0, 1\], got 0"),
        (dict(discount=1.5), "discount"),
        (dict(discount=np.nan), "discount"),
        (dict(discount="a"), "discount must be in .* got 'a'"),
        (dict(horizon=float("inf")), "positive whole number"),
        (dict(horizon=float("nan")), "positive whole number"),
        (dict(horizon=True), "positive whole number"),
        (dict(P=GOOD_P + 0j), "complex"),
        (dict(terminal=[0.7]), "terminal states must be numbers 0…1, got .0.7"),
        (dict(terminal=[np.nan]), "terminal states must be numbers 0…1"),
        (dict(terminal=["a"]), "terminal states must be numbers 0…1"),
        (dict(terminal=np.array([1, 1])), "twice.*make it boolean"),
        (dict(terminal=[2]), "terminal states must be numbers 0…1"),
        (dict(terminal=[-1]), "terminal states must be numbers 0…1"),
        (dict(terminal=[True]), r"terminal mask must have shape \(2,\)"),
        (dict(terminal=[0]), "p0 puts probability on a terminal state"),
    ],
)
def test_bad_worlds_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        TabularMDP(**{"P": GOOD_P, "p0": GOOD_p0, "horizon": 4, **arguments})


def test_bad_rewards_are_refused_by_name():
    mdp = TabularMDP(GOOD_P, GOOD_p0, horizon=4)
    with pytest.raises(ValueError, match=r"np.tile\(r\[:, None\], \(1, n_actions\)\)"):
        mdp.reward([1.0, 2.0])
    with pytest.raises(ValueError, match=r"shape \(2, 3\), got \(3, 2\)"):
        mdp.reward(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="NaN"):
        mdp.reward(np.full((2, 3), np.nan))
    state_reward = np.array([1.0, 2.0])
    assert mdp.reward(np.tile(state_reward[:, None], (1, 3))).shape == (2, 3)


def test_untidy_sparse_input_is_summed_and_left_alone():
    """Two entries at one place count together; the caller's matrix keeps them."""
    P = sp.csr_array((np.array([0.25, 0.75, 1.0]), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2))
    mdp = TabularMDP(P, [1.0, 0.0], horizon=2)
    assert np.array_equal(mdp.dense()[:, 0], [[0, 1], [1, 0]])
    assert P.nnz == 3


def test_operators_refuse_what_has_another_shape():
    mdp = TabularMDP(GOOD_P, GOOD_p0, horizon=np.int64(4), terminal=())
    assert mdp.horizon == 4 and not mdp.terminal.any()
    with pytest.raises(ValueError, match=r"V\[s\] of shape \(2,\), got \(3,\)"):
        mdp.expect(np.zeros(3))
    with pytest.raises(ValueError, match=r"m\[s,a\] of shape \(2, 3\), got \(3, 2\)"):
        mdp.push(np.zeros((3, 2)))
