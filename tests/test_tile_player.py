"""The playable puzzle without a browser: what buttons do, what is told, and the names shared with JavaScript."""

import json
import re
from pathlib import Path

import pytest

from course_utils import tile_plots
from course_utils.tiles import FIRST_PUZZLE, SECOND_PUZZLE, Puzzle
from course_utils.widgets import tile_player
from course_utils.widgets.tile_player import TilePlayer

JAVASCRIPT = (Path(tile_player.__file__).parent / "tile_player.js").read_text()


def play(player, actions):
    for action in actions.split():
        player.press(action)
    return player


def test_a_walk_is_where_the_moves_lead():
    player = play(TilePlayer(["..g", "S#.", "r.."]), "up right right down")
    assert player.path == [[1, 0], [0, 0], [0, 1], [0, 2], [1, 2]]
    assert player.session == "URRD" and player.sessions == []
    assert "4 steps" in player.message and "green − 4" in player.message


def test_a_wall_and_the_edge_stop_a_step_and_say_so():
    player = TilePlayer(["..g", "S#.", "r.."])
    for direction, where in [("right", "on the right"), ("left", "on the left")]:
        player.move(direction)
        assert player.path == [[1, 0]] and where in player.message
    for direction, where in [("up", "above"), ("down", "below")]:
        player.move(direction)
        player.move(direction)
        assert player.session and player.message == f"There is a wall {where}."
        player.reset()
    with pytest.raises(ValueError, match="northwest"):
        player.press("northwest")


def test_undo_and_reset():
    player = play(TilePlayer(FIRST_PUZZLE), "up right undo")
    assert player.path == [[1, 0], [0, 0]] and player.session == "U"
    assert play(player, "undo undo").path == [[1, 0]]  # one undo more than there are steps
    play(player, "down exit up up right reset")
    assert player.session == "" and player.sessions == ["D"]


def test_sessions_narrow_the_rewards_down():
    player = TilePlayer(["r.S.g"])
    assert [bound["text"] for bound in player.bounds] == ["red: anything", "green: anything"]
    play(player, "left left exit")  # red in 2 steps, and green is not worth 4 more
    assert player.path == [[0, 2]] and player.sessions == ["LL"]
    assert [bound["text"] for bound in player.bounds] == ["red ≥ 2", "green ≤ 4"]
    assert (player.bounds[0]["lower"], player.bounds[0]["upper"], player.bounds[0]["lowerAttained"]) == (2, None, True)
    play(player, "right right exit")  # so is green: they are worth the same
    assert "red − green = 0" in player.facts
    assert player.rewards.contains({"red": 3, "green": 3}) and not player.rewards.contains({"red": 3, "green": 2})
    play(player, "exit")  # and to exit at once is as good
    assert [bound["text"] for bound in player.bounds] == ["red = 2", "green = 2"]
    assert play(player, "forget forget").sessions == ["LL"]
    assert [bound["text"] for bound in player.bounds] == ["red ≥ 2", "green ≤ 4"]


def test_the_strong_reading_is_a_parameter():
    strong = play(TilePlayer(Puzzle(["S.r"]), reading="all"), "right right exit")
    assert [bound["text"] for bound in strong.bounds] == ["red > 2"]
    with pytest.raises(ValueError, match="reading"):
        play(TilePlayer(Puzzle(["S.r"]), reading="most"), "exit")


def test_what_no_reward_explains_is_told_and_can_be_forgotten():
    player = play(TilePlayer(SECOND_PUZZLE), "right up up exit right right left up up exit")
    assert player.bounds == [] and player.facts == [] and player.rewards.empty
    assert "no reward" in player.message and "session 2 must not take 5 steps for what 3 would bring" in player.message
    play(player, "forget")
    assert player.sessions == ["RUU"] and player.facts == ["yellow ≤ 4", "blue ≥ 1", "3 ≤ yellow + blue ≤ 6"]


def test_the_same_session_counts_once_and_nothing_can_be_forgotten_twice():
    player = play(TilePlayer(["S.r"]), "right exit right exit")
    assert player.sessions == ["R"] and "already" in player.message
    assert "no session" in play(player, "forget forget").message


def test_a_map_where_living_pays_is_refused_when_something_is_shown():
    with pytest.raises(ValueError, match="living pays"):
        play(TilePlayer(Puzzle(["S.r"], cost=-1)), "right exit")


def test_the_browser_is_told_in_one_message_of_plain_json(monkeypatch):
    player = play(TilePlayer(SECOND_PUZZLE), "right up up")
    sent = []
    monkeypatch.setattr(player, "_send", lambda message, buffers=None: sent.append(message))
    player.press("exit")
    (update,) = [message["state"] for message in sent if message["method"] == "update"]
    assert update["sessions"] == ["RUU"] and update["path"] == [[2, 0]] and update["session"] == ""
    assert {"bounds", "facts", "message"} < set(update) and json.loads(json.dumps(update)) == update


def test_a_message_from_the_browser_presses_a_button():
    player = TilePlayer(["S.r"])
    player._handle_custom_msg({"action": "right"}, [])
    player._handle_custom_msg({"action": "exit"}, [])
    assert player.sessions == ["R"]


def test_javascript_and_python_use_the_same_names():
    asked = set(re.findall(r'model\.get\("(\w+)"\)', JAVASCRIPT))
    asked |= set(re.findall(r'"(\w+)"', re.search(r"= \[([^\]]*)\]\.map\(\(name\) => model\.get", JAVASCRIPT)[1]))
    assert asked == {"rows", "path", "sessions", "bounds", "message", "facts"}
    assert all(TilePlayer.class_traits()[name].metadata.get("sync") for name in asked)
    buttons = set(re.findall(r'button\("(\w+)"', JAVASCRIPT))
    keys = set(re.findall(r': "(\w+)",', re.search(r"const KEYS = \{(.*?)\};", JAVASCRIPT, re.S)[1]))
    assert buttons == {"up", "left", "down", "right", "exit", "undo", "reset", "forget"} and keys < buttons
    for action in buttons:
        play(TilePlayer(["S.r"]), f"right {action}")  # each is understood
    assert dict(re.findall(r'\w: \["(\w+)", "(#\w+)"\]', JAVASCRIPT)) == tile_plots.PALETTE
    fields = set(re.findall(r"bound\.(\w+)", JAVASCRIPT))
    assert fields <= set(TilePlayer(["S.r"]).bounds[0])
