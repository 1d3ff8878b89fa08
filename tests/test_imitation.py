"""imitation.py: who drives, who is asked, what is learned from; against spies, a plain loop and other libraries."""

import gymnasium
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode
from sklearn.linear_model import Ridge

from course_utils import imitation as im
from course_utils.environments import make
from course_utils.experts import expert
from course_utils.networks import Policy
from course_utils.vectorised import Wrapped

RNG = np.random.default_rng


class Walk(gymnasium.Env):
    """A walker on 0, 1, 2, …: action 1 goes on, 0 stays; it starts at a random place < 3 and ends at 6, or after 9."""

    observation_space = Box(0, 20, (1,), np.float64)
    action_space = Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.steps = int(self.np_random.integers(3)), 0
        return np.array([self.at], dtype=float), {}

    def step(self, action):
        self.at, self.steps = self.at + int(action), self.steps + 1
        return np.array([self.at], dtype=float), float(action), self.at >= 6, self.steps >= 9, {}


def walks(n):
    return Wrapped(Walk, n)


def go(obs, rng, time):
    return np.ones(len(obs), dtype=int)


def stay(obs, rng, time):
    return np.zeros(len(obs), dtype=int)


class Spy:
    """A policy that remembers what it was asked."""

    def __init__(self, act):
        self.act, self.asked = act, []

    def __call__(self, obs, rng, time):
        self.asked += [(time, *row) for row in obs.tolist()]
        return self.act(obs, rng, time)


class SpyLearner:
    """Learns nothing: its k-th policy is makes[k]; remembers what data it saw."""

    def __init__(self, *makes):
        self.makes, self.saw = list(makes), []

    def __call__(self, obs, labels, rng):
        self.saw.append((obs.copy(), labels.copy()))
        return self.makes[min(len(self.saw), len(self.makes)) - 1]


# ---- rollouts and policies


def by_hand(name, act, seed, n):
    """(episode, time, obs, action, reward) of n gymnasium environments, one after the other."""
    rows = []
    for i in range(n):
        env = gymnasium.make(name)
        obs, _ = env.reset(seed=seed + i)
        over, t = False, 0
        while not over:
            action = act(obs[None], None, t)[0]
            new, reward, terminated, truncated, _ = env.step(action)
            rows.append((i, t, obs, action, reward))
            obs, over, t = new, terminated or truncated, t + 1
    return rows


def balance(obs, rng, time):
    return (obs[:, 2] + 0.5 * obs[:, 3] + 0.02 * (time % 3) > 0).astype(int)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, "wrapped"])
def test_a_rollout_is_the_plain_loop(mode):
    """In whatever way copies are reset, and with episodes of unequal lengths."""
    if mode == "wrapped":
        env = Wrapped("CartPole-v1", 6)
    else:
        env = gymnasium.make_vec("CartPole-v1", 6, "sync", vector_kwargs={"autoreset_mode": mode})
    seed = int(RNG(5).integers(2**31))
    wobble = lambda obs, rng, time: balance(obs, rng, time) if time < 40 else (obs[:, 0] > 0).astype(int)
    steps = im.rollout(env, wobble, RNG(5))
    order = np.lexsort([steps.time, steps.episode])
    rows = by_hand("CartPole-v1", wobble, seed, 6)
    assert len(rows) == len(steps) and len(set(np.bincount(steps.episode))) > 1
    for k, (i, t, obs, action, reward) in zip(order, rows, strict=True):
        assert (steps.episode[k], steps.time[k], steps.actions[k], steps.reward[k]) == (i, t, action, reward)
        np.testing.assert_allclose(steps.obs[k], obs, atol=1e-6)
    assert np.isclose(steps.returns.sum(), sum(row[-1] for row in rows))


def test_only_the_copies_that_run_are_asked_and_steps_cut():
    spy = Spy(go)
    steps = im.rollout(walks(20), spy, RNG(0))
    assert len(spy.asked) == len(steps)
    assert (np.bincount(steps.episode) == 6 - steps.obs[steps.time == 0][:, 0]).all()
    assert np.bincount(im.rollout(walks(20), go, RNG(0), steps=4).episode).tolist() == [4] * 20
    assert np.bincount(im.rollout(walks(20), stay, RNG(0)).episode).tolist() == [9] * 20


