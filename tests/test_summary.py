"""The instructor's summary of a class: its numbers are right, whom to look at, and that hostile text stays text."""

import re
import statistics
from collections import Counter
from dataclasses import replace

import pytest
from conftest import ARTIFACTS
from grading_records import A1, browser, mixed, opened, refused, right
from hypothesis import given, settings
from hypothesis import strategies as st
from test_feedback import HOSTILE, HOSTILE_URL, Page

from instructor.grading import summary
from instructor.grading.reports import Manual, Mark, needs_a_human, write_all


def section(html, title, end="</section>"):
    return html.split(f">{title}</h2>")[1].split(end)[0]


def test_the_summary_counts_right(marks, out):
    html = (out / "summary.html").read_text(encoding="utf-8")
    graded = [mark.points for mark in marks if mark.graded]
    text = Page(section(html, "Marks", "<figure>")).text
    assert f"Graded{len(graded)}, {len(marks) - len(graded)} not" in text and len(graded) < len(marks)
    assert f"{statistics.mean(graded):.2f} of 15" in text and f"Median{statistics.median(graded):.2f}" in text
    assert f"standard deviation {statistics.pstdev(graded):.2f}" in text
    labels = [label for label in Page(html).all("aria-label") if label.startswith("Histogram")]
    assert len(labels) == 1 + len(A1) + 1  # the whole, each question, and the report
    for label, expected in zip(labels, [len(graded)] * 5 + [sum(bool(mark.manual) for mark in marks)], strict=True):
        counts = re.findall(r"([\d.]+)(?:–([\d.]+))?: (\d+)", label)
        assert sum(int(n) for *_, n in counts) == expected
        if "whole" in label:
            for low, high, n in counts:
                closed = float(high) == 15
                inside = [p for p in graded if float(low) <= p < float(high) or closed and p == 15]
                assert int(n) == len(inside)
    for k, label in enumerate(labels[1:5]):
        at = Counter(f"{mark.record.answers[k].points:g}" for mark in marks if mark.graded)
        assert {value: int(n) for value, n in re.findall(r"([\d.]+): (\d+)", label)} == at
    for question in A1:
        row = re.search(rf"<tr><th[^>]*>{question.id}</th>(.*?)</tr>", section(html, "Outcomes"))[1]
        said = Counter(a.status for mark in marks for a in mark.record.answers if a.question == question.id)
        counted = [int(n) for n in re.findall(r">(\d+)<", row)]
        assert sorted(filter(None, counted)) == sorted(said.values())


def test_the_summary_names_the_commonest_mistakes_with_their_hints(marks, out):
    html = (out / "summary.html").read_text(encoding="utf-8")
    for question in A1:
        part = section(html, "Question by question").split(f"<h3>{question.id} ")[1].split("<h3>")[0]
        answers = [a for mark in marks for a in mark.record.answers if a.question == question.id and a.mistake]
        counts = Counter(a.mistake for a in answers)
        rows = [Page(row) for row in re.findall(r"<tr>.*?</tr>", part)[1:]]
        assert len(rows) == min(5, len(counts))
        listed = [int(re.search(r">(\d+)<", row)[1]) for row in re.findall(r"<tr>.*?</tr>", part)[1:]]
        assert listed == sorted(counts.values(), reverse=True)[:5]
        for row in rows:
            answer = next(a for a in answers if row.text.startswith(f"{a.mistake}{counts[a.mistake]}"))
            assert " ".join(answer.hint.split()) in " ".join(row.text.split())


def test_the_summary_lists_whom_to_look_at_and_links_to_their_pages(marks, out):
    html = (out / "summary.html").read_text(encoding="utf-8")
    look = section(html, "Needs a look")
    for mark in marks:
        assert (mark.record.identity.student in look) == needs_a_human(mark.record)
    assert "symbolic link" in look and "ended the process" in look and "cell 7 was left out" in look
    links = [link for link in Page(html).all("href") if not link.startswith("#")]
    assert len(links) == len(marks) + sum(needs_a_human(mark.record) for mark in marks)
    assert all((out / link).is_file() for link in links)


def test_a_summary_of_nobody_graded():
    text = Page(summary.page([Mark(refused()), Mark(refused(name="Bob", answers=[]))], {})).text
    assert "Graded0, 2 not" in text and "Mean" not in text
    assert "Median2.00" in Page(summary.page([Mark(replace(right(), answers=right().answers[:1]))], {})).text


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=60))
def test_no_name_changes_the_summary_around_it(text):
    def of(text):
        made = replace(mixed(name="x"), name=text, file=text, message=text, notes=(text,))
        return summary.page([Mark(made, 0, (Manual("report", 1, 2),))], {"moodle.csv": [(Mark(made), "missing")]})

    html = of(text)
    assert Page(html).elements == Page(of("x")).elements
    html.encode("utf-8")


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_summary_in_a_browser(chromium, out, scheme):
    with opened(chromium, out / "summary.html", color_scheme=scheme) as (seen, happened):
        ARTIFACTS.mkdir(exist_ok=True)
        seen.screenshot(path=ARTIFACTS / f"summary_{scheme}.png", full_page=True)
        pictures = seen.get_by_role("img").all()
        assert len(pictures) == seen.locator("svg").count() == 6
        assert all("number of students" in picture.get_attribute("aria-label") for picture in pictures)
        assert happened == []
        seen.get_by_role("link").first.click()
        seen.wait_for_url("**/feedback/*.html")
        assert seen.locator("h1").inner_text() == "Feedback on assignment a1"


def test_a_summary_of_hostile_students_does_nothing_in_a_browser(chromium, tmp_path):
    made = [replace(mixed(name=f"{HOSTILE} {k}"), file=HOSTILE_URL, notes=(HOSTILE,)) for k in range(3)]
    write_all([Mark(one) for one in made], tmp_path)
    with opened(chromium, tmp_path / "summary.html", viewport={"width": 400, "height": 800}) as (seen, happened):
        assert happened == []
        assert seen.locator("body").inner_text().count("<script>alert(1)</script>") >= 6
        assert seen.locator("script, iframe, body img").count() == 0
        assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than a phone"
