"""The notebooks that benchmarks/grading.py has graded, and the marks that they deserve."""

import ast
import copy
import importlib.util
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import answers

ROOT = Path(__file__).resolve().parents[2]
AUTHORED = ROOT / "authoring" / "assignments" / "a1_maxent"
BLANK = ROOT / "assignments" / "a1_maxent.ipynb"
FUNCTIONS = {
    "a1.q1": ("log_partition", "next_state, r, g, start, horizon"),
    "a1.q2": ("soft_bellman", "P, r, ref, horizon"),
    "a1.q3": ("visitation", "P, p0, π, stop"),
    "a1.q4": ("maxent_gradient", "θ, features, P, p0, states, actions, lengths"),
}
# What only a check sees that calls a function twice: an answer of these kinds is right in each single call.
SEEN_IN_TWO_CALLS = {"inputs changed", "not the same twice", "the same answer to different inputs"}


# ---- an answer as the text of a cell


class Book:
    """The functions of a file, as texts."""

    def __init__(self, path):
        self.source = Path(path).read_text(encoding="utf-8")
        self.lines = self.source.splitlines()
        self.nodes = {}
        for node in ast.parse(self.source).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.nodes |= {alias.asname or alias.name: node for alias in node.names}
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                node.decorator_list = []  # they enter it into our tables
                self.nodes[node.name] = node

    def cell(self, name, question):
        """The function `name` and all that it uses of the file, under the name that the question asks for."""
        used, waiting = [], [name]
        while waiting:
            node = self.nodes.get(waiting.pop())
            if node and node not in used:
                used.append(node)
                waiting += [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
        wanted, arguments = FUNCTIONS[question]
        parts = ["\n".join(self.lines[node.lineno - 1 : node.end_lineno]) for node in sorted(used, key=line)]
        text = "\n\n\n".join(parts)
        if self.nodes[name].args.vararg:  # one answer to every question
            return f"{text}\n\n\ndef {wanted}({arguments}):\n    return {name}({arguments})"
        return text.replace(f"def {name}(", f"def {wanted}(")


def line(node):
    return node.lineno


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def right_and_wrong():
    """kind -> question -> texts of cells; "wrong" are those of the assignment's own wrong_answers.py."""
    book = Book(answers.__file__)
    found = {
        kind: {
            question: [book.cell(fn.__name__, question) for fn in functions.get(question) or functions.get("a1", ())]
            for question in FUNCTIONS
        }
        for kind, functions in answers.ANSWERS.items()
    }
    path = AUTHORED / "wrong_answers.py"
    book, entries = Book(path), load(path).WRONG
    for kind, taken in (("wrong", lambda name: name not in SEEN_IN_TWO_CALLS), ("any wrong", lambda name: True)):
        found[kind] = {
            question: [book.cell(fn.__name__, question) for fn, name in entries[question] if taken(name)]
            for question in FUNCTIONS
        }
    return found


# ---- a submission


@dataclass(frozen=True)
class Handed:
    """What a student hands in: the texts of the answer cells by question (a question that is missing is left as the
    stub), and what share of each question's points it deserves."""

    student: str
    kind: str
    cells: dict
    deserved: dict
    first: str = ""  # a cell before all others
    twist: Callable = field(default=lambda notebook: notebook)
    file: str = "a1_maxent.ipynb"

    def fill(self, blank: dict) -> dict:
        """A blank notebook, filled in. The blank may be ours or a peer's: both mark the answer cells alike."""
        notebook = copy.deepcopy(blank)
        for cell in notebook["cells"]:
            if is_answer(cell) and question_of(cell) in self.cells:
                cell["source"] = self.cells[question_of(cell)]
        top = [new_cell(f"# {self.student}"), *([new_cell(self.first)] if self.first else [])]
        position = next(i for i, cell in enumerate(notebook["cells"]) if is_answer(cell))
        notebook["cells"][position:position] = [cell | {"id": f"own-{i}"} for i, cell in enumerate(top)]
        return self.twist(notebook)


def question_of(cell):
    return cell["metadata"].get("course", {}).get("question")


def is_answer(cell):
    return bool(cell["metadata"].get("nbgrader", {}).get("solution"))


def is_check(cell):
    return bool(question_of(cell)) and not is_answer(cell)


def new_cell(source):
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}


def text(cell):
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def drop_checks(notebook):
    return notebook | {"cells": [cell for cell in notebook["cells"] if not is_check(cell)]}


def copy_checks(notebook):
    pairs = [[cell, cell | {"id": cell["id"] + "-copy"}] if is_check(cell) else [cell] for cell in notebook["cells"]]
    return notebook | {"cells": [cell for pair in pairs for cell in pair]}


