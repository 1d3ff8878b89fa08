# %% [markdown]
# # Find out what an agent wants: why inverse RL, and is it even possible?
#
# **What you will do**: watch an agent on a small puzzle, work out what it is after, walk sessions yourself, and try to
# break the idea.
#
# **What you will learn**
#
# * what inverse reinforcement learning (inverse RL) is given and what it has to find out, and why anybody wants that;
# * to turn each session of an expert into *exact* inequalities on the rewards, and to read off what is known;
# * what one world can never tell: constants, scale and shaping;
# * why "the reward of a state" needs a state that remembers enough.
#
# **What you need**: Markov decision processes and value iteration. [Start here](00_start_here.ipynb) refreshes the
# second and has the notation.
#
# Every claim of this lecture is an *identity*: it holds exactly, and a cell asserts it. Nothing is estimated.

# %%
from collections import deque

import matplotlib.pyplot as plt
import numpy as np
from ipywidgets import FloatSlider, interact

from course_utils.plotting import show
from course_utils.tile_plots import draw_bounds, draw_puzzle
from course_utils.tiles import FIRST_PUZZLE, SECOND_PUZZLE, Puzzle, consistent_rewards, optimal_sessions

# %% [markdown]
# ## 1. One agent, one session
#
# Here is a floor of tiles; dark ones are walls. An **expert**, somebody who knows their way around, starts at S, walks
# along the line, and leaves at the cross: that is one **session**. You are not told why.
#
# **Before you read on**: what do you think of red, of green, of magenta? Which of your guesses are you sure of?

# %%
expert_session = "URRDRRURRDR"  # up, right, right, down, …

fig, ax = plt.subplots(figsize=(7, 2.8))
draw_puzzle(ax, FIRST_PUZZLE, [expert_session])
show(
    fig,
    alt="A map of 3 by 8 tiles. From S on the left the session goes over the upper row and a green tile, "
    "around a magenta tile, and exits on a red tile at the right end. A second green tile, one step off the way, "
    "is left aside.",
    caption="What does this agent want?",
)

# %% [markdown]
# That question is the subject of this course. The reinforcement learning (RL) that you know asks the opposite one:
#
# |  | "regular" RL | inverse RL |
# |---|---|---|
# | **given** | environment, **reward function** | environment, **optimal policy** (or sessions of an expert) |
# | **find out** | **optimal policy** | **reward function** |
#
# ### Why bother?
#
# Because in most places where we would like an agent to help, nobody can write the reward down.
#
# | "natural" reward | no natural reward |
# |---|---|
# | toy tasks, video games | real-world problems |
# | a robot's gait on a race track | a robot's gait in a public space |
# | online advertising | recommendation systems |
# | ~~image captioning~~ | conversation systems |
# | | image captioning, … |
#
# Captioning moved to the right: there are formulas that compare a caption with a reference, but what people want of a
# caption is none of them, and an agent that maximises a formula learns to please the formula.
#
# You can see on our map what goes wrong with a reward that is *nearly* right. Say that a robot delivers to the red
# tile, that each step costs 1, and that magenta is a flower bed. The robot's designer thinks of the delivery and
# forgets the flowers (`optimal_sessions` is regular RL; section 2 says how it works):

# %%
forgetful = {"red": 12, "green": 1, "magenta": 0}
careful = {"red": 12, "green": 1, "magenta": -4}
for name, rewards in [("forgetful", forgetful), ("careful", careful)]:
    print(f"{name:10}", optimal_sessions(FIRST_PUZZLE, rewards).sessions)

assert optimal_sessions(FIRST_PUZZLE, forgetful).sessions == ("URRDRRRRR",)  # straight through the flowers
assert optimal_sessions(FIRST_PUZZLE, careful).sessions == (expert_session,)

# %% [markdown]
# A person shown the way around the flowers would have understood. Inverse RL tries to.
#
# ## 2. The rules of the puzzle
#
# The agent moves up, right, down or left.
#
# * A tile of colour $k$ pays the reward $R_k$, but only the **first time** it is entered. Grey pays nothing.
# * Every step costs $\kappa$, the **cost of living**. For now $\kappa = 1$.
# * The agent may **exit at any moment**, for free.
#
# **Step 1, the return.** A session $\tau$ that visits $n_k(\tau)$ different tiles of colour $k$ in $\ell(\tau)$ steps
# is worth
#
# $$ R(\tau) = \sum_k n_k(\tau)\, R_k \;-\; \kappa\, \ell(\tau). \tag{1} $$
#
# Nothing else about a session matters: its *haul* $n$ and its length $\ell$ say it all.

# %%
from course_utils.tiles import session_return, trace

cell, visited = trace(FIRST_PUZZLE, expert_session)[-1]  # where it ends, and the coloured tiles that it entered
n = FIRST_PUZZLE.counts(visited)
print(dict(zip(FIRST_PUZZLE.colours, n)), "in", len(expert_session), "steps")

R = np.array([careful[colour] for colour in FIRST_PUZZLE.colours])
assert n @ R - len(expert_session) == session_return(FIRST_PUZZLE, expert_session, careful)

