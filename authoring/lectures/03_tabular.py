# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Lecture 03 · Recover a reward in a world you can write down
#
# Tabular, model-based inverse reinforcement learning.
#
# **What you will do.** Watch people walk through a small park, write the ten lines that turn their tracks into a
# reward, and check every line against an independent calculation. Then scale it to ten thousand states, carry the
# reward to a park that has changed, and hunt five bugs of a kind that occurs in public code.
#
# **What you will learn.** Why a sum over trajectories becomes a sum over states; what a reward is identified up to;
# how many demonstrations it takes; why a recovered reward survives a fallen tree and a copied policy does not; what
# choosing the 2008 or the 2010 model does to the answer; and why "the agent reaches the goal" proves nothing about
# your code.
#
# **What you need.** Lecture 02, where the equations used here are derived; NumPy. About 90 minutes.
#
# **Why care.** The later lectures (guided cost learning, GAIL, preferences) replace parts of this calculation by
# samples. Here the world is known and small, so nothing has to be approximated: what goes wrong here is a wrong idea
# or a wrong line, not bad luck. It is the place to learn what the right answer looks like.
#
# Each claim below says which kind it is: an **identity**, asserted in the cell, or a cheap **statistical** claim, run
# over several seeds with the spread shown.

# %% [markdown]
# ## Notation
#
# The table of lecture 00. Two of its entries do most of the work here:
#
# * `mdp.expect(V)` is $\sum_{s'} P(s' \mid s,a)\,V(s')$: one step ahead, the mean of $V$ after doing $a$ in $s$;
# * `mdp.push(m)` is $\sum_{s,a} m(s,a)\,P(s' \mid s,a)$: one step on, where the mass $m$ goes.
#
# Besides, $\hat f$ is `f_expert`, the expert's expected (discounted) sum of features in a session; $\lambda$ is `l2`;
# and **slip** is the probability that an action is replaced by a random one.
#
# The plumbing (worlds, sampling, drawing) comes from the course's package. The algorithms are *shown*: what you see
# in a cell is what the cells below it run, and you may edit it.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
import torch
from ipywidgets import FloatSlider, IntSlider, interact
from scipy.optimize import minimize
from scipy.sparse.linalg import spsolve

from course_utils import planning
from course_utils.gridworlds import gridworld, radial_features, state_indicators
from course_utils.irl import MaxEntFit, feature_expectations, feature_matrix
from course_utils.mdp import TabularMDP
from course_utils.planning import ConvergenceError, checked_policy, fixed_point, policy_evaluation
from course_utils.planning import policy_transitions, table, value_iteration
from course_utils.plotting import draw_grid, show
from course_utils.rollouts import empirical_occupancy, sample_trajectories

torch.set_num_threads(1)
np.set_printoptions(precision=3, suppress=True)

# %% [markdown]
# ## 1 · A park, and people walking in it
#
# `.` is lawn, `#` a hedge, `m` mud, `v` a bench with a **v**iew; people enter at one of the two gates `S`.

# %%
PARK = ["S..#...",
        "...#...",
        "..mmm..",
        "S....vv",
        "..mmm..",
        "......."]


def open_park(drawing, **options):
    """The gridworld of a drawing, and its features f[s,a,k]: what is underfoot, k = lawn, mud, view."""
    world = gridworld([row.translate(str.maketrans("mv", "..")) for row in drawing], **options)
    ground = np.array([drawing[i][j].replace("S", ".").replace("G", ".") for i, j in world.cells])
    one_hot = (ground[:, None] == np.array([".", "m", "v"])).astype(float)
    return world, np.repeat(one_hot[:, None, :], len(world.actions), axis=1)


# %% [markdown]
# A walk lasts $H = 20$ steps, and the ground is a little slippery. What do the people want? We know, because we make
# them: a step on the lawn is worth 0, in the mud −3, on the bench +3. From here on this is a secret, kept only to
# judge what we recover.
#
# The people are the soft-optimal experts of lecture 02: they prefer what is better exponentially, and apart from
# that are as random as possible. They come from the package, so they stay right whatever you edit below.

# %%
park, f = open_park(PARK, slip=0.1, horizon=20)
mdp = park.mdp
θ_true = np.array([0.0, -3.0, 3.0])
r_true = f @ θ_true
_, _, π_expert = planning.soft_value_iteration(mdp, r_true)
m_expert = planning.occupancy(mdp, π_expert)
print(mdp, "| actions:", *park.actions)

# %% [markdown]
# Two drawing helpers. Rewards get a brown–green scale centred at 0, visits (expected steps in a cell) a blue one.

# %%
REWARD, VISITS = dict(cmap="BrBG", limits=(-4, 4)), dict(cmap="Blues", limits=(0, 4))


def draw_maps(alt, caption="", bars=True, **maps):
    """Maps side by side, each title=(world, values[s], style); equal neighbours share a colour bar."""
    layout = "constrained" if bars else None
    fig, axes = plt.subplots(1, len(maps), figsize=(2.8 * len(maps), 2.4), layout=layout)
    styles = [style for _, _, style in maps.values()] + [None]
    for i, (title, (world, values, style)) in enumerate(maps.items()):
        bar = bars and style is not styles[i + 1]
        draw_grid(axes[i], world, values, title.replace("_", " "), **style, colorbar=bar)
    return show(fig, alt=alt, caption=caption)


def draw_tracks(ax, world, trajectories, rng):
    """Each session as a thin line through its cells, shaken a little so that they can be told apart."""
    for states, length in zip(trajectories.states, trajectories.lengths):
        path = world.cells[states[: length + 1]] + rng.uniform(-0.3, 0.3, size=(length + 1, 2))
        ax.plot(path[:, 1], path[:, 0], lw=1, alpha=0.7)


# %%
rng = np.random.default_rng(0)
fig, (seen, hidden) = plt.subplots(1, 2, figsize=(7.5, 2.8), layout="constrained")
empty = np.zeros(mdp.n_states)
draw_grid(seen, park, empty, "what we see: 25 walks", cmap="Greys", limits=(0, 1), colorbar=False)
draw_tracks(seen, park, sample_trajectories(mdp, π_expert, 25, rng), rng)
draw_grid(hidden, park, r_true[:, 0], "what we want: the reward behind them", **REWARD)
show(fig, alt="Left: 25 walks, most of them along the dry path through the mud to the bench. "
     "Right: the hidden reward, negative in the mud, positive on the bench, zero elsewhere.")

# %% [markdown]
# ## 2 · From trajectories to states
#
# Lecture 02 derived the gradient of the log-likelihood, per session and in expectation over the expert's sessions:
#
# $$ \nabla_\theta\, \mathrm{llh} = \underbrace{\hat f}_{\text{expert}} - \underbrace{\mathbb E_{\tau \sim \pi_\theta}
# \textstyle\sum_t \gamma^t f(s_t, a_t)}_{\text{our model}} \tag{1} $$
#
# The second term is a sum over trajectories, and there are far too many: in the park $4^{20}$ sequences of actions,
# each with many outcomes. Dynamic programming replaces it by a sum over *states*, in two sweeps: plan backward, count
# forward.
#
# ### Step 1: plan softly, backward in time
#
# $$ Q_t(s,a) = r(s,a) + \gamma \sum_{s'} P(s' \mid s,a)\, V_{t+1}(s'), \qquad V_H = 0 \tag{2} $$
#
# $$ V_t(s) = \log \sum_a e^{Q_t(s,a)}, \qquad \pi_t(a \mid s) = e^{Q_t(s,a) - V_t(s)} \tag{3} $$
#
# Equation (3) is `soft_backup`, with the largest $Q$ taken out of the exponentials so that nothing overflows; (2) is
# the loop in `dynamic_programming`. (`mdp.alive` is 0 in terminal states: after the end there is nothing to choose.
# Skip, here and below, what only checks its input or makes room, `mdp.reward`, `checked_policy`, `table`, and the
# branches for `horizon is None`: they serve endless worlds.)

