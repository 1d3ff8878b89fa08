"""Grades for Moodle and Canvas: their layouts, the files that an instructor downloaded, and who is left alone."""

import csv
import io
from dataclasses import replace

import pytest
from grading_records import mixed, refused, right
from test_feedback import HOSTILE, HOSTILE_URL, Page
from test_reports import table

from course_utils.cli import BadInput
from instructor.grading import lms
from instructor.grading.reports import Mark, write_all

# Moodle

MOODLE = (
    ["Identifier", "Full name", "ID number", "Email address", "Status", "Group", "Grade", "Maximum grade"]
    + ["Marking workflow state", "Grade can be changed", "Last modified (submission)", "Last modified (grade)"]
    + ["Feedback comments"]
)


def worksheet(path, students, maximum="10.00", head=MOODLE, newline="\r\n", bom="\ufeff"):
    """What Moodle's "Download grading worksheet" gives, with what makes it hard: quotes, line breaks, a formula."""
    rows = []
    for id, name in students:
        old = 'An "old", comment\nof two lines'
        cells = [
            f"Participant {id}",
            name,
            "0042",
            f"{id}@example.org",
            "Submitted for grading - ",
            "=1+1",
            "",
            maximum,
        ]
        rows.append([*cells, "Released", "Yes", "Monday, 21 September 2026, 2:13 PM", "-", old][: len(head)])
    file = io.StringIO()
    csv.writer(file, lineterminator=newline).writerows([head, *rows])
    path.write_text(bom + file.getvalue(), encoding="utf-8", newline="")
    return path


def test_moodles_own_worksheet_is_filled_in(tmp_path):
    made = [Mark(right(name="Ada", id="71")), Mark(mixed(name="Bob", id="72"), 0.5), Mark(right(name="Cy"))]
    made += [Mark(refused(name="Dee", id="74"))]
    students = [("70", "Nobody"), ("72", "Bob B."), ("71", "Ada L."), ("73", " cy "), ("74", "Dee")]
    given = worksheet(tmp_path / "Grades-a1.csv", students)
    before, data = table(given), given.read_bytes()
    write_all(made, tmp_path / "out", worksheet=given)
    assert given.read_bytes() == data
    filled = (tmp_path / "out" / "moodle.csv").read_bytes()
    assert filled.startswith(b"\xef\xbb\xbf") and filled.count(b"\r\n") == len(students) + 1
    after = table(tmp_path / "out" / "moodle.csv")
    assert [row["Grade"] for row in after] == ["", "0.5", "10", "10", ""]
    for old, new in zip(before, after, strict=True):
        same = [name for name in MOODLE if name not in ("Grade", "Feedback comments")]
        assert [old[name] for name in same] == [new[name] for name in same]
    assert after[0] == before[0] and after[4] == before[4], "who has no mark is left alone"
    comment = Page(after[1]["Feedback comments"])
    assert set(comment.tags) == {"p"}
    assert "This looks like: reference ignored" in comment.text and "0.5 of 10 points" in comment.text
    assert "Handed in late: 0.5 points" in comment.text
    summary = Page((tmp_path / "out" / "summary.html").read_text(encoding="utf-8")).text
    assert "Dee" in summary.split("Not filled in")[1].split("Outcomes")[0]


def test_a_worksheet_goes_round_unchanged_where_nobody_was_graded(tmp_path):
    for newline, bom in (("\r\n", "\ufeff"), ("\n", "")):
        given = worksheet(tmp_path / "w.csv", [("1", "Ann"), ("2", "Ben")], newline=newline, bom=bom)
        text, missed = lms.moodle([Mark(right(name="Cy", id="9"))], given)
        assert text.encode("utf-8") == given.read_bytes()
        assert [why for _, why in missed] == ["not in the file"]


def test_moodle_is_filled_only_where_it_is_clear_who_is_meant(tmp_path):
    given = worksheet(tmp_path / "w.csv", [("1", "Ann"), ("2", "Ben"), ("3", "Ben"), ("4", "Dan")])
    made = [right(name="Ben"), right(name="Ann", id="1"), right(name="Ann again", id="1"), right(name="Ann", id="77")]
    text, missed = lms.moodle([Mark(one) for one in made], given)
    assert len(missed) == 4 and {row["Grade"] for row in csv.DictReader(io.StringIO(text.lstrip("\ufeff")))} == {""}
    whys = [why for _, why in missed]
    assert any("2 times" in why for why in whys) and sum("2 submissions" in why for why in whys) == 2


