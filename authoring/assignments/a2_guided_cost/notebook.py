# %% [markdown]
# # Assignment a2: build guided cost learning from its three parts
#
# **What you will do.** Write the gradient that a policy follows, the estimate of the partition function from samples of
# several policies, and the loop in which a reward and a policy learn together. At the end they recover, from
# demonstrations alone, how an agent moves through a small world: nobody tells them its reward.
#
# **Why.** Guided cost learning (Finn, Levine & Abbeel 2016, arXiv:1603.00448) goes wrong silently: without the entropy,
# or with the wrong weights, it still runs and still prints numbers. Each question has a twist that the lecture does not
# have (a reference policy, batches with shares, workers that lag behind), so each asks you to go back to the equation.
#
# **What you need.** Lecture 04. NumPy. About two hours.

# %% [markdown]
# ## How this works
#
# - Write your answer where it says `raise NotImplementedError`. Keep the function's name and its arguments.
# - Run the check below your answer. It tries your function on many small random instances and compares it with a slow
#   calculation from the definition. If something is wrong, the card shows the smallest instance that went wrong, and
#   it names the mistake if it is a known one. Try as often as you like.
# - **More tests run at grading**, on other instances: more sessions, sessions of unequal lengths, a single state, a
#   single step, impossible moves, huge rewards, arrays of integers or of single precision. All of them follow the
#   definitions below.
# - Write with NumPy and SciPy, and with your own functions from this notebook, and compute in double precision, as
#   NumPy does by itself. An answer that imports a solver from `course_utils` earns no points.
# - The hints unfold one by one, from a nudge to nearly everything. Try before you look.
#
# **Notation.** A session $\tau$ is $s_0, a_0, s_1, \dots$ with $H$ actions; $R(\tau)$ is the sum of its rewards. A
# policy with parameters $\varphi$ is $\pi_\varphi(a \mid s)$ (the lecture's $\tilde\pi$). The **score** of an action is
# $\nabla_\varphi \log \pi_\varphi(a \mid s)$.

# %%
import numpy as np
from scipy.special import log_softmax, logsumexp, softmax

from course_utils.checks import check, unfinished_ok

# %% [markdown]
# ## 1. Where the entropy is
#
# @question a2.q1
#
# A policy chases a target distribution over sessions. In the lecture the target was $e^{R(\tau)}/Z$. Here it knows a
# habit, the **reference policy** $\mathrm{ref}(a \mid s)$, and a **temperature** $\alpha > 0$, and the world is
# stochastic:
#
# $$
# p^*(\tau) = \frac1Z \, P(\tau) \, e^{R(\tau)/\alpha} \prod_{t=0}^{H-1} \mathrm{ref}(a_t \mid s_t),
# \qquad
# p_\varphi(\tau) = P(\tau) \prod_{t=0}^{H-1} \pi_\varphi(a_t \mid s_t),
# \qquad
# P(\tau) = \prod_{t=0}^{H-1} P(s_{t+1} \mid s_t, a_t).
# \tag{1}
# $$
#
# (With a language model as the habit, this is the target of RLHF.) The policy wants the Kullback–Leibler divergence to
# be small. You are asked for its gradient,
#
# $$
# \nabla_\varphi \, \mathrm{KL}(p_\varphi \,\|\, p^*)
# \;=\; \nabla_\varphi \sum_\tau p_\varphi(\tau) \log \frac{p_\varphi(\tau)}{p^*(\tau)} .
# \tag{2}
# $$
#
# To leave nothing to chance, the arrays hold **all** $N$ sessions that there are from the fixed start, one in each
# row, each once. So your answer is exact, and there is only one. All probabilities in `policy` and `ref` are positive;
# some in `moves` may be zero.

# %% question="a2.q1"
def kl_gradient(policy: np.ndarray, ref: np.ndarray, moves: np.ndarray, rewards: np.ndarray,
                score: np.ndarray, α: float) -> np.ndarray:
    """The gradient (K,) of equation (2). Row i of every array is session i, column t its step t.

    policy   (N, H)     π_φ(a_t|s_t), the policy's probability of the action that the session takes
    ref      (N, H)     ref(a_t|s_t), the reference's
    moves    (N, H)     P(s_{t+1}|s_t, a_t), the world's probability of the move
    rewards  (N, H)     r(s_t, a_t)
    score    (N, H, K)  ∇_φ log π_φ(a_t|s_t)
    α        the temperature, above 0
    """
    ### BEGIN SOLUTION
    p = np.prod(policy * moves, axis=1)
    weight = (np.log(policy / ref) - rewards / α).sum(axis=1)
    return (p * weight) @ score.sum(axis=1)
    ### END SOLUTION


