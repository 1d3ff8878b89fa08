"""Sets of rewards cut out by linear inequalities, some of them strict, and their exact bounds.

Linear programs are solved in floating point and then proved: solution and multipliers are rounded to fractions,
and feasibility and equality of the primal and the dual objective are checked without rounding.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd

import numpy as np
from scipy.optimize import linprog


def exact(x):
    """A number as the fraction that was meant: 0.1 is 1/10."""
    if not np.isfinite(float(x)):
        raise ValueError(f"a finite number is needed, got {x}")
    return Fraction(x).limit_denominator(10**6)


def signed(x):
    """A number as text with a real minus sign."""
    return str(x).replace("-", "−")


@dataclass(frozen=True)
class Bound:
    """All that a set says of one reward by itself: lower ≤ R ≤ upper.

    An end that is not attained is strict; an end that is None does not exist.
    """

    lower: Fraction | None
    upper: Fraction | None
    lower_attained: bool
    upper_attained: bool

    def text(self, name):
        """The bound as it is written: `0 < green ≤ 2`."""
        if self.lower is None and self.upper is None:
            return f"{name}: anything"
        if self.lower == self.upper:
            return f"{name} = {signed(self.lower)}"
        if self.upper is None:
            return f"{name} {'≥' if self.lower_attained else '>'} {signed(self.lower)}"
        left = "" if self.lower is None else f"{signed(self.lower)} {'≤' if self.lower_attained else '<'} "
        return f"{left}{name} {'≤' if self.upper_attained else '<'} {signed(self.upper)}"


@dataclass(frozen=True)
class RewardSet:
    """All rewards R with Σ_k A[i][k] R_k ≤ b[i], or < b[i] where strict[i].

    colours: the names of the K rewards.  why[i]: in words, where inequality i comes from.
    """

    colours: tuple
    A: tuple
    b: tuple
    strict: tuple
    why: tuple

    @classmethod
    def from_rows(cls, colours, rows):
        """From rows (K whole numbers, right side, strict, why); of parallel ones only the tightest is kept."""
        tightest = {}
        for coefficients, right, strict, why in rows:
            scale = gcd(*coefficients) or 1
            direction, right = tuple(a // scale for a in coefficients), Fraction(right) / scale
            known = tightest.get(direction)
            if known is None or (right, not strict) < (known[0], not known[1]):
                tightest[direction] = right, strict, why
        columns = zip(*tightest.values(), strict=True) if tightest else ((), (), ())
        return cls(tuple(colours), tuple(tightest), *map(tuple, columns))

    @property
    def rows(self):
        """The inequalities as a list of (coefficients, right side, strict, why)."""
        return list(zip(self.A, self.b, self.strict, self.why, strict=True))

    def __and__(self, other):
        """What two experiments with the same expert say together: the rewards that are in both sets."""
        if self.colours != other.colours:
            raise ValueError(f"the sets speak of different colours: {self.colours} and {other.colours}")
        return RewardSet.from_rows(self.colours, self.rows + other.rows)

    def contains(self, rewards):
        """Is this reward, {colour: number}, in the set?"""
        if set(rewards) != set(self.colours):
            raise ValueError(f"one reward for each of {', '.join(self.colours)} is needed, got {sorted(rewards)}")
        R = [exact(rewards[colour]) for colour in self.colours]
        slack = [right - _dot(a, R) for a, right in zip(self.A, self.b, strict=True)]
        return all(s > 0 or (s == 0 and not strict) for s, strict in zip(slack, self.strict, strict=True))

    @cached_property
    def conflict(self):
        """If the set is empty, the few inequalities that exclude each other, in words; otherwise ()."""
        A, b, K = list(self.A), list(self.b), len(self.colours)
        # By how much must the right sides be raised before anything satisfies them?
        raised = [(*a, -1) for a in A] + [(0,) * K + (-1,)]
        violation, multipliers = _minimum((0,) * K + (1,), raised, [*b, 0])
        if violation == 0:
            # The closed set is not empty; can all strict inequalities hold with room to spare?
            roomy = [(*a, int(s)) for a, s in zip(A, self.strict, strict=True)] + [(0,) * K + (1,)]
            room, multipliers = _minimum((0,) * K + (-1,), roomy, [*b, 1])
            if room < 0:
                return ()
        return tuple(why for why, y in zip(self.why, multipliers, strict=False) if y > 0)

    @property
    def empty(self):
        """True if no reward explains what was seen."""
        return bool(self.conflict)

    @cached_property
    def bounds(self):
        """{colour: Bound}, the exact range of each reward over the set.  ValueError if the set is empty."""
        if self.empty:
            raise ValueError("no reward is in this set: " + "; ".join(self.conflict))
        return {colour: self.bound({colour: 1}) for colour in self.colours}

    def bound(self, combination):
        """The exact range over the set of a combination of rewards, such as {"yellow": 1, "blue": 1}."""
        if self.empty:
            raise ValueError("no reward is in this set: " + "; ".join(self.conflict))
        direction = tuple(combination.get(colour, 0) for colour in self.colours)
        (upper, upper_attained), (low, lower_attained) = (
            self._most(direction),
            self._most(_negative(direction)),
        )
        return Bound(None if low is None else -low, upper, lower_attained, upper_attained)

    def facts(self):
        """The whole set in as few lines as possible, such as ["blue > 1", "3 < yellow + blue ≤ 6"]."""
        rows = needed = sorted(self.rows, key=lambda row: -sum(map(abs, row[0])))
        for row in rows:  # drop what follows from those that are left, one at a time, the complicated ones first
            a, right, strict, why = row
            others = [other for other in needed if other is not row]
            violated = (_negative(a), -right, not strict, why)
            if RewardSet.from_rows(self.colours, [*others, violated]).empty:
                needed = others
        # a ≤ and a ≥ in the same direction make one line
        least, lines, fixed = RewardSet.from_rows(self.colours, needed), [], []
        directions = {max(a, _negative(a)) for a in least.A}
        for a in sorted(directions, key=lambda a: (sum(map(abs, a)), _negative(a))):
            bound = least.bound(dict(zip(self.colours, a, strict=True)))
            if bound.lower == bound.upper:
                if np.linalg.matrix_rank([*fixed, a]) == len(fixed):
                    continue  # it follows from the equations before it
                fixed.append(a)
            lines.append(bound.text(_sum(self.colours, a)))
        return lines

    def _most(self, direction):
        """The supremum of direction·R, None if there is none, and whether it is attained."""
        K = len(self.colours)
        box = [tuple(s * (i == k) for i in range(K)) for k in range(K) for s in (1, -1)]
        escape, _ = _minimum(_negative(direction), [*self.A, *box], [0] * len(self.A) + [1] * 2 * K)
        if escape < 0:  # a way out to infinity along which no inequality complains
            return None, False
        supremum = -_minimum(_negative(direction), self.A, self.b)[0]
        touching = RewardSet.from_rows(self.colours, [*self.rows, (_negative(direction), -supremum, False, "")])
        return supremum, not touching.empty


def _negative(a):
    return tuple(-x for x in a)


def _dot(a, x):
    return sum(p * q for p, q in zip(a, x, strict=True) if p and q)  # most are 0, and fractions are slow


def _minimum(c, A, b):
    """min c·x subject to A x ≤ b, which must be feasible and bounded: the exact value, and multipliers y ≥ 0."""
    if not A:
        return Fraction(0), []
    found = linprog(c, np.array(A, float), np.array(b, float), bounds=(None, None), method="highs-ds")
    if found.status != 0:
        raise ArithmeticError(f"a linear program that has a solution was not solved: {found.message}")
    x, y = ([Fraction(v).limit_denominator(10**6) for v in part] for part in (found.x, -found.ineqlin.marginals))
    proved = (
        all(_dot(a, x) <= right for a, right in zip(A, b, strict=True))
        and min(y) >= 0
        and all(_dot(column, y) == -cost for column, cost in zip(zip(*A, strict=True), c, strict=True))
        and _dot(c, x) == -_dot(b, y)
    )
    if not proved:
        raise ArithmeticError("the solver's answer could not be proved in exact arithmetic")
    return _dot(c, x), y


def _sum(colours, a):
    """Σ_k a_k R_k as text, such as `red − 2 green`."""
    text = ""
    for colour, x in zip(colours, a, strict=True):
        if x:
            text += f" {'−' if x < 0 else '+'} {'' if abs(x) == 1 else f'{abs(x)} '}{colour}"
    return text.removeprefix(" + ").removeprefix(" ")
