"""What comes in at the door: every layout of a download, and everything that a hostile student can put into one."""

import io
import json
import os
import random
import shutil
import socket
import stat
import struct
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import nbformat
import pytest
from helpers import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.cli import BadInput
from instructor.grading import cells, door

MB = 10**6
# Whatever would write, as Python reports it to audit hooks: none of it may happen while a download is read.
WRITES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
watching = []


def note_writes(event, args):
    if watching and (event in WRITES or event.startswith(("shutil.", "tempfile.", "subprocess."))):
        watching[-1].append((event, args))
    elif watching and event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
        watching[-1].append((event, args))


sys.addaudithook(note_writes)


def collect(path, assignment=""):
    """door.collect, under watch: nothing is written or extracted, and whatever comes is clean text with a key."""
    watching.append([])
    try:
        found = door.collect(path, assignment)
    finally:
        written = watching.pop()
    assert not written
    assert len({s.key for s in found}) == len({(s.student, s.id) for s in found}) == len(found)
    for s in found:
        assert bool(s.problem) == (s.notebook == b"")
        for text in (s.student, s.id, s.file, s.problem or ""):
            assert all(c.isprintable() or c in "\u200c\u200d\xa0\u3000" for c in text)
            assert len(text.encode()) < 2000  # and it can be encoded
        assert len(s.student) <= 150
    return found


def notebook(*questions, text="x = 1"):
    """A notebook with an answer cell for each question."""
    made = [
        {
            "cell_type": "code",
            "metadata": {"nbgrader": {"grade_id": q.replace(".", "-"), "solution": True}, "course": {"question": q}},
            "source": text,
        }
        for q in questions
    ]
    made.append({"cell_type": "code", "metadata": {}, "source": text})
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def put(folder, tree):
    """Write {path: bytes, or None for a folder} below a folder."""
    for name, content in tree.items():
        path = folder / name
        (path if content is None else path.parent).mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content)
    return folder


