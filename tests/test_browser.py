"""The course in JupyterLab, in a real browser: lectures run, the puzzle reacts, a check's card names the mistake."""

import json
import re
import shutil

import pytest
from conftest import ARTIFACTS, ASSIGNMENTS, LECTURES, ROOT, SOLUTIONS
from lab import Lab
from playwright.sync_api import expect

from course_utils import progress

WAYS = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a copy of what a student has; of this module only, for Playwright shares no event loop."""
    folder = tmp_path_factory.mktemp("lab")
    for name in ("notebooks", "assignments"):
        shutil.copytree(ROOT / name, folder / "course" / name)
    ARTIFACTS.mkdir(exist_ok=True)
    with Lab(folder / "course", folder / "scratch", ARTIFACTS) as lab:
        yield lab


def the_tile_puzzle_reacts_to_clicks_and_keys(notebook):
    player = notebook.page.locator(".tile-player").first
    player.scroll_into_view_if_needed()
    board, message = player.locator(".tile-board"), player.locator(".tile-message")

    def place():
        """Row, column and steps, as the map tells a screen reader."""
        label = board.get_attribute("aria-label")
        return tuple(int(number) for number in re.search(r"row (\d+), column (\d+), after (\d+)", label).groups())

    def said(act):
        """What the puzzle says after an action; every action makes it say something new."""
        before = message.inner_text()
        act()
        expect(message).not_to_have_text(before)
        return message.inner_text()

    def click(button):
        return said(player.get_by_role("button", name=button, exact=True).click)

    def press(key):
        return said(lambda: notebook.page.keyboard.press(key))

    click("Back to start")
    board.click()
    expect(board).to_be_focused()
    row, column, _ = start = place()
    assert start[2] == 0
    free = []
    for way, (down, right) in WAYS.items():
        for act in (lambda way=way: click(f"Move {way}"), lambda way=way: press(f"Arrow{way.title()}")):
            told = act()
            stopped = "wall" in told
            assert place() == (start if stopped else (row + down, column + right, 1)), told
            assert stopped or board.locator(".tile-path").count() == 1
            board.focus()
            press("Escape")
            assert place() == start
        free += [way] * (not stopped)
    assert free, "the start is walled in"

    # A letter is no command to JupyterLab while the puzzle is played: x would cut the cell out.
    board.focus()
    cells = len(notebook.sources())
    notebook.page.keyboard.press("x")
    assert len(notebook.sources()) == cells and player.is_visible()

    # A session is shown (to exit at once): it is listed, and the rewards that explain it are drawn.
    assert player.locator(".tile-facts").inner_text() == "Any reward, so far."
    assert click("Exit here").startswith("Session 1 is shown")
    expect(player.locator(".tile-sessions li")).to_have_count(1)
    expect(player.locator(".tile-facts")).to_contain_text("Exactly:")
    assert player.locator(".tile-chart .tile-bound").count() > 0
    click(f"Move {free[0]}")
    player.screenshot(path=ARTIFACTS / "tile_player.png")


def the_first_slider_redraws_its_figure(notebook):
    handle = notebook.page.locator(".widget-slider .noUi-handle").first
    handle.scroll_into_view_if_needed()
    picture = notebook.page.locator(".widget-interact img").first
    before = picture.get_attribute("src")
    handle.focus()
    notebook.page.keyboard.press("ArrowRight")
    expect(picture).not_to_have_attribute("src", before)


def the_reader_answers_a_round_of_dagger(notebook):
    """Nine answers by key and one by a button: the learner has learned from ten, drives, and asks again."""
    session = notebook.page.locator(".labeller").first
    session.scroll_into_view_if_needed()
    progress, status = session.locator(".labeller-progress"), session.locator(".labeller-status")
    session.locator(".labeller-picture").click()
    for i in range(9):
        expect(progress).to_have_text(f"{i + 1} of 10")
        notebook.page.keyboard.press(["ArrowLeft", "ArrowUp", "Shift+ArrowRight"][i % 3])
    expect(progress).to_have_text("10 of 10")
    session.get_by_role("button", name="right", exact=True).click()
    expect(status).to_contain_text("Round 1: learned from 10 answers. falls a lap: ")
    expect(progress).to_have_text("1 of 10")
    notebook.run_cell("if yours.data is not None")
    figure = notebook.cell("if yours.data is not None").get_by_role("img").first
    expect(figure).to_have_attribute("alt", re.compile(r"Yours: \d"))


# What is played in a lecture once it has run.
PLAYED = {
    "01": the_tile_puzzle_reacts_to_clicks_and_keys,
    "02": the_first_slider_redraws_its_figure,
    "04": the_first_slider_redraws_its_figure,
    "05": the_first_slider_redraws_its_figure,
    "09": the_first_slider_redraws_its_figure,
    "10": the_reader_answers_a_round_of_dagger,
}


@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem)
def test_a_lecture_runs(lab, path):
    """Run All: nothing complains. One picture of all of it is kept in artifacts/."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    with lab.open(f"notebooks/{path.name}") as notebook:
        notebook.run_all()
        notebook.picture(ARTIFACTS / f"{path.stem}.png")
        assert notebook.complaints() == []
        assert len(notebook.sources()) == sum(cell["cell_type"] == "code" for cell in cells)
        expect(notebook.page.get_by_text("Loading widget...")).to_have_count(0)
        if path.name[:2] in PLAYED:
            PLAYED[path.name[:2]](notebook)
            assert notebook.complaints() == []


