"""A tile puzzle to walk in: show sessions, and see which rewards would make all of them optimal."""

from pathlib import Path

import anywidget
import traitlets as t

from course_utils.reward_sets import RewardSet
from course_utils.tiles import Puzzle, consistent_rewards, trace, worth_text

KEYS = {"up": "U", "right": "R", "down": "D", "left": "L"}
SIDES = {"up": "above", "right": "on the right", "down": "below", "left": "on the left"}


class TilePlayer(anywidget.AnyWidget):
    """Walk sessions on a puzzle with buttons or arrow keys; every finished one is taken to be optimal.

    puzzle: a Puzzle, or its layout.  reading: as in `consistent_rewards`.  The default "some" claims that each
    session shown is optimal and nothing about the others, which is what showing one at a time means; "all"
    claims that a lazy expert would do nothing else.

    The methods do what the buttons do: all but the drawing works without a browser.  `sessions` are the sessions
    shown, `rewards` is the exact RewardSet that they leave.
    """

    _esm = Path(__file__).parent / "tile_player.js"
    _css = Path(__file__).parent / "tile_player.css"

    rows = t.List(t.Unicode(), help="the map").tag(sync=True)
    session = t.Unicode(help="the moves of the session under way, such as RRU").tag(sync=True)
    path = t.List(t.List(t.Int()), help="its cells, [row, column]").tag(sync=True)
    sessions = t.List(t.Unicode(), help="the sessions shown").tag(sync=True)
    bounds = t.List(t.Dict(), help="the range of each colour's reward; empty if no reward is left").tag(sync=True)
    facts = t.List(t.Unicode(), help="the set of rewards, in lines of text").tag(sync=True)
    message = t.Unicode(help="what just happened, in words").tag(sync=True)

    def __init__(self, puzzle, reading="some"):
        self.puzzle = puzzle if isinstance(puzzle, Puzzle) else Puzzle(puzzle)
        self.reading = reading
        super().__init__(rows=list(self.puzzle.layout))
        hello = "Walk with the buttons, or click the map and use the arrow keys. Exit where you like."
        self._update(hello, shown=[])
        self.on_msg(lambda widget, content, buffers: self.press(content["action"]))

    def press(self, action):
        """One button: up, right, down, left, exit, undo, reset or forget."""
        buttons = {"exit": self.exit, "undo": self.undo, "reset": self.reset, "forget": self.forget}
        if action in buttons:
            buttons[action]()
        else:
            self.move(action)

    def move(self, direction):
        """One step up, right, down or left.  A wall stops it, at no cost, and the message says so."""
        if direction not in KEYS:
            raise ValueError(f"a direction is one of {', '.join(KEYS)}; got {direction!r}")
        if self.puzzle.enter(trace(self.puzzle, self.session)[-1], KEYS[direction]) is None:
            self._update(f"There is a wall {SIDES[direction]}.")
        else:
            self._walk(self.session + KEYS[direction])

    def undo(self):
        """Take the last step back."""
        self._walk(self.session[:-1])

    def reset(self):
        """Back to the start; the sessions shown stay."""
        self._walk("")

    def exit(self):
        """End the session here, show it, and start the next one."""
        if self.session in self.sessions:
            self._update(f"You have shown that already: session {self.sessions.index(self.session) + 1}.", "")
        else:
            shown = [*self.sessions, self.session]
            self._update(f"Session {len(shown)} is shown. It is worth {self._worth()}.", "", shown)

    def forget(self):
        """Take back the session that was shown last."""
        if self.sessions:
            self._update(f"Session {len(self.sessions)} is forgotten.", shown=self.sessions[:-1])
        else:
            self._update("There is no session to forget.")

    def _walk(self, session):
        self.session = session
        self._update(f"{len(session)} step{'s' * (len(session) != 1)}; worth {self._worth()} if you exit here.")

    def _worth(self):
        _, visited = trace(self.puzzle, self.session)[-1]
        return worth_text(self.puzzle, self.puzzle.counts(visited), len(self.session))

    def _update(self, message, session=None, shown=None):
        """Change all that the browser sees in one go."""
        with self.hold_sync():
            if session is not None:
                self.session = session
            if shown is not None:
                self.sessions = shown
                message += self._learn()
            self.path = [list(cell) for cell, _ in trace(self.puzzle, self.session)]
            self.message = message

    def _learn(self):
        """The rewards that the sessions leave; returns what there is to say if they leave none."""
        self.rewards = RewardSet.from_rows(self.puzzle.colours, [])  # everything, until something is seen
        if self.sessions:
            self.rewards = consistent_rewards(self.puzzle, self.sessions, self.reading)
        if self.rewards.empty:
            self.bounds, self.facts = [], []
            reasons = "; ".join(self.rewards.conflict)
            return f" But no reward makes all of these optimal: {reasons}. Forget the last session to go on."
        self.bounds = [_picture(colour, bound) for colour, bound in self.rewards.bounds.items()]
        self.facts = self.rewards.facts()
        return ""


def _picture(colour, bound):
    """A Bound as plain numbers and text for the browser."""
    lower, upper = (None if end is None else float(end) for end in (bound.lower, bound.upper))
    return {
        "colour": colour,
        "text": bound.text(colour),
        "lower": lower,
        "upper": upper,
        "lowerAttained": bound.lower_attained,
        "upperAttained": bound.upper_attained,
    }
