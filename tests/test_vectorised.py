"""`Wrapped`: n copies of gymnasium's environments, step for step those of gymnasium, in our own tasks' manners."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from gymnasium.vector import AutoresetMode, VectorEnv

from course_utils.environments import LIBRARY, make
from course_utils.vectorised import Wrapped


class Walk(gymnasium.Env):
    """A walk on a line that ends beyond ±limit; the reward is the step, as the environment got it."""

    def __init__(self, low=-1.0, high=1.0, observations=None, actions=None, limit=3.0):
        self.observation_space = observations or Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = actions or Box(low, high, (1,), np.float32)
        self.limit = limit

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.t = self.np_random.uniform(-0.1, 0.1), 0
        return self.observe(), {}

    def step(self, action):
        self.x, self.t = self.x + float(action[0]), self.t + 1
        return self.observe(), float(action[0]), abs(self.x) > self.limit, self.t >= 20, {}

    def observe(self):
        return np.array([self.x, self.t], dtype=np.float32)


CASES = {"CartPole-v1": "CartPole-v1", "LunarLander-v3": "LunarLander-v3", "Hopper-v5": "Hopper-v5", "a factory": Walk}


def one(make_one):
    return gymnasium.make(make_one) if isinstance(make_one, str) else make_one()


def random_actions(env, rng, beyond=1.0):
    space = env.single_action_space
    if isinstance(space, Discrete):
        return rng.integers(space.n, size=env.num_envs)
    return beyond * rng.uniform(space.low, space.high, (env.num_envs, *space.shape))


# --- against gymnasium ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_each_step_is_that_of_single_environments(case):
    """Copy i is gymnasium's environment with the seed seed + i; at an episode's end that one is reset by hand."""
    n, seed, rng = 3, 11, np.random.default_rng(0)
    env, singles = Wrapped(CASES[case], n), [one(CASES[case]) for _ in range(n)]
    obs, info = env.reset(seed=seed)
    np.testing.assert_array_equal(obs, [single.reset(seed=seed + i)[0] for i, single in enumerate(singles)])
    assert info == {} and (obs[0] != obs[1]).any()
    ends = np.zeros(n, dtype=int)
    for _ in range(400):
        actions = random_actions(env, rng, beyond=1.5)
        obs, reward, terminated, truncated, info = env.step(actions)
        for i, single in enumerate(singles):
            action = actions[i]
            if isinstance(single.action_space, Box):
                box = single.action_space
                action = np.clip(action, box.low, box.high).astype(box.dtype)
            o, r, end, cut, _ = single.step(action)
            np.testing.assert_array_equal(info["final_obs"][i], o)
            assert (reward[i], terminated[i], truncated[i]) == (r, end, cut)
            np.testing.assert_array_equal(obs[i], single.reset()[0] if end or cut else o)
            ends[i] += end or cut
    assert (ends >= 2).all()


def test_an_episode_is_cut_at_gymnasiums_time_limit():
    env = Wrapped(lambda: gymnasium.make("Pendulum-v1", max_episode_steps=7), 2)
    assert env.time_limit == 7
    env.reset(seed=0)
    for t in range(15):
        _, _, terminated, truncated, _ = env.step(np.zeros((2, 1)))
        assert not terminated.any() and (truncated == (t % 7 == 6)).all()


@pytest.mark.parametrize("name", LIBRARY)
def test_make_gives_the_library_environments(name):
    env, spec = make(name, 3), gymnasium.spec(name)
    assert isinstance(env, Wrapped) and (env.num_envs, env.spec.id, env.time_limit) == (3, name, spec.max_episode_steps)
    with pytest.raises(ValueError, match=f"did you mean '{name}'"):
        make(name[:-1] + "9", 3)


# --- the manners of our own tasks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_is_a_vector_environment_in_double_precision(case):
    env, single, rng = Wrapped(CASES[case], 4), one(CASES[case]), np.random.default_rng(1)
    assert isinstance(env, VectorEnv) and env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert env.single_observation_space == single.observation_space and env.single_action_space == single.action_space
    assert env.observation_space.shape == (4, *single.observation_space.shape)
    obs, _ = env.reset(seed=0)
    kept = [obs, obs.copy()]
    for _ in range(60):
        before = obs
        obs, reward, terminated, truncated, info = env.step(random_actions(env, rng))
        assert obs.dtype == info["final_obs"].dtype == reward.dtype == float
        assert terminated.dtype == truncated.dtype == bool and set(info) == {"final_obs"}
        assert reward.shape == terminated.shape == truncated.shape == (4,)
        assert obs.shape == info["final_obs"].shape == before.shape == env.observation_space.shape
        over = terminated | truncated
        np.testing.assert_array_equal(obs[~over], info["final_obs"][~over])
        obs[:] = info["final_obs"][:] = 99  # what a caller writes reaches nothing that comes later
    assert (env.step(random_actions(env, rng))[0] != 99).all()
    np.testing.assert_array_equal(*kept)


def test_the_seed_decides_and_a_reset_without_one_goes_on():
    def play(seed):
        env, rng = Wrapped("LunarLander-v3", 2), np.random.default_rng(0)
        seen = [env.reset(seed=seed)[0]] + [env.step(random_actions(env, rng))[0] for _ in range(150)]
        return np.array([*seen, env.reset()[0]])

    first, again, other = play(1), play(1), play(2)
    np.testing.assert_array_equal(first, again)
    assert (first[0] != other[0]).any() and (first[-1] != other[-1]).any() and (first[-1] != first[0]).any()


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (-0.25, 2.0), (0.5, np.inf)])
def test_actions_are_clipped_to_any_box(low, high):
    """The reward is the action that arrived; float actions of any precision arrive in the box's own."""
    env = Wrapped(lambda: Walk(low, high, limit=1e9), 5)
    env.reset(seed=0)
    wanted = np.array([-1e6, -0.3, 0.1, 0.7, 1e6])
    for dtype in (np.float64, np.float32):
        _, reward, *_ = env.step(wanted.astype(dtype)[:, None])
        np.testing.assert_allclose(reward, np.clip(wanted, low, high), rtol=1e-6)


