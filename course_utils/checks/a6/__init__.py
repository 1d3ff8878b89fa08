"""Assignment a6, imitation: its questions, each with its instances and the mistakes that it knows."""

from course_utils.checks.a6 import q1, q2, q3

QUESTIONS = tuple(module.QUESTION for module in (q1, q2, q3))
