"""The kart: its road and its falls against a world made independently, its driver, the mechanism, its pictures."""

import base64
import io
import warnings

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, VectorEnv
from PIL import Image
from scipy.spatial import cKDTree

from course_utils import kart
from course_utils.imitation import behavioural_cloning, dagger, ridge, rollout
from course_utils.kart import (
    HALF_WIDTH,
    LENGTH,
    ROAD,
    STEPS,
    Kart,
    KartVector,
    bend,
    cells,
    driver,
    falls_per_lap,
    kart_step,
    place,
    poor_cells,
)
from course_utils.kart_plots import (
    Animation,
    Drive,
    animate,
    draw_drive,
    draw_track,
    drive,
    kart_picture,
)


def walked_road(step=2e-3):
    """The middle line by walking along ROAD in tiny steps: (M, 4): metres walked, x, y, direction."""
    turns = []
    for piece in ROAD:
        if isinstance(piece, tuple):
            metres = np.pi * abs(piece[0]) / 180 * piece[1]
            n = round(metres / step)
            turns += [(metres / n, np.pi * piece[0] / 180 / n)] * n
        else:
            n = round(piece / step)
            turns += [(piece / n, 0.0)] * n
    d, turn = np.array(turns).T
    θ = turn.cumsum()
    direction = θ - turn / 2
    return np.column_stack([d.cumsum(), (d * np.cos(direction)).cumsum(), (d * np.sin(direction)).cumsum(), θ])


WALK = walked_road()
TREE = cKDTree(WALK[:, 1:3])


def random_states(rng, n, offset=HALF_WIDTH):
    return rng.uniform([0, -offset, -0.8, -1.5], [LENGTH, offset, 0.8, 1.5], (n, 4))


def dumb(steering):
    """The driver who always steers the same."""
    return lambda obs, rng, time: np.full((len(obs), 1), steering)


# --- the road ---------------------------------------------------------------------------------------------------------


def test_the_road_is_a_closed_ring_without_kinks():
    assert pytest.approx(WALK[-1, 0], abs=1e-6) == LENGTH
    np.testing.assert_allclose(WALK[-1, 1:], [0, 0, 2 * np.pi], atol=1e-3)
    begin, end = place(0.0), place(LENGTH - 1e-9)
    np.testing.assert_allclose(np.array(begin[:2]), end[:2], atol=1e-3)
    radii = {piece[1] * np.sign(piece[0]) for piece in ROAD if isinstance(piece, tuple)}
    assert min(radii) < 0 < max(radii) and len(radii) >= 4  # bends to both sides, of different radii
    assert min(abs(radius) for radius in radii) > HALF_WIDTH


def test_places_are_where_walking_leads():
    s, offset = WALK[::97, 0], np.random.default_rng(0).uniform(-HALF_WIDTH, HALF_WIDTH, len(WALK[::97]))
    x, y, θ = place(s, offset)
    left = np.column_stack([-np.sin(WALK[::97, 3]), np.cos(WALK[::97, 3])])
    np.testing.assert_allclose(np.column_stack([x, y]), WALK[::97, 1:3] + offset[:, None] * left, atol=2e-3)
    np.testing.assert_allclose(θ, WALK[::97, 3], atol=1e-6)
    np.testing.assert_allclose(np.array(place(s + 3 * LENGTH))[:2], np.array(place(s))[:2], atol=1e-9)


def test_the_bend_is_how_fast_the_direction_changes():
    ends = np.array([0, *kart.STARTS, LENGTH])
    s = np.linspace(0.05, LENGTH - 0.05, 999)
    s = s[np.abs(s[:, None] - ends).min(axis=1) > 0.02]
    difference = (np.interp(s + 0.01, WALK[:, 0], WALK[:, 3]) - np.interp(s - 0.01, WALK[:, 0], WALK[:, 3])) / 0.02
    np.testing.assert_allclose(bend(s), difference, atol=1e-3)


