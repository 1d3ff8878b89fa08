"""A student's feedback page: what it says, what it never says, and that hostile text stays text."""

import re
from dataclasses import asdict, replace
from html.parser import HTMLParser

import pytest
from conftest import ARTIFACTS
from grading_records import A1, SECRET_NOTES, answers_to, bare, browser, mixed, opened, record, refused, right
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.checks import Card, make_cases, questions
from course_utils.checks.card import Block, Row
from instructor.grading import records
from instructor.grading.feedback import page
from instructor.grading.reports import Manual

VOID = {"meta", "link", "br", "hr", "img"}
HOSTILE = """<script>alert(1)</script></pre></bdi></section><img src=x onerror=alert(2)>"'&amp;<b onclick='alert(3)'>"""
HOSTILE_URL = "<iframe src=http://127.0.0.1:9/></iframe><style>@import 'http://127.0.0.1:9/x'</style><base href=//x>"
REORDERING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text; complains where tags are not balanced."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.text, self.headings = [], [], "", []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    @property
    def tags(self):
        return [tag for tag, _ in self.elements]

    def all(self, attribute):
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


def hostile(text):
    """A record with the text in every place that a student can write to."""
    row = Row((Block("your function printed", text),), "Instance")
    card = Card("a1.q1", "title", "failed", text, (row,), "slip", "…")
    answer = replace(bare(A1[0], records.ERROR, text), card=asdict(card))
    return record(name=text, file=text, id=text, message=text, answers=[answer])


# What is said


def test_a_page_says_what_came_out():
    made = mixed(name="Zoë O’Neill", file="my answer.ipynb")
    text = Page(page(made)).text
    for part in ("Zoë O’Neill", "my answer.ipynb", "2026-09-21 14:13:20 UTC", "assignment a1", "1 of 10 points"):
        assert part in text
    for question, answer in zip(A1, made.answers, strict=True):
        after = text.split(f"{question.id} {question.title}")[2]  # first in the table, then on its own
        here = after.split("What was asked")[0]
        assert answer.status in here and answer.message in here
        assert f"{answer.points:g} of {question.points} points" in here
        asked = after.split("What was asked")[1]
        assert question.objective in asked
        for name in (*question.arguments, *map(str, question.outputs)):
            assert name in asked
    assert "This looks like: reference ignored" in text
    hint = next(m.hint for m in questions()["a1.q2"].mistakes if m.name == "reference ignored")
    assert text.count(hint) == 1, "the hint stands once, unfolded"
    assert "secret draw" in text and "Half of a question’s points" in text


def test_a_page_shows_the_public_instance():
    """The numbers on it are those of the student's own check: of the smallest of its instances."""
    text = Page(page(mixed())).text
    case = make_cases(questions()["a1.q2"])[0]
    for entry in case.args["r"].ravel():
        assert f"{entry:g}" in text
    assert "V[t,s]: yours" in text and "V[t,s]: expected" in text


def test_a_status_is_a_word_and_a_sign():
    signs = {}
    for status in records.STATUSES:
        html = page(record(answers=[bare(A1[0], status)]))
        signs[status] = re.search(rf'aria-hidden="true">(.)</span> {status}</strong>', html)[1]
    assert signs[records.RIGHT] not in {sign for status, sign in signs.items() if status != records.RIGHT}
    assert signs[records.PARTLY] not in {sign for status, sign in signs.items() if status != records.PARTLY}


def test_late_and_manual_marks():
    comment = "Nice plot.\nWhich <seed> & why?"
    text = Page(page(right(), 1.5, (Manual("report", 3.25, 5, comment),))).text
    assert "11.75 of 15 points" in text and "−1.5" in text and "3.25 of 5" in text and comment in text
    assert "0 of 10 points" in Page(page(mixed(), 100)).text, "a penalty takes no more than there is"


def test_what_was_not_graded_is_no_zero():
    for made in (refused(), refused(answers=[])):
        text = Page(page(made)).text
        assert "Not graded" in text and "symbolic link" in text
        assert "Grading also called" not in text and "not known" in text
    assert "3 of 15 points" in Page(page(refused(), 0, (Manual("by hand", 3, 5),))).text


def test_a_question_that_is_gone_still_has_its_marks():
    gone = replace(answers_to("a1.q1")[""], question="a1.q99", title="An old question", card=None)
    text = Page(page(record(answers=[gone]))).text
    assert "a1.q99 An old question" in text and "What was asked" not in text and "2 of 2" in text


@pytest.mark.parametrize("submitted", [1e300, -1e300, 0.0])
def test_any_time_is_shown(submitted):
    assert "UTC" in page(record(submitted=submitted))


# What is never said


def test_nothing_of_hidden_calls():
    made = mixed()
    html = page(made)
    bare_answers = tuple(replace(answer, instances=None) for answer in made.answers)
    assert html == page(replace(made, notes=(), answers=bare_answers))
    assert any(answer.instances for answer in made.answers) and made.notes
    for secret in (*SECRET_NOTES, made.identity.seed, "same kind"):
        assert secret not in html


def test_the_same_record_gives_the_same_page():
    made = mixed()
    assert page(made) == page(records.Record.from_json(made.to_json()))


# The frame


