"""The tile puzzle against brute force: all walks up to a length, and exact vertex enumeration of the reward sets."""

import re
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from scipy.optimize import linprog

from course_utils.irl import maxent_irl
from course_utils.planning import value_iteration
from course_utils.reward_sets import RewardSet, exact
from course_utils.tiles import (
    COLOURS,
    FIRST_PUZZLE,
    MOVES,
    SECOND_PUZZLE,
    Puzzle,
    consistent_rewards,
    optimal_sessions,
    session_return,
    shortest_per_count,
    shortest_steps,
    tile_mdp,
    trace,
)

# ---------------------------------------------------------------- oracles


def walks(layout, longest):
    """All sessions up to a length, by an independent walk over the map: {session: (tiles entered, steps)}."""
    start = next((i, j) for i, line in enumerate(layout) for j, x in enumerate(line) if x == "S")
    found, frontier = {}, [("", start, frozenset())]
    while frontier:
        session, (i, j), seen = frontier.pop()
        found[session] = sorted(layout[a][b] for a, b in seen), len(session)
        if len(session) == longest:
            continue
        for move, (di, dj) in {"U": (-1, 0), "D": (1, 0), "L": (0, -1), "R": (0, 1)}.items():
            a, b = i + di, j + dj
            if 0 <= a < len(layout) and 0 <= b < len(layout[0]) and layout[a][b] != "#":
                colour = layout[a][b] in COLOURS
                frontier.append((session + move, (a, b), seen | {(a, b)} if colour else seen))
    return found


def worth(letters, steps, rewards, cost=1):
    return sum(Fraction(rewards[COLOURS[x]]) for x in letters) - cost * steps


def random_layout(rng, shape=(3, 3), colours="rg", walls=0.15):
    """A random map with a start and at least one tile of the first colour."""
    while True:
        letters = rng.choice(list("." + "#" + colours), size=shape, p=_weights(colours, walls))
        letters.flat[rng.integers(letters.size)] = "S"
        layout = ["".join(line) for line in letters]
        if 1 <= sum(x in COLOURS for x in "".join(layout)) <= 4:
            return layout


def _weights(colours, walls):
    share = 0.35 / len(colours)
    return [1 - walls - 0.35, walls] + [share] * len(colours)


def vertices(rows, K, box=1000):
    """Exact vertices of {A x ≤ b} cut by a large box, by solving every choice of K rows."""
    planes = [(a, b) for a, b, *_ in rows if any(a)]
    planes += [(tuple(s * (i == k) for i in range(K)), box) for k in range(K) for s in (1, -1)]
    found = set()
    for chosen in combinations(planes, K):
        x = solve([list(map(Fraction, a)) for a, _ in chosen], [Fraction(b) for _, b in chosen])
        if x is not None and all(sum(p * q for p, q in zip(a, x, strict=True)) <= b for a, b in planes):
            found.add(tuple(x))
    return found


def solve(A, b):
    """A x = b in fractions by Gauss–Jordan, or None if A is singular."""
    n = len(A)
    M = [row + [right] for row, right in zip(A, b, strict=True)]
    for i in range(n):
        pivot = next((j for j in range(i, n) if M[j][i] != 0), None)
        if pivot is None:
            return None
        M[i], M[pivot] = M[pivot], M[i]
        M[i] = [x / M[i][i] for x in M[i]]
        for j in range(n):
            if j != i:
                M[j] = [x - M[j][i] * y for x, y in zip(M[j], M[i], strict=True)]
    return [row[n] for row in M]


def oracle_bounds(rows, K, box=1000):
    """None if the set is empty, else (lower, lower_attained, upper, upper_attained) per coordinate."""
    found = vertices(rows, K, box)

    def strictly_inside(points):
        """The mean of the points satisfies all strict rows; for all vertices of a face: some point of it does."""
        if not points:
            return False
        mean = [sum(column) / len(points) for column in zip(*points, strict=True)]
        dots = [(sum(p * q for p, q in zip(a, mean, strict=True)), b, strict) for a, b, strict, _ in rows]
        return all(d < b if strict else d <= b for d, b, strict in dots)

    if any(b < 0 or (b == 0 and strict) for a, b, strict, _ in rows if not any(a)) or not strictly_inside(found):
        return None
    bounds = []
    for k in range(K):
        ends = []
        for extreme in (min, max):
            value = extreme(x[k] for x in found)
            if abs(value) > box / 10:  # a vertex of the box, not of the set, whose own are a few dozens at most
                ends += [None, False]
            else:
                ends += [value, strictly_inside([x for x in found if x[k] == value])]
        bounds.append(tuple(ends))
    return bounds


