"""The build: what it makes of a source, and every rule with the file and the line that it names."""

import argparse
import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

import course_utils
from instructor import commands
from instructor.build import build, check, write
from instructor.source import BuildError

PROJECT = Path(__file__).resolve().parents[1]
LECTURE = "authoring/lectures/01_first.py"
ASSIGNMENT = "authoring/assignments/a1_maxent/notebook.py"
BUILT = {"notebooks/01_first.ipynb", "assignments/a1_maxent.ipynb", "solutions/a1_maxent.ipynb"}


def question(qid, title="Backup", difficulty=2, minutes=15, points=3):
    return SimpleNamespace(
        id=qid, title=title, objective="Write it.", difficulty=difficulty, minutes=minutes, points=points
    )


QUESTIONS = {
    "a1.q1": question("a1.q1"),
    "a1.q2": question("a1.q2", title="Soft backup", difficulty=1, points=1),
    "a2.q1": question("a2.q1"),
}

PLANNING = '''\
"""Planning."""

import numpy as np
from scipy.special import logsumexp as lse

from .mdp import TabularMDP

EPS = 1e-9
_TINY = 1e-12


def _private(r):
    return r


def traced(f):
    return f


@traced
def backup(Q, axis=-1):
    r"""V = \\\\log Σ_a exp Q.

    Q (S,A). Returns (S,).
    """
    # the soft maximum
    V = lse(Q, axis=axis)  # over actions

    def inner(x):
        """Inner summary
        and more.
        """
        return x

    return inner(V)


def checked(r):
    return _private(r)


def scaled(r: TabularMDP):
    return np.asarray(r) * EPS


def broken(r):
    return nowhere(r)


def floored(r):
    return max(r, _TINY)


def bare(x):
    return [
        x,
        "x",
    ]


# not part of it
def single(x):
    """One line."""  # and a comment
    return x


def quoted(x):
    """
    Says "yes"

    and more
    """
    return sorted([y for y in x], key=lambda z: z)
'''
PLANNING += "\n\ndef long(x):\n" + "    x = x\n\n" * 24 + "    return x\n"
PLANNING += "\n\ndef fits(x):\n" + "    x = x\n\n" * 23 + "    return x\n"


SHOW_FITS = "from course_utils.planning import fits  # show"

# What a test edits: two questions, each in its own style.
A1 = '''\
# %% [markdown]
# # Write it

# %%
import numpy as np

# %% [markdown]
# Some prose.
#
# @question a1.q1
#
# More prose.

# %% question="a1.q1"
def double(x, *, by: float = 2.0) -> np.ndarray:
    """Twice x."""
    x = np.asarray(x)
    ### BEGIN SOLUTION
    def helper(y):
        """Secret."""
        return by * y

    return helper(x)
    ### END SOLUTION


# %%
check("a1.q1", double)

# %% [markdown]
# @question a1.q2

# %% question="a1.q2"
def given(x):
    return x


def first(x):
    """One."""
    for y in x:
        ### BEGIN SOLUTION
        return y
        ### END SOLUTION


class Box:
    """A box."""

    def second(self, x):
        """Two."""
        ### BEGIN SOLUTION
        return self, x
        ### END SOLUTION
        return None

# %%
box = Box()
check("a1.q2", first)
'''


@pytest.fixture
def course(tmp_path):
    """Writes authored files into a fake course and returns its root."""

    def make(lecture="# %% [markdown]\n# # First\n", assignment=A1):
        files = {LECTURE: lecture, ASSIGNMENT: assignment, "course_utils/planning.py": PLANNING, "pyproject.toml": ""}
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return make


def notebooks(root):
    return {path.as_posix(): nbformat.reads(text, 4) for path, text in build(root, QUESTIONS).items()}


def lecture(*cells):
    """A lecture's text; the first cell is at line 4."""
    return "# %% [markdown]\n# # First\n\n" + "\n\n".join(cells) + "\n"


def problems(root):
    with pytest.raises(BuildError) as caught:
        build(root, QUESTIONS)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return str(caught.value).split("\n")


def assert_problems(root, path, *expected):
    """Exactly the expected (line, fragment) pairs, in order, all in `path`."""
    found = problems(root)
    assert len(found) == len(expected), found
    for text, (line, fragment) in zip(found, expected, strict=True):
        assert text.startswith(f"{path}:{line}: ") and fragment in text, (text, line, fragment)
        assert "expected" in text


# --- what is built