# %% [markdown]
# **Step 2, the state.** Whether a tile still pays depends on the past, so the cell alone does not tell what can still
# be earned. The cell *and the set of coloured tiles visited so far* do. Breadth-first search over these pairs gives the
# fewest steps to each of them:
#
# $$ \ell^*(c, U) = \min\{\ell(\tau) : \tau \text{ ends in cell } c \text{ having visited exactly } U\}. \tag{2} $$

# %%
from course_utils.tiles import MOVES
from course_utils.tiles import shortest_steps  # show

steps = shortest_steps(FIRST_PUZZLE)
print(len(FIRST_PUZZLE.cells), "cells,", len(steps), "states (cell, visited)")

# %% [markdown]
# An independent check: walk *all* sessions of up to 7 steps, and keep the shortest for each state.

# %%
fewest, sessions = {}, [""]
for length in range(8):
    for session in sessions:
        fewest.setdefault(trace(FIRST_PUZZLE, session)[-1], length)
    ends = [(session, trace(FIRST_PUZZLE, session)[-1]) for session in sessions]
    sessions = [s + move for s, end in ends for move in MOVES if FIRST_PUZZLE.enter(end, move)]

assert fewest == {state: t for state, t in steps.items() if t <= 7}
print(len(fewest), "states within 7 steps, all with the same distance")

# %% [markdown]
# **Step 3, regular RL.** Let the rewards be given, and $\kappa > 0$. The best return is a maximum over finitely many
# states, and the optimal sessions are the shortest paths to where it is attained:
#
# $$ \max_\tau R(\tau) = \max_{(c, U)} \Big[ \sum_k n_k(U)\, R_k - \kappa\, \ell^*(c, U) \Big]. \tag{3} $$
#
# Value iteration on the same states is a second opinion: `tile_mdp` is the puzzle as a Markov decision process whose
# state is (cell, visited), with an exit action.

# %%
from course_utils.planning import value_iteration
from course_utils.tiles import tile_mdp

best = max(FIRST_PUZZLE.counts(visited) @ R - t for (cell, visited), t in steps.items())
tile = tile_mdp(FIRST_PUZZLE, horizon=20)
V, Q, π = value_iteration(tile.mdp, tile.reward(careful))

print("best return", best)
assert best == optimal_sessions(FIRST_PUZZLE, careful).value and np.isclose(V[0, 0], best)

# %% [markdown]
# ### Set the rewards, watch the sessions
#
# This is regular RL under your fingers. Find out: how small may red become before the agent exits at once? What must
# green pay before it also fetches the second one? When does it run through magenta?
#
# Where several sessions are equally good we draw the choice of a **lazy** expert: the shortest of them.

# %%
def watch(red=12.0, green=1.0, magenta=-4.0, cost=1.0):
    best = optimal_sessions(Puzzle(FIRST_PUZZLE.layout, cost), {"red": red, "green": green, "magenta": magenta})
    fig, ax = plt.subplots(figsize=(7, 2.9))
    title = f"return {float(best.value):g} in {best.length} steps (number of such sessions: {best.count})"
    draw_puzzle(ax, FIRST_PUZZLE, best.sessions, title)
    return show(fig, alt=f"The optimal sessions on the first map: {', '.join(best.sessions) or 'exit'}; {title}")


def slider(low, high, value):
    return FloatSlider(value, min=low, max=high, step=0.5, continuous_update=False)


interact(watch, red=slider(-5, 20, 12), green=slider(-5, 5, 1), magenta=slider(-10, 10, -4), cost=slider(0, 3, 1));

# %% [markdown]
# ### What is the cost of living?
#
# "+1 or −1 a step?", ask the slides that this course grew from. Or 0? Give the planner more and more time, the horizon
# $H$, and see:

# %%
horizons = [20, 30, 40]
for cost in (1, 0, -1):
    tiles = [tile_mdp(Puzzle(FIRST_PUZZLE.layout, cost), H) for H in horizons]
    values = [float(value_iteration(tile.mdp, tile.reward(careful))[0][0, 0]) for tile in tiles]
    print(f"a step pays {-cost:2}: best return within {horizons} actions is", values)

    assert np.allclose(np.diff(values), 10 * max(0, -cost))

# %% [markdown]
# If living **pays**, each step more is worth its pay: nothing is optimal, and nobody would ever exit. Our expert did,
# so living does not pay. If it is **free**, the return settles, but any amount of strolling over grey is optimal too,
# and distances mean nothing. If it **costs**, sessions end, and every detour shows what the agent would pay for a tile.
# That is where all the information in the next section comes from.
#
# ## 3. From sessions to rewards
#
# Now inverse RL. We saw one session, with haul $n$ and length $\ell$, and we are told that it is optimal.
#
# **Step 4, each alternative is an inequality.** Some other session would have brought the haul $n'$ in $\ell'$ steps.
# It was not better:
#
# $$ n' \cdot R - \kappa\,\ell' \;\le\; n \cdot R - \kappa\,\ell
#    \qquad\Longleftrightarrow\qquad (n' - n)\cdot R \;\le\; \kappa\,(\ell' - \ell). \tag{4} $$
#
# It is linear in $R$, the vector of all $R_k$: the rewards that explain the session form a polyhedron. For each haul
# the shortest way to it gives the strongest inequality, so there are finitely many. Here are all of them:

# %%
from course_utils.tiles import shortest_per_count, worth_text

