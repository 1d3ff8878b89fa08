"""Wrong answers to assignment a1, each with the name of the mistake that its check must recognise.

WRONG maps a question id to a list of (function, name). They are written as students write them, on their own: nothing
here is shared with the checks, and nothing of the checks is used here.
"""
import numpy as np

WRONG = {}


def wrong(question, mistake):
    """Enter a function into WRONG."""
    def enter(fn):
        WRONG.setdefault(question, []).append((fn, mistake))
        return fn
    return enter


def logsumexp(x, axis=None, b=None):
    """log Σ b e^x, like SciPy's but ten times faster on small arrays."""
    if b is not None:
        with np.errstate(divide="ignore"):
            x = x + np.log(b)
    return np.logaddexp.reduce(np.ravel(x) if axis is None else x, axis=-1 if axis is None else axis)


def softmax(x, axis):
    w = np.exp(x - x.max(axis=axis, keepdims=True))
    return w / w.sum(axis=axis, keepdims=True)


# ---------------------------------------------------------------- q1: log Z with a terminal reward

def backups(next_state, r, V, n):
    for _ in range(n):
        V = logsumexp(r + V[next_state], axis=1)
    return V


@wrong("a1.q1", "exp overflow")
def naive_exp(next_state, r, g, start, horizon):
    z = np.exp(g)
    for _ in range(horizon):
        z = (np.exp(r) * z[next_state]).sum(axis=1)
    return np.log(z[start])


@wrong("a1.q1", "exp overflow")
def naive_exp_in_each_step(next_state, r, g, start, horizon):
    V = g
    for _ in range(horizon):
        V = np.log(np.exp(r + V[next_state]).sum(axis=1))
    return V[start]


@wrong("a1.q1", "exp overflow")
def one_maximum_for_all_states(next_state, r, g, start, horizon):
    V = g
    for _ in range(horizon):
        Q = r + V[next_state]
        V = Q.max() + np.log(np.exp(Q - Q.max()).sum(axis=1))
    return V[start]


@wrong("a1.q1", "exp overflow")
def clipped(next_state, r, g, start, horizon):
    V = g
    for _ in range(horizon):
        V = np.log(np.exp(np.clip(r + V[next_state], -700, 700)).sum(axis=1))
    return V[start]


@wrong("a1.q1", "exp overflow")
def tiny_added(next_state, r, g, start, horizon):
    z = np.exp(g)
    for _ in range(horizon):
        z = (np.exp(np.minimum(r, 300)) * z[next_state]).sum(axis=1) + 1e-300
    return np.log(z[start])


@wrong("a1.q1", "one step short")
def one_short(next_state, r, g, start, horizon):
    return backups(next_state, r, g, horizon - 1)[start]


@wrong("a1.q1", "one step short")
def range_from_one(next_state, r, g, start, horizon):
    V = [g]
    for t in range(1, horizon):
        V.append(logsumexp(r + V[t - 1][next_state], axis=1))
    return V[-1][start]


@wrong("a1.q1", "one step too many")
def one_too_many(next_state, r, g, start, horizon):
    return backups(next_state, r, g, horizon + 1)[start]


@wrong("a1.q1", "terminal reward forgotten")
def no_terminal(next_state, r, g, start, horizon):
    return backups(next_state, r, np.zeros(len(r)), horizon)[start]


@wrong("a1.q1", "terminal reward forgotten")
def no_terminal_naive(next_state, r, g, start, horizon):
    z = np.ones(len(r))
    for _ in range(horizon):
        z = (np.exp(r) * z[next_state]).sum(axis=1)
    return np.log(z[start])


@wrong("a1.q1", "hard max")
def hard_max(next_state, r, g, start, horizon):
    V = g
    for _ in range(horizon):
        V = (r + V[next_state]).max(axis=1)
    return V[start]


@wrong("a1.q1", "mean, not sum")
def averaged(next_state, r, g, start, horizon):
    V = g
    for _ in range(horizon):
        V = logsumexp(r + V[next_state], axis=1) - np.log(r.shape[1])
    return V[start]


@wrong("a1.q1", "terminal reward at every step")
def terminal_each_step(next_state, r, g, start, horizon):
    return backups(next_state, r + g[next_state], np.zeros(len(r)), horizon)[start]


@wrong("a1.q1", "terminal reward at every step")
def terminal_added_each_backup(next_state, r, g, start, horizon):
    V = g
    for _ in range(horizon):
        V = g + logsumexp(r + V[next_state], axis=1)
    return V[start]


@wrong("a1.q1", "terminal reward at every step")
def terminal_in_r_and_v(next_state, r, g, start, horizon):
    return backups(next_state, r + g[next_state], g, horizon)[start]


@wrong("a1.q1", "terminal reward at every step")
def terminal_where_acting(next_state, r, g, start, horizon):
    return backups(next_state, r + g[:, None], np.zeros(len(r)), horizon)[start]


@wrong("a1.q1", "terminal reward of the wrong state")
def terminal_of_start(next_state, r, g, start, horizon):
    return g[start] + backups(next_state, r, np.zeros(len(r)), horizon)[start]


@wrong("a1.q1", "terminal reward of the wrong state")
def terminal_before_last_action(next_state, r, g, start, horizon):
    V = logsumexp(r, axis=1) + g
    return backups(next_state, r, V, horizon - 1)[start]


@wrong("a1.q1", "Z, not log Z")
def no_log(next_state, r, g, start, horizon):
    return np.exp(backups(next_state, r, g, horizon)[start])


@wrong("a1.q1", "wrong sign")
def free_energy(next_state, r, g, start, horizon):
    return -backups(next_state, r, g, horizon)[start]


@wrong("a1.q1", "every start at once")
def all_values(next_state, r, g, start, horizon):
    return backups(next_state, r, g, horizon)


@wrong("a1.q1", "every start at once")
def sum_of_starts(next_state, r, g, start, horizon):
    return logsumexp(backups(next_state, r, g, horizon))