def pack(tree, method=zipfile.ZIP_DEFLATED, when=(2026, 3, 1, 12, 0, 0)):
    """The bytes of a zip of {path: bytes, or None for a folder}."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in tree.items():
            info = zipfile.ZipInfo(name + "/" * (content is None), when)
            info.compress_type = method
            archive.writestr(info, content or b"")
    return made.getvalue()


def short(submissions):
    return [(s.student, s.id, s.notebook, s.problem) for s in submissions]


# ---------------------------------------------------------------- layouts

A1, A2, OLD, OTHER = notebook("a1.q1"), notebook("a2.q1"), notebook("a1.q1", text="old = 1"), notebook()
NOTHING = "no notebook in it: "
LAYOUTS = {
    "notebooks": (
        {"alice.ipynb": A1, "Bob Ross.IPYNB": OLD, "carol.ipynb.txt": A2, "dave.py": b"x", ".git/config": b"x"},
        [
            ("alice", "", A1, None),
            ("Bob Ross", "", OLD, None),
            ("carol", "", A2, None),
            ("dave", "", b"", NOTHING + "dave.py"),
        ],
    ),
    "a folder a student": (
        {
            "alice/a1.ipynb": A1,
            "alice/.ipynb_checkpoints/a1-checkpoint.ipynb": OLD,
            "bob/a.py": b"x",
            "bob/sub/b.txt": b"x",
            "carol": None,
            "__MACOSX/alice/._a1.ipynb": b"x",
            ".DS_Store": b"x",
        },
        [
            ("alice", "", A1, None),
            ("bob", "", b"", NOTHING + "a.py, sub/b.txt"),
            ("carol", "", b"", NOTHING + "the folder is empty"),
        ],
    ),
    "nbgrader": (
        {"alice/a1/a1_maxent.ipynb": A1, "alice/a2/a2_guided.ipynb": A2, "bob/a1/a1_maxent.ipynb": OLD},
        [("alice", "", A1, None), ("bob", "", OLD, None)],
    ),
    "equal up to case": (
        {"alice/a1.ipynb": A1, "Alice/a1.ipynb": OLD},
        [("Alice", "", OLD, None), ("alice", "", A1, None)],
    ),
    "Moodle's folders": (
        {
            "Ada Lovelace_101_assignsubmission_file/my work/final.ipynb": A1,
            "Ada Lovelace_101_assignsubmission_onlinetext/onlinetext.html": b"<p>hello</p>",
            "Ada Lovelace_102_assignsubmission_file_/a1.ipynb": OLD,
            "Bo Li_103_assignsubmission_onlinetext_/onlinetext.html": b"<p>hello</p>",
            "Default group_assignsubmission_file/a1_9_assignsubmission_file_.ipynb": A2,
            ". Smith_104_assignsubmission_file/work.zip": pack({"work/a1.ipynb": A1}),
        },
        [
            (". Smith", "104", A1, None),
            ("Ada Lovelace", "101", A1, None),
            ("Ada Lovelace", "102", OLD, None),
            ("Bo Li", "103", b"", NOTHING + "onlinetext.html"),
            ("Default group", "", A2, None),
        ],
    ),
    "Moodle's files": (
        {
            "Ada Lovelace_101_assignsubmission_file_a1_maxent.ipynb": A1,
            "Ada Lovelace_101_assignsubmission_onlinetext_onlinetext.html": b"<p>hello</p>",
            "Bo Li_103_assignsubmission_file_Ada Lovelace_101_assignsubmission_file_x.ipynb": OLD,
            "Participant_7_assignsubmission_file_hw.zip": pack({"hw/a1.ipynb": A2}),
        },
        [("Ada Lovelace", "101", A1, None), ("Bo Li", "103", OLD, None), ("Participant", "7", A2, None)],
    ),
    "Canvas": (
        {
            "lovelaceada_11_98_z-3.ipynb": OLD,
            "lovelaceada_11_501_a1_maxent-2.ipynb": OLD,
            "lovelaceada_LATE_11_777_a1_maxent-1.ipynb": A1,
            "libo_12_502_12_1_a1.ipynb": OLD,
            "anon_x1y2z_503_a1.ipynb": A2,
            "LATE_anon_99999_504_a1.ipynb": A1,
            "rossbob_13_505_a1.zip": pack({"a1.ipynb": A1}),
            "textonly_14_text.html": b"<p>hello</p>",
        },
        [
            ("anon_99999", "99999", A1, None),
            ("anon_x1y2z", "x1y2z", A2, None),
            ("libo", "12", OLD, None),
            ("lovelaceada", "11", A1, None),
            ("rossbob", "13", A1, None),
            ("textonly", "14", b"", NOTHING + "textonly_14_text.html"),
        ],
    ),
    "a zip a student": (
        {"alice.zip": pack({"a1.ipynb": A1}), "bob/all.zip": pack({"x/y/a1.ipynb": OLD, "notes.txt": b"x"})},
        [("alice", "", A1, None), ("bob", "", OLD, None)],
    ),
}


@pytest.mark.parametrize("form", ["folder", "zip", "folder in a zip", "link to a folder", "Windows zip"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout, form):
    tree, expected = LAYOUTS[layout]
    path = tmp_path / "term"
    if form == "zip":
        path = tmp_path / "term (1).zip"
        path.write_bytes(pack(tree))
    elif form == "folder in a zip":
        path = tmp_path / "term (1).zip"
        path.write_bytes(pack({f"term/{name}": content for name, content in tree.items()}))
    elif form == "Windows zip":
        path = tmp_path / "term.zip"
        path.write_bytes(pack({name.replace("/", "\\"): c for name, c in tree.items() if c is not None}))
        expected = [row for row in expected if row[3] != NOTHING + "the folder is empty"]
    else:
        put(tmp_path / "term", tree)
        if form == "link to a folder":
            path = tmp_path / "link"
            path.symlink_to("term")
    assert short(collect(path, "a1")) == expected


def test_one_notebook(tmp_path):
    put(tmp_path, {"alice.ipynb": A1, "Bo Li_103_assignsubmission_file_x.ipynb": OLD})
    (tmp_path / "link.ipynb").symlink_to("alice.ipynb")
    os.utime(tmp_path / "alice.ipynb", (1e9, 1e9))
    (one,) = collect(tmp_path / "alice.ipynb")
    assert (one.student, one.id, one.file, one.notebook, one.submitted) == ("alice", "", "alice.ipynb", A1, 1e9)
    assert short(collect(tmp_path / "Bo Li_103_assignsubmission_file_x.ipynb")) == [("Bo Li", "103", OLD, None)]
    assert short(collect(tmp_path / "link.ipynb")) == [("link", "", A1, None)]


def test_a_download_inside_another_folder(tmp_path):
    """It is not taken for one student, and a student cannot have a folder taken for a download of somebody else's."""
    moodle, expected = LAYOUTS["Moodle's files"]
    put(tmp_path / "all", {f"CS101-a1-77/{name}": content for name, content in moodle.items()})
    with pytest.raises(BadInput, match="all is in its folder CS101-a1-77"):
        collect(tmp_path / "all")
    assert short(collect(tmp_path / "all" / "CS101-a1-77")) == expected
    put(tmp_path / "submitted", {"alice/Bo Li_103_assignsubmission_file_x.ipynb": A1})
    assert short(collect(tmp_path / "submitted")) == [("alice", "", A1, None)]


def test_numbers_that_are_no_users(tmp_path):
    """Dates are not Canvas's numbers, and a name made to look like another user's number earns that user nothing."""
    put(tmp_path / "dates", {"maria_2026_11_a1.ipynb": A1, "jose_2026_11_a1.ipynb": OLD})
    expected = [("jose_2026_11_a1", "", OLD, None), ("maria_2026_11_a1", "", A1, None)]
    assert short(collect(tmp_path / "dates")) == expected
    put(tmp_path / "names", {"mallory_12_66_501_a1.ipynb": A1, "bob_12_502_a1.ipynb": OLD, "eve_13_503_a1.ipynb": A1})
    assert [(s.student, s.id) for s in collect(tmp_path / "names")] == [
        ("bob_12_502_a1", ""),
        ("eve", "13"),
        ("mallory_12_66_501_a1", ""),
    ]


