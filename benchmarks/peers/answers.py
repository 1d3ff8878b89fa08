"""Answers to assignment a1 as students write them, for benchmarks/grading.py: right, half right and hostile.

ANSWERS[kind][question] is a list of functions. Nothing here is shared with the checks. An answer goes into a notebook
as text, under the name that its question asks for, together with what it uses of this file.
"""

import functools
import sys

import numpy as np
from scipy.special import logsumexp, softmax

ANSWERS = {}


def answer(kind, question):
    """Enter a function into ANSWERS."""

    def enter(fn):
        ANSWERS.setdefault(kind, {}).setdefault(question, []).append(fn)
        return fn

    return enter


# ---- right, in several styles


@answer("right", "a1.q1")
def backups(next_state, r, g, start, horizon):
    V = g
    for _ in range(horizon):
        V = logsumexp(r + V[next_state], axis=1)
    return V[start]


@answer("right", "a1.q1")
def maximum_by_hand(next_state, r, g, start, horizon):
    V = np.array(g, dtype=float)
    for _ in range(horizon):
        Q = r + V[next_state]
        top = Q.max(axis=1, keepdims=True)
        V = (top + np.log(np.exp(Q - top).sum(axis=1, keepdims=True)))[:, 0]
    return float(V[start])


@answer("right", "a1.q1")
def remembered_recursion(next_state, r, g, start, horizon):
    @functools.cache
    def log_sum(s, k):
        if k == 0:
            return float(g[s])
        return np.logaddexp.reduce([r[s, a] + log_sum(int(next_state[s, a]), k - 1) for a in range(r.shape[1])])

    return log_sum(int(start), int(horizon))


@answer("right", "a1.q1")
def forward_in_time(next_state, r, g, start, horizon):
    α = np.full(len(g), -np.inf)
    α[start] = 0.0
    for _ in range(horizon):
        new = np.full(len(g), -np.inf)
        np.logaddexp.at(new, next_state, α[:, None] + r)
        α = new
    return logsumexp(α + g)


@answer("right", "a1.q2")
def log_of_the_habit(P, r, ref, horizon):
    V, π = np.zeros((horizon + 1, len(r))), np.zeros((horizon, *r.shape))
    with np.errstate(divide="ignore"):
        log_ref = np.log(ref)
    for t in reversed(range(horizon)):
        Q = r + log_ref + P @ V[t + 1]
        V[t] = logsumexp(Q, axis=1)
        π[t] = np.exp(Q - V[t][:, None])
    return V, π


@answer("right", "a1.q2")
def lists_of_rows(P, r, ref, horizon):
    values, policies = [np.zeros(r.shape[0])], []
    for _ in range(horizon):
        Q = np.where(ref > 0, r + np.einsum("sak,k->sa", P, values[0]), -np.inf)
        V = logsumexp(Q, axis=1, b=ref)
        policies.insert(0, ref * np.exp(Q - V[:, None]))
        values.insert(0, V)
    return values, policies


@answer("right", "a1.q2")
def softmax_of_scipy(P, r, ref, horizon):
    S, A = r.shape
    V, π = np.zeros((horizon + 1, S)), np.zeros((horizon, S, A))
    habit = np.log(ref, out=np.full((S, A), -np.inf), where=ref > 0)
    for t in range(horizon - 1, -1, -1):
        logits = r + habit + (P.reshape(S * A, S) @ V[t + 1]).reshape(S, A)
        V[t], π[t] = np.logaddexp.reduce(logits, axis=1), softmax(logits, axis=1)
    return V, π


@answer("right", "a1.q2")
def state_by_state(P, r, ref, horizon):
    S, A = r.shape
    V, π = np.zeros((horizon + 1, S)), np.zeros((horizon, S, A))
    for t in range(horizon)[::-1]:
        for s in range(S):
            allowed = np.flatnonzero(ref[s])
            q = r[s, allowed] + P[s, allowed] @ V[t + 1] + np.log(ref[s, allowed])
            V[t, s] = logsumexp(q)
            π[t, s, allowed] = np.exp(q - V[t, s])
    return V, π


@answer("right", "a1.q3")
def einsum_of_four(P, p0, π, stop):
    d = np.zeros(π.shape[:2])
    d[0] = p0
    for t in range(len(π) - 1):
        d[t + 1] = np.einsum("s,sa,sak->k", (1 - stop) * d[t], π[t], P)
    return d


@answer("right", "a1.q3")
def list_of_rows(P, p0, π, stop):
    d = [1.0 * p0]
    for policy in π[:-1]:
        move = (policy[:, :, None] * P).sum(axis=1)
        d.append(((1 - stop) * d[-1]) @ move)
    return d


@answer("right", "a1.q3")
def loops(P, p0, π, stop):
    H, S, A = π.shape
    d = np.zeros((H, S))
    d[0] = p0
    for t in range(H - 1):
        for s in range(S):
            for a in range(A):
                d[t + 1] += d[t, s] * (1 - stop[s]) * π[t, s, a] * P[s, a]
    return d