@wrong("a1.q1", "every start at once")
def whole_table(next_state, r, g, start, horizon):
    V = np.zeros((horizon + 1, len(g)))
    V[horizon] = g
    for t in range(horizon - 1, -1, -1):
        V[t] = logsumexp(r + V[t + 1][next_state], axis=1)
    return V


@wrong("a1.q1", "parallel actions lost")
def overwritten_matrix(next_state, r, g, start, horizon):
    S, A = r.shape
    M = np.full((S, S), -np.inf)
    for s in range(S):
        for a in range(A):
            M[s, next_state[s, a]] = r[s, a]
    V = g
    for _ in range(horizon):
        V = logsumexp(M + V, axis=1)
    return V[start]


@wrong("a1.q1", "parallel actions lost")
def fancy_matrix_in_probabilities(next_state, r, g, start, horizon):
    S = len(g)
    M = np.zeros((S, S))
    M[np.arange(S)[:, None], next_state] += np.exp(r)
    return np.log((np.linalg.matrix_power(M, horizon) @ np.exp(g))[start])


@wrong("a1.q1", "arrivals overwritten")
def forward_with_fancy_add(next_state, r, g, start, horizon):
    α = np.zeros(len(g))
    α[start] = 1
    for _ in range(horizon):
        β = np.zeros(len(g))
        β[next_state] += α[:, None] * np.exp(r)
        α = β
    return np.log(np.sum(α * np.exp(g)))


@wrong("a1.q1", "old and new values mixed")
def sweep_in_place(next_state, r, g, start, horizon):
    V = np.array(g, dtype=float)
    for _ in range(horizon):
        for s in range(len(V)):
            V[s] = logsumexp(r[s] + V[next_state[s]])
    return V[start]


@wrong("a1.q1", "inputs changed")
def writes_into_g(next_state, r, g, start, horizon):
    V = g
    for _ in range(horizon):
        V[:] = logsumexp(r + V[next_state], axis=1)
    return V[start]


@wrong("a1.q1", "inputs changed")
def adds_into_r(next_state, r, g, start, horizon):
    r += 0.5
    return backups(next_state, r, g, horizon)[start] - 0.5 * horizon


@wrong("a1.q1", "whole numbers")
def zeros_like_g(next_state, r, g, start, horizon):
    V, new = g.copy(), np.zeros_like(g)
    for _ in range(horizon):
        new[:] = logsumexp(r + V[next_state], axis=1)
        V = new.copy()
    return V[start]


@wrong("a1.q1", "nothing returned")
def forgets_to_return(next_state, r, g, start, horizon):
    backups(next_state, r, g, horizon)[start]


@wrong("a1.q1", "not the same twice")
def remembers(next_state, r, g, start, horizon, calls=[]):   # noqa: B006 (the mistake)
    calls.append(1)
    return backups(next_state, r, g, horizon)[start] + 0.01 * (len(calls) % 97)


@wrong("a1.q1", "terminal reward forgotten")
def best_session_without_its_end(next_state, r, g, start, horizon):
    V = np.zeros(len(r))
    for _ in range(horizon):
        V = (r + V[next_state]).max(axis=1)
    return V[start]


@wrong("a1.q1", "terminal reward forgotten")
def no_terminal_and_one_too_many(next_state, r, g, start, horizon):
    return backups(next_state, r, np.zeros(len(r)), horizon + 1)[start]


@wrong("a1.q1", "average reward")
def expected_reward_of_random_actions(next_state, r, g, start, horizon):
    V = g
    for _ in range(horizon):
        V = (r + V[next_state]).mean(axis=1)
    return V[start]


@wrong("a1.q1", "average reward")
def softmax_instead_of_logsumexp(next_state, r, g, start, horizon):
    V = g
    for _ in range(horizon):
        Q = r + V[next_state]
        V = (softmax(Q, axis=1) * Q).sum(axis=1)
    return V[start]


@wrong("a1.q1", "the shift is not put back")
def maximum_taken_out_and_lost(next_state, r, g, start, horizon):
    V = g
    for _ in range(horizon):
        Q = r + V[next_state]
        V = np.log(np.exp(Q - Q.max(axis=1, keepdims=True)).sum(axis=1))
    return V[start]


@wrong("a1.q1", "the shift is not put back")
def shift_put_back_once(next_state, r, g, start, horizon):
    return r.max() + backups(next_state, r - r.max(), g, horizon)[start]


@wrong("a1.q1", "start ignored")
def value_of_state_0(next_state, r, g, start, horizon):
    return backups(next_state, r, g, horizon)[0]


@wrong("a1.q1", "almost right")
def rounded(next_state, r, g, start, horizon):
    return round(float(backups(next_state, r, g, horizon)[start]), 4)


@wrong("a1.q1", "the same answer to different inputs")
def remembers_by_state_and_steps(next_state, r, g, start, horizon, memo={}):   # noqa: B006 (the mistake)
    def V(s, k):
        if k == 0:
            return g[s]
        if (s, k) not in memo:
            memo[s, k] = logsumexp(np.array([r[s, a] + V(n, k - 1) for a, n in enumerate(next_state[s])]))
        return memo[s, k]
    return V(start, horizon)


# ---------------------------------------------------------------- q2: soft Bellman with a reference policy

def planned(P, r, ref, horizon, backup, ahead=lambda P, V: P @ V):
    """V and π, where backup(Q, ref) gives V_t and π_t."""
    V, π = np.zeros((horizon + 1, len(r))), np.zeros((horizon, *r.shape))
    for t in range(horizon - 1, -1, -1):
        V[t], π[t] = backup(r + ahead(P, V[t + 1]), ref)
    return V, π


def right(Q, ref):
    with np.errstate(divide="ignore"):
        Q = Q + np.log(ref)
    return logsumexp(Q, axis=1), softmax(Q, axis=1)


@wrong("a1.q2", "log E e^V")
def optimistic(P, r, ref, horizon):
    return planned(P, r, ref, horizon, right, lambda P, V: logsumexp(V, axis=-1, b=P))