def test_a_mac_writes_utf8_without_saying_so(tmp_path):
    made = pack({"José/a1.ipynb": A1, "李明.ipynb": OLD})
    flags = {"José/a1.ipynb".encode(), "李明.ipynb".encode()}
    for name in flags:  # bit 11 of the flags, in the local and in the central header
        for signature, at, length in ((b"PK\3\4", 6, 30), (b"PK\1\2", 8, 46)):
            start = next(
                i for i in range(len(made)) if made[i : i + 4] == signature and made[i + length :].startswith(name)
            )
            made = made[: start + at] + b"\0\0" + made[start + at + 2 :]
    (tmp_path / "x.zip").write_bytes(made)
    assert short(collect(tmp_path / "x.zip")) == [("José", "", A1, None), ("李明", "", OLD, None)]


def test_the_newest_of_several(tmp_path):
    names = ["a1.ipynb", "a1 (2).ipynb", "a1 (10).ipynb", "b.ipynb"]
    put(tmp_path, {f"alice/{name}": notebook("a1.q1", text=name) for name in names})
    for newest in names:
        for name in names:
            os.utime(tmp_path / "alice" / name, (1000 + (name == newest),) * 2)
        (one,) = collect(tmp_path)
        assert (one.file, one.submitted) == (f"alice/{newest}", 1001)
    for name in names:
        os.utime(tmp_path / "alice" / name, (1000, 1000))
    assert collect(tmp_path)[0].file == "alice/a1 (10).ipynb"  # then the counter


def test_a_notebook_with_answers_is_preferred(tmp_path):
    broken = b"{"
    put(tmp_path, {"alice/1.ipynb": A1, "alice/2.ipynb": A2, "alice/3.ipynb": OTHER, "alice/4.ipynb": broken})
    for time_, name in enumerate("1234"):
        os.utime(tmp_path / f"alice/{name}.ipynb", (time_, time_))
    assert collect(tmp_path, "a1")[0].notebook == A1
    assert collect(tmp_path, "a3")[0].notebook == A2
    (tmp_path / "alice/1.ipynb").unlink()
    (tmp_path / "alice/2.ipynb").unlink()
    assert collect(tmp_path, "a1")[0].notebook == OTHER
    (tmp_path / "alice/3.ipynb").unlink()
    assert collect(tmp_path, "a1")[0].notebook == broken


def test_times(tmp_path):
    """A plain zip's times count, a platform's and those in a student's own zip do not."""
    noon = time.mktime((2026, 3, 1, 12, 0, 0, 0, 0, -1))
    inner = pack({"a1.ipynb": A1}, when=(2020, 1, 1, 0, 0, 0))
    path = tmp_path / "x.zip"
    path.write_bytes(pack({"alice.ipynb": A1, "bob.zip": inner, "Cy_1_assignsubmission_file/a1.ipynb": A1}))
    assert {s.student: s.submitted for s in collect(path)} == {"alice": noon, "bob": noon, "Cy": None}
    path.write_bytes(pack({"alice.ipynb": A1}, when=(1980, 1, 1, 0, 0, 0)))  # no clock
    assert collect(path)[0].submitted is None
    path.write_bytes(pack({"alice.ipynb": A1}, when=(2026, 0, 31, 25, 61, 0)))
    assert collect(path)[0].submitted is None


def test_the_order_does_not_depend_on_the_disk(tmp_path):
    names = [f"{c}{i}" for c in "abAB" for i in range(20)]
    for run in "12":
        random.shuffle(names)
        put(tmp_path / run, {f"{name}.ipynb": A1 for name in names} | {f"zoe/{name}.py": b"x" for name in names})
    first, second = (collect(tmp_path / run) for run in "12")
    assert short(first) == short(second)
    assert [s.student for s in first] == [*sorted(names, key=lambda name: (name.lower(), name)), "zoe"]
    assert first[-1].problem == NOTHING + "A0.py, A1.py, A10.py, A11.py, A12.py, and 75 more"


# ---------------------------------------------------------------- hostile files


def test_links_are_not_followed(tmp_path):
    put(tmp_path / "secret", {"key.ipynb": notebook(text="secret = 42"), "alice/a1.ipynb": OLD})
    inside = put(tmp_path / "in", {"carol/b.txt": b"x", "dave/a1.ipynb": A1})
    (inside / "alice").symlink_to(tmp_path / "secret" / "alice")
    (inside / "bob.ipynb").symlink_to(tmp_path / "secret" / "key.ipynb")
    (inside / "carol" / "a1.ipynb").symlink_to("../../secret/key.ipynb")
    (inside / "dave" / "a2.ipynb").symlink_to("/dev/zero")
    (inside / "eve").symlink_to(inside)
    assert short(collect(inside)) == [
        ("alice", "", b"", "alice: a symbolic link"),
        ("bob", "", b"", "bob.ipynb: a symbolic link"),
        ("carol", "", b"", "a1.ipynb: a symbolic link"),
        ("dave", "", A1, None),
        ("eve", "", b"", "eve: a symbolic link"),
    ]


