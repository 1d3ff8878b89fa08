"""Hidden tests of assignment a1: CASES maps a question id to a function of a generator that returns a list of Case.

They follow the same definitions as the public checks, on other sizes and kinds of instances: larger worlds, a single
state, a single action, a horizon of one, impossible moves, large and huge rewards, integers and single precision.
The expected values come from methods that are fast on larger worlds and still are not the recursions asked for.
Only the public instances are small enough to recompute mistakes on them by enumeration: do not `recognise` here.
"""
import numpy as np

from course_utils.checks import Case, oracles
from course_utils.checks.common import gaps


def random_world(rng, S, A, scale=2.0):
    return rng.dirichlet(np.ones(S), size=(S, A)), scale * rng.normal(size=(S, A))


# q1: Z is an entry of a matrix power

def log_Z(next_state, r, g, start, horizon):
    """log of (M^H e^g)[start], where M[s, s'] adds up e^r over the actions that lead from s to s'.

    Rewards are shifted, and the power is taken by squaring with a scale carried along, so that nothing overflows.
    """
    r, g = np.asarray(r, dtype=float), np.asarray(g, dtype=float)
    M = np.zeros((len(g), len(g)))
    np.add.at(M, (np.arange(len(g))[:, None], next_state), np.exp(r - r.max()))
    x, scale = np.exp(g - g.max()), horizon * r.max() + g.max()
    square, log_square, n = M, 0.0, int(horizon)
    while n:
        if n % 2:
            x, scale = square @ x, scale + log_square
        top = (square @ square).max()
        square, log_square, n = square @ square / top, 2 * log_square + np.log(top), n // 2
    return scale + np.log(x[start])


def q1_case(next_state, r, g, start, horizon, note=""):
    args = dict(next_state=next_state, r=r, g=g, start=start, horizon=horizon)
    return Case(args, log_Z(**args), note)


def q1(rng):
    def world(S, A, scale=2.0):
        return (rng.integers(S, size=(S, A)), scale * rng.normal(size=(S, A)), scale * rng.normal(size=S),
                int(rng.integers(S)))

    n, r, g, s = world(7, 3)
    cases = [q1_case(*world(1, 3), 1, "one state, one step"), q1_case(*world(1, 4), 5, "one state"),
             q1_case(*world(4, 1), 6, "one action"), q1_case(*world(5, 3), 1, "horizon 1"),
             q1_case(*world(6, 5), 7), q1_case(*world(12, 4), 20), q1_case(*world(40, 4, 1.0), 200, "long"),
             q1_case(*world(30, 6, 8.0), 30, "large rewards")]
    for shift in (2000.0, -2000.0):
        cases.append(q1_case(n, r + shift, g - 3 * shift, s, 8, "huge rewards"))
    cases.append(q1_case(n.astype(np.int32), r.astype(np.float32), g.astype(np.float32), s, np.int64(6),
                         "single precision"))
    cases.append(q1_case(n, np.round(2 * r).astype(int), np.round(2 * g).astype(int), s, 6, "integers"))
    cases.append(q1_case(np.zeros_like(n), r, g, s, 5, "every action leads to one state"))
    lonely = np.arange(7)[:, None] + np.zeros((7, 3), dtype=int)
    apart = r + 1500.0 * rng.permutation(7)[:, None]
    cases.append(Case(dict(next_state=lonely, r=apart, g=g, start=s, horizon=4),
                      4 * oracles.log_total(apart[s]) + g[s], "nobody moves, huge rewards, different in each state"))
    return cases


# q2: the primal problem of each state, by Newton's method

def q2_case(P, r, ref, horizon, note=""):
    W, policies = oracles.plan(np.asarray(P, dtype=float), np.asarray(r, dtype=float),
                               np.asarray(ref, dtype=float), int(horizon))
    return Case(dict(P=P, r=r, ref=ref, horizon=horizon), (np.array(W[::-1]), np.array(policies[:0:-1])), note)


def q2(rng):
    def world(S, A, scale=2.0):
        return *random_world(rng, S, A, scale), 0.9 * rng.dirichlet(np.ones(A), size=S) + 0.1 / A

    P, r, ref = world(6, 4)
    some = gaps(rng, ref)
    one = np.eye(4)[rng.integers(4, size=6)]
    cases = [q2_case(*world(1, 3), 1, "one state, one step"), q2_case(*world(1, 3), 4, "one state"),
             q2_case(*world(4, 1), 3, "one action"), q2_case(*world(5, 3), 1, "horizon 1"),
             q2_case(P, r, ref, 7), q2_case(*world(15, 5), 12), q2_case(*world(25, 4, 6.0), 20, "large rewards"),
             q2_case(gaps(rng, P), r, ref, 5, "impossible moves"),
             q2_case(np.eye(6)[rng.integers(6, size=(6, 4))], r, ref, 6, "deterministic"),
             q2_case(P, r, some, 5, "forbidden actions"),
             q2_case(P, r + 900.0 * (some == 0), some, 5, "forbidden actions with huge rewards"),
             q2_case(P, r, one, 5, "one action allowed"), q2_case(P, 0 * r, ref, 4, "no reward")]
    cases += [q2_case(P, r + shift, ref, 5, "huge rewards") for shift in (2000.0, -2000.0)]
    cases.append(q2_case(P.astype(np.float32), r.astype(np.float32), ref.astype(np.float32), np.int64(5),
                         "single precision"))
    cases.append(q2_case(np.eye(6, dtype=int)[rng.integers(6, size=(6, 4))], np.round(r).astype(int), ref, 4,
                         "integers"))
    return cases


