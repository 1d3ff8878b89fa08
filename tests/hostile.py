# ruff: noqa: E501  (the sources of hostile cells stand in one line each)
"""The hostile corpus: notebooks of a1 with the marks that they deserve.

Each is the solved notebook (10 points) with another answer to a1.q1 (2 points, which no other question uses), with more
cells, or changed as a file. `CORPUS` maps a name to an Entry.
"""

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from instructor.grading import marking
from instructor.grading.assignments import load_assignment
from instructor.grading.records import BLANK, DIED, ERROR, MISSING, PARTLY, REFUSED, RIGHT, TOO_SLOW, WRONG

ROOT = Path(__file__).resolve().parents[1]
SOLVED = json.loads((ROOT / "solutions" / "a1_maxent.ipynb").read_bytes())
EMPTY = json.loads((ROOT / "assignments" / "a1_maxent.ipynb").read_bytes())
ANSWER, CHECK = "a1-q1", "a1-q1-check"
RIGHT_ANSWER = next("".join(cell["source"]) for cell in SOLVED["cells"] if cell["id"] == ANSWER)
HEAD = "def log_partition(next_state, r, g, start, horizon):\n"


@dataclass(frozen=True)
class Entry:
    """A notebook (bytes), the status of a1.q1 (several if the race is open), and the points of the whole: deserved."""

    notebook: bytes
    status: str | tuple
    points: float


def copy(notebook=SOLVED):
    return json.loads(json.dumps(notebook))


def cell(source, **more):
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source, **more}


def answer(source, before=(), after=()):
    """The solved notebook with this answer to a1.q1, and cells before the first and after the last."""
    notebook = copy()
    for c in notebook["cells"]:
        if c["id"] == ANSWER:
            c["source"] = source
    notebook["cells"] = [*map(cell, before), *notebook["cells"], *map(cell, after)]
    return json.dumps(notebook).encode()


def body(text, status, points=8, **cells):
    return Entry(
        answer(HEAD + "\n".join("    " + line for line in text.strip("\n").splitlines()), **cells), status, points
    )


def edited(change, status=RIGHT, points=10, notebook=SOLVED):
    made = copy(notebook)
    made = change(made) or made
    return Entry(json.dumps(made).encode(), status, points)


def right_with(*before, answer_source=RIGHT_ANSWER, after=(), status=RIGHT, points=10):
    return Entry(answer(answer_source, before, after), status, points)


def cells_of(notebook, id):
    return [c for c in notebook["cells"] if c["id"] == id]


def drop_checks(n):
    n["cells"] = [c for c in n["cells"] if not c["id"].endswith("-check")]


def duplicate_checks(n):
    n["cells"] = [c for c in n["cells"] for _ in range(3 if c["id"].endswith("-check") else 1)]


def edit_checks(n):
    for c in n["cells"]:
        if c["id"].endswith("-check"):
            c["source"] = "print('all passed', 10)"


def more_points(n):
    for c in n["cells"]:
        if "nbgrader" in c["metadata"]:
            c["metadata"]["nbgrader"] |= {"points": 1000, "grade": True, "locked": False}


def no_ids(n):
    n["nbformat_minor"] = 4
    for c in n["cells"]:
        del c["id"]
        c["metadata"] = {}


def to_version_3(n):
    new = []
    for c in n["cells"]:
        c.pop("id")
        new.append(c | {"input": c["source"], "language": "python"} if c["cell_type"] == "code" else c)
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": new}]}