@pytest.mark.parametrize("made", [mixed(), right(), refused()], ids=["mixed", "right", "refused"])
def test_the_page_is_whole_accessible_and_alone(made):
    html = page(made, 0.5, (Manual("report", 3, 5, "Good."),))
    seen = Page(html)
    assert html.startswith("<!DOCTYPE html>") and ("html", {"lang": "en"}) in seen.elements
    assert all(seen.tags.count(tag) == 1 for tag in ("header", "main", "footer", "title", "h1"))
    assert seen.headings[0] == 1 and all(b <= a + 1 for a, b in zip(seen.headings, seen.headings[1:], strict=False))
    ids = seen.all("id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in seen.all("href")} <= set(ids)
    assert set(seen.all("aria-labelledby")) <= set(ids)
    assert all("scope" in attributes for tag, attributes in seen.elements if tag == "th")
    assert seen.tags.count("caption") == seen.tags.count("table")
    policy = next(a["content"] for _, a in seen.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and not re.search(r"script|\*|https?:|unsafe-eval", policy)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(seen.tags)
    assert not re.search(r"https?://|url\(|@import", html)


# Hostile text

NASTY = [HOSTILE, HOSTILE_URL, "\0\x1b[31m\x07", REORDERING, "\ud800", "]]>", "-->"]
anything = st.text(st.characters(exclude_categories=()), max_size=60)  # half characters and all


@settings(max_examples=150, deadline=None)
@given(st.one_of(anything, st.sampled_from(NASTY)))
def test_no_text_changes_the_page_around_it(text):
    html = page(hostile(text or "x"))
    harmless = Page(page(hostile("x")))
    seen = Page(html)
    assert seen.elements == harmless.elements
    assert html.encode("utf-8").decode("utf-8") == html
    assert not set(html) & {chr(c) for c in (*range(32), *range(127, 160)) if chr(c) != "\n"}
    assert not set(html) & set(REORDERING)


def test_names_and_files_keep_to_their_own_direction():
    """A name from right to left does not turn what stands beside it round."""
    html = page(record(name="\u05d0\u05d3\u05d4", file="\u05d0.ipynb", answers=[bare(A1[0], records.WRONG)]))
    assert "<bdi>\u05d0\u05d3\u05d4</bdi>" in html and "<bdi>\u05d0.ipynb</bdi>" in html


def test_a_huge_text_is_cut():
    made = page(hostile("<" * 1_000_000))
    assert len(made) < 100_000
    assert "more characters" in made


# As students see it


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture
def hostile_page(tmp_path):
    file = tmp_path / "feedback.html"
    manual = (Manual(HOSTILE, 1, 2, HOSTILE + HOSTILE_URL),)
    made = hostile(f"{HOSTILE} {HOSTILE_URL} \0\ud800 javascript:alert(4) " + "W" * 300)
    file.write_text(page(made, 0, manual), encoding="utf-8")
    return file


def test_hostile_text_does_nothing_in_a_browser(chromium, hostile_page):
    with opened(chromium, hostile_page, viewport={"width": 400, "height": 800}) as (seen, happened):
        for summary in seen.locator("summary").all():
            summary.click()
            summary.click()
        seen.wait_for_timeout(200)
        assert happened == []
        assert seen.url == hostile_page.as_uri()
        text = seen.locator("body").inner_text()
        assert text.count("<script>alert(1)</script>") >= 5  # name, file, message, answer, card twice, comment
        assert "<img src=x onerror=alert(2)>\"'&amp;<b onclick='alert(3)'>" in text
        assert seen.locator("script, img, iframe, b, base").count() == 0
        assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than a phone"


def test_the_policy_stops_what_would_slip_through(chromium, hostile_page):
    """Were a script on the page all the same, it would not run."""
    html = hostile_page.read_text(encoding="utf-8")
    script = "<script>document.title = 'ran'</script><img src='x' onerror=\"document.title = 'ran'\">"
    hostile_page.write_text(html.replace("</main>", f"{script}</main>"), encoding="utf-8")
    with opened(chromium, hostile_page) as (seen, happened):
        assert seen.locator("script").count() == 1 and seen.title() != "ran"
        assert sum("Content Security Policy" in one for one in happened) >= 2, happened


@pytest.fixture(scope="module")
def mixed_page(tmp_path_factory):
    file = tmp_path_factory.mktemp("feedback") / "feedback.html"
    manual = (Manual("report", 3.5, 5, "Nice plot.\nSay which seed it is of."),)
    file.write_text(page(mixed(name="Zoë O’Neill"), 0.5, manual), encoding="utf-8")
    return file


CONTRAST = """() => {
    const light = colour => {
        const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(c => c / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = light(getComputedStyle(document.body).backgroundColor);
    return [...document.querySelectorAll('body *')].map(node => light(getComputedStyle(node).color))
        .map(ink => (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(chromium, mixed_page, scheme):
    with opened(chromium, mixed_page, color_scheme=scheme, viewport={"width": 1000, "height": 800}) as (seen, happened):
        ARTIFACTS.mkdir(exist_ok=True)
        seen.screenshot(path=ARTIFACTS / f"feedback_{scheme}.png", full_page=True)
        paper = seen.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
        assert min(seen.evaluate(CONTRAST)) >= 4.5
        assert happened == []


def test_folds_open_by_key_and_on_paper(chromium, mixed_page):
    with opened(chromium, mixed_page) as (seen, _):
        fold = seen.locator("details").first  # of the question whose check passes
        inside = fold.locator("section")
        assert not inside.is_visible()
        for _ in range(30):
            seen.keyboard.press("Tab")
            if fold.locator("summary").evaluate("node => node === document.activeElement"):
                break
        seen.keyboard.press("Enter")
        assert inside.is_visible()
        seen.keyboard.press("Enter")
        assert not inside.is_visible()
        seen.emulate_media(media="print", color_scheme="dark")
        assert inside.is_visible()
        assert seen.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_the_page_fits_a_phone(chromium, mixed_page):
    with opened(chromium, mixed_page, viewport={"width": 400, "height": 800}) as (seen, _):
        assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth")
