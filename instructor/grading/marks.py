"""A record with what people add to it: the penalty for being late, and points that were given by hand."""

from __future__ import annotations

from dataclasses import dataclass

from instructor.grading.records import DIED, MISSING, REFUSED, TOO_SLOW, Record


@dataclass(frozen=True)
class Manual:
    """Points that a person gave: for a written answer, or for a row of a rubric. The student reads the comment."""

    item: str
    points: float
    out_of: float
    comment: str = ""


@dataclass(frozen=True)
class Mark:
    """A student's mark: the grader's record, a penalty in points (≥ 0), and a tuple of Manual."""

    record: Record
    late: float = 0.0
    manual: tuple = ()

    @property
    def points(self) -> float:
        return max(0.0, self.record.points + sum(item.points for item in self.manual) - self.late)

    @property
    def out_of(self) -> float:
        return self.record.out_of + sum(item.out_of for item in self.manual)

    @property
    def ran(self) -> bool:
        """Whether there was a notebook to grade."""
        return any(answer.status != REFUSED for answer in self.record.answers)

    @property
    def graded(self) -> bool:
        """False where there was nothing to grade and nobody gave points: zero would then look like a mark."""
        return self.ran or bool(self.manual)

    @property
    def key(self) -> str:
        return self.record.identity.student


def needs_a_human(record: Record) -> bool:
    """Whether somebody should look at the submission: no notebook, or what may not be the student's fault."""
    doubtful = (REFUSED, DIED, TOO_SLOW, MISSING)
    return not record.answers or any(answer.status in doubtful for answer in record.answers)