def test_links_and_devices_in_a_zip(tmp_path):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, kind in (("alice.ipynb", stat.S_IFLNK), ("bob.ipynb", stat.S_IFIFO), ("carol.ipynb", stat.S_IFREG)):
            info = zipfile.ZipInfo(name)
            info.external_attr = (kind | 0o644) << 16
            archive.writestr(info, A1)
    (tmp_path / "x.zip").write_bytes(made.getvalue())
    assert [s.problem for s in collect(tmp_path / "x.zip")] == [
        "alice.ipynb: a symbolic link",
        "bob.ipynb: not an ordinary file",
        None,
    ]


def test_fifos_and_sockets_do_not_hang(tmp_path, monkeypatch):
    put(tmp_path / "in", {"alice.ipynb": A1})
    os.mkfifo(tmp_path / "in" / "bob.ipynb")
    monkeypatch.chdir(tmp_path / "in")  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("carol.ipynb")
        assert [s.problem for s in collect(tmp_path / "in")] == [
            None,
            "bob.ipynb: not an ordinary file",
            "carol.ipynb: not an ordinary file",
        ]
    with pytest.raises(BadInput, match="neither a folder nor a file"):
        collect(tmp_path / "in" / "bob.ipynb")


@pytest.mark.parametrize("exchange", ["fifo", "link", "gone"])
def test_a_file_that_is_exchanged_after_it_was_listed(tmp_path, exchange, monkeypatch):
    put(tmp_path, {"in/alice.ipynb": A1, "secret.ipynb": OLD})
    path, look = tmp_path / "in" / "alice.ipynb", door._look

    def look_and_exchange(*args):
        found = look(*args)
        path.unlink()
        if exchange == "fifo":
            os.mkfifo(path)
        elif exchange == "link":
            path.symlink_to("../secret.ipynb")
        return found

    monkeypatch.setattr(door, "_look", look_and_exchange)
    reason = {"fifo": "not an ordinary file", "link": "a symbolic link"}.get(exchange, "it cannot be read")
    assert reason in door.collect(tmp_path / "in")[0].problem


def test_what_cannot_be_read(tmp_path, monkeypatch):
    put(tmp_path, {"alice.ipynb": A1, "bob/a1.ipynb": A1, "carol/a1.ipynb": OLD})
    monkeypatch.chdir(tmp_path)  # as somebody else we could not come here
    tmp_path.chmod(0o755)
    (tmp_path / "alice.ipynb").chmod(0)
    (tmp_path / "bob").chmod(0)
    root = os.geteuid() == 0
    if root:  # who may read everything
        os.seteuid(65534)
    try:
        found = door.collect(Path("."))
        (tmp_path / "carol").resolve()
    finally:
        if root:
            os.seteuid(0)
        (tmp_path / "bob").chmod(0o755)
    assert short(found) == [
        ("alice", "", b"", "alice.ipynb: it cannot be read (Permission denied)"),
        ("bob", "", b"", "bob: it cannot be read (Permission denied)"),
        ("carol", "", OLD, None),
    ]


def test_too_large_and_empty(tmp_path):
    put(tmp_path / "in", {"alice.ipynb": b"", "bob.ipynb": b"", "carol/a.zip": b"", "dave.ipynb": b" " * 10 * MB})
    os.truncate(tmp_path / "in" / "bob.ipynb", 10**12)  # sparse
    os.truncate(tmp_path / "in" / "carol" / "a.zip", 10**10)
    tracemalloc.start()
    found = collect(tmp_path / "in")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [s.problem for s in found] == [
        "alice.ipynb: the file is empty",
        "bob.ipynb: the file has 1000000.0 MB; at most 10 MB are read",
        "a.zip: the file has 10000.0 MB; at most 50 MB are read",
        None,
    ]
    assert peak < 40 * MB


def test_deep_folders(tmp_path):
    put(tmp_path, {"alice/" + "d/" * 30 + "a1.ipynb": A1, "bob/" + "d/" * 5 + "a1.ipynb": A1})
    assert [s.problem for s in collect(tmp_path)] == [
        "/".join("d" * 20) + ": more than 20 folders in one another",
        None,
    ]


def test_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(door, "FILES", 20)
    put(tmp_path, {f"alice/{i}.txt": b"x" for i in range(25)} | {"alice/a.ipynb": A1, "bob/a.ipynb": OLD})
    put(tmp_path, {f"carol/{i}/{i}.txt": b"x" for i in range(25)})
    assert short(collect(tmp_path)) == [
        ("alice", "", b"", "more than 20 files"),
        ("bob", "", OLD, None),
        ("carol", "", b"", "more than 20 files"),
    ]
    (tmp_path / "x.zip").write_bytes(pack({f"alice/{i}.txt": b"x" for i in range(25)} | {"bob/a.ipynb": A1}))
    assert [s.problem for s in collect(tmp_path / "x.zip")] == ["more than 20 files", None]


