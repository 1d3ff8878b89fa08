"""docs/misconceptions.md: what each check recognises, with the hint that it then gives.

`python -m instructor.misconceptions` writes it.
"""

from pathlib import Path

from course_utils import checks

PLACE = Path("docs", "misconceptions.md")


def text(questions=None) -> str:
    """The page, from the registry of questions."""
    parts = [
        "# Misconceptions, question by question",
        "",
        "Each is a wrong answer that the check recognises and names, with the hint that the student then reads. They "
        "stand in the order in which they are tried. This page is written from the checks.",
    ]
    for question in (questions or checks.questions()).values():
        if question.mistakes:
            parts += ["", f"## {question.id} {question.title}", ""]
            parts += [f"- **{mistake.name}**: {mistake.hint}" for mistake in question.mistakes]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    (Path(__file__).parents[1] / PLACE).write_text(text(), encoding="utf-8")
