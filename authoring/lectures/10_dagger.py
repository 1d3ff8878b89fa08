# %% [markdown]
# # Ask where you go: DAgger
#
# Lecture 09 copied an expert by supervised learning and watched the copy drift: one mistake leads to places where the
# expert never was, there nobody told the copy what to do, and further mistakes follow. The cure is simple to say. **Let
# the learner drive, and ask the expert what it would have done in the places where the learner went.**
#
# **What you will do.** Derive three ways to ask: *forward training*, *SMILe* and *DAgger* (Ross, Bagnell 2010; Ross,
# Gordon, Bagnell 2011). Prove, line by line on a world that is small enough to be exact, why the third works: it plays
# a game whose regret vanishes. Then let it drive a kart, land on the moon, read handwriting, and finally be its expert
# yourself.
#
# **What you will learn.** Why the error that counts is the one under the learner's *own* distribution; what aggregation
# is for; who should drive; why the last policy need not be the best; what no amount of asking can repair.
#
# **What you need.** Lecture 09: behavioural cloning, $T^2\varepsilon$ against $T\varepsilon$. Policy evaluation.
# Nothing about online learning.
#
# Claims are marked *identity* (exact, asserted live), *statistical* (live, at least five seeds, with the spread),
# *table* (asserted on a stored table that a longer run made) or *reported* (by the paper named; not run here).

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from gymnasium.spaces import Discrete
from ipywidgets import Dropdown, FloatSlider, interact
from matplotlib.colors import LogNorm

from course_utils.imitation import Labelled, Run, at_each_time, behavioural_cloning, mixture, rollout
from course_utils.mdp import TabularMDP
from course_utils.networks import check_counts
from course_utils.planning import policy_evaluation, value_iteration, visitation
from course_utils.plotting import show
from course_utils.studies import load_table
from course_utils.vectorised import Task

torch.set_num_threads(1)
np.set_printoptions(precision=3, suppress=True)

# %% [markdown]
# ## 1. The idea, in a picture
#
# A path runs along a ledge. You are at position $y\in\{-3,\dots,3\}$, the middle is 0, and at $\pm3$ you lie in the
# ditch, which costs 1 for every step that you are there. Actions: one to the left, straight on, one to the right. Now and
# then a gust moves you by one. The expert $\pi^*$ always steers towards the middle.

# %%
Y, T = np.arange(-3, 4), 50
π_star = np.eye(3)[1 - np.sign(Y)]  # π*[s,a], one-hot; actions 0, 1, 2: left, straight, right
C = (abs(Y) == 3).astype(float)  # the cost C(s) of a step in state s


def ledge(horizon=T, gust=0.02):
    """Seven positions; with probability `gust` one is moved to either side."""
    P, s = np.zeros((7, 3, 7)), np.arange(7)
    for a in range(3):
        for blown, chance in ((-1, gust / 2), (0, 1 - gust), (1, gust / 2)):
            P[s, a, np.clip(Y + (a - 1) + blown, -3, 3) + 3] += chance
    return TabularMDP(P, np.eye(7)[3], horizon=horizon)  # starts in the middle


world = ledge()
r = np.repeat(-C[:, None], 3, axis=1)  # reward r[s,a] = −C(s)

# %% [markdown]
# **Step 1.1, what is to be kept small** (*identity*). The expected cost of an episode of $T$ steps, written with the
# time-averaged distribution of the states that the policy visits, $d_\pi = \frac1T\sum_t d^\pi_t$:
#
# $$ J(\pi) = \sum_{t=0}^{T-1}\mathbb E_{s\sim d^\pi_t}\big[C(s)\big] = T\;\mathbb E_{s\sim d_\pi}\big[C(s)\big].
# \tag{1} $$
#
# The expert's cost is exactly 0: two gusts in a row cannot throw somebody into the ditch who steers back between them.

# %%
def J(π, world=world):
    """The expected cost of an episode, from the start."""
    return -world.p0 @ policy_evaluation(world, π, r)[0]


def d_of(π, world=world):
    """d_π: where π spends its time, (S,)."""
    return visitation(world, π).mean(axis=0)


rng = np.random.default_rng(0)
for π in rng.dirichlet(np.ones(3), size=(5, 7)):  # five random policies π[s,a]
    assert np.isclose(J(π), T * d_of(π) @ C)  # (1)
assert abs(J(π_star)) < 1e-12 and abs(value_iteration(world, r)[0][0, 3]) < 1e-12  # nobody does better

