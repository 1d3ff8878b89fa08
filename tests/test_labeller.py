"""The queue of pictures and the reader's DAgger without a browser: what keys do, what is told, what is learned from."""

import json
import re
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from course_utils.environments import make
from course_utils.imitation import memoryless, ridge, rollout
from course_utils.kart import KartVector, driver, falls_per_lap
from course_utils.navigation import GOAL, navigation_picture
from course_utils.vectorised import Wrapped
from course_utils.widgets import labeller as module
from course_utils.widgets.dagger_session import DaggerSession, uniform
from course_utils.widgets.labeller import Labeller

JAVASCRIPT = (Path(module.__file__).parent / "labeller.js").read_text()
STEERING = [("ArrowLeft", "left", -0.5), ("s", "straight", 0.0), ("Shift+ArrowRight", "hard right", 1.0)]


def pictures(n, seed=0):
    return list(np.random.default_rng(seed).integers(0, 256, (n, 4, 6, 3)).astype(np.uint8))


def queue(n=3, choices=STEERING, **options):
    return Labeller(pictures(n), choices, [f"scene {i}" for i in range(n)], **options)


def play(labeller, *actions):
    for action in actions:
        labeller.press(action)
    return labeller


# ---- the queue


def test_keys_and_labels_answer_the_pictures_in_order():
    labeller = queue()
    assert labeller.answers == [None, None, None] and labeller.progress == "1 of 3" and not labeller.done
    assert play(labeller, "ArrowLeft").answers == [-0.5, None, None]
    assert labeller.progress == "2 of 3" and labeller.message == "Picture 1: left." and labeller.alt == "scene 1"
    assert play(labeller, "hard right", "s").answers == [-0.5, 1.0, 0.0]
    assert labeller.done and labeller.progress == "3 of 3 answered" and "last one" in labeller.message


def test_the_picture_sent_is_the_one_to_answer_and_no_other(monkeypatch):
    labeller, sent = queue(), []
    monkeypatch.setattr(labeller, "_send", lambda message, buffers=None: sent.append((message, buffers)))
    for i, picture in enumerate(pictures(3)):
        assert (imageio.imread(labeller.picture) == picture).all() and labeller.alt == f"scene {i}"
        kept = labeller.picture
        labeller.press("left")
    assert labeller.picture == kept  # at the end the last one stays
    updates = [(message["state"], buffers) for message, buffers in sent if message["method"] == "update"]
    assert [len(buffers) for _, buffers in updates] == [1, 1, 0]  # one message an answer, one picture in it
    for state, _ in updates:
        state.pop("picture", None)
        assert json.loads(json.dumps(state)) == state
    assert updates[0][0]["position"] == [0, 1, 3] and updates[2][0]["done"] is True


def test_skip_leaves_no_answer():
    labeller = play(queue(), "skip", "left", "skip")
    assert labeller.answers == [None, -0.5, None] and labeller.done and labeller.progress == "1 of 3 answered"


def test_undo_takes_back_answers_skips_and_ends():
    labeller = play(queue(), "left", "skip", "undo")
    assert labeller.progress == "2 of 3" and labeller.alt == "scene 1" and labeller.message == "Picture 2 again."
    assert play(labeller, "undo", "straight").answers == [0.0, None, None]
    play(labeller, "finish")
    assert labeller.done and labeller.progress == "1 of 3 answered" and "2 pictures left" in labeller.message
    play(labeller, "undo")  # the end only: the answer stays
    assert not labeller.done and labeller.answers == [0.0, None, None] and labeller.progress == "2 of 3"
    play(labeller, "left", "left", "undo")
    assert not labeller.done and labeller.answers == [0.0, -0.5, None]
    play(labeller, "undo", "undo", "undo")  # one more than there are answers
    assert labeller.answers == [None] * 3 and "nothing to undo" in labeller.message


def test_an_answer_is_a_label_or_a_value():
    labeller = queue(5)
    for choice in ("left", -0.5, 1, np.float32(0)):
        labeller.answer(choice)
    assert labeller.answers == [-0.5, -0.5, 1.0, 0.0, None]
    vectors = queue(3, [("a", "up", np.array([0, 1])), ("b", "down", (0, -1)), ("c", "name", "up there")])
    for choice in ([0, 1], (0, -1), "up there"):
        vectors.answer(choice)
    assert list(map(list, vectors.answers[:2])) == [[0, 1], [0, -1]] and vectors.answers[2] == "up there"