def test_targets_are_valid_notebooks_without_outputs(course):
    built = build(course(lecture("# %%\nx = 1")), QUESTIONS)
    assert {path.as_posix() for path in built} == BUILT
    for text in built.values():
        raw = json.loads(text)
        nbformat.validate(nbformat.reads(text, 4))
        assert text == json.dumps(raw, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        assert (raw["nbformat"], raw["nbformat_minor"]) == (4, 5)
        assert raw["metadata"] == {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        for cell in raw["cells"]:
            assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)
            assert set(cell["metadata"]) <= {"nbgrader", "course"}


def test_text_tags_and_magics_reach_the_notebook(course):
    cells = [
        '# %% tags=["hide-input"]\n# %timeit x\n%matplotlib inline\n# ls is a comment\nx = "%"',
        "# %% [markdown]\n# $θ$\n#\n# - é",
    ]
    built = notebooks(course(lecture(*cells)))["notebooks/01_first.ipynb"].cells
    assert [cell.source for cell in built] == [
        "# First",
        '%timeit x\n%matplotlib inline\n# ls is a comment\nx = "%"',
        "$θ$\n\n- é",
    ]
    assert [cell.cell_type for cell in built] == ["markdown", "code", "markdown"]
    assert [dict(cell.metadata) for cell in built] == [{}, {"tags": ["hide-input"]}, {}]


def test_jupytext_header_is_skipped_and_lines_still_count(course):
    text = "# ---\n# jupyter:\n#   kernelspec: {name: other, display_name: Other}\n# ---\n\n" + lecture("# %%\n\n(x")
    assert_problems(course(text), LECTURE, (11, "not Python"))


SCRIPT = """
import json, sys
from types import SimpleNamespace
from instructor.build import build
questions = {k: SimpleNamespace(**v) for k, v in json.loads(sys.argv[2]).items()}
print(json.dumps({str(path): text for path, text in build(sys.argv[1], questions).items()}))
"""


def test_rebuild_is_byte_identical_in_other_processes(course):
    root = course(lecture(f"# %%\n{SHOW_FITS}"))
    registry = json.dumps({qid: vars(each) for qid, each in QUESTIONS.items()})
    outputs = []
    for seed in ("1", "2"):
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(PROJECT)}
        command = [sys.executable, "-c", SCRIPT, str(root), registry]
        outputs.append(subprocess.run(command, env=env, check=True, capture_output=True).stdout)
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0]) == {str(path): text for path, text in build(root, QUESTIONS).items()}


def test_ids_survive_insertion_and_tell_twins_apart(course):
    cells = ["# %%\nx = 1", "# %% [markdown]\n# x = 1", "# %%\nx = 1", "# %%\nx = 1"]
    old = [cell.id for cell in notebooks(course(lecture(*cells)))["notebooks/01_first.ipynb"].cells]
    new = [cell.id for cell in notebooks(course(lecture("# %%\ny = 2", *cells)))["notebooks/01_first.ipynb"].cells]
    assert old[4] == f"{old[1]}-3" and re.fullmatch("[0-9a-f]{12}", old[1])
    assert len(set(old)) == 5 and old == new[:1] + new[2:] and new[1] not in old


def test_ids_depend_on_the_notebook_and_not_on_the_shown_code(course):
    cell = f"# %%\n{SHOW_FITS}"
    root = course(lecture(cell))
    (root / "authoring/lectures/02_second.py").write_text(lecture(cell), encoding="utf-8")
    before = notebooks(root)
    assert before["notebooks/01_first.ipynb"].cells[1].id != before["notebooks/02_second.ipynb"].cells[1].id
    module = root / "course_utils/planning.py"
    module.write_text(module.read_text().replace("def fits(x)", "def fits(y)"))
    after = notebooks(root)
    assert "def fits(y)" in after["notebooks/01_first.ipynb"].cells[1].source
    assert [cell.id for cell in before["notebooks/01_first.ipynb"].cells] == [
        cell.id for cell in after["notebooks/01_first.ipynb"].cells
    ]


# --- assignments


def test_stub_keeps_signatures_and_docstrings_and_raises(course):
    built = notebooks(course())
    student, instructor = (built[f"{folder}/a1_maxent.ipynb"].cells for folder in ("assignments", "solutions"))
    assert student[3].source == (
        "def double(x, *, by: float = 2.0) -> np.ndarray:\n"
        '    """Twice x."""\n'
        "    x = np.asarray(x)\n"
        '    raise NotImplementedError("a1.q1")'
    )
    assert instructor[3].source.endswith("        return by * y\n\n    return helper(x)")
    names = {}
    exec(student[6].source, names)
    assert names["given"](5) == 5 and names["first"].__doc__ == "One." and names["Box"].second.__doc__ == "Two."
    for call in (lambda: names["first"]([1]), lambda: names["Box"]().second(1)):
        with pytest.raises(NotImplementedError, match=r"^a1\.q2$"):
            call()
    names = {}
    exec(instructor[6].source, names)
    assert names["first"]([7]) == 7 and names["Box"]().second(1)[1] == 1
    for cells in (student, instructor):
        assert not any("SOLUTION" in cell.source for cell in cells)
    assert [a.id for a in student] == [b.id for b in instructor]
    other = [k for k in range(len(student)) if student[k].source != instructor[k].source]
    assert other == [3, 6]