def write_notebook(path, *sources):
    """A notebook of code cells."""
    empty = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**empty, "id": f"c{i}", "source": source} for i, source in enumerate(sources)]
    metadata = {"kernelspec": {"name": "python3", "display_name": ""}}
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}))


def test_a_failing_cell_is_seen(lab):
    """The oracle of the test above: an error in a cell, and one in a widget's callback."""
    division = "import ipywidgets\nipywidgets.interact(lambda x: 1 / (x - 5), x=(0, 10));"
    write_notebook(lab.root / "bad.ipynb", division, "[][1]", "2")
    with lab.open("bad.ipynb") as notebook:
        notebook.run_all()
        division, index = notebook.complaints()
        assert "ZeroDivisionError" in division and "IndexError" in index


REFERENCE_IGNORED = """def soft_bellman(P, r, ref, horizon):
    V, π = np.zeros((horizon + 1, len(r))), np.zeros((horizon, *r.shape))
    for t in reversed(range(horizon)):
        Q = r + P @ V[t + 1]
        V[t] = logsumexp(Q, axis=1)
        π[t] = np.exp(Q - V[t][:, None])
    return V, π
"""
HARD_MAX = """def soft_bellman(P, r, ref, horizon):
    V, π = np.zeros((horizon + 1, len(r))), np.zeros((horizon, *r.shape))
    for t in reversed(range(horizon)):
        Q = r + P @ V[t + 1]
        V[t] = Q.max(axis=1)
        π[t] = np.eye(r.shape[1])[Q.argmax(axis=1)]
    return V, π
"""