def test_a_locked_grade_is_left(tmp_path):
    given = worksheet(tmp_path / "w.csv", [("1", "Ann")])
    given.write_text(given.read_text(encoding="utf-8").replace("Released,Yes", "Released,No"), encoding="utf-8")
    text, missed = lms.moodle([Mark(right(name="Ann", id="1"))], given)
    assert "cannot be changed" in missed[0][1] and ",10," not in text


def test_a_moodle_comment_holds_no_html_of_a_student(tmp_path):
    given = worksheet(tmp_path / "w.csv", [("1", "Ann")], head=MOODLE)
    made = replace(mixed(name="Ann", id="1"), message=f"{HOSTILE} 3 <= 4; =1+1 {HOSTILE_URL}")
    text, _ = lms.moodle([Mark(made)], given)
    comment = next(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))["Feedback comments"]
    assert set(Page(comment).tags) == {"p"}
    assert f"{HOSTILE} 3 <= 4; =1+1 {HOSTILE_URL}" in Page(comment).text


def test_moodles_layout_without_a_worksheet(marks, out):
    rows = table(out / "moodle.csv")
    assert list(rows[0]) == (
        ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade", "Grade can be changed"]
        + ["Last modified (submission)", "Last modified (grade)", "Feedback comments"]
    )
    of = {f"Participant {mark.record.id}": mark for mark in marks}
    assert {row["Identifier"] for row in rows} == set(of)
    for row in rows:
        mark = of[row["Identifier"]]
        assert row["Full name"] == mark.record.name
        assert row["Grade"] == (f"{mark.points:g}" if mark.graded else "")
    text, missed = lms.moodle([mark for mark in marks if mark.manual], out / "moodle.csv")  # and is a worksheet
    assert {why for _, why in missed} <= {"not graded: the cell is left as it is"}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda path: path, "cannot be read"),
        (lambda path: path.mkdir() or path, "cannot be read"),
        (lambda path: path.write_bytes(b"") and path or path, "0 lines"),
        (lambda path: path.write_bytes("Identifier,Grade,Maximum grade\nÄ".encode("utf-16")) and path, "encoding"),
        (lambda path: path.write_text("Kennung,Bewertung\n1,2\n") and path, "Identifier.*Kennung, Bewertung"),
        (lambda path: path.write_text("Identifier,Grade,Maximum grade\n1,2\n") and path, "row 2"),
        (lambda path: path.write_text('Identifier,Grade,Maximum grade\n1,"2\n') and path, "no whole CSV"),
        (lambda path: worksheet(path, [("1", "Ada")], maximum="100.00"), "out of 10 .*100.00"),
        (lambda path: worksheet(path, [("1", "Ada")], maximum="Satisfactory"), "out of 10 .*Satisfactory"),
    ],
    ids=["missing", "folder", "empty", "utf16", "German", "ragged", "open quote", "of 100", "scale"],
)
def test_what_is_no_worksheet_is_refused_before_anything_is_written(made, said, tmp_path):
    given = made(tmp_path / "worksheet.csv")
    with pytest.raises(BadInput, match=said) as error:
        write_all([Mark(right(name="Ada", id="1"))], tmp_path / "out", worksheet=given)
    assert "worksheet.csv" in str(error.value) and not (tmp_path / "out").exists()


# Canvas

CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
COLUMNS = ["a1 MaxEnt IRL (9001)", "a2 Guided cost (9002)", "Assignments Current Points", "Current Score"]


