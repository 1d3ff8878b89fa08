"""Build `authoring/` into `notebooks/`, `assignments/` and `solutions/`.

A lecture `authoring/lectures/NN_slug.py` becomes `notebooks/NN_slug.ipynb`; an assignment
`authoring/assignments/aN_slug/notebook.py` becomes `assignments/aN_slug.ipynb` (with stubs) and
`solutions/aN_slug.ipynb`. The result is a function of the authored text, the shown functions and the question
registry, byte for byte. Cell ids come from the authored text of the cell alone, so that an inserted cell leaves the
others' ids as they were and both versions of an assignment share them.
"""

import ast
import difflib
import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import v4

from . import stub
from .shown import SHOW, expand, names_bound
from .source import CELL_LIMIT, BuildError, Cell, Problems, lint, non_blank, read_cells

BUILT = ("notebooks", "assignments", "solutions")
HEADER = re.compile(r"^@question(.*)$", re.MULTILINE)
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
DIFF_LINES, DIFF_WIDTH = 20, 160


@dataclass
class Part:
    """A cell on its way into the notebooks."""

    cell: Cell
    source: str  # for lectures and instructors
    student: str
    id: str | None = None  # None: derived from the cell's text
    metadata: dict = field(default_factory=dict)


def build(root, questions=None):
    """The text of every built notebook, by its path relative to `root`: dict[Path, str].

    `questions` maps an id to a Question (default: the course's registry). Raises BuildError with all the problems
    of all files.
    """
    root = Path(root)
    if questions is None:
        from course_utils import checks

        questions = checks.questions()
    lectures = [(path, path.stem) for path in sorted((root / "authoring/lectures").glob("*.py"))]
    assignments = sorted(path for path in (root / "authoring/assignments").glob("[!._]*") if path.is_dir())
    targets, problems, taken = {}, [], set()
    for path, name in lectures + [(folder / "notebook.py", folder.name) for folder in assignments]:
        lecture = (path, name) in lectures
        found = Problems(path.relative_to(root).as_posix())
        problems.append(found)
        number = name.partition("_")[0]
        if not re.fullmatch(r"\d\d_\w+" if lecture else r"a\d+_\w+", name):
            found.add(1, f"cannot build {name!r}, expected a name like {'01_slug' if lecture else 'a1_slug'}")
        elif number in taken:
            found.add(1, f"second source with number {number}, expected one")
        elif not path.is_file():
            found.add(1, "no such file, expected the assignment's notebook")
        else:
            cells = read(path, found)
            if lecture:
                parts, folders = lecture_parts(cells, questions, found), ("notebooks",)
            else:
                parts, folders = assignment_parts(cells, number, questions, found), ("assignments", "solutions")
            finish(parts, root, found)
            for folder in folders if not found else ():
                targets[Path(folder, f"{name}.ipynb")] = render(name, parts, folder == "assignments")
        taken.add(number)
    if any(problems):
        raise BuildError([problem for found in problems for problem in found])
    return targets


def read(path, problems):
    """The cells of a file that has a title."""
    cells = read_cells(path.read_text(encoding="utf-8"), problems)
    if cells and not (cells[0].kind == "markdown" and cells[0].source.startswith("# ")):
        problems.add(cells[0].line, "the notebook has no title, expected a first cell [markdown] with `# Title`")
    for cell in cells:
        lint(cell, problems)
    return cells


def lecture_parts(cells, questions, problems):
    for cell in cells:
        stub.find_blocks(cell, problems, allowed=False)
        if cell.question is not None:
            problems.add(cell.line, "question cell in a lecture, expected it only in assignments")
        for _, line in headers(cell):
            problems.add(line, "@question in a lecture, expected it only in assignments")
        check_calls(cell, questions, problems)
    return [Part(cell, cell.source, cell.source) for cell in cells]


