"""What the box and the marking promise, each on a notebook made here; the hostile corpus has a file of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

from course_utils.checks import Case, Output, Question, make_cases
from instructor.grading import assignments, marking, wire
from instructor.grading.box import Limits
from instructor.grading.records import (
    BLANK,
    DIED,
    ERROR,
    MISSING,
    PARTLY,
    REFUSED,
    RIGHT,
    TOO_SLOW,
    WRONG,
    Record,
    Submission,
)

ROOT = Path(__file__).resolve().parents[1]
SECRET = b"a secret of this test"
QUICK = Limits(cell=3.0, asleep=2.0, memory=700)
DOUBLE = "def double(x):\n    return 2 * x\n"


def notebook(*sources):
    """A notebook; the cell that defines `double` is the answer."""
    cells = []
    for i, source in enumerate(sources):
        metadata = {"course": {"question": "a99.q1"}, "nbgrader": {"solution": True, "grade_id": "a99-q1"}}
        answer = "def double" in source
        cells.append(
            {
                "cell_type": "code",
                "id": f"c{i}",
                "source": source,
                "metadata": metadata if answer else {},
                "outputs": [],
            }
        )
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


def question(**change):
    settings = dict(
        id="a99.q1",
        title="Twice",
        objective="double",
        difficulty=1,
        minutes=1,
        points=4,
        arguments=("x",),
        outputs=(Output("y", "i"),),
        cases=lambda rng: [Case({"x": x}, 2 * x) for x in rng.normal(size=(4, 3))],
        seconds=3.0,
    )
    return Question(**settings | change)


def others(rng):
    return [Case({"x": rng.normal(size=n)}, None, f"{n} numbers") for n in (1, 40)]


def doubled(cases):
    return [Case(case.args, 2 * case.args["x"], case.note) for case in cases]


@pytest.fixture
def toy(monkeypatch):
    """Set a question as assignment a99: toy(question, hidden) and then toy.mark(*cells)."""

    def set_up(asked=None, hidden=lambda rng: doubled(others(rng)), name="double", limits=QUICK):
        asked = asked or question()
        parts = {"a99.q1": asked}, {}, {"a99.q1": name}, {"a99.q1": hidden}, ("numpy",)
        made = assignments.Assignment("a99", "v", *parts)
        monkeypatch.setattr(marking, "load_assignment", lambda _: made)

        def mark(*cells, secret=SECRET):
            return marking.mark(Submission("ada", notebook=notebook(*cells)), "a99", secret, limits)

        return mark

    return set_up


def only(record):
    (answer,) = record.answers
    return answer


# ---- marks


def test_right_partly_wrong_blank(toy):
    mark = toy()
    expected = {
        "return 2 * x": (RIGHT, 4),
        "return x + x if len(x) < 20 else x": (PARTLY, 2),
        "return x": (WRONG, 0),
        "raise NotImplementedError('a99.q1')": (BLANK, 0),
        "return 1 / 0": (ERROR, 0),
        "return None": (WRONG, 0),
        "return 'abc'": (WRONG, 0),
        "return [2 * float(y) for y in x]": (RIGHT, 4),
        "x *= 2; return x": (WRONG, 0),  # it writes into its input, and the check says so
    }
    for body, (status, points) in expected.items():
        answer = only(mark(f"def double(x):\n    {body}"))
        assert (answer.status, answer.points) == (status, points), body


def test_the_public_instances_alone_earn_nothing(toy):
    known = [case.args["x"].tolist() for case in make_cases(question())]
    answer = only(
        toy()(f"import numpy as np\nknown = {known}", "def double(x):\n    return 2 * x if x.tolist() in known else x")
    )
    assert (answer.status, answer.points) == (WRONG, 0)
    assert answer.card["status"] == "passed"


def test_hidden_instances_come_from_the_secret(toy):
    toy()
    first, again, other = (
        np.concatenate([c.args["x"] for c in marking.hidden_cases(marking.load_assignment("a99"), "a99.q1", True, s)])
        for s in (b"1", b"1", b"2")
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_nothing_of_a_hidden_call_is_in_what_the_student_sees(toy):
    """The function prints, raises and remembers what it is given; only the public instances come back out."""
    cells = (
        "seen = []",
        (
            "def double(x):\n    seen.append(x.tolist())\n    print('SEEN', seen)\n"
            "    if len(seen) > 6: raise ValueError(f'SEEN {seen}')\n    return 2 * x"
        ),
    )
    record = toy()(*cells)
    shown = json.dumps([{k: v for k, v in vars(a).items() if k != "instances"} for a in record.answers])
    hidden = [
        c.args["x"]
        for other in (False, True)
        for c in marking.hidden_cases(marking.load_assignment("a99"), "a99.q1", other, SECRET)
    ]
    assert only(record).status == WRONG and hidden
    for x in hidden:
        for value in np.ravel(x):
            assert repr(float(value))[:8] not in shown


def test_cells_that_fail_or_never_end_cost_nothing_else(toy):
    mark = toy()
    for bad in ("1 / 0", "syntax error here", "import sys; sys.exit(3)", "import os; os._exit(0)", "while True: pass"):
        record = mark(bad, DOUBLE)
        assert only(record).points == 4, bad
    assert "left out" in mark("while True: pass", DOUBLE).notes[0]


def test_a_function_that_is_not_there(toy):
    mark = toy()
    assert only(mark("x = 1")).status == MISSING
    answer = only(mark("def double(x:\n    return 2 * x"))
    assert answer.status == MISSING and "SyntaxError" in answer.message
    assert (
        only(mark("def twice(y):\n    return 2 * y", "def double(x):\n    return 3 * x", DOUBLE)).points == 4
    )  # the last
    renamed = "def solution(x):\n    return 2 * x\nif False:\n    def double(): pass"  # found by the cell's metadata
    assert only(mark(renamed)).points == 4


@pytest.mark.parametrize(
    "body, status",
    [
        ("while True: pass", TOO_SLOW),
        ("import time; time.sleep(1000)", TOO_SLOW),
        ("import signal\n    signal.signal(signal.SIGINT, signal.SIG_IGN)\n    while True: pass", TOO_SLOW),
        ("import os; os._exit(0)", DIED),
        ("raise KeyboardInterrupt", DIED),
        ("import ctypes; ctypes.string_at(0)", DIED),
        ("import numpy as np; return np.full(200_000_000, 1.0)", DIED),
        ("import sys; sys.exit(0)", ERROR),
        ("return bytearray(8 * 2**30)", ERROR),
        ("import numpy as np; return np.zeros(20_000_000)", ERROR),
    ],
)
def test_what_ends_a_call(toy, body, status):
    answer = only(toy()(f"def double(x):\n    {body}"))
    assert (answer.status, answer.points) == (status, 0)


def test_malformed_is_refused_with_a_reason():
    record = marking.mark(Submission("ada", notebook=b"not a notebook"), "a1", SECRET)
    assert {a.status for a in record.answers} == {REFUSED} and record.message and record.out_of == 10
    assert Record.from_json(record.to_json()) == record


def test_unknown_assignments_are_named():
    with pytest.raises(ValueError, match="no assignment 'a77'.*a1"):
        marking.mark(Submission("ada"), "a77", SECRET)


# ---- what travels


class Environment:
    """A chain of states; counts its steps."""

    def __init__(self):
        self.state, self.steps = 0, 0

    def reset(self):
        self.state = 0
        return self.state

    def step(self, action):
        self.state, self.steps = self.state + int(action), self.steps + 1
        return self.state, float(self.state == 3)


def test_an_environment_a_reward_a_network_and_a_policy_that_comes_back(toy):
    net = torch.nn.Linear(2, 1)

    def observe(value, env, reward, net, **_):
        return np.array([value(np.array([1.0, 2.0])), value.best(3)]), np.array(env.steps)

    source = """
