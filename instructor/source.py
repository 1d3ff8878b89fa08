"""Read an authored py:percent file: cells with their line numbers, and the rules that need nothing else.

A problem is collected, not raised, so that an author sees everything that is wrong with a file at once.
"""

import ast
import re
from dataclasses import dataclass
from typing import NamedTuple

import jupytext

CELL_LIMIT = 25  # non-blank lines of a code cell, after `# show` is expanded
OPTIONS = {"question", "tags"}  # what may follow `# %%`, besides [markdown]
# A comment stays a comment: jupytext would otherwise turn `# ls` or `# converged?` into a shell command.
PERCENT = {"extension": ".py", "format_name": "percent", "comment_magics": False}

MARKER = re.compile(r"# %%(\s|$)")
LIKE_MARKER = re.compile(r"\s*#\s*(%%|<codecell>|In\[)")
MAGIC = re.compile(r"^(?:# )?(%\w.*)$", re.MULTILINE)
EMPTY_ALT = re.compile(r"!\[\s*\][(\[]|<img\b(?![^>]*\balt\s*=\s*(?:\"\s*[^\s\"]|'\s*[^\s']))[^>]*>", re.IGNORECASE)
FIGURE_MAKERS = {"subplots", "figure", "subplot_mosaic", "plot", "imshow", "show"}  # of pyplot


class Problem(NamedTuple):
    """What is wrong at a line of an authored file; prints as `path:line: text`."""

    path: str
    line: int
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}"


class BuildError(Exception):
    """The authored files break the rules. `problems` has all of them; the message is one per line."""

    def __init__(self, problems):
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


class Problems(list):
    """The problems of one file. `cut` is set where reading stopped, so that the rest is not reported as missing."""

    def __init__(self, path):
        self.path, self.cut = path, False

    def add(self, line, text, cut=False):
        self.append(Problem(self.path, line, text))
        self.cut = self.cut or cut


@dataclass
class Cell:
    """One authored cell. `line` is the file's line of its `# %%`, `first` that of the source's first line."""

    kind: str  # "code" or "markdown"
    source: str
    line: int
    first: int
    question: str | None = None
    tags: list | None = None
    tree: ast.Module | None = None  # of a code cell that parses

    @property
    def lines(self):
        return self.source.split("\n")

    def at(self, line):
        """The file's line of the source's line (counted from 1, as `ast` does)."""
        return self.first + line - 1


def python_only(source):
    """The source with line magics replaced by `pass`, line by line."""
    return re.sub(r"^%\w.*$", "pass", source, flags=re.MULTILINE)


def non_blank(source):
    return sum(bool(line.strip()) for line in source.split("\n"))


def read_cells(text, problems):
    """The cells of a py:percent file, in order; what cannot be read goes to `problems`.

    The n-th cell belongs to the n-th line that starts with `# %%`. That is verified cell by cell: where jupytext
    cuts elsewhere (a `# %%` in a string or a fenced block, an indented one), reading stops with a problem.
    """
    lines = text.split("\n")
    starts = [n for n, line in enumerate(lines, 1) if MARKER.match(line)]
    header = lines.index("# ---", 1) + 1 if lines[0] == "# ---" and "# ---" in lines[1:] else 0
    before = [n for n in range(header + 1, (starts or [len(lines) + 1])[0]) if lines[n - 1].strip()]
    if before or not starts:
        problems.add(before[0] if before else 1, "text outside a cell, expected the file to start with `# %%`", True)
        return []
    untagged = [n for n in starts if re.search(r"\btags\s*=\s*[^\[\s]", lines[n - 1])]
    if untagged:  # jupytext would stop here, without a line
        problems.add(untagged[0], 'tags are not a list, expected tags=["…"]', True)
        return []
    cells = []
    read = jupytext.reads("\n".join(lines[starts[0] - 1 :]), PERCENT).cells
    for raw, start, end in zip(read, starts, starts[1:] + [len(lines) + 1], strict=True):
        body = lines[start : end - 1]
        if raw.cell_type == "markdown":
            naked = [n for n, line in enumerate(body, start + 1) if line.strip() and not line.startswith("#")]
            if naked:
                problems.add(naked[0], "code in a markdown cell, expected every line to start with `# `", True)
                return cells
        if squeeze("\n".join(body)) != squeeze(raw.source):
            odd = (n for n, line in enumerate(lines[start:end], start + 1) if LIKE_MARKER.match(line))
            wanted = "expected `# %%` at the start of a line, and never inside a string or a fenced block"
            problems.add(next(odd, start), f"cannot tell where this cell starts, {wanted}", True)
            return cells
        cell = make_cell(raw, start, problems)
        if cell:
            cells.append(cell)
    return cells


def squeeze(text):
    """The text without blanks and comment signs, to compare a cell with its lines in the file."""
    return re.sub(r"[\s#]", "", text)


def make_cell(read, start, problems):
    """A `Cell` from jupytext's, or None if it cannot be used at all."""
    options = {k: v for k, v in read.metadata.items() if k not in ("lines_to_next_cell", "cell_marker")}
    for key in sorted(options.keys() - OPTIONS):
        problems.add(
            start,
            f'unknown text or option after `# %%` ({key}: {options[key]!r}), expected `question="a1.q1"`, '
            '`tags=["…"]` or `[markdown]`',
        )
    if read.cell_type not in ("code", "markdown"):
        problems.add(start, f"a {read.cell_type} cell, expected code or [markdown]")
        return None
    if not read.source.strip():
        problems.add(start, "empty cell, expected text or code")
        return None
    blank = len(read.source) - len(read.source.lstrip("\n"))
    cell = Cell(read.cell_type, read.source.strip("\n"), start, start + 1 + blank)
    cell.tags = options.get("tags")
    cell.question = str(options["question"]) if "question" in options else None
    if cell.kind == "code":
        cell.source = MAGIC.sub(r"\1", cell.source)
        try:
            compile(python_only(cell.source), "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            cell.tree = ast.parse(python_only(cell.source))
        except SyntaxError as error:
            problems.add(cell.at(error.lineno), f"not Python ({error.msg}), expected code that parses")
    return cell


def lint(cell, problems):
    """Figures go through `show(…, alt="…")`; images in markdown have alt text."""
    if cell.kind == "markdown":
        for image in EMPTY_ALT.finditer(cell.source):
            line = cell.source.count("\n", 0, image.start()) + 1
            problems.add(cell.at(line), "image without alt text, expected ![what it shows](…) or <img alt=…>")
        return
    calls = [node for node in ast.walk(cell.tree) if isinstance(node, ast.Call)] if cell.tree else []
    shows = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "show"]
    for call in shows:
        alt = next((keyword.value for keyword in call.keywords if keyword.arg == "alt"), None)
        if alt is None or isinstance(alt, ast.Constant) and not str(alt.value or "").strip():
            problems.add(cell.at(call.lineno), 'show(…) without alt text, expected show(fig, alt="what it shows")')
    for node in ast.walk(cell.tree) if cell.tree else ():
        if isinstance(node, ast.Expr) and node.value in shows and node is not cell.tree.body[-1]:
            text = "this figure is not displayed, expected show(…) as the cell's last expression, or display(show(…))"
            problems.add(cell.at(node.lineno), text)
    for call in calls:
        if is_figure(call.func) and not shows:
            text = f"plt.{call.func.attr}(…) without show, expected show(fig, alt=…) in the same cell"
            problems.add(cell.at(call.lineno), text)


def is_figure(function):
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id in ("plt", "pyplot")
        and function.attr in FIGURE_MAKERS
    )