def as_tuples(reward_set):
    return [(b.lower, b.lower_attained, b.upper, b.upper_attained) for b in reward_set.bounds.values()]


# ---------------------------------------------------------------- the puzzle


def test_states_and_steps_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(20):
        layout = random_layout(rng)
        puzzle, fewest = Puzzle(layout), {}
        for session, (_, steps) in walks(layout, 7).items():
            state = trace(puzzle, session)[-1]
            fewest[state] = min(steps, fewest.get(state, steps))
        assert fewest == {state: t for state, t in shortest_steps(puzzle).items() if t <= 7}


def test_the_return_pays_each_tile_once():
    puzzle = Puzzle(["Srr", "g.."], cost=2)
    rewards = {"red": 5, "green": 0.1}
    assert session_return(puzzle, "", rewards) == 0
    assert session_return(puzzle, "RRL", rewards) == 10 - 6  # two red tiles, the second visit pays nothing
    assert session_return(puzzle, "DRU", rewards) == Fraction("5.1") - 6


@pytest.mark.parametrize("cost", [1, 0.5, 2])
def test_optimal_sessions_are_those_of_brute_force(cost):
    rng = np.random.default_rng(1)
    for _ in range(25):
        layout = random_layout(rng)
        puzzle = Puzzle(layout, cost)
        # What is earned is at most 4 tiles of 1.5·cost, so an optimal session has at most 6 steps.
        rewards = {c: Fraction(int(rng.integers(-6, 4)), 2) * exact(cost) for c in puzzle.colours}
        value = {s: worth(*entry, rewards, exact(cost)) for s, entry in walks(layout, 6).items()}
        best = max(value.values())
        length = min(len(s) for s in value if value[s] == best)
        expected = {s for s in value if value[s] == best and len(s) == length}
        found = optimal_sessions(puzzle, rewards, limit=10_000)
        assert (found.value, found.length, found.count) == (best, length, len(expected))
        assert sorted(found.sessions) == sorted(expected)
        assert set(optimal_sessions(puzzle, rewards, limit=2).sessions) <= expected


def test_scaling_rewards_and_cost_together_changes_nothing():
    rewards = {"red": 12, "green": 1, "magenta": -4}
    tripled = {colour: 3 * r for colour, r in rewards.items()}
    for puzzle in (FIRST_PUZZLE, Puzzle(["r.g", ".S.", "m.r"])):
        before = optimal_sessions(puzzle, rewards)
        after = optimal_sessions(Puzzle(puzzle.layout, cost=3), tripled)
        assert set(before.sessions) == set(after.sessions) and after.value == 3 * before.value


@pytest.mark.parametrize("cost", [0, 3])
def test_the_ends_of_the_sliders_of_the_lecture(cost):
    puzzle = Puzzle(FIRST_PUZZLE.layout, cost)
    tile = tile_mdp(puzzle, horizon=25)
    for values in product((20, -5), (-5, 5), (-10, 10)):
        rewards = dict(zip(puzzle.colours, values, strict=True))
        best = optimal_sessions(puzzle, rewards)
        V, _, _ = value_iteration(tile.mdp, tile.reward(rewards))
        assert np.isclose(V[0, 0], float(best.value))
        assert all(session_return(puzzle, session, rewards) == best.value for session in best.sessions)


def test_free_living_is_lazy_and_paid_living_has_no_optimum():
    assert optimal_sessions(Puzzle(["S.g"], cost=0), {"green": 1}).sessions == ("RR",)
    assert optimal_sessions(Puzzle(["S.g"], cost=0), {"green": 0}).sessions == ("",)
    with pytest.raises(ValueError, match="living pays"):
        optimal_sessions(Puzzle(["S.g"], cost=-1), {"green": 1})


