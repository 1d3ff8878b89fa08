"""The progress log: nothing that was written is lost, and nothing that goes wrong with it stops a check."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from course_utils import progress
from course_utils.checks import questions
from course_utils.dashboard import dashboard

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def log(tmp_path, monkeypatch):
    path = tmp_path / "here" / "log.jsonl"
    monkeypatch.setenv("COURSE_PROGRESS", str(path))
    monkeypatch.setattr(progress, "_warned", False)
    return path


def test_a_record_is_one_json_line(log):
    progress.record("a1.q1", "failed", "hard max")
    progress.record("a1.q1", "passed")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [list(line) for line in lines] == [["time", "question", "status", "mistake"]] * 2
    assert lines[0]["mistake"] == "hard max" and lines[1]["mistake"] is None
    assert progress.read() == (lines, 0)


def test_two_notebooks_at_once_lose_nothing(log):
    code = (
        "import sys; from course_utils import progress\n"
        "for k in range(400): progress.record(sys.argv[1], 'failed', str(k))"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, name], cwd=ROOT) for name in ("a1.q1", "a1.q2")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    records, unreadable = progress.read()
    assert unreadable == 0 and len(records) == 800
    for name in ("a1.q1", "a1.q2"):
        assert [r["mistake"] for r in records if r["question"] == name] == [str(k) for k in range(400)]


@pytest.mark.parametrize(
    "accident",
    [
        b'{"time": "2025',
        b"\xff\xfe\x00",
        b"[1, 2]",
        b'"text"',
        b"null",
        b"{}",
        b'{"question": "a1.q1"}',
        b"[" * 100_000,
    ],
)
def test_an_unreadable_line_is_skipped_counted_and_kept(log, accident):
    progress.record("a1.q1", "passed")
    with log.open("ab") as file:
        file.write(accident)  # a torn write: no newline at its end
    progress.record("a1.q2", "failed", "log E e^V")
    records, unreadable = progress.read()
    assert [r["question"] for r in records] == ["a1.q1", "a1.q2"] and unreadable == 1
    assert accident in log.read_bytes()
    assert "1 unreadable line" in repr(dashboard()) and str(log) in repr(dashboard())


def test_no_log_yet(log):
    assert progress.read() == ([], 0) and progress.summary() == {}
    assert f"0 of {len(questions())}" in repr(dashboard())


def test_summary(log):
    for status, mistake in [("not yet", None), ("failed", "hard max"), ("passed", None), ("failed", None)]:
        progress.record("a1.q1", status, mistake)
    progress.record("a1.q2", "not yet")
    entries = progress.summary()
    assert entries["a1.q1"] == progress.Entry("failed", True, 3, "hard max")
    assert entries["a1.q2"] == progress.Entry("not yet", False, 0, None)


def test_dashboard(log):
    for question, status, mistake in [
        ("a1.q1", "failed", "hard max"),
        ("a1.q1", "passed", None),
        ("a1.q2", "failed", "<b>"),
        ("a1.q3", "passed", None),
        ("a1.q3", "failed", None),
        ("a1.q4", "not yet", None),
        ("gone.q1", "passed", None),
    ]:
        progress.record(question, status, mistake)
    board = dashboard()
    text, html = repr(board), board._repr_html_()
    assert max(map(len, text.splitlines())) <= 100
    for sign, id in [
        ("✓ passed", "a1.q1"),
        ("✗ not passed", "a1.q2"),
        ("✓ passed before", "a1.q3"),
        ("… not yet", "a1.q4"),
    ]:
        line = next(line for line in text.splitlines() if line.startswith(id))
        assert sign in line
    assert f"2 of {len(questions())} questions" in text
    assert "&lt;b&gt;" in html and "<b>" not in html and html.count("<tr>") == 1 + len(questions())


def test_path_from_the_environment_or_the_course(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_PROGRESS", raising=False)
    (tmp_path / "course" / "notebooks" / "deep").mkdir(parents=True)
    (tmp_path / "course" / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path / "course" / "notebooks" / "deep")
    assert progress.log_path() == tmp_path / "course" / ".course" / "progress.jsonl"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert progress.log_path() == tmp_path / "home" / ".irl-course" / "progress.jsonl"
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "x"))
    assert progress.log_path() == tmp_path / "x"


def test_a_machine_without_a_home_folder(tmp_path, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("COURSE_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(progress, "_warned", False)
    with pytest.warns(UserWarning, match="progress is not kept"):
        progress.record("a1.q1", "passed")
    assert progress.read() == ([], 0)


def test_a_log_that_is_a_folder_and_a_full_disk(tmp_path, monkeypatch):
    for path in (tmp_path, "/dev/full"):
        monkeypatch.setenv("COURSE_PROGRESS", str(path))
        monkeypatch.setattr(progress, "_warned", False)
        with pytest.warns(UserWarning, match="progress is not kept"):
            progress.record("a1.q1", "passed")
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path))
    assert progress.read() == ([], 0) and "0 of" in repr(dashboard())


def test_a_disk_that_cannot_be_written_warns_once(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "file" / "log.jsonl"))  # a folder that is a file
    monkeypatch.setattr(progress, "_warned", False)
    with pytest.warns(UserWarning, match="progress is not kept"):
        progress.record("a1.q1", "passed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        progress.record("a1.q1", "passed")
    assert progress.read() == ([], 0)
