"""A submission becomes a record: which cells are run, what is asked, and what an answer earns.

The box runs the notebook and answers; inputs, expected values, comparison and marks are here. First the public
instances of all questions are asked, whose outcome the student sees; only then do hidden inputs enter the box.

A question whose check does not pass earns nothing. Half of its points are for instances of the kind that the check
shows, drawn anew from the instructor's secret; the other half is for the other kinds, those of hidden_tests.py.
"""

from __future__ import annotations

import copy
import hmac
import inspect
import re
import time
import traceback
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from course_utils.checks.calling import Called, Raised
from course_utils.checks.core import Problem, judge, read_outputs
from course_utils.checks.runner import examine
from instructor.grading.assignments import digest_of, hidden_cases, load_assignment, public_cases
from instructor.grading.box import Box, BoxFailed, Limits, NoBox, TooLarge, TooSlow
from instructor.grading.cells import Malformed, functions, read_code
from instructor.grading.records import (
    BLANK,
    DIED,
    ERROR,
    MISSING,
    PARTLY,
    REFUSED,
    RIGHT,
    TOO_SLOW,
    WRONG,
    Answer,
    Identity,
    Record,
    Submission,
)
from instructor.grading.wire import BadMessage, Closed, Foreign, Raises

LEFT_OUT = 5  # cells that never end, after which only answers and the cells that we gave are run
CHECK = re.compile(r"check\(.*\)")
LIMITS = Limits()
HALF = "Half of the points are for instances of the kind that the check shows, half for the other kinds."


@lru_cache
def grader_version() -> str:
    here = Path(__file__).parent
    return digest_of(
        *(here / f"{name}.py" for name in ("records", "wire", "guest", "box", "cells", "assignments", "marking"))
    )


def identity(submission: Submission, assignment: str, secret: bytes) -> Identity:
    """What the marks of this submission will depend on."""
    return Identity(
        student=submission.key,
        assignment=assignment,
        version=load_assignment(assignment).version,
        grader=grader_version(),
        seed=hmac.digest(secret, b"fingerprint", "sha256").hex()[:12],
        submission=submission.digest,
    )


def mark(submission: Submission, assignment: str, secret: bytes, limits=LIMITS, unboxed=False) -> Record:
    """Grade a submission. Whatever a student does ends in a record.

    Raises assignments.UnknownAssignment; NoBox if this machine has no sandbox; BoxFailed if it breaks three times.
    """
    here, start, cpu = load_assignment(assignment), time.monotonic(), time.process_time()
    who = identity(submission, assignment, secret)
    notes, spent = [], 0.0
    try:
        if submission.problem:
            raise Malformed(submission.problem)
        cells = read_code(submission.notebook)
    except Malformed as problem:
        message = f"There is nothing to grade: {problem}."
        answers = tuple(nothing(q, REFUSED, message) for q in here.questions.values())
    else:
        message = ""
        for attempt in range(3):
            try:
                grading = Grading(here, cells, secret, box_for(here.preload, limits, unboxed))
                answers, spent = grading.run(), spent + grading.spent
                notes += grading.notes
                break
            except BoxFailed as failure:
                close_box()
                notes.append(f"attempt {attempt + 1}: {failure}")
                if attempt == 2:
                    raise
    return Record(
        identity=who,
        name=submission.student,
        id=submission.id,
        file=submission.file,
        submitted=submission.submitted,
        message=message,
        answers=answers,
        notes=tuple(notes),
        cpu=round(time.process_time() - cpu + spent, 4),
        wall=round(time.monotonic() - start, 4),
    )


_boxes = {}


def box_for(preload, limits, unboxed) -> Box:
    """This process's sandbox: made when it is first wanted, and again if it is gone."""
    key = preload, limits, unboxed
    if key not in _boxes or not _boxes[key].alive():
        close_box()
        _boxes[key] = Box(preload, limits, unboxed)
    return _boxes[key]


def close_box() -> None:
    while _boxes:
        _boxes.popitem()[1].close()


def nothing(question, status, message) -> Answer:
    return Answer(question.id, question.title, 0.0, question.points, status, message)


class Asked:
    """A student's function, in the box. Looks like a function to whom asks for its signature."""

    def __init__(self, name, parameters):
        self.__name__, self.parameters = name, parameters

    def __call__(self):
        raise TypeError("lives in the box")

    @property
    def __signature__(self):
        """Raises ValueError where the box told none that makes sense."""
        kinds = list(inspect._ParameterKind)
        try:
            made = []
            for name, kind, has_default in self.parameters:
                default = None if has_default is True else inspect.Parameter.empty
                made.append(inspect.Parameter(str(name)[:60], kinds[kind], default=default))
            return inspect.Signature(made)
        except Exception:
            raise ValueError("no signature") from None