import numpy as np, torch
class Policy:
    def __init__(self, total): self.total = total
    def __call__(self, x): return self.total + x.sum()
    def best(self, n): return n + 1
def double(env, reward, net):
    s, total = env.reset(), 0.0
    while s < 3:
        s, r = env.step(1)
        total += r + reward(s)
    return Policy(total + float(net(torch.ones(2))[0]))
"""

    def case():
        args = dict(env=Environment(), reward=lambda s: 10.0 * s, net=net)
        total = 1 + 60 + net(torch.ones(2)).item()
        return Case(args, (np.array([total + 3, 4.0]), np.array(0)))  # the grader's own environment is never touched

    asked = question(
        arguments=("env", "reward", "net"),
        outputs=(Output("values", "i"), Output("steps")),
        cases=lambda rng: [case()],
        observe=observe,
        rtol=1e-5,
        seconds=20,
    )
    mark = toy(asked, lambda rng: [case()], limits=Limits(cell=20))
    answer = only(mark(source))
    assert (answer.status, answer.points) == (RIGHT, 4), answer


def test_callbacks_are_counted(toy):
    """An endless loop of calls ends by their number, long before its time is up."""
    asked = question(
        arguments=("f",),
        cases=lambda rng: [Case({"f": lambda: 1}, np.zeros(1))],
        outputs=(Output("y", "i"),),
        seconds=60.0,
    )
    mark = toy(asked, lambda rng: [], limits=Limits(calls=100))
    answer = only(mark("def double(f):\n    while True: f()"))
    assert answer.status == DIED and "too many calls" in answer.message
    assert only(mark("def double(f):\n    for _ in range(9): f()\n    return [0.0]")).status == RIGHT


def test_two_replies_cost_only_the_question_that_sent_them(toy):
    """A child that returns as well speaks unasked; what it says is nobody else's answer."""
    both = {"a99.q1": question(), "a99.q2": question(id="a99.q2")}
    mark = toy()
    made = marking.load_assignment("a99")
    made.questions.update(both)
    made.names["a99.q2"] = "twice"
    made.hidden["a99.q2"] = made.hidden["a99.q1"]
    record = mark("def double(x):\n    import os\n    os.fork()\n    return 3 * x", "def twice(x):\n    return 2 * x")
    assert [answer.points for answer in record.answers] == [0, 4], record