@pytest.mark.parametrize("act", [Labeller.answer, Labeller.press], ids=["answer", "press"])
@pytest.mark.parametrize("wrong", ["lef", "", "Undo", 0.25, None, (0.0, 0.0)], ids=repr)
def test_what_is_no_choice_is_refused_and_the_choices_are_named(act, wrong):
    labeller = queue()
    with pytest.raises(ValueError, match=r"choices are .*(left.*straight.*hard right|-0\.5.*0\.0.*1\.0)") as refused:
        act(labeller, wrong)
    assert repr(wrong) in str(refused.value) and labeller.progress == "1 of 3"


def test_a_value_is_not_a_button():
    """What a button sends is a name; a number must not be mistaken for the key of that number."""
    digits = queue(choices=[("1", "hard left", 2), ("2", "left", 1)])
    assert play(digits, "1").answers[0] == 2
    digits.answer(1)
    assert digits.answers[1] == 1
    with pytest.raises(ValueError, match="'hard left', 'left'; got 1"):
        digits.press(1)


def test_nothing_can_be_answered_after_the_end():
    labeller = play(queue(1), "left")
    for act in (labeller.skip, labeller.finish, lambda: labeller.answer("left"), lambda: labeller.answer_all(int)):
        with pytest.raises(RuntimeError, match="1 of 1 answered"):
            act()
    assert labeller.answers == [-0.5]


def test_a_function_answers_what_is_left():
    labeller, asked = play(queue(5), "left"), []
    labeller.answer_all(lambda i: asked.append(i) or {1: "straight", 2: 1.0, 3: None, 4: -0.5}[i])
    assert asked == [1, 2, 3, 4] and labeller.answers == [-0.5, 0.0, 1.0, None, -0.5] and labeller.done


def test_keys_that_are_letters_are_small_since_the_browser_sends_them_so():
    with pytest.raises(ValueError, match=r"small; got \['S'\]"):
        queue(choices=[("S", "straight", 0), ("l", "left", 1)])


@pytest.mark.parametrize(
    ("choices", "what"),
    [
        ([("a", "left", 1)], "at least two"),
        ([], "at least two"),
        ([("a", "left"), ("b", "right")], r"a choice is \(key, label, value\)"),
        ([("a", "left", 1), (3, "right", 2)], r"a choice is .*3"),
        ([("a", "left", 1), ("b", "", 2)], "a choice is"),
        ([("a", "left", 1), ("a", "right", 2)], "differ"),
        ([("a", "left", 1), ("b", "left", 2)], "differ"),
        ([("a", "b", 1), ("b", "c", 2)], "differ"),
        ([("a", "left", 1), (" ", "right", 2)], "differ"),
        ([("a", "left", 1), ("b", "undo", 2)], "differ"),
        ([("a", "left", 1), ("b", "right", None)], "None"),
    ],
)
def test_bad_choices_are_refused(choices, what):
    with pytest.raises(ValueError, match=what):
        queue(choices=choices)


def test_a_label_may_be_its_own_key():
    assert play(queue(choices=[("a", "a", 1), ("b", "b", 2)]), "b", "a").answers == [2, 1, None]


@pytest.mark.parametrize(
    ("picture", "what"),
    [
        (np.zeros((4, 6), np.uint8), r"picture 1: \(4, 6\) uint8"),
        (np.zeros((4, 6, 4), np.uint8), r"\(4, 6, 4\)"),
        (np.zeros((0, 6, 3), np.uint8), r"\(0, 6, 3\)"),
        (np.zeros((4, 6, 3)), "float64"),
    ],
)
def test_bad_pictures_are_refused_and_the_queue_goes_on(picture, what):
    new = [np.zeros((2, 2, 3), np.uint8), picture]
    with pytest.raises(ValueError, match=what):
        Labeller(new, STEERING, ["one", "two"])
    labeller = play(queue(), "left")
    with pytest.raises(ValueError, match=what):
        labeller.show(new, ["one", "two"])
    assert labeller.answers == [-0.5, None, None] and labeller.rounds == [] and labeller.alt == "scene 1"


