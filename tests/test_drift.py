"""Exact regret against enumeration and closed forms; the bounds on random worlds; classifiers against Bayes's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from worlds import every_session, random_mdp, random_policy

from course_utils import drift
from course_utils.drift import World, echo, erring, kaariainen, mistakes, recoverable, regret, unrecoverable
from course_utils.mdp import TabularMDP
from course_utils.planning import visitation
from course_utils.rollouts import sample_trajectories

OPTIONS = [dict(), dict(sparse=True), dict(deterministic=True), dict(terminal=[1])]


def random_world(rng, T=4, S=4, A=3, **options):
    mdp = random_mdp(rng, S, A, horizon=T, **options)
    return World(mdp, rng.random((S, A)), np.eye(A)[rng.integers(A, size=S)])


def random_imitator(rng, world):
    """Errs at random, rarely or often; wrong actions are not alike."""
    e = rng.random((world.T, world.mdp.n_states, 1)) ** rng.integers(1, 8)
    return (1 - e) * world.expert + e * random_policy(rng, world.mdp)


def enumerated(world, π, table):
    """Expected Σ_t table[t,s,a] under π, session by session."""
    sessions = every_session(world.mdp)
    π = np.broadcast_to(π, (world.T, *world.cost.shape))
    return sum(x.chance * x.policy_probability(π) * sum(table[t, s, a] for t, (s, a) in x.steps()) for x in sessions)


# ---- the worlds


@pytest.mark.parametrize("T", range(1, 101))
def test_the_tight_worlds_for_all_T(T):
    """All the mistakes on the first state: T²ε is reached.  Where mistakes are repaired: Tε, wherever they sit."""
    ε = 0.01 / T
    first = np.array([T * ε, 0, 0])
    for world, expected in ((unrecoverable(T), T**2 * ε), (recoverable(T), T * ε)):
        π = erring(world, first)
        assert np.isclose(mistakes(world, π, world.expert).mean(), ε, rtol=1e-12)
        assert np.isclose(regret(world, π), expected, rtol=1e-12)


@pytest.mark.parametrize("T", [1, 2, 10, 100])
def test_even_mistakes(T):
    ε = 0.03
    world = unrecoverable(T)
    assert np.isclose(regret(world, erring(world, ε)), sum(1 - (1 - ε) ** t for t in range(1, T + 1)))
    assert np.isclose(regret(recoverable(T), erring(recoverable(T), ε)), T * ε)


@pytest.mark.parametrize("T", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("ε", [0.001, 0.2, 0.5, 0.9])
def test_kaariainens_value(T, ε):
    world = echo(T)
    π = erring(world, ε)
    assert np.isclose(regret(world, π), kaariainen(ε, T), rtol=1e-9)
    assert np.isclose(mistakes(world, π, world.expert).mean(), ε)


def test_kaariainens_sequence_played_symbol_by_symbol():
    """Without any MDP: a predictor that repeats its last prediction, each time flipped with probability ε."""
    rng, ε, T = np.random.default_rng(0), 0.05, 30
    truth = rng.integers(2, size=20_000)
    prediction, wrong = truth.copy(), np.zeros(len(truth))
    for _ in range(T):
        prediction ^= rng.random(len(truth)) < ε
        wrong += prediction != truth
    assert abs(wrong.mean() - kaariainen(ε, T)) < 4 * wrong.std() / len(truth) ** 0.5


def test_recoverability_of_the_worlds():
    for T in (1, 5, 20):
        assert drift.recoverability(unrecoverable(T)) == T and drift.recoverability(recoverable(T)) == 1
        assert drift.recoverability(echo(T)) == T


def test_a_recoverable_world_does_not_help_who_cannot_recover():
    """u = 1, but the clone is lost off the path: mistakes on the expert's states bound nothing but T²ε."""
    world = recoverable(100)
    e = np.array([0.01, 0.01, 1.0])
    π, ε = erring(world, e), 0.01
    assert np.isclose(mistakes(world, π, world.expert).mean(), ε)
    assert regret(world, π) > 30 * 100 * ε
    assert np.isclose(regret(world, π), 100 * mistakes(world, π, π).mean())


def test_a_world_says_what_is_wrong():
    good = recoverable(3)
    for mdp, cost, expert in (
        (good.mdp, good.cost * 2, good.expert),
        (good.mdp, -good.cost, good.expert),
        (good.mdp, good.cost[:2], good.expert),
        (good.mdp, good.cost, good.expert / 2),
        (good.mdp, good.cost, np.ones((3, 2))),
        (TabularMDP(good.mdp.dense(), good.mdp.p0, None, 0.9), good.cost, good.expert),
        (TabularMDP(good.mdp.dense(), good.mdp.p0, 3, 0.9), good.cost, good.expert),
    ):
        with pytest.raises(ValueError):
            World(mdp, cost, expert)
    for e in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="mistake"):
            erring(good, e)


# ---- exact quantities against enumeration