# %%
from course_utils.planning import soft_backup, dynamic_programming, soft_value_iteration  # show

# %% [markdown]
# ### Step 2: count visits, forward in time
#
# $$ d_0 = p_0, \qquad d_{t+1}(s') = \sum_{s,a} d_t(s)\, \pi_t(a \mid s)\, P(s' \mid s,a), \qquad
# m(s,a) = \sum_t \gamma^t\, d_t(s)\, \pi_t(a \mid s) \tag{4} $$
#
# This $m$ sums to $H$ (if $\gamma = 1$ and nobody leaves early), and it is *not* $H$ times a stationary
# distribution: that erratum of the slides was taken apart in lecture 02.

# %%
from course_utils.planning import visitation, occupancy  # show

# %% [markdown]
# **Check (identities).** At each time a walker is somewhere. And the two sweeps must fit together: the soft value,
# computed backward, is reward plus entropy, counted forward (for $\gamma = 1$):
# $\; \mathbb E_{p_0} V_0 = \sum_{t,s,a} d_t(s)\, \pi_t(a \mid s)\, \big(r(s,a) - \log \pi_t(a \mid s)\big)$.

# %%
V, Q, π = soft_value_iteration(mdp, r_true)
d, m = visitation(mdp, π), occupancy(mdp, π)
assert np.allclose(π.sum(axis=2), 1) and np.allclose(d.sum(axis=1), 1)
assert np.isclose(m.sum(), mdp.horizon)

reward_and_entropy = (d[:, :, None] * π * (r_true - np.log(π))).sum()
assert np.isclose(reward_and_entropy, mdp.p0 @ V[0])
print(f"backward {mdp.p0 @ V[0]:.6f} = forward {reward_and_entropy:.6f}")

# %% [markdown]
# ### Step 3: the gradient is a difference of visits
#
# With (4) the model's term in (1) is $\sum_{s,a} m_\theta(s,a)\, f(s,a)$. The package minimises the convex *dual* of
# lecture 02, which is minus that expected log-likelihood, plus a penalty that section 4 needs:
#
# $$ L(\theta) = \mathbb E_{p_0} V_0(\theta) - \theta \cdot \hat f + \tfrac{\lambda}{2} \lVert\theta\rVert^2, \qquad
# \nabla L = \sum_{s,a} m_\theta f - \hat f + \lambda\theta \tag{5} $$

# %%
from course_utils.irl import maxent_dual  # show


# %% [markdown]
# **Check (identity).** The formula for the gradient against the slope of $L$, measured by central differences at
# random weights. Keep this test in mind: in section 11 it finds bugs that no picture shows.

# %%
def slope(L, θ, h=1e-5):
    """∇L(θ) by central finite differences: needs only the values of L."""
    return np.array([(L(θ + h * e) - L(θ - h * e)) / (2 * h) for e in np.eye(len(θ))])


# %%
f_expert = feature_expectations(mdp, f, m_expert)
for seed in range(3):
    θ = np.random.default_rng(seed).normal(size=3)
    _, gradient = maxent_dual(mdp, f, f_expert, θ, l2=0.1)
    measured = slope(lambda θ: maxent_dual(mdp, f, f_expert, θ, l2=0.1)[0], θ)
    print("formula", gradient, "  measured", measured)
    assert np.allclose(gradient, measured, atol=1e-5)

assert np.allclose(maxent_dual(mdp, f, f_expert, θ_true)[1], 0)  # and at the true weights it vanishes


# %% [markdown]
# ### Step 4: the whole algorithm
#
# Plan, count, compare, step. (`plan` and `count` are arguments so that we can put broken ones in later.)

# %%
def climb(mdp, features, f_expert, step, steps, plan=soft_value_iteration, count=occupancy):
    """Gradient ascent on −L from θ = 0. Returns θ and the length of the gradient at every step."""
    f, θ, gaps = feature_matrix(mdp, features), np.zeros(len(f_expert)), []
    for _ in range(steps):
        r = (f @ θ).reshape(mdp.n_states, mdp.n_actions)
        _, _, π = plan(mdp, r)                                     # what would θ do?
        gradient = f_expert - f.T @ count(mdp, π).reshape(-1)      # expert features − expected features
        θ = θ + step * gradient
        gaps.append(np.linalg.norm(gradient))
    return θ, np.array(gaps)


# %%
θ_climbed, gaps_climbed = climb(mdp, f, f_expert, step=0.2, steps=300)
print("steps on lawn, mud, bench in a walk:", f_expert)
print(f"gap {gaps_climbed[0]:.2f} → {gaps_climbed[-1]:.1e};  θ = {θ_climbed};  true {θ_true}")
assert np.allclose(θ_climbed - θ_climbed[0], θ_true, atol=1e-2)

# %% [markdown]
# Counted from the lawn, mud and bench are worth what we hid in section 1. (That they agree even without "counted from
# the lawn" is an accident of our choice of numbers; see question 1.)
#
# ### Step 5: the same, with a better optimiser
#
# $L$ is convex, so every optimiser that converges finds the same behaviour. The package uses L-BFGS, and *raises*
# rather than return a θ that has not converged.

# %%
from course_utils.irl import maxent_irl  # show

# %%
fit = maxent_irl(mdp, f, f_expert)
print(f"{fit.evaluations} evaluations instead of {len(gaps_climbed)}; gap {fit.gap:.1e}; θ = {fit.θ}")
assert np.allclose(fit.θ, θ_climbed, atol=1e-2)
assert np.isclose(fit.θ.sum(), 0) and np.isclose(θ_climbed.sum(), 0)
assert np.allclose(occupancy(mdp, fit.π), m_expert, atol=1e-4)  # it walks like the expert

# %% [markdown]
# ### Step 6: look
#
# True and recovered reward (counted from the lawn; section 3 says why we may), and both visitations.

# %%
draw_maps("Four maps. The recovered reward equals the true one: brown mud, green bench. The learner's "
          "visits equal the expert's: the gates, the dry path and above all the bench.",
          true_reward=(park, r_true[:, 0], REWARD),
          recovered_reward=(park, fit.reward[:, 0] - fit.θ[0], REWARD),
          expert_visits=(park, m_expert.sum(axis=1), VISITS),
          learner_visits=(park, occupancy(mdp, fit.π).sum(axis=1), VISITS))

# %% [markdown]
# > **Try it.** Edit `soft_backup` in step 1: replace the value `(largest + np.log(total))[:, 0]` by `Q.max(axis=1)`,
# > and run everything below. The first assert that fails is the one that compares backward with forward. Put it back
# > before you go on.
#
# **Question 1.** Both optimisers returned weights whose sum is 0, and would have done so for true weights (1, −2, 4)
# too. Why?
#
# <details><summary>Answer</summary>
#
# The three features sum to 1 in every state, so expert and learner both collect exactly $H$ of them, and the
# components of the gradient sum to $H - H = 0$. From θ = 0, neither optimiser ever leaves the plane
# $\sum_k \theta_k = 0$. No data from this park identify the direction (1, 1, 1).
# </details>
#
# ## 3 · What a reward is identified up to
#
# *A constant.* If all walks have the same length, adding $c$ to every reward adds $cH$ to every walk: no behaviour
# changes. If walks may **end early**, it does change: a constant becomes the price of staying.

# %%
EXIT = [*PARK[:3], "S....vG", *PARK[4:]]  # G: a gate that ends the walk
gated, f_gated = open_park(EXIT, slip=0.1, horizon=20)
for name, world, features in (("fixed length", park, f), ("may end early", gated, f_gated)):
    _, _, before = soft_value_iteration(world.mdp, features @ θ_true)
    _, _, after = soft_value_iteration(world.mdp, features @ θ_true + 1)
    print(f"{name:13s}: adding 1 to every reward moves π by up to {np.abs(after - before).max():.1e}")
    assert np.allclose(after, before) == (name == "fixed length")