def test_all_copies_are_closed():
    class Closing(Walk):
        closed = 0

        def close(self):
            Closing.closed += 1

    env = Wrapped(Closing, 3)
    env.close()
    assert Closing.closed == 3


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, -2])
def test_there_must_be_a_copy(n):
    with pytest.raises(ValueError, match=f"at least 1, got {n}"):
        Wrapped("CartPole-v1", n)


@pytest.mark.parametrize(
    "space", [Discrete(3), Box(0, 255, (4, 4, 3), np.uint8), Dict(x=Box(-1, 1, (2,)))], ids=["number", "image", "dict"]
)
def test_observations_must_be_vectors(space):
    with pytest.raises(ValueError, match="observations must be vectors"):
        Wrapped(lambda: Walk(observations=space), 2)


def test_actions_must_be_discrete_or_a_box():
    with pytest.raises(ValueError, match="actions must be Discrete or a Box, got MultiDiscrete"):
        Wrapped(lambda: Walk(actions=MultiDiscrete([2, 3])), 2)


def test_an_unknown_name_is_gymnasiums_error():
    with pytest.raises(gymnasium.error.Error, match="LunarLandr"):
        Wrapped("LunarLandr-v3")


@pytest.mark.parametrize(
    "name, actions, message",
    [
        ("Pendulum-v1", [[np.nan], [0.0]], "Pendulum-v1: the actions must be finite"),
        ("Pendulum-v1", [0.0, 0.0], r"shape \(2, 1\); got \(2,\)"),
        ("Pendulum-v1", np.zeros((3, 1)), r"shape \(2, 1\); got \(3, 1\)"),
        ("CartPole-v1", [0, 2], "must be 0 … 1"),
        ("CartPole-v1", [0.0, 1.0], "must be whole numbers; got float64"),
    ],
)
def test_bad_actions_are_refused_and_nothing_moves(name, actions, message):
    env = Wrapped(name, 2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(actions)
    good = np.zeros((2, *env.single_action_space.shape), env.single_action_space.dtype)
    other = Wrapped(name, 2)
    other.reset(seed=0)
    np.testing.assert_array_equal(env.step(good)[0], other.step(good)[0])