def assignment_parts(cells, number, questions, problems):
    places = Places(number, questions, problems)
    parts = []
    for cell in cells:
        blocks = stub.find_blocks(cell, problems)
        called = check_calls(cell, questions, problems)
        part = Part(cell, cell.source, cell.source)
        if cell.question is not None:
            places.put("question cell", cell.question, cell.line)
            if cell.kind == "markdown" or called or any(map(SHOW.search, cell.lines)):
                text = "a question cell is markdown, calls check or shows, expected only the function to write"
                problems.add(cell.line, text)
            elif cell.tree and blocks is not None:
                stub.verify(cell, blocks, problems)
                part.source, part.student = stub.solution(cell, blocks), stub.stub(cell, blocks)
                part.id, part.metadata = grade_cell(cell.question)
        elif called:
            last = cell.tree.body[-1]
            if len(called) > 1 or not (isinstance(last, ast.Expr) and is_check(last.value)):
                text = "check(…) is not the cell's one last expression, expected it there so that its card is shown"
                problems.add(called[0][1], text)
            qid, line = called[-1]
            if qid in questions:
                places.put("check cell", qid, line)
                part.id, part.metadata = grade_cell(qid, points=questions[qid].points)
        for qid, line in headers(cell):
            places.put("@question line", qid, line)
        if cell.kind == "markdown":
            part.source = part.student = HEADER.sub(lambda m: question_header(questions, m), cell.source)
        parts.append(part)
    if not problems.cut:
        places.missing()
    return parts


class Places:
    """Where an assignment has the parts of each of its questions: exactly one of each kind."""

    def __init__(self, number, questions, problems):
        self.number, self.questions, self.problems = number, questions, problems
        self.lines = {"question cell": {}, "check cell": {}, "@question line": {}}

    def put(self, kind, qid, line):
        first = self.lines[kind].setdefault(qid, line)
        if qid not in self.questions:
            self.problems.add(line, unknown(qid, self.questions))
        elif not qid.startswith(f"{self.number}."):
            self.problems.add(line, f"{kind} of {qid} in assignment {self.number}, expected its own questions")
        elif first != line:
            self.problems.add(line, f"second {kind} of {qid}, expected one (the first is at line {first})")

    def missing(self):
        for qid in self.questions:
            if qid.startswith(f"{self.number}."):
                line = next((lines[qid] for lines in self.lines.values() if qid in lines), 1)
                for kind in (kind for kind, lines in self.lines.items() if qid not in lines):
                    self.problems.add(line, f"question {qid} has no {kind}, expected one in this file")


def unknown(qid, questions):
    return f"unknown question {qid!r}, expected one of {', '.join(questions) or 'an empty registry'}"


