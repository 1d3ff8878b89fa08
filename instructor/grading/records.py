"""What one part of the grader hands to the next: a submission as it was collected, and the record of its marks.

Both are plain data: they travel to other processes and machines, and a record is kept in the gradebook as JSON.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields

# How an answer came out. Each outcome has a name, and no mark is zero without one.
RIGHT = "right"
PARTLY = "partly right"  # the kind of instance that the check shows is right, other kinds are not
WRONG = "wrong"
ERROR = "stopped with an error"
TOO_SLOW = "took too long"
DIED = "ended the process"  # sys.exit, os._exit, out of memory, killed
BLANK = "not answered"
MISSING = "not found"  # no cell of the notebook defines the function
REFUSED = "not graded"  # there is no notebook to look into; the record's message says why
STATUSES = (RIGHT, PARTLY, WRONG, ERROR, TOO_SLOW, DIED, BLANK, MISSING, REFUSED)


@dataclass(frozen=True)
class Submission:
    """One student's notebook as it came in. Nothing in it is to be trusted, neither its bytes nor a name.

    student    who handed it in, as the download says: any text
    id         the learning platform's number of the student, "" where there is none
    file       the name of the file, for people to read
    notebook   the bytes of the file; empty if it was refused
    submitted  when, in POSIX seconds; None if nobody knows
    problem    why there is nothing to grade (a symbolic link, too large, no notebook …), or None
    """

    student: str
    id: str = ""
    file: str = ""
    notebook: bytes = b""
    submitted: float | None = None
    problem: str | None = None

    @property
    def key(self) -> str:
        """A name for files and tables: unique, short, and harmless whatever the student is called."""
        kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in self.student.lower()).strip("-")
        plain = "-".join(filter(None, kept.split("-")))[:40]
        digest = hashlib.sha256(json.dumps([self.student, self.id]).encode()).hexdigest()
        return f"{plain or 'student'}-{digest[:8]}"

    @property
    def digest(self) -> str:
        """SHA-256 of what was handed in, in hexadecimal."""
        return hashlib.sha256(self.notebook + (self.problem or "").encode(errors="replace")).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What one question of a submission earned.

    The student sees everything but `instances`. `message` is ours and says nothing of a hidden call. `card` is what
    the public check found (the fields of checks.Card, as plain data): public instances, with what the student's
    function made of them; None if the check could not be run. `mistake` and `hint` are the card's.
    `instances` is for the instructor: {"same kind": [right, of], "other kinds": [right, of], "wrong": [notes]}.
    """

    question: str
    title: str
    points: float
    out_of: float
    status: str
    message: str
    mistake: str | None = None
    hint: str | None = None
    card: dict | None = None
    instances: dict | None = None


@dataclass(frozen=True)
class Identity:
    """What a mark depends on. Two records of one identity hold the same marks; the gradebook keeps one of them.

    student     Submission.key
    assignment  for example "a1"
    version     of the assignment: a hash of its questions, checks and hidden tests
    grader      a hash of the grader's code
    seed        a fingerprint of the secret from which hidden inputs are drawn
    submission  Submission.digest
    """

    student: str
    assignment: str
    version: str
    grader: str
    seed: str
    submission: str


@dataclass(frozen=True)
class Record:
    """The marks of one submission. `name`, `id`, `file`, `submitted` are the submission's own and untrusted text.

    message  what is to be said about the submission as a whole ("" if nothing)
    notes    for the instructor: what happened on the way ("cell 7 was left out: it never ended")
    cpu      seconds of processor time that grading took, the box's included; wall: seconds on the clock
    """

    identity: Identity
    name: str
    id: str
    file: str
    submitted: float | None
    message: str
    answers: tuple
    notes: tuple = ()
    cpu: float = 0.0
    wall: float = 0.0

    @property
    def points(self) -> float:
        return sum(answer.points for answer in self.answers)

    @property
    def out_of(self) -> float:
        return sum(answer.out_of for answer in self.answers)

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Raises ValueError for what is no record."""
        try:
            plain = json.loads(text)
            answers = tuple(Answer(**answer) for answer in plain.pop("answers"))
            identity, notes = Identity(**plain.pop("identity")), tuple(plain.pop("notes"))
            return cls(identity=identity, answers=answers, notes=notes, **plain)
        except (TypeError, KeyError, AttributeError) as error:
            names = ", ".join(field.name for field in fields(cls))
            raise ValueError(f"expected a record with {names}: {error}") from None