def test_no_two_parts_of_the_road_touch():
    """Every place on it is as far from the nearest point of the middle line as its offset says, so there is one road
    only."""
    rng = np.random.default_rng(1)
    s, offset = rng.uniform(0, LENGTH, 3000), rng.uniform(-HALF_WIDTH, HALF_WIDTH, 3000)
    distance, _ = TREE.query(np.column_stack(place(s, offset)[:2]))
    np.testing.assert_allclose(distance, np.abs(offset), atol=2e-3)


# --- the kart ---------------------------------------------------------------------------------------------------------


def test_the_kart_is_a_point_that_moves_in_the_plane_and_falls_off_the_road(monkeypatch):
    """In small steps: as a point in x and y whose direction turns with the yaw; it falls when the nearest point of the
    walked middle line is more than half a road's width away, and not before."""
    monkeypatch.setattr(kart, "DT", 1e-3)
    rng, n = np.random.default_rng(2), 150
    state, steering = random_states(rng, n, 2.5), rng.uniform(-1, 1, n)
    x, y, road = place(state[:, 0], state[:, 1])
    θ, yaw = road + state[:, 2], state[:, 3].copy()
    alive, falls = np.ones(n, dtype=bool), 0
    for _ in range(700):
        state, fell, _ = kart_step(state, steering, np.zeros(n))
        x, y = x + 1e-3 * kart.SPEED * np.cos(θ), y + 1e-3 * kart.SPEED * np.sin(θ)
        θ, yaw = θ + 1e-3 * yaw, yaw + 1e-3 / kart.LAG * (kart.TURN * steering - yaw)
        distance, _ = TREE.query(np.column_stack([x, y]))
        assert (np.abs(distance - HALF_WIDTH)[alive & (fell != (distance > HALF_WIDTH))] < 0.02).all()
        falls += (fell & alive).sum()
        alive &= ~fell & (distance <= HALF_WIDTH)
        here = np.column_stack(place(state[:, 0], state[:, 1])[:2])
        assert (np.linalg.norm(here - np.column_stack([x, y]), axis=1)[alive] < 0.02).all()
    assert falls > 30 and alive.sum() > 10  # both were seen


def test_who_falls_is_put_back_on_the_middle_there():
    rng = np.random.default_rng(3)
    before = random_states(rng, 2000)
    after, fell, metres = kart_step(before, rng.uniform(-1, 1, 2000), np.zeros(2000))
    assert 50 < fell.sum() < 1000
    np.testing.assert_array_equal(after[fell, 1:], 0)
    np.testing.assert_allclose((after[:, 0] - before[:, 0] - metres + 1) % LENGTH, 1, atol=1e-9)  # fallen or not
    distance, _ = TREE.query(np.column_stack(place(after[~fell, 0], after[~fell, 1])[:2]))
    assert distance.max() < HALF_WIDTH + 2e-3
    outwards = np.sign(before[:, 1]) * before[:, 2]
    assert (outwards[fell] > 0).all() and not fell[np.abs(before[:, 1]) < HALF_WIDTH - kart.SPEED * kart.DT].any()


def test_the_steering_acts_with_a_lag_and_to_the_left():
    still = np.zeros((1, 4))
    after, _, _ = kart_step(still, np.array([0.5]), np.zeros(1))
    assert after[0, 1] == after[0, 2] == 0 < after[0, 3] < 0.5 * kart.TURN  # the yaw first, and not all of it
    for _ in range(3):
        after, _, _ = kart_step(after, np.array([0.5]), np.zeros(1))
    assert (after[0, 1:] > 0).all()
    bumped, _, _ = kart_step(still, np.zeros(1), np.array([0.25]))
    np.testing.assert_array_equal(bumped[0, 1:], [0, 0, 0.25])


