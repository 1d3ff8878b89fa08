"""Assignment a2, guided cost: its questions, each with its instances and the mistakes that it knows."""

from course_utils.checks.a2 import q1, q2, q3

QUESTIONS = tuple(module.QUESTION for module in (q1, q2, q3))