@pytest.mark.parametrize("options", OPTIONS)
def test_regret_and_mistakes_are_the_enumerated_ones(options):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        world = random_world(rng, T=3, **options)
        π = random_imitator(rng, world)
        cost, wrong = (np.broadcast_to(x, π.shape) for x in (world.cost, 1 - world.expert))
        expected = enumerated(world, π, cost) - enumerated(world, world.expert, cost)
        assert np.isclose(regret(world, π), expected, atol=1e-12)
        assert np.isclose(mistakes(world, π, π).sum(), enumerated(world, π, wrong))
        d = visitation(world.mdp, world.expert)
        by_hand = [sum(d[t, s] * (1 - π[t, s, world.expert[s].argmax()]) for s in range(4)) for t in range(3)]
        assert np.allclose(mistakes(world, π, world.expert), by_hand)


@pytest.mark.parametrize("options", OPTIONS)
def test_the_performance_difference_lemma(options):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        world = random_world(rng, T=5, **options)
        π, base = random_policy(rng, world.mdp), random_policy(rng, world.mdp)
        gap = drift.performance_difference(world.mdp, world.cost, π, base)
        assert gap.shape == (5,) and np.isclose(gap.sum(), regret(world, π) - regret(world, base), atol=1e-12)


def test_action_values_are_what_one_deviation_costs():
    rng = np.random.default_rng(0)
    world = random_world(rng, T=3)
    π = random_policy(rng, world.mdp)
    Q = drift.action_values(world.mdp, world.cost, π)
    for s, a in np.ndindex(4, 3):
        there = TabularMDP(world.mdp.dense(), np.eye(4)[s], 3)
        deviating = np.concatenate([np.broadcast_to(np.eye(3)[a], (1, 4, 3)), π[1:]])
        cost = np.broadcast_to(world.cost, π.shape)
        assert np.isclose(Q[0, s, a], enumerated(World(there, world.cost, world.expert), deviating, cost))


# ---- the bounds


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("T", [1, 2, 6, 15])
def test_the_bounds_hold_on_random_worlds(options, T):
    for seed in range(25):
        rng = np.random.default_rng(seed)
        world = random_world(rng, T, **options)
        π = random_imitator(rng, world)
        on_expert, own = mistakes(world, π, world.expert), mistakes(world, π, π)
        assert regret(world, π) <= (T - np.arange(T)) @ on_expert + 1e-12  # the sharper form, mistake by mistake
        assert regret(world, π) <= T**2 * on_expert.mean() + 1e-12
        assert regret(world, π) <= drift.recoverability(world) * T * own.mean() + 1e-12


def test_recoverability_is_the_smallest_number_that_will_do():
    """One mistake at the worst time and place, made for certain, costs u exactly when the expert is led there."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        world = random_world(rng, T=4)
        Q = drift.action_values(world.mdp, world.cost, world.expert)
        advantage = Q - (world.expert * Q).sum(axis=2, keepdims=True)
        t, s, a = np.unravel_index(advantage.argmax(), Q.shape)
        left = World(TabularMDP(world.mdp.dense(), np.eye(4)[s], 4 - int(t)), world.cost, world.expert)
        π = np.broadcast_to(world.expert, (left.T, 4, 3)).copy()
        π[0, s] = np.eye(3)[a]
        assert np.isclose(regret(left, π), drift.recoverability(world))


# ---- learners


@pytest.mark.parametrize("options", OPTIONS)
def test_who_sees_everything_imitates_perfectly(options):
    """With all states told apart both learners do what the expert does where they come to be."""
    world = random_world(np.random.default_rng(3), T=6, **options)
    for train in (drift.clone_exactly, drift.train_forward):
        π = train(world, np.arange(4))
        assert np.allclose(mistakes(world, π, π), 0) and abs(regret(world, π)) < 1e-12


def test_each_observation_gets_the_likeliest_label():
    """No other policy of the same observations makes fewer mistakes on the distribution that it was fitted to."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        world = random_world(rng, S=6)
        seen, d = np.array([0, 0, 1, 1, 2, 2]), rng.dirichlet(np.ones(6))
        π = drift.majority(world, d, seen)
        loss = d @ (π * (1 - world.expert)).sum(axis=1)
        every = [d @ (1 - world.expert)[np.arange(6), np.array(a)[seen]] for a in np.ndindex(3, 3, 3)]
        assert np.isclose(loss, min(every)) and np.array_equal(π[::2], π[1::2])


def test_without_votes_the_action_is_drawn_by_lot():
    world = random_world(np.random.default_rng(0))
    assert np.allclose(drift.majority(world, np.array([1, 0, 0, 0.0]), np.arange(4))[1:], 1 / 3)