def test_an_empty_queue_and_missing_alts_are_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        Labeller([], STEERING, [])
    for alts in (["one"], ["one", " "], ["one", None]):
        with pytest.raises(ValueError, match="each of the 2 pictures needs a text"):
            Labeller(pictures(2), STEERING, alts)


def test_rounds_are_kept():
    labeller = play(queue(2), "left", "skip")
    labeller.show(pictures(3, seed=1), ["a", "b", "c"], "Once more.")
    assert labeller.rounds == [[-0.5, None]] and labeller.answers == [None] * 3 and not labeller.done
    assert labeller.message == "Once more." and labeller.position == [1, 0, 3]
    assert (imageio.imread(labeller.picture) == pictures(3, seed=1)[0]).all() and labeller.alt == "a"
    play(labeller, "straight", "undo", "undo")  # the last round is closed
    labeller.show(pictures(1), ["d"])
    assert labeller.rounds == [[-0.5, None], [None] * 3] and "Space skips" in labeller.message


def test_the_end_is_told_each_time_that_it_comes():
    labeller, told = queue(2), []
    labeller.on_done(lambda it: told.append((it.done, it.answers)))
    play(labeller, "left", "undo", "left")
    assert told == []
    play(labeller, "left")
    assert told == [(True, [-0.5, -0.5])]
    play(labeller, "undo", "straight", "undo", "finish")
    assert [answers for _, answers in told[1:]] == [[-0.5, 0.0], [-0.5, None]]


