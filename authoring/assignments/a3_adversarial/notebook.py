# %% [markdown]
# # Assignment a3: build adversarial imitation from its four parts
#
# **What you will do.** Write four functions: a discriminator that holds a reward, one exact step of GAIL, a gradient
# that runs back through a model of the world (MAIL), and AIRL's shaped reward. At the end your GAIL step, repeated,
# turns an agent that wanders into one that walks like the expert.
#
# **Why.** Adversarial methods are short, and fail silently: with one sign turned round, a label swapped or an entropy
# left out they still run, and learn the opposite or nothing. Here each number has one right value, and a check that
# knows it.
#
# **What you need.** Lectures 04 and 05. NumPy and SciPy; PyTorch if you like. Two to three hours.

# %% [markdown]
# ## How this works
#
# - Write your answer where it says `raise NotImplementedError`. Keep the function's name and its arguments.
# - Run the check below your answer. It tries your function on many small random instances and compares it with a slow
#   calculation from the definition. If something is wrong, the card shows the smallest instance that went wrong, and
#   it names the mistake if it is a known one. Try as often as you like.
# - **More tests run at grading**, on other instances: larger ones, a single state, a single step, deterministic
#   worlds, huge rewards, arrays of integers or of single precision. All of them follow the definitions below.
# - Write with NumPy, SciPy or PyTorch, and with your own functions from this notebook, and compute in double precision
#   (`torch.tensor` of a NumPy array keeps it; `.float()` does not). An answer that uses `course_utils` earns no points.
# - The hints unfold one by one, from a nudge to nearly everything. Try before you look.
#
# **Two conventions.** A discriminator tells two batches apart, and papers do not agree on which of them is $D \to 1$.
# In questions 1 and 4 it is the **expert**, as in the papers of GAN-GCL and AIRL; in questions 2 and 3 it is the
# **policy**, as in GAIL's. Each question says so again.
#
# **Notation.** States $s$ and actions $a$ are numbered from 0 where they are discrete; axes are `P[s, a, s']` and
# `π[s, a]`. $\sigma(x) = 1/(1 + e^{-x})$ is the logistic function. In question 3 the letter $\sigma$ is also the size
# of the policy's noise: it is always clear which.

# %%
import numpy as np
from scipy.special import expit, log_expit, log_softmax

from course_utils.checks import check, unfinished_ok

# %% [markdown]
# ## 1. A discriminator that holds a reward
#
# @question a3.q1
#
# Guided cost learning is a GAN whose discriminator is made of two densities of a trajectory $\tau$: the model's,
# $\tilde p(\tau) = e^{R(\tau)} / Z$, and the policy's, $q(\tau)$. A batch holds $N_E$ demonstrations and $N_\pi$
# samples of the policy, **not equally many**. Somebody picks one of the $N_E + N_\pi$ trajectories at random. If
# demonstrations had the density $\tilde p$, the probability that it is a demonstration would be
#
# $$
# D(\tau) \;=\; \frac{N_E \, \tilde p(\tau)}{N_E \, \tilde p(\tau) + N_\pi \, q(\tau)}.
# \tag{1}
# $$
#
# $D \to 1$ is the **expert**. The discriminator's parameters are those of $R$, and $\log Z$. Its loss is the mean over
# all trajectories,
#
# $$
# L \;=\; -\frac{1}{N_E + N_\pi} \Big[ \sum_{\tau \in \text{demonstrations}} \log D(\tau)
# {} + \sum_{\tau \in \text{samples}} \log\big(1 - D(\tau)\big) \Big],
# \tag{2}
# $$
#
# and the generator's loss, one number for each of the policy's samples, is $\log(1 - D(\tau)) - \log D(\tau)$. Return
# $D$, the generator's loss, and the slope $\partial L / \partial \log Z$. Rewards and log densities may be near 1000 or
# −1000: a long trajectory has a tiny density.