# ---------------------------------------------------------------- sets of rewards


def test_the_two_maps_of_the_lecture():
    seen = optimal_sessions(FIRST_PUZZLE, {"red": 12, "green": 1, "magenta": -4}).sessions
    first = consistent_rewards(FIRST_PUZZLE, seen)
    assert [bound.text(colour) for colour, bound in first.bounds.items()] == [
        "red > 9",
        "0 < green ≤ 2",
        "magenta < −2",
    ]
    seen = optimal_sessions(SECOND_PUZZLE, {"yellow": -3, "blue": 8}).sessions
    second = consistent_rewards(SECOND_PUZZLE, seen)
    assert second.facts() == ["yellow ≤ 4", "blue > 1", "3 < yellow + blue ≤ 6"]
    assert second.bound({"yellow": 1, "blue": 1}).text("sum") == "3 < sum ≤ 6"
    assert second.bounds["yellow"].lower is None and second.bounds["blue"].upper is None


def lazy_choice(value):
    """The hauls and lengths of the shortest optimal sessions."""
    best = max(v for v, _, _ in value.values())
    length = min(steps for v, _, steps in value.values() if v == best)
    return {(tuple(letters), steps) for v, letters, steps in value.values() if v == best and steps == length}


@pytest.mark.parametrize("cost", [1, Fraction(1, 2), 0])
def test_membership_is_optimality_in_both_readings(cost):
    """A reward is in the set exactly if brute force over all walks makes the shown sessions optimal."""
    rng = np.random.default_rng(2)
    inside = {"all": 0, "some": 0}
    for _ in range(10):
        layout = random_layout(rng, shape=(2, 3))
        puzzle, all_walks = Puzzle(layout, cost), walks(layout, 8)

        def draw(puzzle=puzzle):
            return {c: Fraction(int(rng.integers(-4, 4)), 2) * max(cost, Fraction(1, 2)) for c in puzzle.colours}

        shown = optimal_sessions(puzzle, draw()).sessions
        hauls = {(tuple(all_walks[s][0]), len(s)) for s in shown}
        strong = consistent_rewards(puzzle, shown, "all")
        weak = consistent_rewards(puzzle, shown[:1], "some")
        for _ in range(15):
            rewards = draw()
            value = {s: (worth(letters, n, rewards, cost), letters, n) for s, (letters, n) in all_walks.items()}
            best = max(v for v, _, _ in value.values())
            assert strong.contains(rewards) == (lazy_choice(value) == hauls)
            assert weak.contains(rewards) == (value[shown[0]][0] == best)
            inside["all"] += strong.contains(rewards)
            inside["some"] += weak.contains(rewards)
    assert all(15 < n < 135 for n in inside.values()), inside  # both answers were tried often


@pytest.mark.parametrize("reading", ["all", "some"])
@pytest.mark.parametrize("colours", ["rg", "rgm"])
def test_bounds_are_those_of_vertex_enumeration(reading, colours):
    rng = np.random.default_rng(3)
    kinds = set()
    for _ in range(40):
        puzzle = Puzzle(random_layout(rng, colours=colours))
        seen = optimal_sessions(puzzle, {c: Fraction(int(rng.integers(-6, 9)), 2) for c in puzzle.colours}).sessions
        found = consistent_rewards(puzzle, seen, reading)
        assert as_tuples(found) == oracle_bounds(found.rows, len(puzzle.colours))
        kinds |= {(low is None, high is None) for low, _, high, _ in as_tuples(found)}
    assert len(kinds) >= 3


def test_emptiness_is_that_of_vertex_enumeration_and_the_conflict_is_real():
    rng = np.random.default_rng(4)
    empty = 0
    for _ in range(40):
        layout = random_layout(rng)
        puzzle = Puzzle(layout)
        sessions = list(rng.choice(list(walks(layout, 4)), size=2))
        found = consistent_rewards(puzzle, sessions, rng.choice(["all", "some"]))
        expected = oracle_bounds(found.rows, len(puzzle.colours))
        assert found.empty == (expected is None)
        if found.empty:
            empty += 1
            named = [row for row in found.rows if row[3] in found.conflict]
            assert oracle_bounds(named, len(puzzle.colours)) is None  # what is named is a contradiction by itself
            with pytest.raises(ValueError, match="no reward"):
                _ = found.bounds
        else:
            assert as_tuples(found) == expected
    assert 5 < empty < 40


