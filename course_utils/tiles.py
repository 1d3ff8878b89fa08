"""The tile puzzle: which rewards explain the sessions that were seen?  Answered exactly.

An agent walks on a grid of tiles.  Every step costs `cost` (the cost of living), a coloured tile pays its
colour's reward the first time it is entered, grey tiles pay nothing, and the agent may exit at any moment.
What happens next depends on the cell and on the set of coloured tiles already visited: that pair is the state.

A session is a string of moves such as "RRUL" (up, right, down, left), starting at S and ending with the exit;
"" is to exit at once.  Rewards are a dictionary, {"red": 9, "green": 1}.
"""

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import islice

import numpy as np
import scipy.sparse as sp

from course_utils.gridworlds import MOVES as DIRECTIONS
from course_utils.mdp import TabularMDP
from course_utils.reward_sets import RewardSet, exact

COLOURS = {"r": "red", "g": "green", "m": "magenta", "y": "yellow", "b": "blue"}
MOVES = {name[0].upper(): DIRECTIONS[name] for name in ("up", "right", "down", "left")}
ARROWS = str.maketrans("URDL", "↑→↓←")  # "RRU".translate(ARROWS) is easier on the eye
MOST_TILES = 12  # 2^12 visited sets times some dozens of cells is still enumerated in a second or two


@dataclass(frozen=True)
class Puzzle:
    """A map and a cost of living.

    layout: equally long strings of `.` grey, `#` wall, `S` start (grey, exactly one), and r g m y b, the colours.
    cost: what a step costs; 0 makes living free, a negative cost is pay.
    """

    layout: tuple
    cost: float = 1

    def __post_init__(self):
        if isinstance(self.layout, str) or not self.layout or len({len(line) for line in self.layout}) != 1:
            raise ValueError('a map is a list of equally long strings, such as ["S.r", ".#g"]')
        object.__setattr__(self, "layout", tuple(self.layout))
        object.__setattr__(self, "cost", exact(self.cost))
        unknown = sorted(set("".join(self.layout)) - set(".#S" + "".join(COLOURS)))
        if unknown:
            raise ValueError(f"a map is made of . # S and the colours {' '.join(COLOURS)}; it has {unknown}")
        if "".join(self.layout).count("S") != 1:
            raise ValueError(f"a map has exactly one start S, this one has {''.join(self.layout).count('S')}")
        if not 1 <= len(self.tiles) <= MOST_TILES:
            raise ValueError(f"a map has 1 to {MOST_TILES} coloured tiles, this one has {len(self.tiles)}")

    @cached_property
    def cells(self):
        """Letter of each cell that is not a wall, {(row, column): letter}."""
        return {(i, j): x for i, line in enumerate(self.layout) for j, x in enumerate(line) if x != "#"}

    @cached_property
    def tiles(self):
        """Colour of each coloured tile, {(row, column): colour}."""
        return {cell: COLOURS[letter] for cell, letter in self.cells.items() if letter in COLOURS}

    @cached_property
    def colours(self):
        """The colours on the map, in the fixed order of COLOURS."""
        return tuple(colour for colour in COLOURS.values() if colour in self.tiles.values())

    @cached_property
    def start(self):
        """The state in which a session starts: the cell S, nothing visited."""
        return next(cell for cell, letter in self.cells.items() if letter == "S"), frozenset()

    def enter(self, state, move):
        """The state (cell, visited) after a move, or None if a wall or the edge is in the way."""
        (row, column), visited = state
        cell = row + MOVES[move][0], column + MOVES[move][1]
        if cell not in self.cells:
            return None
        return cell, (visited | {cell} if cell in self.tiles else visited)

    def counts(self, visited):
        """How many tiles of each colour are in a visited set: a tuple in the order of `colours`."""
        return tuple(sum(self.tiles[cell] == colour for cell in visited) for colour in self.colours)


def trace(puzzle, session):
    """The states (cell, visited) that a session goes through, start included.  ValueError if it cannot be walked."""
    if not isinstance(session, str) or set(session) - set(MOVES):
        raise ValueError(f'a session is a string of the moves {"".join(MOVES)}, such as "RRU"; got {session!r}')
    states = [puzzle.start]
    for number, move in enumerate(session, start=1):
        after = puzzle.enter(states[-1], move)
        if after is None:
            raise ValueError(f"move {number} of {session!r}, {move} from {states[-1][0]}, leads into a wall")
        states.append(after)
    return states