ℓ = len(expert_session)
alternatives = shortest_per_count(FIRST_PUZZLE)  # {n′: ℓ′}
for n_other, ℓ_other in alternatives.items():
    print(f"{worth_text(FIRST_PUZZLE, n_other, ℓ_other):30} ≤ {worth_text(FIRST_PUZZLE, n, ℓ)}")

A = np.array([np.subtract(n_other, n) for n_other in alternatives])
b = np.array([ℓ_other - ℓ for ℓ_other in alternatives.values()])
assert np.all(A @ R <= b)  # the careful designer's rewards are among the explanations

# %% [markdown]
# **Step 5, the range of one reward.** How large can $R_k$ be, whatever the others are, and how small? Each answer is a
# linear program over the polyhedron:
#
# $$ \max_R\; \pm R_k \quad \text{subject to} \quad A R \le b, \tag{5} $$
#
# where the rows of $A$ and $b$ are those of (4). It may have no maximum: then $R_k$ has no end on that side.

# %%
from scipy.optimize import linprog


def largest(direction):
    """max direction·R over the polyhedron A R ≤ b; ∞ if there is no maximum."""
    found = linprog(-direction, A, b, bounds=(None, None))
    return np.inf if found.status == 3 else -found.fun


ranges = {colour: (-largest(-e), largest(e)) for colour, e in zip(FIRST_PUZZLE.colours, np.eye(3))}
for colour, (lowest, highest) in ranges.items():
    print(f"{lowest:5g} ≤ {colour} ≤ {highest:g}")

# %% [markdown]
# **Step 6, what is strict.** If the expert is lazy and showed *all* that it would do, then an alternative that is *not
# longer* and was not shown must be strictly worse: in a tie the lazy expert would have taken it as well.
#
# $$ (n' - n)\cdot R \;<\; \kappa\,(\ell' - \ell) \qquad \text{if } \ell' \le \ell \text{ and } (n', \ell') \text{ was not
#    shown.} \tag{6} $$
#
# A longer one may be just as good. `consistent_rewards` offers both readings, `"some"` (what was shown is optimal, as
# in step 5) and `"all"` (and nothing else is what a lazy expert does). It solves the same programs, proves the answers
# in fractions, and says of each end whether it is attained (≤) or not (<).

# %%
explains = consistent_rewards(FIRST_PUZZLE, [expert_session], reading="all")
for colour, bound in explains.bounds.items():
    print(bound.text(colour))
print("together:", explains.facts())


def ends(bound):
    """Both ends of a range; ±∞ where there is none."""
    return (-np.inf if bound.lower is None else bound.lower), (np.inf if bound.upper is None else bound.upper)


for colour, bound in consistent_rewards(FIRST_PUZZLE, [expert_session], reading="some").bounds.items():
    assert np.allclose(ranges[colour], np.array(ends(bound), float))  # what step 5 found

# %% [markdown]
# In the first lines each reward is looked at by itself, and the rest may be anything. The last line is the whole set:
# the lines that cannot be left out.

# %%
fig, ax = plt.subplots(figsize=(7, 2))
draw_bounds(ax, explains)
show(
    fig,
    alt="Ranges of the rewards: " + "; ".join(bound.text(colour) for colour, bound in explains.bounds.items()),
    caption="A filled end belongs to the range, a hollow one does not, and an arrow has no end.",
)

# %% [markdown]
# Can you see each of them on the map?
#
# * **Green** is good: two ways around the first wall are equally long, and the agent took the one over green. But it is
#   worth no more than the two steps there and back that the second green tile would have cost.
# * **Magenta** is bad: the way around it costs two steps more, and was worth it.
# * **Red** was worth all the steps that lead to it and nowhere else.
#
# The slides conclude from such a picture: "$R(\text{red}) \gg 0$" and "$R(\text{magenta}) \ll 0$". **That does not
# follow.** All that the session says of red is a lower end, and no upper one: a little above it or a million, the agent
# does the same. "Much larger than 0" is a guess about the designer's taste.

# %%
red, green, magenta = (explains.bounds[colour] for colour in ("red", "green", "magenta"))
assert red.upper is None and red.lower > 0 and not red.lower_attained
assert green.text("green") == "0 < green ≤ 2"
assert magenta.lower is None and magenta.upper < 0

for barely in ({"red": 10.1, "green": 1, "magenta": -2.1}, {"red": 10**6, "green": 1, "magenta": -(10**6)}):
    assert optimal_sessions(FIRST_PUZZLE, barely).sessions == (expert_session,)

# %% [markdown]
# Is the polyhedron right, neither too large nor too small? Draw rewards at random. Those inside must make the lazy
# expert walk exactly this session, and those outside must not.

# %%
rng = np.random.default_rng(0)
agree = 0
for draw in rng.integers([4, -1, -7], [24, 4, 0], size=(200, 3)):
    rewards = dict(zip(FIRST_PUZZLE.colours, draw.tolist()))
    same = optimal_sessions(FIRST_PUZZLE, rewards).sessions == (expert_session,)
    assert explains.contains(rewards) == same
    agree += same
print(f"{agree} of 200 random rewards explain the session, and they are the ones in the set")

# %% [markdown]
# ## 4. Your turn: yellow and blue
#
# Another map, another expert, as lazy as the first, and this is all that it does here. $R(\text{yellow}) = ?$ and
# $R(\text{blue}) = ?$ Work out a range for each, with pencil and paper. And is yellow good or bad?