def with_outputs(n):
    for c in n["cells"]:
        if c["cell_type"] == "code":
            c["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 200_000}]


def wrong_but(patches, points=8):
    """A wrong answer that tries to be taken for right by changing what tests might use."""
    return right_with(patches, answer_source=HEAD + "    return 0.0", status=WRONG, points=points)


ONLY_IN_THE_BOX = "import os\nassert not os.path.exists('/proc/self')\n"  # should the box ever leak
EQUAL = """
import numpy as np
class Yes(float):
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = lambda a, b: True
    __ne__ = lambda a, b: False
    __sub__ = __rsub__ = lambda a, b: 0.0
    __hash__ = float.__hash__
    __reduce__ = lambda self: (exec, ("raise SystemExit",))
class Array(np.ndarray):
    __eq__ = lambda a, b: True
    __array_ufunc__ = lambda self, *args, **k: True
    __reduce__ = __reduce_ex__ = lambda self, *a: (exec, ("raise SystemExit",))
class Liar:
    shape, dtype, ndim = (), np.dtype(float), 0
    def __array__(self, *a, **k): return np.array(0.0)
    def __float__(self): return 0.0
"""


@contextmanager
def little_time(assignment, seconds=3.0):
    """The questions as they are, with less time for those who want it all; the box is closed in the end."""
    patch = pytest.MonkeyPatch()
    for question in load_assignment(assignment).questions.values():
        patch.setitem(question.__dict__, "seconds", seconds)
    yield
    patch.undo()
    marking.close_box()


CORPUS = {
    # ordinary
    "correct": right_with(),
    "blank": Entry(json.dumps(EMPTY).encode(), BLANK, 0),
    "partial: enumerates all sessions": body(
        """
import itertools, numpy as np
if len(r[0]) ** int(horizon) > 10_000: return 0.0
total = []
for actions in itertools.product(range(len(r[0])), repeat=int(horizon)):
    s, R = start, 0.0
    for a in actions: R, s = R + float(r[s, a]), next_state[s, a]
    total.append(R + float(g[s]))
top = max(total)
return top + np.log(np.sum(np.exp(np.array(total) - top)))""",
        PARTLY,
        9,
    ),
    "wrong": body("return 0.0", WRONG),
    "syntax error": Entry(answer(HEAD + "    return (1"), MISSING, 8),
    "syntax error elsewhere": right_with("def ((("),
    "cells that fail": right_with("1 / 0", "undefined_name", after=("raise ValueError",)),
    "two definitions, the last counts": right_with(HEAD + "    return 0.0"),
    "spoiled by a later cell": right_with(after=(HEAD + "    return 0.0",), status=WRONG, points=8),
    "mended by a later cell": Entry(answer(HEAD + "    return 0.0", after=(RIGHT_ANSWER,)), RIGHT, 10),
    "function deleted": Entry(answer("x = 1"), MISSING, 8),
    "renamed function": Entry(answer(RIGHT_ANSWER.replace("log_partition", "my_answer")), RIGHT, 10),
    "magics and a shell": right_with("%matplotlib inline\n%load_ext autoreload", "!ls /", "%%time\nx = 1"),
    "plots and widgets": right_with(
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()",
        "import ipywidgets\nipywidgets.interact(lambda x: x, x=(0, 3))",
        "from IPython.display import display, HTML\ndisplay(HTML('<b>x</b>'))",
    ),
    "await at the top": right_with("import asyncio\nawait asyncio.sleep(0)"),
    "prints to stderr": right_with("import sys\nprint('warning', file=sys.stderr)"),
    "asks for input": right_with("input('name?')", "breakpoint()"),
    # the file
    "checks deleted": edited(drop_checks),
    "checks duplicated": edited(duplicate_checks),
    "checks edited, answer wrong": Entry(edited(edit_checks, notebook=EMPTY).notebook, BLANK, 0),
    "points edited, blank": edited(more_points, BLANK, 0, EMPTY),
    "no ids, no metadata": edited(no_ids),
    "nbformat 3": edited(to_version_3),
    "5 MB of outputs": edited(with_outputs),
    "no JSON": Entry(b"{", REFUSED, 0),
    "empty": Entry(b"", REFUSED, 0),
    "a list": Entry(b"[1, 2]", REFUSED, 0),
    "deeply nested": Entry(b"[" * 100_000 + b"]" * 100_000, REFUSED, 0),
    "not text": Entry(bytes(range(256)) * 10, REFUSED, 0),
    # never ends, or ends everything
    "infinite loop": body("while True: pass", TOO_SLOW),
    "loop that ignores signals": body(
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except Exception: pass\nwhile True: pass",
        TOO_SLOW,
    ),
    "sleeps": body("import time\ntime.sleep(10_000)", TOO_SLOW),
    "infinite loop in a cell": right_with("while True: pass"),
    "sys.exit": body("import sys\nsys.exit(0)", ERROR),
    "sys.exit in a cell": right_with("import sys\nsys.exit(0)"),
    "os._exit": body("import os\nos._exit(0)", DIED),
    "os._exit in a cell": right_with("import os\nos._exit(0)"),
    "abort": body("import os\nos.abort()", DIED),
    "segfault": body("import ctypes\nctypes.string_at(0)", DIED),
    "recursion": body("return log_partition(next_state, r, g, start, horizon)", ERROR),
    "C stack": body("import sys\nsys.setrecursionlimit(10**9)\nf = lambda: f()\nf()", (DIED, TOO_SLOW)),
    "keyboard interrupt": body("raise KeyboardInterrupt", DIED),
    # too much
    "50 MB printed": body("print('x' * 50_000_000)\nreturn 0.0", WRONG),
    "50 MB printed in a cell": right_with("for _ in range(50): print('x' * 1_000_000)"),
    "6 GB": body("x = bytearray(6 * 2**30)\nx[::4096] = b'1' * len(x[::4096])\nreturn 0.0", ERROR),
    "2 GB, piece by piece": body("x = []\nwhile True: x.append(b'x' * 2**24)", (DIED, TOO_SLOW)),
    "a reply of 1 GB": body("import numpy as np\nreturn np.ones(2**27)", (ERROR, DIED)),
    "fork bomb": body("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", (TOO_SLOW, DIED)),
    "threads": body(
        "import threading, time\nfor _ in range(10_000): threading.Thread(target=time.sleep, args=(99,)).start()", ERROR
    ),
    "a full disk": right_with("with open('/tmp/x', 'wb') as f:\n    while True: f.write(b'x' * 2**20)"),
    "limits raised": right_with("import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))"),
    "deep reply": body("x = 0.0\nfor _ in range(10_000): x = [x]\nreturn x", ERROR),
    # out of the box
    "daemon": right_with(
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(9999)\n    os._exit(0)"
    ),
    "kills everybody": right_with(
        ONLY_IN_THE_BOX + "for p in (-1, 0, os.getppid(), 1):\n    try: os.kill(p, 15)\n    except OSError: pass"
    ),
    "sockets": body(
        "import socket\ntry:\n    socket.create_connection(('127.0.0.1', 22), timeout=1)\n    return 'connected'\nexcept OSError: raise SystemError('CLOSED')",
        ERROR,
    ),
    "looks for the tests": body(
        "import os\nfound = []\nfor d, ds, fs in os.walk('/'):\n    ds[:] = [x for x in ds if x not in ('usr', 'lib', 'lib64', 'bin', 'sbin')]\n    found += [f for f in fs if 'hidden_tests' in f or 'gradebook' in f]\nprint('FOUND', found)\nreturn 0.0",
        WRONG,
    ),
    "writes where it should not": right_with(
        "for p in ('/usr/x', '/etc/x', '/course/box/wire.py', '/dev/sda'):\n    try: open(p, 'w').write('x')\n    except OSError: pass"
    ),
    "becomes root": right_with(
        "import os\ntry: os.setuid(0)\nexcept OSError: pass",
        "!mount -t tmpfs x /mnt",
        ONLY_IN_THE_BOX + "!chmod -R 777 /",
    ),
    "deletes everything": right_with(ONLY_IN_THE_BOX + "import shutil\nshutil.rmtree('/', ignore_errors=True)"),
    # patched
    "patched numpy": wrong_but(
        "import numpy as np\nfor f in ('isclose', 'allclose', 'array_equal', 'asarray', 'isfinite'):\n    setattr(np, f, lambda *a, **k: True)",
        points=0,  # its own other answers use what it broke
    ),
    "patched builtins": wrong_but(
        "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.len = lambda x: 1\nbuiltins.all = builtins.any = lambda x: True"
    ),
    "patched check": wrong_but("import course_utils.checks as c\nc.check = lambda *a, **k: True"),
    "equal to everything": right_with(EQUAL, answer_source=HEAD + "    return Yes(0.0)", status=WRONG, points=8),
    "an array equal to everything": right_with(
        EQUAL, answer_source=HEAD + "    return np.zeros(()).view(Array)", status=WRONG, points=8
    ),
    "an object that lies": right_with(EQUAL, answer_source=HEAD + "    return Liar()", status=WRONG, points=8),
    "patched server": wrong_but(
        "import sys\nfor m in ('wire', 'calling', '__main__'):\n    m = sys.modules[m]\n    for k in list(vars(m)):\n        if k in ('call', 'find', 'judge', 'same'): setattr(m, k, lambda *a, **k: 1)"
    ),
    # dishonest
    "walks the stack": body(
        "import sys, gc\nf = sys._getframe()\nwhile f:\n    for k in ('expected', 'case', 'right'):\n        if k in f.f_locals: return f.f_locals[k]\n    f = f.f_back\n"
        "for x in gc.get_objects():\n    if type(x).__name__ == 'Case': return x.expected\nreturn 0.0",
        WRONG,
    ),
    "imports the package": Entry(
        answer(
            "from course_utils.checks.a1.q1 import *\nfrom course_utils.irl import *\nimport course_utils.planning\n"
            + HEAD
            + "    return course_utils.planning.log_partition(next_state, r, g, start, horizon)"
        ),
        ERROR,
        8,
    ),
    "random": body("import random\nreturn random.random()", WRONG),
    "NaN": body("return float('nan')", WRONG),
    "infinite": body("return float('inf')", WRONG),
    "wrong shape": body("return [[1.0, 2.0]]", WRONG),
    "object array": body("import numpy as np\nreturn np.array([None, 'x'], dtype=object)", WRONG),
    "a string": body("return '7.0'", WRONG),
    "a date": body("import numpy as np\nreturn np.datetime64('2026-01-01')", WRONG),
    "complex": body("return 1 + 2j", WRONG),
    "a structured array": body("import numpy as np\nreturn np.zeros(1, dtype=[('a', float)])", WRONG),
    "a function": body("return lambda x: x", WRONG),
    "hostile exception": body("class E(Exception):\n    def __str__(self): return 'x' * 10**8\nraise E", ERROR),
    # on the wire
    "garbage on every descriptor": body(
        "import os\nfor fd in range(3, 256):\n    try: os.write(fd, b'\\xff' * 64)\n    except OSError: pass\nreturn 0.0",
        DIED,
    ),
    "forged replies": body(
        "import json, os, struct\nt = json.dumps({'do': 'answered', 'values': {'value': 0.0}, 'error': None, 'printed': '', 'changed': [], 'sizes': []}).encode()\n"
        "for fd in range(3, 256):\n    for _ in range(99):\n        try: os.write(fd, struct.pack('<QI', len(t), len(t)) + t)\n        except OSError: break\nreturn 0.0",
        (WRONG, DIED),
    ),
    "a giant length": body(
        "import os, struct\nfor fd in range(3, 256):\n    try: os.write(fd, struct.pack('<QI', 2**60, 10))\n    except OSError: pass\nreturn 0.0",
        DIED,
    ),
    "closes every descriptor": body("import os\nos.closerange(0, 256)\nreturn 0.0", DIED),
}