def test_a_student_is_wrong_twice_and_then_right(lab):
    """a1.q2 in the blank assignment: not yet, then two cards that name the mistake, then passed."""
    (path,) = (path for path in ASSIGNMENTS if path.name.startswith("a1_"))
    (solved,) = (solved for solved in SOLUTIONS if solved.name == path.name)
    solution = next(
        cell["source"] for cell in json.loads(solved.read_text(encoding="utf-8"))["cells"] if cell["id"] == "a1-q2"
    )
    with lab.open(f"assignments/{path.name}") as notebook:
        notebook.run_all()
        assert notebook.complaints() == []
        notebook.picture(ARTIFACTS / f"{path.stem}_blank.png")
        cards = notebook.page.locator("section[aria-label^='Check a1.']")
        assert cards.count() == sum("check(" in text for text in notebook.sources())
        for card in cards.all():
            assert card.get_attribute("aria-label").endswith("Not yet")

        card = notebook.page.locator("section[aria-label^='Check a1.q2:']")
        for answer, verdict, mistake in [
            (REFERENCE_IGNORED, "Not passed", "reference ignored"),
            (HARD_MAX, "Not passed", "hard max"),
            (solution, "Passed", None),
        ]:
            notebook.rewrite("def soft_bellman", "".join(answer))
            notebook.run_cell("def soft_bellman")
            notebook.run_cell('check("a1.q2"')
            expect(card).to_have_attribute("aria-label", f"Check a1.q2: {verdict}")
            expect(card).to_be_visible()
            if mistake:
                expect(card).to_contain_text(f"This looks like: {mistake}")
                card.screenshot(path=ARTIFACTS / f"card_{mistake.replace(' ', '_')}.png")
        assert notebook.complaints() == []
    kept = [entry["status"] for entry in progress.read()[0] if entry["question"] == "a1.q2"]
    assert kept[-4:] == ["not yet", "failed", "failed", "passed"]


# A reader answers four pictures, and then is DAgger's expert for two rounds; later cells compute from the answers.
LABELLER = """import numpy as np
from course_utils.environments import make, navigation_picture
from course_utils.imitation import ridge
from course_utils.widgets.dagger_session import DaggerSession
from course_utils.widgets.labeller import Labeller

WAYS = [("Shift+ArrowLeft", "hard left", (-1, 0)), ("ArrowLeft", "left", (-0.5, 0)), ("s", "stay", (0, 0)),
        ("ArrowRight", "right", (0.5, 0)), ("ArrowUp", "up", (0, 0.5))]
places = np.linspace([-0.9, -0.9], [0.9, 0.9], 4)
alts = [f"The point is at {place.round(1)}." for place in places]
labeller = Labeller([navigation_picture(place) for place in places], WAYS, alts, "Where to?", early="enough")
labeller"""
ANSWERS = """print("answers:", [answer and sum(answer) for answer in labeller.answers])"""
SESSION = """env = make("Navigation-v0", 2)
session = DaggerSession(env, ridge(env), navigation_picture, str, WAYS, np.random.default_rng(0), per_round=3,
                        score=lambda policy: 1 / (len(session.curve) < 2), score_name="the score")
session.labeller"""
LEARNED = (
    """print("learned:", session.data and (session.run.queries.tolist(), session.data.labels.sum(axis=0).tolist()))"""
)


