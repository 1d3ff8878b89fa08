"""Reading handwritten words letter by letter, as imitation.

The state is the picture of a letter (16 × 8 pixels) and what the reader took the letter before it for; the action is a
letter, the expert's is the true one.  A mistake changes the next state: that is all the dynamics there is.

`Reading` is the vector environment, one copy for each word, and `imitation.py` does the rest: `behavioural_cloning`
trains with the true previous letters (the supervised approach), `dagger` with those that the reader will have; `searn`
is the older remedy.  The learner `svms` is that of Ross, Gordon and Bagnell (2011, arXiv:1011.0686): a linear SVM for
each pair of letters, and they vote.

The words were collected by Rob Kassel at MIT and normalised by Ben Taskar: data/handwriting/provenance.json.  They are
55 words only, each by many hands and in every fold, which is why the previous letter says so much.
"""

import hashlib
import io
import json
import warnings
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path

import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from scipy.sparse import csr_matrix, vstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from course_utils.imitation import rollout, smile, smile_weights

FOLDER = Path(__file__).resolve().parents[1] / "data" / "handwriting"
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
NONE = len(ALPHABET)  # what stands before the first letter of a word
HEIGHT, WIDTH = 16, 8
PIXELS = slice(HEIGHT * WIDTH)  # the columns of an observation that show the letter

# ---- the data


@dataclass(frozen=True)
class Letters:
    """M letters in reading order: pixels (M, 128), 0 or 1, and (M,) each: labels 0 … 25; word, its number, from 0 and
    without gaps; position in the word, from 0; fold."""

    pixels: np.ndarray
    labels: np.ndarray
    word: np.ndarray
    position: np.ndarray
    fold: np.ndarray

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, which):
        """The letters that `which` selects, a mask (M,) that takes or leaves whole words."""
        part = Letters(*(getattr(self, field.name)[which] for field in fields(self)))
        word, count = np.unique(part.word, return_counts=True)
        if not len(part) or (count != self.lengths[word]).any():
            raise ValueError(f"expected a selection of one or more whole words, got {len(part)} of {len(self)} letters")
        return Letters(part.pixels, part.labels, np.searchsorted(word, part.word), part.position, part.fold)

    def folds(self, *which):
        """The words of these folds."""
        return self[np.isin(self.fold, which)]

    @property
    def first(self):
        """Where each word begins."""
        return np.flatnonzero(self.position == 0)

    @property
    def lengths(self):
        return np.bincount(self.word)


def load_letters(folder=FOLDER):
    """All 6,877 words.  Raises ValueError if the file is missing, or not the one whose checksum was noted."""
    expected = json.loads((FOLDER / "provenance.json").read_text(encoding="utf-8"))["letters.npz"]["sha256"]
    path = Path(folder) / "letters.npz"
    if not path.is_file():
        raise ValueError(f"{path} is missing: it belongs to the course, fetch the course's files again")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ValueError(f"{path} is damaged or was replaced: its SHA-256 should be {expected}, it is {found}")
    data = np.load(io.BytesIO(content), allow_pickle=False)
    lengths = data["word_lengths"].astype(int)
    word = np.repeat(np.arange(len(lengths)), lengths)
    position = np.arange(len(word)) - np.repeat(lengths.cumsum() - lengths, lengths)
    pixels = np.unpackbits(data["pixels"], axis=1)
    return Letters(pixels, data["labels"].astype(int), word, position, data["folds"].astype(int)[word])


# ---- the environment


def observations(pixels, previous):
    """Pixels (M, 128) and previous letters (M,), NONE at a word's start: (M, 154), the latter one-hot, or all 0."""
    return np.hstack([pixels, np.eye(NONE + 1, dtype=np.uint8)[previous, :NONE]])