@wrong("a1.q2", "log E e^V")
def optimistic_naive(P, r, ref, horizon):
    return planned(P, r, ref, horizon, right, lambda P, V: np.log(P @ np.exp(V)))


@wrong("a1.q2", "stationary policy")
def first_policy_everywhere(P, r, ref, horizon):
    V, π = planned(P, r, ref, horizon, right)
    return V, np.stack([π[0]] * horizon)


@wrong("a1.q2", "stationary policy")
def last_policy_everywhere(P, r, ref, horizon):
    V, π = planned(P, r, ref, horizon, right)
    return V, np.stack([π[-1]] * horizon)


@wrong("a1.q2", "stationary policy")
def one_policy(P, r, ref, horizon):
    V = np.zeros((horizon + 1, len(r)))
    for t in range(horizon - 1, -1, -1):
        V[t], π = right(r + P @ V[t + 1], ref)
    return V, π


@wrong("a1.q2", "stationary policy")
def one_value_one_policy(P, r, ref, horizon):
    V = np.zeros(len(r))
    for _ in range(horizon):
        V, π = right(r + P @ V, ref)
    return V, π


@wrong("a1.q2", "time reversed")
def steps_to_go(P, r, ref, horizon):
    V, π = np.zeros((horizon + 1, len(r))), np.zeros((horizon, *r.shape))
    for t in range(horizon):
        V[t + 1], π[t] = right(r + P @ V[t], ref)
    return V, π


@wrong("a1.q2", "time reversed")
def appended_policies(P, r, ref, horizon):
    V, π = np.zeros((horizon + 1, len(r))), []
    for t in range(horizon - 1, -1, -1):
        V[t], now = right(r + P @ V[t + 1], ref)
        π.append(now)
    return V, np.array(π)


@wrong("a1.q2", "reference ignored")
def plain_entropy(P, r, ref, horizon):
    return planned(P, r, ref, horizon, lambda Q, ref: (logsumexp(Q, axis=1), softmax(Q, axis=1)))


@wrong("a1.q2", "reference ignored")
def uniform_reference(P, r, ref, horizon):
    return planned(P, r, np.full_like(ref, 1 / ref.shape[1]), horizon, right)


@wrong("a1.q2", "reference in V but not in π")
def softmax_policy(P, r, ref, horizon):
    return planned(P, r, ref, horizon, lambda Q, ref: (logsumexp(Q, axis=1, b=ref), softmax(Q, axis=1)))


@wrong("a1.q2", "reference in V but not in π")
def unnormalised_policy(P, r, ref, horizon):
    def backup(Q, ref):
        V = logsumexp(Q, axis=1, b=ref)
        return V, np.exp(Q - V[:, None])
    return planned(P, r, ref, horizon, backup)


@wrong("a1.q2", "reference in π but not in V")
def plain_value(P, r, ref, horizon):
    def backup(Q, ref):
        π = ref * np.exp(Q - Q.max(axis=1, keepdims=True))
        return logsumexp(Q, axis=1), π / π.sum(axis=1, keepdims=True)
    return planned(P, r, ref, horizon, backup)


@wrong("a1.q2", "reference in π but not in V")
def plain_value_unnormalised(P, r, ref, horizon):
    return planned(P, r, ref, horizon, lambda Q, ref: (logsumexp(Q, axis=1), ref * softmax(Q, axis=1)))


@wrong("a1.q2", "divided by the reference")
def divided(P, r, ref, horizon):
    def backup(Q, ref):
        Q = Q - np.log(ref)
        return logsumexp(Q, axis=1), softmax(Q, axis=1)
    return planned(P, r, ref, horizon, backup)


@wrong("a1.q2", "log of the reference missing")
def added_reference(P, r, ref, horizon):
    return planned(P, r, ref, horizon, lambda Q, ref: (logsumexp(Q + ref, axis=1), softmax(Q + ref, axis=1)))


@wrong("a1.q2", "KL missing from V")
def value_without_kl(P, r, ref, horizon):
    def backup(Q, ref):
        _, π = right(Q, ref)
        return (π * Q).sum(axis=1), π
    return planned(P, r, ref, horizon, backup)


@wrong("a1.q2", "V averages over the reference")
def expected_sarsa(P, r, ref, horizon):
    def backup(Q, ref):
        return (ref * Q).sum(axis=1), right(Q, ref)[1]
    return planned(P, r, ref, horizon, backup)


@wrong("a1.q2", "V averages over the reference")
def evaluates_reference(P, r, ref, horizon):
    return planned(P, r, ref, horizon, lambda Q, ref: ((ref * Q).sum(axis=1), ref))


@wrong("a1.q2", "hard max")
def greedy(P, r, ref, horizon):
    return planned(P, r, ref, horizon, lambda Q, ref: (Q.max(axis=1), np.eye(Q.shape[1])[Q.argmax(axis=1)]))


@wrong("a1.q2", "log E e^V")
def optimist_and_floor(P, r, ref, horizon):
    """Two slips at once: the second, a floor under log ref, shows only where actions are forbidden."""
    V, π = np.zeros((horizon + 1, len(r))), np.zeros((horizon, *r.shape))
    for t in reversed(range(horizon)):
        top = V[t + 1].max()
        Q = r + np.log(ref + 1e-300) + top + np.log(P @ np.exp(V[t + 1] - top))
        V[t] = logsumexp(Q, axis=1)
        π[t] = np.exp(Q - V[t][:, None])
    return V, π


@wrong("a1.q2", "hard max")
def max_with_reference_soft_policy(P, r, ref, horizon):
    with np.errstate(divide="ignore"):
        return planned(P, r, ref, horizon, lambda Q, ref: ((Q + np.log(ref)).max(axis=1), right(Q, ref)[1]))


@wrong("a1.q2", "hard max")
def max_value_soft_policy(P, r, ref, horizon):
    return planned(P, r, ref, horizon, lambda Q, ref: (Q.max(axis=1), right(Q, ref)[1]))