def test_forward_training_fits_each_time_to_its_own_states():
    """Its mistakes, on its own states, are at each time the fewest that any policy of the observation could make."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        world = random_world(rng, T=5, S=6)
        seen = rng.integers(3, size=6)
        seen[:3] = range(3)
        π = drift.train_forward(world, seen)
        d, own = visitation(world.mdp, π), mistakes(world, π, π)
        for t in range(5):
            every = [d[t] @ (1 - world.expert)[np.arange(6), np.array(a)[seen]] for a in np.ndindex(3, 3, 3)]
            assert np.isclose(own[t], min(every))
        assert regret(world, π) <= drift.recoverability(world) * own.sum() + 1e-12


@pytest.mark.parametrize("β", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_the_gap_of_driving(β):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        world = random_world(rng, T=7)
        gap = drift.driving_gap(world, random_imitator(rng, world), β)
        assert gap <= 2 * (1 - (1 - β) ** 7) + 1e-12 <= 2 * 7 * β + 2e-12
    if β == 0:
        assert gap == 0


def test_the_gap_of_driving_is_the_enumerated_one():
    """An imitator that leaves the path at once: only a first step that the expert takes keeps the mixture on it."""
    for T, β in ((3, 0.1), (6, 0.4)):
        world = unrecoverable(T)
        on = β ** np.arange(T)  # still on the path at time t, the start included
        expected = 2 * (on[1:].sum()) / T
        assert np.isclose(drift.driving_gap(world, erring(world, 1.0), β), expected)


# ---- drift


def test_total_variation():
    assert drift.total_variation([0.5, 0.5, 0], [0, 0.5, 0.5]) == 0.5
    for seed in range(5):
        p, q = np.random.default_rng(seed).dirichlet(np.ones(6), size=2)
        subsets = [np.array(b, dtype=bool) for b in np.ndindex(*[2] * 6)]
        assert np.isclose(drift.total_variation(p, q), max(p[b].sum() - q[b].sum() for b in subsets))
    assert drift.total_variation(np.eye(2) / 2, [[0, 0.5], [0.5, 0]]) == 1  # any shape
    for p, q in (([1.0], [0.5, 0.5]), ([0.5, 0.6], [0.5, 0.5]), ([-0.5, 1.5], [0.5, 0.5]), ([np.nan, 1], [0.5, 0.5])):
        with pytest.raises(ValueError):
            drift.total_variation(p, q)


def test_bayes_classifier():
    """The best of all classifiers, enumerated, is right ½ + ½ TV of the time."""
    for seed in range(5):
        p, q = np.random.default_rng(seed).dirichlet(np.ones(6), size=2)
        best = max((np.where(guess, q, p).sum()) / 2 for guess in np.ndindex(*[2] * 6))
        assert np.isclose(drift.bayes_accuracy(p, q), best)
        assert np.isclose(best, 0.5 + 0.5 * drift.total_variation(p, q))


def states_of(world, π, n, rng):
    """One-hot states of n sessions, without time, and which session they are from."""
    episode, _, s, _ = sample_trajectories(world.mdp, π, n, rng).steps()
    return np.eye(world.mdp.n_states)[s], episode


@pytest.mark.parametrize("sizes", [(400, 400), (600, 200)])
def test_the_measured_accuracy_is_that_of_bayes(sizes):
    world = unrecoverable(10)
    π = erring(world, 0.1)
    d = [visitation(world.mdp, p).mean(axis=0) for p in (world.expert, π)]
    expected = drift.bayes_accuracy(*d)
    found = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        first, second = (states_of(world, p, n, rng) for p, n in zip((world.expert, π), sizes, strict=True))
        found.append(drift.two_sample_accuracy(first, second, rng))
    assert 0.6 < expected < 0.8 and abs(np.mean(found) - expected) < 0.03


def walks(rng, n, T=40):
    """n slow walks with places of their own: smooth, so that rows of an episode are neighbours."""
    x = rng.normal(size=(n, 1, 2)) + 0.02 * rng.normal(size=(n, T, 2)).cumsum(axis=1)
    return x.reshape(-1, 2), np.repeat(np.arange(n), T)


def test_a_split_by_row_finds_a_difference_where_there_is_none():
    by = {"episode": [], "row": []}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        first, second = walks(rng, 20), walks(rng, 20)
        for split, accuracies in by.items():
            accuracies.append(drift.two_sample_accuracy(first, second, rng, split))
    assert abs(np.mean(by["episode"]) - 0.5) < 0.1 and min(by["row"]) > 0.8


def test_any_classifier_will_do_and_halves_do_not_share_an_episode():
    fitted = []

    class Spy(LogisticRegression):
        def fit(self, X, y, sample_weight):
            fitted.append((X, y, sample_weight))
            return super().fit(X, y, sample_weight)

        def predict(self, X):
            fitted.append(X)
            return super().predict(X)

    rng = np.random.default_rng(0)
    first = np.repeat(np.arange(6.0), 3)[:, None], np.repeat([9, 4, 1, 7, 5, 3], 3)  # the observation is the episode
    second = 10 + np.repeat(np.arange(8.0), 2)[:, None], np.repeat(np.arange(8), 2)
    assert drift.two_sample_accuracy(first, second, rng, classifier=Spy()) == 1
    (X, y, weight), tested = fitted
    assert len(set(X[:, 0])) == 7 and len(set(tested[:, 0])) == 7 and not set(X[:, 0]) & set(tested[:, 0])
    assert np.isclose(weight[y == 0].sum(), weight[y == 1].sum())
    with pytest.raises(ValueError, match="split"):
        drift.two_sample_accuracy(first, second, rng, split="state")
    with pytest.raises(ValueError, match="two episodes"):
        drift.two_sample_accuracy((first[0][:3], first[1][:3]), second, rng)