def test_questions_carry_nbgrader_metadata(course):
    built = notebooks(course())
    for folder in ("assignments", "solutions"):
        cells = {cell.id: cell for cell in built[f"{folder}/a1_maxent.ipynb"].cells if cell.metadata}
        assert list(cells) == ["a1-q1", "a1-q1-check", "a1-q2", "a1-q2-check"]
        assert cells["a1-q1"].metadata == {
            "course": {"question": "a1.q1"},
            "nbgrader": {
                "schema_version": 3,
                "grade_id": "a1-q1",
                "grade": False,
                "solution": True,
                "locked": False,
                "task": False,
            },
        }
        assert cells["a1-q2-check"].metadata == {
            "course": {"question": "a1.q2"},
            "nbgrader": {
                "schema_version": 3,
                "grade_id": "a1-q2-check",
                "grade": True,
                "solution": False,
                "locked": True,
                "task": False,
                "points": 1,
            },
        }
        assert cells["a1-q1-check"].metadata.nbgrader.points == 3


def test_question_line_becomes_the_header(course):
    cells = notebooks(course())["assignments/a1_maxent.ipynb"].cells
    assert cells[2].source == (
        "Some prose.\n\n**Question a1.q1 · Backup**  \n*Objective:* Write it.  \n"
        "*Difficulty* ●●○ (2 of 3) · *about* 15 minutes · 3 points\n\nMore prose."
    )
    assert "●○○ (1 of 3)" in cells[5].source and cells[5].source.endswith("· 1 point")


# What to replace in A1, by what, and the (line, fragment) of each problem.
SOLUTION1 = A1[A1.index("    ### BEGIN") : A1.index("\n\n# %%\ncheck")]
ASSIGNMENT_RULES = {
    "no END": ("    ### END SOLUTION\n\n\n# %%\n", "\n\n# %%\n", [(18, "without `### END SOLUTION`")]),
    "no BEGIN": ("    ### BEGIN SOLUTION\n    def helper", "    def helper", [(23, "without a `### BEGIN SOLUTION`")]),
    "nested": ("        return by * y\n", "        ### BEGIN SOLUTION\n", [(21, "nested `### BEGIN SOLUTION`")]),
    "END first": ("    x = np.asarray(x)\n", "    ### END SOLUTION\n", [(17, "`### END SOLUTION` without")]),
    "malformed marker": ("    x = np.asarray(x)\n", "    x = 1  ### BEGIN SOLUTION\n", [(17, "malformed marker")]),
    "markers in another cell": (
        "box = Box()",
        "### BEGIN SOLUTION\n### END SOLUTION",
        [(57, "expected it in a question cell"), (58, "expected it in a question cell")],
    ),
    "marker in markdown": ("# More prose.", "# ### BEGIN SOLUTION", [(12, "expected it in a question cell")]),
    "no block": (SOLUTION1, "    return x\n", [(14, "question a1.q1 has no solution")]),
    "empty block": ("        return self, x\n", "        # nothing\n", [(51, "empty solution block")]),
    "block outside a function": (
        "def given(x):\n    return x\n",
        "### BEGIN SOLUTION\nk = 2\n### END SOLUTION\n",
        [(34, "outside a function")],
    ),
    "two blocks in a function": (
        "    x = np.asarray(x)\n",
        "    ### BEGIN SOLUTION\n    x = 1\n    ### END SOLUTION\n",
        [(20, "second solution block in double")],
    ),
    "block ends after its function": (
        "        return y\n        ### END SOLUTION\n",
        "        return y\n\n\ndef helper(x):\n    return x\n        ### END SOLUTION\n",
        [(41, "ends after first")],
    ),
    "no docstring": ('    """One."""\n', "", [(38, "first has no docstring before its solution")]),
    "docstring in the block": (
        '        """Two."""\n        ### BEGIN SOLUTION\n',
        '        ### BEGIN SOLUTION\n        """Two."""\n',
        [(33, "loses a signature or docstring"), (49, "second has no docstring before its solution")],
    ),
    "BEGIN misplaced": (
        "    ### BEGIN SOLUTION\n    def helper",
        "### BEGIN SOLUTION\n    def helper",
        [(18, "indented by 0, expected 4")],
    ),
    "END misplaced": ("y\n        ### END SOLUTION", "y\n    ### END SOLUTION", [(43, "indented by 4, expected 8")]),
    "half a statement": (
        "        return y\n        ### END SOLUTION\n",
        "        if y:\n            return y\n        ### END SOLUTION\n        else:\n            return x\n",
        [(33, "student's version is not Python")],
    ),
    "block after a function": (
        "def given(x):\n    return x\n",
        "def given(x):\n    return x\n\n\n### BEGIN SOLUTION\nk = 2\n### END SOLUTION\n",
        [(38, "outside a function")],
    ),
    "question is not Python": ("        return by * y\n", "        return by *\n", [(21, "not Python")]),
    "unknown question": (
        '# %% question="a1.q2"',
        '# %% question="a1.q7"',
        [(33, "unknown question 'a1.q7', expected one of a1.q1, a1.q2"), (58, "a1.q2 has no question cell")],
    ),
    "question without quotes": (
        '# %% question="a1.q2"',
        "# %% question=a1.q2",
        [(33, "unknown text or option"), (41, "expected it in a question cell"), (43, "expected it in a question cell")]
        + [(51, "expected it in a question cell"), (53, "expected it in a question cell"), (58, "no question cell")],
    ),
    "misspelt option": ('# %%\ncheck("a1.q1"', '# %% qestion="a1.q1"\ncheck("a1.q1"', [(27, "qestion: 'a1.q1'")]),
    "duplicated question": (
        '# %% question="a1.q2"',
        '# %% question="a1.q1"',
        [(33, "second question cell of a1.q1, expected one (the first is at line 14)"), (58, "no question cell")],
    ),
    "question of another assignment": (
        '# %% question="a1.q2"',
        '# %% question="a2.q1"',
        [(33, "question cell of a2.q1 in assignment a1"), (58, "a1.q2 has no question cell")],
    ),
    "question in markdown": (
        "# %% [markdown]\n# @question a1.q2",
        '# %% [markdown] question="a1.q2"\n# @question a1.q2',
        [(30, "a question cell is markdown"), (33, "second question cell of a1.q2")],
    ),
    "check in a question cell": ("class Box:\n", 'check("a1.q2", 1)\nclass Box:\n', [(33, "a question cell is")]),
    "shown in a question cell": (
        "class Box:\n",
        "from course_utils.planning import fits  # show\nclass Box:\n",
        [(33, "a question cell is markdown, calls check or shows")],
    ),
    "unknown check": (
        'check("a1.q2", first)',
        'check("a1.q9", first)',
        [(33, "question a1.q2 has no check cell"), (58, "unknown question 'a1.q9'")],
    ),
    "check of a computed id": ('check("a1.q2",', "check(qid,", [(33, "no check cell"), (58, "without a literal id")]),
    "check of nothing": ('check("a1.q2", first)', "check()", [(33, "no check cell"), (58, "without a literal id")]),
    "duplicated check": (
        'check("a1.q2"',
        'check("a1.q1"',
        [(33, "a1.q2 has no check cell"), (58, "second check cell of a1.q1, expected one (the first is at line 28)")],
    ),
    "check is not last": ('check("a1.q1", double)', 'check("a1.q1", double)\nx = 1', [(28, "last expression")]),
    "check before a call": ('check("a1.q1", double)', 'check("a1.q1", double)\nf(1)', [(28, "last expression")]),
    "two checks in a cell": (
        'check("a1.q1", double)',
        'check("a1.q1", double)\ncheck("a1.q1", double)',
        [(28, "one last expression")],
    ),
    "check is assigned": ('check("a1.q1", double)', 'card = check("a1.q1", double)', [(28, "last expression")]),
    "unknown @question": (
        "# @question a1.q2",
        "# text\n# @question a1.q9",
        [(32, "unknown question 'a1.q9'"), (34, "a1.q2 has no @question line")],
    ),
    "code in markdown": ("# Some prose.\n", "Some prose.\n", [(8, "code in a markdown cell")]),
    "sign in a string": ('    """A box."""', '    """\n# %%\n    """', [(48, "cannot tell where this")]),
    "text at the start": ("# %% [markdown]\n# # Write", "x = 1\n# %% [markdown]\n# # Write", [(1, "text outside")]),
    "duplicated @question": ("# Some prose.", "# @question a1.q1", [(10, "second @question line of a1.q1")]),
    "solution over the limit": (
        "    return helper(x)\n",
        "    x = 1\n" * 20,
        [(14, "code cell of 26 non-blank lines, expected at most 25")],
    ),
}


