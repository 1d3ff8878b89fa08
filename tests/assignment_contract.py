"""What holds for every assignment. A test module inherits it by naming its assignment:

A2 = Assignment("a2_guided_cost")

class TestA2(Contract):
    assignment = A2
    must_know = {"a2.q1": {"wrong sign"}}
"""

import dataclasses
import re
from collections import Counter
from functools import cached_property

import numpy as np
import pytest
import torch
from helpers import code_cells, load, references

from course_utils.checks import make_cases, questions
from course_utils.checks.core import remembering, variants
from course_utils.checks.runner import examine

SEEDS, HIDDEN_SEEDS = range(20), range(5)
NAMED_BY_THE_RUNNER = {
    "inputs changed",
    "not the same twice",
    "nothing returned",
    "outputs in another order",
    "axes in another order",
    "the same answer to different inputs",
}
quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # wrong answers overflow


class Assignment:
    """An authored assignment: its questions, reference answers, wrong answers and hidden tests, each by question id."""

    def __init__(self, slug):
        self.slug = slug
        self.questions = {id: q for id, q in questions().items() if id.startswith(slug.split("_")[0] + ".")}
        self.hidden_tests = load(slug, "hidden_tests")
        self.wrong = load(slug, "wrong_answers").WRONG
        self._public, self._hidden, self._quick = {}, {}, {}

    @cached_property
    def reference(self):
        return references(self.slug)

    def public(self, id, seed):
        """The instances of the check."""
        if (id, seed) not in self._public:
            self._public[id, seed] = make_cases(self.questions[id], seed)
        return self._public[id, seed]

    def hidden(self, id, seed):
        """The instances at grading."""
        if (id, seed) not in self._hidden:
            self._hidden[id, seed] = self.hidden_tests.CASES[id](np.random.default_rng(seed))
        return self._hidden[id, seed]

    def quick(self, id):
        """The question, with mistakes that remember what they gave for an instance."""
        if id not in self._quick:
            self._quick[id] = remembering(self.questions[id])
        return self._quick[id]


# Answers that are right in an unusual form


def as_lists(x):
    return tuple(map(as_lists, x)) if isinstance(x, tuple) else np.asarray(x).tolist()


def as_tensors(x):
    return tuple(map(as_tensors, x)) if isinstance(x, tuple) else torch.tensor(x, requires_grad=True)


def as_single(x):
    return tuple(map(as_single, x)) if isinstance(x, tuple) else np.float32(x)


def with_minus_zero(x):
    return tuple(map(with_minus_zero, x)) if isinstance(x, tuple) else np.where(np.asarray(x) == 0, -0.0, x)