# q3: one linear system over all times and states

def visits(P, p0, π, stop):
    """d as the solution of (1 − Mᵀ) d = (p0, 0, …, 0) on the graph of all (t, s), where M moves from t to t+1."""
    P, p0, π, stop = (np.asarray(x, dtype=float) for x in (P, p0, π, stop))
    H, S = π.shape[:2]
    M = np.zeros((H, S, H, S))
    for t in range(H - 1):
        M[t, :, t + 1] = (π[t][:, :, None] * P).sum(1) * (1 - stop)[:, None]
    source = np.zeros((H, S))
    source[0] = p0
    return np.linalg.solve(np.eye(H * S) - M.reshape(H * S, H * S).T, source.ravel()).reshape(H, S)


def q3_case(P, p0, π, stop, note=""):
    return Case(dict(P=P, p0=p0, π=π, stop=stop), visits(P, p0, π, stop), note)


def q3(rng):
    def world(S, A, H):
        return (rng.dirichlet(np.ones(S), size=(S, A)), rng.dirichlet(np.ones(S)),
                rng.dirichlet(np.ones(A), size=(H, S)), rng.uniform(0, 0.5, size=S))

    P, p0, π, stop = world(5, 3, 6)
    cases = [q3_case(*world(1, 2, 1), "one state, one step"), q3_case(*world(1, 3, 4), "one state"),
             q3_case(*world(4, 1, 5), "one action"), q3_case(*world(4, 3, 1), "horizon 1"),
             q3_case(P, p0, π, stop), q3_case(*world(12, 4, 15)), q3_case(*world(20, 3, 25)),
             q3_case(P, p0, π, 0 * stop, "never stops"), q3_case(P, p0, π, 0 * stop + 1, "one action each"),
             q3_case(P, p0, π, 1.0 * (rng.permutation(5) < 2), "stops for certain in two states"),
             q3_case(gaps(rng, P), np.eye(5)[2], gaps(rng, π), stop, "impossible moves and actions")]
    cases.append(q3_case(np.eye(5, dtype=int)[rng.integers(5, size=(5, 3))], np.eye(5, dtype=int)[1],
                         np.eye(3, dtype=int)[rng.integers(3, size=(6, 5))], stop, "integers"))
    cases.append(q3_case(*(x.astype(np.float32) for x in (P, p0, π, stop)), "single precision"))
    return cases


# q4: differences of the dual

def q4_case(θ, features, P, p0, demos, note=""):
    states, actions, lengths = demos
    wide = [np.asarray(x, dtype=float) for x in (θ, features, P, p0)]
    gradient = oracles.derivative(lambda x: oracles.dual(x, *wide[1:], states, actions, lengths), wide[0])
    return Case(dict(θ=θ, features=features, P=P, p0=p0, states=states, actions=actions, lengths=lengths),
                gradient, note)


def q4(rng):
    def demos(P, lengths, spare=0):
        """Random pairs: the definition does not ask that a demonstration be possible."""
        S, A = P.shape[:2]
        inside = np.arange(max(lengths) + spare) < np.array(lengths)[:, None]
        return (np.where(inside, rng.integers(S, size=inside.shape), -1),
                np.where(inside, rng.integers(A, size=inside.shape), -1), np.array(lengths))

    def world(S, A, K):
        P, _ = random_world(rng, S, A)
        return [rng.normal(size=K), rng.normal(size=(S, A, K)), P, rng.dirichlet(np.ones(S))]

    def case(S, A, K, lengths, note="", spare=0):
        w = world(S, A, K)
        return q4_case(*w, demos(w[2], lengths, spare), note)

    θ, features, P, p0 = world(5, 3, 4)
    some = demos(P, [3, 6, 1, 2])
    large = features.copy()
    large[..., 0] += 400
    by_state = np.repeat(np.eye(5)[:, None], 3, axis=1)
    cases = [case(1, 2, 2, [1], "one state, one step"), case(1, 3, 2, [2, 4], "one state"),
             case(4, 1, 3, [2, 5, 1], "one action"), case(4, 3, 3, [1, 1, 1], "horizon 1"),
             case(4, 3, 1, [3, 1, 4], "one feature"), case(5, 3, 4, [7], "one demonstration"),
             case(4, 3, 3, [4, 4, 4], "equal lengths"), case(4, 3, 3, [2, 3, 1], "more padding than needed", spare=3),
             case(12, 4, 6, [10, 3, 7, 1, 12, 3]), case(20, 3, 8, rng.integers(1, 16, size=30)),
             q4_case(θ, features, gaps(rng, P), p0, some, "impossible moves"),
             q4_case(θ, features, P, np.eye(5)[3], some, "fixed start"),
             q4_case(0 * θ, features, P, p0, some, "θ = 0"),
             q4_case(rng.normal(size=5), by_state, P, p0, some, "one feature for each state"),
             q4_case(np.array([2.0, *θ[1:]]), large, P, p0, some, "huge rewards"),
             q4_case(np.array([-2.0, *θ[1:]]), large, P, p0, some, "huge negative rewards"),
             q4_case(*(x.astype(np.float32) for x in (θ, features, P, p0)),
                     [x.astype(np.int32) for x in some], "single precision")]
    cases.append(q4_case(np.array([1, -1, 2, 0]), np.round(2 * features).astype(int), P, p0, some, "integers"))
    return cases


CASES = {"a1.q1": q1, "a1.q2": q2, "a1.q3": q3, "a1.q4": q4}