def test_the_driver_sees_where_the_kart_is_and_the_bends_ahead():
    state = random_states(np.random.default_rng(4), 200)
    obs = kart.look(state)
    np.testing.assert_array_equal(obs[:, :3], state[:, 1:])
    for column, metres in zip((3, 4, 5, 6), (0, 4, 8, 12), strict=True):
        s = (state[:, 0] + metres) % LENGTH
        turned = [np.interp(s + d, WALK[:, 0], WALK[:, 3]) for d in (-0.01, 0.01)]
        inside = np.abs(s[:, None] - np.r_[kart.STARTS, LENGTH]).min(axis=1) > 0.02
        np.testing.assert_allclose(obs[inside, column], 10 * (turned[1] - turned[0])[inside] / 0.02, atol=1e-2)


# --- the environments -------------------------------------------------------------------------------------------------


def test_gymnasiums_checker_is_content():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("course/Kart-v0", render_mode="rgb_array").unwrapped)


def test_it_is_registered_alone_and_as_many():
    assert gymnasium.make("course/Kart-v0").spec.max_episode_steps == STEPS
    many = gymnasium.make_vec("course/Kart-v0", num_envs=3)
    assert isinstance(many, KartVector) and (many.num_envs, many.time_limit) == (3, STEPS)


def test_one_kart_is_the_first_of_many_over_a_whole_episode():
    one, many = gymnasium.make("course/Kart-v0"), KartVector(1)
    mine, ours = one.reset(seed=8)[0], many.reset(seed=8)[0]
    np.testing.assert_array_equal(mine, ours[0])
    rng, falls = np.random.default_rng(0), 0
    for t in range(STEPS):
        action = driver(ours, None, t) + rng.normal(0, 0.7, (1, 1))  # beyond the box too
        mine, r, terminated, truncated, info = one.step(action[0])
        ours, reward, ends, cuts, infos = many.step(action)
        np.testing.assert_array_equal(mine, infos["final_obs"][0])
        assert (r, terminated, truncated) == (reward[0], ends[0], cuts[0])
        assert (info["fell"], info["progress"]) == (infos["fell"][0], infos["progress"][0])
        assert r == -info["fell"] and truncated == (t == STEPS - 1) and not terminated
        falls += info["fell"]
    assert falls > 0


def test_many_karts_are_a_vector_environment():
    env, rng = KartVector(6), np.random.default_rng(0)
    assert isinstance(env, VectorEnv) and env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    obs, _ = env.reset(seed=0)
    assert obs in env.observation_space and obs.shape == (6, 7) and (obs[0] != obs[1]).any()
    falls = 0
    for _ in range(2 * STEPS):
        obs, reward, terminated, truncated, info = env.step(rng.uniform(-1, 1, (6, 1)))
        assert obs in env.observation_space and not terminated.any()
        assert reward.shape == truncated.shape == info["fell"].shape == info["progress"].shape == (6,)
        np.testing.assert_array_equal(reward, -info["fell"].astype(float))
        falls += info["fell"].sum()
    assert falls > 20


def test_copies_meet_bumps_of_their_own_and_the_same_again_with_the_same_seed():
    def play(seed):
        env = KartVector(40)
        env.reset(seed=seed, options={"state": np.zeros((40, 4))})
        return np.array([env.step(np.zeros((40, 1)))[0][:, 2] for _ in range(3)])

    first, again, other = play(1), play(1), play(2)
    np.testing.assert_array_equal(first, again)
    assert (first != other).all() and len(np.unique(first[0])) == 40
    many = kart.draw_bumps(np.random.default_rng(0), 20_000)
    assert abs(many.mean()) < 5 * kart.BUMP / np.sqrt(20_000) and many.std() == pytest.approx(kart.BUMP, rel=0.03)


