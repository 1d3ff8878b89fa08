"""The vectorised tasks: step for step against gymnasium's own single environments, and one contract for all."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Discrete
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, VectorEnv
from scipy.stats import ks_2samp

from course_utils import navigation
from course_utils.environments import TASKS, make
from course_utils.navigation import GOAL, OBSTACLES, RADIUS, navigation_picture, navigation_reward, navigation_step

GYMNASIUM = {name: "course/Navigation-v0" if name == "Navigation-v0" else name for name in TASKS}


def random_actions(env, rng, beyond=1.0):
    """Uniform actions for every copy; `beyond` > 1 draws continuous ones outside their box too."""
    space = env.single_action_space
    if isinstance(space, Discrete):
        return rng.integers(space.n, size=env.num_envs)
    return beyond * rng.uniform(space.low, space.high, (env.num_envs, *space.shape))


def purposeful(name, obs):
    """Rough but reasonable actions: they lead to states that random ones never reach."""
    if name == "CartPole-v1":
        return (obs @ [0.1, 0.3, 3, 1] > 0).astype(int)
    if name == "Acrobot-v1":
        return 2 * (obs[:, 5] < 0)
    if name == "MountainCar-v0":
        return 2 * (obs[:, 1] >= 0)
    if name == "Pendulum-v1":
        swing, hold = np.sign(obs[:, 2]), -8 * obs[:, 1] - 2 * obs[:, 2]
        return np.where(obs[:, 0] > 0.9, hold, 2 * swing)[:, None]
    return 10 * (GOAL - obs)


def step_single(single, name, state, action):
    """One step of gymnasium's environment from a given state: obs, reward, terminated, next state."""
    bare = single.unwrapped
    bare.state = tuple(state) if name == "MountainCar-v0" else np.array(state)
    bare.steps_beyond_terminated = None  # CartPole counts the steps after a fall
    obs, reward, terminated, _, _ = bare.step(action)
    return obs, reward, terminated, np.array(bare.state)


@pytest.fixture(params=TASKS)
def name(request):
    return request.param


# --- against gymnasium ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["random", "purposeful"])
def test_each_step_is_gymnasiums(name, behaviour):
    rng, n = np.random.default_rng(7), 5
    env, single = make(name, n), gymnasium.make(GYMNASIUM[name])
    single.reset(seed=0)
    obs, _ = env.reset(seed=3)
    ends = 0
    for _ in range(501):
        actions = random_actions(env, rng, beyond=1.5) if behaviour == "random" else purposeful(name, obs)
        before = env.state
        obs, reward, terminated, truncated, info = env.step(actions)
        over = terminated | truncated
        for i in range(n):
            o, r, end, state = step_single(single, name, before[i], actions[i])
            np.testing.assert_allclose(info["final_obs"][i], o, rtol=2e-7, atol=2e-7)  # theirs are float32
            assert reward[i] == pytest.approx(r, abs=1e-12)
            assert terminated[i] == end
            if not over[i]:
                np.testing.assert_allclose(env.state[i], state, rtol=0, atol=1e-12)
        ends += over.sum()
    assert ends >= n  # so that episodes' ends were among the steps


@pytest.mark.parametrize("task", ["CartPole-v1", "MountainCar-v0", "Acrobot-v1"])
def test_hard_states_step_as_gymnasiums(task):
    """Limits, walls, wrapped angles and clipped speeds, from states drawn over the whole space."""
    rng, n = np.random.default_rng(11), 400
    env, single = make(task, n), gymnasium.make(task)
    single.reset(seed=0)
    low, high = {
        "CartPole-v1": ([-2.5, -9, -0.22, -9], [2.5, 9, 0.22, 9]),
        "MountainCar-v0": ([-1.2, -0.07], [0.55, 0.07]),
        "Acrobot-v1": ([-np.pi, -np.pi, -4 * np.pi, -9 * np.pi], [np.pi, np.pi, 4 * np.pi, 9 * np.pi]),
    }[task]
    states, actions = rng.uniform(low, high, (n, len(low))), random_actions(env, rng)
    env.reset(options={"state": states})
    _, reward, terminated, _, info = env.step(actions)
    assert 0 < terminated.sum() < n
    for i in range(n):
        o, r, end, _ = step_single(single, task, states[i], actions[i])
        np.testing.assert_allclose(info["final_obs"][i], o, rtol=2e-6, atol=2e-6)
        assert (reward[i], terminated[i]) == (r, end)