def test_conflicts_are_told_in_words():
    wasteful = consistent_rewards(SECOND_PUZZLE, ["RUU", "RRLUU"], "some")
    assert wasteful.conflict == ("session 2 must not take 5 steps for what 3 would bring",)
    lazy = consistent_rewards(SECOND_PUZZLE, ["RUU", ""], "all")
    assert lazy.conflict == ("session 1 must not be longer than another that is shown",)
    # The first stays at home though red is one step away; the second walks over red for blue, and skips the near blue.
    quarrel = consistent_rewards(Puzzle(["bSr.b"]), ["", "RRR"], "some")
    assert {reason[8] for reason in quarrel.conflict} == {"1", "2"}  # neither session is at fault alone
    assert all(re.match(r"session [12] must be worth at least .* − \d+$", reason) for reason in quarrel.conflict)


def test_facts_describe_the_same_set():
    """The lines of text, read back as inequalities, leave the same set, and no line follows from the others."""
    rng = np.random.default_rng(5)
    tours = ["URRDRRURRDR", "URRDRRURRDDUR"]
    cases = [consistent_rewards(FIRST_PUZZLE, sessions, "some") for sessions in ([""], tours, [*tours, ""])]
    for puzzle in [SECOND_PUZZLE, Puzzle(["rg.", "Sm."])] + [Puzzle(random_layout(rng)) for _ in range(10)]:
        true = {c: int(rng.integers(-3, 9)) for c in puzzle.colours}
        shown = optimal_sessions(puzzle, true).sessions
        cases += [consistent_rewards(puzzle, shown), consistent_rewards(puzzle, [*shown, ""], "some")]
    for found in cases:
        if not found.empty:
            lines = [read(fact, found.colours) for fact in found.facts()]
            for line in lines:
                rest = [row for other in lines if other is not line for row in other]
                assert any(oracle_bounds([*rest, opposite(*row[:3])], len(row[0])) for row in line)
            facts = sum(lines, [])
            for a, right, strict, _ in facts:  # each fact follows from the set …
                assert oracle_bounds([*found.rows, opposite(a, right, strict)], len(a)) is None
            for a, right, strict, _ in found.rows:  # … and each inequality of the set from the facts
                assert oracle_bounds([*facts, opposite(a, right, strict)], len(a)) is None


def opposite(a, right, strict):
    return tuple(-x for x in a), -right, not strict, ""


def read(fact, colours):
    """The rows of a line such as `0 < red − 2 green ≤ 2`."""
    parts = re.split(r" (<|≤|>|≥|=) ", fact.replace("−", "-"))
    number = re.compile(r"-?\d+(/\d+)?$")
    at = next(i for i, part in enumerate(parts) if i % 2 == 0 and not number.match(part))
    a = [0] * len(colours)
    for sign, factor, colour in re.findall(r"([+-])? ?(\d+)? ?([a-z]+)", parts[at]):
        a[colours.index(colour)] = int(factor or 1) * (-1 if sign == "-" else 1)
    rows = []
    for i in range(1, len(parts), 2):
        sign, right = parts[i], Fraction(parts[i + 1] if i + 1 != at else parts[i - 1])
        if i + 1 == at:  # number sign a: turn it round
            sign = {"<": ">", "≤": "≥"}[sign]
        if sign in "<≤=":
            rows.append((tuple(a), right, sign == "<", ""))
        if sign in ">≥=":
            rows.append((tuple(-x for x in a), -right, sign == ">", ""))
    return rows