# %%
check("a2.q1", kl_gradient)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Write $\log p_\varphi(\tau) - \log p^*(\tau)$ out. What cancels? What does not depend on $\tau$? And what is the score
# of a whole session, $\nabla_\varphi \log p_\varphi(\tau)$?
# </details>
#
# <details><summary>Hint 2: one step</summary>
#
# $\nabla p_\varphi = p_\varphi \nabla \log p_\varphi$. The product rule gives two terms, and one of them is
# $\mathbb{E}_{p_\varphi}[\nabla \log p_\varphi] = \nabla \sum_\tau p_\varphi(\tau) = \nabla 1 = 0$. For the same reason
# $\log Z$ does not matter.
# </details>
#
# <details><summary>Hint 3: nearly everything</summary>
#
# $\nabla \mathrm{KL} = \sum_\tau p_\varphi(\tau) \, w(\tau) \sum_t \nabla \log \pi_\varphi(a_t \mid s_t)$ with
# $w(\tau) = \sum_t \big[ \log \pi_\varphi(a_t \mid s_t) - \log \mathrm{ref}(a_t \mid s_t) - r(s_t, a_t)/\alpha \big]$.
# The world's moves are in $p_\varphi(\tau)$ and not in $w(\tau)$.
# </details>

# %% [markdown]
# ## 2. Many samplers, one sum
#
# @question a2.q2
#
# To learn a reward we need $Z = \sum_\tau e^{R(\tau)}$, and all we have are samples. They come in $K$ **batches**:
# sampler $\kappa$ drew $n_\kappa$ sessions from its distribution $q_\kappa$. Samplers are the policies that were met on
# the way, and one of them, the last, is the demonstrator. Every sampler's density is known for every session.
#
# The lecture fuses all samplers into the distribution that a random one of the $N = \sum_\kappa n_\kappa$ sessions has.
# Now **you choose the shares** $c_\kappa > 0$, $\sum_\kappa c_\kappa = 1$, whatever the sizes of the batches are: an
# old policy may have drawn many sessions and still shall not count much. Let
#
# $$
# \mu(\tau) = \sum_{\kappa=1}^K c_\kappa \, q_\kappa(\tau),
# \qquad
# \hat Z = \sum_{j=1}^N \beta_{\kappa(j)} \, \frac{e^{R(\tau_j)}}{\mu(\tau_j)},
# \tag{3}
# $$
#
# where $\kappa(j)$ is the sampler that drew session $j$. **Find the factors** $\beta_\kappa$ with which $\hat Z$ has
# the right expectation, $\mathbb{E} \hat Z = Z$, whatever $R$ and $q_\kappa$ are. There is only one choice. Then return
# three things:
#
# - $\log \hat Z$;
# - the weights $\bar w_j$, proportional to the terms of $\hat Z$, with sum one, so that
#   $\sum_j \bar w_j f(\tau_j)$ estimates the expectation of $f$ under $e^R/Z$;
# - the effective sample size $1 / \sum_j \bar w_j^2$, a number between 1 and $N$.
#
# Rewards may be near 1000 or −1000, and long sessions have densities near $e^{-2000}$. A density may also be zero
# (`log_q` is $-\infty$), but never that of the sampler which drew the session.

# %% question="a2.q2"
def fused_estimate(R: np.ndarray, log_q: np.ndarray, counts: np.ndarray,
                   share: np.ndarray) -> tuple[float, np.ndarray, float]:
    """log Ẑ, the weights w̄ (N,) and the effective sample size, from equation (3).

    R       (N,)    the sum of rewards of each session
    log_q   (K, N)  log_q[κ, j] = log q_κ(τ_j), every sampler's density of every session
    counts  (K,)    the sizes n_κ ≥ 1: first come counts[0] sessions of sampler 0, then counts[1] of sampler 1, …
    share   (K,)    the shares c_κ > 0, with sum one
    """
    ### BEGIN SOLUTION
    log_μ = logsumexp(log_q + np.log(share)[:, None], axis=0)
    terms = np.repeat(np.log(share / counts), counts) + R - log_μ
    log_Z = logsumexp(terms)
    w = np.exp(terms - log_Z)
    return log_Z, w, 1 / (w**2).sum()
    ### END SOLUTION


