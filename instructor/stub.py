"""Question cells: solutions between markers, and the student's version without them.

    def soft_bellman(mdp, r):
        \"\"\"One backup: Q = r + γ E[V].\"\"\"
        ### BEGIN SOLUTION
        ...
        ### END SOLUTION

The student gets `raise NotImplementedError("a1.q2")` for the block, at its indentation; all that is inside goes away,
helpers too. A cell may define several functions: each that the student writes has one block of its own and raises;
a function without a block is given to the student as it is. What stands before or after the block is given too.
"""

import ast
import re

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
MENTION = re.compile(r"\b(BEGIN|END)[ _]?SOLUTION")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def find_blocks(cell, problems, allowed=True):
    """The (begin, end) lines of the marker pairs in a cell's source, or None if the markers are wrong."""
    blocks, begin, before = [], None, len(problems)
    for k, line in enumerate(cell.lines, 1):
        if not MENTION.search(line):
            continue
        marker = line.strip()
        if marker not in (BEGIN, END):
            problems.add(cell.at(k), f"malformed marker {marker!r}, expected `{BEGIN}` or `{END}` on a line of its own")
        elif not allowed or cell.question is None:
            where = "in a question cell" if allowed else "only in assignments"
            problems.add(cell.at(k), f"`{marker}` here, expected it {where}")
        elif marker == BEGIN and begin:
            problems.add(cell.at(k), f"nested `{BEGIN}`, expected `{END}` for line {cell.at(begin)} first")
        elif marker == BEGIN:
            begin = k
        elif begin is None:
            problems.add(cell.at(k), f"`{END}` without a `{BEGIN}` before it, expected one in this cell")
        else:
            blocks.append((begin, k))
            begin = None
    if begin:
        problems.add(cell.at(begin), f"`{BEGIN}` without `{END}`, expected one in this cell")
    return blocks if len(problems) == before else None


def solution(cell, blocks):
    """The source without the marker lines."""
    markers = {k for block in blocks for k in block}
    return "\n".join(line for k, line in enumerate(cell.lines, 1) if k not in markers)


def stub(cell, blocks):
    """The source with each block replaced by `raise NotImplementedError(question)`."""
    lines = list(cell.lines)
    for begin, end in reversed(blocks):
        indent = lines[begin - 1][: lines[begin - 1].index("#")]
        lines[begin - 1 : end] = [f'{indent}raise NotImplementedError("{cell.question}")']
    return "\n".join(lines)


def verify(cell, blocks, problems):
    """Each block is the work of one function, and the stub has the solution's functions as they were."""
    if not blocks:
        problems.add(cell.line, f"question {cell.question} has no solution, expected `{BEGIN}` … `{END}` in it")
    functions = [node for node in ast.walk(cell.tree) if isinstance(node, FUNCTIONS)]
    owners = []
    for begin, end in blocks:
        inside = [n for n in ast.walk(cell.tree) if isinstance(n, ast.stmt) and begin < n.lineno < end]
        if not inside:
            problems.add(cell.at(begin), "empty solution block, expected code in it")
            continue
        first = min(inside, key=lambda node: node.lineno)
        around = [f for f in functions if f.lineno < begin and first.lineno <= f.end_lineno]
        if not around:
            problems.add(cell.at(begin), "solution block outside a function, expected it in a function's body")
            continue
        for k in (begin, end):
            indent = cell.lines[k - 1].index("#")
            if indent != first.col_offset:
                wanted = f"expected {first.col_offset} like the code after line {cell.at(begin)}"
                problems.add(cell.at(k), f"marker indented by {indent}, {wanted}")
        owner = max(around, key=lambda f: f.lineno)
        if any(node.lineno > owner.end_lineno for node in inside):
            problems.add(cell.at(begin), f"solution block ends after {owner.name}, expected `{END}` in its body")
        if owner in owners:
            problems.add(cell.at(begin), f"second solution block in {owner.name}, expected one for each function")
        elif not ast.get_docstring(owner) or owner.body[0].lineno > begin:
            text = f"{owner.name} has no docstring before its solution, expected one that says what to write"
            problems.add(cell.at(owner.lineno), text)
        owners.append(owner)
    try:
        given = ast.parse(stub(cell, blocks))
    except SyntaxError as error:
        text = f"the student's version is not Python ({error.msg}), expected whole statements in a block"
        problems.add(cell.line, text)
        return
    if interfaces(given, []) != interfaces(cell.tree, blocks):
        text = "the student's version loses a signature or docstring, expected them outside the blocks"
        problems.add(cell.line, text)


def interfaces(tree, blocks):
    """What a student may rely on: every definition outside the blocks with signature, decorators and docstring."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not any(b < node.lineno < e for b, e in blocks):
            if isinstance(node, ast.ClassDef):
                signature = [*node.bases, *node.keywords]
            else:
                signature = [node.args, *filter(None, [node.returns])]
            parts = [ast.dump(part) for part in [*signature, *node.decorator_list]]
            found.append((node.name, type(node).__name__, parts, ast.get_docstring(node)))
    return found
