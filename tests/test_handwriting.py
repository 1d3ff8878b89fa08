"""handwriting.py: the data are whole, reading is greedy, the votes and the merged fit are what a plain loop makes."""

import json
import shutil
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.multiclass import OneVsOneClassifier
from sklearn.svm import LinearSVC

from course_utils import handwriting as hw
from course_utils.handwriting import ALPHABET, NONE, PIXELS, Letters, Reading, load_letters, observations, read
from course_utils.imitation import behavioural_cloning, dagger, rollout, smile_weights
from course_utils.studies import find

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def letters():
    return load_letters()


@pytest.fixture(scope="module")
def few(letters):
    """The letters of 120 words, of all lengths."""
    return letters[letters.word % 57 == 0]


def words(letters):
    """Each word's labels, by a plain loop."""
    found = []
    for label, position in zip(letters.labels.tolist(), letters.position.tolist(), strict=True):
        if position == 0:
            found.append([])
        assert position == len(found[-1])
        found[-1].append(label)
    return found


def toy(obs, rng=None, time=None):
    """A policy for which everything matters: the pixels, the previous letter and that there is none."""
    coded = obs.astype(int) @ (np.arange(obs.shape[1]) ** 2 + 1)
    return coded % NONE


# ---- the data


def test_the_data_are_what_their_provenance_says(letters):
    assert letters.pixels.shape == (52152, 128) and set(np.unique(letters.pixels)) == {0, 1}
    assert len(words(letters)) == len(letters.first) == len(letters.lengths) == 6877
    assert [len(word) for word in words(letters)] == letters.lengths.tolist()
    assert set(letters.labels) == set(range(26)) and set(letters.fold) == set(range(10))
    arrays = json.loads((hw.FOLDER / "provenance.json").read_text(encoding="utf-8"))["letters.npz"]["arrays"]
    with np.load(hw.FOLDER / "letters.npz", allow_pickle=False) as data:
        assert {name: text.partition(" uint8")[0] for name, text in arrays.items()} == {
            name: str(data[name].shape) for name in data
        }
        bits = sum(bin(byte).count("1") for byte in data["pixels"].ravel().tolist())
    assert letters.pixels.sum(dtype=int) == bits


def test_the_words_are_words(letters):
    """As the prose says: 55 of them, all in every fold, without the capital that they began with."""
    spelled = np.array(["".join(ALPHABET[label] for label in word) for word in words(letters)])
    everything = set(spelled)
    assert len(everything) == 55 and {"ommanding", "mbraces"} <= everything
    fold = letters.fold[letters.first]
    assert all(set(spelled[fold == k]) == everything for k in range(10))


def test_an_l_is_drawn_upright(letters):
    """Rows and columns are not mixed up: the mean l is a stroke, taller than wide; the mean m is not."""
    for letter, tall in (("l", True), ("m", False)):
        mean = letters.pixels[letters.labels == ALPHABET.index(letter)].mean(axis=0).reshape(hw.HEIGHT, hw.WIDTH)
        used = mean > 0.25
        assert (used.any(axis=1).sum() > 2 * used.any(axis=0).sum()) == tall, letter


