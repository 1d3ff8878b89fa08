import numpy as np
import pytest

from course_utils.gridworlds import MOVES, gridworld, radial_features, state_indicators


def by_the_rules(layout, slip, names):
    """P written from the definition, cell by cell: the oracle."""
    cells = [(i, j) for i, line in enumerate(layout) for j, c in enumerate(line) if c != "#"]
    P = np.zeros((len(cells), len(names), len(cells)))
    for s, (i, j) in enumerate(cells):
        for a in range(len(names)):
            for b, name in enumerate(names):
                di, dj = MOVES[name]
                to = (i + di, j + dj)
                chance = slip / len(names) + (1 - slip) * (a == b)
                P[s, a, cells.index(to) if to in cells else s] += chance
    return cells, P


@pytest.mark.parametrize("slip", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("stay", [False, True])
@pytest.mark.parametrize("layout", [["S.G"], [".", "#", "."], ["S..#", ".#..", "...G"], ["##.", "..S", "S#G"]], ids=str)
def test_transitions_follow_the_rules(layout, slip, stay):
    world = gridworld(layout, slip=slip, horizon=5, stay=stay)
    cells, P = by_the_rules(layout, slip, list(MOVES)[: 5 if stay else 4])
    assert [tuple(c) for c in world.cells] == cells
    assert np.allclose(world.mdp.dense(), P, atol=1e-15)
    letters = [layout[i][j] for i, j in cells]
    assert world.mdp.terminal.tolist() == [c == "G" for c in letters]
    starts = [c == "S" for c in letters] if "S" in letters else [c != "G" for c in letters]
    assert np.allclose(world.mdp.p0, np.array(starts) / sum(starts))
    assert world.shape == (len(layout), len(layout[0]))


def test_pictures_put_every_state_in_its_cell():
    world = gridworld(["S.#", ".#G"], horizon=3)
    values = np.arange(world.mdp.n_states) + 10.0
    picture = world.picture(values)
    assert np.array_equal(np.isnan(picture), [[False, False, True], [False, True, False]])
    for s, (i, j) in enumerate(world.cells):
        assert picture[i, j] == values[s] and world.index[i, j] == s
    with pytest.raises(ValueError, match=r"\(4,\); got \(3,\)"):
        world.picture(values[:3])


def test_features():
    world = gridworld(["S.#", ".#G"], horizon=3)
    bumps = radial_features(world, [(0, 0), (1, 2)], width=0.5)
    assert bumps.shape == (4, 4, 2)
    for s, (i, j) in enumerate(world.cells):
        for k, (ci, cj) in enumerate([(0, 0), (1, 2)]):
            assert np.allclose(bumps[s, :, k], np.exp(-((i - ci) ** 2 + (j - cj) ** 2) / (2 * 0.25)))
    indicators = state_indicators(world).toarray().reshape(4, 4, 4)
    assert np.array_equal(indicators, np.repeat(np.eye(4)[:, None], 4, axis=1))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: gridworld("S.", horizon=1), "list of equally long strings"),
        (lambda: gridworld([], horizon=1), "list of equally long strings"),
        (lambda: gridworld(["S.", "."], horizon=1), "list of equally long strings"),
        (lambda: gridworld(["S.x"], horizon=1), r"made of \. # S G; it has \['x'\]"),
        (lambda: gridworld(["S."], slip=1.2, horizon=1), "slip must be a probability, got 1.2"),
        (lambda: gridworld(["G#"], horizon=1), "no cell to start from"),
        (lambda: radial_features(gridworld(["S."], horizon=1), [(0, 0)], 0), "width > 0"),
        (lambda: radial_features(gridworld(["S."], horizon=1), [(0, 0, 0)], 1), r"\(row, column\) pairs"),
    ],
)
def test_bad_maps_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