def test_a_whole_episode_is_cut_where_gymnasium_cuts_it(name):
    """With the same actions up to the limit: the same length, flags and observations."""
    env, single = make(name, 1), gymnasium.make(GYMNASIUM[name])
    obs, _ = env.reset(seed=2)
    single.reset(seed=0)
    bare = single.unwrapped
    # Staying still, as far as possible: the episode lasts to its limit, except CartPole's, which is kept up.
    idle = {"Acrobot-v1": np.array([1]), "MountainCar-v0": np.array([1]), "Pendulum-v1": np.zeros((1, 1))}
    steps, over = 0, False
    while not over:
        bare.state = tuple(env.state[0]) if name == "MountainCar-v0" else env.state[0]  # rounding would grow
        actions = idle.get(name, purposeful(name, obs))
        obs, _, terminated, truncated, info = env.step(actions)
        o, _, end, cut, _ = single.step(actions[0])
        np.testing.assert_allclose(info["final_obs"][0], o, rtol=1e-6, atol=1e-6)
        assert (terminated[0], truncated[0]) == (end, cut)
        steps, over = steps + 1, end or cut
    assert truncated[0] and steps == env.time_limit == single.spec.max_episode_steps


def test_starts_are_distributed_as_gymnasiums(name):
    n, single = 4000, gymnasium.make(GYMNASIUM[name])
    ours, _ = make(name, n).reset(seed=0)
    theirs = np.stack([single.reset(seed=0)[0]] + [single.reset()[0] for _ in range(n - 1)])
    for mine, other in zip(ours.T, theirs.T, strict=True):
        assert ks_2samp(mine, other, method="asymp").pvalue > 1e-3


def test_spaces_are_gymnasiums(name):
    env, single = make(name, 3), gymnasium.make(GYMNASIUM[name])
    space = single.observation_space
    np.testing.assert_allclose(env.single_observation_space.low, space.low, rtol=1e-6)
    np.testing.assert_allclose(env.single_observation_space.high, space.high, rtol=1e-6)
    if isinstance(single.action_space, Discrete):
        assert env.single_action_space == single.action_space
    else:
        np.testing.assert_array_equal(env.single_action_space.low, single.action_space.low)
        np.testing.assert_array_equal(env.single_action_space.high, single.action_space.high)


# --- the contract of every task ---------------------------------------------------------------------------------------


def test_is_a_vector_environment(name):
    env = make(name, 6)
    assert isinstance(env, VectorEnv) and env.num_envs == 6
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    obs, info = env.reset(seed=0)
    assert obs in env.observation_space and obs.dtype == float and info == {}
    rng = np.random.default_rng(0)
    for _ in range(250):
        obs, reward, terminated, truncated, info = env.step(random_actions(env, rng))
        assert obs in env.observation_space and info["final_obs"].shape == obs.shape
        assert reward.shape == terminated.shape == truncated.shape == (6,)
        assert reward.dtype == float and terminated.dtype == truncated.dtype == bool


def test_a_copy_that_ends_starts_anew_in_the_same_step(name):
    env, rng = make(name, 40), np.random.default_rng(1)
    env.reset(seed=5)
    steps, ended = np.zeros(40, dtype=int), 0
    starts = make(name, 5000).reset(seed=9)[0]
    low, high = starts.min(axis=0) - 0.01, starts.max(axis=0) + 0.01
    for _ in range(env.time_limit + 30):
        obs, _, terminated, truncated, info = env.step(random_actions(env, rng))
        steps += 1
        over = terminated | truncated
        np.testing.assert_array_equal(truncated, steps >= env.time_limit)
        np.testing.assert_array_equal(obs[~over], info["final_obs"][~over])
        assert (obs[over] >= low).all() and (obs[over] <= high).all()
        assert (obs[over] != info["final_obs"][over]).any(axis=1).all()
        np.testing.assert_array_equal(env.observe(env.state), obs)
        steps[over] = 0
        ended += over.sum()
    assert ended >= 40


def test_the_same_seed_gives_the_same_again_and_another_does_not(name):
    def play(seed):
        env, rng = make(name, 4), np.random.default_rng(0)
        seen = [env.reset(seed=seed)[0]]
        return np.array(seen + [env.step(random_actions(env, rng))[0] for _ in range(env.time_limit + 5)])

    first, again, other = play(1), play(1), play(2)
    np.testing.assert_array_equal(first, again)
    assert (first[0] != other[0]).any() and (first[-1] != other[-1]).any()  # the first start, and a later one
    assert (first[0][0] != first[0][1]).any()  # copies differ