# %% [markdown]
# **Step 1.2, a learner.** It counts. With $n(s)$ labels collected in state $s$, all of them "do $\pi^*(s)$", and a
# prior that is worth $\lambda=1$ label and says "when in doubt, straight on":
#
# $$ \hat\pi(a|s) = \frac{\lambda\,q_0(a) + n(s)\,\pi^*(a|s)}{\lambda + n(s)},\qquad q_0 = (.05,\ .9,\ .05). \tag{2} $$
#
# This is maximum likelihood with a regulariser: $\hat\pi(\cdot|s)$ minimises $-n(s)\log\pi(\pi^*(s)|s) -
# \lambda\sum_a q_0(a)\log\pi(a|s)$. A learner may also be unable to tell some states apart: `group` says which states
# look alike, and their labels are pooled. We give it the *expected* number of labels, fractions and all, so that nothing
# in sections 1–4 is random unless we say so.

# %%
q0, λ = np.array([0.05, 0.9, 0.05]), 1.0
DAY, NIGHT = np.arange(7), abs(Y)  # by day one sees y; at night only |y|: not on which side


def fit(n, group=DAY):
    """Equation (2), with the labels pooled over states that look alike: n (S,) → π (S, A)."""
    alike = np.eye(group.max() + 1)[:, group]  # (groups, S)
    labels = alike @ (n[:, None] * π_star)  # (groups, A)
    return ((λ * q0 + labels) / (λ + labels.sum(axis=1, keepdims=True)))[group]


clone = fit(T * d_of(π_star))  # the labels of one episode, driven by the expert
n = T * d_of(clone)
objective = lambda π: -n @ np.log((π * π_star).sum(axis=1)) - λ * (np.log(π) @ q0).sum()
assert all(objective(fit(n)) < objective(π) for π in rng.dirichlet(np.ones(3), size=(200, 7)))  # it minimises

# %% [markdown]
# The picture: who goes where, and where there are labels. One episode's labels for the clone; then three rounds of
# "the learner drives, the expert labels".

# %%
n = T * d_of(π_star)
for _ in range(3):
    n = n + T * d_of(fit(n))  # the learner of the moment drives; what it visits is labelled, and added
pupil = fit(n)

fig, axes = plt.subplots(1, 3, figsize=(12, 3), sharey=True, layout="constrained")
for ax, (name, π) in zip(axes, {"the expert": π_star, "its clone": clone, "after asking three times": pupil}.items()):
    picture = ax.pcolormesh(np.arange(T), Y, visitation(world, π).T.clip(1e-6), norm=LogNorm(1e-5, 1), cmap="magma")
    ax.set(title=f"{name}: {abs(J(π)):.3f} steps in the ditch", xlabel="time t")
axes[0].set(ylabel="position y")
fig.colorbar(picture, ax=axes, label="probability, log scale")
show(fig, alt="Three maps of probability over time and position. The expert stays within one step of the middle. Its "
     f"clone spreads to both ditches as time goes by and spends {J(clone):.2f} steps in them. After three rounds of "
     f"asking the learner's map is close to the expert's, with {J(pupil):.3f} steps in the ditch.",
     caption="The expert's states (left) are all that the clone was told about. Where it goes (middle), nobody told it.")

# %%
print("labels by position, expert's episode ", (T * d_of(π_star)).round(4))
print("labels by position, after asking     ", n.round(4))
assert (d_of(π_star)[abs(Y) >= 2] < 1e-12).all() and (d_of(clone)[abs(Y) >= 2] > 1e-3).all()
assert J(pupil) < J(clone) / 20

# %% [markdown]
# At $\pm2$, where it matters most, the expert never is, and so the clone has no label. *More* of the expert's episodes
# would not give it any either. The learner itself goes there; all that is missing is somebody to ask.
#
# ## 2. Which error counts?
#
# **Step 2.1, pay for each mistake when it is made** (*identity*). Let $V^*_t(s)$ be the cost that the expert still has
# before it from time $t$, and $Q^*_t(s,a)$ the same if $a$ is done first. Insert $V^*$ at every step of $\pi$'s episode;
# the sum telescopes (the *performance difference lemma*, Kakade, Langford 2002):
#
# $$ J(\pi) - J(\pi^*) = \sum_{t}\mathbb E_{s\sim d^\pi_t,\;a\sim\pi}\big[Q^*_t(s,a)-V^*_t(s)\big]. \tag{3} $$
#
# Mind *whose* states they are: $\pi$'s, not the expert's.

