"""A school for DAgger: a world, an expert and a learner, given by a few tables and called through four functions.

What they do depends on the tables and on what they were called for before, and on nothing else. So an answer that asks
twice, starts an episode too many or leaves out a label ends with other numbers. States, actions and policies are whole
numbers and arrays of them, so that a call can also travel to another process.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 20_000  # calls


class School:
    """One school; its calls are counted.

    moves   (S, A)  the state that follows; state S − 1 is the end
    starts  (n,)    episode i begins in starts[i mod n]
    answers (S,)    what the expert does in s, but
    slips   (m,)    slips[k mod m] is added (mod A) to the answer to question k
    quirks  (S,)    the learner, a bad one, does (quirks[s] + M + Σ (1 + label)) mod A in s, where it has learned from M
                    pairs and the sum is over those of state s. If more questions were asked, answers have got lost,
                    and it is confused: each one shifts the quirks by a state
    """

    def __init__(self, moves, starts, answers, slips, quirks):
        self.moves, self.starts, self.answers, self.slips, self.quirks = moves, starts, answers, slips, quirks
        self.state, self.episodes, self.questions, self.calls = None, 0, 0, 0

    @property
    def tables(self):
        return tuple(tuple(map(tuple, np.atleast_2d(x).tolist())) for x in self._arrays())

    def _arrays(self):
        return self.moves, self.starts, self.answers, self.slips, self.quirks

    def functions(self):
        """The four functions that a student gets: reset, step, expert, learn."""
        return {name: Function(self, name) for name in ("reset", "step", "expert", "learn")}

    def called(self):
        self.calls += 1
        if self.calls > MOST:
            raise RuntimeError(
                f"{MOST} calls, and the loop still runs. Does it end when the budget is spent? "
                "Is every state that is visited labelled, whoever drives?"
            )

    # What the functions do

    def reset(self):
        self.state = int(self.starts[self.episodes % len(self.starts)])
        self.episodes += 1
        return self.state

    def step(self, action):
        if self.state is None:
            raise RuntimeError("step was called before the first reset")
        self.state = int(self.moves[self.state, whole(action, self.moves.shape[1], "step wants an action")])
        return self.state, self.state == len(self.moves) - 1

    def expert(self, state):
        answer = self.answer(whole(state, len(self.moves), "the expert wants a state"), self.questions)
        self.questions += 1
        return answer

    def learn(self, states, labels):
        S, A = self.moves.shape
        states, labels = (column(x, n, name) for x, n, name in ((states, S, "states"), (labels, A, "labels")))
        if len(states) != len(labels):
            raise ValueError(f"learn wants a label for each state, got {len(states)} states and {len(labels)} labels")
        return self.policy(states, labels, self.questions)

    # The same without a memory

    def answer(self, state, question):
        return int((self.answers[state] + self.slips[question % len(self.slips)]) % self.moves.shape[1])

    def policy(self, states, labels, asked):
        S, A = self.moves.shape
        seen = np.bincount(states, 1 + labels, S).astype(int)
        return (np.roll(self.quirks, max(asked - len(states), 0)) + len(states) + seen) % A


@dataclass(frozen=True, eq=False)
class Function:
    """One of a school's four functions. Equal to another one of the same name and the same tables."""

    school: School
    name: str

    def __call__(self, *args):
        self.school.called()
        return getattr(self.school, self.name)(*args)

    def __eq__(self, other):
        return isinstance(other, Function) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def _key(self):
        return self.name, self.school.tables

    def __str__(self):
        x = self.school
        S, A = x.moves.shape
        starts, slips = (" ".join(map(str, y)) for y in (x.starts, x.slips))
        return {
            "reset": f"episodes start in {starts}, and again",
            "step": "\n".join(f"{s}: actions 0…{A - 1} lead to {' '.join(map(str, x.moves[s]))}" for s in range(S - 1))
            + f"\n{S - 1}: the end",
            "expert": f"in states 0…{S - 1}: {' '.join(map(str, x.answers))}\nto question k it adds {slips} (mod {A})",
            "learn": f"({' '.join(map(str, x.quirks))}\n + number of pairs\n + Σ (1 + label) in s) mod {A}",
        }[self.name]


def whole(x, n, what):
    """x as an int from 0 to n − 1, or an error that says what was expected and what came."""
    try:
        if np.ndim(x) == 0 and int(x) == x and 0 <= x < n:
            return int(x)
    except (TypeError, ValueError):
        pass
    raise ValueError(f"{what}, one number of 0 … {n - 1}, got {str(x)[:60]} ({type(x).__name__})")


def column(x, n, name):
    """x as an array of ints (M,), M ≥ 0."""
    try:
        array = np.asarray(x, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"learn wants {name} as numbers, one for each question, got {str(x)[:60]}") from None
    if array.ndim != 1:
        raise ValueError(f"learn wants {name} of shape (M,), got shape {array.shape}")
    if not ((array == array.round()) & (array >= 0) & (array < n)).all():
        raise ValueError(f"learn wants {name} that are numbers of 0 … {n - 1}, got {str(x)[:60]}")
    return array.astype(int)