@pytest.mark.parametrize("bad", [np.ones(3), np.ones((2, 1)), 1])
def test_actions_of_a_wrong_shape_are_refused(bad):
    with pytest.raises(ValueError, match=r"actions of shape \(2,\)"):
        im.rollout(walks(2), lambda *_: bad, RNG(0))


def test_a_mixture_draws_row_by_row_and_asks_nobody_else():
    spies = [Spy(lambda obs, rng, time, k=k: np.full(len(obs), k)) for k in range(3)]
    weights = np.array([0.2, 0.0, 0.8])
    obs = np.arange(20_000.0)[:, None]
    actions = im.mixture(spies, weights)(obs, RNG(0), 4)
    share = np.bincount(actions, minlength=3) / len(obs)
    assert (np.abs(share - weights) < 4 * np.sqrt(weights * (1 - weights) / len(obs)) + 1e-12).all()
    for k, spy in enumerate(spies):
        assert [row[1] for row in spy.asked] == obs[actions == k, 0].tolist()
    runs = np.diff(np.flatnonzero(actions == 0))
    assert (runs == 1).mean() == pytest.approx(0.2, abs=0.03)  # one draw has nothing to do with the next


def test_a_mixture_of_continuous_actions_mixes_policies_not_actions():
    π = im.mixture(
        [lambda obs, rng, t: np.full((len(obs), 2), -1.0), lambda obs, rng, t: np.full((len(obs), 2), 1.0)], [0.5, 0.5]
    )
    actions = π(np.zeros((100, 3)), RNG(0), 0)
    assert set(np.unique(actions)) == {-1.0, 1.0} and (actions[:, 0] == actions[:, 1]).all()


@pytest.mark.parametrize("weights", [[1.0], [0.5, 0.6], [1.5, -0.5], [[0.5, 0.5]]])
def test_weights_of_a_mixture_are_checked(weights):
    with pytest.raises(ValueError, match="2 policies need as many weights that sum to 1"):
        im.mixture([go, stay], weights)


def test_the_policy_of_each_time():
    π = im.at_each_time([go, stay])
    assert [π(np.zeros((1, 1)), None, t)[0] for t in range(4)] == [1, 0, 0, 0]
    assert im.memoryless(lambda obs: obs[:, 0] + 1)(np.array([[3.0]]), None, 7) == [4.0]


# ---- who drives, who is asked


@pytest.mark.parametrize("β", [0.0, 0.3, 1.0])
def test_query_labels_every_visited_state_once_whoever_drives(β):
    expert, π = Spy(go), Spy(stay)
    data = im.query(walks(400), expert, π, β, RNG(1), iteration=3)
    assert len(expert.asked) == len(data) and (data.labels == 1).all() and (data.iteration == 3).all()
    assert [tuple(row) for row in np.column_stack([data.time, data.obs]).tolist()] == expert.asked
    assert data.driven.mean() == pytest.approx(β, abs=4 * np.sqrt(β * (1 - β) / len(data)))
    if β == 1:
        assert not π.asked
    # The walker went on exactly where the expert drove: replay it.
    ends = np.zeros(400)
    steps = im.rollout(walks(400), lambda obs, rng, t: data.driven[data.time == t].astype(int), RNG(1))
    np.testing.assert_array_equal(steps.obs, data.obs)
    np.add.at(ends, steps.episode, steps.actions)
    assert ends.max() <= 6


@pytest.mark.parametrize("β", [-0.1, 1.1, float("nan")])
def test_β_is_a_probability(β):
    with pytest.raises(ValueError, match="β is a probability"):
        im.query(walks(2), go, stay, β, RNG(0))


def test_the_first_iteration_needs_the_expert():
    with pytest.raises(ValueError, match="β must be 1 at first, got 0.5"):
        im.dagger(walks(2), go, SpyLearner(go), RNG(0), 2, β=lambda i: 0.5)