# %%
second_session = "RUU"

fig, ax = plt.subplots(figsize=(4.2, 2.7))
draw_puzzle(ax, SECOND_PUZZLE, [second_session])
show(
    fig,
    alt="A map of 3 by 5 tiles. Two dead ends go up from the lower row, each with a yellow tile and a blue one behind "
    "it. The session takes the first dead end, over yellow to blue, and exits there.",
    caption="R(yellow) = ?  R(blue) = ?",
)

# %% [markdown]
# <details><summary>A hint</summary>
#
# Compare with four other sessions: exit at once; stop on yellow; go on to the second yellow; go on to the second blue.
#
# </details>
#
# **Commit yourself**: put your ranges into `guess`, `-np.inf` or `np.inf` where there is no end, and run the cell until
# it agrees. It does not tell you the numbers.

# %%
second = consistent_rewards(SECOND_PUZZLE, [second_session])


def judge(guess):
    """What is wrong with each end of the guessed ranges, {colour: (lower end, upper end)}."""
    for colour, range_ in guess.items():
        for side, mine, true in zip(("lower", "upper"), range_, ends(second.bounds[colour])):
            print(f"{side} end of {colour}:", "right" if mine == true else "too high" if mine > true else "too low")


guess = {"yellow": (0, 10), "blue": (0, 10)}  # yours goes here
judge(guess)

# %% [markdown]
# The answer:

# %%
for colour, bound in second.bounds.items():
    print(bound.text(colour))
print("together:", second.facts())
assert [ends(bound) for bound in second.bounds.values()] == [(-np.inf, 4), (1, np.inf)]

# %% [markdown]
# <details><summary>In words</summary>
#
# Blue is good. Yellow may be a treat or a toll: the expert never takes blue without paying, or being paid, for yellow.
# All that is pinned down on both sides is their **sum**.
#
# </details>

# %% [markdown]
# Here is the picture behind it. Every pair (yellow, blue) is a point, and regular RL maps it to what the expert does.
# Inverse RL goes back, from what was done to *all* points that lead there.

# %%
from course_utils.tiles import haul_text

hauls = shortest_per_count(SECOND_PUZZLE)
yellow, blue = np.meshgrid(np.arange(-6, 8, 0.02) + 0.01, np.arange(-2, 12, 0.02) + 0.01)
returns = np.array([n[0] * yellow + n[1] * blue - t for n, t in hauls.items()])
choice = returns.argmax(axis=0)
seen = list(hauls).index((1, 1))

fig, ax = plt.subplots(figsize=(5.6, 4.6))
ax.pcolormesh(yellow, blue, choice, cmap="Pastel1", vmin=0, vmax=8)
ax.contour(yellow, blue, choice == seen, levels=[0.5], colors="k", linewidths=2.5)
for number, n in enumerate(hauls):
    if (choice == number).any():
        middle = [np.median(axis[choice == number]) for axis in (yellow, blue)]
        ax.text(*middle, haul_text(SECOND_PUZZLE, n).replace(" +", "\n+"), ha="center", va="center")
ax.set(xlabel="R(yellow)", ylabel="R(blue)", title="What the expert brings home")
show(
    fig,
    alt="The plane of rewards in regions of what is collected. The region of yellow + blue is a strip that goes on "
    "without end towards small yellow and large blue.",
    caption="Outlined: the rewards that explain the session.",
)

# %% [markdown]
# The strip has no end towards the upper left, where yellow is a toll and blue makes up for it:

# %%
total = second.bound({"yellow": 1, "blue": 1})
print(total.text("yellow + blue"))
assert second.bounds["yellow"].lower is None and second.bounds["blue"].upper is None
assert (total.lower, total.upper) == (3, 6)

assert second.contains({"yellow": 2, "blue": 2})  # a treat
assert second.contains({"yellow": -50, "blue": 55})  # a toll

# %% [markdown]
# ### Ask the expert another question
#
# We have seen all that this expert does on this map: to watch it there again says nothing new. A different map may, and
# we can choose it (Amin & Singh 2016). Put the expert at one end of a corridor with a blue tile at the other, $d$ steps
# away. It goes if and only if $R_\text{blue} > d$. Say that blue is worth at most 16 (if not, the expert will go each
# time, and we start again with 32). Each corridor halves what is unknown, so a few of them are enough.

# %%
secret = {"yellow": -3, "blue": 8}  # the expert's; we only ever look at its sessions
known = consistent_rewards(SECOND_PUZZLE, optimal_sessions(SECOND_PUZZLE, secret).sessions)
low, high, asked = 1, 16, 0
while high - low > 1:
    d = (low + high) // 2
    corridor = Puzzle(["S" + "." * (d - 1) + "b#y"])  # yellow is behind a wall
    answer = optimal_sessions(corridor, secret).sessions
    known = known & consistent_rewards(corridor, answer)
    goes = answer != ("",)
    low, high, asked = (d if goes else low), (high if goes else d), asked + 1
    print(f"blue at distance {d}: the expert {'goes ' if goes else 'stays'}  →  {known.bounds['blue'].text('blue')}")

# %% [markdown]
# Blue is now known to one step, and through the sum so is the sign of yellow:

