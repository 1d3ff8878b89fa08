# ruff: noqa: E501  (the sources of hostile cells stand in one line each)
"""More of the hostile corpus: rarer things that students and attackers do, and secrets that must stay where they are."""

import os
import socket

import pytest
from hostile import HEAD, RIGHT_ANSWER, ROOT, Entry, answer, little_time, right_with

from instructor.grading import marking
from instructor.grading.box import Limits
from instructor.grading.records import BLANK, DIED, ERROR, RIGHT, TOO_SLOW, WRONG, Submission

QUICK = Limits(cell=3.0, asleep=2.0, memory=1024)
SECRET = b"the secret of the corpus"
CALL = "model(next_state, r, g, start, horizon)"


def other(before, body, status=RIGHT, points=None):
    """An answer to a1.q1 that may call the right one, as model; `before` is what its cell does first."""
    model = RIGHT_ANSWER.replace("def log_partition(", "def model(")
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    points = points or (10 if status == RIGHT else 8)
    return Entry(answer(f"{model}\n\n{before}\n{HEAD}{lines}"), status, points)


MORE = {
    # text that parsers stumble over
    "brackets": right_with("(" * 5000),
    "a long sum": right_with("1+" * 100_000 + "1"),
    "a long chain of attributes": right_with("a" + ".a" * 100_000),
    "a NUL": right_with("x = 1\0"),
    "half a surrogate pair": right_with("x = '\ud800'"),
    "a line of 3 MB": right_with("x = '" + "y" * 3_000_000 + "'"),
    # honest, and not as everybody does it
    "another order of bytes": other("", f"return np.array({CALL}).astype('>f8')"),
    "extended precision": other("", f"return np.longdouble({CALL})"),
    "builtins shadowed": right_with("list = max = id = input = open = 0"),
    "in an if": right_with(
        answer_source="if __name__ == '__main__':\n" + "".join(f"    {x}\n" for x in RIGHT_ANSWER.splitlines())
    ),
    "dataclasses": right_with(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 1\nA()"
    ),
    "writes a module": right_with("%%writefile helper.py\nONE = 1\n", "from helper import ONE\nassert ONE == 1"),
    "timed": right_with(answer_source="%%time\n" + RIGHT_ANSWER),
    "errors for warnings": right_with(
        "import numpy as np, warnings\nnp.seterr(all='raise'); warnings.simplefilter('error')"
    ),
    "goes elsewhere": right_with("import os\nos.chdir('/')", "%cd /usr"),
    "threads and processes": right_with(
        "from concurrent.futures import ThreadPoolExecutor as T\nwith T(8) as p: list(p.map(abs, range(99)))",
        "import multiprocessing as mp\nwith mp.get_context('fork').Pool(2) as p: p.map(abs, range(9))",
    ),
    "an atexit handler that never ends": right_with("import atexit\n@atexit.register\ndef f():\n    while True: pass"),
    # replies
    "right at first": other("n = [0]", f"n[0] += 1\nreturn {CALL} if n[0] < 16 else 0.0", WRONG),
    "an int of 10,000 digits": other("", "return 10**10_000", ERROR),
    "an array of 2**40 numbers in 8 bytes": other("", "return np.broadcast_to(0.0, (2**40,))", ERROR),
    "an array of nothing, and huge": other("", "return np.zeros((0, 2**39, 2**20))", WRONG),
    "an array at address 8": other(
        "class A:\n    __array_interface__ = {'shape': (5,), 'typestr': '<f8', 'data': (8, False), 'version': 3}",
        "return A()",
        DIED,
    ),
    "a sparse matrix": other("import scipy.sparse", "return scipy.sparse.eye(3)", WRONG),
    "an endless list": other(
        "class L(list):\n    def __iter__(self):\n        while True: yield 0.0",
        "return L([1])",
        (TOO_SLOW, DIED, WRONG),
    ),
    "says that another is missing": other("", "raise NotImplementedError('a1.q2')", BLANK),
    "an exception that has no text": other("class E(Exception):\n    def __str__(self): raise self", "raise E", ERROR),
    # time and processes
    "clocks that stand still": other(
        "import time, resource",
        "time.process_time = time.monotonic = lambda: 0\nresource.getrusage = lambda *a: 0\nwhile True: pass",
        TOO_SLOW,
    ),
    "children burn": other(
        "import os, time",
        "for _ in range(3):\n    if os.fork() == 0:\n        while True: pass\nwhile True: time.sleep(1)",
        TOO_SLOW,
    ),
    "memory of children": other(
        "import os, time",
        "for _ in range(12):\n    if os.fork() == 0:\n        x = bytearray(500 * 2**20); x[::4096] = b'1' * len(x[::4096]); time.sleep(99)\nwhile True: time.sleep(1)",
        DIED,
    ),
    "another program": other("import os", "os.execv('/bin/sleep', ['sleep', '99'])", (TOO_SLOW, DIED)),
    "a giant length from a cell": right_with(
        "import os, struct\nfor fd in range(3, 256):\n    try: os.write(fd, struct.pack('<QI', 2**60, 1))\n    except OSError: pass"
    ),
}