# %%
V_star = -policy_evaluation(world, π_star, r)  # (T+1, S), as costs
Q_star = np.stack([C[:, None] + world.expect(V_star[t + 1]) for t in range(T)])  # (T, S, A)
extra = Q_star - V_star[:-1, :, None]  # what a mistake costs if all is done right after it

for π in (clone, pupil, fit(np.zeros(7)), *rng.dirichlet(np.ones(3), size=(5, 7))):
    d = visitation(world, π)  # d[t,s]
    assert np.isclose(J(π) - J(π_star), (d[:, :, None] * π * extra).sum())  # (3)

# %% [markdown]
# **Step 2.2, the price list** (*identity*). Let $u$ be the largest price of a mistake, $u\ge Q^*_t(s,a)-V^*_t(s)$. A
# right action costs nothing extra, hence
#
# $$ J(\pi) \le J(\pi^*) + u\,T\,\varepsilon(\pi),\qquad
# \varepsilon(\pi) = \mathbb E_{s\sim d_\pi}\big[1-\pi(\pi^*(s)|s)\big]. \tag{4} $$
#
# $\varepsilon(\pi)$ is an ordinary supervised error, with one difference: test data come from where *the learner* goes.
# Make it small and we are done, with $T$ and not $T^2$. Lecture 09's $T^2$ is the price of measuring it where the expert
# goes. **All methods of this lecture are ways of getting training data from a distribution that does not exist
# before the training is over.**

# %%
u = extra.max()


def error(π, d):
    """E_{s∼d}[1 − π(π*(s)|s)], how often π does not do as the expert."""
    return d @ (1 - (π * π_star).sum(axis=1))


for π in (clone, pupil, *rng.dirichlet(np.ones(3), size=(5, 7))):
    assert J(π) <= J(π_star) + u * T * error(π, d_of(π)) + 1e-12  # (4)
print(f"u = {u:.2f}; the clone errs {error(clone, d_of(π_star)):.4f} of the time where the expert goes, "
      f"{error(clone, d_of(clone)):.4f} where it goes itself")
assert T * error(clone, d_of(π_star)) < J(clone)  # Tε with the wrong ε is not a bound

# %% [markdown]
# <details><summary><b>Quick question 1.</b>
# What is u if a mistake can never be made good again, as on a cliff?</summary>
#
# Up to the cost of all the rest of the episode, so $u$ is of order $T$ and $uT\varepsilon$ is $T^2\varepsilon$ again.
# Nothing that follows helps there: knowing what one should do at the bottom of the cliff is not worth much. $u$ is small
# where the *expert* can recover. Asking teaches recovery, it does not make recovery possible.
# </details>
#
# ## 3. Two first answers
#
# ### 3.1 Forward training: one policy for each time
#
# At time 0 everybody is at the start. Learn $\pi_0$ there. Then $d_1$ is known: it is where $\pi_0$ leads. Ask the
# expert there, and learn $\pi_1$; and so on. By induction each $\pi_t$ is trained on the very distribution that it will
# meet, so if each has error at most $\varepsilon$, equation (4) holds with that $\varepsilon$:
#
# $$ J(\pi_0,\dots,\pi_{T-1}) \le J(\pi^*) + u\,T\,\varepsilon. \tag{5} $$
#
# To see that it holds in the worst case we take the worst learner that is allowed: where it has data it errs with
# probability $\varepsilon$, where it has none always, and a mistake always leads outward. No gusts, so that the expert
# never leaves the middle.

# %%
outward = np.eye(3)[np.where(Y < 0, 0, 2)]


def worst(d, ε):
    """The worst policy that errs with probability ε on the distribution d (S,): anything goes where d = 0."""
    ε_s = np.where(d > 0, ε, 1)[:, None]
    return (1 - ε_s) * π_star + ε_s * outward


def forward(world, ε):
    """Forward training with that learner: costs by time (T,), and the policies (T, S, A)."""
    d, π = world.p0, []
    for _ in range(world.horizon):
        π.append(worst(d, ε))
        d = world.push(d[:, None] * π[-1])
    return visitation(world, np.array(π)) @ C, np.array(π)


calm, ε, times = ledge(100, gust=0), 0.001, np.arange(1, 101)
J_clone = (visitation(calm, worst(calm.p0, ε)) @ C).cumsum()  # J for every T up to 100
J_forward = forward(calm, ε)[0].cumsum()

