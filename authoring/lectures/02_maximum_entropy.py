# %% [markdown]
# # Derive maximum entropy inverse RL, and run every line
#
# Lecture 01 ended with *yes, to some extent*: what an expert does puts bounds on what the expert wants. This lecture
# turns that into a method. One assumption, *better sessions are exponentially more likely*, makes the reward a
# parameter of a probability distribution, and then inverse RL is maximum likelihood.
#
# **What you will do.** Walk through the derivation line by line, in a world so small that all its sessions can be
# written down. After each line you run it and compare it with brute force. On the way you meet ten errors, most of them
# printed on the slides that this course grew from, each by running the wrong formula and watching it fail.
#
# **What you will learn.** Why the gradient is "expert minus learner"; how dynamic programming sums over exponentially
# many sessions; what changes when the world is random; why the exponential is there at all; what no amount of data can
# tell you.
#
# **What you need.** Probability, gradients, NumPy, and value iteration. Nothing about inverse RL.
#
# **How to read it.** Each step is marked *identity* (exact, asserted to rounding error or solver tolerance) or
# *statistical* (at least five seeds, with the spread). In a "Spot the error" lab, answer before you run the cell:
# what is wrong is folded below it. It is a long lecture. Sections 1–5 are a first sitting, the labs of section 6 a
# second; steps marked ◇ may wait for a second reading.

# %%
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from ipywidgets import FloatLogSlider, IntSlider, interact
from scipy.optimize import approx_fprime, minimize, root
from scipy.special import logsumexp, softmax

from course_utils.irl import feature_expectations, maxent_dual, maxent_irl
from course_utils.mdp import TabularMDP
from course_utils.planning import occupancy, policy_evaluation, soft_value_iteration, visitation
from course_utils.plotting import show
from course_utils.rollouts import empirical_occupancy, sample_trajectories

torch.set_num_threads(1)

# %% [markdown]
# ## 1. Five harbours
#
# A skipper starts in harbour A and makes $H = 4$ trips. At each harbour there are two actions: **row**, which leads to
# the next harbour of the ring, and **sail**, which leads elsewhere. On a *calm* day both do what the map says. On a
# *windy* day a sailing boat is blown, with some probability, to where rowing would have taken it.
#
# The calm world satisfies three assumptions on which the slides' derivation silently rests. We name them now and drop
# them one at a time later:
#
# * **(A1)** the dynamics are deterministic (dropped in section 6);
# * **(A2)** the start $s_0$ is fixed (dropped in section 9);
# * **(A3)** every session has the same length $H$ (dropped in sections 8 and 9).

# %%
ROW, SAIL = np.array([1, 2, 3, 4, 0]), np.array([2, 0, 4, 1, 2])  # where each action leads from A, B, C, D, E


def harbours(wind=0.0, start=(1, 0, 0, 0, 0), horizon=4, **options):
    """The five harbours; with probability `wind` sailing ends where rowing would have."""
    here, P = np.arange(5), np.zeros((5, 2, 5))
    P[here, 0, ROW], P[here, 1, ROW] = 1, wind
    P[here, 1, SAIL] += 1 - wind
    return TabularMDP(P, start, horizon=horizon, **options)


calm, windy = harbours(), harbours(wind=0.4)

# %% [markdown]
# **Notation.** $s$ is a state (a harbour), $a$ an action, $P(s'|s,a)$ the transition probability, kept as an array
# `P[s,a,s']`; $p_0$ is the start distribution. A **session** (or trajectory) is $\tau = (s_0,a_0,s_1,a_1,\dots,s_H)$:
# $H$ actions, $H+1$ states. The reward is linear in known **features**,
#
# $$ r_\theta(s,a) = \sum_k \theta_k\, f_k(s,a) = \theta\cdot f(s,a), \tag{1} $$
#
# and along a session features and rewards add up: $F(\tau) = \sum_t f(s_t,a_t)$ and
# $R_\theta(\tau) = \sum_t r_\theta(s_t,a_t) = \theta\cdot F(\tau)$. Here there are three features: the *fish* caught at
# the harbour one leaves, its *view*, and the *toil* of rowing. What the skipper likes is $\theta_E$ (E for expert). We
# choose it, and from then on pretend not to know it.

# %%
f = np.zeros((5, 2, 3))  # f[s,a,k]
f[:, :, 0] = np.array([0, 1, 3, 0, 2])[:, None]  # fish in A … E
f[:, :, 1] = np.array([0, 0, 1, 2, 0])[:, None]  # view
f[:, 0, 2] = 1  # rowing is toil
θ_E = np.array([0.5, 0.4, -0.8])
r_E = f @ θ_E  # r[s,a]

# %% [markdown]
# Because the world is tiny, we can write down *all* sessions. This is the oracle of the whole lecture: slow,
# exponential, and beyond doubt.

# %%
from course_utils.sessions import Sessions, enumerate_sessions, total  # show

# %%
calm_sessions, windy_sessions = enumerate_sessions(calm), enumerate_sessions(windy)
F, F_windy = total(f, calm_sessions), total(f, windy_sessions)  # (M, K)

assert np.allclose(total(r_E, calm_sessions), F @ θ_E)  # R = θ·F
assert np.allclose(calm_sessions.chance, 1)  # (A1), (A2): a calm session is decided by its actions alone
print(f"{len(F)} sessions on a calm day, {len(F_windy)} on a windy one")

# %% [markdown]
# Here is the map, and what we are given: a data set $D$ of the skipper's sessions on calm days. Forget $\theta_E$ for a
# moment and ask as we shall have to: **what does the skipper want?** Sailing is popular, but is that for the fish, for
# the view, or to avoid the toil? Step 5.3 answers from these bars alone.

# %%
p_E = softmax(F @ θ_E)  # the expert; section 2 says why this formula
D = np.random.default_rng(0).choice(len(F), size=200, p=p_E)  # numbers of 200 sessions
names = np.array(["".join("ABCDE"[s] for s in path) for path in calm_sessions.states])


def draw_map(ax):
    """The ring of harbours with both actions."""
    x, y = np.sin(2 * np.pi * np.arange(5) / 5), np.cos(2 * np.pi * np.arange(5) / 5)
    for target, colour, style in ((ROW, "tab:blue", "-"), (SAIL, "tab:orange", "--")):
        for s, to in enumerate(target):
            arrow = dict(arrowstyle="-|>", color=colour, ls=style, lw=1.8, shrinkA=27, shrinkB=27,
                         connectionstyle="arc3,rad=-0.18", mutation_scale=16)
            ax.annotate("", (x[to], y[to]), (x[s], y[s]), arrowprops=arrow)
    for s in range(5):
        text = f"{'ABCDE'[s]}\nfish {f[s, 0, 0]:.0f}\nview {f[s, 0, 1]:.0f}"
        ax.text(x[s], y[s], text, ha="center", va="center", size=8, bbox=dict(boxstyle="circle,pad=0.45", fc="w"))
    ax.set(xlim=(-1.4, 1.4), ylim=(-1.3, 1.4), aspect="equal", title="row (blue), sail (orange, dashed)")
    ax.axis("off")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2))
draw_map(left)
order = np.argsort(np.bincount(D, minlength=len(F)))
right.barh(names[order], np.bincount(D, minlength=len(F))[order], color="0.5")
right.set(title=f"the data D: {len(D)} sessions", xlabel="times seen")
show(fig, alt="Left: five harbours A to E on a ring; blue arrows for rowing to the next harbour, dashed orange arrows "
     "for sailing. Right: bar chart of how often each of the 16 sessions occurs in the data; the one that always "
     "sails, A C E C E, is by far the most frequent.", caption="The world, and what we see of the skipper.")

# %% [markdown]
# ## 2. The assumption: better sessions are exponentially more likely
#
# A flawless skipper would always repeat the best session. Real experts do not, and a model that gives probability zero
# to something in the data is refuted by it. The **maximum entropy** model (Ziebart, Maas, Bagnell, Dey 2008) is
#
# $$ p_\theta(\tau) = \frac{e^{R_\theta(\tau)}}{Z(\theta)}, \qquad
# Z(\theta) = \sum_{\tau'} e^{R_\theta(\tau')}. \tag{2} $$
#
# The slides write $\pi^*(\tau) \sim e^{R(\tau)}$. The sign "~" usually reads "is distributed as"; what is meant is
# **∝**, "is proportional to": $e^{R}$ does not sum to 1, and the constant that makes it do so, $1/Z$, is what all the
# work in this lecture goes into. $Z$ is called the **partition function**.
#
# What (2) says in words: only differences of returns matter, and one more unit of return makes a session $e$ times as
# likely. *Identity:*

# %%
R = F @ θ_E
Z = np.exp(R).sum()
p = np.exp(R) / Z

assert not np.isclose(Z, 1)  # "~" would need Z = 1
assert np.allclose(np.log(p[:, None] / p), R[:, None] - R)  # log-odds = difference of returns
assert np.allclose(p, softmax(R)) and np.allclose(p, p_E)  # SciPy's softmax is the same thing, done safely

# %% [markdown]
# How sharply does the skipper prefer good sessions? Divide the return by a **temperature** $T$: $p \propto e^{R/T}$. In
# (2) there is no $T$, because it is hidden in the length of $\theta$: $R_\theta/T = R_{\theta/T}$. Two numbers
# summarise the spread: the probability of the best session, and the **entropy**
# $\mathcal H(p) = -\sum_\tau p(\tau)\log p(\tau)$, which is 0 for a certain session, and the logarithm of the number of
# sessions when all are equally likely. First the functions, then tests at the ends of the sliders:

# %%
def entropy(p):
    """−Σ p log p, with 0 log 0 = 0."""
    p = np.asarray(p)
    return -np.sum(p * np.log(np.where(p > 0, p, 1)))


def session_probabilities(temperature, horizon):
    """Names, returns and probabilities of all calm sessions, best first."""
    sessions = enumerate_sessions(harbours(horizon=horizon))
    R = total(r_E, sessions)
    order = np.argsort(-R, kind="stable")
    labels = np.array(["".join("ABCDE"[s] for s in path) for path in sessions.states])
    return labels[order], R[order], softmax(R[order] / temperature)

# %%
for temperature, horizon in ((0.1, 1), (0.1, 6), (10, 1), (10, 6)):
    labels, R, p = session_probabilities(temperature, horizon)
    assert len(p) == 2**horizon and np.isclose(p.sum(), 1)
    assert np.all(np.diff(p) <= 1e-15) and 0 <= entropy(p) <= horizon * np.log(2) + 1e-12  # best first; log 2^H at most
assert entropy(session_probabilities(0.1, 6)[2]) < 0.05 * 6 * np.log(2)  # cold: almost always the same session
assert entropy(session_probabilities(10, 6)[2]) > 0.95 * 6 * np.log(2)  # hot: almost a fair coin at every harbour
best = {T: np.array([session_probabilities(T, horizon)[2][0] for horizon in range(1, 7)]) for T in (0.25, 4)}
assert np.all(np.diff(best[4]) < 0) and np.all(best[0.25] > 0.9)  # what you will see when you lengthen the horizon

