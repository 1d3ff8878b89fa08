"""A queue of pictures that the reader answers one after the other, by key or by button."""

from pathlib import Path

import anywidget
import imageio.v3 as imageio
import numpy as np
import traitlets as t

HELLO = "Answer with the buttons, or click the picture and use the keys: {keys}; Space skips, Backspace undoes."
SIGNS = {"ArrowLeft": "←", "ArrowRight": "→", "ArrowUp": "↑", "ArrowDown": "↓", "Shift+": "⇧"}
TAKEN = {"Backspace", " ", "Enter", "Escape", "Tab", "undo", "skip", "finish"}  # keys and names with another meaning


class Labeller(anywidget.AnyWidget):
    """Ask for one of `choices` on each of `pictures`; nothing is waited for: look at `answers` when you need them.

    pictures: arrays (h, w, 3) of uint8.  alts: for each, what is to be seen, for somebody who cannot see it.
    choices: (key, label, value) each; a key as in the browser's KeyboardEvent.key ("a", "1", "ArrowLeft"), or
    "Shift+ArrowLeft".  question: what is asked.  early: the text of a button that ends the queue before its end;
    without it there is no such button.

    The methods do what the buttons do: all but the drawing works without a browser.  `answers` are the values
    chosen, None where there is none (yet); `rounds` are the answers to the queues before this one; `done` says
    whether the queue has ended.  ValueError for bad pictures, alts or choices.
    """

    _esm = Path(__file__).parent / "labeller.js"
    _css = Path(__file__).parent / "labeller.css"

    question = t.Unicode(help="what is asked").tag(sync=True)
    choices = t.List(t.Dict(), help="the buttons: key, label and sign, the key as it is written").tag(sync=True)
    early = t.Unicode(help="the text of the button that ends the queue; empty: no button").tag(sync=True)
    picture = t.Bytes(help="the picture to answer now, as PNG; the others are not sent").tag(sync=True)
    alt = t.Unicode(help="what is to be seen on it").tag(sync=True)
    position = t.List(t.Int(), help="which queue, which picture in it (from 0), of how many").tag(sync=True)
    progress = t.Unicode(help="the same in words").tag(sync=True)
    done = t.Bool(help="the queue has ended").tag(sync=True)
    message = t.Unicode(help="what just happened, in words").tag(sync=True)

    def __init__(self, pictures, choices, alts, question="What is your answer?", early=""):
        self.values = checked_choices(choices)
        self.rounds, self._callbacks = [], []
        signs = [_sign(key) for key, _, _ in choices]
        self._hello = HELLO.format(keys=" ".join(signs))
        buttons = [{"key": k, "label": label, "sign": s} for (k, label, _), s in zip(choices, signs, strict=True)]
        self._take(pictures, alts)
        super().__init__(question=question, choices=buttons, early=early)
        self._update(self._hello)
        self.on_msg(self._hear)

    @property
    def labels(self):
        """The choices' labels, in order."""
        return [choice["label"] for choice in self.choices]

    @property
    def answers(self):
        """For each picture the value chosen; None where it was skipped or is not answered yet."""
        given = [None if choice is None else self.values[choice] for choice in self._given]
        return given + [None] * (len(self._pictures) - len(given))

    def on_done(self, f):
        """Call f(labeller) whenever the queue ends; an error in f becomes the message, and is raised."""
        self._callbacks.append(f)

    def show(self, pictures, alts, message=None):
        """Start the next queue; the answers to the last one are kept in `rounds`."""
        answers = self.answers
        self._take(pictures, alts)  # first: if the new queue is refused, the old one goes on
        self.rounds.append(answers)
        self._update(self._hello if message is None else message)

    def press(self, action):
        """One key or button: a choice's key or label, undo, skip or finish."""
        keys = {choice["key"]: choice["label"] for choice in self.choices}
        buttons = {"undo": self.undo, "skip": self.skip, "finish": self.finish}
        if action in buttons:
            buttons[action]()
        else:
            self._record(self._find(keys.get(action, action), self.labels))

    def answer(self, choice):
        """Answer the picture by a choice's label, or by its value."""
        if isinstance(choice, str) and choice in self.labels:
            self._record(self.labels.index(choice))
        else:
            self._record(self._find(choice, self.values))

    def answer_all(self, f):
        """Answer every picture that is left: f(i) is the label or the value for picture i, or None to skip it."""
        self._refuse_if_done()
        for i in range(len(self._given), len(self._pictures)):
            choice = f(i)
            if choice is None:
                self.skip()
            else:
                self.answer(choice)

    def skip(self):
        """Leave this picture without an answer."""
        self._record(None)

    def undo(self):
        """Take the last answer, skip or early end back."""
        if self.done and len(self._given) < len(self._pictures):
            self._update("The queue goes on.")
        elif self._given:
            self._given.pop()
            self._update(f"Picture {len(self._given) + 1} again.")
        else:
            self._update("There is nothing to undo.")

    def finish(self):
        """End the queue here, with the answers that there are."""
        self._refuse_if_done()
        left = len(self._pictures) - len(self._given)
        self._end(f"Ended with {left} picture{'s' * (left != 1)} left.")

    def _hear(self, widget, content, buffers):
        """A message from the browser.  An answer to a picture that is gone (a key pressed twice) does not count."""
        action = content["action"]
        if action == "undo" or (content["seen"] == self.position and not self.done):
            self.press(action)

    def _take(self, pictures, alts):
        self._pictures, self._alts = _checked_pictures(pictures, alts)
        self._given = []

    def _refuse_if_done(self):
        if self.done:
            raise RuntimeError(f"no picture is waiting for an answer: {self.progress}")

    def _find(self, choice, among):
        """The number of a choice."""
        for i, one in enumerate(among):
            if np.array_equal(np.ravel(one), np.ravel(choice)):
                return i
        raise ValueError(f"the choices are {', '.join(map(repr, among))}; got {choice!r}")

    def _record(self, choice):
        self._refuse_if_done()
        self._given.append(choice)
        what = "skipped" if choice is None else self.labels[choice]
        message = f"Picture {len(self._given)}: {what}."
        if len(self._given) < len(self._pictures):
            self._update(message)
        else:
            self._end(message + " That was the last one.")

    def _end(self, message):
        self._update(message, done=True)
        for f in self._callbacks:
            try:
                f(self)
            except Exception as error:
                self.message = f"{type(error).__name__}: {error}"
                raise

    def _update(self, message, done=False):
        """Change all that the browser sees in one go."""
        i, n = len(self._given), len(self._pictures)
        with self.hold_sync():
            self.done, self.message = done, message
            self.position = [len(self.rounds), i, n]
            answered = sum(choice is not None for choice in self._given)
            self.progress = f"{answered} of {n} answered" if done else f"{i + 1} of {n}"
            if i < n:  # at the end the last picture stays
                self.picture = imageio.imwrite("<bytes>", self._pictures[i], extension=".png")
                self.alt = self._alts[i]