# %%
check("a2.q2", fused_estimate)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Take the expectation of $\hat Z$, batch by batch. A session of batch $\kappa$ contributes
# $\beta_\kappa \sum_\tau q_\kappa(\tau) \, e^{R(\tau)} / \mu(\tau)$. There are $n_\kappa$ of them.
# </details>
#
# <details><summary>Hint 2: one step</summary>
#
# $\mathbb{E} \hat Z = \sum_\tau \frac{e^{R(\tau)}}{\mu(\tau)} \sum_\kappa n_\kappa \beta_\kappa q_\kappa(\tau)$. When
# is that $\sum_\tau e^{R(\tau)}$, for every $R$? Check with $c_\kappa = n_\kappa / N$: the lecture's mean over all $N$
# sessions must come out. </details>
#
# <details><summary>Hint 3: nearly everything</summary>
#
# $\beta_\kappa = c_\kappa / n_\kappa$. Stay in the logarithm: `logsumexp(log_q + np.log(share)[:, None], axis=0)` is
# $\log \mu$, and `np.repeat(x, counts)` gives every session the number of its batch. With the logs of the terms of
# $\hat Z$ in `terms`, log Z is their `logsumexp`, and $\bar w$ is `exp(terms - log_Z)`.
# </details>

# %% [markdown]
# ## 3. The loop
#
# @question a2.q3
#
# Now the reward and the policy learn together, in a deterministic world that neither of them knows. Both have one
# parameter for each state and action: the reward is $r_\theta(s, a) = \theta(s, a)$, and the policy is a softmax,
# $\pi_\varphi(a \mid s) \propto e^{\varphi(s, a)}$. So all that matters of a session is how often it takes $a$ in $s$.
# Call these **counts** $n_\tau(s, a)$; then
#
# $$
# R_\theta(\tau) = \sum_{s,a} n_\tau(s,a) \, \theta(s,a),
# \qquad
# \log \pi_\varphi(\tau) = \sum_{s,a} n_\tau(s,a) \log \pi_\varphi(a \mid s) .
# \tag{4}
# $$
#
# The sessions are drawn by **workers**, who run an older copy of the policy and report its density $q(\tau)$ with each
# session. Batch after batch arrives; the batch $\tau_1, \dots, \tau_B$ serves one joint step, and then it is thrown
# away. On a batch, the model $e^{R_\theta}/Z$ and the policy appear as two sets of weights, each with sum one:
#
# $$
# w_j \;\propto\; \frac{e^{R_\theta(\tau_j)}}{q(\tau_j)},
# \qquad
# v_j \;\propto\; \frac{\pi_\varphi(\tau_j)}{q(\tau_j)} .
# \tag{5}
# $$
#
# A joint step is: **first** one gradient step of length $\eta_\theta$ *up* the estimated log-likelihood of the $D$
# demonstrations,
#
# $$
# L(\theta) = \frac1D \sum_{i=1}^D R_\theta(\tau_i^{\mathrm{demo}})
# {} - \log \frac1B \sum_{j=1}^B \frac{e^{R_\theta(\tau_j)}}{q(\tau_j)},
# \tag{6}
# $$
#
# **then**, with the new $\theta$, one step of length $\eta_\varphi$ *down* the divergence of the policy from the model,
# on the same batch:
#
# $$
# \mathrm{KL}(v \,\|\, w) = \sum_{j=1}^B v_j \log \frac{v_j}{w_j} .
# \tag{7}
# $$

# %% question="a2.q3"
def guided_cost(demos: np.ndarray, batches: np.ndarray, log_q: np.ndarray, θ: np.ndarray, φ: np.ndarray,
                η_θ: float, η_φ: float) -> tuple[np.ndarray, np.ndarray]:
    """θ (S, A) and φ (S, A) after n joint steps, one for each batch.

    demos    (D, S, A)     how often each demonstration takes a in s
    batches  (n, B, S, A)  batches[k, j, s, a]: how often session j of batch k takes a in s
    log_q    (n, B)        log q of each session: its density under the worker that drew it
    θ, φ     (S, A)        the parameters to start from: reward, and logits of the policy
    η_θ, η_φ the lengths of their steps
    """
    ### BEGIN SOLUTION
    for counts, lq in zip(batches, log_q, strict=True):
        w = softmax((counts * θ).sum(axis=(1, 2)) - lq)
        θ = θ + η_θ * (demos.mean(axis=0) - np.tensordot(w, counts, 1))
        log_π = log_softmax(φ, axis=1)
        gap = (counts * (log_π - θ)).sum(axis=(1, 2))                            # log π(τ) − R(τ)
        v = softmax((counts * log_π).sum(axis=(1, 2)) - lq)
        score = counts - counts.sum(axis=2, keepdims=True) * np.exp(log_π)
        φ = φ - η_φ * np.tensordot(v * (gap - v @ gap), score, 1)
    return θ, φ
    ### END SOLUTION