# %%
print({colour: bound.text(colour) for colour, bound in known.bounds.items()})
assert known.contains(secret) and asked == 4
assert known.bounds["blue"].upper - known.bounds["blue"].lower == 1  # from (1, ∞) to one step wide
assert known.bounds["yellow"].upper < 0  # a toll after all

# %% [markdown]
# ## 5. Play: you are the expert
#
# Walk a session with the buttons, or click on the map and use the arrow keys, and exit where you like. The exact set of
# rewards that make it optimal appears beside it. Then show another session *that is as good for you*, and so on.
#
# The reading is `"some"`: each session that you show is optimal, and nothing is said about the others, so ends are
# attained.
#
# * Show the session of section 3. What is different from the bounds there, and why?
# * Which second session makes $R_\text{green} = 2$ certain? Which one puts an upper end on red?
# * Show a session that no reward can explain. The player names the reason.

# %%
from course_utils.widgets.tile_player import TilePlayer

player = TilePlayer(FIRST_PUZZLE)
player

# %% [markdown]
# <details><summary>Answers</summary>
#
# The inequalities are the same, but none is strict: with red = 9, say, to stop on the first green tile would be as
# good, and you did not say that it is not.
#
# For green = 2, show the same session with the second green tile on the way (one step down and back up, just before
# red). It brings one green more for two steps more; both are optimal, so green is worth two steps. For an end on red,
# exit at once: if that is as good as to fetch it, red is worth no more than its steps.
#
# No reward explains a detour over grey tiles: the same haul can be had in fewer steps.
#
# </details>

# %% [markdown]
# The buttons call Python methods, so that you can also play from code, and everything said above can be checked:

# %%
def play(puzzle, *sessions):
    """A player to whom these sessions were shown."""
    names = {"U": "up", "R": "right", "D": "down", "L": "left"}
    player = TilePlayer(puzzle)
    for session in sessions:
        for move in session:
            player.move(names[move])
        player.exit()
    return player


print(play(FIRST_PUZZLE, expert_session).facts)
print(play(FIRST_PUZZLE, expert_session, "URRDRRURRDDUR").facts)
assert "green = 2" in play(FIRST_PUZZLE, expert_session, "URRDRRURRDDUR").facts
assert play(FIRST_PUZZLE, expert_session, "").rewards.bounds["red"].text("red") == "9 ≤ red ≤ 11"
assert play(FIRST_PUZZLE, expert_session + "LR").rewards.empty

# %% [markdown]
# Change the map and play on: `.` is grey, `#` a wall, `S` the start, and `r g m y b` are the colours.

# %%
TilePlayer(["r.#g", "..#.", "S.m.", "y..b"])

# %% [markdown]
# ## 6. What one world cannot tell
#
# Drop the colours: let the reward be *any* $r(s, a)$, and suppose that we know all that the expert would do in this
# world, not just one session. Three things may still not come out: constants, scale and shaping. Our world is a small
# slippery grid with a random reward. We look at the optimal policy, and at the *soft*-optimal one of
# [Start here](00_start_here.ipynb), whose action probabilities tell much more: of the three, one.

# %%
from course_utils.gridworlds import gridworld
from course_utils.planning import soft_value_iteration

rng = np.random.default_rng(1)
fixed = gridworld(["....", ".#..", "S..."], slip=0.2, horizon=8).mdp  # always 8 actions
exits = gridworld(["...G", ".#..", "S..."], slip=0.2, horizon=8).mdp  # G ends the episode
r = rng.normal(size=(fixed.n_states, fixed.n_actions))


def π_soft(mdp, r):
    return soft_value_iteration(mdp, r)[2]

# %% [markdown]
# **Constants.** Add $c$ to the reward of every step. If all sessions have the same length $H$, every return grows by
# $c\,H$, and nothing changes:
#
# $$ R'(\tau) = \sum_t \big(r(s_t, a_t) + c\big) = R(\tau) + c\,\ell(\tau). \tag{7} $$
#
# If a session can end early, $\ell(\tau)$ differs, and the constant is a cost of living like any other.

# %%
c = 5
assert np.allclose(π_soft(fixed, r + c), π_soft(fixed, r), atol=1e-12)

change = np.abs(π_soft(exits, r + c) - π_soft(exits, r))[:, ~exits.terminal].max()
print("largest change of an action's probability: fixed length 0, with an exit", change.round(2))
assert change > 0.1

# %% [markdown]
# So in our puzzle, where one may exit, the constant is *not* free: it is the cost of living, which we were told. Had we
# not known it, only ratios would have come out.
#
# **Scale.** Multiply all rewards by $\alpha > 0$, the cost of living included. The same sessions stay optimal, so the
# unit of reward is a convention; ours was "one step of living".

# %%
for α in (0.5, 3):
    scaled = {colour: α * reward for colour, reward in careful.items()}
    assert optimal_sessions(Puzzle(FIRST_PUZZLE.layout, cost=α), scaled).sessions == (expert_session,)

double = consistent_rewards(Puzzle(FIRST_PUZZLE.layout, cost=2), [expert_session])
print("with a cost of living of 2:", double.facts())
for colour, bound in double.bounds.items():
    assert np.array_equal(ends(bound), 2 * np.array(ends(explains.bounds[colour])))

