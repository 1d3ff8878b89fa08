"""Records as grading makes them, from real answers: what the real checks find in the authored wrong answers to a1."""

from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache

import numpy as np
from helpers import load, references
from lab import FLAGS
from playwright.sync_api import sync_playwright

from course_utils.checks import make_cases, questions
from course_utils.checks.runner import examine
from course_utils.doctor import chromium
from instructor.grading import records
from instructor.grading.marks import Manual, Mark
from instructor.grading.records import Answer, Identity, Record, Submission

A1 = [question for question in questions().values() if question.id.startswith("a1.")]
SECRET_NOTES = ("reward 4711 of the hidden world", "cell 7 was left out")  # must never reach a student


@cache
def answers_to(question_id) -> dict:
    """{"" or the name of a mistake: an Answer} to a question of a1, with the card of the public check."""
    question = questions()[question_id]
    wrong = {name: fn for fn, name in reversed(load("a1_maxent", "wrong_answers").WRONG[question_id])}
    with np.errstate(all="ignore"):
        cards = {
            name: examine(question, fn, make_cases(question))
            for name, fn in {"": references("a1_maxent")[question_id], **wrong}.items()
        }
    return {
        name: Answer(
            question_id,
            question.title,
            0.0 if name else float(question.points),
            float(question.points),
            records.WRONG if name else records.RIGHT,
            "Wrong on instances of the kind that the check shows." if name else "Right on all instances.",
            card.mistake,
            card.hint,
            asdict(card),
            {"same kind": [3, 20], "other kinds": [0, 31], "wrong": [SECRET_NOTES[0]]},
        )
        for name, card in cards.items()
    }


def bare(question, status, message="") -> Answer:
    """An answer whose check could not be run."""
    return Answer(question.id, question.title, 0.0, float(question.points), status, message)


def record(name="Ada Lovelace", answers=(), id="", file="a1_maxent.ipynb", submitted=1_790_000_000.0, **change):
    """A record that has been through JSON, as those from the gradebook have."""
    key = Submission(name, id).key
    made = Record(
        Identity(key, "a1", "v1", "g1", "s1", "0" * 64),
        name,
        id,
        file,
        submitted,
        "",
        tuple(answers),
        cpu=0.08,
        wall=0.1,
    )
    return Record.from_json(replace(made, **change).to_json())


def right(**change) -> Record:
    return record(answers=[answers_to(question.id)[""] for question in A1], **change)


def mixed(**change) -> Record:
    """One answer is partly right, one has a known mistake, one ended the process, one is blank."""
    q1, q2, q3, q4 = A1
    half = replace(answers_to(q1.id)[""], points=q1.points / 2, status=records.PARTLY, message="Other kinds are not.")
    return record(
        answers=[
            half,
            answers_to(q2.id)["reference ignored"],
            bare(q3, records.DIED, "The notebook ended the process here."),
            bare(q4, records.BLANK, "There is no answer yet."),
        ],
        notes=SECRET_NOTES[1:],
        **change,
    )


def refused(**change) -> Record:
    message = "The file is a symbolic link: nothing was read."
    answers = [bare(question, records.REFUSED, message) for question in A1]
    return record(**{"answers": answers, "message": message, "submitted": None} | change)


def a_class(n=40, seed=0) -> list:
    """Records of a class: most answers are right, the others have mistakes of all kinds."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(n):
        name, id = f"{'ABCDEFGHIJ'[k % 10]}. Student {k:02}", str(5000 + k)
        if k % 19 == 7:
            made.append(refused(name=name, id=id))
        elif k % 13 == 5:
            made.append(mixed(name=name, id=id))
        else:
            given = []
            for question in A1:
                choice = answers_to(question.id)
                skill = rng.random()
                if skill < 0.15:
                    answer = replace(choice[""], points=question.points / 2, status=records.PARTLY)
                elif skill < 0.6:
                    answer = choice[""]
                else:
                    answer = choice[rng.choice(sorted(choice)[1:])]
                given.append(answer)
            made.append(record(name=name, id=id, answers=given))
    return made


def class_marks() -> list:
    """Marks of a class in which some are late, and most have written a report."""
    late = [1.5 if k % 9 == 3 else 0.0 for k in range(40)]
    manual = [(Manual("report", k % 6, 5, "Which seed?"),) if k % 4 and k % 19 != 7 else () for k in range(40)]
    return [Mark(*given) for given in zip(a_class(), late, manual, strict=True)]


@contextmanager
def browser():
    """Headless Chromium, as the notebooks' tests use it."""
    path = chromium()
    if path is None:
        raise RuntimeError("the browser tests need Chromium: sudo apt install chromium (see: course doctor)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@contextmanager
def opened(running, path, **options):
    """A page of the file, and a list of all that should not happen: scripts, dialogs, requests, complaints."""
    page = running.new_page(**options)
    happened = []
    page.on("dialog", lambda dialog: (happened.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: happened.append(f"request {request.url}"))
    page.on("console", lambda message: happened.append(f"console {message.text}"))
    page.on("pageerror", lambda error: happened.append(f"error {error}"))
    page.goto(path.as_uri())
    page.wait_for_timeout(200)
    happened.remove(f"request {path.as_uri()}")
    yield page, happened
    page.close()