# ---------------------------------------------------------------- hostile zips

SLIPS = ["../../evil.ipynb", "/etc/evil.ipynb", "..\\..\\evil.ipynb", "C:\\evil.ipynb", "c:/evil.ipynb", "\\evil.ipynb"]
SLIPS += ["bob/../../evil.ipynb", "../bob/a1.ipynb", "../Bo_12_assignsubmission_file_a1.ipynb", "bob/../carol/a1.ipynb"]


@pytest.mark.parametrize("slip", SLIPS)
def test_a_name_that_leads_out_of_the_zip(tmp_path, slip):
    """It is nobody's notebook, and nothing is written: see collect()."""
    (tmp_path / "x").mkdir()
    path = tmp_path / "x" / "x.zip"
    path.write_bytes(pack({slip: OLD, "bob/a1.ipynb": A1}))
    bob, odd = sorted(collect(path), key=lambda s: s.student != "bob")
    assert (bob.notebook, bob.id, odd.notebook, odd.id) == (A1, "", b"", "")
    assert odd.problem.endswith("its name in the zip is a path out of it")
    path.write_bytes(pack({"bob.zip": pack({slip: OLD}), "carol.zip": pack({slip: OLD, "a1.ipynb": A1})}))
    bob, carol = collect(path)
    assert bob.problem.endswith("its name in the zip is a path out of it")
    assert carol.notebook == A1
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


def change(made, name, at, form, *values):
    """Overwrite a field of an entry's headers, given by its places in the local and in the central one."""
    made = bytearray(made)
    for signature, length, place in ((b"PK\3\4", 30, at[0]), (b"PK\1\2", 46, at[1])):
        start = next(
            i
            for i in range(len(made))
            if made[i : i + 4] == signature and made[i + length : i + length + len(name)] == name.encode()
        )
        struct.pack_into(form, made, start + place, *values)
    return bytes(made)


FLAGS, SIZE = (6, 8), (22, 24)


def test_bombs(tmp_path):
    """Whatever sizes a zip declares, no more than a notebook is unpacked of an entry."""
    bomb = pack({"a1.ipynb": b" " * 300 * MB})
    liar = change(pack({"a1.ipynb": b" " * 300 * MB}), "a1.ipynb", SIZE, "<I", 1000)
    huge = change(pack({"a1.ipynb": A1}), "a1.ipynb", SIZE, "<I", 2**32 - 2)
    tree = {"alice.zip": bomb, "bob.zip": liar, "carol.zip": huge, "dave.ipynb": A1}
    put(tmp_path / "in", tree)
    (tmp_path / "in.zip").write_bytes(pack(tree))
    for path in (tmp_path / "in", tmp_path / "in.zip"):
        tracemalloc.start()
        start = time.process_time()
        found = collect(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert short(found) == [
            ("alice", "", b"", "a1.ipynb: the file has 300.0 MB; at most 10 MB are read"),
            ("bob", "", b"", "a1.ipynb: it is broken in the zip"),
            ("carol", "", b"", "a1.ipynb: the file has 4295.0 MB; at most 10 MB are read"),
            ("dave", "", A1, None),
        ]
        assert peak < 10 * MB
        assert time.process_time() - start < 5


def overlapping(count, size):
    """A zip whose central directory names one entry many times."""
    made = pack({"a1.ipynb": b" " * size})
    start, end = made.index(b"PK\1\2"), made.index(b"PK\5\6")
    central = made[start:end] * count
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count % 2**16, count % 2**16, len(central), start, 0)
    return made[:start] + central + tail


def test_overlapping_entries(tmp_path):
    """Small zips that unpack without end: many entries share the same bytes."""
    put(tmp_path, {"alice.zip": overlapping(5000, 9 * MB), "bob.zip": overlapping(60_000, 100)})
    start = time.process_time()
    assert [s.problem for s in collect(tmp_path)] == [
        "more than 100 MB in several files",
        "bob.zip: more than 10000 files in a zip",
    ]
    assert time.process_time() - start < 5


def test_a_zip_in_a_zip_in_a_zip(tmp_path):
    put(tmp_path, {"alice.zip": pack({"inner.zip": pack({"a1.ipynb": A1})})})
    assert collect(tmp_path)[0].problem == NOTHING + "alice.zip, inner.zip"
    (tmp_path / "x.zip").write_bytes(pack({"alice.zip": pack({"inner.zip": pack({"a1.ipynb": A1})})}))
    assert collect(tmp_path / "x.zip")[0].problem == NOTHING + "alice.zip, inner.zip"


