"""What the answers to a1 are tried on, and the test that a user of a peer would write with it."""

import pickle

import numpy as np

from course_utils.checks import make_cases, questions
from course_utils.checks.core import expected_outputs, tolerance

from .submissions import AUTHORED, FUNCTIONS, load

# Half of the points are for the kind of instance that the public check shows, half for the other kinds.
HALVES = ("same", "others")
AGREE = """
import pickle

import numpy as np

with open({path!r}, "rb") as file:
    instances = pickle.load(file)


def agree(function, cases):
    for arguments, expected, rtol, atol in cases:
        with np.errstate(all="ignore"):
            found = function(*arguments)
        found = found if isinstance(found, tuple) else (found,)
        assert len(found) == len(expected)
        for x, y in zip(found, expected):
            assert np.shape(x) == np.shape(y)
            np.testing.assert_allclose(x, y, rtol=rtol, atol=atol)
"""


def instances(seed=1) -> dict:
    """question -> half -> (arguments, expected outputs, rtol, atol) of each instance: as many as our grader takes."""
    hidden = load(AUTHORED / "hidden_tests.py").CASES
    found = {}
    for name in FUNCTIONS:
        question = questions()[name]
        same = make_cases(question) + question.cases(np.random.default_rng(seed))
        found[name] = {
            half: [(tuple(c.args.values()), expected_outputs(c), *tolerance(question, c, ()).values()) for c in cases]
            for half, cases in zip(HALVES, (same, hidden[name](np.random.default_rng(seed))), strict=True)
        }
    return found


def write(path):
    path.write_bytes(pickle.dumps(instances()))