def test_two_experiments_intersect():
    true = {"yellow": -3, "blue": 8}
    strip = consistent_rewards(SECOND_PUZZLE, optimal_sessions(SECOND_PUZZLE, true).sessions)
    probe = Puzzle(["S" + "." * 6 + "b", "#y######"])
    answer = consistent_rewards(probe, optimal_sessions(probe, true).sessions)
    both = strip & answer
    assert answer.bounds["blue"].text("blue") == "blue > 7" and both.bounds["yellow"].text("yellow") == "yellow < −1"
    rng = np.random.default_rng(6)
    for _ in range(200):
        rewards = {c: Fraction(int(rng.integers(-20, 30)), 2) for c in true}
        assert both.contains(rewards) == (strip.contains(rewards) and answer.contains(rewards))


# ---------------------------------------------------------------- as an MDP, and E7


def test_value_iteration_finds_the_value_of_the_optimal_sessions():
    rng = np.random.default_rng(7)
    for _ in range(10):
        puzzle = Puzzle(random_layout(rng))
        rewards = {c: float(rng.integers(-6, 9)) / 2 for c in puzzle.colours}
        best = optimal_sessions(puzzle, rewards)
        tile = tile_mdp(puzzle, horizon=best.length + 3)
        V, _, π = value_iteration(tile.mdp, tile.reward(rewards))
        assert np.isclose(V[0, 0], float(best.value), atol=1e-12)
        short = tile_mdp(puzzle, horizon=max(best.length, 1))  # to be cut at the horizon costs nothing
        assert np.isclose(value_iteration(short.mdp, short.reward(rewards))[0][0, 0], float(best.value), atol=1e-12)


def test_features_along_a_walk_are_its_haul_and_its_length():
    tile = tile_mdp(FIRST_PUZZLE, horizon=12)
    rewards = {"red": 12, "green": 1, "magenta": -4}
    for session in ("", "URRL", "URRDRRURRDR", "DRRURRRR"):
        states, actions = tile.walk(session)
        haul = FIRST_PUZZLE.counts(trace(FIRST_PUZZLE, session)[-1][1])
        assert np.array_equal(tile.features[states, actions].sum(axis=0), [*haul, len(session)])
        total = tile.reward(rewards)[states, actions].sum()
        assert np.isclose(total, float(session_return(FIRST_PUZZLE, session, rewards)))
        P = tile.mdp.dense()
        following = [*states[1:], len(tile.states) - 1]
        assert np.all(P[states, actions, following] == 1)
    bump = tile.features[0, list(MOVES).index("R")]  # a wall right of S
    assert np.array_equal(bump, [0, 0, 0, 1]) and tile.mdp.dense()[0, list(MOVES).index("R"), 0] == 1


CORRIDOR = Puzzle(["rS.g"])  # L, C, D, R; the lazy expert with red = 3, green = 4 goes L first, then R


def cell_features(tile):
    """Indicators of (cell, action), blind to what was visited: the reward r(s, a) with s = cell."""
    cells = list(CORRIDOR.cells)
    f = np.zeros((tile.mdp.n_states, tile.mdp.n_actions, len(cells) * tile.mdp.n_actions))
    for s, (cell, _) in enumerate(tile.states[:-1]):
        for a in range(tile.mdp.n_actions):
            f[s, a, cells.index(cell) * tile.mdp.n_actions + a] = 1
    return f


def largest_margin(tile, features, expert, longest):
    """max over |w| ≤ 1 of the margin by which the expert's return w·f beats that of every other session."""
    f = {session: features[tuple(tile.walk(session))].sum(axis=0) for session in walks(CORRIDOR.layout, longest)}
    K = features.shape[2]
    A = [[*(f[other] - f[expert]), 1] for other in f if other != expert]
    found = linprog([0] * K + [-1], A, np.zeros(len(A)), bounds=[(-1, 1)] * K + [(None, None)])
    assert found.status == 0
    return -found.fun


