"""The instructor's page about a class: how the marks are spread, what went wrong, and whom to look at.

It names students and has the grader's notes: it is not for students.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from math import ceil

import numpy as np

from instructor.grading.feedback import SIGNS
from instructor.grading.marks import needs_a_human
from instructor.grading.pages import document, number, ours, stranger, table
from instructor.grading.records import DIED, MISSING, REFUSED, STATUSES, TOO_SLOW

WIDTH, HEIGHT = 420, 170  # of a histogram, in units of its own; a bar's label has room for about 40
BINS = 10
COMMONEST = 5  # mistakes of a question that are listed


def page(marks: list, missed: dict) -> str:
    """The whole HTML document. `missed`: file → pairs (mark, why) of students whose grade is not in it."""
    assignment = marks[0].record.identity.assignment
    header = (
        f"<h1>Assignment {ours(assignment)}: summary for the instructor</h1>\n"
        '<p class="soft">Not for students: names, marks and the grader’s notes are on this page.</p>'
    )
    graded = [mark for mark in marks if mark.graded]
    sections = [_totals(marks, graded), _human(marks), _missed(missed), _statuses(marks), _questions(graded)]
    sections.append(_everybody(marks))
    seconds = sum(mark.record.cpu for mark in marks)
    footer = f"<p>Grading took {seconds:.1f} s of processor time, {seconds / len(marks):.2f} s for each submission.</p>"
    return document(f"{assignment}: summary", header, "\n".join(filter(None, sections)), footer)


def histogram(values: list, out_of: float, what: str) -> str:
    """A figure with bars: one for each value where there are few, else one for each equal part of 0 … out_of."""
    levels = sorted({0.0, out_of, *values})
    if len(levels) <= 4:
        labels = [number(level) for level in levels]
        counts = [sum(value == level for value in values) for level in levels]
        note = ""
    else:
        step = max(1, ceil(max(levels) / BINS))
        edges = [*np.arange(0, max(levels), step), max(levels)]
        counts = [int(n) for n in np.histogram(values, edges)[0]]
        labels = [f"{low:g}–{high:g}" for low, high in zip(edges[:-1], edges[1:], strict=True)]
        note = "A bar holds the marks from its lower end to below its upper end; the last bar holds its upper end too."
    said = "; ".join(f"{label}: {count}" for label, count in zip(labels, counts, strict=True))
    alt = escape(f"Histogram of {what}. Points and number of students: {said}.", quote=True)
    room, top, base = WIDTH / len(labels), 20, HEIGHT - 22
    parts = []
    for k, (label, count) in enumerate(zip(labels, counts, strict=True)):
        tall, middle = (base - top) * count / (max(counts) or 1), (k + 0.5) * room
        width = min(0.8 * room, 70)
        parts.append(
            f'<rect x="{middle - width / 2:.1f}" y="{base - tall:.1f}" width="{width:.1f}" height="{tall:.1f}"/>'
            f'<text x="{middle:.1f}" y="{base - tall - 5:.1f}" text-anchor="middle">{count}</text>'
            f'<text x="{middle:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{label}</text>'
        )
    return (
        f'<figure><svg role="img" aria-label="{alt}" viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(parts)}'
        f'<line x1="0" x2="{WIDTH}" y1="{base}" y2="{base}"/></svg>'
        f"<figcaption>Points for {ours(what)}, and how many students have them. {note}</figcaption></figure>"
    )


def _totals(marks, graded) -> str:
    points = [mark.points for mark in graded]
    left = len(marks) - len(graded)
    facts = [("Submissions", str(len(marks))), ("Graded", str(len(graded)) + f", {left} not" * bool(left))]
    picture = ""
    if points:
        out_of = max(mark.out_of for mark in graded)
        low, q1, median, q3, high = np.percentile(points, [0, 25, 50, 75, 100])
        facts += [
            ("Mean", f"{np.mean(points):.2f} of {number(out_of)}"),
            ("Median", f"{median:.2f}"),
            ("Spread", f"standard deviation {np.std(points):.2f}; middle half {q1:.2f} to {q3:.2f}"),
            ("Range", f"{number(low)} to {number(high)}"),
        ]
        picture = histogram(points, out_of, "the whole assignment")
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    return f"<section aria-labelledby=marks><h2 id=marks>Marks</h2>\n<dl>{listed}</dl>\n{picture}</section>"


def _human(marks) -> str:
    rows = []
    for mark in (mark for mark in marks if needs_a_human(mark.record)):
        record = mark.record
        doubtful = [a for a in record.answers if a.status in (DIED, TOO_SLOW, MISSING)]
        why = [ours("; ".join(f"{a.question} {a.status}" for a in doubtful) or REFUSED)]
        why += [stranger(text, 500) for text in (record.message, *record.notes) if text]
        rows.append([_link(mark), stranger(record.file), "<br>".join(why)])
    if not rows:
        return _section("human", "Needs a look", "<p>No submission: each was graded to its end.</p>")
    caption = "Not graded, ended, too slow, or without a function that was asked for"
    return _section("human", "Needs a look", table(caption, ["Student", "File", "Why"], rows))


def _missed(missed) -> str:
    """Students whose grade an import would leave out."""
    rows = [[_link(mark), ours(file), ours(why)] for file, pairs in missed.items() for mark, why in pairs]
    if not rows:
        return ""
    caption = "Their grade is not in the file: enter it by hand"
    return _section("missed", "Not filled in", table(caption, ["Student", "File", "Why"], rows))


def _statuses(marks) -> str:
    counts = {}
    for answer in (answer for mark in marks for answer in mark.record.answers):
        counts.setdefault(answer.question, Counter())[answer.status] += 1
    used = [status for status in STATUSES if any(counter[status] for counter in counts.values())]
    if not used:
        return ""
    head = ["Question", *(f'<span aria-hidden="true">{SIGNS[status][0]}</span> {status}' for status in used)]
    rows = [[ours(question), *(str(counter[status]) for status in used)] for question, counter in counts.items()]
    made = table("How many students, for each question", head, rows, tuple(range(1, len(head))))
    return _section("outcomes", "Outcomes", made)


def _questions(graded) -> str:
    """For each question, and for what was marked by hand: a histogram, and the commonest mistakes with their hints."""
    answers, items = {}, {}
    for mark in graded:
        for answer in mark.record.answers * mark.ran:
            answers.setdefault(answer.question, []).append(answer)
        for item in mark.manual:
            items.setdefault(item.item, []).append(item)
    parts = []
    for question, given in answers.items():
        points, out_of = [answer.points for answer in given], max(answer.out_of for answer in given)
        parts.append(f"<h3>{ours(question)} {ours(given[0].title)}</h3>\n{histogram(points, out_of, question)}")
        parts.append(_mistakes(given))
    for item, given in items.items():
        points, out_of = [one.points for one in given], max(one.out_of for one in given)
        parts.append(f"<h3>{ours(item)}, marked by hand</h3>\n{histogram(points, out_of, item)}")
    return _section("questions", "Question by question", "\n".join(parts)) if parts else ""


def _mistakes(answers) -> str:
    counts = Counter((a.mistake, a.hint or "") for a in answers if a.mistake)
    if not counts:
        return "<p>No known mistake was recognised.</p>"
    commonest = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:COMMONEST]
    rows = [[ours(name), str(count), ours(hint)] for (name, hint), count in commonest]
    return table("The commonest mistakes", ["Mistake", "Students", "The hint that they get"], rows, (1,))


def _everybody(marks) -> str:
    rows = [[_link(mark), stranger(mark.record.file), _points(mark)] for mark in marks]
    made = table("Every submission, by name", ["Student", "File", "Points"], rows, (2,))
    return _section("everybody", "Everybody", f"<details><summary>{len(marks)} submissions</summary>{made}</details>")


def _points(mark) -> str:
    return f"{number(mark.points)} of {number(mark.out_of)}" if mark.graded else REFUSED


def _link(mark) -> str:
    """The key is safe in an address."""
    return f'<a href="feedback/{ours(mark.key)}.html">{stranger(mark.record.name or mark.key)}</a>'


def _section(name, title, html) -> str:
    return f"<section aria-labelledby={name}><h2 id={name}>{title}</h2>\n{html}</section>"
