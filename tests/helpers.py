"""Loading what is authored: an assignment's reference answers, hidden tests and wrong answers."""

import ast
import importlib.util
from pathlib import Path

import jupytext

ROOT = Path(__file__).resolve().parents[1]


def code_cells(slug):
    """The code cells of an authored assignment: (source, question id or None)."""
    notebook = jupytext.read(ROOT / "authoring" / "assignments" / slug / "notebook.py")
    return [(cell.source, cell.metadata.get("question")) for cell in notebook.cells if cell.cell_type == "code"]


def references(slug):
    """The model solution of every question of an assignment, by id.

    Only the question cells and the cells that hold nothing but imports are executed, in one namespace.
    """
    namespace, found = {}, {}
    for source, question in code_cells(slug):
        body = ast.parse(source).body
        if question or all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in body):
            exec(compile(source, f"{slug}/{question or 'imports'}", "exec"), namespace)
        if question:
            found[question] = namespace[next(n.name for n in body if isinstance(n, ast.FunctionDef))]
    return found


def load(slug, name):
    """A module beside an authored notebook, such as load("a1_maxent", "wrong_answers")."""
    path = ROOT / "authoring" / "assignments" / slug / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{slug}_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
