"""Assignment a3, adversarial: its questions, each with its instances and the mistakes that it knows."""

from course_utils.checks.a3 import q1, q2, q3, q4

QUESTIONS = tuple(module.QUESTION for module in (q1, q2, q3, q4))