def test_dagger_aggregates_and_lets_the_bad_learner_drive():
    """The learner's policies stay where they are: from the second iteration on all episodes last the full 9 steps."""
    expert, learner = Spy(go), SpyLearner(stay)
    run = im.dagger(walks(5), expert, learner, RNG(2), 4)
    sizes = [len(labels) for _, labels in learner.saw]
    assert np.diff(sizes).tolist() == [45] * 3 and 15 < sizes[0] <= 30
    assert run.queries.tolist() == sizes and len(expert.asked) == len(run.data) == sizes[-1]
    assert (run.data.labels == 1).all() and run.policies == [stay] * 4 and run.final is stay
    for obs, labels in learner.saw:  # what was collected before comes first, unchanged
        np.testing.assert_array_equal(obs, run.data.obs[: len(obs)])
        np.testing.assert_array_equal(labels, run.data.labels[: len(obs)])
    assert run.data.driven[: sizes[0]].all() and not run.data.driven[sizes[0] :].any()


def test_the_learner_that_drives_is_the_last_one():
    go_spy, stay_spy = Spy(go), Spy(stay)
    im.dagger(walks(5), go, SpyLearner(stay_spy, go_spy), RNG(2), 3)
    assert len(stay_spy.asked) == 45 and 15 < len(go_spy.asked) <= 30


@pytest.mark.parametrize(
    "β, expected",
    [(im.first_only, [1, 0, 0, 0]), (im.geometric(0.5), [1, 0.5, 0.25, 0.125]), (im.always, [1, 1, 1, 1])],
    ids=["first only", "geometric", "always"],
)
def test_schedules(β, expected):
    assert [β(i) for i in range(4)] == expected
    run = im.dagger(walks(600), go, SpyLearner(stay), RNG(3), 4, β)
    for i, p in enumerate(expected):
        driven = run.data.driven[run.data.iteration == i]
        assert driven.mean() == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / len(driven)))


def test_a_behavioural_clone_never_drives():
    spy = Spy(stay)
    run = im.behavioural_cloning(walks(6), go, SpyLearner(spy), RNG(0), 3)
    assert not spy.asked and run.data.driven.all() and len(run.policies) == 3


# ---- SMILe


@pytest.mark.parametrize("α, n", [(0.1, 1), (0.1, 7), (0.5, 4), (1.0, 3)])
def test_smile_weights_by_the_papers_recursion(α, n):
    """π_j = π_{j−1} + α(1 − α)^{j−1}(π̂_j − π*), the expert then taken out and the rest scaled to 1."""
    w = np.zeros(n + 1)  # of π*, π̂_1 … π̂_n
    w[0] = 1
    for j in range(1, n + 1):
        w[j] += α * (1 - α) ** (j - 1)
        w[0] -= α * (1 - α) ** (j - 1)
    assert w[0] == pytest.approx((1 - α) ** n) and w.sum() == pytest.approx(1)
    np.testing.assert_allclose(im.smile_weights(α, n), w[1:] / (1 - w[0]), atol=1e-12)


def test_smile_learns_from_the_last_states_only_and_fades_the_expert_out():
    learner, expert = SpyLearner(stay), Spy(go)
    run = im.smile(walks(500), expert, learner, RNG(4), 4, α=0.4)
    for n, (obs, labels) in enumerate(learner.saw):
        mine = run.data.iteration == n
        np.testing.assert_array_equal(obs, run.data.obs[mine])
        assert (labels == 1).all()
        p = 0.6**n
        assert run.data.driven[mine].mean() == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / mine.sum()))
    assert len(expert.asked) == len(run.data) == run.queries[-1]
    asked = len(expert.asked)
    assert len(im.rollout(walks(5), run.final, RNG(0))) == 45 and len(expert.asked) == asked  # it has left the mixture


def test_smiles_policy_mixes_what_it_has_learned():
    π = im.smile(walks(5), go, SpyLearner(stay, go, go), RNG(4), 3, α=0.5).final
    actions = π(np.zeros((20_000, 1)), RNG(0), 0)
    assert actions.mean() == pytest.approx(1 - im.smile_weights(0.5, 3)[0], abs=0.015)


@pytest.mark.parametrize("α", [0, -0.1, 1.1])
def test_α_is_checked(α):
    with pytest.raises(ValueError, match="α must be above 0"):
        im.smile(walks(2), go, SpyLearner(go), RNG(0), 2, α)


# ---- forward training