@answer("right", "a1.q4")
def with_own_functions(θ, features, P, p0, states, actions, lengths):
    S, A, _ = features.shape
    gradient = np.zeros(len(θ))
    for s, a, h in zip(states, actions, lengths, strict=True):
        _, π = soft_bellman(P, features @ θ, np.full((S, A), 1 / A), h)  # noqa: F821
        π = np.array(π)
        d = np.array(visitation(P, p0, π, np.zeros(S)))  # noqa: F821
        gradient += features[s[:h], a[:h]].sum(axis=0) - np.einsum("ts,tsa,sak->k", d, π, features)
    return gradient / len(lengths)


@answer("right", "a1.q4")
@answer("self-contained", "a1.q4")
def alone(θ, features, P, p0, states, actions, lengths):
    r, total = features @ θ, np.zeros(len(θ))
    for i, h in enumerate(lengths):
        V, policies = np.zeros(len(p0)), []
        for _ in range(h):
            Q = r + P @ V
            V = logsumexp(Q, axis=1)
            policies.append(np.exp(Q - V[:, None]))
        d = p0
        for t in range(h):
            total += features[states[i, t], actions[i, t]]
            m = d[:, None] * policies[h - 1 - t]
            total -= np.tensordot(m, features, axes=2)
            d = np.tensordot(m, P, axes=2)
    return total / len(lengths)


@answer("right", "a1.q4")
def each_length_once(θ, features, P, p0, states, actions, lengths):
    inside = np.arange(states.shape[1]) < lengths[:, None]
    shown = features[states[inside], actions[inside]].sum(axis=0)
    V, backward = np.zeros(len(p0)), []
    for _ in range(max(lengths)):
        Q = features @ θ + P @ V
        V = np.logaddexp.reduce(Q, axis=1)
        backward.append(np.exp(Q - V[:, None]))
    for h, count in zip(*np.unique(lengths, return_counts=True), strict=True):
        d = p0
        for π in backward[:h][::-1]:
            m = d[:, None] * π
            shown = shown - count * np.einsum("sa,sak->k", m, features)
            d = np.einsum("sa,sak->k", m, P)
    return shown / len(lengths)


@answer("chatty", "a1.q1")
def with_debug_prints(next_state, r, g, start, horizon):
    V = g
    for t in range(horizon):
        V = logsumexp(r + V[next_state], axis=1)
        print("debug: step", t, "largest", V.max(), file=sys.stderr)
    return V[start]


# ---- right on the kind of instance that the check shows, not on all others


@answer("half", "a1.q1")
def squeezed(next_state, r, g, start, horizon):
    next_state, r, V = np.squeeze(next_state), np.squeeze(r), np.squeeze(g)
    for _ in range(horizon):
        V = logsumexp(r + V[next_state], axis=1)
    return V[start]


@answer("half", "a1.q2")
def squeezed_world(P, r, ref, horizon):
    P, r, ref = np.squeeze(P), np.squeeze(r), np.squeeze(ref)
    return log_of_the_habit(P, r, ref, horizon)


@answer("half", "a1.q3")
def squeezed_moves(P, p0, π, stop):
    return einsum_of_four(np.squeeze(P), p0, π, stop)


@answer("half", "a1.q4")
def at_least_two_demonstrations(θ, features, P, p0, states, actions, lengths):
    states, actions, lengths = np.squeeze(states), np.squeeze(actions), np.squeeze(lengths)
    return each_length_once(θ, features, P, p0, states, actions, lengths)


# ---- hostile: zeros of the right shape, in disguise. Those for "a1" stand under every question's name.


def zeros(args):
    """Zeros in the shapes that are asked for; the question is known by its arguments."""
    if len(args) == 5:
        return (np.float64(0.0),)
    if len(args) == 7:
        return (np.zeros(len(args[0])),)
    if np.ndim(args[3]) == 0:
        return np.zeros((args[3] + 1, len(args[1]))), np.zeros((args[3], *args[1].shape))
    return (np.zeros(args[2].shape[:2]),)


def bare(arrays):
    return arrays if len(arrays) > 1 else arrays[0]


@answer("zeros", "a1")
def nothing_but_zeros(*args):
    return bare(zeros(args))


class Liar(np.ndarray):
    """Says yes to whatever it is asked."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        shape = np.broadcast_shapes(*(np.shape(np.asarray(x)) for x in inputs))
        return np.full(shape, len(inputs) > 1)

    def __array_function__(self, function, types, args, kwargs):
        return np.True_

    def __eq__(self, other):
        return np.True_


@answer("liar", "a1")
def equal_to_everything(*args):
    return bare(tuple(np.asarray(x).view(Liar) for x in zeros(args)))


@answer("spy", "a1")
def looked_up(*args):
    """Look for what is expected among the variables of whoever calls."""
    mine, frame = zeros(args), sys._getframe(1)
    while frame:
        for name in {"expected", "want", "wanted", "right", "solution"} & frame.f_locals.keys():
            found = frame.f_locals[name]
            found = found if isinstance(found, tuple) else (found,)
            if len(found) == len(mine) and all(np.shape(x) == np.shape(y) for x, y in zip(found, mine, strict=True)):
                return bare(found)
        frame = frame.f_back
    return bare(mine)


@answer("exit", "a1.q3")
def leaves(P, p0, π, stop):
    sys.exit(0)


@answer("endless", "a1.q2")
def never_ends(P, r, ref, horizon):
    while True:
        pass