# %% question="a3.q1"
def gan_gcl(R_expert: np.ndarray, log_q_expert: np.ndarray, R_policy: np.ndarray, log_q_policy: np.ndarray,
            log_Z: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """D of the demonstrations (N_E,) and of the samples (N_π,), the generator's loss (N_π,), and ∂L/∂log Z.

    R_expert      (N_E,)  R of each demonstration
    log_q_expert  (N_E,)  log q of each demonstration
    R_policy      (N_π,)  R of each of the policy's samples
    log_q_policy  (N_π,)  log q of each of the policy's samples
    log_Z         the discriminator's own parameter: a number, as it stands at this moment of training
    """
    ### BEGIN SOLUTION
    n, m = len(R_expert), len(R_policy)
    logit_expert = R_expert - log_Z - log_q_expert + np.log(n / m)
    logit_policy = R_policy - log_Z - log_q_policy + np.log(n / m)
    slope = (expit(-logit_expert).sum() - expit(logit_policy).sum()) / (n + m)
    return expit(logit_expert), expit(logit_policy), -logit_policy, slope
    ### END SOLUTION


# %%
check("a3.q1", gan_gcl)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Divide (1) by its numerator: $D = 1 / (1 + \dots)$. Which number $x$ makes it $\sigma(x)$?
# </details>
#
# <details><summary>Hint 2: one step</summary>
#
# $D = \sigma(x)$ with the logit $x = R - \log Z - \log q + \log (N_E / N_\pi)$, and $1 - D = \sigma(-x)$. What is
# $\log (1-D) - \log D$, in terms of $x$? And which way does $x$ move when $\log Z$ grows?
# </details>
#
# <details><summary>Hint 3: nearly everything</summary>
#
# The generator's loss is $-x$: no exponential at all. The derivative of $\log \sigma(x)$ is $1 - \sigma(x)$, so each
# demonstration adds $1 - D$ to the slope and each sample $-D$; then divide by $N_E + N_\pi$. `scipy.special.expit` is
# $\sigma$ and does not overflow.
# </details>

# %% [markdown]
# ## 2. One step of GAIL
#
# @question a3.q2
#
# A tabular world with discount $\gamma$. The policy is $\pi(a \mid s) = \mathrm{softmax}_a\, \varphi(s, a)$, and its
# **occupancy measure** counts discounted visits: $\rho_\pi(s, a) = \sum_{t \ge 0} \gamma^t \Pr(s_t = s, a_t = a)$, with
# $s_0 \sim p_0$. It sums to $1/(1-\gamma)$, and so does the expert's, $\rho_E$, which is given as a table. We write
# $\mathbb{E}_\rho[x] = \sum_{s,a} \rho(s,a)\, x(s,a)$. The discriminator is linear in features,
# $D_w(s, a) = \sigma(w \cdot f(s, a))$, and GAIL (Ho and Ermon 2016, arXiv:1606.03476) plays the game
#
# $$
# \min_\pi \max_w \;\; \mathbb{E}_{\rho_\pi}\big[\log D_w\big] + \mathbb{E}_{\rho_E}\big[\log (1 - D_w)\big]
# {} - \lambda H(\pi).
# \tag{3}
# $$
#
# In this paper's convention **$D \to 1$ is the policy**, and the policy pays the cost $\log D$. One step goes
# like this:
#
# 1. The discriminator makes one step of gradient **ascent** on (3), of size $\eta$: $w \leftarrow w + \eta \nabla_w$.
# 2. The cost of each pair is $c(s, a) = \log D_w(s, a)$, **with the new** $w$.
# 3. The policy is told the gradient of what it pays, entropy included, with respect to its logits:
#
# $$
# \nabla_\varphi J(\varphi), \qquad J(\varphi) \;=\; \mathbb{E}_\pi \sum_{t \ge 0} \gamma^t
# \big[ c(s_t, a_t) + \lambda \log \pi(a_t \mid s_t) \big].
# \tag{4}
# $$
#
# Everything is exact: sums over all states and actions, no samples. Return the new $w$, the cost and the gradient.

# %% question="a3.q2"
def gail_step(w: np.ndarray, φ: np.ndarray, features: np.ndarray, expert: np.ndarray, P: np.ndarray, p0: np.ndarray,
              γ: float, λ: float, η: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One step of GAIL: the new w (K,), the cost (S, A), and the gradient (S, A) of equation (4).

    w         (K,)       weights of the discriminator
    φ         (S, A)     logits of the policy, π(a|s) = e^φ(s,a) / Σ_b e^φ(s,b)
    features  (S, A, K)  f(s, a)
    expert    (S, A)     the expert's occupancy measure; it sums to 1/(1 − γ)
    P, p0     (S, A, S) and (S,): transitions and the distribution of the first state
    γ, λ, η   discount (γ < 1), weight of the entropy, step size of the discriminator
    """
    ### BEGIN SOLUTION
    log_π = log_softmax(φ, axis=1)
    π = np.exp(log_π)
    P_π = np.einsum("sa,sak->sk", π, P)
    occupancy = np.linalg.solve(np.eye(len(p0)) - γ * P_π.T, p0)[:, None] * π
    D = expit(features @ w)
    w = w + η * np.einsum("sa,sak->k", occupancy * (1 - D) - expert * D, features)
    cost = log_expit(features @ w)
    pays = cost + λ * log_π
    V = np.linalg.solve(np.eye(len(p0)) - γ * P_π, (π * pays).sum(axis=1))
    Q = pays + γ * P @ V
    return w, cost, occupancy * (Q - V[:, None])
    ### END SOLUTION


# %%
check("a3.q2", gail_step)

# %% [markdown]
# <details><summary>Hint 1: the occupancy</summary>
#
# Under $\pi$ the states are a Markov chain with $P_\pi(s' \mid s) = \sum_a \pi(a \mid s) P(s' \mid s, a)$. The
# discounted visits $d$ satisfy $d = p_0 + \gamma P_\pi^\top d$: a linear system. Then
# $\rho_\pi(s, a) = d(s)\, \pi(a \mid s)$.
# </details>
#
# <details><summary>Hint 2: the discriminator</summary>
#
# $\frac{d}{dx} \log \sigma(x) = 1 - \sigma(x)$ and $\frac{d}{dx} \log (1 - \sigma(x)) = -\sigma(x)$. So the gradient in
# $w$ is $\sum_{s,a} \big[ \rho_\pi (1 - D) - \rho_E D \big] f(s, a)$. `scipy.special.log_expit` is $\log \sigma$.
# </details>
#
# <details><summary>Hint 3: the policy, with torch or without</summary>
#
# With torch: compute $J$ from $\varphi$ (`torch.linalg.solve`, `torch.log_softmax`) and call `backward()`. Without:
# the policy gradient theorem with $Q(s,a) = c + \lambda \log \pi + \gamma \sum_{s'} P V$ and
# $V(s) = \sum_a \pi(a \mid s) Q(s, a)$. The explicit derivative of $\log \pi$ in (4) adds nothing, since
# $\mathbb{E}_\pi \nabla \log \pi = 0$.
# </details>
#
# <details><summary>Hint 4: nearly everything</summary>
#
# $V$ solves $(1 - \gamma P_\pi) V = \sum_a \pi (c + \lambda \log \pi)$. For softmax logits
# $\nabla_{\varphi(s,a)} J = \rho_\pi(s,a) \, \big( Q(s,a) - V(s) \big)$.
# </details>

# %% [markdown]
# ## 3. Back through the world
#
# @question a3.q3
#
# GAIL estimates the policy's gradient from samples, because it cannot see through the world. MAIL (Baram, Anschel,
# Caspi and Mannor 2017) learns a model of the world and differentiates through it. Here the model is known: states
# $s \in \mathbb{R}^n$ and actions $a \in \mathbb{R}^m$ are vectors, and
#
# $$
# a_t = K s_t + \sigma \odot \varepsilon_t, \qquad
# s_{t+1} = s_t + \tanh(W s_t + B a_t), \qquad
# J = \frac1N \sum_{i=1}^N \sum_{t=0}^{H-1} \gamma^t \log D(s^i_t, a^i_t),
# \tag{5}
# $$
#
# with the discriminator $D(s, a) = \sigma(u \cdot s + v \cdot a)$, where again $D \to 1$ is the **policy** and
# $\log D$ its cost. The policy's parameters are the matrix $K$ and the vector $\log \sigma$, the logarithms of the
# sizes of its noise ($\odot$ multiplies coordinate by coordinate). The first states $s_0^i$ and all the noise
# $\varepsilon_t^i$ are **given**, so that $J$ is an ordinary function of $K$ and $\log \sigma$. Return it with its
# gradient.

# %% question="a3.q3"
def pathwise_gradient(K: np.ndarray, log_σ: np.ndarray, W: np.ndarray, B: np.ndarray, u: np.ndarray, v: np.ndarray,
                      s0: np.ndarray, ε: np.ndarray, γ: float) -> tuple[float, np.ndarray, np.ndarray]:
    """J of equation (5), ∂J/∂K (m, n) and ∂J/∂log σ (m,).

    K, log_σ  (m, n) and (m,): the policy's parameters
    W, B      (n, n) and (n, m): the model of the world
    u, v      (n,) and (m,): weights of the discriminator
    s0        (N, n) the first state of each of N trajectories
    ε         (N, H, m) the noise of each action
    γ         discount
    """
    ### BEGIN SOLUTION
    σ, H = np.exp(log_σ), ε.shape[1]
    s, J, steps = s0, 0.0, []
    for t in range(H):
        a = s @ K.T + σ * ε[:, t]
        x, z = s @ u + a @ v, np.tanh(s @ W.T + a @ B.T)
        J = J + γ**t * log_expit(x).mean()
        steps.append((s, γ**t * expit(-x)[:, None] / len(s0), 1 - z**2))
        s = s + z
    dK, dσ, ds = np.zeros(K.shape), np.zeros(len(σ)), np.zeros(s0.shape)     # ds: by the state after the step
    for t in reversed(range(H)):
        s, dx, dz = steps[t]
        da = dx * v + (ds * dz) @ B
        dK, dσ = dK + da.T @ s, dσ + (da * ε[:, t]).sum(axis=0)
        ds = ds + dx * u + (ds * dz) @ W + da @ K
    return J, dK, dσ * σ
    ### END SOLUTION


# %%
check("a3.q3", pathwise_gradient)

# %% [markdown]
# <details><summary>Hint 1: the short way</summary>
#
# With torch this is a loop of four lines: write (5) with tensors of double precision, `requires_grad_()` for $K$ and
# $\log \sigma$, and `backward()`. Take care that nothing inside the loop leaves torch. By hand it is more to think,
# and you will know what back-propagation through time is: go on to hint 2.
# </details>
#
# <details><summary>Hint 2: by hand, what to carry</summary>
#
# Run forward and keep what you will need. Then go backward in time and carry one array, $g_{t+1} = \partial J /
# \partial s_{t+1}$ of shape `(N, n)`: by how much would $J$ change if that state were moved? It is 0 after the last
# step. At time $t$ the action has two effects: on the cost of its own step, and on $s_{t+1}$.
# </details>
#
# <details><summary>Hint 3: nearly everything</summary>
#
# Let $\delta_t = \gamma^t (1 - D_t) / N$ be the derivative by the logit, and $y_t = 1 - \tanh^2(\cdot)$. Then
# $\partial J / \partial a_t = \delta_t v + B^\top (y_t \odot g_{t+1})$ and
# $g_t = g_{t+1} + \delta_t u + W^\top (y_t \odot g_{t+1}) + K^\top \, \partial J / \partial a_t$. Each step adds
# $\frac{\partial J}{\partial a_t} s_t^\top$ to the gradient in $K$ and
# $\sigma \odot \frac{\partial J}{\partial a_t} \odot \varepsilon_t$ to that in $\log \sigma$, summed over trajectories.
# </details>

# %% [markdown]
# ## 4. What AIRL pays, and when an episode ends
#
# @question a3.q4
#
# AIRL (Fu, Luo and Levine 2018, arXiv:1710.11248) wants a reward $g(s)$ that is right in other worlds too. So its
# discriminator has a second table $h$ that may absorb the shaping,
#
# $$
# f(s_t, s_{t+1}) = g(s_t) + \gamma \, \bar h(s_{t+1}) - h(s_t), \qquad
# D = \frac{e^{f}}{e^{f} + \pi(a_t \mid s_t)}, \qquad
# r = \log D - \log (1 - D),
# \tag{6}
# $$
#
# where $D \to 1$ is the **expert**. $\bar h(s_{t+1})$ is $h(s_{t+1})$, except at the end of an episode that
# **terminated**: from a terminal state nothing can be earned any more, so there $\bar h = 0$, whatever the table says.
# An episode that was cut off by the time limit (gymnasium calls it *truncated*) has not terminated: its last state is
# a state like any other. Episode $i$ has $T_i$ actions and $T_i + 1$ states. Return $D$ and the reward $r$ of each
# step, and 0 for both after the end.

# %% question="a3.q4"
def airl_reward(g: np.ndarray, h: np.ndarray, states: np.ndarray, log_π: np.ndarray, lengths: np.ndarray,
                terminated: np.ndarray, γ: float) -> tuple[np.ndarray, np.ndarray]:
    """D (N, L) and r (N, L) of equation (6), both 0 for t ≥ lengths[i].

    g, h        (S,)      the two tables
    states      (N, L+1)  states[i, t] is s_t of episode i for t ≤ lengths[i], and -1 after its last state
    log_π       (N, L)    log π(a_t|s_t) of the action taken for t < lengths[i], and 0 after it
    lengths     (N,)      the number of actions T_i ≥ 1 of each episode, at most L
    terminated  (N,)      1 if the episode ended in a terminal state, 0 if the time limit cut it off
    γ           discount
    """
    ### BEGIN SOLUTION
    t = np.arange(log_π.shape[1])
    inside, last = t < lengths[:, None], t == lengths[:, None] - 1
    h_next = np.where(last & (terminated[:, None] == 1), 0, h[states[:, 1:]])
    f = g[states[:, :-1]] + γ * h_next - h[states[:, :-1]]
    logit = f - log_π
    return np.where(inside, expit(logit), 0), np.where(inside, logit, 0)
    ### END SOLUTION


# %%
check("a3.q4", airl_reward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# `states[:, :-1]` and `states[:, 1:]` are where each step begins and where it leads. Which steps exist? Which one of an
# episode leads to a terminal state? Two masks of shape `(N, L)`.
# </details>
#
# <details><summary>Hint 2: one step</summary>
#
# $D = \sigma(x)$ for which $x$? And what is $\log \sigma(x) - \log (1 - \sigma(x))$?
# </details>
#
# <details><summary>Hint 3: nearly everything</summary>
#
# The logit is $f - \log \pi$, and it *is* the reward: that is where AIRL's entropy bonus $-\log \pi$ comes from.
# `inside = t < lengths[:, None]` and `last = t == lengths[:, None] - 1` with `t = np.arange(L)`; `np.where` does the
# rest. Mask $D$ after the logistic function, not before: $\sigma(0)$ is ½.
# </details>

# %% [markdown]
# ## Put it together
#
# The rest is for looking: nothing here is graded. These cells use your functions, and say so politely as long as
# one of them is missing.
#
# **A discriminator finds log Z.** Where your slope of question 1 is zero, the discriminator has found its own
# $\log Z$: there $\sum D = N_E$, it believes in exactly as many demonstrations as there are. Is it the true one? Eight
# possible trajectories, 300 demonstrations drawn from $e^R / Z$ and 900 samples drawn from $q$, five times:

# %%
from scipy.optimize import brentq


def find_log_Z(R, q, rng, n=300, m=900):
    p = np.exp(R) / np.exp(R).sum()
    expert, policy = rng.choice(len(R), n, p=p), rng.choice(len(R), m, p=q)
    slope = lambda log_Z: gan_gcl(R[expert], np.log(q[expert]), R[policy], np.log(q[policy]), log_Z)[3]
    return brentq(slope, -20, 20)


with unfinished_ok():
    R, q = np.array([2.0, 1.0, 0.5, 0.0, -0.5, -1.0, -2.0, -3.0]), np.full(8, 1 / 8)
    found = [find_log_Z(R, q, np.random.default_rng(seed)) for seed in range(5)]
    print("found ", *np.round(found, 3), "\ntrue  ", round(float(np.log(np.exp(R).sum())), 3))

# %% [markdown]
# They scatter around the true one. (It is the fused importance sampling of lecture 04 in another guise: at zero slope
# $Z = \frac1N \sum_j e^{R(\tau_j)} / \mu(\tau_j)$, with $\mu$ the mixture of $\tilde p$ and $q$.)
#
# **An agent that walks like the expert.** A small slippery world. The expert walks to the lower right corner and stays
# there; all that we have of it is its occupancy measure. The features are one for each pair $(s, a)$.

# %%
from course_utils.gridworlds import gridworld

world = gridworld(["S...", ".##.", "....", "...."], slip=0.1, discount=0.9, stay=True)
P, p0, γ = world.mdp.dense(), world.mdp.p0, 0.9
S, A = world.mdp.n_states, world.mdp.n_actions
features = np.eye(S * A).reshape(S, A, S * A)


def occupancy(π):
    d = np.linalg.solve(np.eye(S) - γ * np.einsum("sa,sak->sk", π, P).T, p0)
    return d[:, None] * π


# %% [markdown]
# The expert goes right or down nearly always, and stays in the corner; its actions are `up, right, down, left, stay`.

# %%
row, column = world.cells.T
better = np.array([column < 3, row < 3]).T                    # may it go right, may it go down?
weight = np.full((S, A), 0.02)
weight[:, 1:3] += better
weight[:, 4] += ~better.any(axis=1)
expert = occupancy(weight / weight.sum(axis=1, keepdims=True))


# %% [markdown]
# Now your step, many times: the discriminator climbs, the policy descends.


# %%
def imitate(steps=600, η=0.5, λ=0.01, rate=1.0):
    w, φ, gaps = np.zeros(S * A), np.zeros((S, A)), []
    for _ in range(steps):
        w, _, gradient = gail_step(w, φ, features, expert, P, p0, γ, λ, η)
        φ = φ - rate * gradient
        ρ = occupancy(np.exp(log_softmax(φ, axis=1)))
        gaps.append((1 - γ) * np.abs(ρ - expert).sum() / 2)
    return ρ, gaps


# %%
import matplotlib.pyplot as plt
from IPython.display import display

from course_utils.plotting import draw_grid, show

with unfinished_ok():
    ρ, gaps = imitate()
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    draw_grid(axes[0], world, expert.sum(axis=1), "where the expert is", limits=(0, expert.sum(axis=1).max()))
    draw_grid(axes[1], world, ρ.sum(axis=1), "where the agent is", limits=(0, expert.sum(axis=1).max()))
    axes[2].plot(gaps)
    axes[2].set(xlabel="steps of GAIL", ylabel="total variation", title="how far apart")
    display(show(fig, alt="Two maps of a 4 by 4 world, nearly alike: discounted visits of the expert and of the agent, "
                 "most in the lower right corner; and a curve of the distance between them, which falls."))
    print(f"total variation of the two occupancies: {gaps[0]:.3f} → {gaps[-1]:.3f}")

# %% [markdown]
# Turn the sign of the gradient round in `imitate`, or swap `ρ` and `expert` in your step: the agent flees from the
# expert. That is the bug of a public text.
#
# **Two gradients of one thing.** The gradient through the model, and the score-function gradient of the same $J$, both
# from 16 episodes, 200 times with fresh noise. On average they agree, up to
# five standard errors; how much do they scatter?

# %%
def score_gradient(K, log_σ, W, B, u, v, s0, ε, γ):
    """∂J/∂K by REINFORCE: the sum of ∇log π(a_t|s_t), times all that the episode paid."""
    s, score, paid = s0, 0.0, 0.0
    for t in range(ε.shape[1]):
        a = s @ K.T + np.exp(log_σ) * ε[:, t]
        score = score + (ε[:, t] / np.exp(log_σ))[:, :, None] * s[:, None, :]
        paid = paid + γ**t * log_expit(s @ u + a @ v)
        s = s + np.tanh(s @ W.T + a @ B.T)
    return (score * paid[:, None, None]).mean(axis=0)


# %%
def compare(rng, n=2, m=2, N=16, H=10, repeats=200):
    K, log_σ, W = -0.3 * np.eye(m), np.full(m, -1.0), -0.2 * np.eye(n)
    B, u, v, s0 = 0.5 * np.eye(n, m), rng.normal(size=n), rng.normal(size=m), rng.normal(size=(N, n))
    noise = rng.normal(size=(repeats, N, H, m))
    through = np.array([pathwise_gradient(K, log_σ, W, B, u, v, s0, ε, 0.9)[1] for ε in noise])
    score = np.array([score_gradient(K, log_σ, W, B, u, v, s0, ε, 0.9) for ε in noise])
    error = np.sqrt((score.var(axis=0) + through.var(axis=0)) / repeats)
    assert np.all(abs(score.mean(axis=0) - through.mean(axis=0)) < 5 * error), "does your answer pass its check?"
    return score.var(axis=0).sum() / through.var(axis=0).sum()


with unfinished_ok():
    ratios = [compare(np.random.default_rng(seed)) for seed in range(5)]
    print("variance of the score function / variance through the model:", *(f"{r:.0f}" for r in ratios))

# %% [markdown]
# Here the model is exact. A learned one is not, and its errors grow along the path: that is the price.
#
# **The shaping cancels.** Along an episode the $h$ of question 4 telescope: the discounted sum of the rewards is that
# of $g - \log \pi$, less $h(s_0)$, plus $\gamma^T h(s_T)$ if the episode was cut off. So $h$ cannot change which policy
# is best, and an $h$ that is not 0 at a terminal state could.


# %%
def telescope(rng, S=5, L=6, γ=0.9):
    g, h, states = rng.normal(size=S), rng.normal(size=S), rng.integers(S, size=(2, L + 1))
    log_π, terminated = np.log(rng.uniform(size=(2, L))), np.array([1, 0])
    _, r = airl_reward(g, h, states, log_π, np.array([L, L]), terminated, γ)
    powers = γ ** np.arange(L)
    rest = np.where(terminated, 0, γ**L * h[states[:, -1]]) - h[states[:, 0]]
    assert np.allclose(r @ powers, (g[states[:, :-1]] - log_π) @ powers + rest), "does your answer pass its check?"
    print("terminated and cut off:", *(f"{total:.3f}" for total in r @ powers), "as they should be")


with unfinished_ok():
    telescope(np.random.default_rng(0))