@wrong("a1.q2", "hard max")
def greedy_with_reference(P, r, ref, horizon):
    def backup(Q, ref):
        with np.errstate(divide="ignore"):
            Q = Q + np.log(ref)
        return Q.max(axis=1), np.eye(Q.shape[1])[Q.argmax(axis=1)]
    return planned(P, r, ref, horizon, backup)


@wrong("a1.q2", "one step too many")
def last_reward_in_v_end(P, r, ref, horizon):
    V, π = np.zeros((horizon + 1, len(r))), np.zeros((horizon, *r.shape))
    V[horizon] = right(r, ref)[0]
    for t in range(horizon - 1, -1, -1):
        V[t], π[t] = right(r + P @ V[t + 1], ref)
    return V, π


@wrong("a1.q2", "π from V[t], not V[t+1]")
def policy_afterwards(P, r, ref, horizon):
    V, _ = planned(P, r, ref, horizon, right)
    return V, np.array([right(r + P @ V[t], ref)[1] for t in range(horizon)])


@wrong("a1.q2", "π from V[t], not V[t+1]")
def policy_afterwards_unnormalised(P, r, ref, horizon):
    V, _ = planned(P, r, ref, horizon, right)
    return V, np.array([ref * np.exp(r + P @ V[t] - V[t][:, None]) for t in range(horizon)])


@wrong("a1.q2", "P transposed")
def p_transposed(P, r, ref, horizon):
    return planned(P, r, ref, horizon, right, lambda P, V: np.einsum("kas,k->sa", P, V))


@wrong("a1.q2", "normalised over states")
def softmax_axis_zero(P, r, ref, horizon):
    V, _ = planned(P, r, ref, horizon, right)
    with np.errstate(divide="ignore"):
        return V, np.array([softmax(np.log(ref) + r + P @ V[t + 1], axis=0) for t in range(horizon)])


@wrong("a1.q2", "log π, not π")
def log_policy(P, r, ref, horizon):
    V, π = planned(P, r, ref, horizon, right)
    with np.errstate(divide="ignore"):
        return V, np.log(π)


@wrong("a1.q2", "exp overflow")
def overflowing(P, r, ref, horizon):
    def backup(Q, ref):
        π = ref * np.exp(Q)
        Z = π.sum(axis=1, keepdims=True)
        return np.log(Z[:, 0]), π / Z
    return planned(P, r, ref, horizon, backup)


@wrong("a1.q2", "forbidden actions")
def log_of_a_bit_more(P, r, ref, horizon):
    return planned(P, r, ref + 1e-10, horizon, right)


@wrong("a1.q2", "forbidden actions")
def forbidden_ones_left_in(P, r, ref, horizon):
    return planned(P, r, np.where(ref == 0, 1 / ref.shape[1], ref), horizon, right)


@wrong("a1.q2", "forbidden actions")
def logs_multiplied(P, r, ref, horizon):
    def backup(Q, ref):
        π = softmax(Q + np.log(ref), axis=1)
        return (π * (Q - np.log(π / ref))).sum(axis=1), π          # 0 log 0
    return planned(P, r, ref, horizon, backup)


@wrong("a1.q2", "whole numbers")
def zeros_like_r(P, r, ref, horizon):
    V, π = np.zeros((horizon + 1, len(r))), np.zeros((horizon, *r.shape))
    for t in range(horizon - 1, -1, -1):
        Q = np.zeros_like(r)
        Q[:] = r + P @ V[t + 1]
        V[t], π[t] = right(Q, ref)
    return V, π


@wrong("a1.q2", "outputs in another order")
def policy_first(P, r, ref, horizon):
    V, π = planned(P, r, ref, horizon, right)
    return π, V


@wrong("a1.q2", "inputs changed")
def reward_overwritten(P, r, ref, horizon):
    r += np.log(np.maximum(ref, 1e-300))
    return planned(P, r, np.ones_like(ref), horizon, right)


@wrong("a1.q2", "forbidden actions")
def a_bit_more_than_zero(P, r, ref, horizon):
    return planned(P, r, np.maximum(ref, 1e-300), horizon, right)


@wrong("a1.q2", "forbidden actions")
def a_bit_more_everywhere(P, r, ref, horizon):
    return planned(P, r, ref + 1e-8, horizon, right)


@wrong("a1.q2", "forbidden actions")
def zero_times_infinity(P, r, ref, horizon):
    def backup(Q, ref):
        V = logsumexp(Q, axis=1, b=ref)
        return V, ref * np.exp(Q - V[:, None])
    return planned(P, r, ref, horizon, backup)


@wrong("a1.q2", "reference ignored")
def optimist_without_reference(P, r, ref, horizon):
    return planned(P, r, np.ones(r.shape), horizon, right, lambda P, V: logsumexp(V, axis=-1, b=P))


@wrong("a1.q2", "reference in π but not in V")
def entropy_in_v_for_kl(P, r, ref, horizon):
    def backup(Q, ref):
        _, π = right(Q, ref)
        return (π * Q - π * np.log(np.where(π > 0, π, 1))).sum(axis=1), π
    return planned(P, r, ref, horizon, backup)


@wrong("a1.q2", "log of the reference missing")
def reference_as_a_factor(P, r, ref, horizon):
    return planned(P, r, ref, horizon, lambda Q, ref: right(ref * Q, np.ones(ref.shape)))


@wrong("a1.q2", "reference counted twice")
def reference_once_more(P, r, ref, horizon):
    V, π = planned(P, r, ref, horizon, right)
    π = π * ref
    return V, π / π.sum(axis=-1, keepdims=True)


@wrong("a1.q2", "reference counted twice")
def log_reference_in_reward_and_in_q(P, r, ref, horizon):
    return planned(P, r + np.log(ref), ref, horizon, right)