@pytest.mark.parametrize("old, new, expected", ASSIGNMENT_RULES.values(), ids=ASSIGNMENT_RULES)
def test_assignment_rule(course, old, new, expected):
    assert A1.count(old) == 1
    assert_problems(course(assignment=A1.replace(old, new)), ASSIGNMENT, *expected)


def test_questions_without_any_part_are_reported_at_the_top(course):
    with pytest.raises(BuildError) as caught:
        build(course(), QUESTIONS | {"a1.q3": question("a1.q3")})
    kinds = ("@question line", "check cell", "question cell")
    text = "question a1.q3 has no {}, expected one in this file"
    assert [str(each) for each in caught.value.problems] == [f"{ASSIGNMENT}:1: {text.format(kind)}" for kind in kinds]


def test_an_empty_registry_is_named(course):
    with pytest.raises(
        BuildError, match=f"{ASSIGNMENT}:10: unknown question 'a1.q1', expected one of an empty registry"
    ):
        build(course(), {})


def test_the_longest_solution_passes(course):
    root = course(assignment=A1.replace("    return helper(x)\n", "    x = 1\n" * 19))
    cells = {cell.id: cell for cell in notebooks(root)["solutions/a1_maxent.ipynb"].cells}
    assert sum(bool(line.strip()) for line in cells["a1-q1"].source.split("\n")) == 25


# --- lectures; the first cell after the title is at line 4

