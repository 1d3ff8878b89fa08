"""Every assignment that there is grades: the model solution, the blank notebook, and wrong answers one at a time.

Assignments are found, not listed, so one that is added later is tested without a change here.
"""

import json
import re

import pytest
from helpers import ROOT, load

from course_utils.checks import questions
from instructor.grading import assignments, marking
from instructor.grading.records import BLANK, RIGHT, WRONG, Submission

SECRET = b"the secret of all assignments"
SLUGS = sorted(path.parent.name for path in (ROOT / "authoring/assignments").glob("a*_*/hidden_tests.py"))


def name_of(slug):
    return slug.partition("_")[0]


def asked(slug):
    return [id for id in questions() if id.startswith(f"{name_of(slug)}.")]


def notebook(folder, slug):
    return json.loads((ROOT / folder / f"{slug}.ipynb").read_text(encoding="utf-8"))


def answers(slug):
    """The model solution's answer cells, by question."""
    cells = notebook("solutions", slug)["cells"]
    return {c["metadata"]["course"]["question"]: c for c in cells if c["metadata"].get("nbgrader", {}).get("solution")}


def function_of(source):
    return re.findall(r"^def (\w+)\(", source, re.MULTILINE)[-1]


def graded(slug, plain):
    record = marking.mark(Submission("ada", notebook=json.dumps(plain).encode()), name_of(slug), SECRET)
    return record, {answer.question: answer for answer in record.answers}


@pytest.fixture(scope="module", autouse=True)
def no_box_is_left():
    yield
    marking.close_box()


def some_wrong_answers():
    """(slug, question, number in its list, name of the mistake): of each question the first, the middle, the last."""
    for slug in SLUGS:
        for id, entries in load(slug, "wrong_answers").WRONG.items():
            for k in sorted({0, len(entries) // 2, len(entries) - 1}):
                yield pytest.param(slug, id, k, entries[k][1], id=f"{id}-{entries[k][0].__name__}")


def test_all_assignments_are_here():
    assert SLUGS and [name_of(slug) for slug in SLUGS] == assignments.known_assignments()
    assert {id for slug in SLUGS for id in asked(slug)} == {q.id for q in questions().values() if q.points}


@pytest.mark.parametrize("slug", SLUGS)
def test_the_model_solution_earns_everything(slug):
    record, found = graded(slug, notebook("solutions", slug))
    assert {id: (a.status, a.points) for id, a in found.items()} == {
        id: (RIGHT, questions()[id].points) for id in asked(slug)
    }
    assert record.points == record.out_of > 0 and record.notes == ()


@pytest.mark.parametrize("slug", SLUGS)
def test_the_blank_notebook_earns_nothing(slug):
    record, found = graded(slug, notebook("assignments", slug))
    assert {id: a.status for id, a in found.items()} == dict.fromkeys(asked(slug), BLANK)
    assert record.points == 0 and record.out_of == sum(questions()[id].points for id in asked(slug))


@pytest.mark.parametrize("slug, id, k, mistake", list(some_wrong_answers()))
def test_a_wrong_answer_costs_its_question_and_is_named(slug, id, k, mistake):
    """In a namespace of its own, so that it replaces one function of the notebook and nothing else."""
    plain, solved = notebook("solutions", slug), answers(slug)
    name = function_of("".join(solved[id]["source"]))
    source = (ROOT / "authoring/assignments" / slug / "wrong_answers.py").read_text(encoding="utf-8")
    (cell,) = (c for c in plain["cells"] if c["id"] == solved[id]["id"])
    cell["source"] = f"apart = {{}}\nexec({source!r}, apart)\n{name} = apart['WRONG'][{id!r}][{k}][0]\n"
    _, found = graded(slug, plain)
    assert (found[id].status, found[id].points, found[id].mistake) == (WRONG, 0, mistake), found[id].card
    assert found[id].card["mistake"] == mistake and found[id].hint == found[id].card["hint"]
    for other in set(solved) - {id}:
        if name not in "".join(solved[other]["source"]):  # else it uses this answer
            assert found[other].status == RIGHT and found[other].points == questions()[other].points