def test_forward_training_learns_each_time_where_the_earlier_policies_lead():
    """The policies for times 0, 1, 2 go on, the later ones stay: at time t the walker is at start + min(t, 3)."""
    learner, expert = SpyLearner(go, go, go, stay), Spy(go)
    run = im.forward_training(walks(50), expert, learner, RNG(0), 6)
    assert run.queries.tolist() == [50, 100, 150, 200, 250, 300]  # nobody has reached 6
    assert len(expert.asked) == 300 and {time for time, _ in expert.asked} == set(range(6))
    for t, (obs, labels) in enumerate(learner.saw):
        assert set(obs[:, 0]) == {min(t, 3), 1 + min(t, 3), 2 + min(t, 3)} and len(labels) == 50
    assert [run.final(np.zeros((1, 1)), None, t)[0] for t in range(6)] == [1, 1, 1, 0, 0, 0]


def test_forward_training_stops_where_nobody_arrives():
    with pytest.raises(ValueError, match="no episode lasted longer than 6 steps"):
        im.forward_training(walks(50), go, SpyLearner(go), RNG(0), 8)


# ---- learners


@pytest.mark.parametrize("λ", [1e-3, 0.5])
@pytest.mark.parametrize("features", [None, lambda obs: np.column_stack([obs, obs**2])], ids=["plain", "squares"])
def test_ridge_is_scikit_learns(λ, features):
    rng, env = RNG(0), make("Pendulum-v1", 1)
    obs, labels = rng.normal(size=(40, 3)), rng.normal(size=(40, 1))
    keywords = {} if features is None else dict(features=features)
    φ = (lambda x: x) if features is None else features
    mine = im.ridge(env, λ, **keywords)(obs, labels, rng)
    theirs = Ridge(alpha=λ * 40).fit(φ(obs), labels)
    new = rng.normal(size=(7, 3))
    np.testing.assert_allclose(mine(new, rng, 0), theirs.predict(φ(new)).reshape(7, 1), atol=1e-8)


def test_ridge_of_discrete_actions_takes_the_largest_indicator():
    rng, env = RNG(0), make("Acrobot-v1", 1)
    obs, labels = rng.normal(size=(60, 6)), rng.integers(3, size=60)
    theirs = Ridge(alpha=0.01 * 60).fit(obs, np.eye(3)[labels])
    new = rng.normal(size=(50, 6))
    np.testing.assert_array_equal(
        im.ridge(env, 0.01)(obs, labels, rng)(new, rng, 0), theirs.predict(new).argmax(axis=1)
    )