LECTURE_RULES = {
    "marker": ("# %%\nx = 1\n### END SOLUTION", [(6, "expected it only in assignments")]),
    "question": ('# %% question="a1.q1"\nx = 1', [(4, "question cell in a lecture")]),
    "question with a solution": (
        '# %% question="a1.q1"\ndef f():\n    """F."""\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION',
        [(4, "question cell in a lecture"), (7, "only in assignments"), (9, "only in assignments")],
    ),
    "@question": ("# %% [markdown]\n# Hi\n# @question a1.q1", [(6, "@question in a lecture")]),
    "unknown check": ('# %%\ncard = check("a1.q9", f)', [(5, "unknown question 'a1.q9'")]),
    "not Python": ("# %%\nx = 1\n\nx = = 2", [(7, "not Python (invalid syntax)")]),
    "not Python, for the compiler": ("# %%\nx = 1\nreturn x", [(6, "not Python ('return' outside function)")]),
    "cell magic": ("# %%\n%%time\nx = 1", [(5, "not Python")]),
    "26 lines": ("# %%\n" + "x = 1\n\n" * 26, [(4, "code cell of 26 non-blank lines")]),
    "empty cell": ("# %%\n\n# %%\nx = 1", [(4, "empty cell")]),
    "title after the sign": ("# %% A title\nx = 1", [(4, "title: 'A title'")]),
    "raw": ("# %% [raw]\n# x", [(4, "a raw cell")]),
    "code in markdown": ("# %% [markdown]\n# Text\n\nx = 1", [(7, "code in a markdown cell")]),
    "sign in a string": ('# %%\ns = """\n# %%\n"""', [(6, "cannot tell where this cell starts")]),
    "sign in a fence": ("# %% [markdown]\n# ```\n# %%\n# ```", [(6, "cannot tell where this cell starts")]),
    "indented sign": ("# %%\nx = 1\n  # %%\ny = 2", [(6, "cannot tell where this cell starts")]),
    "other sign": ("# %%\nx = 1\n# In[3]:\ny = 2", [(6, "cannot tell where this cell starts")]),
    "figure without show": ("# %%\nfig, ax = plt.subplots()\nax.plot(x)", [(5, "plt.subplots(…) without show")]),
    "figure in a function": ("# %%\ndef f():\n    return plt.figure()", [(6, "plt.figure(…) without show")]),
    "mosaic": ('# %%\nfig, ax = plt.subplot_mosaic("ab")', [(5, "plt.subplot_mosaic(…) without show")]),
    "implicit figure": ("# %%\nplt.plot(x)\nplt.show()", [(5, "plt.plot(…)"), (6, "plt.show(…)")]),
    "show without alt": ("# %%\nfig, ax = plt.subplots()\nshow(fig)", [(6, "show(…) without alt text")]),
    "empty alt": ('# %%\nfig, ax = plt.subplots()\nshow(fig, alt=" ")', [(6, "show(…) without alt text")]),
    "one alt of two": (
        '# %%\nshow(a, alt="A")\nshow(b, alt=None)',
        [(5, "not displayed"), (6, "show(…) without alt text")],
    ),
    "caption without alt": ('# %%\nshow(fig, caption="A")', [(5, "show(…) without alt text")]),
    "figure not displayed": ('# %%\nshow(a, alt="A")\nx = 1', [(5, "this figure is not displayed")]),
    "figure in a block": ('# %%\nif x:\n    show(a, alt="A")', [(6, "this figure is not displayed")]),
    "image": ("# %% [markdown]\n# Text\n#\n# a ![ ](x.png)", [(7, "image without alt text")]),
    "html image": ('# %% [markdown]\n# <img src="x"\n# alt="">', [(5, "image without alt text")]),
    "html image without alt": ('# %% [markdown]\n# <img src="alt.png">', [(5, "image without alt text")]),
    "show: unknown name": (
        "# %%\nfrom course_utils.planning import nope  # show",
        [(5, "cannot show nope, expected the name of a function in course_utils.planning")],
    ),
    "show: unknown module": (
        "# %%\nfrom course_utils.nope import f  # show",
        [(5, "cannot show from course_utils.nope")],
    ),
    "show: another package": ("# %%\nfrom tools import f  # show", [(5, "cannot show from tools")]),
    "show: relative": ("# %%\nfrom . import planning  # show", [(5, "cannot show from .,")]),
    "show: alias": (f"# %%\n{SHOW_FITS}".replace("fits", "fits as g"), [(5, "cannot show fits as g,")]),
    "show: variable": ("# %%\nfrom course_utils.planning import EPS  # show", [(5, "cannot show EPS")]),
    "show: too long": ("# %%\nfrom course_utils.planning import long  # show", [(5, "long has 26 non-blank lines")]),
    "show: cell too long": (f"# %%\nx = 1\n{SHOW_FITS}", [(4, "code cell of 26 non-blank lines")]),
    "show: not an import": ("# %%\nx = 1  # show", [(5, "`# show` here")]),
    "show: indented": (f"# %%\nif True:\n    {SHOW_FITS}", [(6, "`# show` here")]),
    "show: private helper": (
        "# %%\nx = 1\nfrom course_utils.planning import checked  # show",
        [(6, "checked uses _private, a private function of course_utils.planning")],
    ),
    "show: names to import": (
        "# %%\nfrom course_utils.planning import scaled  # show",
        [(5, "`from course_utils.planning import EPS`"), (5, "`from course_utils.mdp import TabularMDP`")]
        + [(5, "scaled uses np, expected `import numpy as np` in this cell or an earlier one")],
    ),
    "show: decorator and alias": (
        "# %%\nfrom course_utils.planning import backup  # show",
        [(5, "`from scipy.special import logsumexp as lse`"), (5, "`from course_utils.planning import traced`")],
    ),
    "show: imported too late": (
        "# %%\nfrom course_utils.planning import checked  # show\n\n# %%\nfrom course_utils.planning import _private",
        [(5, "checked uses _private")],
    ),
    "show: private constant": (
        "# %%\nfrom course_utils.planning import floored  # show",
        [(5, "floored uses _TINY, expected `from course_utils.planning import _TINY` in this cell")],
    ),
    "show: undefined": (
        "# %%\nfrom course_utils.planning import broken  # show",
        [(5, "broken uses nowhere, which course_utils.planning does not define")],
    ),
    "show: broken module": ("# %%\nfrom course_utils.bad import f  # show", [(5, "cannot show from course_utils.bad")]),
    "tags without a list": ('# %% tags="hide"\nx = 1', [(4, "tags are not a list")]),
    "several": ("# %%\nx = = 1\n\n# %%\nplt.figure()\n\n# %% [raw]\n# x", [(5, "not P"), (8, "plt.f"), (10, "raw")]),
}