def test_bad_input_is_refused():
    one, many = Kart(), KartVector(2)
    for env, action in ((one, np.zeros(1)), (many, np.zeros((2, 1)))):
        with pytest.raises(RuntimeError, match="reset"):
            env.step(action)
        env.reset(seed=0)
    for bad in ([0.0, 0.0], [np.nan], 0.0):
        with pytest.raises(ValueError, match="1 finite number"):
            one.step(bad)
    with pytest.raises(ValueError, match=r"shape \(2, 1\)"):
        many.step(np.zeros(2))
    with pytest.raises(ValueError, match="finite"):
        many.step(np.full((2, 1), np.nan))
    for bad in ([0, 0, 0], [0, HALF_WIDTH + 0.1, 0, 0], [0, 0, np.nan, 0]):
        with pytest.raises(ValueError, match="offset within"):
            one.reset(options={"state": bad})
    with pytest.raises(ValueError, match="states must be finite"):
        many.reset(options={"state": np.zeros((2, 3))})
    with pytest.raises(ValueError, match="offset is within"):
        many.reset(options={"state": [[0, 0, 0, 0], [0, -HALF_WIDTH - 0.1, 0, 0]]})
    for env in (one, many):
        with pytest.raises(ValueError, match="knows the option"):
            env.reset(options={"start": 3})
    with pytest.raises(ValueError, match="render_mode"):
        Kart(render_mode="human")
    for bad in (dict(laps=0), dict(copies=0), dict(laps=0.5)):
        with pytest.raises(ValueError, match="whole number"):
            falls_per_lap(driver, np.random.default_rng(0), **bad)
    np.testing.assert_array_equal(one.reset(options={"state": [5, 1, 0.1, 0]})[0][:3], [1, 0.1, 0])


# --- drivers and laps -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_driver_does_not_fall(seed):
    assert falls_per_lap(driver, np.random.default_rng(seed), laps=2, copies=40) == 0


def test_laps_are_counted_as_often_as_the_kart_goes_round():
    """Against the angle under which a place inside the ring sees the kart."""
    inside = np.array([55.0, 17.0])
    env, angles, laps = KartVector(3, max_episode_steps=10**6), [], np.zeros(3)
    obs, _ = env.reset(seed=0)
    for t in range(1300):
        obs, _, _, _, info = env.step(driver(obs, None, t))
        laps += info["progress"]
        angles.append(np.arctan2(*(np.array(place(*env.state[:, :2].T)[:2]).T - inside).T[::-1]))
    round_it = np.ptp(np.unwrap(angles, axis=0), axis=0) / (2 * np.pi)
    assert (laps > 4.5).all() and (np.abs(laps - round_it) < 0.7).all()
    # once round, to the metre: where the laps are whole, the kart is where it began
    env.reset(options={"state": np.zeros((3, 4))})
    obs, laps = env.observe(env.state), np.zeros(3)
    while laps.min() < 1:
        obs, _, _, _, info = env.step(driver(obs, None, 0))
        laps += info["progress"]
    np.testing.assert_allclose(env.state[:, 0], (laps - 1) * LENGTH, atol=1e-6)


def test_falls_a_lap_are_falls_over_laps():
    """Full lock to the left, counted by hand; and more laps or copies change the figure little."""
    act, rng = dumb(1.0), np.random.default_rng(0)
    env = KartVector(50)
    env.reset(seed=1)
    steps = [env.step(act(np.zeros(50), None, 0)) for _ in range(STEPS)]
    falls, laps = (sum(step[4][name].sum() for step in steps) for name in ("fell", "progress"))
    assert 20 < falls / laps < 100
    assert falls_per_lap(act, rng, laps=1, copies=50) == pytest.approx(falls / laps, rel=0.05)
    assert falls_per_lap(act, rng, laps=3, copies=10) == pytest.approx(falls / laps, rel=0.05)


def test_falls_a_lap_hands_the_policy_what_a_policy_gets():
    seen, rng = [], np.random.default_rng(0)

    def spy(obs, generator, time):
        seen.append((obs.shape, generator, time))
        return driver(obs)

    falls_per_lap(spy, rng, laps=1, copies=3)
    assert all(shape == (3, 7) and generator is rng for shape, generator, _ in seen)
    assert [time for *_, time in seen] == list(range(len(seen))) and abs(len(seen) - LENGTH) < 1