def test_a_reader_answers_in_the_labeller(lab):
    write_notebook(lab.root / "labeller.ipynb", LABELLER, ANSWERS, SESSION, LEARNED)
    with lab.open("labeller.ipynb") as notebook:
        page = notebook.page
        notebook.run_all()
        queue, session = page.locator(".labeller").all()
        status = queue.locator(".labeller-status")

        def printed(cell):
            notebook.run_cell(cell)
            return notebook.cell(cell).locator(".jp-OutputArea-output").first.inner_text().strip()

        def picture(widget):
            """What is on the picture now: the browser has drawn it."""
            image = widget.locator(".labeller-image")
            return image.evaluate("it => it.decode().then(() => [it.naturalWidth, it.src])")

        expect(queue.locator(".labeller-progress")).to_have_text("1 of 4")
        expect(queue.get_by_role("img", name="The point is at [-0.9 -0.9].")).to_be_visible()
        width, first = picture(queue)
        assert width == 200 and printed("answers:") == "answers: [None, None, None, None]"

        # Keys, as soon as the picture has the focus; held down, a key answers one picture.
        queue.locator(".labeller-picture").click()
        page.keyboard.down("ArrowLeft")
        page.keyboard.down("ArrowLeft")
        page.keyboard.up("ArrowLeft")
        expect(status).to_contain_text("Picture 1: left. 2 of 4: The point is at [-0.3 -0.3].")
        assert picture(queue)[1] != first
        page.keyboard.press("Space")
        expect(status).to_contain_text("Picture 2: skipped.")
        page.keyboard.press("Backspace")
        expect(status).to_contain_text("Picture 2 again.")
        page.keyboard.press("Shift+ArrowLeft")
        expect(status).to_contain_text("Picture 2: hard left.")
        page.keyboard.press("x")  # no choice; and JupyterLab must not hear it: it would cut the cell out
        expect(queue.locator(".labeller-progress")).to_have_text("3 of 4")
        queue.screenshot(path=ARTIFACTS / "labeller.png")
        assert printed("answers:") == "answers: [-0.5, -1, None, None]"

        # Buttons: by mouse, and by Tab and Space or Enter.
        queue.get_by_role("button", name="up", exact=True).click()
        expect(status).to_contain_text("Picture 3: up.")
        queue.get_by_role("button", name="undo", exact=True).click()
        expect(status).to_contain_text("Picture 3 again.")
        queue.locator(".labeller-picture").focus()
        for _ in range(3):
            page.keyboard.press("Tab")
        expect(queue.get_by_role("button", name="stay", exact=True)).to_be_focused()
        page.keyboard.press("Space")
        expect(status).to_contain_text("Picture 3: stay.")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(status).to_contain_text("Picture 4: right. That was the last one.")
        expect(queue.locator(".labeller-progress")).to_have_text("4 of 4 answered")
        page.keyboard.press("ArrowRight")  # too late, and no error
        assert printed("answers:") == "answers: [-0.5, -1, 0, 0.5]"
        queue.get_by_role("button", name="undo", exact=True).click()
        expect(queue.locator(".labeller-progress")).to_have_text("4 of 4")
        queue.get_by_role("button", name="enough").click()
        expect(status).to_contain_text("Ended with 1 picture left.")
        assert printed("answers:") == "answers: [-0.5, -1, 0, None]"

        # DAgger: a whole round by keys, one that is ended early; then the score fails, and that is told.
        assert printed("learned:") == "learned: None"
        status = session.locator(".labeller-status")
        session.locator(".labeller-picture").click()
        for i, key in enumerate(["ArrowRight", "ArrowUp", "s"]):
            expect(session.locator(".labeller-progress")).to_have_text(f"{i + 1} of 3")
            page.keyboard.press(key)
        expect(status).to_contain_text("Round 1: learned from 3 answers. the score: 1.")
        expect(session.locator(".labeller-progress")).to_have_text("1 of 3")
        page.keyboard.press("ArrowUp")  # the picture still has the focus
        expect(session.locator(".labeller-progress")).to_have_text("2 of 3")
        session.get_by_role("button", name="learn now").click()
        expect(status).to_contain_text("Round 2: learned from 4 answers. the score: 1, before: 1.")
        assert printed("learned:") == "learned: ([3, 4], [0.5, 1.0])"
        session.screenshot(path=ARTIFACTS / "labeller_session.png")
        assert notebook.complaints() == []
        session.get_by_role("button", name="right", exact=True).click()
        expect(status).to_contain_text("Picture 1: right.")
        session.get_by_role("button", name="learn now").click()
        expect(status).to_contain_text("ZeroDivisionError: division by zero")

        # On a telephone: nothing sticks out, and each answer is large enough for a finger.
        page.set_viewport_size({"width": 360, "height": 800})
        queue.scroll_into_view_if_needed()
        assert queue.evaluate("it => it.scrollWidth <= it.clientWidth && it.clientWidth <= 360")
        boxes = [button.bounding_box() for button in queue.locator(".labeller-choice").all()]
        assert min(box["width"] for box in boxes) >= 44 and min(box["height"] for box in boxes) >= 44
        queue.screenshot(path=ARTIFACTS / "labeller_narrow.png")