def test_a_reset_without_a_seed_goes_on_with_the_generator(name):
    env = make(name, 3)
    first, second = env.reset(seed=1)[0], env.reset()[0]
    assert (first != second).any()
    env.reset(seed=1)
    np.testing.assert_array_equal(env.reset()[0], second)


def test_states_can_be_set(name):
    env = make(name, 3)
    env.reset(seed=0)
    env.step(random_actions(env, np.random.default_rng(0)))
    wanted = env.state + 0.01
    obs, _ = env.reset(options={"state": wanted})
    np.testing.assert_array_equal(env.state, wanted)
    np.testing.assert_array_equal(obs, env.observe(wanted))
    wanted += 1  # the environment keeps its own copy
    assert (env.state != wanted).all()
    state = env.state
    state += 1  # and hands out copies
    assert (env.state != state).all()


def test_copies_do_not_touch_each_other(name):
    rng = np.random.default_rng(4)
    many, one = make(name, 3), make(name, 1)
    many.reset(seed=0)
    for _ in range(10):
        actions, state = random_actions(many, rng), many.state
        _, reward, terminated, _, info = many.step(actions)
        for i in range(3):
            one.reset(options={"state": state[i : i + 1]})
            _, r, end, _, single = one.step(actions[i : i + 1])
            assert (r[0], end[0]) == (reward[i], terminated[i])
            np.testing.assert_allclose(single["final_obs"][0], info["final_obs"][i], rtol=0, atol=1e-14)


def test_what_was_returned_is_not_changed_later(name):
    env, rng = make(name, 3), np.random.default_rng(0)
    obs, _ = env.reset(seed=0)
    kept = [obs, obs.copy()]
    new, _, _, _, info = env.step(random_actions(env, rng))
    new[:] = 99  # nor does writing into it reach the environment
    assert (info["final_obs"] != 99).all() and (env.observe(env.state) != 99).all()
    np.testing.assert_array_equal(*kept)


def test_bad_actions_are_refused(name):
    env = make(name, 4)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(random_actions(env, np.random.default_rng(0)))
    env.reset(seed=0)
    good = random_actions(env, np.random.default_rng(0))
    for shape in (good[:3], good[..., None], good[0]):
        with pytest.raises(ValueError, match=r"shape \(4,"):
            env.step(shape)
    if isinstance(env.single_action_space, Discrete):
        for bad in (good.astype(float), good > 0, np.array(["left"] * 4)):
            with pytest.raises(ValueError, match="whole numbers"):
                env.step(bad)
        for bad in (np.array([0, 0, 0, -1]), np.full(4, env.single_action_space.n)):
            with pytest.raises(ValueError, match=f"0 … {env.single_action_space.n - 1}"):
                env.step(bad)
    else:
        for bad in (np.full_like(good, np.nan), np.full_like(good, np.inf), np.full(good.shape, "left")):
            with pytest.raises(ValueError, match="finite numbers"):
                env.step(bad)


def test_bad_resets_are_refused(name):
    env = make(name, 4)
    with pytest.raises(ValueError, match="at least 1"):
        make(name, 0)
    with pytest.raises(RuntimeError, match="reset"):
        _ = env.state
    env.reset(seed=0)
    for bad in (env.state[:3], env.state.T[:, :1], np.full_like(env.state, np.nan)):
        with pytest.raises(ValueError, match="states must be finite numbers"):
            env.reset(options={"state": bad})
    with pytest.raises(ValueError, match='"state" only.*sate'):
        env.reset(options={"sate": env.state})


@pytest.mark.parametrize(
    ("wrong", "right"), [("Cartpole-v0", "CartPole-v1"), ("pendulum", "Pendulum-v1"), ("MountainCar", "MountainCar-v0")]
)
def test_an_unknown_name_suggests_the_nearest(wrong, right):
    with pytest.raises(ValueError, match=f"did you mean '{right}'"):
        make(wrong, 1)


def test_continuous_actions_are_clipped():
    for task in ("Pendulum-v1", "Navigation-v0"):
        env = make(task, 2)
        env.reset(seed=0)
        start = env.state
        shape = (2, *env.single_action_space.shape)
        far = env.step(np.full(shape, 1e6))[0]
        env.reset(options={"state": start})
        np.testing.assert_array_equal(far, env.step(np.broadcast_to(env.single_action_space.high, shape))[0])