def test_the_driver_leaves_alone_what_is_small_and_saturates():
    middle = np.zeros((3, 7))
    middle[1:, 0] = 0.2, -0.2
    np.testing.assert_array_equal(driver(middle), 0)
    middle[1:, 0] = 1.0, -1.0
    assert driver(middle)[1] < 0 < driver(middle)[2]  # back to the middle from either side
    middle[1:, 1] = 1.5, -1.5
    np.testing.assert_array_equal(driver(middle)[1:, 0], [-1, 1])
    assert 0 < driver(np.array([[0, 0, 0.5, 0.5, 0.5, 0.5, 0.5]]))[0, 0] < 1  # a steady bend to the left


# --- the mechanism ----------------------------------------------------------------------------------------------------


def test_cells_say_in_which_cell_offset_and_heading_lie():
    obs = random_states(np.random.default_rng(5), 500)[:, 1:]
    obs = np.column_stack([obs, np.random.default_rng(6).normal(size=(500, 4))])
    for features, width, n, columns in ((cells, 0.2, 4, 20), (poor_cells, 0.8, 2, 12)):
        φ = features(obs)
        assert φ.shape == (500, columns)
        for row, (offset, heading) in zip(φ, obs[:, :2], strict=True):
            assert np.flatnonzero(row[:7]) == [np.argmin(np.abs(offset - np.arange(-3, 4)))]
            expected = np.argmin(np.abs(heading - width * np.arange(-n, n + 1)))
            assert np.flatnonzero(row[7 : 7 + 2 * n + 1]) == [expected]
    np.testing.assert_array_equal(cells(obs)[:, 16:], obs[:, 3:])  # cells see the bends


def learner(features=cells):
    return ridge(KartVector(1), features=features)


def at(offset, heading=0.0):
    return np.array([[offset, heading, 0, 0, 0, 0, 0]])


@pytest.mark.parametrize("seed", range(5))
def test_where_the_expert_never_went_its_clone_has_no_idea(seed):
    """However many laps it is shown: on the two sides of the road it steers the same, and it keeps falling.  DAgger's
    learner, of the same kind, has seen those cells: it steers back to the middle, and falls no more."""
    rng = np.random.default_rng(seed)
    many = rollout(KartVector(40), driver, rng)
    assert (np.abs(many.obs[:, 0]) < 1.5).all()  # 10 000 steps, none of them in the two outer cells of either side
    few = behavioural_cloning(KartVector(1), driver, learner(), rng).final
    lots = learner()(many.obs, many.actions, rng)
    for clone in (few, lots):
        assert clone(at(2.6), rng, 0) == pytest.approx(clone(at(-2.6), rng, 0)) == clone(at(1.9), rng, 0)
        assert falls_per_lap(clone, rng, laps=2) > 3
    taught = dagger(KartVector(1), driver, learner(), rng, iterations=15).final
    assert taught(at(2.0), rng, 0) < -0.05 and taught(at(-2.0), rng, 0) > 0.05
    assert falls_per_lap(taught, rng, laps=2) < 0.3


@pytest.mark.parametrize("seed", range(5))
def test_with_too_poor_features_dagger_keeps_falling(seed):
    rng = np.random.default_rng(seed)
    run = dagger(KartVector(1), driver, learner(poor_cells), rng, iterations=15)
    first, last = (falls_per_lap(policy, rng, laps=2) for policy in (run.policies[0], run.final))
    assert 1 < last < first / 2


# --- pictures ---------------------------------------------------------------------------------------------------------


def is_colour(picture, colour):
    return (np.asarray(picture).astype(int) == colour).all(axis=-1)