# %% [markdown]
# A soft expert gives its scale away, as its *temperature*: the larger the rewards, the less it errs. An expert who
# never errs tells nothing about it.

# %%
π_hard = value_iteration(fixed, r)[2]
αs = (1, 10, 100, 1000)
gaps = [np.abs(π_soft(fixed, α * r) - π_hard).max() for α in αs]
for α, gap in zip(αs, gaps):
    print(f"α = {α:4}: soft against hard policy, largest difference {gap:.3f}")
    assert np.array_equal(value_iteration(fixed, α * r)[2], π_hard)
assert np.all(np.diff(gaps) < 0) and gaps[-1] < 0.01

# %% [markdown]
# **Shaping.** Choose any function $\Phi(s)$, a *potential*, and pay for climbing it:
#
# $$ r'(s, a) = r(s, a) + \gamma\, \mathbb{E}\big[\Phi(s') \mid s, a\big] - \Phi(s). \tag{8} $$
#
# In an endless, discounted world the potentials along a session cancel on average, all but the first, and with that one
# the agent can do nothing. So all policies are ranked as before (Ng, Harada & Russell 1999), and $V' = V - \Phi$. This
# is one free number for *every state* in which the agent acts. (The code sets $\Phi$ to 0 at the goal; you will see
# why. With another $\gamma$ or other dynamics the same $r'$ would not be a shaped $r$. That is how several worlds, or
# several discounts, can tell more; Cao, Cohen & Szpruch 2021.)

# %%
def shaped(mdp, r, Φ):
    return r + mdp.discount * mdp.expect(Φ) - Φ[:, None]


endless = gridworld(["...G", ".#..", "S..."], slip=0.2, discount=0.9).mdp
Φ = rng.normal(scale=3, size=endless.n_states)
Φ[endless.terminal] = 0

for backup in (value_iteration, soft_value_iteration):
    V, Q, π = backup(endless, r)
    V_new, Q_new, π_new = backup(endless, shaped(endless, r, Φ))
    assert np.allclose(π_new[~endless.terminal], π[~endless.terminal], atol=1e-7)
    assert np.allclose(V_new, V - Φ, atol=1e-7)

# %% [markdown]
# ### Spot the error: two potentials that are not free
#
# The next cell shapes twice more. Both times the policy changes. **Why?** Think before you unfold.

# %%
Φ_goal = Φ.copy()
Φ_goal[endless.terminal] = 20
change_goal = np.abs(π_soft(endless, shaped(endless, r, Φ_goal)) - π_soft(endless, r))[~endless.terminal].max()

Φ_fixed = rng.normal(scale=3, size=fixed.n_states)
change_fixed = np.abs(π_soft(fixed, shaped(fixed, r, Φ_fixed)) - π_soft(fixed, r)).max(axis=(1, 2))

print("potential 20 on the goal: a probability changes by", change_goal.round(2))
print("finite horizon, largest change at each time t:", change_fixed.round(2))
assert change_goal > 0.1 and change_fixed.min() > 0.01

# %% [markdown]
# <details><summary>Answer</summary>
#
# What (8) adds to a session is $\gamma^{\ell}\,\Phi(s_{\text{end}}) - \Phi(s_0)$ on average. It is out of the agent's
# hands only if the first term vanishes. In a terminal state $\Phi$ must be 0: otherwise it is a bonus for getting
# there. With a finite horizon the session is cut in *some* state, and $\Phi$ of that state is a bonus at the end: to be
# free, a potential must be the same everywhere at time $H$, and so change with time. The next cell pays the bonus back,
# and the change is gone.
#
# </details>

# %%
def soft_policy_with_final_reward(mdp, r, final):
    """Backward in time from V_H = final instead of 0."""
    V, policies = final, []
    for t in range(mdp.horizon):
        Q = r + mdp.discount * mdp.expect(V)
        V = np.logaddexp.reduce(Q, axis=1)
        policies.insert(0, np.exp(Q - V[:, None]))
    return np.array(policies)


paid_back = soft_policy_with_final_reward(fixed, shaped(fixed, r, Φ_fixed), final=-Φ_fixed)
assert np.allclose(paid_back, π_soft(fixed, r), atol=1e-10)

# %% [markdown]
# ### Then why did the puzzle work?
#
# Because we assumed a lot: that only colours pay, the same for each tile of a colour; that exiting pays nothing, from
# anywhere; and what living costs. Whoever shapes the puzzle's reward pays $-\Phi$ for the exit, so $\Phi$ must be 0 in
# every state. In the language of linear algebra: the columns of the puzzle's features and those of all shapings are
# independent, so no shaping leads from one reward of the assumed kind to another.

# %%
tile = tile_mdp(SECOND_PUZZLE, horizon=10)
S, living = tile.mdp.n_states, np.repeat(~tile.mdp.terminal, tile.mdp.n_actions)
features = tile.features.reshape(living.size, -1)[living]
shapings = (tile.mdp.rows().toarray() - np.repeat(np.eye(S), tile.mdp.n_actions, axis=0))[living][:, ~tile.mdp.terminal]

rank = np.linalg.matrix_rank
assert rank(np.hstack([features, shapings])) == features.shape[1] + shapings.shape[1]
print(features.shape[1], "features +", shapings.shape[1], "potentials, all independent")