class Contract:
    """The tests: one with the argument `id` runs for each question, one with `id, fn, name` for each wrong answer."""

    assignment: Assignment
    must_know: dict = {}  # question id -> names of mistakes that its check must know
    unfinished: dict = {}  # question id -> how many cells of the blank notebook say "Not yet: finish <id> first"

    def pytest_generate_tests(self, metafunc):
        wrong, names = self.assignment.wrong, metafunc.fixturenames
        if "fn" in names:
            entries = [pytest.param(id, *entry, id=f"{id}-{entry[0].__name__}") for id in wrong for entry in wrong[id]]
            metafunc.parametrize("id, fn, name", entries)
        elif "id" in names:
            metafunc.parametrize("id", self.assignment.questions)

    def test_every_question_has_its_parts(self):
        """So that none of the tests below runs on nothing."""
        ids = list(self.assignment.questions)
        assert ids and ids == list(self.assignment.reference) == list(self.assignment.hidden_tests.CASES)
        assert set(ids) == set(self.assignment.wrong)

    def test_reference_passes(self, id):
        question, fn = self.assignment.questions[id], self.assignment.reference[id]
        for seed in SEEDS:
            card = examine(question, fn, self.assignment.public(id, seed))
            assert card.passed, f"seed {seed}\n{card}"
        for seed in HIDDEN_SEEDS:
            card = examine(question, fn, self.assignment.hidden(id, seed))
            assert card.passed, f"hidden, seed {seed}\n{card}"

    @quiet
    def test_wrong_answer_fails_and_is_named(self, id, fn, name):
        for seed in SEEDS:
            card = examine(self.assignment.quick(id), fn, self.assignment.public(id, seed))
            assert (card.status, card.mistake) == ("failed", name), f"seed {seed}\n{card}"

    @quiet
    def test_wrong_answer_fails_the_hidden_tests(self, id, fn, name):
        unnamed = dataclasses.replace(self.assignment.questions[id], mistakes=())
        for seed in HIDDEN_SEEDS:
            cases = self.assignment.hidden(id, seed)
            assert any(examine(unnamed, fn, [case]).status == "failed" for case in cases), f"passes seed {seed}"

    @quiet
    def test_no_other_mistake_explains_a_wrong_answer(self, id, fn, name):
        """The name does not hang on the order of the list: without its own entry nothing else is named.

        Predicates say where an answer is wrong; they may overlap, and among them the order decides.
        """
        question = self.assignment.quick(id)
        named_by_where = any(m.when for m in question.mistakes if m.name == name)
        others = tuple(m for m in question.mistakes if m.name != name and not (named_by_where and m.when))
        for seed in SEEDS[:2]:
            card = examine(dataclasses.replace(question, mistakes=others), fn, self.assignment.public(id, seed))
            assert card.status == "failed", f"seed {seed}\n{card}"
            allowed = {None, "not finite"} | ({name} & NAMED_BY_THE_RUNNER)
            assert card.mistake in allowed, f"seed {seed}\n{card}"

    def test_every_mistake_has_a_wrong_answer(self, id):
        tried = {name for _, name in self.assignment.wrong[id]} - NAMED_BY_THE_RUNNER
        known = {m.name for m in self.assignment.questions[id].mistakes}
        assert known == tried, f"only known: {known - tried}; only tried: {tried - known}"

    def test_the_mistakes_that_must_be_known(self):
        assert set(self.must_know) == set(self.assignment.questions)
        for id, names in self.must_know.items():
            missing = names - {m.name for m in self.assignment.questions[id].mistakes}
            assert names and not missing, f"{id} does not know {missing}"

    @quiet
    def test_every_mistake_can_be_recomputed_on_every_instance(self, id):
        """A recogniser that raises would cost a student the card. And none of them gives the right answer."""
        question = self.assignment.questions[id]
        for mistake in question.mistakes:
            for gives in variants(mistake):
                cards = [
                    examine(
                        dataclasses.replace(question, mistakes=()),
                        lambda *x, g=gives: g(**dict(zip(question.arguments, x, strict=True))),
                        self.assignment.public(id, seed),
                    )
                    for seed in SEEDS[:3]
                ]
                assert all(card.status == "failed" for card in cards), f"gives the right answer: {mistake.name}"
                for card in cards:
                    assert "stopped with" not in card.message, f"{mistake.name}\n{card}"

    def test_instances_grow_and_are_paste_ready(self, id):
        cases = self.assignment.public(id, 0)
        assert tuple(cases[0].args) == self.assignment.questions[id].arguments
        sizes = [sum(np.size(x) for x in case.args.values()) for case in cases if not case.note]
        assert sizes[0] == min(sizes) and sizes[0] <= 30, f"sizes {sizes}"
        for case in cases:
            for name, x in case.args.items():
                if isinstance(x, np.ndarray) and not case.note:
                    assert np.allclose(x, np.round(x, 3), atol=1e-12), f"{name} has more than 3 decimals"

    def test_instances_depend_on_the_seed_only(self, id):
        def flat(seed):
            cases = make_cases(self.assignment.questions[id], seed)
            return np.concatenate([np.ravel(x) for case in cases for x in case.args.values()])

        assert np.array_equal(flat(0), flat(0))
        assert not np.array_equal(flat(0), flat(1))

    @pytest.mark.parametrize("form", [as_lists, as_tensors, as_single, with_minus_zero, lambda x: print("x") or x])
    def test_unusual_forms_of_a_right_answer_pass(self, id, form, capsys):
        question, fn = self.assignment.questions[id], self.assignment.reference[id]
        for cases in (self.assignment.public(id, 0), self.assignment.hidden(id, 0)):
            card = examine(question, lambda *args: form(fn(*args)), cases)
            assert card.passed, card
        assert capsys.readouterr().out == ""  # what it prints does not flood the notebook

    def test_blank_assignment_runs(self, tmp_path, monkeypatch, capsys):
        """Nothing raises, every check says "not yet", and the cells at the end say what is missing."""
        monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "log.jsonl"))
        namespace, cards = {}, []
        for source, question in code_cells(self.assignment.slug):
            if question:
                blank = f'    raise NotImplementedError("{question}")\n'
                source = re.sub(r" *### BEGIN SOLUTION.*### END SOLUTION", blank, source, flags=re.DOTALL)
                assert "NotImplementedError" in source
            if source.startswith("check("):
                cards.append(eval(source, namespace))
            else:
                exec(source, namespace)
        assert [card.question for card in cards] == list(self.assignment.questions)
        assert {card.status for card in cards} == {"not yet"}
        said = Counter(re.findall(r"Not yet: finish (\S+) first", capsys.readouterr().out))
        assert said == self.unfinished