@pytest.mark.parametrize("seed", range(4))
def test_the_picture_shows_the_road_from_the_kart(seed):
    """Every pixel that is not covered by the kart or its dots: road where the walked line is near, seen with the kart
    at (20 m below the top, middle) and driving upwards."""
    state = random_states(np.random.default_rng(seed), 1)[0]
    picture = kart_picture(state, pixels=120)
    assert picture.shape == (120, 120, 3) and picture.dtype == np.uint8
    x, y, road = place(*state[:2])
    ahead = np.array([np.cos(road + state[2]), np.sin(road + state[2])])
    left = np.array([-ahead[1], ahead[0]])
    metres = 24 / 120
    for row in range(0, 120, 3):
        for column in range(0, 120, 3):
            colour = tuple(int(c) for c in picture[row, column])
            up, side = 20 - (row + 0.5) * metres, 12 - (column + 0.5) * metres
            distance = TREE.query(np.array([x, y]) + up * ahead + side * left)[0]
            if colour == (92, 92, 98):
                assert distance < HALF_WIDTH
            if colour == (198, 214, 186):
                assert distance > HALF_WIDTH
    assert 0.05 < is_colour(picture, (92, 92, 98)).mean() < 0.8 and is_colour(picture, (198, 214, 186)).mean() > 0.1


def test_the_kart_and_its_way_are_in_the_picture():
    for yaw in (-1.0, 0.0, 1.0):
        picture = kart_picture([3.0, 0.5, 0.0, yaw], pixels=240)
        rows, columns = np.nonzero(is_colour(picture, (0, 114, 178)))
        assert abs(rows.mean() - 200) < 6 and abs(columns.mean() - 120) < 3 and 50 < len(rows) < 800
        dots, sides = np.nonzero(is_colour(picture, (86, 180, 233)))
        far = sides[dots < 130].mean() - 119.5
        assert np.sign(round(far / 5)) == -np.sign(yaw)  # a kart that turns left goes to the left of the picture
    assert (kart_picture([3.0, 0.5, 0.0, 0.0]) != kart_picture([3.0, 0.5, 0.3, 0.0])).any()


def test_rendering_is_the_picture_and_moves():
    env = gymnasium.make("course/Kart-v0", render_mode="rgb_array")
    env.reset(options={"state": [20.0, 1.0, 0.1, 0.0]})
    first = env.render()
    np.testing.assert_array_equal(first, kart_picture([20.0, 1.0, 0.1, 0.0]))
    env.step(np.zeros(1))
    assert (env.render() != first).any()
    assert Kart().render() is None


def test_a_drive_is_what_the_kart_did():
    run = drive(dumb(0.3), np.random.default_rng(0), steps=90, start=30.0)
    assert run.state.shape == (90, 4) and run.fell.shape == (90,) and run.fell.dtype == bool and run.fell.sum() > 3
    np.testing.assert_array_equal(run.state[0], [30, 0, 0, 0])
    np.testing.assert_array_equal(run.state[1:][run.fell[:-1], 1:], 0)  # back on the middle after each fall
    again = drive(dumb(0.3), np.random.default_rng(0), steps=90, start=30.0)
    np.testing.assert_array_equal(run.state, again.state)
    with pytest.raises(ValueError, match="steps"):
        drive(driver, np.random.default_rng(0), steps=0)


def test_the_track_and_a_drive_are_drawn_where_they_are():
    run = drive(dumb(0.3), np.random.default_rng(0), steps=90)
    fig, ax = plt.subplots()
    assert draw_drive(ax, run, "clone") is ax and ax.get_title() == f"clone: {run.fell.sum()} falls"
    edges = [np.array(line.get_xydata()) for line in ax.lines if len(line.get_xdata()) > 500]
    assert len(edges) == 2
    for edge in edges:
        np.testing.assert_allclose(TREE.query(edge)[0], HALF_WIDTH, atol=5e-3)
    (legs,) = (np.array(c.get_segments()) for c in ax.collections)
    assert len(legs) == 89 - run.fell[:-1].sum()
    assert (np.linalg.norm(legs[:, 1] - legs[:, 0], axis=1) < 1.2).all()  # no line from a fall to the middle
    crosses = ax.lines[-1].get_xydata()
    assert len(crosses) == run.fell.sum()
    assert (TREE.query(crosses)[0] > HALF_WIDTH - kart.SPEED * kart.DT).all()  # within a step of the edge
    plt.close(fig)
    fig, ax = plt.subplots()
    assert draw_track(ax) is ax and ax.get_aspect() == 1
    plt.close(fig)


