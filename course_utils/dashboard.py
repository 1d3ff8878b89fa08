"""Where a student stands, question by question: `course progress`, and a table in the first notebook."""

from html import escape

from course_utils.checks import questions
from course_utils.progress import Entry, log_path, read, summary


class Dashboard:
    """All questions of the course with their state; shows as a table in a notebook and as text in a terminal."""

    HEAD = ("question", "", "state", "attempts", "last mistake")

    def __init__(self):
        self.path, self.unreadable, self.rows = log_path(), read()[1], []
        entries = summary()
        for question in questions().values():
            entry = entries.get(question.id)
            self.rows.append(
                (
                    question.id,
                    question.title,
                    _state(entry),
                    str(entry.attempts if entry else 0),
                    (entry and entry.last_mistake) or "",
                )
            )
        self.passed = sum(row[2].startswith("✓") for row in self.rows)

    @property
    def line(self) -> str:
        said = f"{self.passed} of {len(self.rows)} questions passed their check."
        return said + (f" {self.unreadable} unreadable lines in {self.path} were skipped." if self.unreadable else "")

    def __repr__(self):
        table = [self.HEAD, *self.rows]
        widths = [min(max(len(row[k]) for row in table), most) for k, most in enumerate((8, 42, 16, 8, 22))]
        fit = lambda cell, width: (cell if len(cell) <= width else cell[: width - 1] + "…").ljust(width)
        lines = ["  ".join(map(fit, row, widths)).rstrip() for row in table]
        return "\n".join([*lines, "", self.line])

    def _repr_html_(self):
        style = 'style="text-align:left;padding:3px 14px 3px 0;white-space:nowrap"'
        head = "".join(f'<th scope="col" {style}>{h}</th>' for h in self.HEAD)
        body = "".join(
            "<tr>" + "".join(f"<td {style}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{escape(self.line)}</p>"


def _state(entry: Entry | None) -> str:
    if entry is None:
        return "· not tried"
    if entry.status == "passed":
        return "✓ passed"
    if entry.ever_passed:
        return "✓ passed before"
    return "… not yet" if entry.status == "not yet" else "✗ not passed"


def dashboard() -> Dashboard:
    """The table of all questions, for the last line of a cell or for print()."""
    return Dashboard()