@wrong("a1.q2", "wrong sign of KL")
def kl_added(P, r, ref, horizon):
    def backup(Q, ref):
        V, π = right(Q, ref)
        kl = (π * Q).sum(axis=1) - V
        return (π * Q).sum(axis=1) + kl, π
    return planned(P, r, ref, horizon, backup)


@wrong("a1.q2", "KL the wrong way round")
def kl_from_reference(P, r, ref, horizon):
    def backup(Q, ref):
        _, π = right(Q, ref)
        kl = np.where(ref > 0, ref * np.log(ref / π), 0).sum(axis=1)
        return (π * Q).sum(axis=1) - kl, π
    return planned(P, r, ref, horizon, backup)


@wrong("a1.q2", "forward in time")
def loop_upward(P, r, ref, horizon):
    V, π = np.zeros((horizon + 1, len(r))), np.zeros((horizon, *r.shape))
    for t in range(horizon):
        V[t], π[t] = right(r + P @ V[t + 1], ref)
    return V, π


@wrong("a1.q2", "t = 0 left out")
def range_to_one(P, r, ref, horizon):
    V, π = np.zeros((horizon + 1, len(r))), np.zeros((horizon, *r.shape))
    for t in range(horizon - 1, 0, -1):
        V[t], π[t] = right(r + P @ V[t + 1], ref)
    return V, π


@wrong("a1.q2", "last row missing")
def without_v_end(P, r, ref, horizon):
    V, π = planned(P, r, ref, horizon, right)
    return V[:horizon], π


@wrong("a1.q2", "normalised over states")
def softmax_over_everything(P, r, ref, horizon):
    V, _ = planned(P, r, ref, horizon, right)
    with np.errstate(divide="ignore"):
        return V, np.array([softmax(np.log(ref) + r + P @ V[t + 1], axis=(0, 1)) for t in range(horizon)])


@wrong("a1.q2", "almost right")
def single_precision_inside(P, r, ref, horizon):
    V, π = planned(P, r, ref, horizon, lambda Q, ref: right(Q.astype(np.float32), ref.astype(np.float32)))
    return V, π


# ---------------------------------------------------------------- q3: visitation with stopping

def forward(P, p0, π, move):
    """d, where move(d_t, π_t) gives d_{t+1}."""
    d = np.zeros(π.shape[:2])
    d[0] = p0
    for t in range(len(π) - 1):
        d[t + 1] = move(d[t], π[t])
    return d


