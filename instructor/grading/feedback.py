"""A student's page: what was asked, what came out, what the public check finds, and which mistake it looks like.

Nothing of a hidden call is on it: neither `Answer.instances` nor `Record.notes` is read here.
"""

from __future__ import annotations

from datetime import UTC, datetime

from course_utils.checks import Card, questions
from course_utils.checks.card import LOOK, Block, Row
from instructor.grading import records
from instructor.grading.marks import Mark
from instructor.grading.pages import document, number, ours, plain, stranger, table
from instructor.grading.records import Answer, Record

# A sign and a colour for each status; the word always stands beside them.
SIGNS = {
    records.RIGHT: ("✓", "right"),
    records.PARTLY: ("◐", "partly"),
    records.WRONG: ("✗", "wrong"),
    records.ERROR: ("✗", "wrong"),
    records.TOO_SLOW: ("✗", "wrong"),
    records.DIED: ("✗", "wrong"),
    records.BLANK: ("–", "soft"),
    records.MISSING: ("?", "wrong"),
    records.REFUSED: ("!", "wrong"),
}
BEYOND = (
    "The instances on this page are those of the check in your notebook, the same for everybody. Grading also called "
    "each of your functions on instances that nobody sees. A question whose check does not pass earns nothing. Half of "
    "a question’s points are for instances of the kind that the check shows, with numbers from a secret draw: all of "
    "them have to be right. The other half is for other kinds of instances, when all of those are right as well."
)


def page(record: Record, late: float = 0.0, manual: tuple = ()) -> str:
    """The whole HTML document. `late` and `manual` are those of the student's reports.Mark."""
    mark = Mark(record, late, manual)
    facts = [
        ("Student", stranger(record.name or "(no name)")),
        ("File", stranger(record.file or "(none)")),
        ("Handed in", f"{when(record.submitted)} UTC" if record.submitted is not None else "not known"),
    ]
    header = f"<h1>Feedback on assignment {ours(record.identity.assignment)}</h1>\n<dl>" + "".join(
        f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts
    )
    main = [
        _marks(mark),
        *(_question(answer) for answer in record.answers),
        _by_hand(manual),
    ]
    if mark.ran:
        main.append(
            f"<section aria-labelledby=beyond><h2 id=beyond>What grading tested</h2>\n<p>{ours(BEYOND)}</p></section>"
        )
    footer = "<p>If you think that a mark is wrong, show this page to your instructor: the mark can be made again.</p>"
    title = f"{record.identity.assignment}: feedback for {plain(record.name, 80)}"
    return document(title, f"{header}</dl>", "\n".join(filter(None, main)), footer)


def when(seconds: float) -> str:
    """A moment in UTC, as in 2026-10-05 08:00:00; the number itself where no calendar has it."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return number(seconds)


def card_of(answer: Answer) -> Card | None:
    """The public check's card, rebuilt from plain data; without what the page says itself: mistake, hint and footer."""
    if answer.card is None:
        return None
    rows = tuple(
        Row(tuple(Block(plain(b["label"]), plain(b["text"])) for b in row["blocks"]), plain(row["title"]))
        for row in answer.card["rows"]
    )
    return Card(answer.question, plain(answer.title), answer.card["status"], plain(answer.card["message"]), rows)


def in_words(answer: Answer) -> str:
    """What came out, on one line: for tables and other systems."""
    said = [f"{answer.status}, {number(answer.points)} of {number(answer.out_of)} points.", answer.message]
    said += [f"This looks like: {answer.mistake}."] * bool(answer.mistake) + [answer.hint or ""]
    return " ".join(" ".join(map(plain, filter(None, said))).split())


def _marks(mark) -> str:
    record = mark.record
    said = _of(mark) + " points" if mark.graded else "Not graded"
    parts = [f"<section aria-labelledby=marks><h2 id=marks>Marks</h2>\n<p class=total>{said}</p>"]
    if record.message:
        parts.append(f'<p class="lines">{stranger(record.message, 2000)}</p>')
    rows = [
        [f'<a href="#{ours(a.question)}">{ours(a.question)}</a> {ours(a.title)}', _status(a), _of(a)]
        for a in record.answers
    ]
    rows += [[ours(item.item), "marked by hand", _of(item)] for item in mark.manual]
    if mark.late:
        rows.append(["Handed in late", "points taken off", f"−{number(mark.late)}"])
    return (
        "\n".join(parts)
        + "\n"
        + table("Points for each question", ["Question", "Outcome", "Points"], rows, (2,))
        + ("</section>")
    )


def _question(answer) -> str:
    asked = questions().get(answer.question)
    key = ours(answer.question)
    parts = [
        f'<section aria-labelledby="{key}"><h2 id="{key}">{key} {ours(answer.title)}</h2>',
        f"<p>{_status(answer)} · {_of(answer)} points</p>",
        f'<p class="lines">{stranger(answer.message, 2000)}</p>' if answer.message else "",
    ]
    if answer.mistake:
        parts.append(f"<p>This looks like: <strong>{ours(answer.mistake)}</strong></p>")
    if answer.hint:
        parts.append(f"<p>Hint: {ours(answer.hint)}</p>")
    if asked:
        given = ", ".join(f"<code>{ours(name)}</code>" for name in asked.arguments)
        back = ", ".join(f"<code>{ours(str(output))}</code>" for output in asked.outputs)
        parts.append(
            f"<h3>What was asked</h3>\n<p>{ours(asked.objective)}</p>\n"
            f"<p>A function of {given} that returns {back}.</p>"
        )
    if card := card_of(answer):
        sign, word, _ = LOOK[card.status]
        parts.append(
            f"<h3>What your own check finds</h3>\n<details{'' if card.passed else ' open'}>"
            f"<summary>{sign} {word}: the check’s card</summary>{card._repr_html_()}</details>"
        )
    return "\n".join(filter(None, parts)) + "</section>"


def _by_hand(manual) -> str:
    """What a person said."""
    said = [
        f'<h3>{ours(item.item)}</h3>\n<p>{_of(item)} points</p>\n<p class="lines">{ours(item.comment)}</p>'
        for item in manual
        if item.comment
    ]
    if not said:
        return ""
    return "<section aria-labelledby=comments><h2 id=comments>Comments</h2>\n" + "\n".join(said) + "</section>"


def _status(answer) -> str:
    sign, kind = SIGNS.get(answer.status, ("?", "soft"))
    return f'<strong class="{kind}"><span aria-hidden="true">{sign}</span> {ours(answer.status)}</strong>'


def _of(item) -> str:
    return f"{number(item.points)} of {number(item.out_of)}"
