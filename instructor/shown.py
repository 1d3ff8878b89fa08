"""`from course_utils.x import f  # show`: put the real source of `f` into the notebook.

The module's text is read under the root that is being built and never imported.
"""

import ast
import builtins
import importlib.util
import re
import symtable
from pathlib import Path
from typing import NamedTuple

from .source import CELL_LIMIT, non_blank, python_only

SHOW = re.compile(r"#\s*show\s*$")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Module(NamedTuple):
    """A module of the package as text."""

    name: str
    package: str  # what its relative imports are relative to
    text: str
    tree: ast.Module


def expand(cell, bound, root, problems):
    """The cell's source with each `# show` line replaced by the real source of what it imports.

    `bound` are the names that the notebook binds up to and including this cell.
    """
    marked = {k for k, line in enumerate(cell.lines, 1) if SHOW.search(line)}
    chunks, done = [], 0
    for node in cell.tree.body:
        if isinstance(node, ast.ImportFrom) and node.end_lineno in marked:
            marked.discard(node.end_lineno)
            chunks.append("\n".join(cell.lines[done : node.lineno - 1]))
            chunks += shown_sources(node, cell.at(node.lineno), bound, root, problems)
            done = node.end_lineno
    chunks.append("\n".join(cell.lines[done:]))
    for k in sorted(marked):
        problems.add(cell.at(k), "`# show` here, expected it after `from course_utils.… import …`, not indented")
    return "\n\n\n".join(chunk.strip("\n") for chunk in chunks if chunk.strip())


def shown_sources(node, line, bound, root, problems):
    """The sources that one `# show` import stands for; problems are reported at `line`."""
    name = "." * node.level + (node.module or "")
    try:
        module = find_module(root, name) if name.split(".")[0] == "course_utils" else None
    except SyntaxError as error:
        problems.add(line, f"cannot show from {name}: {error}, expected Python")
        return []
    if module is None:
        problems.add(line, f"cannot show from {name}, expected a module of course_utils")
        return []
    sources = []
    for alias in node.names:
        found = [n for n in module.tree.body if isinstance(n, DEFINITIONS) and n.name == alias.name]
        if alias.asname or not found:
            text = f"cannot show {ast.unparse(alias)}, expected the name of a function in {module.name}"
            problems.add(line, text)
            continue
        source = shown_source(module.text, found[-1])
        if non_blank(source) > CELL_LIMIT:
            count = f"{alias.name} has {non_blank(source)} non-blank lines when shown"
            problems.add(line, f"{count}, expected at most {CELL_LIMIT}")
            continue
        for missing in sorted(names_used(source) - bound):
            problems.add(line, f"{alias.name} uses {missing}, {how_to_bind(missing, module)}")
        sources.append(source)
    return sources


def find_module(root, name):
    """The module `name` of the tree under `root`, or None."""
    stem = Path(root, *name.split("."))
    for path, package in ((stem.with_suffix(".py"), name.rpartition(".")[0]), (stem / "__init__.py", name)):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            return Module(name, package, text, ast.parse(text, str(path)))
    return None


def shown_source(text, definition):
    """The source of a definition, decorators and comments kept, every docstring cut to its first line."""
    lines = text.split("\n")
    start = min([definition.lineno] + [decorator.lineno for decorator in definition.decorator_list])
    # Bottom-up, so that the line numbers of what is still to be cut stay right.
    nodes = [node for node in ast.walk(definition) if isinstance(node, DEFINITIONS)]
    end = definition.end_lineno
    for node in sorted(nodes, key=lambda node: node.body[0].lineno, reverse=True):
        doc = node.body[0]
        if ast.get_docstring(node) and doc.end_lineno > doc.lineno:
            lines[doc.lineno - 1 : doc.end_lineno] = [cut_docstring(lines[doc.lineno - 1 : doc.end_lineno])]
            end -= doc.end_lineno - doc.lineno
    return "\n".join(lines[start - 1 : end])


def cut_docstring(lines):
    """The docstring's summary line as a docstring of one line. Works on the source, which keeps its escapes."""
    opening, quotes = re.match(r"(\s*\w*)(\"\"\"|'''|\"|')", lines[0]).groups()
    body = "\n".join(lines).strip()[len(opening.strip()) + len(quotes) :].rpartition(quotes)[0]
    summary = next(line.strip() for line in body.split("\n") if line.strip(" \\\t"))
    # A summary that ends like the quotes would close the string too early.
    gap = " " if summary.endswith((quotes[0], "\\")) else ""
    return opening + quotes + summary + gap + quotes


def names_used(source):
    """The names that the source takes from its module or notebook, without builtins and its own."""
    top = symtable.symtable(source, "<shown>", "exec")
    used = set(top.get_identifiers())
    inner = list(top.get_children())
    while inner:
        table = inner.pop()
        used |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
        inner += table.get_children()
    return used - names_bound(source) - set(dir(builtins))


def names_bound(source):
    """The names that a cell binds: imports, assignments, definitions."""
    symbols = symtable.symtable(python_only(source), "<cell>", "exec").get_symbols()
    return {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}


def how_to_bind(name, module):
    """What an author must do so that `name`, used by a shown function of `module`, is known in the notebook."""
    for node in module.tree.body:
        if isinstance(node, DEFINITIONS) and node.name == name and name.startswith("_"):
            return f"a private function of {module.name}, expected the notebook to show or import it too"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if name == (alias.asname or alias.name.split(".")[0]):
                    return expected(import_line(node, alias, module))
    if name in names_bound(module.text):
        return expected(f"from {module.name} import {name}")
    return f"which {module.name} does not define, expected a name that it defines or imports"


def expected(line):
    return f"expected `{line}` in this cell or an earlier one"


def import_line(node, alias, module):
    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import([alias]))
    source = importlib.util.resolve_name("." * node.level + (node.module or ""), module.package)
    return ast.unparse(ast.ImportFrom(source, [alias], 0))