def is_check(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check"


def check_calls(cell, questions, problems):
    """(question id, file line) of the `check("a1.q2", …)` calls in a cell; the id is None if it is not a literal."""
    called = []
    for call in filter(is_check, ast.walk(cell.tree) if cell.tree else ()):
        first, line = call.args[0] if call.args else None, cell.at(call.lineno)
        qid = first.value if isinstance(first, ast.Constant) else None
        if qid is None:
            problems.add(line, 'check(…) without a literal id, expected check("a1.q1", your_function)')
        elif qid not in questions:
            problems.add(line, unknown(qid, questions))
        called.append((qid, line))
    return called


def headers(cell):
    """(question id, file line) of the `@question a1.q2` lines in a markdown cell."""
    if cell.kind == "markdown":
        for match in HEADER.finditer(cell.source):
            yield match[1].strip(), cell.at(cell.source.count("\n", 0, match.start()) + 1)


def question_header(questions, match):
    """What an `@question` line becomes: the question's header in markdown (two blanks end a line)."""
    question = questions.get(match[1].strip())
    if question is None:
        return match[0]  # reported as unknown
    stars = "●" * question.difficulty + "○" * (3 - question.difficulty)
    points = f"{question.points} point" + "s" * (question.points != 1)
    return (
        f"**Question {question.id} · {question.title}**  \n"
        f"*Objective:* {question.objective}  \n"
        f"*Difficulty* {stars} ({question.difficulty} of 3) · *about* {question.minutes} minutes · {points}"
    )


def grade_cell(qid, points=None):
    """Cell id and nbgrader metadata: of the answer, or with points of the check."""
    check = points is not None
    name = qid.replace(".", "-") + ("-check" if check else "")
    entry = {"schema_version": 3, "grade_id": name, "grade": check, "solution": not check, "locked": check}
    entry |= {"task": False} | ({"points": points} if check else {})
    return name, {"nbgrader": entry, "course": {"question": qid}}


def finish(parts, root, problems):
    """Expand what is shown, and hold code cells to their length."""
    bound = set()
    for part in parts:
        cell = part.cell
        if cell.tree is None:
            continue
        bound |= names_bound(cell.source)
        if cell.question is None:
            part.source = part.student = expand(cell, bound, root, problems)
        count = max(non_blank(part.source), non_blank(part.student))
        if count > CELL_LIMIT:
            problems.add(cell.line, f"code cell of {count} non-blank lines, expected at most {CELL_LIMIT}")


def render(name, parts, student):
    """The notebook's text: cell ids from content, sorted keys, no outputs, a newline at the end."""
    seen, cells = Counter(), []
    for part in parts:
        cell = part.cell
        digest = hashlib.sha1(f"{name}\n{cell.kind}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] += 1
        new = v4.new_code_cell if cell.kind == "code" else v4.new_markdown_cell
        metadata = part.metadata | ({"tags": cell.tags} if cell.tags else {})
        built = new(part.student if student else part.source, metadata=metadata)
        built.id = part.id or (digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
        cells.append(built)
    notebook = v4.new_notebook(cells=cells, metadata=METADATA)
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def write(root, targets):
    """Write the notebooks that differ from what is there: {path: where what was there is kept, or None}.

    A notebook that somebody has run, or written answers in, is copied to `.course/kept/` before it is overwritten.
    """
    changed = {}
    for path, text in targets.items():
        old = committed(root, path)
        if old == text.encode():
            continue
        changed[path] = None
        if old is not None and worked_in(path, old):
            kept = Path(".course/kept", f"{path.stem}-{hashlib.sha1(old).hexdigest()[:12]}.ipynb")
            Path(root, kept).parent.mkdir(parents=True, exist_ok=True)
            Path(root, kept).write_bytes(old)
            changed[path] = kept
        Path(root, path).parent.mkdir(exist_ok=True)
        Path(root, path).write_bytes(text.encode())
    return changed


def worked_in(path, notebook):
    """Whether this notebook (bytes) was run, or is an assignment with an answer; one that cannot be read counts."""
    try:
        code = [cell for cell in json.loads(notebook)["cells"] if cell["cell_type"] == "code"]
        asked = [cell for cell in code if cell["metadata"].get("nbgrader", {}).get("solution")]
        stubs = ["raise NotImplementedError(" in "".join(cell["source"]) for cell in asked]
        run = any(cell["outputs"] or cell["execution_count"] for cell in code)
        return run or (path.parts[0] == "assignments" and not all(stubs))
    except (ValueError, KeyError, TypeError, AttributeError):
        return True


def committed(root, path):
    return Path(root, path).read_bytes() if Path(root, path).is_file() else None


def orphans(root, targets):
    """Files in the built folders that no source makes; hidden ones and caches do not count."""
    files = [path.relative_to(root) for folder in BUILT for path in sorted(Path(root, folder).rglob("*"))]
    hidden = lambda path: any(part.startswith((".", "__")) for part in path.parts)
    return [path for path in files if Path(root, path).is_file() and path not in targets and not hidden(path)]


def check(root, questions=None):
    """What differs between the built folders and a build, one text for each file; empty if nothing does."""
    targets = build(root, questions)
    found = []
    for path, text in targets.items():
        old = committed(root, path)
        if old is None:
            found.append(f"{path.as_posix()}: missing, `course build` makes it")
        elif old != text.encode():
            found.append(f"{path.as_posix()}: differs from its build\n{short_diff(old, text, path.as_posix())}")
    return found + [f"{path.as_posix()}: no source makes this file, delete it" for path in orphans(root, targets)]


def short_diff(old, new, name):
    before = old.decode(errors="replace").split("\n")
    lines = difflib.unified_diff(before, new.split("\n"), f"{name} (committed)", f"{name} (built)", "", "", 1, "")
    lines = [line if len(line) <= DIFF_WIDTH else line[:DIFF_WIDTH] + "…" for line in lines]
    more = [f"… {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else []
    return "\n".join(lines[:DIFF_LINES] + more)