# %% [markdown]
# *A scale.* A person with temperature $T$ acts by $\pi = e^{(Q-V)/T}$, exactly like a person of temperature 1 whose
# rewards are $r/T$. We assumed $T = 1$, and that fixes the scale; if the temperature is unknown, only θ's direction
# is.
#
# So two rewards are compared after a **shift** (fixed length, temperature known) or an **affine** map (temperature
# unknown), and weighted by visits: what nobody visits, nobody votes on. (No potential shaping: with a horizon, a
# potential that ignores the time is not free, as lecture 02 found.) Below, an expert of temperature 2.

# %%
def aligned(r, truth, weights, scale=False):
    """r[s], shifted (and scaled) to be as close to truth[s] as it can be in weighted least squares."""
    w = weights / weights.sum()
    r = r - w @ r
    factor = (w * r) @ truth / ((w * r) @ r) if scale else 1.0
    return factor * r + w @ truth


# %%
visits = m_expert.sum(axis=1)
_, _, π_hot = planning.soft_value_iteration(mdp, r_true / 2)
hot = maxent_irl(mdp, f, feature_expectations(mdp, f, planning.occupancy(mdp, π_hot)))
for scale in (False, True):
    error = np.abs(aligned(hot.reward[:, 0], r_true[:, 0], visits, scale) - r_true[:, 0]).max()
    print(f"{'affine map' if scale else 'shift':10s}: the recovered reward is off by up to {error:.4f}")
    assert (error < 0.01) == scale


# %% [markdown]
# Since a reward is only known up to such maps, we judge it by what it makes an agent *do*. The **score** of a policy
# is its expected true reward, normalised: 1 is the best possible, 0 a uniformly random walker. The **visit error**
# is the total variation between the states that two policies visit, 0 … 1.

# %%
def score(mdp, r, π):
    """(J(π) − J(uniform)) / (J(best) − J(uniform)), J the expected return under the reward r."""
    J = lambda π: mdp.p0 @ policy_evaluation(mdp, π, r)[0]
    low, high = J(np.full(r.shape, 1 / mdp.n_actions)), J(value_iteration(mdp, r)[2])
    return (J(π) - low) / (high - low)


def visit_error(mdp, π, m_expert):
    """½ Σ_s |visits of π − visits of the expert| / number of visits."""
    return np.abs((occupancy(mdp, π) - m_expert).sum(axis=1)).sum() / (2 * m_expert.sum())


# %% [markdown]
# ## 4 · Convergence
#
# $\nabla L$ changes by at most $(H \max \lVert f \rVert)^2$ per unit of θ. Gradient ascent with one over that as its
# step is *safe*: the gradient never grows. Safe is slow.

# %%
safe = 1 / (mdp.horizon * np.linalg.norm(f, axis=2).max()) ** 2
_, gaps_safe = climb(mdp, f, f_expert, step=safe, steps=300)
assert (np.diff(gaps_safe) <= 1e-9).all()  # identity: monotone

gaps_lbfgs = []


def recorded(θ):
    value, gradient = maxent_dual(mdp, f, f_expert, θ)
    gaps_lbfgs.append(np.linalg.norm(gradient))
    return value, gradient


_ = minimize(recorded, np.zeros(3), jac=True, method="L-BFGS-B", options={"gtol": 1e-6, "ftol": 0})
assert gaps_lbfgs[-1] < 1e-4 and len(gaps_lbfgs) < 60

# %%
fig, ax = plt.subplots(figsize=(6, 2.8))
ax.semilogy(gaps_safe, label=f"ascent, safe step {safe:g}")
ax.semilogy(gaps_climbed, label="ascent, step 0.2")
ax.semilogy(gaps_lbfgs, "k.-", label="L-BFGS")
ax.set(xlabel="evaluations of the gradient", ylabel="length of the gradient", title="Feature gap")
ax.legend()
show(fig, alt="The feature gap against evaluations, logarithmic. Ascent with the safe step falls by "
     "about one order of magnitude in 300 steps, with step 0.2 by five; "
     f"L-BFGS is there in {len(gaps_lbfgs)} evaluations.")

# %% [markdown]
# ### Two ways of having no best θ
#
# **The expert never errs.** Let the expert be *optimal* instead of soft. Nobody else collects these features, and a
# soft policy comes to an optimal one only as θ grows without limit: a tighter tolerance gives a longer θ, and there is
# no last one.
#
# **The data were lucky.** Three walks of that expert, and nobody slipped, in a park where one must slip now and
# then. No policy has these expected features, so $L$ falls without end and the gap never closes. `maxent_irl`
# raises.

# %%
_, _, π_best = value_iteration(mdp, r_true)
f_best = feature_expectations(mdp, f, planning.occupancy(mdp, π_best))
lengths = [np.linalg.norm(maxent_irl(mdp, f, f_best, tol=tol).θ) for tol in (1e-2, 1e-4, 1e-6)]
print("optimal expert: ‖θ‖ at tolerance 1e-2, 1e-4, 1e-6:", np.round(lengths))
assert (np.diff(lengths) > 0).all()

three_walks = empirical_occupancy(mdp, sample_trajectories(mdp, π_best, 3, np.random.default_rng(1)))
f_lucky = feature_expectations(mdp, f, three_walks)
try:
    maxent_irl(mdp, f, f_lucky)
    raise AssertionError("this should not converge")
except ConvergenceError as error:
    print("ConvergenceError:", error)

# %% [markdown]
# The remedy for both is the term $\frac{\lambda}{2}\lVert\theta\rVert^2$ of (5), `l2` in the code. $L$ is then
# strictly convex with one finite minimum, where what is left of the gap is exactly
# $\hat f - \mathbb E f = \lambda\theta$. The last assert proves that the luck was real: for the weights found, the
# best of all policies earns less than the three walks did.

# %%
for name, seen_features in (("optimal expert", f_best), ("three walks", f_lucky)):
    ridge = maxent_irl(mdp, f, seen_features, l2=0.05)
    gap = seen_features - feature_expectations(mdp, f, occupancy(mdp, ridge.π))
    print(f"{name:14s}: features {seen_features}, θ = {ridge.θ}, gap = {gap}")
    assert np.allclose(gap, 0.05 * ridge.θ, atol=1e-4)  # identity

most = mdp.p0 @ value_iteration(mdp, ridge.reward)[0][0]
earned = f_lucky @ ridge.θ
print(f"most that a policy can earn with the last θ: {most:.1f}; the three walks earned {earned:.1f}")
assert most < earned

# %% [markdown]
# Read `l2` as a prior: with $N$ sessions and $\theta \sim \mathcal N(0, \sigma^2)$ the most probable θ has
# $\lambda = 1/(\sigma^2 N)$. Below we use σ = 1 wherever the data are finite.
#
# ## 5 · Richer rewards: places, bumps, a network
#
# So far we were told what matters: lawn, mud, view. Knowing less, one needs a richer class of rewards. The same 200
# walks, four classes:
#
# * **ground**: the three features above;
# * **bumps**: a Gaussian bump on every cell (radial basis functions), linear in its weights;
# * **places**: a weight of its own for each state, held in check by `l2`;
# * **network**: raw (row, column) into a small neural net.

# %%
def fit_linear(mdp, features, m_data, N, σ=1.0):
    """maxent_irl on N demonstrations of empirical occupancy m_data, with the prior θ ~ N(0, σ²)."""
    f_data = feature_expectations(mdp, features, m_data)
    return maxent_irl(mdp, features, f_data, l2=1 / (σ**2 * N), tol=1e-3)


m_data = empirical_occupancy(mdp, sample_trajectories(mdp, π_expert, 200, np.random.default_rng(0)))
bumps = radial_features(park, [(i, j) for i in range(6) for j in range(7)], width=0.7)
classes = {"ground": f, "bumps": bumps, "places": state_indicators(park)}
rewards = {name: fit_linear(mdp, features, m_data, 200).reward for name, features in classes.items()}