def raise_points(notebook):
    for cell in filter(question_of, notebook["cells"]):
        cell["metadata"]["nbgrader"]["points"] = 100
    return notebook


PATCH = """import numpy.testing
numpy.testing.assert_allclose = numpy.testing.assert_array_equal = lambda *args, **keywords: None
np.allclose = np.array_equal = lambda *args, **keywords: True
np.isclose = lambda a, b, *args, **keywords: np.ones(np.broadcast_shapes(a.shape, b.shape), dtype=bool)
np.testing.assert_array_almost_equal = np.testing.assert_almost_equal = np.testing.assert_equal = np.allclose
np.shape = lambda x: ()
import builtins
builtins.AssertionError = type("Nothing", (Exception,), {})"""


def fifty():
    """Forty ordinary submissions, and ten that break or attack a grader and harm no machine."""
    texts, rng, handed = right_and_wrong(), random.Random(0), []

    def add(kind, parts, **about):
        """parts: question -> (kind of answer, share of the points)."""
        deserved = {question: parts.get(question, ("blank", 0.0))[1] for question in FUNCTIONS}
        cells = {question: rng.choice(texts[what][question]) for question, (what, _) in parts.items()}
        handed.append(Handed(f"student-{len(handed) + 1:02}", kind, cells, deserved, **about))

    right, zeros = dict.fromkeys(FUNCTIONS, ("right", 1.0)), ("zeros", 0.0)
    for _ in range(24):
        add("right", right)
    # the fourth answer may use the second and the third, so it stands alone where one of them is wrong
    alone = right | {"a1.q4": ("self-contained", 1.0)}
    for questions in ("1", "2", "3", "4", "12", "34", "1234"):
        add("wrong", alone | {f"a1.q{n}": ("wrong", 0.0) for n in questions})
    for questions in ("1", "12", "13", "123"):
        add("partial", {f"a1.q{n}": ("right", 1.0) for n in questions})
    for questions in ("1", "23", "4"):
        add("half", alone | {f"a1.q{n}": ("half", 0.5) for n in questions})
    for _ in range(2):
        add("blank", {})
    add("no test cells", right, twist=drop_checks)
    add("copied test cells", right, twist=copy_checks)
    add("renamed file", right, file="a1_maxent (1) final.ipynb")
    add("debug prints", right | {"a1.q1": ("chatty", 1.0)})
    add("exit in an answer", alone | {"a1.q3": ("exit", 0.0)})
    add("endless loop", alone | {"a1.q2": ("endless", 0.0)})
    add("edited points", dict.fromkeys(FUNCTIONS, zeros), twist=raise_points)
    add("patched NumPy", dict.fromkeys(FUNCTIONS, zeros), first=PATCH)
    add("lying arrays", dict.fromkeys(FUNCTIONS, ("liar", 0.0)))
    add("looks into the caller", dict.fromkeys(FUNCTIONS, ("spy", 0.0)))
    return handed


ORDINARY = {"right", "wrong", "partial", "half", "blank"}


def many(n):
    """n ordinary submissions for a class: 70 % right, 15 % with wrong answers, 10 % partial, 5 % blank."""
    texts, rng, handed = right_and_wrong(), random.Random(1), []
    for i in range(n):
        kind = rng.choices(("right", "wrong", "partial", "blank"), (70, 15, 10, 5))[0]
        some = set(rng.sample(sorted(FUNCTIONS), rng.randint(1, 3)))
        what = {question: "right" for question in FUNCTIONS}
        if kind == "wrong":
            what |= {"a1.q4": "self-contained"} | dict.fromkeys(sorted(some), "any wrong")
        elif kind == "partial":
            what = {question: "right" for question in sorted(some - {"a1.q4"})}
        elif kind == "blank":
            what = {}
        cells = {question: rng.choice(texts[name][question]) for question, name in what.items()}
        deserved = {q: float(what.get(q) in ("right", "self-contained")) for q in FUNCTIONS}
        handed.append(Handed(f"student-{i + 1:05}", kind, cells, deserved))
    return handed


def shortened(notebook: dict) -> dict:
    """A blank notebook without what needs the course: imports of its helpers, and the part after the questions."""
    last = max(i for i, cell in enumerate(notebook["cells"]) if is_check(cell))
    cells = notebook["cells"][: last + 1]
    for cell in cells:
        if cell["cell_type"] == "code" and not question_of(cell):
            cell["source"] = "import numpy as np\nfrom scipy.special import logsumexp"
    return notebook | {"cells": cells}


def dump(notebook) -> str:
    return json.dumps(notebook, ensure_ascii=False, indent=1)