@pytest.mark.parametrize("cell, expected", LECTURE_RULES.values(), ids=LECTURE_RULES)
def test_lecture_rule(course, cell, expected):
    root = course(lecture(cell))
    (root / "course_utils/bad.py").write_text("def f(:\n")
    (root / "tools.py").write_text("def f(x):\n    return x\n")
    assert_problems(root, LECTURE, *expected)


FINE = {
    "25 lines": "# %%\n" + "x = 1\n\n" * 25,
    "figure": '# %%\nfig, ax = plt.subplots()\nshow(fig, alt="A line", caption="x")',
    "displayed figures": '# %%\nfor x in y:\n    display(show(x, alt="A"))\nshow(a, alt="A")',
    "no figure": "# %%\nplt.rc(x)\ncolours = plt.get_cmap(x)\nax.plot(x)\nself.ax.plot(x)\nplot(x)",
    "no blank line between": "# %%\nx = 1\n# %% [markdown]\n# a\n# %%\nx = 1",
    "rule in markdown": "# %% [markdown]\n# a\n#\n# ---\n# b",
    "computed alt": '# %%\nfig, ax = plt.subplots()\nshow(fig, alt=f"{x} lines")',
    "figure in a callback": '# %%\ndef f():\n    fig = plt.figure()\n    return show(fig, alt="A")',
    "images": '# %% [markdown]\n# ![a line](x.png)\n# <img src="x"\n# alt="a line">',
    "known check": '# %%\ncard = check("a1.q1", f)',
    "shown at the limit": f"# %%\n{SHOW_FITS}",
    "helper shown": "# %%\nfrom course_utils.planning import _private, checked  # show",
    "helper imported": "# %%\nfrom course_utils.planning import _private\n"
    "from course_utils.planning import checked  # show",
    "helper shown before": "# %%\nfrom course_utils.planning import _private  # show\n\n# %%\n"
    "from course_utils.planning import checked  # show",
    "names assigned": "# %%\nimport numpy as np\nEPS: float = 1\n\n# %%\nclass TabularMDP:\n    pass\n\n# %%\n"
    "from course_utils.planning import scaled  # show",
    "names after the line": "# %%\nfrom course_utils.planning import scaled  # show\n"
    "import numpy as np\nfor EPS in (1, 2):\n    from course_utils.mdp import TabularMDP",
    "decorator, not a header": "# %%\n@question\ndef f():\n    pass",
    "await": "# %%\nawait f()",
}


@pytest.mark.parametrize("cell", FINE.values(), ids=FINE)
def test_lecture_passes(course, cell):
    assert len(build(course(lecture(cell)), QUESTIONS)) == 3


@pytest.mark.parametrize(
    "text, line, fragment",
    [
        ("x = 1\n", 1, "text outside a cell"),
        ("\n# text\n\n# %% [markdown]\n# # T\n", 2, "text outside a cell"),
        ("# ---\n# a: 1\n# ---\nx = 1\n# %% [markdown]\n# # T\n", 4, "text outside a cell"),
        ("", 1, "text outside a cell"),
        ("# ---\nx\n# %% [markdown]\n# # T\n", 1, "text outside a cell"),
        ("x = 1\n# %% [markdown]\n# # T\n#\n# ---\n", 1, "text outside a cell"),
        ("# %%\nx = 1\n", 1, "no title"),
        ("\n# %% [markdown]\n# ## Title\n", 2, "no title"),
        ("# %%\n# a comment\nx = 1\n", 1, "no title"),
    ],
)
def test_start_of_a_file(course, text, line, fragment):
    assert_problems(course(text), LECTURE, (line, fragment))


