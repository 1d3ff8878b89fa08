"""An assignment as it is graded: its questions, the cells that were handed out, and its instances.

All instances are drawn once and serve all submissions of a run: the public ones are those of the student's check, the
hidden ones come from the instructor's secret.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from course_utils.checks import make_cases, questions
from course_utils.checks.core import remembering
from instructor.grading import cells

ROOT = Path(__file__).resolve().parents[2]
IMPORT = re.compile(r"^(?:import|from)\s+([\w.]+)", re.MULTILINE)
DEFINES = re.compile(r"^def (\w+)\(", re.MULTILINE)


class UnknownAssignment(ValueError):
    """There is no such assignment; the message names those that there are."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """An assignment as it is graded.

    given      source of the cells as they were handed out, by cell id
    names      question id → the function asked for
    hidden     question id → a function of a generator that gives the other kinds of instances
    """

    name: str
    version: str
    questions: dict
    given: dict
    names: dict
    hidden: dict
    preload: tuple

    @property
    def out_of(self) -> float:
        return sum(question.points for question in self.questions.values())


def known_assignments() -> list:
    """The names of all assignments that can be graded."""
    found = (ROOT / "authoring" / "assignments").glob("a*_*/hidden_tests.py")
    return sorted((path.parent.name.partition("_")[0] for path in found), key=lambda name: int(name[1:]))


@lru_cache
def load_assignment(name: str) -> Assignment:
    """Raises UnknownAssignment."""
    if name not in known_assignments():
        raise UnknownAssignment(f"there is no assignment {name!r} to grade; there is {', '.join(known_assignments())}")
    (hidden,) = (ROOT / "authoring" / "assignments").glob(f"{name}_*/hidden_tests.py")
    built = ROOT / "assignments" / f"{hidden.parent.name}.ipynb"
    spec = importlib.util.spec_from_file_location(f"hidden_tests_{name}", hidden)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given = cells.read_code(built.read_bytes())
    asked = {id: remembering(q) for id, q in questions().items() if id.startswith(f"{name}.")}
    preload = [
        found for cell in given for found in IMPORT.findall(cell.source) if found.split(".")[0] != "course_utils"
    ]
    return Assignment(
        name=name,
        version=digest_of(hidden, built, *sorted((ROOT / "course_utils" / "checks").rglob("*.py"))),
        questions=asked,
        given={cell.id: cell.source for cell in given},
        names={cell.question: DEFINES.findall(cell.source)[-1] for cell in given if cell.question},
        hidden=module.CASES,
        preload=tuple(dict.fromkeys(preload)),
    )


def digest_of(*paths) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()[:12]


@lru_cache(maxsize=16)
def public_cases(assignment: Assignment, question: str) -> list:
    return make_cases(assignment.questions[question])


@lru_cache(maxsize=64)
def hidden_cases(assignment: Assignment, question: str, other_kinds: bool, secret: bytes) -> list:
    """The same for all submissions that are graded with one secret."""
    make = assignment.hidden[question] if other_kinds else assignment.questions[question].cases
    seed = hmac.digest(secret, f"{question} {'other kinds' if other_kinds else 'same kind'}".encode(), "sha256")
    with np.errstate(all="ignore"):
        return make(np.random.default_rng(int.from_bytes(seed, "big")))