def test_nothing_but_tmp_can_be_written(toy):
    """So that nothing is left for the next student, also where the box runs as the instructor's own user."""
    source = """
import os
def double(x):
    for folder, inner, _ in os.walk("/"):
        inner[:] = [name for name in inner if name not in ("tmp", "shm", "usr", "packages", "lib")]
        try:
            open(os.path.join(folder, "left"), "w").close()
            print("WROTE", folder)
        except OSError:
            pass
    print("TRIED")
    return x
"""
    text = json.dumps(only(toy()(source)).card)
    assert "TRIED" in text and "WROTE" not in text


def test_no_handle_gives_more_than_its_methods():
    sent = []
    line = wire.Line(None, sent.append)
    number = line.home(SimpleNamespace(secret=1))
    for method in ("__class__", "secret", "__init__"):
        with pytest.raises(wire.BadMessage):
            line.serve({"number": number, "method": method}, {})
    line.forget()
    line.serve({"number": number, "method": None}, {})
    assert b"raised" in sent[-1]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -2.5,
        "text",
        (1, 2.0),
        [1, [2, 3]],
        {"a": np.arange(3)},
        np.float32(2),
        np.zeros((2, 0)),
        np.array(3),
    ],
)
def test_values_come_back_as_they_were(value):
    buffers = []
    plain = wire.pack(value, buffers, None)
    header, received = wire.receive(reader(wire.frame({"v": plain}, buffers)))
    again = wire.unpack(header["v"], iter(received), None)
    assert type(again) is type(value) or isinstance(value, list)
    np.testing.assert_equal(np.asarray(again, dtype=object).tolist(), np.asarray(value, dtype=object).tolist())


def reader(data):
    rest = memoryview(data)

    def read(n):
        nonlocal rest
        if n > len(rest):
            raise wire.Closed
        part, rest = rest[:n], rest[n:]
        return bytes(part)

    return read


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b'{"sizes": [5]}',
        b'{"sizes": [-1]}',
        b"[]",
        b"\xff\xfe",
        b'{"sizes": [], "a": ' + b"9" * 10_000 + b"}",
    ],
)
def test_forged_headers_are_refused(header):
    with pytest.raises(wire.BadMessage):
        wire.receive(reader(wire.LENGTHS.pack(len(header), len(header)) + header))