def decoded(gif):
    image = Image.open(io.BytesIO(base64.b64decode(gif)))
    frames = []
    for i in range(getattr(image, "n_frames", 1)):
        image.seek(i)
        frames.append((np.array(image.convert("RGB")), image.info.get("duration")))
    return frames


def blob(frame, colour, slack=24):
    """Rows and columns of the pixels near a colour, below the title."""
    return (np.abs(frame[20:].astype(int) - colour).max(axis=-1) < slack).nonzero()


def test_an_animation_moves_the_karts_and_marks_the_falls():
    rng = np.random.default_rng(0)
    runs = {"clone": drive(dumb(0.3), rng, steps=60), "expert": drive(driver, rng, steps=60)}
    moving = animate(runs, 'two "karts"', "caption", width=300)
    frames = decoded(moving.gif)
    assert len(frames) == 30 and {duration for _, duration in frames} == {100}
    assert frames[0][0].shape[1] == 600
    panels = [[frame[:, :300], frame[:, 300:]] for frame, _ in frames]
    crosses = [[len(blob(panel, (213, 94, 0))[0]) for panel in pair] for pair in panels]
    assert crosses[0][0] == 0 and crosses[-1][0] > 100 and not any(right for _, right in crosses)
    path = np.array([[np.mean(z) for z in blob(pair[1], (0, 114, 178))[::-1]] for pair in panels])
    road = np.column_stack(place(*runs["expert"].state[::2, :2].T)[:2])
    for shown, there in zip(path.T, (road[:, 0], -road[:, 1]), strict=True):  # the picture's y points down
        if np.ptp(there) > 2:
            assert np.corrcoef(shown, there)[0, 1] > 0.99


def test_the_last_frame_has_every_fall():
    state, fell = np.tile([10.0, 0.0, 0.0, 0.0], (8, 1)), np.arange(8) >= 6
    state[:, 0] = 20 * np.arange(8)
    shown = [
        len(blob(decoded(animate({"a": Drive(state, f)}, "alt").gif)[-1][0], (213, 94, 0))[0]) for f in (fell, ~fell)
    ]
    assert all(shown), "a fall in the last steps is not shown"
    none = animate({"a": Drive(state, np.zeros(8, dtype=bool))}, "alt")
    assert not len(blob(decoded(none.gif)[-1][0], (213, 94, 0))[0])


def test_an_animation_is_small_and_can_be_read_without_eyes_or_motion():
    rng = np.random.default_rng(0)
    runs = {"clone": drive(dumb(0.3), rng), "expert": drive(driver, rng)}
    moving = animate(runs, 'a "kart" & another', "<caption>")
    bundle = moving._repr_mimebundle_()
    assert len(moving.gif) < 400_000 and len(decoded(moving.still)) == 1
    assert 'alt="a &quot;kart&quot; &amp; another"' in bundle["text/html"] and "&lt;caption&gt;" in bundle["text/html"]
    assert "prefers-reduced-motion" in bundle["text/html"] and bundle["text/plain"] == '[animation: a "kart" & another]'
    np.testing.assert_array_equal(decoded(moving.still)[0][0], decoded(moving.gif)[-1][0])
    with pytest.raises(ValueError, match="alt text"):
        animate(runs, "  ")
    with pytest.raises(ValueError, match="alt text"):
        Animation([Image.new("RGB", (2, 2))], "", "", 0.1)
    for bad in ({}, runs | {"short": drive(driver, rng, steps=3)}):
        with pytest.raises(ValueError, match="same length"):
            animate(bad, "alt")