# %%
check("a2.q3", guided_cost)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Do the step of $\theta$ first. The gradient of a log of a sum of exponentials is a weighted mean, and you know the
# weights. For $\varphi$ you need the score of a session, $\partial \log \pi_\varphi(\tau) / \partial \varphi(s,a)$.
# </details>
#
# <details><summary>Hint 2: the step of θ, and the score</summary>
#
# $\nabla L = \frac1D \sum_i n_{\tau_i^{\mathrm{demo}}} - \sum_j w_j n_{\tau_j}$. And
# $\partial \log \pi_\varphi(\tau) / \partial \varphi(s,a) = n_\tau(s,a) - n_\tau(s) \, \pi_\varphi(a \mid s)$ with
# $n_\tau(s) = \sum_a n_\tau(s, a)$: what the session did, minus what the policy would have done on average.
# </details>
#
# <details><summary>Hint 3: the step of φ</summary>
#
# $\log (v_j / w_j) = \log \pi_\varphi(\tau_j) - R_\theta(\tau_j) + \text{const}$: call this gap $g_j$. $v$ is a
# softmax, so $\partial v_j = v_j (\mathrm{score}_j - \sum_i v_i \, \mathrm{score}_i)$. Differentiate $\sum_j v_j g_j$;
# a constant in $g$ must not matter. </details>
#
# <details><summary>Hint 4: nearly everything</summary>
#
# $\nabla_\varphi \mathrm{KL}(v\|w) = \sum_j v_j \, (g_j - \sum_i v_i g_i) \, \mathrm{score}_j$: the gradient of
# question 1, with the best constant taken out. `np.tensordot(x, counts, 1)` is $\sum_j x_j n_{\tau_j}$, of shape `(S,
# A)`. Use `softmax` and `log_softmax` from SciPy, which do not overflow. Write `θ = θ + …`, not `θ += …`, which would
# change the array that you were given. </details>

# %% [markdown]
# ## Put it together
#
# The rest is for looking: nothing here is graded. These cells use your functions, and say so politely as long as
# one of them is missing.
#
# A small world without noise. The agent likes the upper right corner and dislikes a puddle; it is soft-optimal for that
# reward, and takes 7 actions.

# %%
from course_utils.gridworlds import gridworld
from course_utils.planning import soft_value_iteration, visitation
from course_utils.plotting import draw_grid, show

H = 7
world = gridworld(["S...", ".#..", "....", "...."], horizon=H)
S, A = world.mdp.n_states, world.mdp.n_actions
next_state, start = world.mdp.dense().argmax(axis=2), int(world.mdp.p0.argmax())
true_reward = np.zeros((S, A))
true_reward[world.index[0, 3]], true_reward[world.index[2, 1]] = 1.5, -2.0
V, _, expert = soft_value_iteration(world.mdp, true_reward)

# %% [markdown]
# Draw `n` sessions from the k-th of some policies `π[t, s, a]`. What comes back are their counts, and the logarithm of
# the density of each of them under every one of the policies.


# %%
def play(policies, k, n, rng):
    counts, log_q = np.zeros((n, S, A), dtype=int), np.zeros((len(policies), n))
    session, s = np.arange(n), np.full(n, start)
    for now in np.stack(policies, axis=1):
        a = (rng.random((n, 1)) > now[k, s].cumsum(axis=1)[:, :-1]).sum(axis=1)
        counts[session, s, a] += 1
        log_q += np.log(now[:, s, a])
        s = next_state[s, a]
    return counts, log_q


# %% [markdown]
# **Two of your functions meet.** Let a batch hold *every* plan of two actions once, all reported with the same density.
# Then KL$(v \,\|\, w)$ is the divergence between the two distributions themselves, so a step of question 3 with
# $\eta_\theta = 0$ must go along the gradient of question 1 (the moves are certain, the habit is uniform, $\alpha =
# 1$).