def _sign(key):
    """A key as one writes it on a button."""
    for name, sign in SIGNS.items():
        key = key.replace(name, sign)
    return key


def checked_choices(choices):
    """The choices' values, after a look at all of them."""
    names = []
    for choice in choices:
        if len(choice) != 3 or not all(isinstance(name, str) and name for name in choice[:2]):
            raise ValueError(f'a choice is (key, label, value) such as ("ArrowLeft", "left", -1); got {choice!r}')
        if choice[2] is None:
            raise ValueError(f"a value cannot be None, which stands for no answer; got {choice!r}")
        names += dict.fromkeys(choice[:2])  # a label may be its own key
    if len(choices) < 2:
        raise ValueError(f"at least two choices are needed, got {len(choices)}")
    if len(set(names)) < len(names) or TAKEN & set(names):
        raise ValueError(f"keys and labels must differ from each other and from {sorted(TAKEN)}; got {names}")
    if upper := [key for key, _, _ in choices if len(key) == 1 and key != key.lower()]:
        raise ValueError(f"keys that are letters are written small; got {upper}")
    return [value for _, _, value in choices]


def _checked_pictures(pictures, alts):
    pictures, alts = [np.asarray(picture) for picture in pictures], list(alts)
    if not pictures:
        raise ValueError("there must be at least one picture")
    for i, picture in enumerate(pictures):
        if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape or picture.dtype != np.uint8:
            raise ValueError(f"a picture is an array (h, w, 3) of uint8; picture {i}: {picture.shape} {picture.dtype}")
    if len(alts) != len(pictures) or not all(isinstance(alt, str) and alt.strip() for alt in alts):
        raise ValueError(f"each of the {len(pictures)} pictures needs a text that says what is to be seen; got {alts}")
    return pictures, alts