class Grading:
    """One submission in the box, through as many sessions as it takes: each death costs a new one."""

    def __init__(self, assignment, cells, secret, box):
        self.assignment, self.cells, self.secret, self.box = assignment, cells, secret, box
        self.notes, self.leave_out, self.spent = [], set(), 0.0
        self.session, self.answers, self.used = None, {}, dict.fromkeys(assignment.questions, 0.0)
        self.functions = {}  # question id → the student's function, in the box
        self.errors = {}  # cell index → the text of the error that ended it
        self.given_changed = [assignment.given.get(cell.id) != cell.source for cell in cells]

    def run(self) -> tuple:
        asked = self.assignment.questions.values()
        try:
            for question in asked:
                self.settle(question, self.public)
            for question in asked:
                if self.answers[question.id].status == RIGHT:
                    self.settle(question, self.hidden)
        finally:
            self.hang_up()
        return tuple(self.answers[question.id] for question in asked)

    # sessions

    def settle(self, question, ask) -> None:
        """Ask, and again in a new session after a death: once may be somebody else's doing."""
        for last in (False, True):
            try:
                self.begin()
                self.session.allow(question.seconds - self.used[question.id])
                ask(question)
                self.used[question.id] += self.session.used()
                return
            except TooSlow:
                self.hang_up()
                return self.stopped(
                    question, TOO_SLOW, f"grading gives this question {question.seconds:g} s of processor time"
                )
            except (Closed, BadMessage, TooLarge) as death:
                self.hang_up()
                if last:
                    return self.stopped(question, DIED, reason_of(death, self.box.limits))
            except (BoxFailed, NoBox):
                raise
            except Exception:  # a fault of ours, and no reason to stop the others
                self.hang_up()
                self.notes.append(f"{question.id}: {traceback.format_exc(limit=-4)}")
                self.answers[question.id] = nothing(question, REFUSED, "The grader stumbled here: a person must look.")
                return

    def stopped(self, question, status, reason) -> None:
        """An answer that ended by force. What it had earned before stays."""
        before = self.answers.get(question.id)
        if before is None:
            message = f"Your function did not come back from the check's instances: {reason}."
            self.answers[question.id] = nothing(question, status, message)
        else:
            right = before.instances["same kind"][0] == before.instances["same kind"][1] > 0
            message = f"Right on the check's instances, but it did not come back from others: {reason}. {HALF}"
            self.give(question, status if not right else PARTLY, question.points / 2 * right, message)

    def give(self, question, status, points, message) -> None:
        fields = asdict(self.answers[question.id]) | {"status": status, "points": points, "message": message}
        self.answers[question.id] = Answer(**fields)

    def hang_up(self) -> None:
        if self.session:
            self.spent += self.session.spent()
            self.session.__exit__(None, None, None)
            self.session = None

    def begin(self) -> None:
        """A session in which the notebook's cells have been run, leaving out those that never end."""
        died = set()
        while self.session is None:
            self.session, self.errors = self.box.session(), {}
            for index in self.worth_running():
                self.session.allow(self.box.limits.cell)
                try:
                    header, _ = self.session.line.ask("cell", source=self.cells[index].source)
                    if header.get("error"):
                        self.errors[index] = str(header["error"])[:300]
                    continue
                except TooSlow:
                    reason = f"it did not end within {self.box.limits.cell:g} s"
                except (Closed, BadMessage, TooLarge) as death:
                    reason = reason_of(death, self.box.limits)
                    if index not in died:  # once may be somebody else's doing
                        died.add(index)
                        reason = None
                self.hang_up()
                if reason:
                    self.leave_out.add(index)
                    self.notes.append(f"code cell {index + 1} was left out: {reason}")
                break

    def worth_running(self) -> list:
        """All cells, but not ours that come unchanged after the last answer: they only look at the answers."""
        wanted = (i for i, cell in enumerate(self.cells) if cell.question or self.given_changed[i])
        last = max(wanted, default=-1)
        few = len(self.leave_out) >= LEFT_OUT
        return [
            i
            for i, cell in enumerate(self.cells)
            if i <= last
            and i not in self.leave_out
            and not (few and not cell.question and self.given_changed[i])
            and not (CHECK.fullmatch(cell.source) and not self.given_changed[i])  # we ask ourselves
        ]

    # questions

    def public(self, question) -> None:
        """The check as the student has it, on the student's function in the box."""
        named, mine = self.assignment.names[question.id], [c for c in self.cells if c.question == question.id]
        others = sorted(name for cell in mine for name in functions(cell.source))
        header, _ = self.session.line.ask("find", names=[named, *others])
        name = header.get("name")
        if not isinstance(name, str):
            return self.missing(question, named)
        fn = self.functions[question.id] = Asked(name, header.get("parameters"))
        saw = []

        def call(fn, args, observe):
            called = self.call(fn, args, observe)
            saw.append(called)
            return called

        cases = public_cases(self.assignment, question.id)
        card = examine(question, fn, cases, call=call)
        status = {"passed": RIGHT, "not yet": BLANK}.get(card.status, WRONG)
        if status == WRONG and saw and saw[-1].error:
            status = ERROR
        self.answers[question.id] = Answer(
            question.id,
            question.title,
            0.0,
            question.points,
            status,
            {
                RIGHT: "",
                BLANK: "This question is not answered.",
                ERROR: "Your function stops with an error on the check's instances.",
                WRONG: "The check does not pass.",
            }[status],
            card.mistake,
            card.hint,
            asdict(card),
            {"same kind": [0, 0], "other kinds": [0, 0], "wrong": []},
        )

    def missing(self, question, name) -> None:
        message = f"No cell defines a function {name}."
        for index, cell in enumerate(self.cells):
            if cell.question == question.id or name in functions(cell.source):
                if index in self.leave_out:
                    message = f"The cell that defines {name} does not come to its end."
                elif index in self.errors:
                    message = f"The cell that defines {name} stopped with {self.errors[index]}."
        self.answers[question.id] = nothing(question, MISSING, message)

    def hidden(self, question) -> None:
        """The instances that nobody has seen. What comes out of them is a mark and nothing else."""
        count = self.answers[question.id].instances
        count["wrong"].clear()  # after a death all of them are asked again
        for kind, other in (("same kind", False), ("other kinds", True)):
            cases = hidden_cases(self.assignment, question.id, other, self.secret)
            count[kind] = [0, len(cases)]
            for case in cases:
                if self.right(question, case):
                    count[kind][0] += 1
                else:
                    count["wrong"].append(f"{kind}: {case.note}".rstrip(": "))
            if count[kind][0] < len(cases):
                break
        if count["same kind"][0] < count["same kind"][1]:
            message = "Right on the instances that the check shows, and wrong on others of the same kind."
            self.give(question, WRONG, 0.0, message)
        elif count["other kinds"][0] < count["other kinds"][1]:
            message = (
                f"Right on all instances of the kind that the check shows, wrong on some of the other kinds. {HALF}"
            )
            self.give(question, PARTLY, question.points / 2, message)
        else:
            self.give(question, RIGHT, float(question.points), "Right on all instances.")

    def right(self, question, case) -> bool:
        called = self.call(self.functions[question.id], case.args, question.observe)
        if called.error:
            return False
        outputs = read_outputs(question, called.value)
        return not isinstance(outputs, Problem) and judge(question, case, outputs) is None

    def call(self, fn, args, observe) -> Called:
        """As checks.calling.call, in the box. What is not data in the args stays here, and is called back."""
        line = self.session.line
        line.forget()
        # An environment that is played with is this call's own.
        header, values = line.ask("answer", copy.deepcopy(args), name=fn.__name__)
        changed, printed, said = header.get("changed"), header.get("printed"), header.get("error")
        value, error = values.get("value"), None
        if said is not None:
            error = Raised(*(str(x)[:500] for x in said)) if type(said) is list and len(said) == 4 else Raised("", "")
        elif observe:
            try:
                value = observe(value, **args)
            except Raises as raised:
                error = Raised(*raised.args)
            except (Closed, BadMessage, TooSlow, TooLarge):
                raise
            except Exception as raised:  # what came back is not what the question asks for
                kind = type(value).__name__ if isinstance(value, Foreign) else type(raised).__name__
                error = Raised(kind, str(raised)[:500])
        known = tuple(name for name in args if type(changed) is list and name in changed)
        return Called(value, error, printed[:10_000] if type(printed) is str else "", known)


def reason_of(death: Exception, limits: Limits) -> str:
    if isinstance(death, TooLarge):
        return f"it took more than {limits.memory} MB of memory"
    if isinstance(death, BadMessage):
        return f"it sent {death}"
    return "it ended the process in which it ran"
