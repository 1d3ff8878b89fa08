"""Assignment a1, maximum entropy: its questions, each with its instances and the mistakes that it knows."""

from course_utils.checks.a1 import q1, q2, q3, q4

QUESTIONS = tuple(module.QUESTION for module in (q1, q2, q3, q4))
