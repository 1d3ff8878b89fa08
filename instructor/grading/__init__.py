"""Grading that cannot be forged: hostile notebooks in, marks out. Read records.py first, then marking.py."""