# %% [markdown]
# Both learners have *the same* error where they were trained. For all lengths up to 100 (*identity*):

# %%
V_calm = -policy_evaluation(calm, π_star, r)
u_calm = max((C[:, None] + calm.expect(V_calm[t + 1]) - V_calm[t][:, None]).max() for t in range(100))
assert (J_forward <= u_calm * times * ε + 1e-12).all()  # (5)
assert (J_clone <= times**2 * ε + 1e-12).all() and J_clone[-1] > 0.4 * 100**2 * ε  # quadratic, and nearly half of it
slope = lambda J: np.log(J[-1] / J[49]) / np.log(2)
print(f"J at T = 100: clone {J_clone[-1]:.3f}, forward training {J_forward[-1]:.2e}, bound uTε {u_calm * 100 * ε:.2f}")
print(f"growth from T = 50 to 100: clone T^{slope(J_clone):.2f}, forward training T^{slope(J_forward):.2f}")
assert slope(J_clone) > 1.8 and slope(J_forward) < 1.1

# %%
fig, ax = plt.subplots(figsize=(6, 3.4))
ax.loglog(times, times**2 * ε, "C3:", label="bound T²ε")
ax.loglog(times[3:], J_clone[3:], "C3", label="clone, worst case")
ax.loglog(times, u_calm * times * ε, "C0:", label="bound uTε")
ax.loglog(times[3:], J_forward[3:], "C0", label="forward training, worst case")
ax.set(xlabel="length T of an episode", ylabel="expected cost J", title=f"both err with probability {ε} in training")
ax.legend(fontsize=8)
show(fig, alt="Cost against length, log-log. The worst clone grows almost as T squared times epsilon. The worst policy of "
     "forward training grows linearly and lies far below its bound u T epsilon.")

# %% [markdown]
# The algorithm in the package asks a real expert in a real environment. It is this loop with samples for $d_t$:

# %%
from course_utils.imitation import forward_training  # show

# %% [markdown]
# To run it, the ledge as an environment (the base class `Task` steps many copies at once), its expert, and the counting
# learner with sampled labels:

# %%
class Ledge(Task):
    """The ledge as a vector environment: observation y, reward −C."""

    name, time_limit, n_state, high = "Ledge", T, 1, np.array([3.0])
    single_action_space = Discrete(3)

    def draw(self, n):
        return np.zeros((n, 1))

    def dynamics(self, y, actions):
        gust = self.np_random.choice([-1, 0, 1], size=(len(y), 1), p=[0.01, 0.98, 0.01])
        fallen = abs(y[:, 0]) == 3
        return np.clip(y + (actions[:, None] - 1) + gust, -3, 3), -fallen.astype(float), np.zeros(len(y), dtype=bool)


def expert(obs, rng, time):
    return 1 - np.sign(obs[:, 0]).astype(int)

# %%
class Table:
    """The policy in imitation.py's sense that draws from a table π[s,a]."""

    def __init__(self, π):
        self.π = π

    def __call__(self, obs, rng, time):
        return (self.π[obs[:, 0].astype(int) + 3].cumsum(axis=1) > rng.random((len(obs), 1))).argmax(axis=1)


def counting(obs, labels, rng):
    """The learner (2), with the labels that it is given."""
    n = np.zeros((7, 3))
    np.add.at(n, (obs[:, 0].astype(int) + 3, labels), 1)
    return Table((λ * q0 + n) / (λ + n.sum(axis=1, keepdims=True)))


act = Table(clone)
returns = [rollout(Ledge(500), act, np.random.default_rng(seed)).returns for seed in range(5)]  # (seeds, episodes)
standard_error = np.std(returns) / np.sqrt(np.size(returns))
assert abs(-np.mean(returns) - J(clone)) < 4 * standard_error  # the environment is the world

# %%
forwarded = [forward_training(Ledge(20), expert, counting, np.random.default_rng(seed), T) for seed in range(5)]
J_timed = lambda run: J(np.array([policy.π for policy in run]))  # of T tables: π[t,s,a]
parts = [[counting(run.data.obs[run.data.time == t], run.data.labels[run.data.time == t], None) for t in range(T)]
         for run in forwarded]
costs = np.array([J_timed(run) for run in parts])
print(f"forward training: {costs.mean():.3f} ± {costs.std(ddof=1):.3f}, with {len(forwarded[0].data)} labels")