def test_encrypted_broken_and_odd_zips(tmp_path):
    good = pack({"a1.ipynb": A1})
    data = good.index(b"a1.ipynb") + len("a1.ipynb")
    trees = {
        "encrypted.zip": change(good, "a1.ipynb", FLAGS, "<H", 1),
        "flipped.zip": good[: data + 30] + bytes([good[data + 30] ^ 255]) + good[data + 31 :],
        "lzma.zip": pack({"a1.ipynb": A1}, zipfile.ZIP_LZMA),
        "noise.zip": b"PK\3\4" + bytes(range(256)),
        "short.zip": good[:-30],
    }
    expected = {
        "encrypted": "a1.ipynb: it is encrypted",
        "flipped": "a1.ipynb: it is broken in the zip",
        "lzma": "a1.ipynb: it is packed in a way that is not read; expected an ordinary zip",
        "noise": "it is not a zip, or a broken one",
        "short": "it is not a zip, or a broken one",
    }
    assert all(s.problem.endswith(expected[s.student]) for s in collect(put(tmp_path / "in", trees)))
    for name in ("encrypted.zip", "flipped.zip", "lzma.zip"):  # the same as the download itself
        (one,) = collect(tmp_path / "in" / name)
        assert (one.student, one.problem) == ("a1", expected[name[:-4]])


# ---------------------------------------------------------------- names

NAMES = [
    "two\nlines",
    "tab\tand \x1b[31mred",
    "\u202eevil\u202c",
    "zero\u200bwidth",
    "=HYPERLINK(A1)",
    "+1",
    "@SUM(1)",
    "-2",
    "<script>alert(1)</script>",
    "back\\slash",
    "..",
    "علی‌رضا",
    "山田　太郎",
    "x" * 240,
    "x" * 239 + "y",
    "'; DROP TABLE records; --",
    "a\u2028b",
    "\U000e0041tag",
    "\ue000private",
]


def test_names(tmp_path):
    names = [name for name in NAMES if name != ".."]
    for name in names:
        put(tmp_path, {f"{name}/a1.ipynb": A1})
    for raw in (b"not utf-8 \xff\xfe", b"not utf-8 \xff\xfd", b"not utf-8 \\udcff\\udcfd"):
        folder = os.path.join(os.fsencode(tmp_path), raw)
        os.mkdir(folder)
        shutil.copy(tmp_path / "+1" / "a1.ipynb", os.path.join(os.fsdecode(folder), "a1.ipynb"))
    found = collect(tmp_path)
    assert len(found) == len(names) + 3 and all(s.notebook == A1 for s in found)
    students = {s.student for s in found}
    assert {"=HYPERLINK(A1)", "+1", "@SUM(1)", "-2", "علی‌رضا", "山田　太郎", "back\\\\slash"} <= students
    assert {"two\\nlines", "\\u202eevil\\u202c", "not utf-8 \\udcff\\udcfe", "a\\u2028b"} <= students
    for s in found:
        json.dumps([s.student, s.file], ensure_ascii=False).encode()


def test_names_in_a_zip(tmp_path):
    tree = {f"{name}/a1.ipynb": A1 for name in NAMES if name not in ("..", "back\\slash")}
    tree |= {"y" * 3000 + "/a1.ipynb": A1, "/".join(["z"] * 500) + ".ipynb": A1}
    (tmp_path / "x.zip").write_bytes(pack(tree))
    found = collect(tmp_path / "x.zip")
    assert len(found) == len(tree) and all(s.notebook == A1 for s in found)


def test_a_name_that_looks_like_a_cut_one(tmp_path):
    long = "x" * 200
    put(tmp_path, {f"{long}/a.ipynb": A1, f"{door.clean(long)}/a.ipynb": A1})
    assert len(collect(tmp_path)) == 2


@given(st.text(max_size=300), st.text(max_size=300))
def test_clean_keeps_names_apart(a, b):
    assert (door.clean(a) == door.clean(b)) == (a == b)
    assert all(c.isprintable() or c in "\u200c\u200d" or c.isspace() for c in door.clean(a))
    assert not set("\n\r\t\x0b\x0c\x1b\u2028\u2029\u202e\u2066") & set(door.clean(a))
    door.clean(a).encode()


# ---------------------------------------------------------------- bad input


def test_bad_input(tmp_path, monkeypatch):
    put(tmp_path, {"empty": None, "junk/.DS_Store": b"x", "junk/__MACOSX/a.ipynb": A1, "notes.txt": b"hello"})
    put(tmp_path, {"no.zip": b"hello", "nil.zip": b"", "hollow.zip": pack({}), "cut.zip": pack({"a.ipynb": A1})[:-40]})
    put(tmp_path, {"all.tar.gz": b"\x1f\x8b" + bytes(100)})
    for name in ("missing", "empty", "junk", "notes.txt", "no.zip", "nil.zip", "hollow.zip", "cut.zip", "all.tar.gz"):
        with pytest.raises(BadInput, match="expected .*" + name):
            collect(tmp_path / name)
    with pytest.raises(BadInput, match="expected "):
        collect(Path("a\0b"))
    put(tmp_path, {f"in/{i}.ipynb": b" " * MB for i in range(5)})
    assert len(collect(tmp_path / "in")) == 5
    monkeypatch.setattr(door, "TOTAL", 4 * MB)
    with pytest.raises(BadInput, match="expected at most 4 MB"):
        collect(tmp_path / "in")
    monkeypatch.setattr(door, "ENTRIES", 3)
    (tmp_path / "x.zip").write_bytes(pack({f"{i}.ipynb": A1 for i in range(4)}))
    with pytest.raises(BadInput, match="more than 3 files in a zip"):
        collect(tmp_path / "x.zip")