@pytest.fixture(scope="module", autouse=True)
def quick_questions():
    with little_time("a1"):
        yield


@pytest.mark.parametrize("name", MORE)
def test_it_gets_what_it_deserves(name):
    entry = MORE[name]
    record = marking.mark(Submission(name, notebook=entry.notebook), "a1", SECRET, QUICK)
    first = record.answers[0]
    assert first.status in (entry.status if isinstance(entry.status, tuple) else (entry.status,)), (first, record.notes)
    assert record.points == entry.points, (record.answers, record.notes)


THIEF = """
import os, socket
words = [repr(dict(os.environ)), *('EXISTS' for f in {paths!r} if os.path.exists(f))]
for path in {paths!r} + ['/proc/1/environ', '/proc/self/cmdline', f'/proc/{{os.getppid()}}/environ', '/course/box/guest.py']:
    try:
        with open(path, 'rb') as f: words.append(f.read(10**5).decode('utf-8', 'replace'))
    except OSError: pass
    if path not in {harmed!r}: continue
    try:
        with open(path, 'ab') as f: f.write(b'changed')
    except OSError: pass
    try: os.unlink(path)
    except OSError: pass
for family, where in ((socket.AF_INET, ('127.0.0.1', {port})), (socket.AF_UNIX, '\\0{abstract}'), (socket.AF_UNIX, {unix!r})):
    try:
        with socket.socket(family) as s:
            s.settimeout(1); s.connect(where); s.sendall(b'here')
    except OSError: pass
keys = ('CANARY', 'log of (M^H', 'EXISTS', 'Inside the box')  # the last one may be found, to see that this works
loot = [word[word.find(key):][:30] for word in words for key in keys if key in word]
"""


def test_a_thief_finds_nothing(tmp_path, monkeypatch):
    """Canaries in files that the attacker knows by name, in the environment, and behind sockets of this machine."""
    word = "CANARY-5f1c"
    kept = {
        tmp_path / "gradebook.sqlite": f"{word} marks",
        tmp_path / "classmate.ipynb": f"{word} answers",
        tmp_path / "secret": f"{word} secret",
        ROOT / "authoring/assignments/a1_maxent/hidden_tests.py": None,
        ROOT / "solutions/a1_maxent.ipynb": None,
    }
    for path, text in kept.items():
        if text:
            path.write_text(text)
    before = {path: path.read_bytes() for path in kept}
    monkeypatch.setenv("COURSE_CANARY", word)
    abstract = f"course-{os.getpid()}"
    listeners = [socket.create_server(("127.0.0.1", 0))]
    for address in (f"\0{abstract}", str(tmp_path / "s")):
        listeners.append(socket.socket(socket.AF_UNIX))
        listeners[-1].bind(address)
        listeners[-1].listen()
    steal = THIEF.format(
        paths=[str(p) for p in kept],
        harmed=[str(p) for p, text in kept.items() if text],  # and not the course itself, should the box leak
        port=listeners[0].getsockname()[1],
        abstract=abstract,
        unix=str(tmp_path / "s"),
    )
    entry = other(steal, "print(loot)\nraise ValueError(loot)", ERROR)
    marking.close_box()  # the next one would inherit the environment as it is now
    record = marking.mark(Submission("thief", notebook=entry.notebook), "a1", SECRET, QUICK)
    assert record.points == 8 and "Inside the box" in str(record.answers[0].card), "what it finds would be seen"
    for stolen in ("CANARY", "log of (M^H", "EXISTS"):
        assert stolen not in record.to_json(), stolen
    assert {path: path.read_bytes() for path in kept} == before
    for listener in listeners:
        with listener:
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