# %% [markdown]
# For a network $r_w$ the chain rule turns (5) into $\nabla_w L = \sum_{s,a} (m_w - m_E)(s,a)\, \nabla_w r_w(s,a)$:
# plan and count in NumPy, hand the *difference of visits* to torch, and let it do the rest (Wulfmeier et al. 2015).

# %%
from course_utils.irl import deep_maxent_irl  # show

# %%
scaled = (park.cells - park.cells.mean(axis=0)) / park.cells.std(axis=0)
per_action = np.repeat(scaled, mdp.n_actions, axis=0)  # one row for each (s, a)
coordinates = torch.tensor(per_action, dtype=torch.float32)


def fit_network(seed):
    torch.manual_seed(seed)  # the initial weights are the only randomness
    net = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Tanh(),
                              torch.nn.Linear(32, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    return deep_maxent_irl(mdp, net, coordinates, m_data, steps=80)[0]


networks = {f"net, seed {seed}": fit_network(seed) for seed in range(5)}


# %% [markdown]
# $L$ is not convex in the weights of a net, hence five initialisations (**statistical**, 5 seeds).

# %%
def report(name, r):
    """Visit error and score of the soft policy of a recovered reward r; score of its best policy."""
    _, _, soft = soft_value_iteration(mdp, r)
    _, _, best = value_iteration(mdp, r)
    row = visit_error(mdp, soft, m_expert), score(mdp, r_true, soft), score(mdp, r_true, best)
    print(f"{name:11s} visit error {row[0]:.3f}   score: soft {row[1]:.3f}, best policy {row[2]:.3f}")
    return row


report("the truth", r_true)
linear = np.array([report(name, r) for name, r in rewards.items()])
nets = np.array([report(name, r) for name, r in networks.items()])
print("five nets:  mean", nets.mean(axis=0), "± standard deviation", nets.std(axis=0))
assert linear[:, 0].max() < 0.1 and nets[:, 0].max() < 0.12

# %%
rewards["network"] = networks["net, seed 0"]
draw_maps("The reward recovered by four classes. Ground is exact; bumps, places and the network see a "
          "good bench and bad cells beside the dry path, and disagree in the corners.",
          **{name: (park, aligned(r[:, 0], r_true[:, 0], visits), REWARD)
             for name, r in rewards.items()})

# %% [markdown]
# **Question 2.** All four match the expert's visits. Which picture would you trust, and where?
#
# <details><summary>Answer</summary>
#
# Where people walk, all of them (up to a constant). Elsewhere a picture shows the *class*, not the data: "ground"
# knows that mud is mud everywhere because we told it so; "places" falls back on its prior; bumps and the network
# extrapolate smoothly. More walks by the same people would hardly help: they do not go there.
# </details>
#
# ## 6 · How many demonstrations?
#
# Finite data enter our fit only through $\hat f$, whose error shrinks like $1/\sqrt N$. We compare two reward classes
# with **behavioural cloning**, which just copies the action frequencies of each state: **statistical**, 6 seeds for
# each number of demonstrations.

# %%
def clone(m_data, N):
    """Behavioural cloning: action frequencies π[s,a], each count plus 0.1, so uniform where unseen."""
    counts = N * m_data + 0.1
    return counts / counts.sum(axis=1, keepdims=True)


# %%
def with_demonstrations(N, seed):
    """Visit errors, and scores, of ground, places and clone. A reward is scored by its best policy."""
    data = empirical_occupancy(mdp, sample_trajectories(mdp, π_expert, N, np.random.default_rng(seed)))
    fits = [fit_linear(mdp, classes[name], data, N) for name in ("ground", "places")]
    copied = clone(data, N)
    planned = [value_iteration(mdp, fit.reward)[2] for fit in fits]
    return ([visit_error(mdp, π, m_expert) for π in (fits[0].π, fits[1].π, copied)],
            [score(mdp, r_true, π) for π in (*planned, copied)])


# %%
numbers = np.array([4, 16, 64, 256])
# axes of the results: [N, seed, measure, method]
results = np.array([[with_demonstrations(N, seed) for seed in range(6)] for N in numbers])
median = np.median(results, axis=1)
for N, (errors, scores) in zip(numbers, median):
    print(f"{N:4d} walks, medians of ground, places, clone: visit error {errors}, score {scores}")

exponent = np.polyfit(np.log(numbers), np.log(median[:, 0, 1]), 1)[0]
floor = visit_error(mdp, clone(m_expert, 10**9), m_expert)
print(f"places: the error falls like N^{exponent:.2f}; a clone of infinite data has {floor:.3f}")
assert -0.75 < exponent < -0.3 and floor > 0.02
assert (np.diff(median[:, 0], axis=1) > 0).all()  # ground, places, clone: in this order
assert (median[:, 1, :2] > 0.98).all() and (median[:, 1, 2] < 0.95).all()  # planning against copying

# %%
fig, axes = plt.subplots(1, 2, figsize=(8.5, 2.8), layout="constrained")
for ax, k, title in ((axes[0], 0, "visit error"), (axes[1], 1, "score (1 = best possible)")):
    for j, name in enumerate(("IRL, ground", "IRL, places", "cloning")):
        ax.plot(numbers, median[:, k, j], "o-", label=name)
        values = results[:, :, k, j]
        ax.fill_between(numbers, values.min(axis=1), values.max(axis=1), alpha=0.2)
    ax.set(xscale="log", xlabel="demonstrations N", title=title)
axes[0].set_yscale("log")
axes[0].legend()
show(fig, alt="Left: the visit error falls with the number of demonstrations; ground features are best, "
     "cloning is worst and levels off. Right: planning with a recovered reward scores near 1 from 4 "
     "walks on, cloning less.",
     caption="Medians; the bands span the six seeds.")

# %% [markdown]
# What one knows in advance is worth data: for every $N$ the three features do better than forty places. And the
# clone levels off at an error that more data do not cure, because it has no notion of the time left, while people
# behave differently near the end of a walk. (A clone per time step has $H$ times as much to learn.)
#
# ### Move it yourself
#
# One weight per place, fitted to $N$ walks in a park with the slip that you choose. The colours are those of step 6.

# %%
def recover(slip, N, seed=0):
    """Fit one weight per place to N walks in the park with this slip: world, fit, expert's occupancy."""
    world, features = open_park(PARK, slip=slip, horizon=20)
    _, _, π = planning.soft_value_iteration(world.mdp, features @ θ_true)
    walks = sample_trajectories(world.mdp, π, N, np.random.default_rng(seed))
    fit = fit_linear(world.mdp, state_indicators(world), empirical_occupancy(world.mdp, walks), N)
    return world, fit, planning.occupancy(world.mdp, π)


def redraw(slip, log2_N):
    world, fit, m = recover(slip, 2**log2_N)
    found = aligned(fit.reward[:, 0], r_true[:, 0], m.sum(axis=1))
    caption = f"{2**log2_N} walks, slip {slip:.2f}: visit error {visit_error(world.mdp, fit.π, m):.3f}"
    alt = f"True and recovered reward, expert's and learner's visits. {caption}"
    return draw_maps(alt, caption, bars=False,
                     true_reward=(world, r_true[:, 0], REWARD), recovered_reward=(world, found, REWARD),
                     expert_visits=(world, m.sum(axis=1), VISITS),
                     learner_visits=(world, occupancy(world.mdp, fit.π).sum(axis=1), VISITS))


interact(redraw, slip=FloatSlider(value=0.1, min=0, max=0.5, step=0.05, continuous_update=False),
         log2_N=IntSlider(value=6, min=1, max=10, description="log₂ N", continuous_update=False));

# %% [markdown]
# Let $N$ grow at slip 0.1: which parts of the map are right first? Then raise the slip to 0.3: the walks get worse and the recovered reward gets *better*, because now everybody is pushed everywhere. The
# next cell tests `recover` at the ends of the sliders, and that claim (**statistical**, 6 seeds).

# %%
for slip in (0.0, 0.5):
    ends = recover(slip, 2), recover(slip, 1024)
    few, many = (visit_error(world.mdp, fit.π, m) for world, fit, m in ends)
    print(f"slip {slip}: visit error {few:.3f} with 2 walks, {many:.3f} with 1024")
    assert many < few and many < 0.05

likeness = {slip: [np.corrcoef(recover(slip, 1024, seed)[1].θ, r_true[:, 0])[0, 1] for seed in range(6)]
            for slip in (0.1, 0.3)}
for slip, values in likeness.items():
    print(f"slip {slip}: correlation with the true reward {np.mean(values):.2f} ± {np.std(values):.2f}")
assert np.mean(likeness[0.3]) > np.mean(likeness[0.1]) + 0.05

# %% [markdown]
# ## 7 · Ten thousand states
#
# Nothing above used the size of the park. `TabularMDP` keeps $P$ as a sparse matrix with at most four entries a row
# here, so `expect` and `push` cost as much as there are possible moves. Now a city of 110 × 110 cells, a tenth of
# them walls; people start anywhere; the reward is a landscape of 36 bumps of unknown heights.

# %%
walls = np.random.default_rng(0).random((110, 110)) < 0.1
city = gridworld(["".join("#" if wall else "." for wall in row) for row in walls], slip=0.1, horizon=40)
hills = radial_features(city, [(i, j) for i in range(5, 110, 20) for j in range(5, 110, 20)], width=8.0)
heights = np.random.default_rng(1).normal(size=hills.shape[2])
m_city = planning.occupancy(city.mdp, planning.soft_value_iteration(city.mdp, hills @ heights)[2])

began = time.perf_counter()
fit_city = maxent_irl(city.mdp, hills, feature_expectations(city.mdp, hills, m_city), tol=1e-3)
seconds, error = time.perf_counter() - began, np.abs(fit_city.θ - heights).max()
print(f"{city.mdp}\nplanned and counted {fit_city.evaluations} times in {seconds:.1f} s: "
      f"gap {fit_city.gap:.1e}, heights off by up to {error:.3f}")
assert city.mdp.n_states >= 10_000 and error < 0.1

# %%
tones, shades = dict(REWARD, limits=(-2, 2)), dict(VISITS, limits=(0, 0.015))
draw_maps("Four maps of a city of 110 by 110 cells. True and recovered reward are the same landscape; "
          "expert's and learner's visits gather on the same hills. Walls are grey dots.",
          true_reward=(city, hills[:, 0] @ heights, tones),
          recovered_reward=(city, fit_city.reward[:, 0], tones),
          expert_visits=(city, m_city.sum(axis=1), shades),
          learner_visits=(city, occupancy(city.mdp, fit_city.π).sum(axis=1), shades))

# %% [markdown]
# **Question 3.** What would stop working first if the city had a hundred times as many states?
#
# <details><summary>Answer</summary>
#
# Not the transitions (a *dense* $P$ would be hopeless already, $S \cdot A \cdot S$ entries; sparse, it grows like
# $S$), but the tables over time: `Q` and `π` have $H \cdot S \cdot A$ entries, dense features $S \cdot A \cdot K$.
# Beyond that one gives up tables: functions instead of `V[t,s]`, samples instead of `d[t,s]`. That is lecture 04.
# </details>
#
# ## 8 · The park changes: reward against copied policy
#
# Why recover a reward at all, if a copy of the behaviour does as well? Because worlds change. Two changes: a **tree**
# has fallen across the dry path; and, another day, there is **ice** (slip 0.4 instead of 0.1).

# %%
TREE = [*PARK[:3], "S..#.vv", *PARK[4:]]
parks = {"as it was": (park, f), "tree": open_park(TREE, slip=0.1, horizon=20),
         "ice": open_park(PARK, slip=0.4, horizon=20)}


def transplant(values, new):
    """A policy or reward [s,a] of the old park, cell by cell, on a map without cells of its own."""
    return values[park.index[tuple(new.cells.T)]]


def transfer(seed, N=100):
    """Scores [park, method] after N walks in the old park: ground and places re-planned, clone."""
    walks = sample_trajectories(mdp, π_expert, N, np.random.default_rng(seed))
    data = empirical_occupancy(mdp, walks)
    ground, places = (fit_linear(mdp, classes[name], data, N) for name in ("ground", "places"))
    rows = []
    for world, features in parks.values():
        best = [value_iteration(world.mdp, r)[2]
                for r in (features @ ground.θ, transplant(places.reward, world))]
        policies = *best, transplant(clone(data, N), world)
        rows.append([score(world.mdp, features @ θ_true, π) for π in policies])
    return rows


# %% [markdown]
# The **ground** features of a new map need no demonstrations: θ says what mud is worth, the new map says where it
# is. Rewards by **place** are carried over cell by cell. Both are re-planned; the clone's policy is transplanted, and
# so is the *perfect* clone, the expert's own $\pi_t$. **Statistical**, 10 seeds. (A reward is scored by its best
# policy, a clone keeps the expert's randomness: compare a method with itself, from row to row.)

# %%
scores = np.array([transfer(seed) for seed in range(10)])  # [seed, park, method]
perfect = {}
for (name, (world, features)), column in zip(parks.items(), scores.swapaxes(0, 1)):
    π_moved = np.array([transplant(π_t, world) for π_t in π_expert])
    perfect[name] = score(world.mdp, features @ θ_true, π_moved)
    row = [f"{mean:.3f} ± {sd:.3f}" for mean, sd in zip(column.mean(axis=0), column.std(axis=0))]
    print(f"{name:9s} ground {row[0]}  places {row[1]}  clone {row[2]}  perfect {perfect[name]:.3f}")

assert (scores[:, :, :2] > scores[:, :, 2:]).all() and (scores[:, 1, :2] - scores[:, 1, 2:] > 0.5).all()
assert scores[:, 1, 0].mean() > scores[:, 1, 1].mean() + 0.03
assert perfect["tree"] < 0.3 < 0.6 < perfect["ice"] < perfect["as it was"]

# %%
world, features = parks["tree"]
_, _, π_replanned = value_iteration(world.mdp, features @ fit_linear(mdp, f, m_data, 200).θ)
plans = {"best possible": value_iteration(world.mdp, features @ θ_true)[2],
         "recovered reward, re-planned": π_replanned,
         "clone, transplanted": transplant(clone(m_data, 200), world)}
draw_maps("Visits in the park with the fallen tree. Re-planned reward and best policy look alike: around "
          "the mud along the bottom, or across it, to the bench. The clone pushes against the tree.",
          "Visits. The hatched cell in the dry path is the tree.",
          **{title: (world, occupancy(world.mdp, π).sum(axis=1), VISITS) for title, π in plans.items()})

# %% [markdown]
# The clone is not a bad learner: even the perfect one walks into the tree. It knows *what* people did in the old
# park, and that answers no question about the new one. On ice, where the old moves still make sense, it does better.
#
# **Question 4.** Where the tree fell, rewards by place lose more than ground features. Why, if both fit the old
# walks?
#
# <details><summary>Answer</summary>
#
# The detour leads through mud or along the bottom, where hardly anyone walked, so what "places" says there is mostly
# its prior. "Ground" has seen mud elsewhere. A reward transfers as far as its class can say *why* a place is good,
# and not only *that* it is.
# </details>
#
# ## 9 · 2008 or 2010?
#
# "MaxEnt IRL" names two models, which lecture 02 derived. In the one of 2008 (Ziebart, Maas, Bagnell, Dey) a whole
# session is likely if it is good and possible, $p(\tau) \propto e^{R(\tau)} \prod_t P(s_{t+1} \mid s_t, a_t)$:
# chance itself is reweighted in the agent's favour. In the one of 2010 (maximum *causal* entropy) only choices are
# random by $e^Q$; chance stays $P$. In code the difference is where the logarithm stands:
#
# $$ \text{2010: } Q_t = r + \sum_{s'} P\, V_{t+1}, \qquad
#    \text{2008: } Q_t = r + \log \sum_{s'} P\, e^{V_{t+1}} \;\ge\; \text{2010's, by Jensen} \tag{6} $$

# %%
def blank(mdp):
    """Zeros to be filled in: V (H+1,S), Q (H,S,A), π (H,S,A)."""
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    return np.zeros((H + 1, S)), table(H, S, A), table(H, S, A)


def plan_2008(mdp, r):
    """The backward pass of p(τ) ∝ e^R(τ) ΠP, without discount: log E e^V instead of E V."""
    V, Q, π = blank(mdp)
    for t in reversed(range(mdp.horizon)):
        top = V[t + 1].max()  # out of the exponentials, so that nothing overflows
        Q[t] = r + top + np.log(np.maximum(mdp.expect(np.exp(V[t + 1] - top)), 1e-300))
        V[t], π[t] = soft_backup(Q[t])
        V[t] *= mdp.alive
    return V, Q, π


calm, f_calm = open_park(PARK, slip=0.0, horizon=20)
r_calm = f_calm @ θ_true  # identity: without chance the two are one
assert np.allclose(plan_2008(calm.mdp, r_calm)[2], soft_value_iteration(calm.mdp, r_calm)[2])

# %% [markdown]
# With chance, the gamble of lecture 02 checks both by hand (**identity**). Risky: with probability 0.1 a place worth
# 4, else one worth −1. Safe: a place worth 0. The odds of the risky choice are $e^{\mathbb E r}$ in 2010's model and
# $\mathbb E\,e^r$ in 2008's.

# %%
P = np.zeros((4, 2, 4))         # state 0: the choice; 1: lucky, 2: unlucky, 3: safe
P[0, 0, [1, 2]] = 0.1, 0.9      # action 0, risky
P[0, 1, 3] = 1                  # action 1, safe
P[[1, 2, 3], :, [1, 2, 3]] = 1  # there one stays, whatever one does
gamble = TabularMDP(P, p0=[1, 0, 0, 0], horizon=2)
r_gamble = np.tile([[0.0], [4.0], [-1.0], [0.0]], (1, 2))

for name, plan, odds in (("2010", soft_value_iteration, np.exp(0.1 * 4 - 0.9 * 1)),
                         ("2008", plan_2008, 0.1 * np.exp(4) + 0.9 * np.exp(-1))):
    risky = plan(gamble, r_gamble)[2][0, 0, 0]
    print(f"P(risky), {name}: {risky:.3f}")
    assert np.isclose(risky, odds / (1 + odds))


# %% [markdown]
# ### On slippery ground, with infinite data
#
# To fit 2008's *likelihood* one needs its visits, under its own wishful chance
# $\tilde P(s' \mid s,a) \propto P(s' \mid s,a)\, e^{V_{t+1}(s')}$. The assert says that these visits are indeed the
# slope of 2008's $\log Z$: the implementation is what it claims to be.

# %%
def visits_2008(mdp, r):
    """log Z of the 2008 model, and its occupancy m[s,a] under the tilted chance P e^V / Σ P e^V."""
    V, _, π = plan_2008(mdp, r)
    d, m = mdp.p0, 0.0
    for t in range(mdp.horizon):
        m_t = d[:, None] * π[t]
        m = m + m_t
        bonus = np.exp(V[t + 1] - V[t + 1].max())
        d = mdp.alive * bonus * mdp.push(m_t / mdp.expect(bonus))
    return mdp.p0 @ V[0], m


measured = slope(lambda θ: visits_2008(mdp, f @ θ)[0], θ_true)
assert np.allclose(feature_expectations(mdp, f, visits_2008(mdp, r_true)[1]), measured, atol=1e-5)

# %% [markdown]
# The **Algorithm 1** printed in the 2008 paper is a third thing: it plans by 2008's backup and counts under the
# *true* $P$. (Lecture 02: it is the gradient of nothing.) Three fits to one causal expert, in a park of slip 0.2,
# with exact $\hat f$.

# %%
icy, f_icy = open_park(PARK, slip=0.2, horizon=20)
r_icy = f_icy @ θ_true
π_icy = planning.soft_value_iteration(icy.mdp, r_icy)[2]
f_hat = feature_expectations(icy.mdp, f_icy, planning.occupancy(icy.mdp, π_icy))


def dual_2008(θ):
    log_Z, m = visits_2008(icy.mdp, f_icy @ θ)
    return log_Z - θ @ f_hat, feature_expectations(icy.mdp, f_icy, m) - f_hat


# %%
tight = {"gtol": 1e-6, "ftol": 0}
exact_2008 = minimize(dual_2008, np.zeros(3), jac=True, method="L-BFGS-B", options=tight)
θ_algorithm_1, gaps_1 = climb(icy.mdp, f_icy, f_hat, step=0.02, steps=300, plan=plan_2008)
causal = maxent_irl(icy.mdp, f_icy, f_hat)
fits = {"2010": (causal.θ, causal.gap), "2008": (exact_2008.x, np.abs(exact_2008.jac).max()),
        "Algorithm 1": (θ_algorithm_1, gaps_1[-1])}

# %%
expert_score = score(icy.mdp, r_icy, π_icy)
print(f"the expert: θ = {θ_true}, score {expert_score:.3f}; steps on lawn, mud, bench {f_hat}")
regret, in_mud = {}, {}
for name, (θ, gap) in fits.items():
    _, _, π = soft_value_iteration(icy.mdp, f_icy @ θ)  # what this reward makes a real agent do
    steps = feature_expectations(icy.mdp, f_icy, occupancy(icy.mdp, π))
    regret[name], in_mud[name] = expert_score - score(icy.mdp, r_icy, π), steps[1]
    print(f"{name:11s} θ = {θ - θ[0]}, own gap {gap:.0e}   real agent: steps {steps}, "
          f"regret {regret[name]:.3f}")

# %%
assert abs(regret["2010"]) < 1e-3 and regret["2008"] > 0.3
assert fits["2008"][1] < 1e-4 and np.ptp(fits["2008"][0]) < np.ptp(θ_true) / 2  # converged, too small
assert gaps_1[-1] > 0.9 * gaps_1[150] > 0.5                                     # stuck
optimist = occupancy(icy.mdp, plan_2008(icy.mdp, f_icy @ θ_algorithm_1)[2])  # what Algorithm 1 believes it would do
assert feature_expectations(icy.mdp, f_icy, optimist)[2] < f_hat[2] - 1      # on the bench less often than the expert
assert abs(regret["Algorithm 1"]) < 0.05 and in_mud["Algorithm 1"] > 2 * f_hat[1]

# %% [markdown]
# **2010** is exact. **2008** converges, and in its own wishful world its visits match; but who trusts to luck needs
# little reward to be so successful, so the weights come out far too small, and a real agent who is given them does
# badly. **Algorithm 1**, which did converge in lecture 02's small world, does not get there at all. With the
# weights that it has come to, its optimist still slips off its way and reaches the bench less often than the expert;
# the loop concludes that the bench must be worth more, and so on. Its regret is small all the same: with weights so large that
# only the best way counts, a score forgives much. Compare the steps in the mud.
#
# **Question 5.** Somebody runs Algorithm 1 on a gridworld, and the result looks fine. Name two possible reasons.
#
# <details><summary>Answer</summary>
#
# The world is deterministic or nearly so, and there all three are one (asserted above, for the planners); or the result
# is judged by the greedy policy, of which more in section 11.
# </details>
#
# ## 10 · Experts that are not what we assume
#
# The model says: temperature 1, no discount, the reward is in our class. People are not like that. Infinite data, so
# that nothing is left but the wrong assumption:

# %%
hasty = TabularMDP(mdp.rows(), mdp.p0, horizon=mdp.horizon, discount=0.8)  # the park of the impatient
blind = np.stack([f[..., 0] + f[..., 1], f[..., 2]], axis=-1)              # mud and lawn are one feature
experts = {"as assumed": (π_expert, f),
           "temperature 2": (π_hot, f),
           "10 % at random": (0.9 * π_expert + 0.1 / mdp.n_actions, f),
           "impatient, γ = 0.8": (planning.soft_value_iteration(hasty, r_true)[2], f),
           "mud not a feature": (π_expert, blind)}
found, best_scores = {}, {}
for name, (π, features) in experts.items():
    m_seen = planning.occupancy(mdp, π)
    fit = maxent_irl(mdp, features, feature_expectations(mdp, features, m_seen))
    found[name] = fit.θ - fit.θ[0]
    best = score(mdp, r_true, value_iteration(mdp, fit.reward)[2])
    best_scores[name] = best
    print(f"{name:19s} θ = {str(found[name]):22s} gap {fit.gap:.0e}   "
          f"visit error {visit_error(mdp, fit.π, m_seen):.3f}   its best policy scores {best:.3f}")

# %% [markdown]
# * Another **temperature** only scales θ (identity). If people differ in temperature, a common scale means nothing.
# * **Random steps** are not noise that averages out: a step into the mud by mistake is read as "mud is not so bad".
# * The **impatient** expert does not plan far enough to walk to the bench, which is read as "the bench is not so
#   good": the *ratio* of the two weights changes, and no rescaling repairs that.
# * With the **wrong features** the fit converges as well as ever. A closed gap says that the features match, not that
#   they are the right ones. What shows it is a statistic that was *not* fitted, here the visits.
#
# (The last column notices only the missing feature. Section 11 returns to that.)

# %%
mud, view = np.array([found[name][1:] for name in list(experts)[:4]]).T
assert np.allclose(found["temperature 2"], θ_true / 2, atol=1e-3)
assert mud[2] > 0.6 * mud[0] and view[3] / -mud[3] < 0.6 * view[0] / -mud[0]
_, _, π_blind = soft_value_iteration(mdp, blind @ found["mud not a feature"])
assert visit_error(mdp, π_blind, m_expert) > 0.05
print("best policies:", np.array(list(best_scores.values())))
assert best_scores.pop("mud not a feature") < 0.9 and min(best_scores.values()) > 0.99  # the last column

# %% [markdown]
# ## 11 · Break it, then find it
#
# Five bugs, and three tests that miss one: each of a kind that is found in public code (written anew here). Each lab
# shows code that looks right and runs. **Find the line before you unfold the answer.**
#
# The stage is a small yard: everybody wants home to the gate in the corner, which ends the walk; a step costs 3,
# through mud 5; slip 0.05, $H = 10$, $\gamma = 0.95$. The tool is the check of step 3: the expected features, counted
# by visits, must be the slope of the planner's own $\mathbb E_{p_0} V_0$. If they are not, planner or counter is wrong.

# %%
lab, f_lab = open_park([".m..", "..m.", "m...", "...G"], slip=0.05, horizon=10, discount=0.95)
lab, f_lab, θ_lab = lab.mdp, f_lab[:, :, :2], np.array([-3.0, -5.0])   # features: lawn, mud
_, _, π_lab = planning.soft_value_iteration(lab, f_lab @ θ_lab)
f_hat_lab = feature_expectations(lab, f_lab, planning.occupancy(lab, π_lab))


# %%
def audit(plan, count, θ=np.array([-1.0, -2.0])):
    """Expected features by counting visits, and by the slope of the planner's value at the start."""
    counted = feature_expectations(lab, f_lab, count(lab, plan(lab, f_lab @ θ)[2]))
    sloped = slope(lambda θ: lab.p0 @ plan(lab, f_lab @ θ)[0][0], θ)
    print(f"counted {counted}   slope {sloped}   off by {np.abs(counted / sloped - 1).max():.2%}")
    return np.allclose(counted, sloped, rtol=1e-4)


assert audit(soft_value_iteration, occupancy)

# %% [markdown]
# ### Lab 1 · the planner
#
# A planner by equations (2) and (3). Counting is done by our own `occupancy`.

# %%
def plan_1(mdp, r):
    V, Q, π = blank(mdp)
    for t in reversed(range(mdp.horizon)):
        Q[t] = r + mdp.discount * mdp.expect(V[t + 1])
        V[t], π[t] = soft_backup(Q[t])
    return V, Q, π


assert not audit(plan_1, occupancy)

# %% [markdown]
# <details><summary>Which line?</summary>
#
# One is *missing*: `V[t] *= mdp.alive`. The terminal state is not pinned to 0, so in the planner's mind life goes on
# at the gate, with rewards to pay and choices to enjoy until $H$. The slope counts those steps; the walkers never
# take them.
# </details>
#
# ### Lab 2 · the planner again
#
# Another planner by (2) and (3); the counter is still our own.

# %%
def plan_2(mdp, r):
    V, Q, π = blank(mdp)
    for t in reversed(range(mdp.horizon)):
        Q[t] = r + mdp.discount * mdp.expect(V[t + 1])
        V[t] = Q[t].max(axis=1) * mdp.alive
        π[t] = np.exp(Q[t]) / np.exp(Q[t]).sum(axis=1, keepdims=True)
    return V, Q, π


assert not audit(plan_2, occupancy)

# %% [markdown]
# <details><summary>Which line?</summary>
#
# `Q[t].max(axis=1)`: a hard maximum where the softmax belongs. The policy chooses softly *now* but plans as if it
# would choose greedily ever after. Such agents are a model of their own (the likelihood of Bayesian IRL, Ramachandran
# and Amir 2007), but the gradient of that likelihood is not "expert features minus expected features", which is what
# the loop computes.
# </details>
#
# ### Lab 3 · the counter
#
# The planner is our own again, the counter is equation (4) written out.

# %%
def count_3(mdp, π):
    P, d = mdp.dense(), np.zeros((mdp.horizon, mdp.n_states))
    d[0] = mdp.p0
    for s in range(mdp.n_states):
        for t in range(mdp.horizon - 1):
            arrivals = d[t] @ (π[t] * P[:, :, s]).sum(axis=1)
            d[t + 1, s] = mdp.alive[s] * arrivals
    return np.einsum("t,ts,tsa->sa", mdp.discount ** np.arange(mdp.horizon), d, π)


assert not audit(soft_value_iteration, count_3)

# %% [markdown]
# <details><summary>Which line?</summary>
#
# The two `for` lines are in the wrong order. `d[t + 1, s]` needs *all* of `d[t]`, but the outer loop has filled only
# the states up to `s`: whoever moves from a later state to an earlier one (up or left) is lost. Time must be the
# outer loop.
# </details>
#
# ### Lab 4 · the counter again
#
# The same equation, with a list that grows.

# %%
def count_4(mdp, π):
    d = [mdp.p0]
    for t in range(mdp.horizon):
        d.append(mdp.alive * mdp.push(d[t][:, None] * π[t]))
    π = np.concatenate([π, π[-1:]])  # a policy for each d
    return np.einsum("t,ts,tsa->sa", mdp.discount ** np.arange(len(d)), np.array(d), π)


assert not audit(soft_value_iteration, count_4)

# %% [markdown]
# <details><summary>Which line?</summary>
#
# `for t in range(mdp.horizon)` after `d = [p0]` makes $H + 1$ distributions, but the planner adds up $H$ rewards:
# the last state is entered, not acted in. (Adding 1 to all rewards raises $V_0$ by $H$ in a park that nobody can
# leave; so visits must sum to $H$.) Counting $H + 1$ *is* right in a model that pays for the last state; the two
# sweeps have to agree.
# </details>
#
# Both counters are also found without any slope, by the identity of step 2: in the park nobody can leave, so the
# visits of a walk sum to $H$.

# %%
for count in (occupancy, count_3, count_4):
    total = count(mdp, π_expert).sum()
    print(f"{count.__name__} counts {total:.2f} steps in a walk of {mdp.horizon}")
    assert np.isclose(total, mdp.horizon) == (count is occupancy)

# %% [markdown]
# ### Lab 5 · the training loop
#
# Planner and counter are our own. The fit reports a closed gap.

# %%
def train_5(mdp, features, π_expert):
    world = TabularMDP(mdp.rows(), mdp.p0, horizon=mdp.horizon, terminal=mdp.terminal)
    target = feature_expectations(world, features, planning.occupancy(world, π_expert))
    θ, gaps = climb(world, features, target, step=1.0, steps=300)
    return θ, gaps[-1], soft_value_iteration(mdp, features @ θ)[2]


θ_5, reported, π_5 = train_5(lab, f_lab, π_lab)
actual = np.linalg.norm(f_hat_lab - feature_expectations(lab, f_lab, occupancy(lab, π_5)))
print(f"gap reported {reported:.1e}, gap of the policy that it returns {actual:.3f}")
print(f"θ = {θ_5}, true {θ_lab}")
assert reported < 1e-6 and actual > 0.1

# %% [markdown]
# <details><summary>Which line?</summary>
#
# The first: `TabularMDP(…)` without `discount=mdp.discount`. Training happens in a world of infinite patience, for
# which everything is consistent; the audit of planner and counter would pass. Only a gap that is *recomputed in the
# expert's world for the policy that is returned* tells.
# </details>
#
# ### Lab 6 · three tests that cannot fail
#
# The last bug is in the tests. This counter counts nothing at all, and passes. The third test is about a policy: a
# uniform one earns "at least 30 % of the expert's return".

# %%
def count_6(mdp, π):
    return np.full((mdp.n_states, mdp.n_actions), 7.0)


rng = np.random.default_rng(0)
uniform = np.full((lab.n_states, lab.n_actions), 1 / lab.n_actions)
J = lambda π: lab.p0 @ policy_evaluation(lab, π, f_lab @ θ_lab)[0]

assert np.allclose(count_6(lab, π_lab), count_6(lab, π_lab))
assert np.allclose(count_6(lab, π_lab), lab.discount ** rng.integers(1) * count_6(lab, π_lab))
assert J(uniform) / J(π_lab) > 0.3

# %% [markdown]
# <details><summary>Why does each one pass?</summary>
#
# The first compares the function with itself. In the second, `rng.integers(1)` draws from {0}: every power of γ that it
# tries is 1. In the third, returns are negative, so the ratio *grows* as the policy gets worse; a normalised score has
# a best and a worst. A test is worth something only if you have seen it fail:
#
# </details>

# %%
print(f"returns: expert {J(π_lab):.1f}, uniform {J(uniform):.1f}; 'percent' {J(uniform) / J(π_lab):.0%}, "
      f"score {score(lab, f_lab @ θ_lab, uniform):.2f}")
assert not audit(soft_value_iteration, count_6)
assert J(uniform) < J(π_lab) < 0 and np.isclose(score(lab, f_lab @ θ_lab, uniform), 0)

# %% [markdown]
# ### Why nobody notices
#
# Train with each of the broken parts, then judge as is usually done: plan greedily with the recovered reward and
# look whether the agent gets home. Beside it, the two soft policies: the one that the code itself returns, and the
# one that a correct planner makes of its reward.

# %%
broken = {"correct": (soft_value_iteration, occupancy), "1 terminal not pinned": (plan_1, occupancy),
          "2 hard maximum": (plan_2, occupancy), "3 loops swapped": (soft_value_iteration, count_3),
          "4 H + 1 visits": (soft_value_iteration, count_4)}
trained = {}
for name, (plan, count) in broken.items():
    θ, gaps = climb(lab, f_lab, f_hat_lab, step=1.0, steps=300, plan=plan, count=count)
    trained[name] = θ, gaps[-1], plan(lab, f_lab @ θ)[2]
trained["5 no discount"] = θ_5, reported, π_5

# %%
r_lab, table_of_scores = f_lab @ θ_lab, {}
print(f"{'bug':22s} its own gap  its policy  soft re-plan  greedy plan  θ")
for name, (θ, gap, π) in trained.items():
    policies = π, soft_value_iteration(lab, f_lab @ θ)[2], value_iteration(lab, f_lab @ θ)[2]
    row = table_of_scores[name] = [score(lab, r_lab, π) for π in policies]
    print(f"{name:22s}    {gap:.0e}       {row[0]:.3f}         {row[1]:.3f}        {row[2]:.3f}     {θ}")

# %%
values = np.array(list(table_of_scores.values()))
assert np.isclose(values[0, 0], score(lab, r_lab, π_lab), atol=1e-4)
assert values[:, 2].min() > 0.95  # greedy: everything looks fine
assert (np.abs(values[1:, :2] - values[0, :2]).max(axis=1) > 0.005).all()  # soft: each bug shows
assert values[4, 0] > values[0, 0] > values[[1, 3, 5], 0].max()            # … lab 4's upwards

# %% [markdown]
# Greedy evaluation asks only which of four neighbours is best, and mud that costs *somewhat* more than lawn is
# enough for that: it forgives a wrong scale, a missing discount, even lost mass. The recovered weights, the soft
# policies and above all the **identities** do not. (Note lab 4: by its score alone it would pass for an
# improvement.)
#
# ## Summary
#
# * A sum over trajectories is a sum over states: **plan** softly backward (2, 3), **count** visits forward (4), and
#   the gradient (5) is the difference of two counts. $L$ is convex: L-BFGS needs a few dozen evaluations, also with
#   ten thousand states.
# * A reward is identified up to a constant (fixed length) and a scale (unknown temperature), where people go, within
#   its class. Features that say *why* survive a change of the world; a copied policy does not.
# * Optimal experts and lucky data have no best θ: watch ‖θ‖, let the optimiser raise, and use `l2`.
# * In a world with chance use the causal model of 2010. The one of 2008 is biased there, its Algorithm 1 has no
#   likelihood.
# * A closed gap proves neither that the features are right, nor that the expert is as assumed, nor that the code is
#   correct. Check identities: visits sum to $H$ where nobody leaves; counted features are the slope of
#   $\mathbb E_{p_0} V_0$; the gap is recomputed in the expert's world.
#
# ## Further reading
#
# * Ziebart, Maas, Bagnell, Dey 2008, *Maximum Entropy Inverse Reinforcement Learning*, AAAI. The first model, and
#   Algorithm 1.
# * Ziebart, Bagnell, Dey 2010, *Modeling Interaction via the Principle of Maximum Causal Entropy*, ICML. The model
#   used here.
# * Gleave, Toyer 2022, *A Primer on Maximum Causal Entropy Inverse Reinforcement Learning*, arXiv:2203.11409.
#   Derivations.
# * Wulfmeier, Ondruska, Posner 2015, *Maximum Entropy Deep Inverse Reinforcement Learning*, arXiv:1507.04888.
# * Cao, Cohen, Szpruch 2021, *Identifiability in Inverse Reinforcement Learning*, arXiv:2106.03498. What two worlds
#   tell.
# * Skalse, Abate 2023, *Misspecification in Inverse Reinforcement Learning*, arXiv:2212.03201. Section 10, as
#   theorems.
# * Snoswell, Singh, Ye 2020, *Revisiting Maximum Entropy Inverse Reinforcement Learning: New Perspectives and
#   Algorithms*, arXiv:2012.00889. How implementations of the 2008 model differ from it, and an exact one.
# * Levine 2018, *Reinforcement Learning and Control as Probabilistic Inference*, arXiv:1805.00909. The optimist,
#   explained.
#
# **Next:** assignment a1 asks for variants of what you saw here; lecture 04 gives up the model and the tables.
