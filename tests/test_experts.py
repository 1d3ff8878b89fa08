"""The shipped experts: whole files, honest figures, demonstrations that the environments would give."""

import hashlib
import importlib.util
import json
import shutil
from importlib import metadata

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete
from scipy.interpolate import RegularGridInterpolator
from scipy.special import logsumexp

from course_utils import experts
from course_utils.environments import LIBRARY, TASKS, make
from course_utils.experts import demonstrations, expert, normalised_return, provenance, reference_returns
from course_utils.navigation import navigation_reward, navigation_step
from course_utils.networks import Policy, to_tensor
from course_utils.ppo import evaluate

TARGETS = {"CartPole-v1": 500, "Acrobot-v1": -85, "MountainCar-v0": -106, "Pendulum-v1": -160, "Navigation-v0": 13}
TARGETS |= {"LunarLander-v3": 240, "Hopper-v5": 3000}
of_all_tasks = pytest.mark.parametrize("name", TARGETS)  # without it: of those whose state can be set


@pytest.fixture(params=TASKS)
def name(request):
    return request.param


def training_script():
    path = experts.FOLDER.parents[1] / "experiments" / "train_experts.py"
    spec = importlib.util.spec_from_file_location("train_experts", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def states(name, obs):
    """The states behind observations."""
    if name == "Acrobot-v1":
        angles = np.arctan2(obs[:, 1], obs[:, 0]), np.arctan2(obs[:, 3], obs[:, 2])
        return np.column_stack([*angles, obs[:, 4:]])
    if name == "Pendulum-v1":
        return np.column_stack([np.arctan2(obs[:, 1], obs[:, 0]), obs[:, 2]])
    return obs


# --- files ------------------------------------------------------------------------------------------------------------


@of_all_tasks
def test_the_provenance_is_complete_and_says_nothing_of_a_machine(name):
    entry = provenance(name)
    assert set(entry) == {"command", "method", "settings", "versions", "sha256", "measured"}
    assert entry["command"] == f"python experiments/train_experts.py {name}"
    assert (experts.FOLDER.parents[1] / "experiments" / "train_experts.py").is_file()
    assert {"python", "numpy", "gymnasium"} <= set(entry["versions"])
    assert entry["measured"]["episodes"] == 100 and isinstance(entry["measured"]["seed"], int)
    assert "seed" in entry["settings"] or name == "Navigation-v0"  # planning draws nothing
    content = (experts.FOLDER / f"{name}.npz").read_bytes()
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert str(experts.FOLDER.parents[1]) not in json.dumps(entry)


def test_all_files_are_small_and_each_has_its_task():
    files = sorted(experts.FOLDER.glob("*"))
    assert {path.name for path in files} == {f"{task}.npz" for task in (*TASKS, *LIBRARY)} | {"provenance.json"}
    assert sum(path.stat().st_size for path in files) < 300_000


@of_all_tasks
def test_a_damaged_file_is_refused(name, tmp_path, monkeypatch):
    folder = tmp_path / "experts"
    shutil.copytree(experts.FOLDER, folder)
    monkeypatch.setattr(experts, "FOLDER", folder)
    path = folder / f"{name}.npz"
    content = bytearray(path.read_bytes())
    expert(name)  # the copy is whole
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged or was replaced") as error:
        expert(name)
    for part in (str(path), provenance(name)["sha256"], hashlib.sha256(content).hexdigest()):
        assert part in str(error.value)


def test_the_training_script_makes_an_expert_and_its_provenance(tmp_path, monkeypatch):
    script = training_script()
    for module in (script, experts):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(script, "EPISODES", 10)
    monkeypatch.setitem(script.CEM, "CartPole-v1", script.CEM["CartPole-v1"] | {"generations": 20})
    script.main(["CartPole-v1"])
    measured = provenance("CartPole-v1")["measured"]
    assert (measured["episodes"], measured["expert_mean"], measured["expert_sd"]) == (10, 500, 0)
    assert (demonstrations("CartPole-v1", 3, np.random.default_rng(0)).returns == 500).all()  # and the file is loaded
    with pytest.raises(ValueError, match="did you mean"):
        script.main(["CartPole-v2"])


def test_the_training_script_makes_an_expert_by_policy_gradient(tmp_path, monkeypatch):
    """Far too short a training: what is measured is what the file's expert earns, and it is the best of the looks."""
    script, name, looks = training_script(), "Hopper-v5", []

    def look(*args, **options):
        looks.append(evaluate(*args, **options).mean())
        return np.array([looks[-1]])

    for module in (script, experts):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(script, "evaluate", look)
    monkeypatch.setattr(script, "EPISODES", 50)
    short = {"copies": 4, "iterations": 4, "looks": 2, "steps": 64, "minibatches": 4}
    monkeypatch.setitem(script.GRADIENT, name, script.GRADIENT[name] | short)
    script.main([name])
    measured = provenance(name)["measured"]
    standard_error = measured["expert_sd"] * np.sqrt(2 / 50)  # of a difference of two means of 50 episodes
    assert len(looks) == 2 and abs(measured["expert_mean"] - max(looks)) < 4 * standard_error + 0.01
    assert np.ptp(looks) > 10 * standard_error  # it tells the two policies apart
    assert provenance(name)["versions"]["mujoco"] == metadata.version("mujoco")


@pytest.mark.parametrize("name", LIBRARY)
def test_the_file_holds_what_the_trained_policy_does(name):
    """With the normalisation of observations folded into the first layer, and actions cut off at the box."""
    env, rng = make(name, 1), np.random.default_rng(0)
    policy = Policy(env.single_observation_space, env.single_action_space, rng, hidden=(16,))
    obs = rng.normal(3, 2, (300, policy.n_in)) * np.arange(1, policy.n_in + 1)
    with torch.no_grad():
        for layer in (policy.network[0], policy.network[2]):
            layer.weight *= 50 if layer is policy.network[2] else 1  # it starts near zero
            layer.bias += to_tensor(rng.standard_normal(layer.bias.shape))
        policy.norm.update(to_tensor(obs))
        wanted = policy.mode(to_tensor(obs)).numpy()
    arrays = training_script().folded(policy) | ({} if policy.discrete else {"clipped": np.array(True)})
    found = experts.from_arrays(name, arrays)(obs)
    if policy.discrete:
        assert (found == wanted).mean() > 0.99 and len(np.unique(found)) > 1  # but for ties in single precision
    else:
        assert (np.abs(wanted) > 1).any() and (np.abs(wanted) < 1).any()
        np.testing.assert_allclose(found, np.clip(wanted, -1, 1), atol=1e-4)


# --- returns ----------------------------------------------------------------------------------------------------------


@of_all_tasks
def test_the_expert_is_good(name):
    J_random, J_expert, _ = reference_returns(name)
    assert J_expert >= TARGETS[name] > J_random


def test_navigations_expert_gives_up_some_return_for_its_entropy():
    """The optimum, found by dynamic programming, is above the soft expert's return and below 30 times the largest r."""
    measured = provenance("Navigation-v0")["measured"]
    assert measured["expert_mean"] + measured["expert_sd"] < measured["optimal_mean"] < 30
    assert normalised_return("Navigation-v0", measured["optimal_mean"]) < 1.25


@of_all_tasks
def test_the_measured_returns_are_found_again(name):
    """Other episodes, fewer of them: the means agree within 4 standard errors of their difference."""
    n, measured = 10 if name in LIBRARY else 40, provenance(name)["measured"]
    J_random, J_expert, sd = reference_returns(name)
    assert (J_random, J_expert, sd) == (measured["random_mean"], measured["expert_mean"], measured["expert_sd"])
    returns = demonstrations(name, n, np.random.default_rng(5)).returns
    assert abs(returns.mean() - J_expert) <= 4 * sd * np.sqrt(1 / n + 1 / 100)

    space = make(name, 1).single_action_space

    def uniform(obs, rng, time):
        if isinstance(space, Discrete):
            return rng.integers(space.n, size=len(obs))
        return rng.uniform(space.low, space.high, (len(obs), *space.shape))

    *_, reward, running = experts.whole_episodes(name, n, uniform, np.random.default_rng(6))
    J = (reward * running).sum(axis=0).mean()
    assert abs(J - J_random) <= 4 * measured["random_sd"] * np.sqrt(1 / n + 1 / 100)


@of_all_tasks
def test_the_normalised_return_is_0_for_random_and_1_for_the_expert(name):
    J_random, J_expert, _ = reference_returns(name)
    J = np.array([J_random, J_expert, (J_random + J_expert) / 2])
    np.testing.assert_allclose(normalised_return(name, J), [0, 1, 0.5], atol=1e-12)
    assert normalised_return(name, J_random - 1) < 0


@pytest.mark.parametrize("name", LIBRARY)
def test_the_experts_of_the_library_look_at_the_observation_only(name):
    obs = demonstrations(name, 2, np.random.default_rng(1), every=50).obs
    actions = expert(name)(obs, np.random.default_rng(2), 7)
    np.testing.assert_array_equal(actions, expert(name)(obs))
    np.testing.assert_array_equal(actions[3:5], expert(name)(obs[3:5]))
    space = make(name, 1).single_action_space
    assert len(np.unique(actions, axis=0)) > 1 and all(action in space for action in actions.astype(space.dtype))


# --- demonstrations ---------------------------------------------------------------------------------------------------


def test_demonstrations_are_steps_of_the_environment(name):
    """next_obs follows from obs and action, episodes are connected, returns and lengths are those of the rewards."""
    demos = demonstrations(name, 3, np.random.default_rng(0))
    M = len(demos)
    assert demos.obs.shape == demos.next_obs.shape == (M, *make(name, 1).single_observation_space.shape)
    env = make(name, M)
    env.reset(options={"state": states(name, demos.obs)})
    _, reward, terminated, _, info = env.step(demos.actions)
    np.testing.assert_allclose(info["final_obs"], demos.next_obs, rtol=0, atol=1e-10)
    np.testing.assert_allclose(np.bincount(demos.episode, reward), demos.returns)
    np.testing.assert_array_equal(np.bincount(demos.episode), demos.lengths)
    goes_on = np.diff(demos.episode) == 0
    np.testing.assert_array_equal(demos.next_obs[:-1][goes_on], demos.obs[1:][goes_on])
    np.testing.assert_array_equal(demos.time, np.concatenate([np.arange(length) for length in demos.lengths]))
    assert not terminated[:-1][goes_on].any()  # an episode goes on until it ends:
    last = np.append(~goes_on, True)
    assert (terminated[last] | (demos.lengths == env.time_limit)).all()
    assert (np.diff(demos.episode) >= 0).all() and demos.episode[-1] == 2


@pytest.mark.parametrize("name", LIBRARY)
def test_library_demonstrations_are_steps_of_gymnasiums_environment(name):
    """Episode i is gymnasium's own single environment, seeded alike and given the same actions, to its end."""
    demos = demonstrations(name, 2, np.random.default_rng(0))
    seed = int(np.random.default_rng(0).integers(2**31))  # what the demonstrations draw first
    for i in range(2):
        mine, single, total = demos.episode == i, gymnasium.make(name), 0
        obs, _ = single.reset(seed=seed + i)
        rows = zip(demos.obs[mine], demos.actions[mine], demos.next_obs[mine], demos.terminated[mine], strict=True)
        for before, action, after, end in rows:
            np.testing.assert_array_equal(before, obs)
            obs, reward, terminated, truncated, _ = single.step(action.astype(single.action_space.dtype))
            np.testing.assert_array_equal(after, obs)
            assert end == terminated
            total += reward
        assert terminated or truncated
        assert demos.returns[i] == pytest.approx(total) and demos.lengths[i] == mine.sum()


def test_episodes_start_where_the_environment_starts(name):
    demos = demonstrations(name, 50, np.random.default_rng(1))
    starts = make(name, 5000).reset(seed=0)[0]
    first = demos.obs[demos.time == 0]
    assert len(first) == 50 and len(np.unique(first, axis=0)) == 50
    assert (first >= starts.min(axis=0) - 0.01).all() and (first <= starts.max(axis=0) + 0.01).all()


@pytest.mark.parametrize("every", [3, 20])
def test_subsampling_keeps_each_episodes_every_th_step(name, every):
    """With the same generator the episodes are the same ones, of which offset + every·k are kept."""
    whole = demonstrations(name, 6, np.random.default_rng(2))
    kept = demonstrations(name, 6, np.random.default_rng(2), every=every)
    np.testing.assert_array_equal(kept.lengths, whole.lengths)
    np.testing.assert_array_equal(kept.returns, whole.returns)
    at = {(e, t): row for row, (e, t) in enumerate(zip(whole.episode, whole.time, strict=True))}
    rows = [at[pair] for pair in zip(kept.episode, kept.time, strict=True)]
    for field in ("obs", "actions", "next_obs"):
        np.testing.assert_array_equal(getattr(kept, field), getattr(whole, field)[rows])
    for e in range(6):
        t = kept.time[kept.episode == e]
        assert t[0] < every
        np.testing.assert_array_equal(t, np.arange(t[0], whole.lengths[e], every))


def test_offsets_are_uniform():
    offsets = demonstrations("Navigation-v0", 3000, np.random.default_rng(0), every=10)
    first = offsets.time[np.unique(offsets.episode, return_index=True)[1]]
    counts = np.bincount(first, minlength=10)
    assert len(counts) == 10 and (np.abs(counts - 300) < 5 * np.sqrt(300)).all()


def test_an_episode_shorter_than_every_still_gives_a_step():
    demos = demonstrations("Navigation-v0", 20, np.random.default_rng(0), every=1000)
    np.testing.assert_array_equal(demos.episode, np.arange(20))
    assert len(np.unique(demos.time)) > 5


@of_all_tasks
def test_the_generator_decides(name):
    first, again, other = (demonstrations(name, 2, np.random.default_rng(seed), every=5) for seed in (3, 3, 4))
    for field in first.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert first.obs.shape != other.obs.shape or (first.obs != other.obs).any()


def test_bad_requests_are_refused():
    rng = np.random.default_rng(0)
    for ask in (expert, reference_returns, lambda task: demonstrations(task, 1, rng)):
        with pytest.raises(ValueError, match="did you mean 'CartPole-v1'"):
            ask("CartPole")
    with pytest.raises(ValueError, match="at least 1, got 0"):
        demonstrations("CartPole-v1", 0, rng)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        demonstrations("CartPole-v1", 1, rng, every=0)


# --- policies ---------------------------------------------------------------------------------------------------------


def test_actions_suit_the_environment(name):
    """With and without a generator; without one, the same again."""
    policy, env = expert(name), make(name, 7)
    obs, _ = env.reset(seed=0)
    for rng in (None, np.random.default_rng(0)):
        actions = policy(obs, rng, time=0)
        env.step(actions)
        assert actions in env.action_space
    np.testing.assert_array_equal(policy(obs, time=0), policy(obs, time=0))


def test_pendulums_noise_is_gaussian_with_the_stated_spread():
    policy = expert("Pendulum-v1")
    obs = np.column_stack([np.cos(θ := np.linspace(-0.5, 0.5, 201)), np.sin(θ), np.zeros(201)])
    means = policy(obs)[:, 0]
    inside = obs[[np.abs(means).argmin()]]  # where no action is clipped
    assert np.abs(policy(inside)) < 1
    noise = (policy(np.repeat(inside, 20000, axis=0), np.random.default_rng(0)) - policy(inside))[:, 0]
    assert policy.σ == provenance("Pendulum-v1")["settings"]["σ"] > 0
    assert abs(noise.mean()) < 4 * policy.σ / np.sqrt(20000) and abs(noise.std() / policy.σ - 1) < 0.03


def test_navigations_values_satisfy_the_soft_bellman_equation():
    """V_t = r/α + log Σ_a exp V_{t+1}(s + 0.1 a), V_30 = 0, with the interpolation done by scipy."""
    policy, settings = expert("Navigation-v0"), provenance("Navigation-v0")["settings"]
    assert policy.α == settings["temperature"] > 0
    V, axis = policy._V, np.linspace(-1, 1, settings["grid"])
    assert V.shape == (31, settings["grid"], settings["grid"]) and (V[30] == 0).all()
    places = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    following = navigation_step(places[:, :, None], policy.centres)
    for t in (0, 7, 28, 29):
        V_next = RegularGridInterpolator((axis, axis), V[t + 1])(following)
        np.testing.assert_allclose(
            V[t], navigation_reward(places) / policy.α + logsumexp(V_next, axis=-1), rtol=1e-5, atol=1e-4
        )
        rows = np.random.default_rng(t).choice(places.reshape(-1, 2), 20)
        π = policy.probabilities(rows, t)
        advantage = RegularGridInterpolator((axis, axis), V[t + 1])(navigation_step(rows[:, None], policy.centres))
        np.testing.assert_allclose(np.log(π), advantage - logsumexp(advantage, axis=1, keepdims=True), atol=1e-8)


def test_navigations_density_is_that_of_its_samples():
    policy, rng = expert("Navigation-v0"), np.random.default_rng(0)
    place, n = np.array([[-0.5, 0.1]]), 40_000
    obs = np.repeat(place, n, axis=0)
    actions = policy(obs, rng, time=3)
    assert np.abs(actions).max() <= 1
    # E[1/density] over a region is the region's area: for the whole box 4, for one quarter of it 1.
    inverse = np.exp(-policy.log_density(obs, actions, 3))
    quarter = (actions > 0).all(axis=1)
    for value, area in ((inverse, 4), (inverse * quarter, 1)):
        assert abs(value.mean() - area) < 5 * value.std() / np.sqrt(n)
    box = rng.uniform(-1, 1, (n, 2))  # and the density's mean over the box, of area 4, is 1/4
    density = np.exp(policy.log_density(obs, box, 3))
    assert abs(density.mean() - 1 / 4) < 5 * density.std() / np.sqrt(n)
    standard_error = actions.std(axis=0) / np.sqrt(n)
    assert (np.abs(actions.mean(axis=0) - policy(place, time=3)[0]) < 5 * standard_error).all()
    assert np.isfinite(policy.log_density(place, np.array([[1.0, -1.0]]), 3)).all()  # the box's very corner


def test_navigations_expert_asks_for_the_time():
    policy = expert("Navigation-v0")
    with pytest.raises(ValueError, match="depends on the time"):
        policy(np.zeros((1, 2)))
    for time in (-1, 30):
        with pytest.raises(ValueError, match="0 … 29"):
            policy(np.zeros((1, 2)), time=time)
    two = np.zeros((2, 2))
    np.testing.assert_array_equal(policy.probabilities(two, [0, 29])[1], policy.probabilities(two, 29)[0])