def reward_vector(puzzle, rewards):
    """The rewards as exact fractions in the order of puzzle.colours; grey is always 0."""
    if set(rewards) != set(puzzle.colours):
        raise ValueError(f"one reward for each of {', '.join(puzzle.colours)} is needed, got {sorted(rewards)}")
    return [exact(rewards[colour]) for colour in puzzle.colours]


def session_return(puzzle, session, rewards):
    """Rewards of the tiles visited (each once) minus the cost of the steps: an exact Fraction."""
    R = reward_vector(puzzle, rewards)
    _, visited = trace(puzzle, session)[-1]
    return sum(n * r for n, r in zip(puzzle.counts(visited), R, strict=True)) - puzzle.cost * len(session)


def shortest_steps(puzzle):
    """The fewest steps to every reachable state (cell, visited), by breadth-first search: {state: steps}."""
    steps, queue = {puzzle.start: 0}, deque([puzzle.start])
    while queue:
        state = queue.popleft()
        for move in MOVES:
            after = puzzle.enter(state, move)
            if after is not None and after not in steps:
                steps[after] = steps[state] + 1
                queue.append(after)
    return steps


@dataclass(frozen=True)
class Optimum:
    """The best return; the length of the shortest sessions that reach it; how many there are; some of them."""

    value: Fraction
    length: int
    count: int
    sessions: tuple


def optimal_sessions(puzzle, rewards, limit=20):
    """What a lazy expert does: the shortest ones among the optimal sessions, at most `limit` of them listed.

    With a negative cost of living there is no optimal session, since one more step always pays: ValueError.
    """
    _living_must_not_pay(puzzle)
    R, steps = reward_vector(puzzle, rewards), shortest_steps(puzzle)
    value = {
        state: sum(n * r for n, r in zip(puzzle.counts(state[1]), R, strict=True)) - puzzle.cost * t
        for state, t in steps.items()
    }
    best = max(value.values())
    length = min(t for state, t in steps.items() if value[state] == best)
    ends = [state for state, t in steps.items() if value[state] == best and t == length]
    before = _predecessors(puzzle, steps)
    count = {puzzle.start: 1}  # of shortest paths to a state; `steps` is ordered by length
    for state in steps:
        count.setdefault(state, sum(count[previous] for previous, _ in before[state]))
    listed = islice((session for end in ends for session in _paths(end, before)), limit)
    return Optimum(best, length, sum(count[end] for end in ends), tuple(listed))


def _living_must_not_pay(puzzle):
    if puzzle.cost < 0:
        raise ValueError("when living pays, every session is beaten by a longer one: nothing is optimal")


def _predecessors(puzzle, steps):
    """The last (state, move) of all shortest paths to each state."""
    before = {state: [] for state in steps}
    for state, t in steps.items():
        for move in MOVES:
            after = puzzle.enter(state, move)
            if after is not None and steps[after] == t + 1:
                before[after].append((state, move))
    return before


def _paths(state, before):
    if not before[state]:
        yield ""
    for previous, move in before[state]:
        for path in _paths(previous, before):
            yield path + move


def shortest_per_count(puzzle):
    """The fewest steps for every possible haul, {(tiles of each colour): steps}: all that a reward can rank."""
    fewest = {}
    for (_, visited), t in shortest_steps(puzzle).items():
        counts = puzzle.counts(visited)
        fewest[counts] = min(t, fewest.get(counts, t))
    return fewest


