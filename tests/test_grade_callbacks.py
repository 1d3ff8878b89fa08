"""What an answer can do to the functions that it is given: those of a6.q2 live in the grader, and are called back.

Each is the solved a6 (11 points) with another answer to a6.q2 (5 points, which no other question uses).
"""

import json

import pytest
from helpers import ROOT
from hostile import little_time

from instructor.grading import marking
from instructor.grading.box import Limits
from instructor.grading.records import DIED, ERROR, RIGHT, TOO_SLOW, WRONG, Submission

SECRET = b"the secret of the callbacks"
SOLVED = (ROOT / "solutions" / "a6_imitation.ipynb").read_text(encoding="utf-8")
HEAD = "def dagger(reset, step, expert, learn, p, T, coins):\n"
(MODEL,) = ("".join(c["source"]) for c in json.loads(SOLVED)["cells"] if c["id"] == "a6-q2")
MODEL = MODEL.replace("def dagger(", "def model(")

ANSWERS = {
    "never stops calling": ("reset()\nwhile True:\n    try: step(0)\n    except Exception: pass", (TOO_SLOW, DIED)),
    "never stops calling reset": ("while True: reset()", (ERROR,)),  # the school counts, and raises
    "calls from a thread": (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as pool:\n"
        "    return pool.submit(model, reset, step, expert, learn, p, T, coins).result()",
        (RIGHT,),
    ),
    "swallows what a callback raises": (
        "try: step('left')\nexcept Exception: pass\nreturn model(reset, step, expert, learn, p, T, coins)",
        (RIGHT,),
    ),
    "a callback raises": ("reset()\nstep(-7)", (ERROR,)),
    "an argument of 800 MB": ("reset()\nstep(np.zeros(10**8))", (ERROR, DIED)),  # too large, or out of memory before
    "an argument of a million nested lists": (
        "reset()\nx = 0\nfor _ in range(10**6): x = [x]\nstep(x)",
        (ERROR, DIED),
    ),
    "too many arguments": ("reset(*range(10_000))", (ERROR,)),
    "gives functions back": ("reset()\nstep(step)", (ERROR,)),
    "a callback calls back": ("reset()\nlearn([lambda: step(0)], [0])", (ERROR,)),
    "an endless policy": ("return [0], [0], iter(int, 1)", (WRONG,)),
    "looks for the tables": ("return step.school.moves, expert.__self__, learn._key()", (ERROR,)),
    "asks for what is private": (
        "line = step.__call__.__closure__ or type(step).__call__.__closure__\n"
        "line = next(c.cell_contents for c in line if hasattr(c.cell_contents, 'call'))\n"
        "for n in range(5):\n"
        "    for name in ('_key', '__init__', '__getattribute__', '__class__', '__reduce__'):\n"
        "        try: print('GOT', line.call(n, name, ()))\n"
        "        except Exception: pass\n"
        "return [0], [0], [0]",
        (DIED, ERROR, WRONG),
    ),
    "an action that is equal to everything": (
        "class Any(int):\n    __eq__ = lambda self, other: True\n    __hash__ = int.__hash__\n"
        "reset()\nfor _ in coins: expert(Any(0))\nreturn Any(0), Any(0), Any(0)",
        (WRONG, ERROR),
    ),
}


def graded(source):
    plain = json.loads(SOLVED)
    (cell,) = (c for c in plain["cells"] if c["id"] == "a6-q2")
    cell["source"] = source
    limits = Limits(cell=5.0, asleep=3.0, memory=1024)
    return marking.mark(Submission("ada", notebook=json.dumps(plain).encode()), "a6", SECRET, limits)


@pytest.fixture(scope="module", autouse=True)
def quick_questions():
    with little_time("a6", 4.0):
        yield


@pytest.mark.parametrize("name", ANSWERS)
def test_a_hostile_caller_gets_what_it_deserves(name):
    body, deserved = ANSWERS[name]
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    record = graded(f"{MODEL}\n\n{HEAD}{lines}")
    q1, q2, q3 = record.answers
    assert q2.status in deserved, (q2, record.notes)
    assert q2.points == (5 if RIGHT in deserved else 0)
    assert (q1.status, q3.status) == (RIGHT, RIGHT), "it is nobody else's question"
    assert "GOT" not in str(q2.card)


def test_a_callback_that_was_kept_is_dead_later():
    """What an answer keeps cannot be called in the next call: neither for more questions nor for other tables."""
    keep = "kept = []\n" + MODEL + "\n\n" + HEAD
    keep += "    for old in kept:\n        try: print('STILL', old())\n        except Exception: pass\n"
    keep += "    kept.append(reset)\n    return model(reset, step, expert, learn, p, T, coins)\n"
    q2 = graded(keep).answers[1]
    assert q2.status in (RIGHT, DIED) and "STILL" not in str(q2.card), q2
