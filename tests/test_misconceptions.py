"""The instructor's page of misconceptions says what the checks know today."""

from pathlib import Path

from course_utils.checks import questions
from instructor import misconceptions

ROOT = Path(__file__).resolve().parents[1]


def test_the_page_is_up_to_date():
    assert (ROOT / misconceptions.PLACE).read_text(encoding="utf-8") == misconceptions.text()


def test_every_mistake_and_hint_is_there():
    page = (ROOT / misconceptions.PLACE).read_text(encoding="utf-8")
    known = [mistake for question in questions().values() for mistake in question.mistakes]
    assert len(known) > 100
    for mistake in known:
        assert mistake.name in page and mistake.hint in page