# %%
def two_ways(rng):
    θ, φ = rng.normal(size=(2, S, A))
    actions = np.indices((A, A)).reshape(2, -1).T
    states = np.stack([np.full(len(actions), start), next_state[start, actions[:, 0]]], axis=1)
    taken = np.eye(S * A)[states * A + actions].reshape(len(actions), 2, S, A)
    π = softmax(φ, axis=1)
    score = (taken - taken.sum(axis=3, keepdims=True) * π).reshape(len(actions), 2, S * A)
    certain = np.ones(actions.shape)
    gradient = kl_gradient(π[states, actions], certain / A, certain, θ[states, actions], score, 1.0)
    _, new = guided_cost(np.zeros((1, S, A)), taken.sum(axis=1)[None], np.zeros((1, len(actions))), θ, φ, 0.0, 1.0)
    assert np.allclose(φ - new, gradient.reshape(S, A)), "they differ: do both answers pass their check?"
    print(f"the same gradient, of length {np.linalg.norm(gradient):.4f}")


with unfinished_ok():
    two_ways(np.random.default_rng(0))

# %% [markdown]
# **log Z from a few sessions.** There are two samplers: one walks at random and drew 60 sessions, the other is the
# demonstrator, with 20. The exact log Z of the true reward is its soft value at the start. How far off is the estimate,
# with different shares, over 20 repetitions?


# %%
def errors(share, rng, sizes=(60, 20), repetitions=20):
    samplers, found = [np.full((H, S, A), 1 / A), expert], []
    for _ in range(repetitions):
        drawn = [play(samplers, k, n, rng) for k, n in enumerate(sizes)]
        counts, log_q = np.concatenate([c for c, _ in drawn]), np.concatenate([q for _, q in drawn], axis=1)
        R = (counts * true_reward).sum(axis=(1, 2))
        log_Z, _, ess = fused_estimate(R, log_q, np.array(sizes), np.array(share))
        found.append([log_Z - V[0, start], ess])
    return np.array(found)


with unfinished_ok():
    for share in [(0.75, 0.25), (0.5, 0.5), (0.1, 0.9), (0.9, 0.1)]:
        found = errors(share, np.random.default_rng(0))
        print(f"shares {share}: error {found[:, 0].mean():+.3f} ± {found[:, 0].std():.3f}, "
              f"effective sample size {found[:, 1].mean():.0f} of 80")

# %% [markdown]
# The shares that trust the demonstrator are best here, for the demonstrator *is* the model. (While you learn, nobody is
# yet.) And their effective sample size is the smallest! It looks at how even the weights are, and not at the truth: a
# small one is a warning, a large one is no proof.
#
# **A policy from demonstrations.** 200 demonstrations; the reward and the policy start from nothing. A worker's copy
# of the policy is renewed only every third step.

# %%
def imitate(rng, steps=150, η_θ=0.2, η_φ=0.3):
    demos, _ = play([expert], 0, 200, rng)
    θ = φ = np.zeros((S, A))
    for k in range(steps):
        if k % 3 == 0:
            worker = np.repeat(softmax(φ, axis=1)[None], H, axis=0)
        counts, log_q = play([worker], 0, 100, rng)
        θ, φ = guided_cost(demos, counts[None], log_q, θ, φ, η_θ, η_φ)
    return demos.mean(axis=0).sum(axis=1), visitation(world.mdp, softmax(φ, axis=1)).sum(axis=0)


# %%
import matplotlib.pyplot as plt
from IPython.display import display

with unfinished_ok():
    shown, learned = imitate(np.random.default_rng(0))
    fig, axes = plt.subplots(1, 2, figsize=(8, 3.2))
    draw_grid(axes[0], world, shown, "visits of the demonstrator", limits=(0, 2.5))
    draw_grid(axes[1], world, learned, "visits of the learned policy", limits=(0, 2.5))
    display(show(fig, alt="Two maps of a 4 by 4 world with one wall: how often the demonstrations visit each cell, and "
                 "how often the learned policy does. Both go along the top row and stay in the upper right corner."))
    print(f"largest difference {np.abs(shown - learned).max():.2f} visits, "
          f"correlation {np.corrcoef(shown, learned)[0, 1]:.3f}")

# %% [markdown]
# The visits agree up to a small rest. One reason for the rest: the demonstrator knows the time, the policy does not.
# Now break your `guided_cost` on purpose, once by leaving out $\log \pi$ in the step of $\varphi$, once by the plain
# mean over the batch in the step of $\theta$. Run each with a few seeds, and with `steps=600`. Which of the two does
# the damage at once?