def test_problems_of_all_files_are_collected_in_order(course):
    root = course(lecture("# %%\nx = ="), A1.replace('check("a1.q1"', 'check("a1.q9"'))
    (root / "authoring/lectures/two.py").write_text("")
    (root / "authoring/lectures/01_twin.py").write_text(lecture("# %%\nx = 1"))
    (root / "authoring/assignments/a2_empty").mkdir()
    (root / "authoring/assignments/first").mkdir()
    (root / "authoring/assignments/notes.md").write_text("Not an assignment.")
    assert "a1_slug" in problems(root)[3] and "01_slug" in problems(root)[6]
    found = [re.match(r"(\S+): (\w+ \w+)", text).groups() for text in problems(root)]
    assert found == [
        (f"{ASSIGNMENT}:14", "question a1"),
        (f"{ASSIGNMENT}:28", "unknown question"),
        ("authoring/assignments/a2_empty/notebook.py:1", "no such"),
        ("authoring/assignments/first/notebook.py:1", "cannot build"),
        (f"{LECTURE}:5", "not Python"),
        ("authoring/lectures/01_twin.py:1", "second source"),
        ("authoring/lectures/two.py:1", "cannot build"),
    ]


# --- what is shown


def shown(root):
    return notebooks(root)["notebooks/01_first.ipynb"].cells[1].source


def test_shown_source_is_real_with_docstrings_cut(course):
    imports = (
        "import numpy as np\nfrom scipy.special import logsumexp as lse\n\nfrom course_utils.planning import traced"
    )
    cell = f"# %%\n{imports}\nfrom course_utils.planning import backup  # show\nV = 1"
    # In PLANNING the docstring is raw: `\\log` stands there with two backslashes.
    expected = """@traced
def backup(Q, axis=-1):
    r\"\"\"V = \\\\log Σ_a exp Q.\"\"\"
    # the soft maximum
    V = lse(Q, axis=axis)  # over actions

    def inner(x):
        \"\"\"Inner summary\"\"\"
        return x

    return inner(V)"""
    assert shown(course(lecture(cell))) == f"{imports}\n\n\n{expected}\n\n\nV = 1"


def test_shown_definitions_are_the_modules_without_docstrings(course):
    """Independent of how the text is cut: same syntax trees."""
    cell = "# %%\nfrom course_utils.planning import (\n    quoted,\n    bare,\n    single,\n)  # show\n"
    source = shown(course(lecture(cell + "from course_utils.planning import _private  # show")))
    tree, module = ast.parse(source), {node.name: node for node in ast.parse(PLANNING).body if hasattr(node, "name")}
    assert [node.name for node in tree.body] == ["quoted", "bare", "single", "_private"]
    assert source.startswith("def quoted(x):\n") and source.endswith("return r")
    assert "# not part of it" not in source
    assert '"""One line."""  # and a comment' in source
    assert ast.get_docstring(tree.body[0]).strip() == 'Says "yes"'
    del tree.body[0].body[0], module["quoted"].body[0]
    for node in tree.body:
        assert ast.dump(node) == ast.dump(module[node.name])


def test_a_package_can_be_shown_from(course):
    root = course(lecture("# %%\nfrom course_utils.deep import f  # show"))
    (root / "course_utils/deep").mkdir()
    text = "from . import h\nfrom .other import g\n\n\ndef f(x):\n    return g(h(x))\n"
    (root / "course_utils/deep/__init__.py").write_text(text)
    hints = [(5, "`from course_utils.deep.other import g`"), (5, "`from course_utils.deep import h`")]
    assert_problems(root, LECTURE, *hints)


# --- committed files, and the command


def finding(found, path):
    return next(text for text in found if text.startswith(f"{path}: "))


def test_check_reports_drift_missing_and_orphans(course):
    root = course()
    assert {path.as_posix() for path in write(root, build(root, QUESTIONS))} == BUILT
    assert check(root, QUESTIONS) == []
    drift, orphan = root / "notebooks/01_first.ipynb", root / "solutions/deep/old.ipynb"
    drift.write_text(drift.read_text().replace("# First", "# Frist"))
    orphan.parent.mkdir()
    orphan.write_text("{}")
    (root / "assignments/data.csv").write_text("1\n")
    (root / "solutions/a1_maxent.ipynb").unlink()
    (root / "notebooks/.ipynb_checkpoints").mkdir()
    (root / "notebooks/.ipynb_checkpoints/01_first.ipynb").write_text("{}")
    found = check(root, QUESTIONS)
    assert len(found) == 4
    lines = finding(found, "notebooks/01_first.ipynb").split("\n")
    assert len(lines) < 10 and "more lines" not in lines[-1]
    assert [line for line in lines[3:] if line[0] in "+-"] == ['-    "# Frist"', '+    "# First"']
    assert "missing" in finding(found, "solutions/a1_maxent.ipynb")
    for path in ("assignments/data.csv", "solutions/deep/old.ipynb"):
        assert "no source" in finding(found, path)
    assert [path.as_posix() for path in write(root, build(root, QUESTIONS))] == [
        "notebooks/01_first.ipynb",
        "solutions/a1_maxent.ipynb",
    ]
    assert len(check(root, QUESTIONS)) == 2 and orphan.exists()