def consistent_rewards(puzzle, sessions, reading="all"):
    """The exact set of rewards under which these sessions are optimal: a RewardSet.

    A session with haul n (tiles of each colour) and length ℓ is worth n·R − cost·ℓ, so "at least as good as
    n′ in ℓ′ steps" is the linear inequality (n′ − n)·R ≤ cost·(ℓ′ − ℓ).  What is known depends on the reading:

    "some": each session shown is optimal; whatever is not shown may be just as good.
    "all":  the sessions shown are all that a lazy expert would do, who breaks ties in favour of fewer steps:
            what is not shown and not longer is strictly worse.  (Paths with the same haul and length are
            worth the same under every reward; one of them stands for all.)
    """
    _living_must_not_pay(puzzle)
    if reading not in ("all", "some"):
        raise ValueError(f'reading must be "all" or "some", got {reading!r}')
    if not sessions or isinstance(sessions, str):
        raise ValueError(f'a list of at least one session is needed, such as ["RRU"]; got {sessions!r}')
    shown = {}  # haul and length of each session, with the number of the first session that has them
    for number, session in enumerate(sessions, start=1):
        _, visited = trace(puzzle, session)[-1]
        shown.setdefault((puzzle.counts(visited), len(session)), number)
    laziest = min(length for _, length in shown)
    rows, possible = [], shortest_per_count(puzzle)
    for (haul, length), number in shown.items():
        if reading == "all" and length > laziest:  # 0 < 0: a lazy expert does not show the longer of two
            rows.append(([0] * len(haul), 0, True, f"session {number} must not be longer than another that is shown"))
        for other, fewest in possible.items():
            difference = [theirs - ours for theirs, ours in zip(other, haul, strict=True)]
            strict = reading == "all" and fewest <= length and (other, fewest) not in shown
            why = f"session {number} must be worth {'more than' if strict else 'at least'} "
            why += worth_text(puzzle, other, fewest)
            if other == haul:
                why = f"session {number} must not take {length} steps for what {fewest} would bring"
            rows.append((difference, puzzle.cost * (fewest - length), strict, why))
    return RewardSet.from_rows(puzzle.colours, rows)


def haul_text(puzzle, counts):
    """Tiles of each colour in words, such as `red + 2 green`; `0` for none."""
    taken = [colour if n == 1 else f"{n} {colour}" for n, colour in zip(counts, puzzle.colours, strict=True) if n]
    return " + ".join(taken) or "0"


def worth_text(puzzle, counts, steps):
    """What a haul in so many steps is worth, such as `red + 2 green − 13`."""
    return f"{haul_text(puzzle, counts)} − {puzzle.cost * steps}"


# The two maps of lecture 01.  In the first, green can be had on one of two equally long ways; in the second, yellow
# stands before blue wherever blue is.
FIRST_PUZZLE = Puzzle(
    (
        ".g.#...#",
        "S#...m.r",
        "...###g#",
    )
)
SECOND_PUZZLE = Puzzle(
    (
        "#b#b#",
        "#y#y#",
        "S....",
    )
)


@dataclass(frozen=True)
class TileMDP:
    """The puzzle as an MDP whose state is (cell, visited): there the first-entry reward *is* Markov.

    states: list of (cell, visited), then "exit", which is terminal.  Actions: up, right, down, left, exit; a
    move into a wall stays put and costs its step.  features f[s,a,k]: does the action enter a new tile of
    colour k; the last feature is 1 for a step and 0 for the exit.
    """

    puzzle: Puzzle
    mdp: TabularMDP
    states: list
    features: np.ndarray

    def reward(self, rewards):
        """r[s,a] = Σ_k f[s,a,k] R_k − cost · [a is a step]: (S, A)."""
        θ = [*reward_vector(self.puzzle, rewards), -self.puzzle.cost]
        return self.features @ np.array(θ, dtype=float)

    def walk(self, session):
        """The states and actions of a session and its exit, two lists of whole numbers."""
        states = [self.states.index(state) for state in trace(self.puzzle, session)]
        return states, [list(MOVES).index(move) for move in session] + [len(MOVES)]


def tile_mdp(puzzle, horizon):
    """The TileMDP of a puzzle; a session that has not exited after `horizon` actions is cut there."""
    states = [*shortest_steps(puzzle), "exit"]
    number = {state: s for s, state in enumerate(states)}
    S, A, K = len(states), len(MOVES) + 1, len(puzzle.colours) + 1
    target = np.full((S, A), S - 1)
    features = np.zeros((S, A, K))
    for s, state in enumerate(states[:-1]):
        for a, move in enumerate(MOVES):
            after = puzzle.enter(state, move) or state
            target[s, a] = number[after]
            features[s, a, :-1] = np.subtract(puzzle.counts(after[1]), puzzle.counts(state[1]))
            features[s, a, -1] = 1
    P = sp.csr_array((np.ones(S * A), target.ravel(), np.arange(S * A + 1)), shape=(S * A, S))
    mdp = TabularMDP(P, np.eye(S)[0], horizon=horizon, terminal=[S - 1])
    return TileMDP(puzzle, mdp, states, features)
