"""The checks' framework: what a card says, whatever a student's function does."""

import functools
import json
import os
import re
import subprocess
import sys
import textwrap
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from course_utils import checks
from course_utils.checks import Case, Mistake, Output, Question, check, questions, unfinished_ok
from course_utils.checks.runner import MORE, examine


@pytest.fixture(autouse=True)
def log(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    monkeypatch.setenv("COURSE_PROGRESS", str(path))
    return path


def scale_cases(rng):
    return [Case({"x": rng.normal(size=n).round(2), "c": 3}, None) for n in (1, 2, 3)]


def with_answer(cases, answer):
    return [Case(case.args, answer(**case.args), case.note) for case in cases]


def question(**change):
    """Scale x by c. A small question to try the framework on."""
    parts = dict(
        id="a9.q1",
        title="Scale",
        objective="scale",
        difficulty=1,
        minutes=1,
        points=1,
        arguments=("x", "c"),
        outputs=(Output("y", "i"),),
        cases=lambda rng: with_answer(scale_cases(rng), lambda x, c: c * x),
        mistakes=(
            Mistake("not scaled", "Multiply.", lambda x, c: x),
            Mistake("divided", "The other way.", lambda x, c: x / c),
        ),
    )
    return Question(**(parts | change))


def run(fn, traceback=False, seed=0, **change):
    q = question(**change)
    return examine(q, fn, checks.make_cases(q, seed), traceback)


class Tags(HTMLParser):
    """The tags and the text of a piece of HTML; complains when they are not balanced."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def good(card):
    """What holds for every card; returns its text."""
    text, html = repr(card), Tags(card._repr_html_())
    assert max(map(len, text.splitlines())) <= 100
    assert set(html.tags) <= {"section", "p", "strong", "em", "div", "pre", "details", "summary"}
    assert {"passed": "Passed", "failed": "Not passed", "not yet": "Not yet"}[card.status] in text  # a word, not only
    assert card.title in html.text and card.question in html.text  # a colour
    assert (MORE in text) == (MORE in html.text) == (card.status != "not yet")
    assert "Traceback" not in text or "traceback" in text
    return text


# Statuses


def test_passed():
    card = run(lambda x, c: c * x)
    assert card.passed and card.status == "passed" and card.mistake is None
    assert len(good(card).splitlines()) <= 3


def test_failed_shows_the_smallest_instance_and_names_the_mistake():
    card = run(lambda x, c: x)
    assert (card.status, card.mistake, card.hint, card.passed) == ("failed", "not scaled", "Multiply.", False)
    text, html = good(card), Tags(card._repr_html_())
    x = checks.make_cases(question())[0].args["x"][0]
    assert "x (1,)" in text and f"[{x:g}]" in text and f"[{3 * x:g}]" in text and "3 of 3" in text
    assert "y[i=0]" in text and "off by" in text
    assert "not scaled" in html.text and "Multiply." in html.text and "details" in html.tags
    assert html.text.index("Hint") < html.text.index("Multiply.")


def test_failed_for_an_unknown_reason():
    card = run(lambda x, c: c * x + 0.5)
    assert card.status == "failed" and card.mistake is None and "looks like" not in good(card)


def test_not_yet():
    def fn(x, c):
        raise NotImplementedError("a9.q1")

    card = run(fn)
    assert card.status == "not yet" and len(good(card).splitlines()) == 2

    def uses_another(x, c):
        raise NotImplementedError("a1.q3")

    assert "finish a1.q3 first" in good(run(uses_another))

    def a_library_in_it(x, c):
        raise NotImplementedError("exp of integers")

    card = run(a_library_in_it)
    assert card.status == "failed" and "stopped with NotImplementedError: exp of integers" in good(card)


# What a function may do wrong before its values matter


def test_exception_with_the_students_line_and_no_traceback():
    def fn(x, c):
        y = x * c
        return np.linalg.inv(y)

    text = good(run(fn))
    assert "LinAlgError" in text and "return np.linalg.inv(y)" in text and "of fn" in text
    assert "linalg/" not in text and "Traceback" not in text
    more = good(run(fn, traceback=True))
    assert "in inv" in more and "return np.linalg.inv(y)" in more


def test_exception_raised_in_a_helper_of_the_student():
    def helper(x):
        return {}["missing"]

    def fn(x, c):
        return helper(x)

    line = helper.__code__.co_firstlineno + 1
    assert 'return {}["missing"]' in good(run(fn)) and f"line {line} of helper" in repr(run(fn))


@pytest.mark.parametrize("error", [SystemExit(3), RecursionError("deep"), AssertionError(), ValueError("a\nb\x1b[31m")])
def test_any_exception_becomes_a_card(error):
    def fn(x, c):
        raise error

    text = good(run(fn))
    assert type(error).__name__ in text and "\x1b" not in text


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize("error", [KeyError(Unprintable()), ValueError("x" * 10**6), OSError("\ud800\x00<b>")])
def test_an_exception_whose_text_is_bad(error):
    def fn(x, c):
        raise error

    card = run(fn)
    assert type(error).__name__ in good(card) and "<b>" not in card._repr_html_() and "\x00" not in card._repr_html_()
    assert len(card._repr_html_().encode()) < 5000


def test_an_interrupt_passes_through():
    def fn(x, c):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(fn)


def test_html_of_student_text_is_escaped():
    def fn(x, c):
        print("<script>print</script>")
        raise ValueError("<script>alert(1)</script>")

    html = run(fn, traceback=True)._repr_html_()
    assert "<script" not in html and html.count("&lt;script&gt;") >= 3
    good(run(fn))


def test_what_was_printed_is_shown_for_the_instance_shown(capsys):
    def fn(x, c):
        print("n =", len(x))
        return c * x if len(x) < 2 else x

    text = good(run(fn))
    assert "n = 2" in text and "n = 1" not in text and "n = 3" not in text
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "value, words",
    [
        (None, "returned None"),
        ("text", "not real numbers"),
        (object(), "not real numbers"),
        ([[1], [1, 2]], "list"),
        (1j, "not real numbers"),
        ({"a": 1}, "not real numbers"),
    ],
)
def test_values_that_are_no_numbers(value, words):
    card = run(lambda x, c: value)
    assert card.status == "failed" and words in good(card)


class Stubborn:
    def __array__(self, *_, **__):
        raise KeyError("no numbers")


@pytest.mark.parametrize(
    "value",
    [
        Stubborn(),
        np.broadcast_to(0.0, (10**14,)),
        [torch.ones(1, requires_grad=True)],
        torch.eye(2).to_sparse(),
        torch.ones(1, dtype=torch.bfloat16),
        (x for x in "ab"),
    ],
)
def test_values_that_refuse_to_become_an_array(value):
    card = run(lambda x, c: value)
    assert card.status == "failed" and "Expected numbers for y[i]" in good(card)


def test_none_is_named():
    assert run(lambda x, c: None).mistake == "nothing returned"


def test_shape():
    card = run(lambda x, c: (c * x)[None])
    assert "should have shape (1,); yours has shape (1, 1)" in good(card) and card.mistake is None


def test_axes_and_order_are_recognised():
    wide = dict(
        outputs=(Output("y", "ij"),),
        cases=lambda rng: [Case({"x": x, "c": 2}, 2 * x) for x in (rng.normal(size=(2, 3)), rng.normal(size=(4, 3)))],
    )
    assert run(lambda x, c: c * x.T, **wide).mistake == "axes in another order"
    assert run(lambda x, c: x.T, **wide).mistake is None  # also wrong in value
    two = dict(
        outputs=(Output("y", "i"), Output("z", "ij")),
        cases=lambda rng: [
            Case({"x": x, "c": 2}, (2 * x, np.outer(x, x))) for x in (rng.normal(size=2), rng.normal(size=3))
        ],
    )
    assert run(lambda x, c: (c * x, np.outer(x, x)), **two).passed
    assert run(lambda x, c: [c * x, np.outer(x, x)], **two).passed
    assert run(lambda x, c: (np.outer(x, x), c * x), **two).mistake == "outputs in another order"
    assert "tuple of 2, (y[i], z[i,j])" in good(run(lambda x, c: c * x, **two))
    assert "returned a tuple of 3" in good(run(lambda x, c: (x, x, x), **two))


def test_not_finite():
    card = run(lambda x, c: np.where(np.arange(len(x)) == 1, np.nan, c * x))
    assert card.mistake == "not finite" and "y[i=1] is nan" in good(card)
    known = question().mistakes + (Mistake("my nan", "…", when=lambda case, outputs: np.isnan(outputs[0]).any()),)
    assert run(lambda x, c: np.nan * x, mistakes=known).mistake == "my nan"


def test_numpy_warnings_do_not_reach_the_notebook(recwarn):
    run(lambda x, c: np.log(-np.abs(x)))
    assert not recwarn.list


def test_changed_inputs():
    def fn(x, c):
        x *= c
        return x

    card = run(fn)
    assert card.mistake == "inputs changed" and "changed its input x" in good(card)


def test_a_buffer_that_is_returned_again_and_again_is_read_at_once():
    buffer = np.zeros(3)

    def fn(x, c, scale=1):
        y = buffer[: len(x)]
        y[:] = scale * x
        return y

    assert run(lambda x, c: fn(x, c, scale=c)).passed
    assert run(fn).mistake == "not scaled"


def test_not_the_same_twice():
    calls = []

    def fn(x, c):
        calls.append(x)
        return c * x + 0.1 * (len(calls) > 3)  # right on the three instances, wrong the fourth time

    card = run(fn)
    assert card.mistake == "not the same twice" and "two different answers" in good(card)
    assert run(lambda x, c: np.random.default_rng().normal(size=len(x))).mistake == "not the same twice"


def test_other_inputs_and_the_same_answer():
    x, memo = np.array([1.0, 2.0, 3.0]), {}

    def of_a_global(x_, c):
        return c * x[: len(x_)]

    def with_a_cache(x, c):
        return memo.setdefault((len(x), c), c * x) if len(x) == 3 else 2 * c * x

    memo[3, 3] = x
    assert run(of_a_global).mistake == run(with_a_cache).mistake == "the same answer to different inputs"
    assert run(lambda x, c: c * x + 0.5).mistake is None
    assert run(lambda x, c: 3 * x[:1] if len(x) == 1 else 7 + 0 * x).mistake == "the same answer to different inputs"
    assert run(lambda x, c: c * x if len(x) < 3 else 7 + 0 * x).mistake is None  # the exception, not the rule
    looks = lambda x, c: 7.0 + (x > 1.6)  # halves of x are on the same side of it, x + 1 is not
    assert run(looks).mistake is None
    assert run(lambda x, c: np.inf + 0 * x).mistake == "not finite"


# The call itself


@pytest.mark.parametrize("thing", [3, None, np.zeros(3), "fn"])
def test_not_a_function(thing):
    card = run(thing)
    assert card.status == "failed" and "without brackets" in good(card) and type(thing).__name__ in repr(card)


@pytest.mark.parametrize("fn", [lambda x: x, lambda c, x: c * x, lambda x, c, d: x, lambda: 0, lambda x, *, c: x])
def test_signature(fn):
    card = run(fn)
    assert card.status == "failed" and "(x, c)" in good(card)


def test_the_signature_is_shown_without_defaults_and_annotations():
    def fn(c: np.ndarray, x: "text" * 99 = Unprintable()) -> float:  # noqa: B008, F821
        return c * x

    assert "yours is fn(c, x)." in good(run(fn))


@pytest.mark.parametrize(
    "fn",
    [
        lambda x, c, extra=1: c * x,
        lambda *args: args[0] * args[1],
        lambda a, b: a * b,
        np.multiply,
        functools.partial(lambda k, x, c: c * x, 7),
    ],
)
def test_signatures_that_are_fine(fn):
    assert run(fn).passed


@pytest.mark.parametrize("wrong, close", [("a1.q9", "a1.q"), ("a1q2", "a1.q2"), ("A1.q3", "a1.q3"), (7, "a")])
def test_unknown_id(wrong, close, log):
    with pytest.raises(ValueError) as error:
        check(wrong, len)
    assert f"did you mean '{close}" in str(error.value) and all(id in str(error.value) for id in questions())
    assert not log.exists()


# Recognition


def test_a_coincidence_on_one_instance_names_nothing():
    two = (np.array([0.0, 4.0]), np.array([1.0, 3.0]))
    fixed = dict(cases=lambda rng: [Case({"x": x, "c": 2}, 2 * x) for x in two])
    always_four = Mistake("fours", "…", lambda x, c: np.array([0.0, 4.0]))
    assert run(lambda x, c: x, mistakes=(always_four,), **fixed).mistake is None
    also_right = Mistake("right where you are right", "…", lambda x, c: x if x[0] else x * 7)
    partly = lambda x, c: x if x[0] else c * x
    assert run(partly, mistakes=(also_right,), **fixed).mistake is None  # it mispredicts an instance that is right


def test_the_first_of_several_explanations_is_named():
    specific, general = (Mistake(name, "…", lambda x, c: x) for name in ("specific", "general"))
    assert run(lambda x, c: x, mistakes=(specific, general)).mistake == "specific"
    assert run(lambda x, c: x, mistakes=(general, specific)).mistake == "general"


def test_any_variant_of_a_mistake_counts():
    both = Mistake("either", "…", (lambda x, c: x, lambda x, c: x / c))
    for fn in (lambda x, c: x, lambda x, c: x / c):
        assert run(fn, mistakes=(both,)).mistake == "either"
    mixed = run(lambda x, c: x if len(x) == 1 else x / c, mistakes=(both,))
    assert mixed.status == "failed" and mixed.mistake is None  # one variant must explain everything


def test_a_wrong_formula_that_overflows_as_well_is_named_by_its_finite_part():
    fn = lambda x, c: x if len(x) < 3 else x * np.inf
    assert run(fn).mistake == "not scaled"
    mostly_inf = lambda x, c: x if len(x) < 2 else x * np.inf
    assert run(mostly_inf).mistake != "not scaled"


def test_single_precision_is_judged_more_mildly_and_double_is_not():
    assert run(lambda x, c: np.float32(c) * np.float32(x)).passed
    assert not run(lambda x, c: c * x * (1 + 3e-6)).passed
    assert not run(lambda x, c: np.float32(c * x * 1.01)).passed


def test_a_predicate_must_hold_for_every_wrong_output():
    short = Mistake("short", "…", when=lambda case, outputs: len(outputs[0]) < 3)
    assert run(lambda x, c: x if len(x) < 3 else c * x, mistakes=(short,)).mistake == "short"
    assert run(lambda x, c: x, mistakes=(short,)).mistake is None


# check(), the registry, progress


def test_check_writes_progress(log):
    check("a1.q1", lambda next_state, r, g, start, horizon: 0.0)
    check("a1.q1", 5)
    record = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(r["question"], r["status"]) for r in record] == [("a1.q1", "failed")] * 2


def test_a_notebook_that_makes_numpy_raise():
    with np.errstate(all="raise"):
        for id, q in questions().items():
            assert check(id, lambda *_: 1e300).status == "failed" and check(id, lambda *_: 5e-324).status == "failed"
            assert len(checks.make_cases(q)) > 1


def test_check_survives_a_disk_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "file" / "x"))
    monkeypatch.setattr(checks.progress, "_warned", False)
    with pytest.warns(UserWarning, match="progress is not kept"):
        assert check("a1.q1", 5).status == "failed"


def test_seed_gives_other_instances():
    cards = [repr(run(lambda x, c: 0 * x, seed=seed)) for seed in (0, 0, 1)]
    assert cards[0] == cards[1] != cards[2]


def test_registry():
    for id, q in questions().items():
        assert re.fullmatch(r"a\d+\.q\d+", id) and q.id == id and q.title and q.objective
        assert q.difficulty in (1, 2, 3) and q.minutes > 0 and q.points >= 0
        cases = checks.make_cases(q)
        assert cases and all(tuple(case.args) == q.arguments for case in cases)
        names = [m.name for m in q.mistakes]
        assert len(set(names)) == len(names) and all(m.hint and (m.gives or m.when) for m in q.mistakes)
    assert {"a1.q1", "a1.q2", "a1.q3", "a1.q4"} <= set(questions())


def test_unfinished_ok(capsys):
    with unfinished_ok():
        raise NotImplementedError("a1.q3")
    with unfinished_ok():
        raise NotImplementedError
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("Not yet: finish a1.q3 first") and out[1].startswith("Not yet")
    with unfinished_ok():
        done = 1
    assert done == 1 and capsys.readouterr().out == ""
    with pytest.raises(ZeroDivisionError), unfinished_ok():
        raise ZeroDivisionError


def test_in_a_notebook_kernel_the_card_shows_the_students_line(tmp_path):
    """The source of a cell is no file: its line must still be found."""
    script = textwrap.dedent("""
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        shell.run_cell("from course_utils.checks import check")
        shell.run_cell("def fn(next_state, r, g, start, horizon):\\n    V = g\\n    return V[99]")
        result = shell.run_cell('card = check("a1.q1", fn)\\ncard').result
        print(repr(result))
    """)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
    )
    assert "line 3 of fn" in done.stdout and "return V[99]" in done.stdout and "IndexError" in done.stdout, done
