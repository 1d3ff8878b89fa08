"""The assignments as source notebooks for nbgrader: solutions between its markers, and graded cells that can fail.

`check(…)` shows a card and never raises, so for nbgrader every run of it would be full marks. In the source, a hidden
test follows it: the card of other instances must be a passed one.
"""

import secrets
from pathlib import Path

import nbformat

from . import build as builder
from .source import Problems, read_cells

CONFIG = '''"""nbgrader's configuration for the course: made by `course release --nbgrader`."""

from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import ClearSolutions


class NameTheQuestion(ClearSolutions):
    """The blank says whose answer is missing, so that a check can name the question to finish first."""

    def preprocess_cell(self, cell, resources, index):
        question = cell.metadata.get("course", {}).get("question")
        self.code_stub = {"python": f'raise NotImplementedError("{question}")'}
        return super().preprocess_cell(cell, resources, index)


c = get_config()
c.CourseDirectory.course_id = "irl-course"
c.GenerateAssignment.preprocessors = [
    NameTheQuestion if step is ClearSolutions else step for step in GenerateAssignment.preprocessors.default_args[0]
]
c.Execute.timeout = 120  # seconds a cell
'''
HIDDEN = """
### BEGIN HIDDEN TESTS
assert check({question!r}, {function}, seed={seed}).passed
### END HIDDEN TESTS"""


def export(root: Path, folder: Path) -> list[Path]:
    """Write nbgrader_config.py and source/aN/aN_slug.ipynb into a folder; returns what was written.

    The hidden instances are drawn anew at each call. Raises FileExistsError where one of the files is there already,
    and BuildError where authoring/ breaks the rules.
    """
    files = {Path("nbgrader_config.py"): CONFIG}
    for path, text in builder.build(root).items():
        if path.parts[0] == "solutions":
            authored = root / "authoring/assignments" / path.stem / "notebook.py"
            notebook = with_markers(nbformat.reads(text, as_version=4), authored)
            files[Path("source", path.stem.partition("_")[0], path.name)] = nbformat.writes(notebook) + "\n"
    there = [str(folder / path) for path in files if (folder / path).exists()]
    if there:
        raise FileExistsError(f"nothing written, for this is there already: {', '.join(there)}")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return list(files)


def with_markers(notebook, authored: Path):
    """A built solution as nbgrader's source: the answers as they are authored, a hidden test after each check."""
    cells = read_cells(authored.read_text(encoding="utf-8"), Problems(str(authored)))
    answers = {cell.question: cell.source for cell in cells if cell.question}
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader", {})
        if about.get("solution"):
            cell.source = answers[cell.metadata.course.question]
        elif about.get("grade"):
            called = cell.source.rpartition("check(")[2].rstrip().removesuffix(")")
            function = called.partition(",")[2].strip()
            question = cell.metadata.course.question
            cell.source += HIDDEN.format(question=question, function=function, seed=secrets.randbits(32))
    return notebook
