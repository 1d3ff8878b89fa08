"""The reports on a class: tables that import, files that other systems read, and the instructor's summary."""

import csv
import errno
import io
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT
from grading_records import (
    A1,
    SECRET_NOTES,
    a_class,
    answers_to,
    bare,
    mixed,
    record,
    refused,
    right,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from test_feedback import HOSTILE

from course_utils.cli import BadInput
from course_utils.studies import StudyError
from instructor.grading import lms, records, tables
from instructor.grading.reports import Manual, Mark, gradescope, needs_a_human, write_all

FORMULA = '=HYPERLINK("http://127.0.0.1:9/?"&A1,"open")'


def table(path, delimiter=","):
    """The rows of a CSV file as dicts, read as Python's users read one."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter, strict=True))


def by_key(marks):
    return {mark.record.identity.student: mark for mark in marks}


# Marks


def test_a_mark_adds_manual_points_and_takes_penalties_off():
    made = mixed()  # 1 of 10 points
    assert (Mark(made).points, Mark(made).out_of) == (1, 10)
    assert Mark(made, 0.25, (Manual("a", 2, 3), Manual("b", 0.5, 1))).points == 3.25
    assert Mark(made, 0.25, (Manual("a", 2, 3), Manual("b", 0.5, 1))).out_of == 14
    assert Mark(made, 7).points == 0
    assert Mark(made).graded and not Mark(refused()).graded and Mark(refused(), 0, (Manual("a", 2, 3),)).graded


@pytest.mark.parametrize("status", records.STATUSES)
def test_who_needs_a_human(status):
    doubtful = {records.REFUSED, records.DIED, records.TOO_SLOW, records.MISSING}
    one = record(answers=[answers_to("a1.q1")[""], bare(A1[1], status)])
    assert needs_a_human(one) == (status in doubtful)


# The files


def test_every_file_is_written(marks, tmp_path):
    written = write_all(marks, tmp_path / "new" / "results")
    found = {path for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert found == set(written) and len(written) == len(found) == 2 * len(marks) + 5
    names = {path.relative_to(tmp_path / "new" / "results").as_posix() for path in written}
    assert {"marks.csv", "moodle.csv", "canvas.csv", "nbgrader.csv", "summary.html"} < names
    for key in by_key(marks):
        assert {f"feedback/{key}.html", f"gradescope/{key}/results.json"} < names


def test_names_of_files_are_harmless(tmp_path):
    names = ["../../evil", "/etc/passwd", "a\0b", "C:\\x", "CON", "x" * 5000, "\ud800", FORMULA, "", ".", "Zoë", "zoë"]
    written = write_all([Mark(right(name=name)) for name in names], tmp_path / "out")
    assert len(written) == 2 * len(names) + 5
    for path in written:
        assert path.is_file() and path.resolve().is_relative_to(tmp_path / "out")
        assert re.fullmatch(r"[A-Za-z0-9.-]+", path.name) and re.fullmatch(r"[A-Za-z0-9-]+", path.parent.name)


def test_a_second_run_changes_nothing(marks, out):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.rglob("*") if path.is_file()}
    write_all(marks[::-1], out)
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.rglob("*") if path.is_file()}


def test_the_bytes_do_not_depend_on_the_process(tmp_path):
    code = (
        "import sys; from pathlib import Path; from instructor.grading.records import Record;"
        "from instructor.grading.reports import Mark, write_all;"
        "write_all([Mark(Record.from_json(line)) for line in open(sys.argv[1])], Path(sys.argv[2]))"
    )
    (tmp_path / "records").write_text("".join(made.to_json() + "\n" for made in a_class(12)))
    for seed in "12":
        run = [sys.executable, "-c", code, tmp_path / "records", tmp_path / seed]
        subprocess.run(run, check=True, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed, "TZ": f"UTC-{seed}"})
    one, two = (
        {path.relative_to(tmp_path / seed): path.read_bytes() for path in (tmp_path / seed).rglob("*.*")}
        for seed in "12"
    )
    assert one == two and len(one) == 12 * 2 + 5


def test_a_full_disk_leaves_whole_files(marks, tmp_path, monkeypatch):
    write_all(marks[:3], tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StudyError, match="No space left"):
        write_all([replace(mark, late=0.5) for mark in marks[:3]], tmp_path)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_place_that_is_no_folder_is_said(marks, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StudyError, match="out"):
        write_all(marks[:1], tmp_path / "out")


def test_what_is_no_batch_is_refused(tmp_path):
    other = right(name="Bob")
    other = replace(other, identity=replace(other.identity, assignment="a2"))
    evil = right(name="Eve")
    evil = replace(evil, identity=replace(evil.identity, student="../eve"))
    cases = [([], "no marks"), ([right(), right()], "two marks"), ([right(), other], "a1, a2"), ([evil], "eve")]
    for batch, said in cases:
        with pytest.raises(BadInput, match=said):
            write_all([Mark(one) for one in batch], tmp_path / "out")
    assert not (tmp_path / "out").exists()


# marks.csv


def test_marks_csv_says_what_the_records_say(marks, out):
    rows = table(out / "marks.csv")
    assert len(rows) == len(marks)
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    for row in rows:
        mark = by_key(marks)[row["key"]]
        made = mark.record
        assert (row["name"], row["id"], row["file"]) == (made.name, made.id, made.file)
        assert row["submitted"] == ("2026-09-21T14:13:20Z" if made.submitted else "")
        refused_one = made.answers[0].status == records.REFUSED
        for answer in made.answers:
            assert row[answer.question] == ("" if refused_one else f"{answer.points:g}")
            assert row[f"{answer.question} status"].split(": ")[0] == answer.status
            assert (answer.mistake or "") in row[f"{answer.question} status"]
        assert row["report"] == (f"{mark.manual[0].points:g}" if mark.manual else "")
        assert float(row["late penalty"]) == mark.late
        assert row["total"] == ("" if refused_one else f"{mark.points:g}")
        assert float(row["out of"]) == mark.out_of
        assert row["message"] == made.message


def test_marks_csv_opens_in_excel_with_every_letter(tmp_path):
    """Excel needs a byte order mark, and \\r\\n is what it writes itself."""
    write_all([Mark(right(name="Zoë Łukasiewicz 王"))], tmp_path)
    data = (tmp_path / "marks.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf") and data.count(b"\r\n") == data.count(b"\n") == 2
    assert table(tmp_path / "marks.csv")[0]["name"] == "Zoë Łukasiewicz 王"


def test_there_is_no_column_for_what_nobody_has(tmp_path):
    write_all([Mark(right())], tmp_path)
    assert list(table(tmp_path / "marks.csv")[0]) == (
        ["key", "name", "id", "file", "submitted", "a1.q1", "a1.q2", "a1.q3", "a1.q4", "total", "out of"]
        + ["a1.q1 status", "a1.q2 status", "a1.q3 status", "a1.q4 status", "message"]
    )


starts = st.text(st.sampled_from(list("=+-@\t\r\n ;,|\"'＝\u200b\u00a0a1()!") + ["\ufeff"]), max_size=12)
anything = st.one_of(starts, st.text(st.characters(exclude_categories=()), max_size=20))


def formulas(text, delimiter):
    """The cells that a spreadsheet set to this separator would take for a formula."""
    cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in row]
    return [cell for cell in cells if re.match(r"[\s\u200b\ufeff\"]*[=+\-@＝＋－＠]", cell) and not number(cell)]


def number(cell):
    return re.fullmatch(r"-?\d+(\.\d+)?", cell)


@settings(max_examples=200, deadline=None)
@given(anything, anything, anything, anything)
def test_no_cell_starts_a_formula(name, id, file, message):
    made = replace(right(name=name, id=id, file=file), message=message)
    mark = Mark(replace(made, answers=(replace(made.answers[0], message=message), *made.answers[1:])))
    for text in (tables.marks_csv([mark]), lms.moodle([mark])[0], lms.canvas([mark])[0], tables.nbgrader_csv([mark])):
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        assert len({len(row) for row in rows}) == 1
        for delimiter in ",;\t|":
            # Moodle's sign for "never" stands in the two columns of times
            assert [cell for cell in formulas(text, delimiter) if cell != "-"] == []
        text.encode("utf-8")


@pytest.mark.parametrize("name", ["=1+1", " =1", "\t=1", '"=1', "@SUM(A1)", "-2+3", "+1", "a;=1+1", '","=1', "x\r\n=1"])
def test_formulas_are_defused(name):
    """And can still be read."""
    row = next(csv.DictReader(io.StringIO(tables.marks_csv([Mark(right(name=name))]).lstrip("\ufeff"), newline="")))
    assert re.sub(r"[\s']", "", row["name"]) == re.sub(r"\s", "", name)
    assert "'" in row["name"] or not re.search(r"[;,\"]\s*[=+@-]|^\s*[=+@-]", row["name"])


@pytest.mark.parametrize("name", ["Anne-Marie O'Neill", "Łukasz (3)", "x = 1", "a@b.org", "Smith, John"])
def test_ordinary_names_stay_as_they_are(name):
    row = next(csv.DictReader(io.StringIO(tables.marks_csv([Mark(right(name=name))]).lstrip("\ufeff"), newline="")))
    assert row["name"] == name


# nbgrader


def test_nbgrader_csv(marks, out):
    rows = table(out / "nbgrader.csv")
    # the columns of `nbgrader export` 0.9.6, as its documentation and its plugins/export.py have them
    assert list(rows[0]) == (
        ["assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"]
        + ["raw_score", "late_submission_penalty", "score", "max_score"]
    )
    of = {mark.record.id: mark for mark in marks}
    assert {row["student_id"] for row in rows} == set(of)
    for row in rows:
        mark = of[row["student_id"]]
        assert row["assignment"] == "a1" and float(row["max_score"]) == mark.out_of
        if mark.record.answers[0].status == records.REFUSED:
            assert row["score"] == row["raw_score"] == row["timestamp"] == ""
        else:
            assert row["timestamp"] == "2026-09-21 14:13:20"
            assert float(row["score"]) == max(0, float(row["raw_score"]) - float(row["late_submission_penalty"]))
            assert float(row["score"]) == mark.points


# Gradescope: the fields and values that https://gradescope-autograders.readthedocs.io/en/latest/specs/ documents

number_type, text_type = (int, float), (str,)
SHOWN = {"hidden", "after_due_date", "after_published", "visible"}
FORMATS = {"text", "html", "simple_format", "md", "ansi"}
TOP = dict(
    score=number_type,
    execution_time=number_type,
    output=text_type,
    output_format=FORMATS,
    test_output_format=FORMATS,
    test_name_format=FORMATS,
    visibility=SHOWN,
    stdout_visibility=SHOWN,
    extra_data=(dict,),
    tests=(list,),
    leaderboard=(list,),
)
TEST = dict(
    score=number_type,
    max_score=number_type,
    status={"passed", "failed"},
    name=text_type,
    name_format=FORMATS,
    number=text_type,
    output=text_type,
    output_format=FORMATS,
    tags=(list,),
    visibility=SHOWN,
    extra_data=(dict,),
)


def complaints(given, fields):
    """What is not documented about an object of results.json."""
    for name, value in given.items():
        allowed = fields.get(name, ())
        fits = value in allowed if isinstance(allowed, set) else isinstance(value, allowed)
        if isinstance(value, bool) or not fits:
            yield name, value


def test_the_validator_can_say_no():
    bad = {"score": "3", "visibility": "never", "points": 1, "tests": [], "execution_time": True}
    assert [name for name, _ in complaints(bad, TOP)] == ["score", "visibility", "points", "execution_time"]


def test_gradescope_results(marks, out):
    for mark in marks:
        key = mark.record.identity.student
        results = json.loads((out / "gradescope" / key / "results.json").read_text(encoding="utf-8"))
        assert list(complaints(results, TOP)) == []
        assert results["score"] == pytest.approx(mark.points if mark.graded else 0)
        assert results["visibility"] == "after_published" and results["stdout_visibility"] == "hidden"
        assert ("Not graded" in results["output"]) == (not mark.graded)
        given = [*mark.record.answers, *mark.manual]
        assert [test["number"] for test in results["tests"]] == [str(k + 1) for k in range(len(given))]
        for test, item in zip(results["tests"], given, strict=True):
            assert list(complaints(test, TEST)) == []
            assert (test["score"], test["max_score"]) == (item.points, item.out_of)
            assert (test["status"] == "passed") == (item.points == item.out_of)
        for test, answer in zip(results["tests"], mark.record.answers, strict=False):
            assert answer.question in test["name"] and answer.status in test["output"]
            assert (answer.hint or "") in test["output"]


def test_gradescope_renders_no_students_text():
    """HTML and Markdown are rendered there, unless each format says text; the top level's default is HTML."""
    made = mixed(name=HOSTILE, file=HOSTILE)
    results = gradescope(Mark(replace(made, message=HOSTILE), 0, (Manual("<b>x</b>", 1, 2, HOSTILE),)))
    assert results["output_format"] == results["test_output_format"] == results["test_name_format"] == "text"
    assert {test["output_format"] for test in results["tests"]} == {"text"}
    assert HOSTILE in results["output"]


def test_nothing_of_hidden_calls_leaves_for_students(marks, out):
    for path in [*out.rglob("results.json"), *out.rglob("feedback/*.html"), *out.glob("*.csv")]:
        text = path.read_text(encoding="utf-8")
        assert not any(secret in text for secret in SECRET_NOTES), path


def test_a_large_class_is_written_quickly(tmp_path):
    """Writing must not be what grading 1,000 notebooks waits for: it may take 0.1 CPU-s each."""
    answers = mixed().answers
    made = [Mark(record(name=f"Student {k}", id=str(k), answers=answers)) for k in range(300)]
    start = time.process_time()
    write_all(made, Path(tmp_path))
    assert (time.process_time() - start) / len(made) < 0.01