def test_a_damaged_file_or_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="letters.npz is missing"):
        load_letters(tmp_path)
    shutil.copy(hw.FOLDER / "letters.npz", tmp_path)
    assert len(load_letters(tmp_path)) == 52152
    content = bytearray((tmp_path / "letters.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "letters.npz").write_bytes(content)
    with pytest.raises(ValueError, match="is damaged or was replaced"):
        load_letters(tmp_path)


def test_folds_part_the_words(letters):
    parts = [letters.folds(k) for k in range(10)]
    assert sum(len(part) for part in parts) == len(letters)
    assert all((part.fold == k).all() for k, part in enumerate(parts))
    both = letters.folds(3, 7)
    assert sorted(words(both)) == sorted(words(parts[3]) + words(parts[7]))
    assert both.word[0] == 0 and set(np.diff(both.word)) == {0, 1}
    assert [letters.word[m] for m in letters.first[:3]] == [0, 1, 2]


def test_only_whole_words_can_be_selected(letters):
    for mask in (np.arange(len(letters)) < letters.lengths[0] + 1, np.zeros(len(letters), dtype=bool)):
        with pytest.raises(ValueError, match="whole words"):
            letters[mask]


# ---- reading


def test_observations_hold_the_pixels_and_the_previous_letter(few):
    previous = np.arange(len(few)) % (NONE + 1)
    obs = observations(few.pixels, previous)
    assert obs.shape == (len(few), 154) and obs.dtype == np.uint8
    assert (obs[:, PIXELS] == few.pixels).all()
    for row, before in zip(obs[:, 128:].tolist(), previous.tolist(), strict=True):
        assert row == [int(k == before) for k in range(26)]  # all 0 for NONE


def test_reading_is_greedy_from_left_to_right(few):
    """Side by side as letter by letter."""
    expected, m = [], 0
    for word in words(few):
        before = NONE
        for _ in word:
            before = int(toy(observations(few.pixels[m : m + 1], np.array([before])))[0])
            expected.append(before)
            m += 1
    assert read(few, toy).tolist() == expected and len(set(expected)) > 20
    assert len(set(few.lengths)) > 5


def test_the_labels_do_not_leak(few):
    """Only the reward knows them: with other labels, the same reading."""
    shuffled = Letters(few.pixels, RNG(0).permutation(few.labels), few.word, few.position, few.fold)
    assert (shuffled.labels != few.labels).any()
    assert (read(few, toy) == read(shuffled, toy)).all()


def test_rewards_are_right_letters_and_the_expert_earns_all(few):
    env = Reading(few)
    assert (rollout(env, env.expert, RNG(0)).returns == few.lengths).all()
    assert (read(few, env.expert) == few.labels).all()
    steps = rollout(env, toy, RNG(0))
    share, whole = hw.accuracy(few, read(few, toy))
    assert steps.reward.mean() == share == np.mean(read(few, toy) == few.labels)
    assert whole == 0
    wrong = few.labels.copy()
    wrong[few.first[:30]] = (wrong[few.first[:30]] + 1) % 26
    share, whole = hw.accuracy(few, wrong)
    assert share == pytest.approx(1 - 30 / len(few)) and whole == pytest.approx(1 - 30 / len(few.lengths))


def test_a_word_that_has_ended_starts_anew(few):
    env = Reading(few)
    start, _ = env.reset()
    assert env.observation_space.contains(start) and not start[:, 128:].any()
    for _ in range(few.lengths.min()):
        obs, _, over, truncated, _ = env.step(np.zeros(env.num_envs, dtype=int))
    assert over.any() and not over.all() and not truncated.any()
    assert (over == (few.lengths == few.lengths.min())).all()
    assert (obs[over] == start[over]).all() and (obs[~over, 128] == 1).all()


def test_the_expert_refuses_observations_of_other_words(few):
    env = Reading(few)
    with pytest.raises(ValueError, match="have a letter 1"):
        env.expert(np.zeros((3, 154)), RNG(0), 1)


# ---- the learner


def copies(few):
    """Few distinct rows, some of them many times, in disorder, and one picture that is labelled twice."""
    obs, labels = observations(few.pixels, np.where(few.position == 0, NONE, 3))[:150], few.labels[:150] % 4
    obs, labels = np.vstack([obs, obs[:1]]), np.append(labels, (labels[0] + 1) % 4)
    rows = RNG(1).permutation(np.repeat(np.arange(len(obs)), RNG(2).integers(1, 6, len(obs))))
    return obs[rows], labels[rows]


def test_merging_counts_each_row(few):
    obs, labels = copies(few)
    tally = {}
    for row, label in zip(obs.tolist(), labels.tolist(), strict=True):
        tally[*row, label] = tally.get((*row, label), 0) + 1
    merged = {(*row, label): n for row, label, n in zip(*(x.tolist() for x in hw.merge(obs, labels)), strict=True)}
    assert merged == tally and len(tally) < len(obs) / 2


def test_merged_rows_with_weights_are_the_plain_fit(few):
    obs, labels = copies(few)
    plain = hw.fit_pairs(obs, labels, 0.3, tol=1e-9)
    distinct, few_labels, count = hw.merge(obs, labels)
    weighted = hw.fit_pairs(distinct, few_labels, 0.3, count, tol=1e-9)
    assert np.allclose(plain.weights, weighted.weights, atol=1e-6) and abs(plain.weights).max() > 0.1
    assert np.allclose(plain.intercept, weighted.intercept, atol=1e-6)


def test_a_second_pass_over_the_same_states_changes_nothing(few):
    """C is the price of an error in one pass."""
    obs, labels = copies(few)

    class Env:
        letters = obs

    once, twice = (hw.svms(Env, 0.2)(np.tile(obs, (n, 1)), np.tile(labels, n)) for n in (1, 2))
    assert np.allclose(once.weights, twice.weights, atol=1e-8)
    plain = hw.fit_pairs(obs, labels, 0.2)
    assert np.allclose(once.weights, plain.weights, atol=1e-2)  # to the solver's tolerance


def test_each_svm_minimises_its_objective(few):
    """The gradient of ½|w|² + C Σ weight max(0, 1 − y w·x)² vanishes."""
    obs, labels = copies(few)
    weight, C = RNG(3).uniform(0.5, 2, len(obs)), 0.3
    fit = hw.fit_pairs(obs, labels, C, weight, tol=1e-10)
    for k, (i, j) in enumerate(combinations(range(4), 2)):
        use = (labels == i) | (labels == j)
        x, y = np.column_stack([obs[use], np.ones(use.sum())]), np.where(labels[use] == j, 1, -1)
        w = np.append(fit.weights[:, k], fit.intercept[k])
        gradient = w - 2 * C * (weight[use] * y * np.maximum(0, 1 - y * (x @ w))) @ x
        assert abs(gradient).max() < 1e-4 and abs(w).max() > 0.1


def test_an_svm_that_does_not_converge_is_an_error(few, monkeypatch):
    monkeypatch.setattr(hw, "LinearSVC", lambda **options: LinearSVC(max_iter=1, **options))
    with pytest.raises(ConvergenceWarning):
        hw.fit_pairs(*copies(few), C=10)


def test_the_vote_counts_and_margins_decide_ties():
    """Against a plain loop, with classifiers drawn at random: ties are frequent."""
    rng, classes = RNG(4), np.array([2, 3, 7, 11, 20])
    judge = hw.AllPairs(classes, rng.normal(size=(6, 10)), rng.normal(size=10), slice(6))
    obs = rng.integers(0, 2, (400, 8))
    ties = 0
    for row, chosen in zip(obs, judge(obs), strict=True):
        votes, margins = dict.fromkeys(classes, 0), dict.fromkeys(classes, 0.0)
        for k, (i, j) in enumerate(combinations(classes, 2)):
            margin = row[:6] @ judge.weights[:, k] + judge.intercept[k]
            votes[j if margin > 0 else i] += 1
            margins[j] += margin
            margins[i] -= margin
        best = [c for c in classes if votes[c] == max(votes.values())]
        ties += len(best) > 1
        assert chosen == max(best, key=margins.get)
    assert 20 < ties < 380


def test_all_pairs_agree_with_scikit_learn(few):
    obs, labels = observations(few.pixels, np.where(few.position == 0, NONE, 5)), few.labels
    theirs = OneVsOneClassifier(LinearSVC(C=0.1, dual=False)).fit(obs.astype(float), labels)
    ours = hw.fit_pairs(obs, labels, 0.1)
    assert (ours(obs) == theirs.predict(obs.astype(float))).all() and len(set(ours(obs))) > 15


def test_no_structure_sees_the_pixels_only(few):
    env = Reading(few)
    plain = behavioural_cloning(env, env.expert, hw.svms(env, columns=PIXELS), RNG(0)).final
    obs = [observations(few.pixels, np.full(len(few), before)) for before in (NONE, 0, 7)]
    assert (plain(obs[0]) == plain(obs[1])).all() and (plain(obs[0]) == plain(obs[2])).all()
    structured = behavioural_cloning(env, env.expert, hw.svms(env), RNG(0)).final
    assert (structured(obs[0]) != structured(obs[2])).any()


# ---- the methods


class Spy:
    """A learner that keeps what it was given; its k-th policy differs from the others."""

    def __init__(self):
        self.given = []

    def __call__(self, obs, labels, rng):
        self.given.append((obs, labels))
        shift = len(self.given)
        return lambda obs, rng, time: (toy(obs) + shift) % NONE


def states(few, previous):
    """All states of a reading, in any order: each letter with what the one before it was taken for."""
    before = np.where(few.position == 0, NONE, np.roll(previous, 1))
    return sorted(map(tuple, np.column_stack([observations(few.pixels, before), few.labels]).tolist()))


def rows(obs, labels):
    return sorted(map(tuple, np.column_stack([obs, labels]).tolist()))


def test_dagger_learns_from_the_states_of_the_classifier_before(few):
    """First with the true previous letters, then, added to them, with those that each policy reads."""
    env, spy = Reading(few), Spy()
    run = dagger(env, env.expert, spy, RNG(0), iterations=3)
    expected = states(few, few.labels)
    assert rows(*spy.given[0]) == expected
    for k in (1, 2):
        expected = sorted(expected + states(few, read(few, run.policies[k - 1])))
        assert rows(*spy.given[k]) == expected
    assert run.queries.tolist() == [len(few), 2 * len(few), 3 * len(few)]


def test_searn_at_one_is_policy_iteration(few):
    """Each classifier is fitted to the states of the one before, and to those only."""
    env, spy = Reading(few), Spy()
    run = hw.searn(env, env.expert, spy, RNG(0), iterations=3, α=1)
    assert rows(*spy.given[0]) == states(few, few.labels)
    for k in (1, 2):
        assert rows(*spy.given[k]) == states(few, read(few, run.policies[k - 1]))
        assert len(spy.given[k][0]) == len(few)


def test_searn_mixes_as_its_recursion_says(few):
    """π_n = (1 − α)π_{n−1} + α h_n, without the expert's share; the shares are seen in what the policy does."""
    env, α, n = Reading(few), 0.4, 3

    def learn(obs, labels, rng):
        learn.calls += 1
        answer = learn.calls
        return lambda obs, rng, time: np.full(len(obs), answer)

    learn.calls = 0
    run = hw.searn(env, env.expert, learn, RNG(0), iterations=n, α=α)
    for k, driven in enumerate(run.data.driven[run.data.iteration == k].mean() for k in range(n)):
        assert abs(driven - (1 - α) ** k) < 4 * 0.5 / np.sqrt(len(few))
    final = run.final
    shares = np.array([1.0, 0, 0, 0])  # of the expert and of h_1 … h_3
    for k in range(1, n + 1):
        shares *= 1 - α
        shares[k] += α
    shares = shares[1:] / shares[1:].sum()
    done = np.bincount(final(np.zeros((20000, 154)), RNG(1), 0), minlength=4)[1:] / 20000
    assert abs(done - shares).max() < 4 * 0.5 / np.sqrt(20000)
    assert np.allclose(shares, smile_weights(α, n)[::-1]) and shares[2] > 1.5 * shares[0]


def test_searn_needs_a_rate(few):
    env = Reading(few)
    for α in (0, 1.5):
        with pytest.raises(ValueError, match="α"):
            hw.searn(env, env.expert, Spy(), RNG(0), α=α)


# ---- the study


def test_the_study_chooses_c_without_the_test_fold(monkeypatch):
    """What training and the choice of C look at: the nine other folds; each C is tried on letters not trained on."""
    study, looked = find("handwriting").module, []

    class Seen(Letters):
        def folds(self, *which):
            looked.append(which)
            return super().folds(*which)

    small = load_letters()
    small = small[small.word % 57 == 0]
    monkeypatch.setattr(study, "load_letters", lambda: Seen(*vars(small).values()))
    monkeypatch.setattr(study, "GRID", (0.1, 1.0))
    study.chosen.cache_clear()
    for seed in range(10):
        train = study.training_folds(9, seed)
        assert sorted([seed, *train]) == list(range(10)) and study.training_folds(2, seed) == train[:2]
    train = study.training_folds(9, 4)
    assert study.chosen(train, True) in study.GRID
    assert looked == [train[:1], train[1:]] and all(4 not in which for which in looked)
    study.chosen.cache_clear()


# ---- pictures


def test_draw_words_shows_every_letter_and_what_it_was_taken_for(few):
    predicted = few.labels.copy()
    predicted[few.first[2]] = (predicted[few.first[2]] + 1) % 26
    fig, ax = plt.subplots()
    assert hw.draw_words(ax, few, predicted, [2, 5]) is ax
    texts = [(text.get_text(), text.get_color()) for text in ax.texts]
    spelled = [[ALPHABET[label] for label in word] for word in words(few)]
    said, true = ALPHABET[predicted[few.first[2]]], spelled[2][0]
    assert texts == [(f"{said}≠{true}", "red")] + [(a, "green") for a in spelled[2][1:] + spelled[5]]
    assert len(ax.images) == len(texts) == few.lengths[[2, 5]].sum()
    assert (ax.images[0].get_array().ravel() == few.pixels[few.first[2]]).all()
    plt.close(fig)