def test_first_visit_rewards_are_not_markov_in_the_cell():
    """E7: no r(cell, action) makes the tour uniquely optimal; rewards of (cell, visited) do."""
    assert optimal_sessions(CORRIDOR, {"red": 3, "green": 4}).sessions == ("LRRR",)
    tile = tile_mdp(CORRIDOR, horizon=7)
    blind = cell_features(tile)
    tour, skip, twice = (blind[tuple(tile.walk(s))].sum(axis=0) for s in ("LRRR", "RR", "LRLRRR"))
    assert np.array_equal(tour, (skip + twice) / 2)
    assert abs(largest_margin(tile, blind, "LRRR", 6)) < 1e-9
    assert largest_margin(tile, tile.features, "LRRR", 6) > 0.1
    rng = np.random.default_rng(8)
    for _ in range(50):  # whatever the weights, e^R over the three sessions gives the tour at most a third
        θ = rng.normal(size=blind.shape[2]) * 5
        R = np.array([tour, skip, twice]) @ θ
        p = np.exp(R - R.max())
        assert p[0] / p.sum() <= 1 / 3 + 1e-12


def test_maximum_entropy_cannot_do_it_either():
    tile = tile_mdp(CORRIDOR, horizon=7)
    states, actions = tile.walk("LRRR")
    probability = {}
    for name, features in (("cell", cell_features(tile)), ("visited", tile.features)):
        fit = maxent_irl(tile.mdp, features, features[states, actions].sum(axis=0), l2=1e-4)
        probability[name] = np.prod(fit.π[np.arange(len(states)), states, actions])
    assert probability["cell"] <= 1 / 3 and probability["visited"] > 0.9


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("S.r", "equally long"),
        ([], "equally long"),
        (["S.r", "."], "equally long"),
        (["SXr"], "X"),
        (["..r"], "exactly one start"),
        (["S.S", "..r"], "exactly one start"),
        (["S.."], "1 to 12"),
        (["S" + "r" * 13], "1 to 12"),
    ],
)
def test_bad_maps_are_refused(layout, message):
    with pytest.raises(ValueError, match=message):
        Puzzle(layout)


def test_other_bad_input_is_refused():
    puzzle = Puzzle(["S.r"])
    for call, message in [
        (lambda: Puzzle(["Sr"], cost=float("nan")), "finite"),
        (lambda: trace(puzzle, "X"), "string of the moves"),
        (lambda: trace(puzzle, ["R"]), "string of the moves"),
        (lambda: trace(puzzle, "RU"), "move 2 .* wall"),
        (lambda: trace(puzzle, "RRR"), "move 3 .* wall"),
        (lambda: session_return(puzzle, "R", {"green": 1}), "red"),
        (lambda: session_return(puzzle, "R", {"red": np.inf}), "finite"),
        (lambda: consistent_rewards(puzzle, []), "at least one"),
        (lambda: consistent_rewards(puzzle, "RR"), "list"),
        (lambda: consistent_rewards(puzzle, ["RR"], "most"), "reading"),
        (lambda: consistent_rewards(puzzle, ["RR"]).contains({"red": 3, "blue": 1}), "red"),
        (lambda: consistent_rewards(puzzle, ["RR"]) & consistent_rewards(Puzzle(["S.g"]), [""]), "different"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_of_parallel_inequalities_the_tightest_counts():
    """Red ≤ 2, 2 red < 4 and red ≤ 3 say red < 2, in any order."""
    rows = [((1, 0), 2, False, "a"), ((2, 0), 4, True, "b"), ((1, 0), 3, False, "c")]
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        assert RewardSet.from_rows(("red", "blue"), [rows[i] for i in order]).facts() == ["red < 2"]


def test_a_set_without_inequalities_is_everything():
    everything = RewardSet.from_rows(("red", "blue"), [])
    assert not everything.empty and everything.facts() == []
    assert [bound.text(c) for c, bound in everything.bounds.items()] == ["red: anything", "blue: anything"]


def test_hauls_of_a_small_map_are_complete():
    """Every combination of tiles of a fully open map can be had; fewest steps by brute force."""
    layout = ["g.r", ".S.", "r.g"]
    fewest = {}
    for letters, steps in walks(layout, 8).values():
        key = letters.count("r"), letters.count("g")
        fewest[key] = min(steps, fewest.get(key, steps))
    found = shortest_per_count(Puzzle(layout))
    assert set(found) == set(product(range(3), range(3)))
    assert {n: t for n, t in found.items() if t <= 8} == {n: t for n, t in fewest.items() if t <= 8}