GOOD_ZIP = pack({"alice/a1.ipynb": A1, "bob.zip": pack({"a1.ipynb": OLD}), "Cy_1_assignsubmission_file_a1.ipynb": A2})


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD_ZIP) - 1), st.binary(max_size=8)), max_size=6))
def test_a_damaged_zip_is_read_or_refused(tmp_path_factory, damage):
    made = bytearray(GOOD_ZIP)
    for place, noise in damage:
        made[place : place + len(noise)] = noise
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(made)
    try:
        collect(path)
    except BadInput as error:
        assert "expected" in str(error)


# ---------------------------------------------------------------- the code of a notebook

BUILT = sorted((ROOT / "assignments").glob("*.ipynb"))


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.stem)
def test_built_notebooks(path):
    """Against nbformat, and against the course's list of questions."""
    from course_utils.checks import questions

    found = door.read_code(path.read_bytes())
    expected = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert [(cell.id, cell.source) for cell in found] == [(cell.id, cell.source) for cell in expected]
    number = path.stem.partition("_")[0]
    asked = [id for id in questions() if id.startswith(f"{number}.")]
    assert [cell.question for cell in found if cell.question] == asked
    assert [cell.id for cell in found if cell.question] == [id.replace(".", "-") for id in asked]
    assert all(len(door.functions(cell.source)) == 1 for cell in found if cell.question)


def test_older_formats():
    new = nbformat.read(BUILT[0], 4)
    sources = [cell.source for cell in new.cells if cell.cell_type == "code"]
    for version in (3, 4):
        old = nbformat.writes(nbformat.convert(new, version)).encode()
        assert [cell.source for cell in door.read_code(old)] == sources
    third = door.read_code(nbformat.writes(nbformat.convert(new, 3)).encode())
    assert {cell.id for cell in third} == {""}
    assert [cell.question for cell in third if cell.question] == ["a1.q1", "a1.q2", "a1.q3", "a1.q4"]


@pytest.mark.parametrize(
    ("cell", "question"),
    [
        ({"metadata": {"course": {"question": "a1.q2"}, "nbgrader": {"solution": True}}}, "a1.q2"),
        ({"metadata": {"course": {"question": "a1.q2"}, "nbgrader": {"grade_id": "a1-q2"}}}, "a1.q2"),
        ({"metadata": {"nbgrader": {"grade_id": "a1-q2"}}}, "a1.q2"),
        ({"id": "a1-q2"}, "a1.q2"),
        ({"id": "a1-q2", "metadata": {"nbgrader": 3, "course": []}}, "a1.q2"),
        ({"id": "a1-q2", "metadata": [1]}, "a1.q2"),
        (
            {
                "id": "a1-q2-check",
                "metadata": {
                    "course": {"question": "a1.q2"},
                    "nbgrader": {"solution": False, "grade_id": "a1-q2-check"},
                },
            },
            None,
        ),
        ({"metadata": {"course": {"question": "a1.q2"}}}, None),
        ({"metadata": {"course": {"question": "../a1.q2"}, "nbgrader": {"solution": True}}}, None),
        ({"metadata": {"course": {"question": "a1.q2\n"}, "nbgrader": {"solution": True}}}, None),
        ({"metadata": {"course": {"question": "a١.q٢"}, "nbgrader": {"solution": True}}}, None),
        ({"metadata": {"course": {"question": ["a1.q2"]}, "nbgrader": {"solution": "yes"}}}, None),
        ({"id": 7}, None),
        ({}, None),
    ],
)
def test_which_question_a_cell_answers(cell, question):
    made = json.dumps({"cells": [{"cell_type": "code", "source": "x = 1"} | cell]}).encode()
    (found,) = door.read_code(made)
    assert found.question == question


def test_cells_that_are_none():
    odd = [None, 3, "code", [], {}, {"cell_type": "markdown", "source": "x"}, {"cell_type": ["code"], "source": "x"}]
    odd += [{"cell_type": "code", "source": source} for source in (None, 3, {}, ["a", 1], [["a"]])]
    odd += [{"cell_type": "code"}, {"cell_type": "code", "source": ["a = 1\n", "b = 2"], "id": "x" * 65}]
    assert door.read_code(json.dumps({"cells": odd}).encode()) == [door.CodeCell("", None, "a = 1\nb = 2")]
    sheets = {"worksheets": [None, {"cells": 3}, {"cells": [{"cell_type": "code", "input": "c = 3"}]}]}
    assert door.read_code(json.dumps(sheets).encode()) == [door.CodeCell("", None, "c = 3")]


def test_text():
    plain = '{"cells": [{"cell_type": "code", "source": "π = \\"[[[{\\\\", "source": "π = 1 # \\ud800 é"}], "x": NaN}'
    for made in (plain.encode(), b"\xef\xbb\xbf" + plain.encode()):
        assert [cell.source for cell in door.read_code(made)] == ["π = 1 # ? é"]  # the last of two keys, as in Jupyter