def test_the_loss_of_cloning_is_torchs():
    rng = RNG(0)
    discrete = Policy(Box(-1, 1, (4,)), Discrete(3), rng)
    obs, labels = torch.randn(9, 4, generator=torch.Generator().manual_seed(0)), torch.arange(9) % 3
    logits = discrete.network(discrete.norm(obs))
    torch.testing.assert_close(im.cloning_loss(discrete, obs, labels), F.cross_entropy(logits, labels))
    gaussian = Policy(Box(-1, 1, (4,)), Box(-2, 2, (2,)), rng)
    labels = obs[:, :2]
    expected = (
        F.gaussian_nll_loss(gaussian(obs), labels, gaussian._σ().expand(9, 2) ** 2, full=True, reduction="sum") / 9
    )
    torch.testing.assert_close(im.cloning_loss(gaussian, obs, labels), expected)


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1"])
def test_the_neural_learner_fits_a_rule(name):
    """A rule that it can represent, on states that it has not seen; and two runs from one seed are one run."""
    torch.set_num_threads(1)
    env, rng = make(name, 1), RNG(0)
    d = env.single_observation_space.shape[0]
    obs, new = rng.normal(size=(2000, d)), rng.normal(size=(500, d))
    rule = (lambda x: (x[:, 1] > x[:, 0]).astype(int)) if name == "CartPole-v1" else (lambda x: np.tanh(x[:, :1]))
    before = torch.get_rng_state()
    first, second = (im.neural(env, (32,), steps=300)(obs, rule(obs), RNG(1)) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(first(new, None, 0), second(new, None, 3))
    error = np.abs(first(new, None, 0) - rule(new)).mean()
    assert error < 0.06, error


@pytest.mark.parametrize("name", ["Acrobot-v1", "Pendulum-v1", "LunarLander-v3", "Hopper-v5"])
@pytest.mark.parametrize("algorithm", [im.dagger, im.smile, im.behavioural_cloning], ids=lambda f: f.__name__)
def test_any_environment_and_any_callable_expert(name, algorithm):
    env = make(name, 2)
    space = env.single_action_space
    if isinstance(space, Discrete):
        teacher = im.memoryless(lambda obs: (obs[:, 0] > 0).astype(int))
    else:
        teacher = im.memoryless(lambda obs: np.tanh(obs[:, :1]) * np.ones(space.shape))
    run = algorithm(env, teacher, im.neural(env, (8,), steps=20), RNG(0), 2)
    assert len(run.policies) == 2 and run.queries[-1] == len(run.data) > 15
    np.testing.assert_array_equal(run.data.labels, teacher(run.data.obs, None, 0))
    assert im.rollout(env, run.final, RNG(1), 10).actions.shape[1:] == space.shape


def test_dagger_repairs_what_cloning_cannot_over_five_seeds():
    """CartPole: the expert is a network, the learners are linear."""
    env, master = make("CartPole-v1", 4), im.memoryless(expert("CartPole-v1"))
    scores = {}
    for method in (im.behavioural_cloning, im.dagger):
        runs = [method(env, master, im.ridge(env), RNG(seed), 6) for seed in range(5)]
        scores[method] = [im.rollout(make("CartPole-v1", 50), run.final, RNG(100)).returns.mean() for run in runs]
    assert min(scores[im.dagger]) > max(scores[im.behavioural_cloning]) + 50, scores


class Dial(gymnasium.Env):
    """Any action in [2, 5] is executed, and told as the reward; 4 steps."""

    observation_space = Box(0, 10, (1,), np.float64)
    action_space = Box(2, 5, (1,), np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return np.zeros(1), {}

    def step(self, action):
        self.t += 1
        return np.full(1, float(self.t)), float(action[0]), False, self.t == 4, {}


def test_an_expert_with_whole_numbers_does_not_round_the_learners_actions():
    """It drives at first, in a box: what the environment gets later is still the learner's 3.7."""
    threes = lambda obs, rng, time: np.full((len(obs), 1), 3)
    learned = lambda obs, rng, time: np.full((len(obs), 1), 3.7)
    turns = im.at_each_time([threes, learned])
    assert im.rollout(Wrapped(Dial, 3), turns, RNG(0)).reward.reshape(4, 3).tolist() == [[3] * 3] + [[3.7] * 3] * 3
    drawn = im.rollout(Wrapped(Dial, 50), im.mixture([threes, learned], [0.5, 0.5]), RNG(0)).reward
    assert set(drawn) == {3.0, 3.7}


@pytest.mark.parametrize("first", [-1, 5])
@pytest.mark.parametrize("learner", [im.ridge, lambda env: im.neural(env, (16,), 200)], ids=["ridge", "neural"])
def test_actions_may_be_numbered_from_anywhere(first, learner):
    class Odd(Walk):
        action_space = Discrete(2, start=first)

        def step(self, action):
            assert action in (first, first + 1)
            return super().step(action - first)

    env = Wrapped(Odd, 4)
    expert = im.memoryless(lambda obs: first + (obs[:, 0] < 4).astype(int))
    π = im.dagger(env, expert, learner(env), RNG(0), 3).final
    assert π(np.array([[0.0], [6.0]]), RNG(0), 0).tolist() == [first + 1, first]


def test_what_is_no_vector_environment_is_refused():
    off = gymnasium.make_vec("CartPole-v1", 2, "sync", vector_kwargs={"autoreset_mode": AutoresetMode.DISABLED})
    for env, message in ((Walk(), "expected a vector environment"), (off, "autoreset is off")):
        with pytest.raises(ValueError, match=message):
            im.rollout(env, go, RNG(0))


def test_settings_of_learners_are_checked():
    with pytest.raises(ValueError, match="λ must not be negative"):
        im.ridge(walks(1), -1.0)
    with pytest.raises(ValueError, match="batch must be a whole number"):
        im.neural(walks(1), batch=0)


@pytest.mark.parametrize("bad", [0, 1.5, True])
@pytest.mark.parametrize("algorithm", [im.dagger, im.smile], ids=lambda f: f.__name__)
def test_iterations_are_counted_from_one(algorithm, bad):
    with pytest.raises(ValueError, match="iterations must be a whole number of at least 1"):
        algorithm(walks(1), go, SpyLearner(go), RNG(0), bad)