@wrong("a1.q3", "stop ignored")
def never_stops(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", d, π, P))


@wrong("a1.q3", "stop of the state entered")
def stops_on_entering(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", d, π, P) * (1 - stop))


@wrong("a1.q3", "stopped before acting")
def stops_first(P, p0, π, stop):
    d = np.zeros(π.shape[:2])
    d[0] = p0 * (1 - stop)
    for t in range(1, len(π)):
        d[t] = np.einsum("s,sa,sak->k", d[t - 1], π[t - 1], P) * (1 - stop)
    return d


@wrong("a1.q3", "stop and go swapped")
def stop_as_go(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", stop * d, π, P))


@wrong("a1.q3", "stop without memory")
def discounted_by_present_state(P, p0, π, stop):
    return never_stops(P, p0, π, stop) * (1 - stop) ** np.arange(len(π))[:, None]


@wrong("a1.q3", "stop without memory")
def stops_only_once(P, p0, π, stop):
    d = never_stops(P, p0, π, stop)
    d[1:] *= 1 - stop
    return d


@wrong("a1.q3", "one stop for all states")
def average_stop(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: (1 - stop.mean()) * np.einsum("s,sa,sak->k", d, π, P))


@wrong("a1.q3", "stopped sessions still counted")
def stops_means_stays(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", (1 - stop) * d, π, P) + stop * d)


@wrong("a1.q3", "stopped sessions still counted")
def heap_of_stopped(P, p0, π, stop):
    going, ended, d = p0.astype(float), np.zeros(len(p0)), np.zeros(π.shape[:2])
    for t in range(len(π)):
        d[t] = going + ended
        ended = ended + stop * going
        going = np.einsum("s,sa,sak->k", (1 - stop) * going, π[t], P)
    return d


@wrong("a1.q3", "P transposed")
def p_the_other_way(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("s,sa,kas->k", (1 - stop) * d, π, P))


@wrong("a1.q3", "P transposed")
def p_and_policy_of_the_next_state(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("k,sa,sak->s", (1 - stop) * d, π, P))


@wrong("a1.q3", "normalised")
def normalised_each_step(P, p0, π, stop):
    def move(d, π):
        d = np.einsum("s,sa,sak->k", (1 - stop) * d, π, P)
        return d / d.sum()
    return forward(P, p0, π, move)


@wrong("a1.q3", "normalised")
def normalised_to_one(P, p0, π, stop):
    d = forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", (1 - stop) * d, π, P))
    return d / d.sum()


@wrong("a1.q3", "normalised")
def divided_by_horizon(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", (1 - stop) * d, π, P)) / len(π)


@wrong("a1.q3", "stationary")
def first_policy_only(P, p0, π, stop):
    return forward(P, p0, π, lambda d, _: np.einsum("s,sa,sak->k", (1 - stop) * d, π[0], P))


@wrong("a1.q3", "stationary")
def mean_policy(P, p0, π, stop):
    return forward(P, p0, π, lambda d, _: np.einsum("s,sa,sak->k", (1 - stop) * d, π.mean(axis=0), P))


@wrong("a1.q3", "stationary")
def same_row_each_time(P, p0, π, stop):
    d = forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", (1 - stop) * d, π, P))
    return np.tile(d.mean(axis=0), (len(π), 1))


@wrong("a1.q3", "stationary")
def summed_over_time(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", (1 - stop) * d, π, P)).sum(axis=0)


@wrong("a1.q3", "stationary")
def power_iteration(P, p0, π, stop):
    M = np.einsum("sa,sak->sk", π.mean(axis=0), P)
    d = np.full(len(p0), 1 / len(p0))
    for _ in range(1000):
        d = d @ M
    return np.tile(d, (len(π), 1))


@wrong("a1.q3", "uniform start")
def uniform_start(P, p0, π, stop):
    return forward(P, np.full(len(p0), 1 / len(p0)), π, lambda d, π: np.einsum("s,sa,sak->k", (1 - stop) * d, π, P))


@wrong("a1.q3", "π one step late")
def next_policy(P, p0, π, stop):
    d = np.zeros(π.shape[:2])
    d[0] = p0
    for t in range(1, len(π)):
        d[t] = np.einsum("s,sa,sak->k", (1 - stop) * d[t - 1], π[t], P)
    return d


@wrong("a1.q3", "π ignored")
def all_actions_alike(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: ((1 - stop) * d) @ P.mean(axis=1))


@wrong("a1.q3", "π ignored")
def all_actions_added(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("s,sak->k", (1 - stop) * d, P))


@wrong("a1.q3", "first row missing")
def moves_first(P, p0, π, stop):
    d = np.zeros(π.shape[:2])
    for t in range(len(π)):
        d[t] = np.einsum("s,sa,sak->k", (1 - stop) * (p0 if t == 0 else d[t - 1]), π[t], P)
    return d


@wrong("a1.q3", "one row too many")
def states_of_the_session(P, p0, π, stop):
    d = np.zeros((len(π) + 1, len(p0)))
    d[0] = p0
    for t in range(len(π)):
        d[t + 1] = np.einsum("s,sa,sak->k", (1 - stop) * d[t], π[t], P)
    return d


@wrong("a1.q3", "time reversed")
def backwards(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", (1 - stop) * d, π, P))[::-1]


@wrong("a1.q3", "state-action occupancy")
def with_actions(P, p0, π, stop):
    d = forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", (1 - stop) * d, π, P))
    return d[:, :, None] * π


@wrong("a1.q3", "axes in another order")
def states_first(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", (1 - stop) * d, π, P)).T


@wrong("a1.q3", "whole numbers")
def zeros_like_p0(P, p0, π, stop):
    d = np.array([np.zeros_like(p0) for _ in π])
    d[0] = p0
    for t in range(len(π) - 1):
        d[t + 1] = np.einsum("s,sa,sak->k", (1 - stop) * d[t], π[t], P)
    return d


@wrong("a1.q3", "inputs changed")
def p0_reused(P, p0, π, stop):
    stop *= -1
    stop += 1
    return forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", stop * d, π, P))


@wrong("a1.q3", "stop ignored")
def stop_ignored_and_p_transposed(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("s,sa,kas->k", d, π, P))


@wrong("a1.q3", "stop ignored")
def stop_ignored_and_one_row_too_many(P, p0, π, stop):
    d = [p0]
    for now in π:
        d.append(np.einsum("s,sa,sak->k", d[-1], now, P))
    return np.array(d)


@wrong("a1.q3", "P transposed")
def pulls_like_a_value(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: (1 - stop) * np.einsum("sa,sak,k->s", π, P, d))


@wrong("a1.q3", "arrivals overwritten")
def assigns_in_the_loop_over_states(P, p0, π, stop):
    def move(d, π):
        for s in range(len(d)):
            new = (1 - stop[s]) * d[s] * π[s] @ P[s]
        return new
    return forward(P, p0, π, move)


@wrong("a1.q3", "arrivals overwritten")
def assigns_in_all_loops(P, p0, π, stop):
    def move(d, π):
        new = np.zeros(len(d))
        for s, a, k in np.ndindex(P.shape):
            new[k] = (1 - stop[s]) * d[s] * π[s, a] * P[s, a, k]
        return new
    return forward(P, p0, π, move)


@wrong("a1.q3", "one array for all rows")
def appends_one_array(P, p0, π, stop):
    now, d = p0.astype(float), []
    for t in range(len(π)):
        d.append(now)
        now[:] = np.einsum("s,sa,sak->k", (1 - stop) * now, π[t], P)
    return d


@wrong("a1.q3", "whole numbers")
def zeros_like_policy(P, p0, π, stop):
    d = np.zeros_like(π[:, :, 0])
    d[0] = p0
    for t in range(len(π) - 1):
        d[t + 1] = np.einsum("s,sa,sak->k", (1 - stop) * d[t], π[t], P)
    return d


@wrong("a1.q3", "almost right")
def rounded_to_four_digits(P, p0, π, stop):
    return forward(P, p0, π, lambda d, π: np.einsum("s,sa,sak->k", (1 - stop) * d, π, P)).round(4)


# ---------------------------------------------------------------- q4: the gradient, unequal lengths

def soft_policy(P, r, horizon, ahead=lambda P, V: P @ V):
    V, π, values = np.zeros(len(r)), [], []
    for _ in range(horizon):
        values.append(V)
        Q = r + ahead(P, V)
        V = logsumexp(Q, axis=1)
        π.append(np.exp(Q - V[:, None]))
    return np.array(π[::-1]), np.array(values[::-1])          # values[t] = V_{t+1}


def model(features, P, p0, π):
    """Expected features of a policy π (h, S, A)."""
    d, total = p0, 0
    for now in π:
        m = d[:, None] * now
        total = total + np.einsum("sa,sak->k", m, features)
        d = np.einsum("sa,sak->k", m, P)
    return total


def shown(features, s, a, h):
    return features[s[:h], a[:h]].sum(axis=0)


def both(θ, features, P, p0, states, actions, lengths):
    """Shown and expected features of each demonstration, (N, K) each."""
    f = np.array([shown(features, s, a, h) for s, a, h in zip(states, actions, lengths, strict=True)])
    m = np.array([model(features, P, p0, soft_policy(P, features @ θ, h)[0]) for h in lengths])
    return f, m


@wrong("a1.q4", "wrong sign")
def model_minus_data(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P, p0, states, actions, lengths)
    return (m - f).mean(axis=0)


@wrong("a1.q4", "log E e^V")
def algorithm_1(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    m = [model(features, P, p0, soft_policy(P, features @ θ, h, lambda P, V: logsumexp(V, axis=-1, b=P))[0])
         for h in lengths]
    return (f - np.array(m)).mean(axis=0)


def optimist(θ, features, P, p0, h, optimistic_backup):
    ahead = (lambda P, V: logsumexp(V, axis=-1, b=P)) if optimistic_backup else (lambda P, V: P @ V)
    π, V = soft_policy(P, features @ θ, h, ahead)
    d, total = p0, 0
    for t in range(h):
        m = d[:, None] * π[t]
        total = total + np.einsum("sa,sak->k", m, features)
        d = np.einsum("sa,sak->k", m, softmax(np.log(np.maximum(P, 1e-300)) + V[t], axis=-1))
    return total


@wrong("a1.q4", "optimistic dynamics")
def likelihood_of_2008(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    return (f - [optimist(θ, features, P, p0, h, True) for h in lengths]).mean(axis=0)


@wrong("a1.q4", "optimistic dynamics")
def tilted_forward_only(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    return (f - [optimist(θ, features, P, p0, h, False) for h in lengths]).mean(axis=0)


@wrong("a1.q4", "uniform start")
def starts_anywhere(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P, np.ones(len(p0)) / len(p0), states, actions, lengths)
    return (f - m).mean(axis=0)


@wrong("a1.q4", "starts of the demonstrations")
def empirical_start(θ, features, P, p0, states, actions, lengths):
    starts = np.bincount(states[:, 0], minlength=len(p0)) / len(states)
    f, m = both(θ, features, P, starts, states, actions, lengths)
    return (f - m).mean(axis=0)


@wrong("a1.q4", "starts of the demonstrations")
def own_start(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    m = [model(features, P, np.eye(len(p0))[s[0]], soft_policy(P, features @ θ, h)[0])
         for s, h in zip(states, lengths, strict=True)]
    return (f - np.array(m)).mean(axis=0)


def with_one_horizon(h, θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    return f.mean(axis=0) - model(features, P, p0, soft_policy(P, features @ θ, h)[0])


@wrong("a1.q4", "one horizon for all")
def longest_for_all(θ, features, P, p0, states, actions, lengths):
    return with_one_horizon(max(lengths), θ, features, P, p0, states, actions, lengths)


@wrong("a1.q4", "one horizon for all")
def padded_length_for_all(θ, features, P, p0, states, actions, lengths):
    return with_one_horizon(states.shape[1], θ, features, P, p0, states, actions, lengths)


@wrong("a1.q4", "one horizon for all")
def mean_length_for_all(θ, features, P, p0, states, actions, lengths):
    return with_one_horizon(int(lengths.mean()), θ, features, P, p0, states, actions, lengths)


@wrong("a1.q4", "one horizon for all")
def rounded_mean_for_all(θ, features, P, p0, states, actions, lengths):
    return with_one_horizon(round(lengths.mean()), θ, features, P, p0, states, actions, lengths)


@wrong("a1.q4", "one horizon for all")
def first_length_for_all(θ, features, P, p0, states, actions, lengths):
    return with_one_horizon(lengths[0], θ, features, P, p0, states, actions, lengths)


@wrong("a1.q4", "policy of the longest horizon")
def cut_policy(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    π, _ = soft_policy(P, features @ θ, max(lengths))
    return (f - np.array([model(features, P, p0, π[:h]) for h in lengths])).mean(axis=0)


@wrong("a1.q4", "averaged over steps")
def features_per_step(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P, p0, states, actions, lengths)
    return ((f - m) / lengths[:, None]).mean(axis=0)


@wrong("a1.q4", "averaged over steps")
def shown_per_step(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P, p0, states, actions, lengths)
    return (f / lengths[:, None] - m).mean(axis=0)


@wrong("a1.q4", "averaged over steps")
def pooled_steps(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P, p0, states, actions, lengths)
    return (f - m).sum(axis=0) / lengths.sum()


@wrong("a1.q4", "sum, not mean")
def summed(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P, p0, states, actions, lengths)
    return (f - m).sum(axis=0)


@wrong("a1.q4", "sum, not mean")
def shown_summed(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P, p0, states, actions, lengths)
    return f.sum(axis=0) - m.mean(axis=0)


@wrong("a1.q4", "padding counted")
def no_mask(θ, features, P, p0, states, actions, lengths):
    _, m = both(θ, features, P, p0, states, actions, lengths)
    return (features[states, actions].sum(axis=1) - m).mean(axis=0)


@wrong("a1.q4", "padding counted")
def no_mask_one_horizon(θ, features, P, p0, states, actions, lengths):
    m = model(features, P, p0, soft_policy(P, features @ θ, states.shape[1])[0])
    return (features[states, actions].sum(axis=1) - m).mean(axis=0)


@wrong("a1.q4", "one step too many")
def counts_the_end(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    _, m = both(θ, features, P, p0, states, actions, lengths + 1)
    return (f - m).mean(axis=0)


@wrong("a1.q4", "one step short")
def last_step_dropped(θ, features, P, p0, states, actions, lengths):
    _, m = both(θ, features, P, p0, states, actions, lengths)
    f = np.array([shown(features, s, a, h - 1) for s, a, h in zip(states, actions, lengths, strict=True)])
    return (f - m).mean(axis=0)


@wrong("a1.q4", "one step short")
def model_short(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    m = np.array([np.zeros(len(θ)) + model(features, P, p0, soft_policy(P, features @ θ, h - 1)[0]) for h in lengths])
    return (f - m).mean(axis=0)


@wrong("a1.q4", "stationary")
def first_policy_kept(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    m = [model(features, P, p0, [soft_policy(P, features @ θ, h)[0][0]] * h) for h in lengths]
    return (f - np.array(m)).mean(axis=0)


@wrong("a1.q4", "stationary")
def myopic_policy(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    m = [model(features, P, p0, [softmax(features @ θ, axis=1)] * h) for h in lengths]
    return (f - np.array(m)).mean(axis=0)


@wrong("a1.q4", "hard max")
def greedy_model(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    V, π = np.zeros(len(p0)), []
    for _ in range(max(lengths)):
        Q = features @ θ + P @ V
        V = Q.max(axis=1)
        π.insert(0, np.eye(Q.shape[1])[Q.argmax(axis=1)])
    return (f - np.array([model(features, P, p0, π[len(π) - h:]) for h in lengths])).mean(axis=0)


@wrong("a1.q4", "policy ignored")
def random_actions(θ, features, P, p0, states, actions, lengths):
    f, m = both(0 * θ, features, P, p0, states, actions, lengths)
    return (f - m).mean(axis=0)


@wrong("a1.q4", "half of the gradient")
def only_shown(θ, features, P, p0, states, actions, lengths):
    return both(θ, features, P, p0, states, actions, lengths)[0].mean(axis=0)


@wrong("a1.q4", "half of the gradient")
def only_expected(θ, features, P, p0, states, actions, lengths):
    return both(θ, features, P, p0, states, actions, lengths)[1].mean(axis=0)


@wrong("a1.q4", "one row for each demonstration")
def not_averaged(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P, p0, states, actions, lengths)
    return f - m


@wrong("a1.q4", "the value, not its gradient")
def likelihood(θ, features, P, p0, states, actions, lengths):
    total = 0
    for s, a, h in zip(states, actions, lengths, strict=True):
        V = np.zeros(len(p0))
        for _ in range(h):
            V = logsumexp(features @ θ + P @ V, axis=1)
        total += θ @ shown(features, s, a, h) - p0 @ V
    return total / len(lengths)


@wrong("a1.q4", "P transposed")
def p_flipped(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P.transpose(2, 1, 0), p0, states, actions, lengths)
    return (f - m).mean(axis=0)


@wrong("a1.q4", "exp overflow")
def overflowing_model(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    z, π = np.ones(len(p0)), []
    for _ in range(max(lengths)):
        q = np.exp(features @ θ + P @ np.log(z))
        z = q.sum(axis=1)
        π.insert(0, q / z[:, None])
    return (f - np.array([model(features, P, p0, π[len(π) - h:]) for h in lengths])).mean(axis=0)


@wrong("a1.q4", "inputs changed")
def masks_in_place(θ, features, P, p0, states, actions, lengths):
    states[states < 0] = 0
    f, m = both(θ, features, P, p0, states, actions, lengths)
    return (f - m).mean(axis=0)


@wrong("a1.q4", "wrong sign")
def summed_model_minus_data(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P, p0, states, actions, lengths)
    return (m - f).sum(axis=0)


@wrong("a1.q4", "policy reversed in time")
def policy_list_not_reversed(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    m = [model(features, P, p0, soft_policy(P, features @ θ, h)[0][::-1]) for h in lengths]
    return (f - np.array(m)).mean(axis=0)


@wrong("a1.q4", "one demonstration only")
def overwrites_the_gradient(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P, p0, states, actions, lengths)
    for i in range(len(lengths)):
        gradient = f[i] - m[i]
    return gradient / len(lengths)


@wrong("a1.q4", "one demonstration only")
def returns_in_the_loop(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P, p0, states, actions, lengths)
    for i in range(len(lengths)):
        return f[i] - m[i]


@wrong("a1.q4", "each length once")
def set_of_lengths(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    m = [model(features, P, p0, soft_policy(P, features @ θ, h)[0]) for h in sorted(set(lengths.tolist()))]
    return f.mean(axis=0) - np.mean(m, axis=0)


@wrong("a1.q4", "padding counted")
def padding_as_number_0(θ, features, P, p0, states, actions, lengths):
    _, m = both(θ, features, P, p0, states, actions, lengths)
    return (features[np.maximum(states, 0), np.maximum(actions, 0)].sum(axis=1) - m).mean(axis=0)


@wrong("a1.q4", "number 0 masked away")
def masks_state_0(θ, features, P, p0, states, actions, lengths):
    _, m = both(θ, features, P, p0, states, actions, lengths)
    f = np.where((states > 0)[:, :, None], features[states, actions], 0).sum(axis=1)
    return (f - m).mean(axis=0)


@wrong("a1.q4", "number 0 masked away")
def masks_action_0(θ, features, P, p0, states, actions, lengths):
    _, m = both(θ, features, P, p0, states, actions, lengths)
    f = np.where((actions > 0)[:, :, None], features[states, actions], 0).sum(axis=1)
    return (f - m).mean(axis=0)


@wrong("a1.q4", "stops after one action")
def stop_of_ones(θ, features, P, p0, states, actions, lengths):
    f, _ = both(θ, features, P, p0, states, actions, lengths)
    m = [model(features, P, p0, soft_policy(P, features @ θ, h)[0][:1]) for h in lengths]
    return (f - np.array(m)).mean(axis=0)


@wrong("a1.q4", "states of the demonstrations")
def gradient_of_behaviour_cloning(θ, features, P, p0, states, actions, lengths):
    total = np.zeros(len(θ))
    for s, a, h in zip(states, actions, lengths, strict=True):
        π, _ = soft_policy(P, features @ θ, h)
        for t in range(h):
            total += features[s[t], a[t]] - π[t, s[t]] @ features[s[t]]
    return total / len(lengths)


@wrong("a1.q4", "whole numbers")
def zeros_like_θ(θ, features, P, p0, states, actions, lengths):
    f, m = both(θ, features, P, p0, states, actions, lengths)
    gradient = np.zeros_like(θ)
    gradient[:] = (f - m).mean(axis=0)
    return gradient


@wrong("a1.q4", "almost right")
def coarse_differences(θ, features, P, p0, states, actions, lengths):
    rest, ε = (features, P, p0, states, actions, lengths), 0.003
    return np.array([(likelihood(θ + ε * e, *rest) - likelihood(θ - ε * e, *rest)) / (2 * ε) for e in np.eye(len(θ))])