def gradebook(path, students, columns=COLUMNS, possible="10.00", delimiter=",", grade=""):
    """What Canvas exports: a row for manual posting, one of points possible, and totals that are read only."""
    rest = len(columns) - 1
    rows = [
        [*CANVAS, *columns],
        ["", "", "", "", "", "Manual Posting", *[""] * rest],
        ["    Points Possible", "", "", "", "", possible, *["20.00", "(read only)", "(read only)"][:rest]],
    ]
    for id, name in students:
        cells = [name, id, f"S{id}", f"login{id}", "Section, one", grade]
        rows.append([*cells, *["7.50", "7.50", '="x"'][:rest]])
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    path.write_text(file.getvalue(), encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_canvas_own_gradebook_is_filled_in(delimiter, tmp_path):
    made = [
        Mark(right(name="lovelaceada", id="71")),
        Mark(mixed(name="bob", id="72"), 0.5),
        Mark(right(name="login73")),
    ]
    students = [("70", "Nobody"), ("72", "B, Bob"), ("71", "Lovelace, Ada"), ("73", '="=evil"')]
    possible = {",": "10.00", ";": "10,00"}[delimiter]
    given = gradebook(tmp_path / "Grades.csv", students, delimiter=delimiter, possible=possible)
    before, data = table(given, delimiter), given.read_bytes()
    write_all(made, tmp_path / "out", canvas=given)
    assert given.read_bytes() == data
    after = table(tmp_path / "out" / "canvas.csv", delimiter)
    assert [row["a1 MaxEnt IRL (9001)"] for row in after] == ["Manual Posting", possible, "", "0.5", "10", "10"]
    for old, new in zip(before, after, strict=True):
        assert old | {"a1 MaxEnt IRL (9001)": ""} == new | {"a1 MaxEnt IRL (9001)": ""}
    nobody, _ = lms.canvas([Mark(right(name="x", id="1"))], given)
    assert nobody.encode("utf-8") == data


@pytest.mark.parametrize("grade", ["EX", "N/A"])
def test_an_excused_student_stays_excused(grade, tmp_path):
    given = gradebook(tmp_path / "g.csv", [("71", "Ada")], grade=grade)
    text, missed = lms.canvas([Mark(right(name="Ada", id="71"))], given)
    assert text.encode("utf-8") == given.read_bytes() and grade in missed[0][1]


def test_canvas_layout_without_a_gradebook(marks, out):
    data = (out / "canvas.csv").read_bytes()
    assert not data.startswith(b"\xef\xbb\xbf")  # Canvas takes it for a part of the first heading
    rows = table(out / "canvas.csv")
    assert list(rows[0]) == [*CANVAS, "a1"]
    assert rows[0]["Student"].strip() == "Points Possible" and float(rows[0]["a1"]) == 15
    of = {mark.record.id: mark for mark in marks}
    assert {row["ID"] for row in rows[1:]} == set(of)
    for row in rows[1:]:
        assert row["a1"] == (f"{of[row['ID']].points:g}" if of[row["ID"]].graded else "")


@pytest.mark.parametrize(
    ("columns", "possible", "said"),
    [
        (["a1 one (1)", "a1 two (2)"], "10", "one column for a1.*a1 one.*a1 two"),
        (["a2 Guided cost (9002)"], "10", "one column for a1.*a2 Guided"),
        (["Week 3 (9)", "Week 4 (10)"], "10", "one column for a1"),
        (["Current Score"], "10", "one column for a1.*none"),
        (["a1 MaxEnt (1)"], "100.00", "out of 10 .*100.00"),
        (["a1 MaxEnt (1)"], "", "out of 10 "),
    ],
)
def test_canvas_is_not_filled_where_it_is_not_clear_how(columns, possible, said, tmp_path):
    given = gradebook(tmp_path / "g.csv", [("71", "Ada")], columns, possible)
    with pytest.raises(BadInput, match=said):
        write_all([Mark(right(name="Ada", id="71"))], tmp_path / "out", canvas=given)
    assert not (tmp_path / "out").exists()


def test_the_only_column_may_have_any_name(tmp_path):
    given = gradebook(tmp_path / "g.csv", [("71", "Ada")], ["Week 3 (9)"])
    text, missed = lms.canvas([Mark(right(name="Ada", id="71"))], given)
    assert missed == [] and text.splitlines()[-1].endswith(",10")


def test_what_is_no_gradebook_is_refused(tmp_path):
    given = worksheet(tmp_path / "w.csv", [("1", "Ada")])
    with pytest.raises(BadInput, match="gradebook exported from Canvas.*Identifier"):
        lms.canvas([Mark(right(id="1"))], given)
