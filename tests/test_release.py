"""The student's zip: what is in it, that nothing of the instructor's is, and that a student can work with it."""

import ast
import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
from helpers import ROOT, code_cells

from course_utils import cli
from course_utils.checks import questions
from instructor import release

SLUGS = sorted(path.name for path in (ROOT / "authoring/assignments").glob("a*"))
A1 = "assignments/a1_maxent.ipynb"


def unpack(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The zip of this course."""
    _, data, _ = release.release(ROOT, tmp_path_factory.mktemp("zip") / "course.zip")
    return data


@pytest.fixture(scope="module")
def files(data):
    """Its files, without the folder in which they all lie."""
    found = unpack(data)
    assert all(name.startswith("irl-course/") for name in found)
    return {name.removeprefix("irl-course/"): content for name, content in found.items()}


# ---- what is in it


def test_a_student_gets_what_a_student_needs_and_nothing_else(files):
    parts = {name.partition("/")[0] for name in files}
    assert parts == {*"assignments course_utils data experiments notebooks README.md Makefile".split()} | {
        *"environment.yml pyproject.toml requirements.lock".split()
    }
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(files) <= set(tracked.split("\0"))
    for folder in ("notebooks", "assignments", "course_utils/checks", "data", "experiments/results"):
        here = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert here & set(tracked.split("\0")) == {name for name in files if name.startswith(f"{folder}/")} != set()
    assert all(files[name] == (ROOT / name).read_bytes() for name in files if name != "README.md")
    assert b"make lab" in files["README.md"] and b"make test" not in files["README.md"]


def test_the_bytes_depend_on_the_files_alone(data, tmp_path):
    again = release.release(ROOT, tmp_path / "new" / "again.zip")[1]
    assert again == data == (tmp_path / "new" / "again.zip").read_bytes()
    assert os.listdir(tmp_path / "new") == ["again.zip"]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist() == sorted(archive.namelist())


# ---- the proof, once more, by other means: syntax trees instead of text


def statements(source: str, several: bool):
    """Pieces of Python that tell whose they are, as text without layout: large statements, or three small ones."""
    try:
        bodies = [n.body for n in ast.walk(ast.parse(source)) if isinstance(getattr(n, "body", None), list)]
    except (SyntaxError, ValueError):
        return
    for body in bodies:
        dumps = [ast.dump(node) for node in body if not isinstance(node, (ast.Import, ast.ImportFrom))]
        if several:
            yield from map("\n".join, zip(dumps, dumps[1:], dumps[2:], strict=False))
        else:
            yield from (dump for dump in dumps if dump.count("Name(") + dump.count("Constant(") >= 8)


def public_statements(files, several: bool) -> dict[str, str]:
    found = {}
    for name, content in files.items():
        sources = [content.decode()] if name.endswith(".py") else []
        if name.endswith(".ipynb"):
            sources = [cell.source for cell in nbformat.reads(content.decode(), as_version=4).cells]
        found |= {dump: name for source in sources for dump in statements(source, several)}
    return found


@pytest.mark.parametrize("several", [False, True])
def test_no_statement_of_a_solution_and_no_three_of_a_hidden_test_or_wrong_answer_are_in_it(files, several):
    public, compared = public_statements(files, several), 0
    assert len(public) > 1000
    for slug in SLUGS:
        private = [source for source, question in code_cells(slug) if question]
        if several:
            folder = ROOT / "authoring/assignments" / slug
            private += [(folder / f"{name}.py").read_text() for name in ("hidden_tests", "wrong_answers")]
        for dump in (dump for source in private for dump in statements(source, several)):
            compared += 1
            assert dump not in public, (slug, public[dump], dump)
    assert compared > (500 if several else 30)


def test_every_answer_is_blank_and_no_notebook_has_outputs_or_attachments(files):
    asked = set()
    for name in (name for name in files if name.endswith(".ipynb")):
        notebook = json.loads(files[name])
        assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
        for cell in notebook["cells"]:
            assert not cell.get("outputs") and not cell.get("attachments") and not cell.get("execution_count")
            if cell["metadata"].get("nbgrader", {}).get("solution"):
                functions = [f for f in ast.parse("".join(cell["source"])).body if isinstance(f, ast.FunctionDef)]
                raising = [f for f in functions if isinstance(f.body[-1], ast.Raise)]
                question = cell["metadata"]["course"]["question"]
                assert raising and {ast.unparse(f.body[-1]) for f in raising} == {
                    f"raise NotImplementedError('{question}')"
                }
                asked.add(question)
    assert asked == {id for id, question in questions().items() if question.points}


def test_no_file_is_the_instructors_by_name_or_content(files):
    private = [*(ROOT / "authoring/assignments").rglob("*.py"), *(ROOT / "solutions").glob("*.ipynb")]
    assert not {hashlib.sha256(path.read_bytes()).digest() for path in private} & {
        hashlib.sha256(content).digest() for content in files.values()
    }
    words = ("hidden_tests", "wrong_answers", "authoring/", "solutions/", "instructor/", "tests/")
    assert not [name for name in files if any(word in name for word in words)]
    assert not [name for name, content in files.items() if b"BEGIN SOLUTION" in content]


# ---- sabotage: what is planted is found, and the file is named

LINES = dict(code_cells("a1_maxent"))
SOLUTION = next(source for source, question in LINES.items() if question == "a1.q2")
BODY = SOLUTION.split("### BEGIN SOLUTION\n")[1].split("    ### END SOLUTION")[0]
WRONG = (ROOT / "authoring/assignments/a1_maxent/wrong_answers.py").read_text()


def in_notebook(change):
    def plant(files, name=A1):
        notebook = json.loads(files[name])
        change(notebook, next(cell for cell in notebook["cells"] if cell["cell_type"] == "code"))
        return {name: json.dumps(notebook).encode()}

    return plant


def output(notebook, cell):
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": BODY.splitlines(keepends=True)}]


def picture(notebook, cell):
    encoded = base64.b64encode(BODY.encode()).decode()
    cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": {"image/png": encoded}}]


def attachment(notebook, cell):
    notebook["cells"][0]["attachments"] = {"a.txt": {"text/plain": base64.b64encode(BODY.encode()).decode()}}


def answered(notebook, cell):
    cell = next(c for c in notebook["cells"] if c.get("id") == "a1-q2")
    cell["source"] = "".join(cell["source"]).replace('raise NotImplementedError("a1.q2")', "return r, r")


def array(files):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, notes=np.array([BODY]))
    return {"data/experts/CartPole-v1.npz": buffer.getvalue()}


def hidden_function():
    """A function of the hidden tests, laid out anew and with other comments."""
    text = (ROOT / "authoring/assignments/a1_maxent/hidden_tests.py").read_text()
    node = next(n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name == "log_Z")
    return "\n".join(
        line.replace("    ", "\t") + "  # mine" for line in ast.get_source_segment(text, node).splitlines()
    )


PLANTS = {
    "metadata": in_notebook(lambda notebook, cell: notebook["metadata"].update(draft=BODY)),
    "cell metadata": in_notebook(lambda notebook, cell: cell["metadata"].update(course={"draft": [[BODY]]})),
    "output": in_notebook(output),
    "picture": in_notebook(picture),
    "attachment": in_notebook(attachment),
    "answer": in_notebook(answered),
    "array": array,
    "one line": lambda files: {"data/notes.txt": BODY.splitlines()[0].encode()},
    "module": lambda files: {"course_utils/planning.py": files["course_utils/planning.py"] + SOLUTION.encode()},
    "commented out": lambda files: {"course_utils/irl.py": BODY.replace("    ", "    # ").encode()},
    "marker": lambda files: {"course_utils/mdp.py": b"    ### BEGIN SOLUTION\n"},
    "hidden": lambda files: {"experiments/kart.py": hidden_function().encode()},
    "wrong": lambda files: {"course_utils/checks/a1/q1.py": WRONG.encode()},
    "by name": lambda files: {"course_utils/hidden_tests.py": b""},
    "by content": lambda files: {"data/x": (ROOT / "solutions/a1_maxent.ipynb").read_bytes()},
    "unknown": lambda files: {"assignments/mine.ipynb": files[A1]},
}


@pytest.mark.parametrize("where", PLANTS)
def test_what_is_planted_is_found_and_named(files, where):
    planted = PLANTS[where](files)
    (name,) = planted
    found = release.prove(release.pack(planted), ROOT)
    assert found and all(text.startswith(f"{name}: ") for text in found), found


def test_a_leak_makes_no_zip(tmp_path, monkeypatch, files):
    monkeypatch.setattr(release, "README", "solutions/a1_maxent.ipynb")
    (tmp_path / "course.zip").write_text("the old one")
    with pytest.raises(release.ReleaseError, match="README.md: the same as solutions/a1_maxent.ipynb"):
        release.release(ROOT, tmp_path / "course.zip")
    assert os.listdir(tmp_path) == ["course.zip"] and (tmp_path / "course.zip").read_text() == "the old one"


def test_lines_that_anybody_writes_give_nothing_away():
    needles = release.private_code(ROOT)
    common = "for t in reversed(range(H)):\nV = np.zeros(S)\nreturn V, π\nimport numpy as np\n"
    assert not [needle for needle in needles if needle in release.squeeze(common)]
    for slug in SLUGS:  # yet each solution is told by at least one of its lines
        assert f"a solution of {slug}" in needles.values()
        assert any(what.endswith(f"{slug}/hidden_tests.py") for what in needles.values())
        assert any(what.endswith(f"{slug}/wrong_answers.py") for what in needles.values())


# ---- the instructor's side of it


@pytest.fixture
def course(tmp_path):
    """A small copy of the course in a git of its own: (folder, git)."""
    folder = tmp_path / "course"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("data/", "tests/", "benchmarks/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    shutil.copyfile(ROOT / release.README, folder / release.README)

    def git(*command):
        own = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *own, *command], cwd=folder, capture_output=True, check=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "course")
    return folder, git


def run(folder, monkeypatch, *options) -> int:
    monkeypatch.chdir(folder)
    return cli.main(["release", *options])


def test_the_command(course, monkeypatch, capsys):
    folder, _ = course
    (folder / "assignments" / ".ipynb_checkpoints").mkdir()
    (folder / "assignments" / ".ipynb_checkpoints" / "mine.txt").write_text("private")
    (folder / "experiments" / "mine.csv").write_text("private")
    with open(folder / "course_utils" / "planning.py", "a") as file:
        file.write("# changed\n")
    assert run(folder, monkeypatch, "--assignments", "a1") == 0
    said = capsys.readouterr().out
    assert "not committed as it is in the zip: course_utils/planning.py\n" in said
    assert "left out, git does not track it: experiments/mine.csv\n" in said
    data = (folder / "build/irl-course.zip").read_bytes()
    assert hashlib.sha256(data).hexdigest() in said and f"{len(data):,} bytes" in said
    names = {name.removeprefix("irl-course/") for name in unpack(data)}
    assert f"{len(names)} files" in said
    assert [name for name in names if name.startswith("assignments/")] == [A1]
    assert "experiments/mine.csv" not in names and "course_utils/checks/a2/q1.py" in names

    assert run(folder, monkeypatch, "--assignments", "a1", "a99") == 2
    assert "there is no assignment a99; there is a1, a2" in capsys.readouterr().err
    with open(folder / A1, "a") as file:
        file.write("\n")
    assert run(folder, monkeypatch, "--out", str(folder / "new.zip")) == 1
    assert f"{A1}: differs from its build" in capsys.readouterr().err and not (folder / "new.zip").exists()


def test_without_git_nothing_hidden_goes_along(course, monkeypatch, capsys):
    folder, _ = course
    with_git = [path for path in release.collect(folder)[0]]
    (folder / "course_utils" / "__pycache__").mkdir()
    (folder / "course_utils" / "__pycache__" / "x.pyc").write_text("cache")
    (folder / "notebooks" / ".mine").write_text("private")
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(release.ReleaseError, match="git is not there"):
        release.collect(folder)
    shutil.rmtree(folder / ".git")
    assert release.collect(folder) == (with_git, [])
    (folder / "data").mkdir()
    (folder / "data" / "link").symlink_to(folder / "solutions" / "a1_maxent.ipynb")
    with pytest.raises(release.ReleaseError, match="no symbolic links.*data/link"):
        release.collect(folder)


# ---- the student's side


@pytest.fixture(scope="module")
def copy(data, tmp_path_factory):
    """The unpacked zip with the environment that `make lab` would make: (folder, run a command there).

    It has its own .venv, which takes the pinned packages from this environment and has the copy's package installed
    over them, as the Makefile installs it.
    """
    folder = tmp_path_factory.mktemp("student")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)
    folder /= "irl-course"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    (site,) = (folder / ".venv").glob("lib/python*/site-packages")
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "pinned.pth").write_text(f"{here}\n")  # its packages; the .pth files in it are not followed
    python = folder / ".venv" / "bin" / "python"
    ours = ("COURSE_PROGRESS", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # `make test` runs this, too
    env = {key: value for key, value in os.environ.items() if key not in ours}
    env |= {"JUPYTER_CONFIG_DIR": f"{folder}.config", "IPYTHONDIR": f"{folder}.ipython"}
    env |= {"JUPYTER_DATA_DIR": f"{folder}.data", "JUPYTER_RUNTIME_DIR": f"{folder}.runtime"}

    def run(*command, **options):
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, **options)

    run.env = env
    wanted = "pip install --quiet --no-deps --no-build-isolation --editable .".split()
    run(python, "-m", *wanted, check=True)
    time.sleep(0.01)
    (folder / ".venv" / ".ready").touch()
    return folder, run


def test_the_package_is_the_copys(copy):
    folder, run = copy
    where = "import course_utils, numpy; print(course_utils.__file__)"
    assert run(folder / ".venv/bin/python", "-c", where, check=True).stdout.strip() == str(
        folder / "course_utils/__init__.py"
    )
    assert run(folder / ".venv/bin/python", "-c", "import instructor").returncode == 1


def test_make_offers_what_a_student_can_do(copy):
    folder, run = copy
    offered = {line.split()[1] for line in run("make", check=True).stdout.splitlines()}
    assert offered == {"help", "lab", "doctor", "clean"}
    refused = run("make", "test")
    assert refused.returncode == 2 and "No rule to make target 'test'" in refused.stderr
    listed = run(folder / ".venv/bin/course", "--help", check=True)
    assert "grade" not in listed.stdout and "release" not in listed.stdout and not listed.stderr
    assert "progress" in listed.stdout


def test_make_lab(copy):
    """JupyterLab comes up on the copy, and its kernels import the copy's package."""
    folder, run = copy
    with open(f"{folder}.log", "w") as log:
        options = "LAB_ARGS=--no-browser --allow-root --ip=127.0.0.1 --port=0 --IdentityProvider.token=secret"
        server = subprocess.Popen(["make", "lab", options], cwd=folder, env=run.env, stdout=log, stderr=log)
    try:
        found = []
        for _ in range(600):
            found = list(Path(f"{folder}.runtime").glob("jpserver-*.json"))
            if found or server.poll() is not None:
                break
            time.sleep(0.1)
        assert found, Path(f"{folder}.log").read_text()
        time.sleep(0.2)
        about = json.loads(found[0].read_text())
        assert about["root_dir"] == str(folder)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for page in ("api/contents/notebooks/00_start_here.ipynb?content=0", "lab/tree/notebooks/00_start_here.ipynb"):
            request = urllib.request.Request(about["url"] + page, headers={"Authorization": "token secret"})
            with direct.open(request, timeout=30) as reply:
                assert reply.status == 200 and reply.read()
    finally:
        if found:
            os.kill(json.loads(found[0].read_text())["pid"], 15)
        else:
            server.terminate()
        server.wait(30)


def test_a1_on_the_copy_blank_and_filled_in(copy):
    folder, run = copy
    course = folder / ".venv/bin/course"
    blank = run(course, "check", "a1")
    assert blank.returncode == 1 and blank.stdout.count("… not yet") == 4, blank.stdout + blank.stderr
    notebook = nbformat.read(folder / A1, as_version=4)
    for source, question in code_cells("a1_maxent"):
        if question:
            next(cell for cell in notebook.cells if cell.id == question.replace(".", "-")).source = source
    notebook.cells.append(
        nbformat.v4.new_code_cell(f"import course_utils\nassert {str(folder)!r} in course_utils.__file__")
    )
    nbformat.write(notebook, folder / A1)
    filled = run(course, "check", "a1")
    assert filled.returncode == 0 and filled.stdout.count("✓ passed") == 4, filled.stdout + filled.stderr
    assert "error" not in filled.stdout
    assert (folder / ".course/progress.jsonl").read_text().count('"passed"') == 4