# %% [markdown]
# **Assumptions are what makes inverse RL possible.** Every method in this course makes some. Ask each time: which?
#
# ## 7. Spot the error: "the reward of being here"
#
# The next lecture writes the return as $R(\tau) = \sum_t r(s_t, a_t)$, and so did the slides, right after this puzzle.
# With "state = the cell where I am" that looks harmless. Take a corridor with red at the left end and green at the
# right, and this expert:

# %%
corridor = Puzzle(["rS.g"])
tour = "LRRR"  # fetch red, come back, fetch green
assert optimal_sessions(corridor, {"red": 3, "green": 4}).sessions == (tour,)

fig, ax = plt.subplots(figsize=(4.2, 1.5))
draw_puzzle(ax, corridor, [tour])
show(fig, alt="A corridor red, S, grey, green. The session goes one step left to red, then three steps right to green.")

# %% [markdown]
# **Claim:** "there is a reward $r(\text{cell}, a)$ that makes this session the only optimal one." Believe it?
#
# Count how often a session takes each action in each cell; its return is a sum of just these counts times $r$. Compare
# the tour with two others: skip red, or fetch it twice.

# %%
tile = tile_mdp(corridor, horizon=7)
columns, actions = len("rS.g"), tile.mdp.n_actions


def counts(session):
    """N[cell, action] of a session, its exit included."""
    N = np.zeros((columns, actions))
    for s, a in zip(*tile.walk(session)):
        (row, column), visited = tile.states[s]
        N[column, a] += 1
    return N


skip, twice = "RR", "LRLRRR"
assert np.array_equal(counts(tour), (counts(skip) + counts(twice)) / 2)

# %% [markdown]
# The tour's counts are the **midpoint** of the other two, and therefore, for *every* $r(\text{cell}, a)$,
#
# $$ R(\text{tour}) = \tfrac12 \big( R(\text{skip}) + R(\text{twice}) \big) \le \max\{R(\text{skip}), R(\text{twice})\}. \tag{9} $$
#
# It can never be the only best: the claim is false. A reward that is paid once is not a function of the cell; it is not
# *Markov* there. A linear program says the same without cleverness: of all weights $w$ with $|w_k| \le 1$, take those
# with the largest margin between the tour's return and every other session's of up to 6 steps. Is it positive?

# %%
from itertools import product


def margin(features):
    """max over w of min over the other sessions of w·(features(tour) − features(other))."""
    A = np.array([[*(features(other) - features(tour)), 1] for other in others])
    K = A.shape[1] - 1
    found = linprog([0] * K + [-1], A, np.zeros(len(A)), bounds=[(-1, 1)] * K + [(None, None)])
    return -found.fun


def inside(session):
    return all(0 <= 1 + session[:t].count("R") - session[:t].count("L") < columns for t in range(len(session) + 1))


words = ("".join(word) for length in range(7) for word in product("LR", repeat=length))
others = [word for word in words if inside(word) and word != tour]

# %% [markdown]
# First with the counts of (cell, action) as features, then with the puzzle's own, computed from (cell, visited):

# %%
blind = margin(lambda session: counts(session).ravel())
remembers = margin(lambda session: tile.features[tuple(tile.walk(session))].sum(axis=0))
print(f"margin over {len(others)} other sessions, with the cell as the state: {abs(blind):.3f}")
print(f"with (cell, visited) as the state: {remembers:.3f}")
assert abs(blind) < 1e-9 and remembers > 0.1

# %% [markdown]
# With the state (cell, visited) the margin is positive: there the first-entry reward is Markov.
#
# ### Break it: maximum entropy does not help
#
# The method of the next lecture fits $p(\tau) \propto e^{R(\tau)}$ to the sessions. By (9) the tour's weight is the
# geometric mean of the other two,
#
# $$ p(\text{tour}) = \sqrt{p(\text{skip})\, p(\text{twice})} \;\le\; \tfrac12\big(p(\text{skip}) + p(\text{twice})\big)
#    \;\le\; \tfrac12 \big(1 - p(\text{tour})\big) \quad\Longrightarrow\quad p(\text{tour}) \le \tfrac13, \tag{10} $$
#
# whatever the reward, though *all* the data are tours. (The first inequality is that of the geometric and the
# arithmetic mean; the second, that all probabilities together are 1.) We fit it with both kinds of features, and with a
# smaller and smaller penalty $\lambda$ on large weights. How that works is the business of lectures 02 and 03.

# %%
from course_utils.irl import maxent_irl

blind_features = np.zeros((tile.mdp.n_states, actions, columns * actions))
for s, ((row, column), visited) in enumerate(tile.states[:-1]):
    blind_features[s, range(actions), column * actions + np.arange(actions)] = 1

s, a = tile.walk(tour)
λs = 10.0 ** -np.arange(1, 7)
p = {}
for name, f in [("cell", blind_features), ("(cell, visited)", tile.features)]:
    fits = [maxent_irl(tile.mdp, f, f[s, a].sum(axis=0), l2=λ) for λ in λs]
    p[name] = np.array([fit.π[np.arange(len(s)), s, a].prod() for fit in fits])

assert np.all(p["cell"] <= 1 / 3 + 1e-12) and p["(cell, visited)"][-1] > 0.99