# %%
def draw_sessions(temperature=1.0, horizon=4):
    """The sliders' shell: bars of p(τ), and where the entropy stands."""
    labels, R, p = session_probabilities(temperature, horizon)
    T = np.geomspace(0.1, 10, 60)
    fig, (bars, curve) = plt.subplots(1, 2, figsize=(11, 3.6), width_ratios=[2, 1])
    bars.bar(np.arange(len(p)), p, color=plt.cm.viridis(np.linspace(0, 0.9, len(p))))
    shown = np.arange(0, len(p), max(1, len(p) // 16))
    bars.set_xticks(shown, [f"{labels[k]}  {R[k].round(1) + 0:.1f}" for k in shown], fontsize=8, rotation=90)
    bars.set(ylim=(0, max(0.25, 1.1 * p[0])), ylabel="p(τ)", title=f"{len(p)} sessions, best first (path, return)")
    curve.semilogx(T, [entropy(softmax(R / t)) for t in T])
    curve.plot(temperature, entropy(p), "o", ms=9)
    curve.axhline(np.log(len(p)), color="0.6", ls=":")
    curve.set(xlabel="temperature T", ylabel="entropy (nats)", ylim=(0, np.log(64) * 1.05), title="dotted: log(number)")
    return show(fig, alt=f"Bars: probabilities of the {len(p)} sessions at temperature {temperature:.2g}, the best has "
                f"{p[0]:.2f}. Curve: entropy against temperature, now at {entropy(p):.2f} of {np.log(len(p)):.2f}.")


assert "2 sessions" in draw_sessions(0.1, 1).alt and "64 sessions" in draw_sessions(10, 6).alt  # the sliders' ends

# %% [markdown]
# **Play.** Cool the skipper down until one session is left; heat it up until the reward no longer shows. Now lengthen
# the horizon from 1 to 6, once at temperature 4 and once at 0.25. What happens to the best session, and why?

# %%
slider = dict(continuous_update=False, style=dict(description_width="8em"))
interact(
    draw_sessions,
    temperature=FloatLogSlider(value=1, base=10, min=-1, max=1, step=0.05, **slider),
    horizon=IntSlider(value=4, min=1, max=6, **slider),
);

# %% [markdown]
# <details><summary>Answer</summary>
#
# Hot, the best session gets lost in a crowd that doubles with every trip. Cold, at these horizons, it keeps more than
# nine tenths: the crowd is as large, but each of its members weighs next to nothing.
# </details>
#
# ## 3. The likelihood, line by line
#
# **Step 3.1, the likelihood** (*identity*). Choose $\theta$ so that the data become as likely as possible. With $N$
# sessions in $D$,
#
# $$ \mathrm{llh}(\theta) = \sum_{\tau\in D}\log\frac{e^{R_\theta(\tau)}}{\sum_{\tau'}e^{R_\theta(\tau')}}
# = \sum_{\tau\in D}\Big[R_\theta(\tau) - \log\sum_{\tau'}e^{R_\theta(\tau')}\Big]
# = \sum_{\tau\in D}R_\theta(\tau) - N\log Z(\theta). \tag{3} $$
#
# The logarithm of a quotient is a difference, and the second term is the same for every session.

# %%
θ = np.array([0.2, -0.3, 0.1])  # any guess: the identities below hold at every θ
R, N = F @ θ, len(D)
one_by_one = np.log(np.exp(R[D]) / np.exp(R).sum()).sum()
simplified = R[D].sum() - N * logsumexp(R)

assert np.isclose(one_by_one, simplified)

# %% [markdown]
# **Do you see the problem?** The inner sum runs over *all* sessions, not only those in the data. With two actions there
# are $2^H$ of them. Count before you run: how long would the sum take for $H = 100$ at $10^9$ sessions a second?

# %%
horizons = np.array([4, 10, 20, 50, 100])
sessions, years = 2.0**horizons, 2.0**horizons / 1e9 / 3.15e7
steps = horizons * 5 * 2  # one visit per time, state and action
for H, n, y, k in zip(horizons, sessions, years, steps, strict=True):
    print(f"H = {H:3d}: {n:8.2g} sessions, {y:8.1g} years of enumeration; dynamic programming: {k} updates")

assert years[-1] > 1.4e10  # longer than the universe has existed
assert len(F) == sessions[0]

# %% [markdown]
# The last column is a promise: section 4 does the same sum in $H\cdot S\cdot A$ updates. First the gradient.
#
# **Step 3.2, the gradient** (*identity*). Differentiate (3); the chain rule on $\log\sum$ gives
#
# $$ \nabla\mathrm{llh} = \sum_{\tau\in D}\nabla R_\theta(\tau)
# - N\,\frac{1}{\sum_{\tilde\tau}e^{R_\theta(\tilde\tau)}}
# \sum_{\tau'}e^{R_\theta(\tau')}\,\nabla R_\theta(\tau'). \tag{4} $$
#
# Divide each $e^{R_\theta(\tau')}$ by the first sum and you have $p_\theta(\tau')$ of equation (2), so the second sum
# is an expectation:
#
# $$ \boxed{\;\nabla\mathrm{llh} = N\Big[\mathbb E_{\tau\sim D}\nabla R_\theta(\tau)
# - \mathbb E_{\tau'\sim p_\theta}\nabla R_\theta(\tau')\Big]\;} \tag{5} $$
#
# For a linear reward $\nabla R_\theta(\tau) = F(\tau)$. **Why care?** Equation (5) is the whole algorithm in words:
# *raise the reward of what the expert does, lower the reward of what your model of the expert does*. It stops when the
# two have the same average features. `approx_fprime` (a finite difference) is our independent witness.

# %%
def llh(θ):
    """Equation (3)."""
    return (F[D] @ θ).sum() - N * logsumexp(F @ θ)


p = softmax(F @ θ)
gradient = N * (F[D].mean(axis=0) - p @ F)  # equation (5)
gradient_4 = F[D].sum(axis=0) - N * (np.exp(R) @ F) / np.exp(R).sum()  # equation (4)

assert np.allclose(gradient, gradient_4)
assert np.allclose(gradient, approx_fprime(θ, llh, 1e-6), rtol=1e-4)

# %% [markdown]
# **Step 3.3, reminds you of something?** The step from (4) to (5) is the **log-derivative trick**, and it is the engine
# of the policy gradient too. The **score** of a session is the gradient of its log-probability; from (2),
#
# $$ \nabla\log p_\theta(\tau) = \nabla R_\theta(\tau) - \mathbb E_{p_\theta}\nabla R_\theta, \qquad
# \mathbb E_{p_\theta}\big[\nabla\log p_\theta\big] = 0. \tag{6} $$
#
# | | sessions come from | each weighs | what one climbs |
# |---|---|---|---|
# | maximum likelihood (5) | the expert, $D$ | 1 | $\mathbb E_D \log p_\theta(\tau)$ |
# | policy gradient (REINFORCE) | the model itself, $p_\theta$ | $g(\tau)$ | $\mathbb E_{p_\theta}\, g(\tau)$ |
#
# Both average $\text{weight}\times\nabla\log p_\theta$. (The policy gradient makes sessions with a high payoff $g$ more
# likely; if you have not met it, this row is all there is to know.) **Why care?** Sampling from the model estimates
# either one, when nothing can be enumerated: lectures 04 and 05 live on that. *Identity* first:

# %%
score = F - p @ F  # ∇ log p(τ), one row a session

assert np.allclose(p @ score, 0)  # (6): the mean score is 0
assert np.allclose(gradient, score[D].sum(axis=0))  # (5) is the sum of the scores of the data
fish = F[:, 0]  # g(τ): the fish of a session
change_of_fish = approx_fprime(θ, lambda θ: softmax(F @ θ) @ fish, 1e-6)
assert np.allclose((p * fish) @ score, change_of_fish, atol=1e-5)  # the policy gradient theorem

# %% [markdown]
# Now *statistically*, with nothing but sampled sessions, over 8 seeds: $\mathbb E_{p_\theta}F$ by a plain average, and
# the policy gradient of the fish by REINFORCE.

# %%
def sampled(rng, n=1000):
    """Two estimates from n sessions of the model: E F (K,), and ∇ E[fish] (K,)."""
    k = rng.choice(len(F), size=n, p=p)
    return F[k].mean(axis=0), (fish[k, None] * score[k]).mean(axis=0)


estimates = np.array([sampled(np.random.default_rng(seed)) for seed in range(8)])  # (seeds, 2, K)
mean, sd = estimates.mean(axis=0), estimates.std(axis=0, ddof=1)
exact = np.array([p @ F, (p * fish) @ score])
for what, m, s, e in zip(("E F          ", "∇ E fish     "), mean, sd, exact, strict=True):
    print(what, "  ".join(f"{a:6.3f} ± {b:.3f} (exact {c:6.3f})" for a, b, c in zip(m, s, e, strict=True)))

assert np.all(np.abs(mean - exact) < 4 * sd / np.sqrt(len(estimates)))

# %% [markdown]
# <details><summary><b>Quick question 1.</b>
# (a) We double all features. (b) The expert's own reward doubles. What becomes of the fitted model, and of θ?</summary>
#
# (a) The model class is the same set of distributions, so the best distribution stays and the best $\theta$ is halved.
# (b) The expert itself changes: it becomes colder (section 2), and $\theta$ doubles. Under the assumption (2) the scale
# of the reward *is* visible, as the expert's consistency.
# </details>
#
# ## 4. The sum over sessions, by dynamic programming
#
# **Step 4.1, $\log Z$ is a value** (*identity*, needs (A1) and (A2)). A sum of products may be pulled apart: the first
# reward is a common factor of all sessions that begin with it,
#
# $$ Z = \sum_{a_0}e^{r(s_0,a_0)}\sum_{a_1}e^{r(s_1,a_1)}\cdots\sum_{a_{H-1}}e^{r(s_{H-1},a_{H-1})}. \tag{7} $$
#
# Give the logarithm of the inner sums a name, $V_t(s)$: the log of the sum of $e^{\text{return still to come}}$ over
# all ways to go on from $s$ at time $t$. Reading (7) from the right gives the **soft Bellman equations**, with
# $V_H = 0$:
#
# $$ Q_t(s,a) = r(s,a) + \sum_{s'}P(s'|s,a)\,V_{t+1}(s'), \qquad V_t(s) = \log\sum_a e^{Q_t(s,a)}, \tag{8} $$
#
# $$ \pi_t(a|s) = e^{Q_t(s,a)-V_t(s)}, \qquad \log Z = V_0(s_0). \tag{9} $$
#
# It is value iteration with the maximum replaced by log-sum-exp, hence "soft". In a deterministic world the sum over
# $s'$ has one term; what it does in a random world is the subject of section 6.

# %%
def soft_backward(P, rewards, xp=np):
    """V_0 (S,) and [π_0, …, π_{H−1}] for rewards r_0 … r_{H−1}; xp is numpy or torch."""
    V, π = xp.zeros(len(P), dtype=P.dtype), []
    for r in rewards[::-1]:
        Q = r + P @ V
        V = xp.log(xp.exp(Q).sum(-1))
        π.insert(0, xp.exp(Q - V[:, None]))
    return V, π


H, P = calm.horizon, calm.dense()
V_0, π = soft_backward(P, [f @ θ] * H)

assert abs(V_0[0] - logsumexp(F @ θ)) < 1e-13  # log Z = V_0(A): 16 sessions, or 4 sweeps
V_count, _ = soft_backward(P, [np.zeros((5, 2))] * 100)  # rewards 0: every session counts 1, and Z counts them
assert np.allclose(V_count, 100 * np.log(2))  # 2^100 sessions, which nobody will ever enumerate

# %% [markdown]
# **Break it.** The six lines above are the equation, and they have a flaw that the equation has not. Add 1000 to every
# reward: the distribution (2) stays the same (why?), and $\log Z$ grows by exactly $1000\,H$. What will the code say?

# %%
with np.errstate(over="ignore", invalid="ignore"):
    V_broken, π_broken = soft_backward(P, [f @ θ + 1000] * H)

print("V_0 =", V_broken[0], "  π_0(·|A) =", π_broken[0][0])
assert not np.isfinite(V_broken[0])

# %% [markdown]
# $e^{1000}$ is no floating-point number. **Right:** pull the largest $Q$ out of the sum first,
# $\log\sum_a e^{Q_a} = M + \log\sum_a e^{Q_a-M}$ with $M=\max_aQ_a$. This is how the course's package does it. Its
# `soft_value_iteration` is (8) with this backup, and returns `V[t,s]`, `Q[t,s,a]` and `π[t,s,a]`; it also knows
# terminal states, a discount and endless episodes (lecture 03 shows the code).

# %%
from course_utils.planning import soft_backup  # show

V, Q, π = soft_value_iteration(calm, f @ θ)
V_shifted, _, π_shifted = soft_value_iteration(calm, f @ θ + 1000)

for ours, scipys in zip(soft_backup(Q[0]), (logsumexp(Q[0], axis=1), softmax(Q[0], axis=1)), strict=True):
    assert np.allclose(ours, scipys)
assert np.isclose(V[0, 0], V_0[0])
assert np.isclose(V_shifted[0, 0], V[0, 0] + 1000 * H) and np.allclose(π_shifted, π)  # no overflow

# %% [markdown]
# **Step 4.2, the policy draws sessions from $p_\theta$** (*identity*, needs (A1) and (A2)). Multiply
# $\pi_t = e^{Q_t-V_t}$ along a session. In a deterministic world $Q_t - V_t = r + V_{t+1} - V_t$, the values cancel
# like a telescope, and
#
# $$ \prod_{t=0}^{H-1}\pi_t(a_t|s_t)
# = e^{\sum_t r(s_t,a_t) + V_H - V_0(s_0)} = \frac{e^{R(\tau)}}{Z} = p_\theta(\tau). \tag{10} $$
#
# **Why care?** A distribution over exponentially many sessions is now a table `π[t,s,a]`, and drawing from it is as
# easy as acting. Mind the index $t$: with a horizon, the policy depends on how much time is left. (And the second
# assert below is worth a pause: $V_0 = \mathbb E_p[R] + \mathcal H(p)$. The soft value pays for being unpredictable; we
# meet this again in sections 6 and 7.)

# %%
from course_utils.sessions import chosen  # show

p = softmax(F @ θ)
assert np.allclose(chosen(π, calm_sessions), p, rtol=1e-12, atol=0)  # (10)
assert np.isclose(V[0, 0], p @ (F @ θ) + entropy(p))  # log Z = expected return + entropy
assert np.abs(π[0] - π[-1]).max() > 0.01  # not stationary: the last trip is chosen differently

# %% [markdown]
# **Step 4.3, visitation** (*identity*). The expectation in (5) needs to know how often each state is acted in. Let
# $d_t(s) = \Pr(s_t=s)$; then probability flows forward:
#
# $$ d_0 = p_0, \qquad d_{t+1}(s') = \sum_{s,a} d_t(s)\,\pi_t(a|s)\,P(s'|s,a), \tag{11} $$
#
# $$ \mathbb E_{\tau\sim p_\theta}\big[F(\tau)\big] = \sum_{t=0}^{H-1}\sum_{s,a} d_t(s)\,\pi_t(a|s)\,f(s,a). \tag{12} $$
#
# One sweep backward for $\pi$, one sweep forward for $d$: these are the two halves of tabular MaxEnt IRL.

# %%
d = np.zeros((H, 5))
d[0] = calm.p0
for t in range(H - 1):
    d[t + 1] = calm.push(d[t][:, None] * π[t])  # push(m)[s'] = Σ_sa m[s,a] P[s,a,s']

by_enumeration = np.array([np.bincount(calm_sessions.states[:, t], weights=p, minlength=5) for t in range(H)])
assert np.allclose(d, by_enumeration) and np.allclose(d, visitation(calm, π))  # the package's version agrees
assert np.allclose(d.sum(axis=1), 1) and np.isclose(d.sum(), H)  # one state at each time, H in all
assert np.allclose(np.einsum("ts,tsa,sak->k", d, π, f), p @ F)  # (12)

# %% [markdown]
# ### Spot the error 1 · "stationary distribution"
#
# The slides replace the sum over sessions by a sum over states, and call $d_\theta(s)$ the *state visitation frequency
# (stationary distribution)*:
#
# > $\ldots - N\cdot\mathbb E_{s\sim d_\theta(s)}\,\mathbb E_{a\sim\pi^*_\theta(a|s)}\,\nabla r_\theta(s,a)$
#
# A stationary distribution satisfies $d = dP_\pi$ and sums to 1, for *one* policy $\pi(a|s)$. There are two mistakes in
# this line. Find them before you run it. *Hint:* at the true $\theta_E$, with the expert's exact features, the gradient
# must vanish. To be fair to the slides we try $\pi_t$ of every $t$ as their policy.

# %%
def stationary_distribution(mdp, π):
    """d with d = d P_π and Σ d = 1, for a stationary policy π[s,a]."""
    P_π = np.einsum("sa,sat->st", π, mdp.dense())
    equations = np.vstack([P_π.T - np.eye(mdp.n_states), np.ones(mdp.n_states)])
    return np.linalg.lstsq(equations, np.eye(mdp.n_states + 1)[-1], rcond=None)[0]


_, _, π_E = soft_value_iteration(calm, r_E)
f_E = p_E @ F  # the expert's exact features
long_run = [stationary_distribution(calm, π_t)[:, None] * π_t for π_t in π_E]  # d(s) π(a|s), for each t's policy
slide = f_E - np.einsum("tsa,sak->tk", long_run, f)
repaired_once = f_E - H * np.einsum("tsa,sak->tk", long_run, f)
right = f_E - np.einsum("sa,sak->k", occupancy(calm, π_E), f)  # Σ_t d_t π_t, equation (12)
print("at the true θ, with π_0:\n slide:", slide[0], "\n H × stationary:", repaired_once[0], "\n right:", right)

assert min(np.abs(slide).max(axis=1).min(), np.abs(repaired_once).max(axis=1).min()) > 0.1 and np.allclose(right, 0)

# %% [markdown]
# <details><summary>Answer</summary>
#
# First, the factor $H$: visits must sum to the number of actions. Second, sessions start in A and are short: they do
# not look like the long run, and $\pi_t$ changes with $t$. Right is $\sum_t d_t(s)\,\pi_t(a|s)$, as in (12).
# </details>
#
# **Step 4.4, the gradient of a value, five ways** (*identity*). From here on $V_0$ without an argument is the value of
# the start, $\mathbb E_{s_0\sim p_0}V_0(s_0)$ (here $V_0(A)$), and $\pi_\theta$ is the policy that (8) and (9) give for
# $\theta$. Since $V_0 = \log Z$, step 3.2 says
#
# $$ \nabla_\theta V_0 = \mathbb E_{\pi_\theta}\Big[\sum_{t}f(s_t,a_t)\Big]. \tag{13} $$
#
# It is true on windy days as well, where $V_0\ne\log Z$. Differentiate (8):
# $\nabla V_t(s) = \sum_a\pi_t(a|s)\,\nabla Q_t(s,a)$ and
# $\nabla Q_t(s,a) = f(s,a) + \sum_{s'}P(s'|s,a)\,\nabla V_{t+1}(s')$. That is policy evaluation, with features in the
# place of rewards. **Why care?** Nobody has to differentiate through the backward pass: one *forward* pass, (11), is
# the gradient. We check it against enumeration; PyTorch, which differentiates the code itself; the *complex step*
# $\nabla_k V = \operatorname{Im} V(\theta + ih e_k)/h$, which has no cancellation and so takes $h = 10^{-30}$; and a
# central difference.

# %%
def start_value(θ, P, xp=np):
    """V_0(A) for weights θ, by soft_backward; θ may be complex, or a torch tensor."""
    features = f if xp is np else torch.tensor(f)
    return soft_backward(P, [features @ θ] * H, xp)[0][0]


def four_witnesses(θ, P, sessions):
    """∇V_0(A) by enumeration, autograd, complex step, central differences."""
    p = sessions.chance * chosen(soft_backward(P, [f @ θ] * H)[1], sessions)
    value = lambda θ: start_value(θ, torch.tensor(P), torch)
    complex_step = [start_value(θ + 1e-30j * e, P).imag / 1e-30 for e in np.eye(3)]
    central = [(start_value(θ + 1e-5 * e, P) - start_value(θ - 1e-5 * e, P)) / 2e-5 for e in np.eye(3)]
    autograd = torch.autograd.functional.jacobian(value, torch.tensor(θ)).numpy()
    return np.array([p @ total(f, sessions), autograd, complex_step, central])


# %%
for mdp, sessions in ((calm, calm_sessions), (windy, windy_sessions)):
    forward = np.einsum("sa,sak->k", occupancy(mdp, soft_value_iteration(mdp, f @ θ)[2]), f)  # the forward pass
    off = np.abs(four_witnesses(θ, mdp.dense(), sessions) - forward).max(axis=1)
    print("enumeration, autograd, complex step, differences are off by", off)
    assert np.all(off < [1e-13, 1e-13, 1e-13, 1e-8])

# %% [markdown]
# <details><summary><b>Quick question 2.</b>
# Someone forgets the start distribution and begins the forward pass with a uniform $d_0$.
# Which θ is then learned?</summary>
#
# A biased one. The forward pass is then the gradient of another convex function, with uniform starts, and the fit
# matches the expert's features in sessions that start elsewhere. The error is silent, since everything still converges.
# What finds it is a test such as the one above, against finite differences of $V_0(s_0)$.
# </details>
#
# ## 5. The shape of the problem, and its solution
#
# Write $\hat f = \mathbb E_D F$ for the data's mean features. Per session, minus the log-likelihood is
#
# $$ L(\theta) = V_0(\theta) - \theta\cdot\hat f, \qquad \nabla L = \mathbb E_{\pi_\theta}F - \hat f, \tag{14} $$
#
# and we minimise it. (Section 7 explains why $L$ is called the **dual**.)
#
# **Step 5.1, curvature** (*identity*). Differentiate the soft Bellman equations twice. The second derivative of
# log-sum-exp is a variance, and $r$ is linear in $\theta$:
# $\nabla^2V_t(s) = \operatorname{Var}_a[\nabla Q_t(s,a)] + \sum_a\pi_t(a|s)\nabla^2Q_t(s,a)$ and
# $\nabla^2Q_t = \sum_{s'}P\,\nabla^2V_{t+1}$. Unrolled, the variances add up along the way:
#
# $$ \nabla^2 L = \nabla^2V_0
# = \mathbb E_{\pi_\theta}\sum_t \operatorname{Var}_{a\sim\pi_t(\cdot|s_t)}\big[\nabla Q_t(s_t,a)\big]
# \;\succeq\; 0, \tag{15} $$
#
# where $\operatorname{Var}$ is a covariance matrix ($K\times K$) and $\nabla Q_t(s,a)$ is what (13) says: the
# features expected from there on. A sum of covariance matrices is positive semidefinite ($\succeq 0$), so $L$ is
# **convex**. (If it is flat in a direction at one $\theta$, then no choice changes the features expected in that
# direction; they are the same under every policy, and it is flat at every $\theta$.) **Why care?** Every local
# minimum is a global one, in any world, calm or windy. In the calm world all randomness is the skipper's own, and
# (15) is simply $\operatorname{Cov}(F)$, by the law of total variance. In the windy world $\operatorname{Cov}(F)$ is
# larger: it also counts what the wind does. (With a random start it would count the luck of the start as well.)

# %%
def expected_features(mdp, π):
    """∇V[t,s,k] and ∇Q[t,s,a,k]: the features expected from (t, s), and from (t, s) with action a."""
    grad_V = np.stack([policy_evaluation(mdp, π, f[:, :, k]) for k in range(3)], axis=-1)
    return grad_V, f + np.einsum("sau,tuk->tsak", mdp.dense(), grad_V[1:])


def hessian(mdp, θ):
    """Equation (15)."""
    _, _, π = soft_value_iteration(mdp, f @ θ)
    grad_V, grad_Q = expected_features(mdp, π)
    centred = grad_Q - grad_V[:-1, :, None]  # ∇V = E_a ∇Q, so this has mean 0 under π
    return np.einsum("ts,tsa,tsak,tsal->kl", visitation(mdp, π), π, centred, centred)

# %%
def by_autograd(mdp, θ):
    value = lambda x: start_value(x, torch.tensor(mdp.dense()), torch)
    return torch.autograd.functional.hessian(value, torch.tensor(θ)).numpy()


for mdp in (calm, windy):
    assert np.allclose(hessian(mdp, θ), by_autograd(mdp, θ), rtol=0, atol=1e-13)
    assert np.linalg.eigvalsh(hessian(mdp, θ)).min() > 0.01  # no flat direction: strictly convex
assert np.allclose(hessian(calm, θ), np.cov(F.T, aweights=p, bias=True))

p_windy = windy_sessions.chance * chosen(soft_value_iteration(windy, f @ θ)[2], windy_sessions)  # p0 Π P · Π π
wind_share = np.cov(F_windy.T, aweights=p_windy, bias=True) - hessian(windy, θ)
assert np.linalg.eigvalsh(wind_share).min() > -1e-12 and np.abs(wind_share).max() > 0.1  # the wind only adds

# %% [markdown]
# **Step 5.2, gradient descent with a safe step** (*identity*). If the curvature never exceeds $\Lambda$, the step
# $1/\Lambda$ never makes things worse (the *descent lemma*). From (15), $\nabla^2L \preceq \operatorname{Cov}(F)$ and
# $\|F(\tau)\| \le H\max\|f\|$, so a bound that is always safe is
#
# $$ \Lambda = \big(H\max_{s,a}\|f(s,a)\|\big)^2, \qquad \theta \leftarrow \theta - \tfrac1\Lambda\nabla L(\theta)
# \;\text{ is monotone.} \tag{16} $$
#
# Descending $L$ is the same as ascending the likelihood. **Break it:** the bound is careful, so a longer step is often
# fine, until it is not. The picture shows both.

# %%
def descend(step, iterations, θ=np.zeros(3)):
    """L(θ) along gradient descent on the calm world, towards the expert's exact features."""
    values = []
    for _ in range(iterations):
        value, gradient = maxent_dual(calm, f, f_E, θ)  # equation (14): one pass back, one forward
        values.append(value)
        θ = θ - step * gradient
    return np.array(values)


Λ = (H * np.linalg.norm(f, axis=-1).max()) ** 2
safe = descend(1 / Λ, 300)

assert np.all(np.diff(safe) <= 1e-13)  # never up
assert np.linalg.eigvalsh(hessian(calm, np.zeros(3))).max() <= Λ

# %%
fig, ax = plt.subplots(figsize=(6.5, 3.2))
lowest, _ = maxent_dual(calm, f, f_E, θ_E)  # the expert's own θ is the minimum
above = {factor: descend(factor / Λ, 100) - lowest for factor in (1, 10, 60, 200)}
for factor, loss in above.items():
    ax.semilogy(loss, label=f"{factor}/Λ")
ax.set(xlabel="iteration", ylabel="L(θ) − minimum", ylim=(1e-8, 30), title="gradient descent")
ax.legend(title="step")

assert above[60][-1] < above[10][-1] < above[1][-1] and np.any(np.diff(above[200]) > 0.1)  # faster, then too long
show(fig, alt="Loss above its minimum against iterations for four step lengths. One over Lambda decreases slowly and "
     "steadily, ten and sixty times that faster, two hundred times that jumps up and down.")

# %% [markdown]
# **Step 5.3, recover the skipper's taste.** `maxent_irl` minimises $L$ by a standard optimiser (L-BFGS) that needs no
# step length.
# With the expert's exact features it finds $\theta_E$ (*identity*, since $L$ is strictly convex here). With $N$ sampled
# sessions the error should shrink like $1/\sqrt N$ (*statistical*, 8 seeds). And the question from the first picture?
# First the 200 sessions that you saw there:

# %%
fit = maxent_irl(calm, f, F[D].mean(axis=0))
for k, what in enumerate(("fish", "view", "toil")):
    print(f"{what}: {fit.θ[k]:5.2f}   (true {θ_E[k]:5.2f})")

assert np.all(np.sign(fit.θ) == np.sign(θ_E))
assert np.allclose(maxent_irl(calm, f, f_E, tol=1e-7).θ, θ_E, atol=1e-6)  # exact features: the exact answer


# %%
def error_of_fit(n, rng):
    D = sample_trajectories(calm, π_E, n, rng)
    f_hat = feature_expectations(calm, f, empirical_occupancy(calm, D))
    return np.linalg.norm(maxent_irl(calm, f, f_hat).θ - θ_E)


seeds = range(8)
errors = {n: np.array([error_of_fit(n, np.random.default_rng(k)) for k in seeds]) for n in (100, 1000, 10_000)}
for n, e in errors.items():
    print(f"{n:6d} sessions: ‖θ − θ_E‖ = {e.mean():.3f} ± {e.std(ddof=1):.3f}")
assert 3 < errors[100].mean() / errors[10_000].mean() < 30  # 100 times the data, about 10 times better

# %% [markdown]
# **Step 5.4, an expert who never errs.** Let the expert always sail the best session $\tau^*$. No finite $\theta$
# fits: the likelihood of $\tau^*$ still grows when $\theta_E$ is scaled up. Gradient descent walks to infinity,
# slowly: where a linear model can be as certain as it likes, $\|\theta\|$ grows like the logarithm of the iterations
# (Soudry et al. 2018). We check that every tenfold of iterations adds, in the end, about the same length.

# %%
star = np.argmax(F @ θ_E)
assert np.sum(F @ θ_E >= F[star] @ θ_E - 1e-9) == 1  # the best session is unique, so its likelihood can approach 1
θ_t, lengths = np.zeros(3), []
for iteration in range(1, 30_001):
    θ_t = θ_t + 0.05 * (F[star] - softmax(F @ θ_t) @ F)
    if iteration in (30, 300, 3000, 30_000):
        lengths.append(np.linalg.norm(θ_t))
print("‖θ‖ after 30, 300, 3000, 30000 iterations:", np.round(lengths, 2), " added:", np.round(np.diff(lengths), 2))

assert np.all(np.diff(lengths) > 1) and np.isclose(*np.diff(lengths)[1:], rtol=0.1)

# %% [markdown]
# The direction it takes is also telling: it is almost all toil. Of one session, always the same, hating to row is the
# easiest explanation, and fish and view hardly enter. The cure for the length is an $\ell_2$ penalty,
# $L(\theta) + \frac\lambda2\|\theta\|^2$. Its optimum is finite, and setting its gradient to 0 reads (*identity*; the
# first-order, or KKT, condition)
#
# $$ \hat f - \mathbb E_{\pi_\theta}F = \lambda\theta. \tag{17} $$

# %%
direction = θ_t / np.linalg.norm(θ_t)
print("direction:", direction)
assert direction[2] < -0.9 and np.abs(direction[:2]).max() < 0.3
λ = 0.1
penalised = maxent_irl(calm, f, F[star], l2=λ, tol=1e-7)
expected = np.einsum("sa,sak->k", occupancy(calm, penalised.π), f)

assert np.allclose(F[star] - expected, λ * penalised.θ, atol=1e-6)  # (17)
print("with ℓ2:", penalised.θ, "  features missed by", F[star] - expected)

# %% [markdown]
# <details><summary><b>Quick question 3.</b>
# L is convex, so why would a neural reward still get stuck?</summary>
#
# $L$ is convex in the *reward table* $r[s,a]$, hence in $\theta$ when $r$ is linear in $\theta$. A network's reward is
# not linear in its weights, and a convex function of a non-linear one need not be convex.
# </details>
#
# ## 6. Wind: when the world is random
#
# Drop (A1). With wind, a session's probability has two factors: the skipper's choices, and the wind's. Three models
# look alike and are not.
#
# $$ \begin{aligned}
# \text{slide:}\quad & p(\tau) \propto e^{R(\tau)} && \text{over all possible sessions}\\
# \text{2008:}\quad & p(\tau) \propto e^{R(\tau)}\, p_0(s_0)\textstyle\prod_t P(s_{t+1}|s_t,a_t)
# && \text{(Ziebart et al. 2008)}\\
# \text{causal:}\quad & p(\tau) = p_0(s_0)\textstyle\prod_t P(s_{t+1}|s_t,a_t)\prod_t\pi_t(a_t|s_t),
# && \pi \text{ from (8), (9)}
# \quad\text{(Ziebart et al. 2010)}
# \end{aligned} \tag{18} $$
#
# On a calm day with a fixed start the three coincide (*identity*); on a windy day they part. Two labs tell how.

# %%
def three_models(mdp, r):
    """All sessions, and their probabilities under each line of (18)."""
    sessions = enumerate_sessions(mdp)
    R = total(r, sessions)
    _, _, π = soft_value_iteration(mdp, r)
    return sessions, {
        "slide": softmax(R),
        "2008": softmax(R + np.log(sessions.chance)),
        "causal": sessions.chance * chosen(π, sessions),
    }


_, models = three_models(calm, r_E)
assert np.allclose(models["slide"], models["causal"]) and np.allclose(models["2008"], models["causal"])
_, models = three_models(windy, r_E)
assert min(np.abs(models["causal"] - models[name]).max() for name in ("slide", "2008")) > 0.01

# %% [markdown]
# ### Spot the error 2 · an action with many outcomes
#
# Take the smallest random world: from the start, one action leads to one place, the other to one of $K$ places, equally
# likely. *All rewards are zero.* What should a reasonable model say about the noisy action? What does $p\propto e^R$
# say?

# %%
def fork(q):
    """From state 0, action 0 leads to state 1, action 1 to state 2 + i with probability q[i]; there one waits."""
    P = np.tile(np.eye(len(q) + 2)[:, None], (1, 2, 1))
    P[0] = 0
    P[0, 0, 1], P[0, 1, 2:] = 1, q
    return TabularMDP(P, np.eye(len(q) + 2)[0], horizon=2)


def first_action(mdp, r):
    """P(a_0 = 1) under each model."""
    sessions, models = three_models(mdp, r)
    return {name: p[sessions.actions[:, 0] == 1].sum() for name, p in models.items()}


noise = {K: first_action(fork(np.ones(K) / K), np.zeros((K + 2, 2))) for K in (1, 2, 4, 9)}
for K, chance in noise.items():
    print(f"K = {K}:", {name: round(float(x), 3) for name, x in chance.items()})
    assert np.isclose(chance["slide"], K / (K + 1))  # more outcomes, more sessions, more probability
    assert np.isclose(chance["2008"], 1 / 2) and np.isclose(chance["causal"], 1 / 2)

# %% [markdown]
# <details><summary>Answer</summary>
#
# It should be indifferent. Counting sessions, the slide gives each *outcome of chance* a vote of its own, and takes the
# noisy action with probability $K/(K+1)$: an agent that wants noise for its own sake.
# </details>
#
# ### Spot the error 3 · a bad gamble
#
# The 2008 formula weighs sessions by the dynamics, and passes this test. Now a gamble: the safe action pays 0; the
# risky one pays +4 with probability 0.1 and −1 otherwise. Its expected value is negative. Which models play it more
# often than not?

# %%
q, prize = np.array([0.1, 0.9]), np.array([4.0, -1.0])
gamble, r_gamble = fork(q), np.tile(np.r_[0, 0, prize][:, None], (1, 2))  # paid where one ended up
play = first_action(gamble, r_gamble)
sigmoid = lambda x: 1 / (1 + np.exp(-x))

assert np.isclose(play["causal"], sigmoid(q @ prize))  # the mean of the prize, −0.5
assert np.isclose(play["2008"], sigmoid(np.log(q @ np.exp(prize))))  # log E e^prize: the jackpot dominates
assert np.isclose(play["slide"], sigmoid(np.log(np.exp(prize).sum())))
assert play["causal"] < 0.5 < play["2008"] < play["slide"]

# %%
fig, ax = plt.subplots(figsize=(6.5, 2.6))
width = 0.38
for side, values, label in ((-1, noise[4], "prefers noise (K = 4, rewards 0)"), (1, play, "plays the bad gamble")):
    bars = ax.bar(np.arange(3) + side * width / 2, list(values.values()), width, label=label)
    ax.bar_label(bars, fmt="%.3f", fontsize=8)
ax.axhline(0.5, color="0.5", ls=":")
ax.set_xticks(range(3), list(play))
ax.set(ylim=(0, 1.35), ylabel="probability")
ax.legend(loc="upper right", ncols=2, fontsize=8)
show(fig, alt=f"For slide, 2008 and causal model: the probability of a noisy action with zero rewards, "
     f"{noise[4]['slide']:.2f}, {noise[4]['2008']:.2f}, {noise[4]['causal']:.2f}; and of playing the bad gamble, "
     f"{play['slide']:.2f}, {play['2008']:.2f}, {play['causal']:.2f}.", caption="Only the causal model passes both.")

# %% [markdown]
# Why does the 2008 model play? It is a distribution over *sessions*, and so it reweighs the dice too. Condition it on
# having gambled: it believes that the dice fall as (*identity*)
#
# $$ \tilde P(s'|s,a) \propto P(s'|s,a)\, e^{V(s')}, \tag{19} $$
#
# where $V(s')$ is the log of the model's total weight of all ways to go on from $s'$: dice tilted towards luck. Let us
# call this model the **optimist**; an expert has no such power. **Why care?** If you fit the optimist to somebody who
# does not believe in luck, the reward must pay for the difference.

# %%
sessions, models = three_models(gamble, r_gamble)
gambles = sessions.actions[:, 0] == 1
wins = gambles & (sessions.states[:, 1] == 2)
V_after = logsumexp(r_gamble[2:], axis=1)  # V_1 of the two outcomes
tilted = q * np.exp(V_after) / (q @ np.exp(V_after))
believed = {name: p[wins].sum() / p[gambles].sum() for name, p in models.items()}
print("P(win | played): true", q[0], " believed:", {name: round(float(x), 3) for name, x in believed.items()})

assert np.isclose(believed["2008"], tilted[0]) and np.isclose(believed["causal"], q[0])

# %% [markdown]
# **Step 6.1, the causal likelihood** (*identity*). What takes the place of (3)? Only the choices depend on $\theta$, so
# the log-likelihood of a session is $\sum_t\log\pi_t(a_t|s_t)$ plus a constant. Insert $\log\pi_t = Q_t - V_t$ and (8);
# the telescope of step 4.2 now leaves a rest:
#
# $$ \sum_t\log\pi_t(a_t|s_t) = R_\theta(\tau) - V_0(s_0)
# + \sum_t\Big(\mathbb E_{s'\sim P(\cdot|s_t,a_t)}V_{t+1}(s') - V_{t+1}(s_{t+1})\Big). \tag{20} $$
#
# Each bracket is "expected minus what the wind did". If the wind follows the true $P$, its mean is 0 *whatever the
# policy was*, and whatever happened before (such a sum is called a **martingale**). So in expectation over the expert's
# sessions, $\mathbb E_E\sum_t\log\pi_t = \theta\cdot\hat f - V_0 = -L(\theta)$, and its gradient is the feature
# difference as before.

# %%
def score_and_martingale(θ):
    """∇ log-likelihood of each windy session, (M, K), and its last part Σ_t (E ∇V_{t+1} − ∇V_{t+1}(s_{t+1}))."""
    _, _, π = soft_value_iteration(windy, f @ θ)
    grad_V, grad_Q = expected_features(windy, π)
    t, s, a = np.arange(H), windy_sessions.states[:, :-1], windy_sessions.actions
    score = (grad_Q[t, s, a] - grad_V[t, s]).sum(axis=1)  # Σ_t (∇Q_t − ∇V_t)
    surprise = (grad_Q[t, s, a] - f[s, a] - grad_V[t + 1, windy_sessions.states[:, 1:]]).sum(axis=1)
    return score, surprise

# %%
_, windy_models = three_models(windy, r_E)
p_E_windy = windy_models["causal"]
f_E_windy = p_E_windy @ F_windy  # the expert on windy days, exactly
score, surprise = score_and_martingale(θ)
_, gradient = maxent_dual(windy, f, f_E_windy, θ)  # ∇L: learner − expert
log_likelihood = lambda θ: np.log(chosen(soft_value_iteration(windy, f @ θ)[2], windy_sessions))  # Σ_t log π_t

assert np.allclose(score, approx_fprime(θ, log_likelihood, 1e-7), atol=1e-5)
start_features = expected_features(windy, soft_value_iteration(windy, f @ θ)[2])[0][0, 0]
assert np.allclose(score, F_windy - start_features + surprise)  # gradient of (20)
assert np.allclose(p_E_windy @ surprise, 0, atol=1e-13) and np.abs(surprise).max() > 0.1
assert np.allclose(p_E_windy @ score, -gradient)  # on average only the feature difference is left

# %% [markdown]
# ◇ **Why care?** With a finite data set the likelihood gradient and the feature difference are *different* estimates of
# the same thing. The feature difference is the one that belongs to the convex $L$. A single session's log-likelihood
# need not be concave, because the last part of (20) can curve either way:

# %%
def curvature(θ, h=1e-5):
    """The largest eigenvalue of the Hessian of each session's log-likelihood."""
    rows = [score_and_martingale(θ + h * e)[0] - score_and_martingale(θ - h * e)[0] for e in np.eye(3)]
    second = np.stack(rows, axis=-1) / (2 * h)
    return np.linalg.eigvalsh((second + second.swapaxes(1, 2)) / 2)[:, -1]


odd = np.array([1.0, 2.0, 3.0])
print("largest curvature of a session's log-likelihood:", curvature(odd).max())
assert curvature(odd).max() > 0.05  # a concave function would have none above 0
assert np.linalg.eigvalsh(hessian(windy, odd)).min() > 0  # L is convex at the same θ

# %% [markdown]
# **Step 6.2, two roads to the same policy** (*identity*). Lecture 04 trains a policy to resemble the optimist's
# $p_{08}\propto e^R\,p_0\prod P$ in Kullback–Leibler divergence, $\mathrm{KL}(p\|q) = \mathbb E_p\log(p/q)$,
# which is positive unless $p = q$. Does that inherit the optimism? No: a policy cannot change the dice, the dynamics
# cancel in the ratio, and with $Z_{08} = \sum_\tau e^{R}p_0\prod P$
#
# $$ \mathrm{KL}(p_\pi\,\|\,p_{08}) = \mathbb E_\pi\Big[\sum_t\log\pi_t - R\Big] + \log Z_{08}
# \;\ge\; \log Z_{08} - \mathbb E_{p_0}V_0, \tag{21} $$
#
# with equality for the *causal* policy, because $V_0$ is the maximum of $\mathbb E_\pi[R - \sum_t\log\pi_t]$. We let a
# generic optimiser find the minimum over all policies, knowing nothing of (8).

# %%
R_windy, log_Z08 = F_windy @ θ_E, logsumexp(F_windy @ θ_E + np.log(windy_sessions.chance))
index = (np.arange(H), torch.tensor(windy_sessions.states[:, :-1]), torch.tensor(windy_sessions.actions))
chance, R_torch = torch.tensor(windy_sessions.chance), torch.tensor(R_windy)


def kl_to_08(x):
    """KL(p_π ‖ p_08) and its gradient, for the policy with logits x."""
    x = torch.tensor(x, requires_grad=True)
    log_π = torch.log_softmax(x.reshape(H, 5, 2), dim=-1)[index].sum(dim=1)  # Σ_t log π_t, per session
    kl = (chance * log_π.exp() * (log_π - R_torch)).sum() + log_Z08
    kl.backward()
    return kl.item(), x.grad.numpy()


# %%
found = minimize(kl_to_08, np.zeros(H * 5 * 2), jac=True, method="L-BFGS-B", options=dict(ftol=0, gtol=1e-9))
p_found = windy_sessions.chance * chosen(softmax(found.x.reshape(H, 5, 2), axis=-1), windy_sessions)
V_causal, _, _ = soft_value_iteration(windy, r_E)

assert np.isclose(found.fun, log_Z08 - V_causal[0, 0], atol=1e-9) and found.fun > 0.01  # the gap in (21) is real
assert np.allclose(p_found, p_E_windy, atol=1e-6)  # the causal policy, not the optimist
assert np.abs(p_found - windy_models["2008"]).max() > 0.01

# %% [markdown]
# ### Spot the error 4 · Algorithm 1 of 2008
#
# The algorithm printed in the 2008 paper (here with a horizon) mixes two models: *backward*, its partition function is
# that of the optimist,
#
# > $Q_t = r + \log\sum_{s'}P(s'|s,a)\,e^{V_{t+1}(s')}$;
#
# *forward*, it counts visits with the true $P$. Each half is sensible. Together? The field of "gradients"
# $g(\theta) = \mathbb E F$ must be the gradient of *something*, and second derivatives commute: its Jacobian must be
# symmetric.

# %%
def optimist(P, θ):
    """V_0 (S,) and π[t,s,a] by the backup of 2008."""
    V, π = np.zeros(5), []
    for _ in range(H):
        Q = f @ θ + np.log(P @ np.exp(V))
        V = logsumexp(Q, axis=1)
        π.insert(0, np.exp(Q - V[:, None]))
    return V, np.array(π)


P_windy = windy.dense()
assert np.isclose(optimist(P_windy, θ_E)[0][0], log_Z08)  # the backward half is right, for the model of 2008
fields = {  # θ ↦ the features that each model expects
    "causal": lambda θ: feature_expectations(windy, f, occupancy(windy, soft_value_iteration(windy, f @ θ)[2])),
    "Algorithm 1": lambda θ: feature_expectations(windy, f, occupancy(windy, optimist(P_windy, θ)[1])),
    "2008 likelihood": lambda θ: softmax(F_windy @ θ + np.log(windy_sessions.chance)) @ F_windy,
    "slide likelihood": lambda θ: softmax(F_windy @ θ) @ F_windy,
}

# %%
def asymmetry(field, θ, h=1e-5):
    J = np.stack([field(θ + h * e) - field(θ - h * e) for e in np.eye(3)], axis=1) / (2 * h)
    return np.abs(J - J.T).max()


skew = {name: asymmetry(field, θ_E) for name, field in fields.items()}
for name, value in skew.items():
    print(f"{name:17s} asymmetry of the Jacobian {value:.1e}")

assert skew.pop("Algorithm 1") > 0.01 and max(skew.values()) < 1e-8

# %% [markdown]
# Algorithm 1 follows the gradient of *no* likelihood. Does it matter? Give all four *infinite data*: the exact features
# of an expert that acts causally on windy days. Then solve $g(\theta) = \hat f$ and compare with the truth (*identity*
# for the causal fit; of the others we assert that they miss).

# %%
fits = {name: root(lambda θ, g=field: g(θ) - f_E_windy, np.zeros(3), tol=1e-12) for name, field in fields.items()}
wrong = {name: np.abs(found.x - θ_E).max() for name, found in fits.items()}
for name, found in fits.items():
    print(f"{name:17s} fish, view, toil = {np.round(found.x, 3)}   error {wrong[name]:.1e}")

assert max(np.abs(found.fun).max() for found in fits.values()) < 1e-10  # every one of them matches the features …
assert wrong.pop("causal") < 1e-8 and min(wrong.values()) > 0.05  # … and only one finds the reward

# %% [markdown]
# <details><summary>How can they all match the features, and only one be right?</summary>
#
# The two likelihoods match them in the world as *they* believe it to be, Algorithm 1 even in the real one, with a
# policy that is not the soft policy of its reward. Matching features is not enough: an expert who cannot command the
# wind is described by the causal model.
# </details>
#
# <details><summary><b>Quick question 4.</b>
# On windy days, is V₀ still the log of a sum over sessions?</summary>
#
# No. $V_0 = \max_\pi \mathbb E_\pi[R - \sum_t\log\pi_t]$ remains true, but $\log\sum_\tau e^{R}\prod P = \log Z_{08}$
# is strictly larger as soon as the wind makes a difference: this is (21). Jensen's inequality says it in one line:
# $\log\mathbb E e^{V} \ge \mathbb E V$.
# </details>
#
# ## 7. Why the exponential?
#
# So far $e^R$ was an assumption. Here is where it comes from. Suppose all we trust about the data is $\hat f$, its mean
# features. Among all policies with these features, which one adds *nothing else*? The most random one (Jaynes 1957):
#
# $$ \max_\pi\; \mathcal H_c(\pi) \quad\text{subject to}\quad \mathbb E_\pi F = \hat f, \qquad
# \mathcal H_c(\pi) = -\mathbb E_\pi\sum_t\log\pi_t(a_t|s_t). \tag{22} $$
#
# $\mathcal H_c$ is the **causal entropy**: the randomness of the choices, without that of the wind. Lagrange's method
# drops the constraints, charges a price $\theta_k$ (the *multiplier*) for each unit by which one is missed, and then
# looks for the prices at which none is. What is to be maximised at given prices is the soft planning problem:
#
# $$ \max_\pi\; \mathcal H_c(\pi) + \theta\cdot(\mathbb E_\pi F - \hat f)
# \;=\; V_0(\theta) - \theta\cdot\hat f \;=\; L(\theta). \tag{23} $$
#
# So **the reward weights are Lagrange multipliers**, and the problem of section 5, minimising $L$ over the prices, is
# the **dual** of (22). **Why care?** The exponential needs no belief about the expert's psychology; it is the least
# committal model that agrees with the data on the features.
#
# <details><summary>Why do the two optima agree? And why is it V₀?</summary>
#
# Problem (22) is not concave in the numbers $\pi_t(a|s)$, but it is in the occupancies $d_t(s)\pi_t(a|s)$: features are
# linear in them, the flow equations (11) too, and $\mathcal H_c$ is concave. A concave problem with linear constraints
# has no duality gap (if some full-support policy is feasible, the best $\theta$ exists as well). That the maximum in
# (23) is $V_0$ is the soft Bellman equation: at each $(t,s)$,
# $\max_\pi \sum_a\pi(a)[Q(a) - \log\pi(a)] = \log\sum_a e^{Q(a)}$, attained at $\pi = e^{Q-V}$.
# </details>
#
# **Step 7.1, on a calm day** (*identity*). The entropy is that of a distribution over 16 sessions. We give (22) to
# SciPy's SLSQP, which knows constraints but no exponentials.

# %%
constraints = [dict(type="eq", fun=lambda q: q.sum() - 1), dict(type="eq", fun=lambda q: q @ F - f_E)]
primal = minimize(lambda q: q @ np.log(q), np.full(16, 1 / 16), jac=lambda q: np.log(q) + 1, method="SLSQP",
                  bounds=[(1e-12, 1)] * 16, constraints=constraints, options=dict(ftol=1e-14, maxiter=500))

assert primal.success
assert np.allclose(primal.x, p_E, atol=1e-6)  # the exponential appears by itself
assert np.allclose(primal.multipliers[1:], θ_E, atol=1e-5)  # and the multipliers are the reward
print("multipliers:", primal.multipliers[1:])

# %% [markdown]
# **Step 7.2, on a windy day** (*identity*). Now over policies: 20 unknowns, the log-odds of sailing at each time and
# harbour. Entropy and features by enumeration; no soft Bellman equation anywhere.

# %%
def policy(x):
    sail = 1 / (1 + np.exp(-x.reshape(H, 5)))
    return np.stack([1 - sail, sail], axis=-1)


def causal_entropy(x):
    choices = chosen(policy(x), windy_sessions)
    return -(windy_sessions.chance * choices) @ np.log(choices)


def features_of(x):
    return (windy_sessions.chance * chosen(policy(x), windy_sessions)) @ F_windy


# %%
matched = dict(type="eq", fun=lambda x: features_of(x) - f_E_windy)
primal = minimize(lambda x: -causal_entropy(x), np.zeros(20), method="SLSQP", constraints=matched,
                  options=dict(ftol=1e-14, maxiter=500))
dual = maxent_irl(windy, f, f_E_windy, tol=1e-7)

assert primal.success
assert np.isclose(-primal.fun, dual.objective, atol=1e-9)  # strong duality: largest entropy = smallest L
assert np.allclose(primal.multipliers, dual.θ, atol=1e-4) and np.allclose(dual.θ, θ_E, atol=1e-6)
p_primal = windy_sessions.chance * chosen(policy(primal.x), windy_sessions)
assert np.allclose(p_primal, p_E_windy, atol=1e-6)  # the soft Bellman policy of (8), (9)

# %% [markdown]
# ◇ **Step 7.3, honest constraints and the $\ell_1$ norm** (*identity*). Features counted in few sessions are noisy, so
# ask for less: $|\mathbb E_\pi F_k - \hat f_k| \le \varepsilon$. In the dual the box becomes a penalty,
#
# $$ \min_\theta\; L(\theta) + \varepsilon\|\theta\|_1, \tag{24} $$
#
# and a feature that stays strictly inside its box gets weight exactly 0. To minimise (24) with a
# smooth optimiser, write $\theta = u - v$ with $u, v \ge 0$.

# %%
few = sample_trajectories(windy, soft_value_iteration(windy, r_E)[2], 20, np.random.default_rng(3))
f_few, ε = feature_expectations(windy, f, empirical_occupancy(windy, few)), 0.5


def l1_dual(uv):
    value, gradient = maxent_dual(windy, f, f_few, uv[:3] - uv[3:])
    return value + ε * uv.sum(), np.r_[gradient, -gradient] + ε


found = minimize(l1_dual, np.zeros(6), jac=True, method="L-BFGS-B", bounds=[(0, None)] * 6,
                 options=dict(ftol=0, gtol=1e-10))
θ_box = found.x[:3] - found.x[3:]
missed = f_few - fields["causal"](θ_box)
print("θ =", θ_box, "  f̂ − E F =", missed)

# %%
active = θ_box != 0
assert np.all(np.abs(missed) <= ε + 1e-6)  # inside the box,
assert np.allclose(missed[active], ε * np.sign(θ_box[active]), atol=1e-6) and not active.all()  # at a wall if θ ≠ 0

box = dict(type="ineq", fun=lambda x: np.r_[ε - (features_of(x) - f_few), ε + (features_of(x) - f_few)])
primal = minimize(lambda x: -causal_entropy(x), np.zeros(20), method="SLSQP", constraints=box,
                  options=dict(ftol=1e-14, maxiter=500))
assert primal.success and np.isclose(-primal.fun, found.fun, atol=1e-8)  # the box and the penalty: one problem

# %% [markdown]
# <details><summary><b>Quick question 5.</b>
# Which constraint corresponds to the ℓ2 penalty of (17)?</summary>
#
# None that is a fixed box: $\frac\lambda2\|\theta\|^2$ is the dual of *paying*
# $\frac1{2\lambda}\|\mathbb E_\pi F - \hat f\|^2$ in the objective. Mismatch is allowed everywhere, at a quadratic
# price: weights shrink, and none is made exactly 0.
# </details>
#
# ## 8. What no data can tell
#
# Even the expert's complete policy does not determine the reward. Lecture 01 met constants and potentials. They come
# back here with their small print, and then we count whether that is all.
#
# **Step 8.1, potential shaping** (*identity*). Let $\Phi(s)$ be any function of states (a *potential*). In an endless
# world with discount $\gamma<1$ (values are then $Q = r + \gamma\,\mathbb E V$, stationary in $t$) the reward
#
# $$ r'(s,a) = r(s,a) + \gamma\,\mathbb E_{s'}\Phi(s') - \Phi(s) \tag{25} $$
#
# has $Q' = Q - \Phi$ and $V' = V - \Phi$, and therefore the same policy (Ng, Harada, Russell 1999). One free number per
# state!

# %%
γ, Φ = 0.8, np.array([1.0, -2.0, 0.5, 3.0, -1.0])
endless = harbours(wind=0.4, horizon=None, discount=γ)
shaped = r_E + γ * endless.expect(Φ) - Φ[:, None]
V_plain, _, π_plain = soft_value_iteration(endless, r_E)
V_shaped, _, π_shaped = soft_value_iteration(endless, shaped)

assert np.abs(shaped - r_E).max() > 1  # another reward altogether,
assert np.allclose(π_shaped, π_plain, atol=1e-9)  # the same behaviour
assert np.allclose(V_shaped, V_plain - Φ, atol=1e-8)

# %% [markdown]
# ### Spot the error 5 · "shaping is harmless, with a horizon too"
#
# Add (25) with $\gamma=1$ to the reward of our four trips, and the policy changes. Why? And which potentials
# $\Phi_t(s)$, that may depend on time, would be free?

# %%
_, π_plain = soft_backward(P_windy, [r_E] * H)
_, π_static = soft_backward(P_windy, [r_E + P_windy @ Φ - Φ[:, None]] * H)
potentials = np.vstack([np.random.default_rng(1).normal(size=(H, 5)), np.zeros(5)])  # Φ_0 … Φ_{H−1}, and Φ_H = 0
_, π_vanishing = soft_backward(P_windy, [r_E + P_windy @ potentials[t + 1] - potentials[t][:, None] for t in range(H)])

print("policy changed by", np.abs(np.array(π_static) - π_plain).max(), "with a potential that ignores the time")
assert np.abs(np.array(π_static) - π_plain).max() > 0.1
assert np.allclose(π_vanishing, π_plain)  # at the price of a reward that depends on time

# %% [markdown]
# <details><summary>Answer</summary>
#
# Along a session the shaping terms telescope to $\Phi(s_H) - \Phi(s_0)$, and the skipper can still choose $s_H$. The
# potential must **vanish at the end**, $\Phi_H = 0$; before that it may do what it likes.
# </details>
#
# **Step 8.2, a constant** (*identity*). Adding $c$ to every reward changes nothing when all sessions have the same
# length (A3): it adds $cH$ to each return.
#
# ### Spot the error 6 · "the constant never matters"
#
# Let the day *end* on reaching E. What does a constant $c > 0$ do now, and what does $c < 0$?

# %%
ends_in_E = harbours(terminal=[4])
for c in (-3, 0, 3):
    assert np.allclose(soft_value_iteration(calm, r_E + c)[2], soft_value_iteration(calm, r_E)[2])  # (A3): no effect
    trips = visitation(ends_in_E, soft_value_iteration(ends_in_E, r_E + c)[2]).sum()  # expected number of actions
    print(f"c = {c:2d}: {trips:.2f} trips on average before the end")

hurry, linger = (visitation(ends_in_E, soft_value_iteration(ends_in_E, r_E + c)[2]).sum() for c in (-3, 3))
assert hurry + 0.5 < linger

# %% [markdown]
# <details><summary>Answer</summary>
#
# It is a wage, or a cost of living, paid for each trip. With $c > 0$ the skipper stays away from E, with $c < 0$ it
# hurries there.
# </details>
#
# **Step 8.3, count what is lost** (*identity*, at a generic reward: at special ones more may be lost). Differentiate
# the whole policy by the whole reward. Directions of $r$ along which $\pi$ does not move are invisible; their number is
# the dimension of $r$ minus the **rank of the Jacobian** $\partial\pi/\partial r$. We suppose the most generous data:
# $\pi$ known exactly, in every state and at every time, even where no session from A ever gets. (A discount is $P$
# replaced by $\gamma P$ in `soft_backward`.)

# %%
def with_horizon(P, H):
    """r ↦ π[t,s,a] for H steps, as a torch function."""
    return lambda r: torch.stack(soft_backward(torch.tensor(P), [r] * H, torch)[1])


def with_discount(P, γ):
    """r ↦ π[s,a] of an endless world: 150 sweeps will do, γ^150 ≈ 0."""
    return lambda r: soft_backward(γ * torch.tensor(P), [r] * 150, torch)[1][0]


def lost(policy_of, r):
    """How many dimensions of the reward the policy does not show: dim r − rank ∂π/∂r."""
    J = torch.autograd.functional.jacobian(policy_of, torch.tensor(r))
    sizes = np.linalg.svd(J.reshape(-1, r.size).numpy(), compute_uv=False)
    return int((sizes < 1e-9 * sizes[0]).sum())

# %%
both = lambda first, second: lambda r: torch.stack([first(r), second(r)])
losses = {
    "endless": lost(with_discount(P_windy, 0.8), r_E),
    "two discounts": lost(both(with_discount(P_windy, 0.8), with_discount(P_windy, 0.5)), r_E),
    "two winds": lost(both(with_discount(P_windy, 0.8), with_discount(P, 0.8)), r_E),
} | {f"horizon {steps}": lost(with_horizon(P_windy, steps), r_E) for steps in (1, 2, 4)}
print("dimensions lost, of", r_E.size, ":", losses)

assert list(losses.values()) == [5, 1, 1, 5, 1, 1]  # 5 potentials, or 1 constant

# %% [markdown]
# An endless discounted world hides exactly the $S$ potentials of (25), the constant among them. Two experts with the
# same reward and different discounts, or in different dynamics, leave only the constant here, because a potential would
# have to suit both (Cao, Cohen, Szpruch 2021 say when). And a *horizon* does it alone: the last step shows $r(s,\cdot)$
# up to a number per state, and the step before compares these numbers, if actions lead to places that differ enough.
#
# ◇ What if the reward is known to depend on the state only, $r(s)$? Then of the potentials only those survive that look
# the same from every action. Usually that leaves the constant. But on a ring with moves left and right, every move
# changes parity, and on an *even* ring one may add different constants to even and odd places:

# %%
def ring(n):
    P, s = np.zeros((n, 2, n)), np.arange(n)
    P[s, 0, (s + 1) % n] = P[s, 1, (s - 1) % n] = 1
    return P


def of_states(policy_of):
    """The same policy as a function of r(s)."""
    return lambda r: policy_of(r[:, None].repeat(1, 2))


for world, dimensions in ((P, 1), (P_windy, 1), (ring(5), 1), (ring(6), 2)):
    r = np.random.default_rng(0).normal(size=len(world))  # a generic r(s)
    assert lost(of_states(with_discount(world, 0.8)), r) == dimensions
    assert lost(of_states(with_horizon(world, 4)), r) == dimensions

# %% [markdown]
# **Why care?** A recovered reward is a whole class of rewards. Compare policies, or compare rewards *modulo* what is
# invisible; and carry a reward into a world with other dynamics only if its class survives the journey (lecture 03
# tries).
#
# ## 9. Clocks, starts, and endless sessions
#
# ### Spot the error 7 · "(alt: use gamma)"
#
# The slides offer a variant: discount inside the exponent, $p \propto e^{\sum_t\gamma^t r(s_t,a_t)}$. It looks
# innocent. Write its soft Bellman equations with $r_t = \gamma^tr$ and $V_t = \gamma^tU_t$; then $U$ obeys
#
# $$ U_t(s) = T_t\log\sum_a e^{[\,r(s,a)+\gamma\,\mathbb E U_{t+1}\,]/T_t}, \qquad T_t = \gamma^{-t}. \tag{26} $$
#
# What does the temperature $T_t$ do to the skipper as the day goes on?

# %%
long = 40
_, π_inside = soft_backward(P, [γ**t * r_E for t in range(long)])

U, π_temperature = np.zeros(5), []  # equation (26), with its rising temperature
for T in γ ** -np.arange(long)[::-1].astype(float):
    Q = r_E + γ * P @ U
    U = T * logsumexp(Q / T, axis=1)
    π_temperature.insert(0, np.exp((Q - U[:, None]) / T))
assert np.allclose(π_inside, π_temperature)  # identity (26)

# %%
_, _, π_causal = soft_value_iteration(harbours(horizon=None, discount=γ), r_E)
inside = np.array([np.mean([entropy(row) for row in π_t]) for π_t in π_inside])
causal = np.mean([entropy(row) for row in π_causal])

fig, ax = plt.subplots(figsize=(6.5, 3))
ax.plot(inside, label=r"discount inside $e^{\Sigma\gamma^t r}$")
ax.axhline(causal, color="tab:orange", label="discounted causal entropy")
ax.axhline(np.log(2), color="0.5", ls=":", label="log 2: a fair coin")
ax.set(xlabel="time t", ylabel="entropy of the choice (nats)", ylim=(0, 0.75), title="mean over the harbours")
ax.legend(loc="lower right")

assert np.isclose(inside[0], causal, atol=0.1) and inside[15] > 0.99 * np.log(2) > 1.2 * causal
show(fig, alt="Entropy of the choice against time. With the discount inside the exponent it rises to log 2 within "
     "about fifteen steps; the causal-entropy policy stays at a constant, lower level.")

# %% [markdown]
# <details><summary>Answer</summary>
#
# It rises without end: late choices weigh little in the exponent, so they are made by a coin. The skipper gets drunk as
# the day goes on. **Right** is to discount reward *and entropy* alike, which gives the stationary
# $V = \log\sum_ae^{r+\gamma\,\mathbb EV}$ of section 8.
# </details>
#
# ◇ **Step 9.1, what the discounted fit maximises** (*identity*). With that policy, which likelihood has the *discounted
# feature gap* as gradient? By (20) with a $\gamma^t$ on each term, the telescope closes for the **discounted**
# log-likelihood only:
#
# $$ \nabla_\theta\,\mathbb E_E\sum_t\gamma^t\log\pi_t(a_t|s_t) =
# \mathbb E_E\sum_t\gamma^tf(s_t,a_t) - \mathbb E_{\pi_\theta}\sum_t\gamma^tf(s_t,a_t). \tag{27} $$

# %%
discounted = harbours(wind=0.4, discount=γ)
π_expert = soft_value_iteration(discounted, r_E)[2]
d_E = visitation(discounted, π_expert)


def expected_log_likelihood(θ, discount):
    log_π = np.log(soft_value_iteration(discounted, f @ θ)[2])
    return np.einsum("t,ts,tsa,tsa->", discount ** np.arange(H), d_E, π_expert, log_π)


expert_features = feature_expectations(discounted, f, occupancy(discounted, π_expert))
_, gradient = maxent_dual(discounted, f, expert_features, θ)  # −(27)
assert np.allclose(approx_fprime(θ, expected_log_likelihood, 1e-7, γ), -gradient, atol=1e-5)
assert np.abs(approx_fprime(θ, expected_log_likelihood, 1e-7, 1.0) + gradient).max() > 0.1  # not the ordinary one

# %% [markdown]
# ◇ **Step 9.2, cutting an endless world** (*identity*, a bound). In practice endless sessions are cut after $H$ steps.
# One soft backup shrinks differences by $\gamma$, so after $H$ of them, starting from 0,
#
# $$ \|V^{(H)} - V\|_\infty \le \gamma^H\,\|V\|_\infty. \tag{28} $$

# %%
V_endless, _, _ = soft_value_iteration(endless, r_E)
for cut in (1, 5, 20, 50):
    V_cut, _, _ = soft_value_iteration(harbours(wind=0.4, horizon=cut, discount=γ), r_E)
    error, bound = np.abs(V_cut[0] - V_endless).max(), γ**cut * np.abs(V_endless).max()
    print(f"H = {cut:2d}: error {error:.2e} ≤ {bound:.2e}")
    assert error <= bound + 1e-9

# %% [markdown]
# ### Spot the error 8 · where does the session start?
#
# Drop (A2): each day begins in a random harbour, $s_0\sim p_0$. The slides' formula sums over *all* sessions, whatever
# their start, and $p_0$ appears nowhere. What distribution of starts does $p(\tau)\propto e^{R(\tau)}$ imply, and how
# would you put $p_0$ back?

# %%
p0 = np.array([0.4, 0.1, 0.1, 0.3, 0.1])
anywhere = harbours(start=p0)
everywhere = enumerate_sessions(anywhere)
F_all = total(f, everywhere)
V, _, π = soft_value_iteration(anywhere, r_E)
slide = np.bincount(everywhere.states[:, 0], weights=softmax(F_all @ θ_E))
print("starts  p0:", p0, "  slide:", np.round(slide, 3))

assert np.allclose(slide, softmax(V[0]))  # ∝ e^V_0(s_0)
assert np.abs(slide - p0).max() > 0.1

# %%
by_start = p0[everywhere.states[:, 0]] * np.exp(F_all @ θ_E - V[0, everywhere.states[:, 0]])
assert np.allclose(by_start, everywhere.chance * chosen(π, everywhere))  # right: p0(s_0) e^R / Z(s_0), see (29)

expert_features = by_start @ F_all
slide_gradient = expert_features - softmax(F_all @ θ_E) @ F_all
_, right_gradient = maxent_dual(anywhere, f, expert_features, θ_E)
assert np.allclose(right_gradient, 0) and np.abs(slide_gradient).max() > 0.1  # the slide's leaves the true reward

# %% [markdown]
# <details><summary>Answer</summary>
#
# It lets the skipper choose the start as if it were an action:
#
# $$ p(s_0) = \frac{1}{Z}\sum_{\tau\text{ from }s_0}e^{R(\tau)} \propto e^{V_0(s_0)} \;\ne\; p_0(s_0). \tag{29} $$
#
# **Right:** normalise for each start separately, $\log Z(s_0) = V_0(s_0)$, and average:
# $L(\theta) = \mathbb E_{s_0\sim p_0}V_0(s_0) - \theta\cdot\hat f$, as in (14).
# </details>
#
# ### Spot the error 9 · "every session has a probability"
#
# Drop (A3) altogether, as in the slides' own tile puzzle: each step costs 1, and the agent may *exit at will*. Then
# there are infinitely many sessions, of every length, and $Z = \sum_\tau e^{R(\tau)}$ is an infinite sum. On an
# $n\times n$ grid with all rewards 0 but the cost of living, let $A[s,s']$ be the number of moves from $s$ to $s'$;
# sessions of $m$ moves are counted by $A^m$, and
#
# $$ Z(s) = \sum_{m=0}^\infty e^{-m}\sum_{s'}(A^m)_{s,s'} \quad\text{converges for every } s \text{ exactly when}\quad
# \rho = \lambda_{\max}(A)/e < 1. \tag{30} $$
#
# There is a fight between the number of sessions, which grows by $\lambda_{\max}$ a step, and their weight, which falls
# by $e$. Who wins depends on what a move into a wall *is*, so the convention must be stated: **illegal** (no such
# move), or **bump** (it counts, and one stays put). Guess before you run: who wins on a 2×2 grid, and who on a 3×3?

# %%
def moves(n, bump=False, corner_ends=False):
    """A[s,s'] on an n×n grid of four moves; corner_ends: no move leads out of the last cell."""
    line = np.eye(n, k=1) + np.eye(n, k=-1)
    A = np.kron(line, np.eye(n)) + np.kron(np.eye(n), line)
    if bump:
        A += np.diag(4 - A.sum(axis=1))
    if corner_ends:
        A[-1] = 0
    return A


worlds = {"2×2, illegal": moves(2), "2×2, bump": moves(2, bump=True), "3×3, illegal": moves(3),
          "3×3, illegal, corner ends": moves(3, corner_ends=True)}
ρ = {name: np.abs(np.linalg.eigvals(A)).max() / np.e for name, A in worlds.items()}
for name, value in ρ.items():
    print(f"{name:26s} ρ = {value:.3f}  {'converges' if value < 1 else 'diverges'}")
assert [value < 1 for value in ρ.values()] == [True, False, False, True]
assert all(moves(n, bump).sum(axis=1).max() <= 4 for n in (2, 3, 9) for bump in (False, True))  # so λ_max ≤ 4

# %%
fig, ax = plt.subplots(figsize=(6.5, 3.2))
for name, A in worlds.items():
    terms = [np.ones(len(A))]
    for _ in range(500):
        terms.append(A @ terms[-1] / np.e)
    ax.semilogy(np.cumsum(terms, axis=0)[:, 0], label=f"{name}: ρ = {ρ[name]:.2f}")
    closed = np.linalg.solve(np.eye(len(A)) - A / np.e, np.ones(len(A)))  # the geometric series, if there is one
    assert (closed.min() > 0) == (ρ[name] < 1)  # where Z diverges the "solution" is negative: not a probability
    assert ρ[name] > 1 or np.allclose(np.sum(terms, axis=0), closed, rtol=0.01)
ax.set(xlabel="longest session counted", ylabel="partial sum of Z", ylim=(1, 1e5), title="one step costs 1")
ax.legend(fontsize=8)
show(fig, alt="Partial sums of the partition function against the longest session counted, on a log scale. Two worlds "
     "level off, those with rho below 1; the other two grow without bound, the bump world fastest.")

# %% [markdown]
# **Right:** a fixed horizon; or a discount with causal entropy; or a cost of living above $\log 4$, which is safe on
# *every* grid of four moves under either convention: $\lambda_{\max}$ is at most the largest row sum of $A$, and that
# is at most 4 (the last assert of the cell before the figure).
#
# ## 10. Sampling without Z
#
# ### Spot the error 10 · "to sample we need to estimate Z"
#
# The slides' bridge to the model-free case says: *to sample from $e^{R}$ we need to estimate $\sum_{\tau'}e^{R}$*.
# Not so. **Metropolis–Hastings** (Metropolis et al. 1953, Hastings 1970) needs only *ratios*, and in
# $p(\tau')/p(\tau) = e^{R(\tau')-R(\tau)}$ the constant $Z$ cancels. Propose to change one action at random; accept
# with probability $\min(1, e^{R(\tau')-R(\tau)})$; otherwise stay. In the long run the share of time spent in $\tau$
# is $p(\tau)$. (It needs (A1), (A2), so that actions determine the session, and a simulator to compute $R$.)

# %%
assert np.array_equal(calm_sessions.actions @ [8, 4, 2, 1], np.arange(16))  # a session's number: its actions as bits


def metropolis(R, steps, rng, chains=50):
    """The share of time that `chains` parallel chains spend in each session."""
    visits = np.zeros(len(R))
    τ = rng.integers(len(R), size=chains)
    for _ in range(steps):
        proposed = τ ^ (1 << rng.integers(H, size=chains))  # flip one bit: change one action
        accept = np.log(rng.random(chains)) < R[proposed] - R[τ]
        τ = np.where(accept, proposed, τ)
        visits += np.bincount(τ, minlength=len(R))
    return visits / visits.sum()

# %% [markdown]
# *Statistical*, over 6 seeds: the total variation distance $\frac12\sum_\tau|\hat p(\tau)-p(\tau)|$ from the true
# distribution falls as the chains run on. Adding a million to every return changes nothing at all: the ratios are the
# same.

# %%
R = F @ θ_E
shares = [[metropolis(R, n, np.random.default_rng(seed)) for seed in range(6)] for n in (30, 300, 3000)]
far = np.abs(np.array(shares) - p_E).sum(axis=2) / 2  # (steps, seeds)
for steps, tv in zip((30, 300, 3000), far, strict=True):
    print(f"{50 * steps:6d} steps in all: distance {tv.mean():.4f} ± {tv.std(ddof=1):.4f}")

assert far[2].max() < 0.03 and far[2].mean() < far[1].mean() < far[0].mean()
assert np.allclose(*(metropolis(R + c, 300, np.random.default_rng(0)) for c in (0, 2**20)))

# %% [markdown]
# **Why care?** $Z$ is not the obstacle in the model-free case. Finding the good sessions is: one random change of a
# long session seldom helps. Lecture 04 therefore *learns* a sampler.
#
# <details><summary><b>Quick question 6.</b>
# Would the same trick sample from the causal model on windy days?</summary>
#
# Not as it stands. The target would be $\prod P\,\prod\pi$, and the ratio of the $\pi$'s needs the values $V_t$, which
# are the sums that we wanted to avoid. With $e^R\prod P$ in the ratio it samples the optimist of 2008.
# </details>
#
# ## Summary
#
# | step | in one line | holds |
# |---|---|---|
# | (2), (5) | $p\propto e^R$ (∝, not ~); gradient = expert's features − model's features | under (A1)–(A3) |
# | (8), (9) | $\pi = e^{Q-V}$: a backward pass | in any world; $V_0 = \log Z$ under (A1), (A2) |
# | (11), (13) | $\nabla V_0$: a forward pass from $p_0$; visits sum to $H$ | in any world; the sum under (A3) |
# | (15), (17) | $L$ is convex; add $\ell_2$ when the expert never errs | in any world |
# | (18)–(21) | the causal model; $e^R$ loves noise, the model of 2008 believes in luck | where (A1) fails |
# | (22)–(24) | the least committal policy; $\theta$ are multipliers; a box is an $\ell_1$ penalty | in any world |
# | (25) | invisible: $S$ potentials, or one constant | endless with one discount; two discounts or a horizon |
# | (26)–(28) | discount reward *and* entropy | endless worlds |
# | (29), (30) | keep $p_0$ apart; see that $Z$ is finite | where (A2), (A3) fail |
# | section 10 | to sample, ratios will do: no $Z$ | under (A1), (A2) |
#
# You now have every part of the algorithm and have seen each one fail and succeed. Lecture 03 puts them to work on
# worlds that cannot be enumerated.
#
# ## Further reading
#
# * Ziebart, Maas, Bagnell, Dey, *Maximum Entropy Inverse Reinforcement Learning*, AAAI 2008. The origin; read its
#   Algorithm 1 with section 6 at hand.
# * Ziebart, Bagnell, Dey, *Modeling Interaction via the Principle of Maximum Causal Entropy*, ICML 2010; and Ziebart's
#   thesis, Carnegie Mellon 2010.
# * Gleave, Toyer, *A Primer on Maximum Causal Entropy Inverse Reinforcement Learning*, 2022, arXiv:2203.11409. A
#   compact derivation.
# * Levine, *Reinforcement Learning and Control as Probabilistic Inference*, 2018, arXiv:1805.00909. The optimist, and
#   its cure, from the side of inference.
# * Ng, Harada, Russell, *Policy Invariance under Reward Transformations*, ICML 1999. Potential shaping.
# * Cao, Cohen, Szpruch, *Identifiability in Inverse Reinforcement Learning*, 2021, arXiv:2106.03498. Two discounts.
# * Soudry et al., *The Implicit Bias of Gradient Descent on Separable Data*, 2018, arXiv:1710.10345. Step 5.4.
# * Jaynes, *Information Theory and Statistical Mechanics*, Physical Review 106, 1957. Why entropy.
