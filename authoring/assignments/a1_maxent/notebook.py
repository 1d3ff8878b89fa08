# %% [markdown]
# # Assignment a1: build maximum entropy IRL from its four parts
#
# **What you will do.** Write the four functions that tabular maximum entropy inverse reinforcement learning is made of:
# a partition function, a soft Bellman backup, a forward pass, and the gradient that puts them together. At the end
# they recover the reward of a small world from demonstrations.
#
# **Why.** In the lectures you read and ran these functions. Here each one has a twist that the lectures do not have
# (a terminal reward, a reference policy, sessions that stop, demonstrations of unequal lengths), so each asks you to
# go back to the equation.
#
# **What you need.** Lectures 01–03. NumPy. About two hours.

# %% [markdown]
# ## How this works
#
# - Write your answer where it says `raise NotImplementedError`. Keep the function's name and its arguments.
# - Run the check below your answer. It tries your function on many small random instances and compares it with a slow
#   calculation from the definition. If something is wrong, the card shows the smallest instance that went wrong, and
#   it names the mistake if it is a known one. Try as often as you like.
# - **More tests run at grading**, on other instances: larger worlds, a single state, a horizon of one, impossible
#   moves, huge rewards, arrays of integers or of single precision. All of them follow the definitions below.
# - Write with NumPy and SciPy, and with your own functions from this notebook, and compute in double precision, as
#   NumPy does by itself. An answer that imports a solver from `course_utils` earns no points.
# - The hints unfold one by one, from a nudge to nearly everything. Try before you look.
#
# **Notation.** States $s$ and actions $a$ are numbered from 0. $S$ states, $A$ actions, horizon $H$: a session takes
# exactly $H$ actions $a_0, \dots, a_{H-1}$, unless stated otherwise. Axes: `P[s, a, s']`, `r[s, a]`, `π[t, s, a]`,
# `d[t, s]`.

# %%
import numpy as np
from scipy.special import logsumexp

from course_utils.checks import check, unfinished_ok

# %% [markdown]
# ## 1. The sum over all sessions
#
# @question a1.q1
#
# The world is deterministic: action $a$ in state $s$ leads to $n(s, a)$. A session starts in a fixed state $s_0$, takes
# $H$ actions, and earns a reward for each of them and a **terminal reward** $g$ for the state in which it ends:
#
# $$
# \log Z \;=\; \log \sum_{a_0, \dots, a_{H-1}} \exp\Big( \sum_{t=0}^{H-1} r(s_t, a_t) + g(s_H) \Big),
# \qquad s_{t+1} = n(s_t, a_t).
# \tag{1}
# $$
#
# The sum runs over all $A^H$ sequences of actions. Two actions that lead to the same state are two different sessions.
# You have no time for $A^H$ terms: at grading, $H$ may be 200. And rewards may be near 1000 or −1000, where $e^r$ is
# infinite or zero for a computer.

# %% question="a1.q1"
def log_partition(next_state: np.ndarray, r: np.ndarray, g: np.ndarray, start: int, horizon: int) -> float:
    """log Z of equation (1), by dynamic programming.

    next_state  (S, A) integers: the state to which action a leads from s
    r           (S, A) reward of each action
    g           (S,)   reward for ending the session in s
    start       the state s_0
    horizon     the number of actions H ≥ 1
    """
    ### BEGIN SOLUTION
    V = g
    for _ in range(horizon):
        V = logsumexp(r + V[next_state], axis=1)
    return V[start]
    ### END SOLUTION


# %%
check("a1.q1", log_partition)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Let $V_k(s)$ be the log of the sum over all sessions that start in $s$ and take $k$ more actions. What is $V_0(s)$?
# Which $V_k(s)$ is the answer?
# </details>
#
# <details><summary>Hint 2: one step</summary>
#
# Split the sum by the first action: every session from $s$ earns $r(s, a)$ once and goes on from $n(s, a)$, so
# $e^{V_{k+1}(s)} = \sum_a e^{r(s,a)} \, e^{V_k(n(s,a))}$.
# </details>
#
# <details><summary>Hint 3: nearly everything</summary>
#
# `V[next_state]` has shape `(S, A)`. `logsumexp(x, axis=1)` from SciPy adds up $e^x$ over actions and takes the log,
# and does not overflow. Start with $V_0 = g$ and do this $H$ times.
# </details>

