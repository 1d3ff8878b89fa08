"""Pictures of the tile puzzle: the map with sessions on it, and the range of each reward.  Axes in, axes out."""

import numpy as np
from matplotlib.patches import Rectangle

from course_utils.tiles import COLOURS, MOVES, trace

# Okabe and Ito's palette, which colour-blind readers can tell apart; every tile carries its letter as well.
PALETTE = {"red": "#D55E00", "green": "#009E73", "magenta": "#CC79A7", "yellow": "#F0E442", "blue": "#56B4E9"}
GREY, WALL, INK = "#D4D4D4", "#5A5A5A", "#111111"
STYLES = [(INK, "-"), ("#0B3D91", "--"), ("#7A1F1F", "-."), ("#3B5323", ":")]


def draw_puzzle(ax, puzzle, sessions=(), title=""):
    """The map, its letters and at most four sessions as arrows; a cross marks the exit.  Returns ax."""
    rows, columns = len(puzzle.layout), len(puzzle.layout[0])
    for i, line in enumerate(puzzle.layout):
        for j, letter in enumerate(line):
            colour = WALL if letter == "#" else PALETTE.get(COLOURS.get(letter), GREY)
            ax.add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, facecolor=colour, lw=0))
            if letter not in ".#":
                ax.text(j - 0.38, i - 0.38, letter.upper(), va="top", fontsize=12, weight="bold", color=INK)
    for number, session in enumerate(sessions[: len(STYLES)]):
        _draw_session(ax, puzzle, session, lane=0.11 + 0.09 * number, style=STYLES[number])
    ax.set(xlim=(-0.55, columns - 0.45), ylim=(rows - 0.45, -0.55), aspect="equal", title=title)
    ax.axis("off")
    return ax


def _draw_session(ax, puzzle, session, lane, style):
    """A line that keeps to the right of its way, so that going and coming back are seen apart."""
    colour, dashes = style
    cells = np.array([cell for cell, _ in trace(puzzle, session)], dtype=float)
    heading = np.array([MOVES[move] for move in session], dtype=float).reshape(-1, 2)
    right = lane * np.stack([heading[:, 1], -heading[:, 0]], axis=1)  # a quarter turn; rows grow downwards
    points = [cells[0], *(cells[:1] + right[:1])]
    for t in range(1, len(session)):
        if (heading[t] == heading[t - 1]).all():
            points.append(cells[t] + right[t])
        elif (heading[t] == -heading[t - 1]).all():
            points += [cells[t] + right[t - 1], cells[t] + right[t]]
        else:  # where the two lanes cross
            points.append(cells[t] + right[t - 1] + right[t])
    points += [*(cells[-1:] + right[-1:]), cells[-1]]
    y, x = np.array(points).T
    ax.plot(x, y, dashes, color=colour, lw=1.8)
    for middle, ahead in zip((cells[:-1] + cells[1:]) / 2 + right, heading / 8, strict=True):
        arrow = {"arrowstyle": "-|>", "color": colour, "lw": 1.2, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (middle + ahead)[::-1], (middle - ahead)[::-1], arrowprops=arrow)
    ax.plot(x[0], y[0], "o", color=colour, ms=7)
    ax.plot(x[-1], y[-1], "X", color=colour, ms=10, mec="white")


def draw_bounds(ax, reward_set, limits=None):
    """One bar per colour: the range of its reward.  A hollow end is not attained, an arrow has no end.  Returns ax."""
    bounds = reward_set.bounds
    ends = [float(end) for bound in bounds.values() for end in (bound.lower, bound.upper) if end is not None]
    low, high = limits or (min([-5.0, *(end - 3 for end in ends)]), max([5.0, *(end + 3 for end in ends)]))
    for k, (colour, bound) in enumerate(bounds.items()):
        left, right = (far if end is None else float(end) for end, far in ((bound.lower, low), (bound.upper, high)))
        ax.plot([left, right], [k, k], color=PALETTE[colour], lw=9, solid_capstyle="butt", zorder=1)
        for x, end, attained, arrow in (
            (left, bound.lower, bound.lower_attained, "<"),
            (right, bound.upper, bound.upper_attained, ">"),
        ):
            marker = arrow if end is None else "o"
            ax.plot(x, k, marker, ms=9, mec=INK, mfc=INK if attained or end is None else "white", clip_on=False)
    ax.axvline(0, color="0.4", lw=0.8, zorder=0)
    ax.set_yticks(range(len(bounds)), [bound.text(colour) for colour, bound in bounds.items()])
    ax.set(xlim=(low, high), ylim=(len(bounds) - 0.5, -0.5), xlabel="reward, in steps of living")
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", left=False, pad=12)
    return ax