# %% [markdown]
# The bound of 1/3 held in every fit. Here is how it is approached, and what the larger state can do:

# %%
fig, ax = plt.subplots(figsize=(5.6, 3.2))
for (name, probability), style in zip(p.items(), ("s--", "o-")):
    ax.semilogx(1 / λs, probability, style, label=f"state = {name}")
ax.axhline(1 / 3, color="k", lw=1, ls=":", label="1/3")
ax.set(xlabel="1/λ (less regularisation to the right)", ylabel="probability of the tour", ylim=(0, 1.05))
ax.legend()
show(
    fig,
    alt="Probability of the demonstrated tour under the fitted model. With the cell as state it rises to one third and "
    "stays there; with cell and visited set it rises to one.",
    caption="All demonstrations are tours. A state that forgets cannot believe it.",
)

# %% [markdown]
# ## 8. So, is it possible?
#
# **Yes, to some extent.** Sessions bound rewards, often on one side only; a good choice of experiments bounds them more
# tightly; and assumptions must do the rest. The next lecture gives up certainty: instead of the set of *all* rewards
# that explain the sessions it looks for the *most likely* one, for experts who also make mistakes.
#
# ## Quick questions
#
# **Q1.** The expert exits at once, on any map you like. Name a reward that explains it. Which bounds can you get?
#
# <details><summary>Answer</summary>
#
# All rewards 0 (or anything negative). You get upper bounds only: no haul is worth the steps to it. Zero explains
# *every* lack of action. In worlds without a cost of living it explains everything whatsoever: all sessions are equally
# good.
#
# </details>

# %% [markdown]
# **Q2.** On the first map, can a single session that takes red put an upper end on red?
#
# <details><summary>Answer</summary>
#
# No. In (4) an upper end needs an alternative with *more* red than the expert took, and there is one red tile only. It
# takes a map with a second, far-away red tile that the expert leaves; or a second session, without red, that is as
# good.
#
# </details>

# %% [markdown]
# **Q3.** A colleague sets the cost of living to 2 by mistake (it was 1). What happens to the bounds?
#
# <details><summary>Answer</summary>
#
# All of them double, and so would every reward in the set: by the scale argument of section 6 only the ratio to the
# cost is known. The predictions on *new* maps stay right, as long as the cost is 2 there too.
#
# </details>

# %% [markdown]
# **Q4.** Would a reward $r(t, \text{cell}, a)$ that may depend on time rescue the tour of section 7? And in general?
#
# <details><summary>Answer</summary>
#
# The tour, yes, and any other single session: at each time, pay for its own action only. Several, no. Let two optimal
# sessions be in the same cell at the same time, with different tiles visited, and let each go on as the other did: the
# four returns under $r(t, \text{cell}, a)$ add up in pairs, so the exchanged sessions are optimal too. With tiles that
# pay once they need not be. Besides, a reward that is bound to the clock says nothing for another start.
#
# </details>

# %% [markdown]
# **Q5.** In (10), when is $p(\text{tour})$ exactly 1/3?
#
# <details><summary>Answer</summary>
#
# When both inequalities are equalities: $p(\text{skip}) = p(\text{twice})$, and no other session has any probability. A
# finite reward leaves some to every session, so 1/3 is only a limit, which the dashed curve approaches.
#
# </details>

# %% [markdown]
# ## Summary
#
# * Regular RL: environment and reward → policy. Inverse RL: environment and policy → reward.
# * One optimal session is a system of linear inequalities on the rewards, one for each thing that the expert could have
#   done instead, (4). The set of explanations is a polyhedron; its ends are exact.
# * "≫ 0" cannot be seen in optimal behaviour. "> a number" can.
# * Other worlds can separate what one world confounds, and a few well-chosen ones can be enough.
# * Constants (at fixed length), scale (of an expert who never errs) and potential shaping (in an endless world) do not
#   show in what an expert does in one world. Assumptions choose among them, or further worlds do.
# * A state must remember what the reward depends on. The first-entry reward is Markov in (cell, visited), not in the
#   cell.
#
# ## Further reading
#
# * S. Russell (1998), *Learning agents for uncertain environments*, COLT: the question, asked on three pages.
# * A. Ng, D. Harada, S. Russell (1999), *Policy invariance under reward transformations: theory and application to
#   reward shaping*, ICML.
# * A. Ng, S. Russell (2000), *Algorithms for inverse reinforcement learning*, ICML: the inequalities for general MDPs,
#   and which of the many solutions to take.
# * P. Abbeel, A. Ng (2004), *Apprenticeship learning via inverse reinforcement learning*, ICML: match the feature
#   counts, and the ambiguity does no harm.
# * B. Ziebart, A. Maas, J. A. Bagnell, A. Dey (2008), *Maximum entropy inverse reinforcement learning*, AAAI: the next
#   lecture.
# * K. Amin, S. Singh (2016), *Towards resolving unidentifiability in inverse reinforcement learning*, arXiv:1601.06569:
#   choose the experiments.
# * H. Cao, S. Cohen, Ł. Szpruch (2021), *Identifiability in inverse reinforcement learning*, arXiv:2106.03498: soft
#   experts, two discounts or two worlds.
#
# Next: [02 – Maximum entropy inverse RL, derived](02_maximum_entropy.ipynb)