def nested(levels):
    return b'{"cells": [], "metadata": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"\xff\xfe{\0}\0", "it is not UTF-8 text"),
        ("{}".encode("utf-16"), "it is not UTF-8 text"),
        (b'{"cells": [\n\n', r"it is not valid JSON \(line 3\)"),
        (b"print('hello')", r"it is not valid JSON \(line 1\)"),
        (b"[]", "it is JSON, but not a notebook"),
        (b"3", "it is JSON, but not a notebook"),
        (b"{}", "it is JSON, but it has no list of cells"),
        (b'{"cells": {}}', "it is JSON, but it has no list of cells"),
        (b'{"cells": null, "worksheets": []}', "it is JSON, but it has no list of cells"),
        (b'{"cells": [' + b"{}," * 2000 + b"{}]}", "it has 2001 cells; at most 2000 are read"),
        (b'{"cells": [], "x": ' + b"9" * 5000 + b"}", "it has a number with too many digits"),
        (nested(201), "its JSON is nested more than 200 levels deep"),
        (b'{"a":' * 10**6, "its JSON is nested more than 200 levels deep"),
        (b'"\\\\"' + b"[" * 10**6, "its JSON is nested more than 200 levels deep"),
        (b" " * (10 * MB + 1), "the file has 10.0 MB; at most 10 MB are read"),
    ],
)
def test_malformed(made, reason):
    with pytest.raises(door.Malformed, match=f"^{reason}$"):
        door.read_code(made)


def test_depth_is_counted_outside_strings():
    assert door.read_code(nested(200)) == []
    text = json.dumps({"cells": [{"cell_type": "code", "source": '["{\\' * 1000}]}).encode()
    assert [cell.source for cell in door.read_code(text)] == ['["{\\' * 1000]


def test_little_room_on_the_stack():
    """Where Python's parser has less room than is allowed, deep JSON is refused as well. (From 3.12 on it has more.)"""
    frame, used = sys._getframe(), 0
    while frame:
        frame, used = frame.f_back, used + 1
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(used + 100)
    try:
        assert door.read_code(nested(180)) == [] and sys.version_info >= (3, 12)
    except door.Malformed as error:
        assert str(error) == "its JSON is nested too deep"
    finally:
        sys.setrecursionlimit(before)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.sampled_from('"\\[]{}a\n\ud800é')),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.sampled_from('"\\[]{}a')), inner, max_size=4)
    ),
    max_leaves=20,
)
CELL = st.dictionaries(
    st.sampled_from(["cell_type", "source", "input", "id", "metadata"]),
    st.just("code") | JSON | st.fixed_dictionaries({"course": JSON, "nbgrader": JSON | st.just({"solution": True})}),
)


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(JSON)
def test_depth_of_any_json(value):
    assert cells._depth(json.dumps(value).encode()) == depth(value)


@settings(deadline=1000)
@given(
    st.binary() | JSON.map(json.dumps).map(str.encode) | st.lists(CELL).map(lambda c: json.dumps({"cells": c}).encode())
)
def test_any_bytes_are_cells_or_malformed(made):
    try:
        found = door.read_code(made)
    except door.Malformed as error:
        assert str(error) and str(error).isprintable() and len(str(error)) < 100
        return
    for cell in found:
        assert isinstance(cell, door.CodeCell) and isinstance(cell.source, str) and isinstance(cell.id, str)
        cell.source.encode()
        assert cell.question is None or cell.question.isascii()
        assert all(name.isidentifier() for name in door.functions(cell.source))


def test_speed():
    """About a millisecond for a notebook of the course, seconds for the worst that fits into the limit."""
    made, times = BUILT[0].read_bytes(), []
    for _ in range(20):
        start = time.process_time()
        door.read_code(made)
        times.append(time.process_time() - start)
    assert min(times) < 0.002
    most = cells.NOTEBOOK
    for worst in (b'"' * most, b"[" * most, b"[" + b"[]," * (most // 3 - 1) + b"0]"):
        start = time.process_time()
        with pytest.raises(door.Malformed):
            door.read_code(worst)
        assert time.process_time() - start < 5
    for worst in ("a" * most, "a" + " " * most, "a:" * (most // 2), "def f(\n" * (most // 7), "\n" * most):
        start = time.process_time()
        door.functions(worst)
        assert time.process_time() - start < 5


def test_functions():
    source = """
%matplotlib inline
def plain(x): return x
async  def later(x):
    def inner(): pass
class Agent:
    def method(self): pass
short = lambda x: x
typed: int = 3
a == b
!ls
def generic[T](x: T): ...
π_θ = 2
else: x = 1
    indented = 3
@decorated
def ﬁne(): pass
def (broken
"""
    assert door.functions(source) == {"plain", "later", "short", "typed", "generic", "π_θ", "fine"}
    assert door.functions("def windows():\r\n    return 1\r\nsecond = 2\r\n") == {"windows", "second"}