@pytest.mark.parametrize(
    "plain",
    [
        {"is": "array", "dtype": "O", "shape": [1]},
        {"is": "array", "dtype": "<f8", "shape": [2]},
        {"is": "array", "dtype": "<f8", "shape": [-1]},
        {"is": "array", "dtype": "<f8,<f8", "shape": [1]},
        {"is": "array", "dtype": "<f8", "shape": [2**39, 2**39]},
        {"is": "pickle", "of": ""},
        {"is": "handle", "number": "1", "name": "x", "call": True},
        {"is": "dict", "of": [1]},
        {},
    ],
)
def test_forged_values_are_refused(plain):
    with pytest.raises(wire.BadMessage):
        wire.unpack(plain, iter([b"\0" * 8]), None)


def test_giant_lengths_are_refused_before_anything_is_read():
    with pytest.raises(wire.BadMessage, match="MB"):
        wire.receive(reader(wire.LENGTHS.pack(2**62, 10)))


# ---- the box


LOOK = """
import os, socket, subprocess
def double(x):
    found = {}
    for place in ("/root", "/home", "/work", "/proc", "/etc/shadow", "/course/box"):
        try: found[place] = os.listdir(place)
        except OSError as e: found[place] = type(e).__name__
    try: socket.create_connection(("127.0.0.1", 22), timeout=1); found["net"] = True
    except OSError: found["net"] = False
    try: found["uid"] = os.setuid(0) or 0
    except OSError: found["uid"] = "no"
    try: open("/usr/x", "w"); found["write"] = True
    except OSError: found["write"] = False
    mounted = subprocess.run(["mount", "-t", "tmpfs", "x", "/mnt"], capture_output=True).returncode
    found["mount"] = mounted == 0
    found["tmp"] = os.listdir("/tmp")
    open("/tmp/left", "w").write("x")
    print(found)
    return x
"""


def test_what_the_box_does_not_let_through(toy):
    mark = toy()
    for _ in range(2):  # the second time, nothing of the first is there
        card = only(mark(LOOK)).card
        text = json.dumps(card)
        assert "'net': False" in text and "'write': False" in text and "'mount': False" in text
        assert "'tmp': []" in text and "'/proc': []" in text
        assert str(ROOT / "tests") not in text and "hidden_tests" not in text


def test_the_course_is_not_in_the_box(toy):
    mark = toy()
    for source in (
        "from course_utils.planning import soft_value_iteration as double",
        "from course_utils.checks.a1.q1 import QUESTION as double",
        "import instructor.grading.marking as m; double = m.mark",
    ):
        assert only(mark(source, "x = 1")).points == 0
    assert (
        only(mark("from course_utils.checks import check, unfinished_ok", DOUBLE, "check('a99.q1', double)")).points
        == 4
    )


def test_nothing_is_left_behind(toy):
    """A daemon that leaves its family dies with its box all the same."""
    mark = toy()
    daemon = """
import os, time
def double(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
    return 2 * x
"""
    assert only(mark(daemon)).points == 4
    (box,) = marking._boxes.values()
    inside = psutil.Process(box.process.pid).children(recursive=True)
    assert inside
    marking.close_box()
    _, left = psutil.wait_procs(inside, timeout=10)
    assert not left


def test_a_box_that_is_killed_is_made_anew(toy):
    mark = toy()
    assert only(mark(DOUBLE)).points == 4
    (box,) = marking._boxes.values()
    box.process.kill()
    assert only(mark(DOUBLE)).points == 4


def test_without_bubblewrap_it_refuses(tmp_path):
    """And says what to install. In a process of its own, which finds no bwrap."""
    code = (
        "from instructor.grading import marking; from instructor.grading.records import Submission;"
        "from pathlib import Path;"
        "marking.mark(Submission('x', notebook=Path('solutions/a1_maxent.ipynb').read_bytes()), 'a1', b's')"
    )
    env = os.environ | {"PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode and "NoBox" in done.stderr and "apt install bubblewrap" in done.stderr