@pytest.mark.parametrize(
    "change", [lambda b: b.replace(b"\n", b"\r\n"), lambda b: b + b"\n", lambda b: b[:-1], lambda b: b"\xff" + b]
)
def test_check_compares_bytes(course, change):
    root = course()
    write(root, build(root, QUESTIONS))
    path = root / "notebooks/01_first.ipynb"
    path.write_bytes(change(path.read_bytes()))
    (text,) = check(root, QUESTIONS)
    assert text.startswith("notebooks/01_first.ipynb: differs") and len(text.split("\n")) >= 2


def test_the_difference_is_short(course):
    root = course()
    write(root, build(root, QUESTIONS))
    path = root / "solutions/a1_maxent.ipynb"
    path.write_text("x" * 100_000 + "\n" + "y\n" * 500)
    (text,) = check(root, QUESTIONS)
    assert len(text) < 5000 and text.endswith("more lines")


@pytest.fixture
def run(course, monkeypatch, capsys):
    """Runs `course build …` in a folder of a fake course; gives exit code, output and errors."""
    registry = SimpleNamespace(questions=lambda: QUESTIONS)
    monkeypatch.setattr(course_utils, "checks", registry, raising=False)
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers())

    def call(folder, *arguments):
        monkeypatch.chdir(folder)
        args = parser.parse_args(["build", *arguments])
        return args.run(args), *capsys.readouterr()

    return call


def test_command_builds_and_checks_from_any_folder(course, run):
    root = course()
    code, out, _ = run(root / "authoring" / "lectures", "--check")
    assert code == 1 and out.count("missing") == 3
    assert not (root / "notebooks").exists()
    code, out, _ = run(root / "authoring" / "lectures")
    assert code == 0 and {line.split()[1] for line in out.split("\n") if line.startswith("wrote ")} == BUILT
    code, out, _ = run(root)
    assert (code, out) == (0, "3 notebooks built, 0 changed\n")
    (root / "authoring" / "pyproject.toml").write_text("")  # of something else: there is no authoring/ beside it
    assert run(root / "authoring", "--check")[:2] == (0, "built notebooks are up to date\n")
    (root / "notebooks/01_first.ipynb").unlink()
    assert "--check: 1 file is not as built" in run(root, "--check")[1]
    (root / "assignments/a1_maxent.ipynb").write_text("{}\n")
    (root / "assignments/mine.ipynb").write_text("{}\n")
    code, out, _ = run(root, "--check")
    assert "--check: 3 files are not as built" in out
    assert code == 1 and "\n-{}\n" in out and "assignments/mine.ipynb: no source" in out
    code, out, _ = run(root)
    assert code == 0 and "wrote assignments/a1_maxent.ipynb; what you had there is kept as .course/kept/a1_" in out
    assert "left alone assignments/mine.ipynb" in out


def test_what_somebody_worked_in_is_kept_before_it_is_overwritten(course):
    """One with an answer, one that was run, one that cannot be read: byte for byte. A blank one is not kept."""
    root = course(lecture("# %%\nx = 1"))
    assignment, first = root / "assignments/a1_maxent.ipynb", root / "notebooks/01_first.ipynb"
    write(root, build(root, QUESTIONS))
    blank, unrun = assignment.read_text(encoding="utf-8"), first.read_text(encoding="utf-8")
    old = blank.replace('"nbformat_minor": 5', '"nbformat_minor":  5')
    filled = re.sub(r"raise NotImplementedError\([^)]*\)", "return 42", blank)
    run = unrun.replace('"execution_count": null', '"execution_count": 1', 1)
    assert len({blank, old, filled}) == 3 and run != unrun

    for path, text, keeps in [
        (assignment, old, False),
        (assignment, filled, True),
        (assignment, "not a notebook", True),
        (first, run, True),
        (first, unrun.replace("# First", "# Frist"), False),
    ]:
        path.write_text(text, encoding="utf-8")
        ((written, kept),) = write(root, build(root, QUESTIONS)).items()
        assert root / written == path and bool(kept) == keeps
        if keeps:
            assert (root / kept).read_text(encoding="utf-8") == text
    assert assignment.read_text(encoding="utf-8") == blank and first.read_text(encoding="utf-8") == unrun


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_command_prints_problems_and_writes_nothing(course, run, arguments):
    root = course(lecture("# %%\nx = ="))
    code, out, err = run(root, *arguments)
    assert code == 1 and not out and err.startswith(f"{LECTURE}:5: not Python") and "1 problem," in err
    assert not (root / "assignments").exists()


def test_command_outside_a_course(tmp_path, run):
    (tmp_path / "authoring").mkdir()
    code, _, err = run(tmp_path / "authoring")
    assert code == 2 and "expected authoring/ and pyproject.toml" in err and str(tmp_path) in err


def test_the_registry_is_the_default(course, run):
    root = course()
    assert build(root) == build(root, QUESTIONS)