# --- navigation -------------------------------------------------------------------------------------------------------


def test_gymnasiums_checker_is_content():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("course/Navigation-v0").unwrapped)


def test_navigation_is_registered():
    single = gymnasium.make("course/Navigation-v0")
    assert single.spec.max_episode_steps == 30
    many = gymnasium.make_vec("course/Navigation-v0", num_envs=3)
    assert type(many) is TASKS["Navigation-v0"] and (many.num_envs, many.time_limit) == (3, 30)


def test_single_navigation_takes_the_same_start_seed_and_errors():
    env = navigation.Navigation()
    with pytest.raises(RuntimeError, match="reset"):
        env.step(np.zeros(2))
    obs, _ = env.reset(options={"state": [0.5, -0.5]})
    np.testing.assert_array_equal(obs, [0.5, -0.5])
    np.testing.assert_array_equal(env.reset(seed=3)[0], env.reset(seed=3)[0])
    for bad in ([0.0], [np.nan, 0.0]):
        with pytest.raises(ValueError, match="2 finite numbers"):
            env.step(bad)
    for bad in ([2.0, 0.0], [0.0], [np.nan, 0.0]):
        with pytest.raises(ValueError, match="place"):
            env.reset(options={"state": bad})
    with pytest.raises(ValueError, match="render_mode"):
        navigation.Navigation(render_mode="human")


def test_navigation_moves_within_the_square():
    np.testing.assert_allclose(navigation_step(np.zeros(2), np.array([0.5, -3.0])), [0.05, -0.1])
    np.testing.assert_array_equal(navigation_step(np.array([0.95, -1.0]), np.array([1.0, -1.0])), [1.0, -1.0])


def test_navigation_reward_has_its_bumps_where_it_should():
    """Everywhere on a fine grid: within its range, best near the goal, bad inside obstacles, none far from all."""
    axis = np.linspace(-1, 1, 201)
    xy = np.stack(np.meshgrid(axis, axis), axis=-1)
    r = navigation_reward(xy)
    assert r.shape == (201, 201) and r.min() > -2.1 and 0.9 < r.max() <= 1
    assert np.linalg.norm(xy[np.unravel_index(r.argmax(), r.shape)] - GOAL) < 0.05
    distance = np.linalg.norm(xy[..., None, :] - OBSTACLES, axis=-1)
    assert (r[(distance < 0.6 * RADIUS).any(axis=-1)] < -1.5).all()
    nowhere = (distance > 2 * RADIUS).all(axis=-1) & (np.linalg.norm(xy - GOAL, axis=-1) > 1)
    assert (np.abs(r[nowhere]) < 0.02).all()
    with pytest.raises(ValueError, match="places"):
        navigation_reward(np.zeros(3))


def test_navigation_starts_on_the_left_and_can_reach_the_goal():
    starts = make("Navigation-v0", 500).reset(seed=0)[0]
    assert (starts[:, 0] < -0.7).all() and np.ptp(starts[:, 1]) > 1.4
    assert np.abs(starts - GOAL).max() / navigation.STEP < navigation.TIME_LIMIT - 10  # some steps are left there
    assert np.abs(navigation_reward(starts)).max() < 0.2


def test_the_picture_shows_goal_obstacles_and_point():
    env = gymnasium.make("course/Navigation-v0", render_mode="rgb_array")
    env.reset(options={"state": [-0.8, -0.9]})
    picture = env.render()
    assert picture.shape == (200, 200, 3) and picture.dtype == np.uint8

    def colour(place, picture=picture):
        x, y = ((np.asarray(place) + 1) / 2 * 200).astype(int)
        return picture[199 - y, x].astype(int)  # y points up

    floor = colour([-0.9, 0.9])
    assert np.ptp(floor) < 10
    assert colour(GOAL)[1] == colour(GOAL).max() and np.ptp(colour(GOAL)) > 60
    for place in OBSTACLES:
        assert colour(place)[0] == colour(place).max() and np.ptp(colour(place)) > 60
    assert colour([-0.8, -0.9])[2] == colour([-0.8, -0.9]).max() and np.ptp(colour([-0.8, -0.9])) > 60
    assert (colour([-0.8, -0.9], navigation_picture()) == floor).all()
    env.step(np.array([1.0, 0.0]))
    assert (env.render() != picture).any()