class Reading(VectorEnv):
    """A copy for each word; an episode reads it from left to right, and the reward is 1 for a letter that is right."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}

    def __init__(self, letters):
        self.letters, self.first, self.lengths = letters, letters.first, letters.lengths
        self.num_envs = len(self.lengths)
        self.single_observation_space = Box(0, 1, (HEIGHT * WIDTH + NONE,), np.uint8)
        self.single_action_space = Discrete(NONE)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._at = np.zeros(self.num_envs, dtype=int)
        self._previous = np.full(self.num_envs, NONE)
        return self._observe(), {}

    def step(self, actions):
        reward = (actions == self.letters.labels[self.first + self._at]).astype(float)
        over = self._at + 1 == self.lengths
        self._at = np.where(over, 0, self._at + 1)
        self._previous = np.where(over, NONE, actions)
        return self._observe(), reward, over, np.zeros_like(over), {}

    def _observe(self):
        return observations(self.letters.pixels[self.first + self._at], self._previous)

    def expert(self, obs, rng, time):
        """The true letters of the words that are longer than `time`, which are those that are still being read."""
        running = self.lengths > time
        if len(obs) != running.sum():
            raise ValueError(f"{running.sum()} words have a letter {time}, but there are {len(obs)} observations")
        return self.letters.labels[self.first[running] + time]


def read(letters, policy, rng=None):
    """What the policy takes each letter for, given what it took the one before for: (M,).  rng: for mixtures."""
    steps = rollout(Reading(letters), policy, rng or np.random.default_rng(0))
    predicted = np.empty(len(letters), dtype=int)
    predicted[letters.first[steps.episode] + steps.time] = steps.actions
    return predicted


def accuracy(letters, predicted):
    """The shares of letters and of whole words that are right."""
    right = predicted == letters.labels
    return right.mean(), np.minimum.reduceat(right, letters.first).mean()


# ---- the learner


def merge(obs, labels):
    """The distinct rows of binary obs (M, d) with their labels, and how often each occurs."""
    row = np.ascontiguousarray(np.hstack([np.packbits(obs, axis=1), labels[:, None].astype(np.uint8)]))
    _, where, count = np.unique(row.view(f"V{row.shape[1]}").ravel(), return_index=True, return_counts=True)
    return obs[where], labels[where], count


@dataclass(frozen=True)
class AllPairs:
    """A linear classifier for each of the K(K−1)/2 pairs of classes (K,), i before j; where it is positive, j has its
    vote.  Of classes with equally many votes the one with the largest sum of margins is taken.  A policy."""

    classes: np.ndarray
    weights: np.ndarray  # (d, pairs)
    intercept: np.ndarray  # (pairs,)
    columns: slice  # of an observation

    def __call__(self, obs, rng=None, time=None):
        margins = obs[:, self.columns].astype(float) @ self.weights + self.intercept
        i, j = np.triu_indices(len(self.classes), 1)
        one = np.eye(len(self.classes))
        votes = np.where(margins > 0, 1.0, -1.0) @ (one[j] - one[i])  # votes for, minus votes against
        sums = margins @ (one[j] - one[i])
        return self.classes[(votes + sums / (2 * abs(sums) + 1)).argmax(axis=1)]  # the second moves less than ½


def fit_pairs(obs, labels, C, weight=None, columns=slice(None), tol=1e-4):
    """All pairs' linear SVMs: each minimises ½|w|² + C Σ_m weight_m max(0, 1 − y_m (w·x_m))², an intercept in w.

    obs (M, d), labels (M,), weight (M,).  Raises scikit-learn's ConvergenceWarning if one does not converge.
    """
    X, classes = csr_matrix(obs[:, columns], dtype=float), np.unique(labels)
    weight = np.ones(len(labels)) if weight is None else weight
    rows = [np.flatnonzero(labels == c) for c in classes]
    X, weight = [X[r] for r in rows], [weight[r] for r in rows]
    fitted = []
    for i, j in combinations(range(len(classes)), 2):
        y = np.repeat([0, 1], [len(rows[i]), len(rows[j])])
        svm = LinearSVC(C=C, dual=False, tol=tol)  # the primal: few columns, many rows
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            svm.fit(vstack([X[i], X[j]], format="csr"), y, np.concatenate([weight[i], weight[j]]))
        fitted.append(np.append(svm.coef_, svm.intercept_))
    w = np.array(fitted).reshape(len(fitted), X[0].shape[1] + 1)
    return AllPairs(classes, w[:, :-1].T, w[:, -1], columns)


def svms(env, C=0.1, columns=slice(None)):
    """The learner of `imitation.py` that fits all pairs' SVMs; with columns=PIXELS one that ignores the last letter.

    C is what an error costs in one pass over env's letters; of N passes each counts 1/N, lest more data weaken the
    regularisation.  Equal rows are merged into one with a weight, which is the same objective and much faster.
    """

    def learn(obs, labels, rng=None):
        obs, labels, count = merge(obs, labels)
        return fit_pairs(obs, labels, C, count * len(env.letters) / count.sum(), columns)

    return learn


def searn(env, expert, learn, rng, iterations=20, α=0.1):
    """SEARN as it is for this loss.  (Daumé, Langford and Marcu 2009, arXiv:0907.0786)

    π_n = (1 − α) π_{n−1} + α h_n from π_0 = π*, where h_n is fitted to the states that π_{n−1} visited, and to those
    only.  SEARN labels a state with the cost of each action; of reading on as the expert after it, that is 0 for the
    true letter and 1 for all others, so a plain classifier learns it.  Missing: costs by rollouts of π_{n−1} itself,
    and the search for α on held-out data.  The policies returned are the mixtures without the expert.
    """
    newest_most = lambda α, n: smile_weights(α, n)[::-1]  # all else is as in SMILe
    return smile(env, expert, learn, rng, iterations, α, newest_most)


def draw_words(ax, letters, predicted, words=range(6)):
    """One word a line; below each picture what it was taken for: a green letter is right, a red e≠c is an e for a c."""
    for line, word in enumerate(words):
        for m in np.flatnonzero(letters.word == word):
            x, y = 11 * letters.position[m], 25 * line
            picture = letters.pixels[m].reshape(HEIGHT, WIDTH)
            ax.imshow(picture, cmap="gray_r", vmin=0, vmax=1, extent=(x, x + WIDTH, y + HEIGHT, y))
            said, true = ALPHABET[predicted[m]], ALPHABET[letters.labels[m]]
            text, colour = (said, "green") if said == true else (f"{said}≠{true}", "red")
            ax.text(x + WIDTH / 2, y + HEIGHT + 4, text, ha="center", va="center", color=colour)
    ax.set(xlim=(-2, 11 * letters.lengths[list(words)].max()), ylim=(25 * len(words), -2), aspect="equal")
    ax.axis("off")
    return ax