def test_an_error_at_the_end_is_shown_and_raised_and_the_answers_stay():
    labeller = queue(1)
    labeller.on_done(lambda it: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        labeller.answer("left")
    assert labeller.message == "ZeroDivisionError: division by zero" and labeller.answers == [-0.5] and labeller.done
    assert play(labeller, "undo").message == "Picture 1 again."


def test_the_next_queue_may_be_shown_at_the_end():
    labeller = queue(2)
    labeller.on_done(lambda it: len(it.rounds) < 2 and it.show(pictures(2), ["x", "y"], f"{len(it.rounds)} done"))
    asked = []
    labeller.answer_all(lambda i: asked.append(i) or "left")
    assert asked == [0, 1] and labeller.answers == [None, None]  # the new queue is not answered by the old function
    labeller.answer_all(lambda i: "straight")
    labeller.answer_all(lambda i: "hard right")
    assert labeller.rounds == [[-0.5, -0.5], [0.0, 0.0]] and labeller.answers == [1.0, 1.0] and labeller.done


# ---- what it shares with the browser


def test_a_message_from_the_browser_answers_the_picture_that_was_seen():
    labeller = queue(2, early="stop")
    hear = lambda action, *seen: labeller._handle_custom_msg({"action": action, "seen": list(seen)}, [])
    hear("left", 0, 0, 2)
    hear("left", 0, 0, 2)  # pressed twice before the next picture was there
    assert labeller.answers == [-0.5, None]
    hear("undo", 0, 0, 2)  # but this is about what was done last, whatever is seen
    assert labeller.answers == [None, None]
    hear("straight", 0, 0, 2)
    hear("finish", 0, 1, 2)
    hear("left", 0, 1, 2)  # too late
    assert labeller.done and labeller.answers == [0.0, None]
    labeller.show(pictures(2), ["a", "b"])
    hear("left", 0, 0, 2)  # of the last queue
    assert labeller.answers == [None, None]


def test_javascript_and_python_use_the_same_names():
    asked = set(re.findall(r'model\.get\("(\w+)"\)', JAVASCRIPT))
    asked |= set(re.findall(r'"(\w+)"', re.search(r"= \[([^\]]*)\]\.map\(\(name\) => model\.get", JAVASCRIPT)[1]))
    synced = {name for name, trait in Labeller.class_traits().items() if trait.metadata.get("sync") and trait.help}
    assert asked == {name for name in synced if name in vars(Labeller)}
    buttons = set(re.findall(r'button\("(\w+)"', JAVASCRIPT))
    keys = dict(re.findall(r'"?(\w+| )"?: "(\w+)"', re.search(r"const KEYS = \{(.*?)\};", JAVASCRIPT)[1]))
    assert buttons == {"undo", "skip", "finish"} and keys == {" ": "skip", "Backspace": "undo"}
    for name in buttons | set(keys):
        assert name in module.TAKEN  # no choice can be called so
        if name in buttons:
            play(queue(), "left", name)  # each is understood
    fields = re.findall(r"\{ (key[^}]*) \}\) => \{", JAVASCRIPT)[0].split(", ")
    assert fields == list(queue().choices[0])


def test_keys_are_written_as_on_a_keyboard():
    assert [choice["sign"] for choice in queue().choices] == ["←", "s", "⇧→"]
    assert "← s ⇧→" in queue().message


# ---- the reader's DAgger

WAYS = [("ArrowLeft", "left", (-1, 0)), ("ArrowRight", "right", (1, 0)), ("ArrowUp", "up", (0, 1))]
WAYS += [("ArrowDown", "down", (0, -1)), ("s", "stay", (0, 0))]
to_the_goal = memoryless(lambda xy: np.clip(5 * (GOAL - xy), -1, 1))


def place(state):
    return f"The point is at {state.round(2)}."


def scene(xy):
    return navigation_picture(xy, pixels=24)


def session(seed=0, env=None, learn=None, **options):
    env = env or make("Navigation-v0", 3)
    arguments = (scene, place, WAYS, np.random.default_rng(seed))
    return DaggerSession(env, learn or ridge(env), *arguments, **{"per_round": 8, **options})


def test_the_session_asks_about_states_of_its_own_ride_and_shows_them():
    """Only the driver's ride can bring the point to where it is asked about; the pictures show those very states."""
    downwards = memoryless(lambda xy: np.tile([0.0, -1.0], (len(xy), 1)))
    it = session(driver=downwards, per_round=90)  # 3 copies of 30 steps: all
    obs, time = it.asked
    assert obs.shape == (90, 2) and sorted(time) == sorted(list(range(30)) * 3)
    assert (obs[time == 29, 1] == -1).all() and len(np.unique(obs[time == 0], axis=0)) == 3
    for xy, picture, alt in zip(obs, it.labeller._pictures, it.labeller._alts, strict=True):
        assert (picture == scene(xy)).all() and alt == place(xy)
    assert session(per_round=91).labeller.progress == "1 of 90"  # no more than there are


def test_questions_are_drawn_at_random_and_none_twice():
    rides = [session(seed, driver=to_the_goal).asked for seed in range(5)]
    assert all(len({tuple(xy) for xy in obs}) == 8 for obs, _ in rides)
    assert len({tuple(time) for _, time in rides}) == 5 and not any((np.diff(time) >= 0).all() for _, time in rides)


def test_where_observations_hide_the_state_the_picture_is_of_the_state():
    seen = []
    env = make("Pendulum-v1", 2)  # observation (cos θ, sin θ, ω), state (θ, ω)
    picture = lambda state: seen.append(state) or np.zeros((2, 2, 3), np.uint8)
    it = DaggerSession(
        env, ridge(env), picture, str, [("a", "a", -2), ("b", "b", 2)], np.random.default_rng(0), per_round=12
    )
    θ, ω = np.array(seen).T
    assert np.allclose(it.asked[0], np.column_stack([np.cos(θ), np.sin(θ), ω]))
    wrapped = Wrapped("Pendulum-v1", 2)  # has no states to offer
    seen.clear()
    it = DaggerSession(
        wrapped, ridge(wrapped), picture, str, [("a", "a", -2), ("b", "b", 2)], np.random.default_rng(0), per_round=12
    )
    assert (np.array(seen) == it.asked[0]).all()


def test_a_scripted_expert_answers_with_the_nearest_choice_and_every_answer_is_counted_once():
    asked, fitted = [], []

    def expert(obs, rng, time):
        asked.append((obs, time))
        return to_the_goal(obs, rng, time)

    env = make("Navigation-v0", 3)

    def learn(obs, labels, rng):
        fitted.append((obs, labels))
        return ridge(env)(obs, labels, rng)

    it = session(env=env, learn=learn).play(expert, rounds=3)
    assert len(asked) == len(it.data) == 24 and list(it.run.queries) == [8, 16, 24] and len(it.policies) == 3
    assert [len(obs) for obs, _ in fitted] == [8, 16, 24]
    for obs, labels in fitted:  # all that was ever labelled, in each round
        assert (obs == it.data.obs[: len(obs)]).all() and (labels == it.data.labels[: len(obs)]).all()
    assert (np.concatenate([obs for obs, _ in asked]) == it.data.obs).all()
    assert [time for _, time in asked] == list(it.data.time) and not it.data.driven.any()
    actions, ways = to_the_goal(it.data.obs, None, None), np.array([way for _, _, way in WAYS])
    chosen = ((it.data.labels[:, None] - actions[:, None]) ** 2).sum(axis=2)
    assert (chosen == ((ways - actions[:, None]) ** 2).sum(axis=2).min(axis=1, keepdims=True)).all()
    assert np.array_equal(it.labeller.rounds, it.data.labels.reshape(3, 8, 2))
    assert it.policy is it.policies[-1] is it.run.final and it.labeller.progress == "1 of 8"


def test_after_the_first_round_the_learner_drives():
    driven = []

    def learn(obs, labels, rng):
        def policy(obs, rng, time):
            driven.append(len(it.policies))
            return np.tile([1.0, 1.0], (len(obs), 1))

        return policy

    it = session(learn=learn, driver=memoryless(lambda xy: np.tile([-1.0, -1.0], (len(xy), 1))))
    assert (it.asked[0][it.asked[1] > 20] == -1).all() and driven == []
    it.play(to_the_goal)
    assert (it.asked[0][it.asked[1] > 20] == 1).all() and len(driven) == 30


def test_learn_now_takes_the_answers_that_there_are_and_skips_do_not_count():
    it = session()
    obs = it.asked[0]
    play(it.labeller, "ArrowLeft", "skip", "up", "undo", "s", "finish")
    assert len(it.data) == 2 and (it.data.obs == obs[[0, 2]]).all() and it.data.labels.tolist() == [[-1, 0], [0, 0]]
    assert it.labeller.progress == "1 of 8" and "learned from 2 answers" in it.labeller.message
    play(it.labeller, "right", "finish")
    assert list(it.run.queries) == [2, 3] and list(it.data.iteration) == [0, 0, 1]


def test_without_an_answer_nothing_is_learned_and_other_pictures_come():
    it = session(score=lambda policy: 1.0)
    before = it.asked[0]
    play(it.labeller, "skip", "finish")
    assert it.data is None and it.policy is None and it.curve == [] and "nothing is learned" in it.labeller.message
    assert not (it.asked[0] == before).all() and it.labeller.rounds == [[None] * 8]
    it.play(to_the_goal)
    assert len(it.data) == 8 and list(it.data.iteration) == [0] * 8


def test_the_score_is_kept_and_told():
    scores, rounds = iter([7.25, 3.5]), []
    it = session(score=lambda policy: next(scores), score_name="falls a lap", on_round=lambda it: rounds.append(it.run))
    it.play(to_the_goal)
    assert "Round 1: learned from 8 answers. falls a lap: 7.25. " in it.labeller.message
    it.play(to_the_goal)
    assert it.curve == [7.25, 3.5] and "falls a lap: 3.5, before: 7.25." in it.labeller.message
    assert [len(run.policies) for run in rounds] == [1, 2]


def test_an_error_while_learning_is_shown_and_can_be_undone():
    env, broken = make("Navigation-v0", 3), [True]

    def learn(obs, labels, rng):
        if broken[0]:
            raise FloatingPointError("too few labels")
        return ridge(env)(obs, labels, rng)

    it = session(env=env, learn=learn)
    with pytest.raises(FloatingPointError):
        it.play(to_the_goal)
    assert it.labeller.message == "FloatingPointError: too few labels" and it.data is None and it.labeller.done
    broken[0] = False
    play(it.labeller, "undo", "up")
    assert len(it.data) == 8 and it.data.labels[-1].tolist() == [0, 1]  # each answer once


def test_an_error_of_on_round_stops_nothing():
    it = session(on_round=lambda it: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        it.play(to_the_goal)
    assert "ZeroDivisionError" in it.labeller.message and not it.labeller.done and len(it.policies) == 1


def test_choices_must_be_actions():
    for value in ((1, 0, 0), 1, "up", (2, 0), (np.nan, 0)):
        env = make("Navigation-v0", 1)
        choices = [*WAYS, ("x", "odd", value)]
        with pytest.raises(ValueError, match="'odd' is no action of Box"):
            DaggerSession(env, ridge(env), scene, place, choices, np.random.default_rng(0))
    with pytest.raises(ValueError, match="per_round"):
        session(per_round=0)
    with pytest.raises(ValueError, match="key, label, value"):
        DaggerSession(env, ridge(env), scene, place, [("a", 1)], np.random.default_rng(0))


def test_discrete_actions():
    env = make("CartPole-v1", 2)
    blank = lambda state: np.zeros((2, 2, 3), np.uint8)
    make_session = lambda choices: DaggerSession(env, ridge(env), blank, str, choices, np.random.default_rng(0))
    it = make_session([("ArrowLeft", "left", 0), ("ArrowRight", "right", 1)])
    it.play(memoryless(lambda obs: (obs[:, 2] > 0).astype(int)))
    assert (it.data.labels == (it.data.obs[:, 2] > 0)).all() and it.data.labels.dtype.kind == "i"
    for value in (2, -1, 0.5, (0, 1)):
        with pytest.raises(ValueError, match="'odd' is no action of Discrete"):
            make_session([("a", "left", 0), ("b", "odd", value)])
    env = make("Acrobot-v1", 1)
    it = make_session([("a", "left", 0), ("b", "right", 2)])
    with pytest.raises(ValueError, match="action 1 is none of the choices"):  # the nearest would be another action
        it.play(memoryless(lambda obs: np.ones(len(obs), int)))


def test_the_first_driver_draws_from_all_actions():
    rng = np.random.default_rng(0)
    drawn = uniform(make("Acrobot-v1", 1))(np.zeros((3000, 6)), rng, 0)
    assert (np.abs(np.bincount(drawn, minlength=3) - 1000) < 130).all()  # five standard deviations
    drawn = uniform(make("Pendulum-v1", 1))(np.zeros((3000, 3)), rng, 0)
    assert drawn.shape == (3000, 1) and abs(drawn).max() <= 2 and abs(drawn.mean()) < 0.11
    assert np.isclose(np.mean(drawn**2), 4 / 3, atol=0.11)


def test_the_learner_gets_better_over_seeds():
    """A cheap statistical claim: three rounds of 8 answers bring the point nearer to the goal, in 5 seeds of 5."""
    env = make("Navigation-v0", 3)

    def distance(act):
        visited = rollout(env, act, np.random.default_rng(99))
        return np.linalg.norm(visited.obs[visited.time >= 25] - GOAL, axis=1).mean()

    start = distance(uniform(env))
    ends = [session(seed, env, score=distance).play(to_the_goal, rounds=4).curve for seed in range(5)]
    assert np.median(ends, axis=0)[-1] < np.median(ends, axis=0)[0] < start
    assert max(curve[-1] for curve in ends) < start / 2, (start, ends)


def test_the_kart_falls_less_after_a_hundred_answers_over_seeds():
    """A cheap statistical claim, in 5 seeds of 5: with five ways to steer, and at most 100 questions."""

    def falls(act):
        return falls_per_lap(act, np.random.default_rng(99), laps=1, copies=8)

    env, curves = KartVector(2), []
    choices = [(str(i), f"steer {value}", value) for i, value in enumerate([0.6, 0.3, 0, -0.3, -0.6])]
    start = falls(uniform(env))
    for seed in range(5):
        rng = np.random.default_rng(seed)
        it = DaggerSession(env, ridge(env), lambda state: scene((0, 0)), str, choices, rng, score=falls)
        curves.append(it.play(driver, rounds=5).curve)
        assert len(it.data) == 100 and set(np.unique(it.data.labels)) <= {-0.6, -0.3, 0, 0.3, 0.6}
    first, *_, last = np.median(curves, axis=0)
    assert last < first / 2 and max(curve[-1] for curve in curves) < start / 4, (start, curves)