# %% [markdown]
# ## 2. Soft planning with a habit
#
# @question a1.q2
#
# In the lectures the agent liked entropy. Now it has a habit instead, a **reference policy** $\mathrm{ref}(a\mid s)$,
# and it pays for leaving it. The world is stochastic, and the agent maximises
#
# $$
# J(\pi) \;=\; \mathbb{E}_\pi \sum_{t=0}^{H-1} \Big[ r(s_t, a_t)
# {} - \log \frac{\pi_t(a_t \mid s_t)}{\mathrm{ref}(a_t \mid s_t)} \Big],
# \tag{2}
# $$
#
# that is, expected reward minus the Kullback–Leibler divergence from the habit, added up over the session. (With a
# language model as the habit, this is the objective of RLHF.) Let $V_t(s)$ be the largest value that the terms
# $t, \dots, H-1$ of (2) can have when $s_t = s$, so $V_H = 0$, and let $\pi_t(\cdot \mid s)$ be the policy that attains
# it. An action with $\mathrm{ref}(a \mid s) = 0$ is forbidden: it would cost infinitely much.

# %% question="a1.q2"
def soft_bellman(P: np.ndarray, r: np.ndarray, ref: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """V (H+1, S) and π (H, S, A) that maximise equation (2), for every t and s.

    P        (S, A, S) P[s, a, s'] is the probability to go from s by a to s'
    r        (S, A)    reward
    ref      (S, A)    the reference policy; every row sums to one, zeros are allowed
    horizon  the number of actions H ≥ 1
    """
    ### BEGIN SOLUTION
    V, π = np.zeros((horizon + 1, len(r))), np.zeros((horizon, *r.shape))
    with np.errstate(divide="ignore"):
        log_ref = np.log(ref)                        # -inf where an action is forbidden
    for t in reversed(range(horizon)):
        Q = r + log_ref + P @ V[t + 1]
        V[t] = logsumexp(Q, axis=1)
        π[t] = np.exp(Q - V[t][:, None])
    return V, π
    ### END SOLUTION


# %%
check("a1.q2", soft_bellman)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Go backward in time from $V_H = 0$. For one $t$ and $s$ the unknown is a single distribution $p(a) = \pi_t(a \mid s)$.
# Write down what it maximises. Who decides $a$, and who decides $s'$?
# </details>
#
# <details><summary>Hint 2: one step</summary>
#
# $V_t(s) = \max_p \sum_a p(a) \big[ Q_t(s,a) - \log p(a) + \log \mathrm{ref}(a \mid s) \big]$ with
# $Q_t(s,a) = r(s,a) + \sum_{s'} P(s' \mid s,a) V_{t+1}(s')$. So $\log \mathrm{ref}$ is just one more reward, and what
# remains is the entropy problem of lecture 02.
# </details>
#
# <details><summary>Hint 3: nearly everything</summary>
#
# $V_t(s) = \log \sum_a \mathrm{ref}(a \mid s) \, e^{Q_t(s,a)}$ and
# $\pi_t(a \mid s) = \mathrm{ref}(a \mid s) \, e^{Q_t(s,a) - V_t(s)}$. `P @ V[t + 1]` is the expectation, of shape
# `(S, A)`. Add $\log \mathrm{ref}$ to $Q$ before you exponentiate, so that a forbidden action is $e^{-\infty} = 0$
# however large its reward.
# </details>

# %% [markdown]
# ## 3. Where the sessions are
#
# @question a1.q3
#
# A session starts in $s_0 \sim p_0$. At $t = 0, 1, \dots, H-1$ it takes an action $a_t \sim \pi_t(\cdot \mid s_t)$.
# **After each action** it ends with probability $\mathrm{stop}(s_t)$, where $s_t$ is the state in which that action was
# taken; otherwise it moves to $s_{t+1} \sim P(\cdot \mid s_t, a_t)$ and goes on. Let
#
# $$
# d_t(s) \;=\; \Pr\big(\text{the session takes an action at time } t \text{, in state } s\big).
# \tag{3}
# $$
#
# So $d_0 = p_0$, and $\sum_s d_t(s) \le 1$ is the probability that the session is still going at time $t$.

# %% question="a1.q3"
def visitation(P: np.ndarray, p0: np.ndarray, π: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """d (H, S) of equation (3).

    P     (S, A, S) P[s, a, s'] is the probability to go from s by a to s', if the session goes on
    p0    (S,)      distribution of the first state
    π     (H, S, A) π[t, s, a] is the probability of action a in state s at time t; H ≥ 1
    stop  (S,)      probability that the session ends after an action taken in s
    """
    ### BEGIN SOLUTION
    d = np.zeros(π.shape[:2])
    d[0] = p0
    for t in range(len(π) - 1):
        d[t + 1] = np.einsum("s,sa,sak->k", (1 - stop) * d[t], π[t], P)
    return d
    ### END SOLUTION


# %%
check("a1.q3", visitation)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# $d_0 = p_0$ is the first of the $H$ rows. Express $d_1(s')$ by $d_0$: along which ways can a session arrive in $s'$?
# </details>
#
# <details><summary>Hint 2: one step</summary>
#
# A session that acts at $t+1$ in $s'$ was in some $s$ at $t$, took some $a$, did not end, and moved to $s'$: four
# factors, summed over $s$ and $a$. Which of them depends on time?
# </details>
#
# <details><summary>Hint 3: nearly everything</summary>
#
# $d_{t+1}(s') = \sum_{s,a} d_t(s) \, (1 - \mathrm{stop}(s)) \, \pi_t(a \mid s) \, P(s' \mid s, a)$ for
# $t = 0, \dots, H-2$. `np.einsum("s,sa,sak->k", x, π[t], P)` does the double sum.
# </details>

# %% [markdown]
# ## 4. The gradient
#
# @question a1.q4
#
# The reward is linear, $r_\theta(s,a) = \theta \cdot f(s,a)$ with $K$ features. There are $N$ demonstrations of
# **unequal lengths**: demonstration $\tau_i$ takes $h_i$ actions, and its expert knew that from the start, so it
# followed the soft-optimal policy of horizon $h_i$ (with the entropy bonus of the lectures, no reference policy;
# sessions do not stop). The world is stochastic and sessions start from $p_0$. Let $V_0^{(h)}$ be the soft value at
# time 0 with horizon $h$. The objective is the mean over demonstrations, and you are asked for its gradient:
#
# $$
# L(\theta) = \frac1N \sum_{i=1}^N \Big[ \theta \cdot f(\tau_i) - \mathbb{E}_{s \sim p_0} V_0^{(h_i)}(s) \Big],
# \qquad
# \nabla L = \frac1N \sum_{i=1}^N \Big[ f(\tau_i)
# {} - \mathbb{E}_{p_0,\, \pi^{(h_i)}} \sum_{t=0}^{h_i-1} f(s_t, a_t) \Big],
# \tag{4}
# $$
#
# where $f(\tau_i) = \sum_{t=0}^{h_i-1} f(s_t, a_t)$ adds up the features of demonstration $i$: a sum over its steps,
# not a mean.

# %% question="a1.q4"
def maxent_gradient(θ: np.ndarray, features: np.ndarray, P: np.ndarray, p0: np.ndarray,
                    states: np.ndarray, actions: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The gradient (K,) of equation (4). You may call your own soft_bellman and visitation.

    θ         (K,)       weights of the reward
    features  (S, A, K)  f(s, a)
    P, p0     (S, A, S) and (S,), as before
    states    (N, L)     states[i, t] is s_t of demonstration i for t < lengths[i], and -1 after its end
    actions   (N, L)     actions[i, t] likewise
    lengths   (N,)       the number of actions h_i ≥ 1 of each demonstration, at most L
    """
    ### BEGIN SOLUTION
    S, A, _ = features.shape
    gradient = np.zeros(len(θ))
    for s, a, h in zip(states, actions, lengths, strict=True):
        _, π = soft_bellman(P, features @ θ, np.full((S, A), 1 / A), h)
        d = visitation(P, p0, π, np.zeros(S))
        gradient += features[s[:h], a[:h]].sum(axis=0) - np.einsum("ts,tsa,sak->k", d, π, features)
    return gradient / len(lengths)
    ### END SOLUTION


# %%
check("a1.q4", maxent_gradient)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Take one demonstration. You need two vectors of length $K$: the sum of the features that it shows, and the sum that
# the soft-optimal agent expects in a session of the same length. Mind the padding: `features[-1, -1]` is a legal index.
# </details>
#
# <details><summary>Hint 2: use what you have</summary>
#
# A reference policy that is uniform changes every $V$ by a constant and no policy, so your `soft_bellman` gives the
# policy of the lectures. With `stop` zero, your `visitation` gives where the sessions are.
# </details>
#
# <details><summary>Hint 3: nearly everything</summary>
#
# For each demonstration with $h = h_i$: `π` from the reward `features @ θ` with horizon `h`; `d` from `π`; the expected
# features are $\sum_{t,s,a} d_t(s) \, \pi_t(a \mid s) \, f(s,a)$, `np.einsum("ts,tsa,sak->k", d, π, features)`; the
# shown ones are `features[states[i, :h], actions[i, :h]].sum(axis=0)`. Average the differences.
# </details>

# %% [markdown]
# ## Put it together
#
# The rest is for looking: nothing here is graded. These cells use your functions, and say so politely as long as
# one of them is missing.
#
# **Two of your functions meet.** In a deterministic world without terminal reward, and with a uniform habit, sessions
# are weighted alike up to the constant $A^{-H}$. So question 1 and question 2 must agree:
# $\log Z = V_0(s_0) + H \log A$.

# %%
def two_ways(S=6, A=3, horizon=8, seed=0):
    rng = np.random.default_rng(seed)
    next_state, r = rng.integers(S, size=(S, A)), rng.normal(size=(S, A))
    V, _ = soft_bellman(np.eye(S)[next_state], r, np.full((S, A), 1 / A), horizon)
    log_Z = log_partition(next_state, r, np.zeros(S), 0, horizon)
    assert np.isclose(log_Z, V[0, 0] + horizon * np.log(A)), "they differ: do both answers pass their check?"
    print(f"log Z = {log_Z:.6f} = V_0 + H log A")


with unfinished_ok():
    two_ways()

# %% [markdown]
# **A reward from demonstrations.** A small slippery world: an agent likes one corner and dislikes a puddle. Its
# demonstrations have 3 to 10 actions. The features are one for each state, so $\theta$ is the reward of each state.

# %%
from course_utils.gridworlds import gridworld
from course_utils.plotting import draw_grid, show

world = gridworld(["....", ".#..", "....", "...."], slip=0.1, horizon=10)
P, p0 = world.mdp.dense(), world.mdp.p0
S, A = world.mdp.n_states, world.mdp.n_actions
features = np.repeat(np.eye(S)[:, None], A, axis=1)
true_reward = np.zeros(S)
true_reward[world.index[0, 3]], true_reward[world.index[2, 1]] = 1.0, -1.5

# %% [markdown]
# The expert follows your `soft_bellman` under the true reward, each time with a horizon of its own.


# %%
def demonstrate(n, rng):
    lengths = rng.integers(3, 11, size=n)
    states, actions = np.full((2, n, 10), -1)
    uniform = np.full((S, A), 1 / A)
    for i, h in enumerate(lengths):
        _, π = soft_bellman(P, features @ true_reward, uniform, h)
        s = rng.choice(S, p=p0)
        for t in range(h):
            a = rng.choice(A, p=π[t, s])
            states[i, t], actions[i, t] = s, a
            s = rng.choice(S, p=P[s, a])
    return states, actions, lengths


# %% [markdown]
# Then go uphill: $\theta \leftarrow \theta + \eta \nabla L$. Sessions of fixed length cannot tell a reward from the
# same reward plus a constant, so both are shown with mean zero.


# %%
def recover(demonstrations, steps=40, η=0.5):
    θ = np.zeros(S)
    for _ in range(steps):
        gradient = maxent_gradient(θ, features, P, p0, *demonstrations)
        θ = θ + η * gradient
    return θ - θ.mean(), np.abs(gradient).max()


# %%
import matplotlib.pyplot as plt
from IPython.display import display

with unfinished_ok():
    θ, gap = recover(demonstrate(60, np.random.default_rng(0)))
    fig, axes = plt.subplots(1, 2, figsize=(8, 3.2))
    limits = (-2, 1.5)
    draw_grid(axes[0], world, true_reward - true_reward.mean(), "true reward", limits=limits)
    draw_grid(axes[1], world, θ, "recovered reward", limits=limits)
    display(show(fig, alt="Two maps of a 4 by 4 world with one wall: the true reward, highest in the upper right "
                 "corner and lowest in the puddle, and the reward recovered from 60 demonstrations."))
    print(f"feature gap {gap:.3f}, correlation with the true reward {np.corrcoef(θ, true_reward)[0, 1]:.2f}")

# %% [markdown]
# Do the corner and the puddle stand out? Try ten demonstrations, or two hundred, or a world of your own.
