# %% [markdown]
# # Start here
#
# **What you will do**: see that this machine is ready, learn how the checks of this course talk to you, and find out in
# ten minutes whether you know what the lectures assume.
#
# **What you will learn**: where everything is, how to read a failed check, the notation of the whole course, and – if
# you do not know it yet – *soft* value iteration, on which all of it rests.
#
# **What you need**: Python with NumPy, probabilities and gradients, and a first idea of reinforcement learning (states,
# actions, rewards, value iteration). Nothing else.
#
# A notebook is made of cells. Click on one, press **Shift+Enter**, and it runs. Run this one first: it looks at the
# machine. Every line should say `ok`; `optional` is for instructors and for those who run the tests.

# %%
from course_utils import doctor

doctor.main();

# %% [markdown]
# If something is missing, the arrow says how to get it. In a terminal, `course doctor` prints the same.

# %% [markdown]
# ## The map
#
# Reinforcement learning is given a reward and looks for behaviour. **Inverse** reinforcement learning is given
# behaviour and looks for the reward. **Imitation** learning wants the behaviour only, and soon meets the same
# questions.
#
# | # | lecture | you come out with | state |
# |---|---|---|---|
# | 01 | [Why inverse RL, and is it even possible?](01_why_inverse_rl.ipynb) | exact bounds on rewards from sessions that you walk yourself | here |
# | 02 | [Maximum entropy inverse RL, derived](02_maximum_entropy.ipynb) | every line of the derivation, each one run | here |
# | 03 | [Tabular, model-based](03_tabular.ipynb) | rewards recovered on gridworlds, and moved to changed worlds | here |
# | 04 | [Guided cost learning](04_guided_cost_learning.ipynb) | inverse RL without a model: a reward map recovered from drives | here |
# | 05 | [GANs, GAIL, AIRL, MAIL](05_gans_gail_mail.ipynb) | imitation as a game, and which of its rules are published wrong | here |
# | 06 | Overview of other methods | nine methods on one world | planned |
# | 07 | Learning from preferences | a reward from your own clicks | planned |
# | 08 | Cooperative inverse RL | a human who teaches, a robot that asks | planned |
# | 09 | [Imitation against supervised learning](09_imitation_vs_supervised.ipynb) | why a clone's small errors grow, exactly and measured | here |
# | 10 | [DAgger](10_dagger.ipynb) | how to stop them: you are the expert who is asked | here |
# | 11 | Your own demonstrations | all of it on your own data | planned |
#
# Assignments: [a1, Maximum entropy](../assignments/a1_maxent.ipynb) follows lecture 03,
# [a2, Guided cost](../assignments/a2_guided_cost.ipynb) lecture 04, [a3, Adversarial](../assignments/a3_adversarial.ipynb)
# lecture 05, and [a6, Imitation](../assignments/a6_imitation.ipynb) lecture 10. Their solutions are in `solutions/`, if
# your copy of the course has it: look there when you are done.

# %% [markdown]
# ## What a lecture promises
#
# Equations are executed, and what is claimed about them is an `assert`: if a cell runs, the claim held, on your
# machine, a moment ago. Claims are of three kinds, and a lecture says which one it makes.
#
# * An **identity** holds exactly, and is asserted to rounding error.
# * A **cheap statistical claim** holds on average: it is run live over at least five random seeds, with its spread.
# * A **table claim** needs longer than a minute: the table was computed by a program in this repository, is stored with
#   its seeds, and the claim is asserted on it.
#
# Here is an identity. The derivative of $\log\sum_i e^{q_i}$ with respect to $q_j$ is $e^{q_j} / \sum_i e^{q_i}$, the
# $j$-th entry of the *softmax* of $q$. The left side is computed by central differences, which know nothing of
# calculus.

# %%
import numpy as np

rng = np.random.default_rng(0)  # every random number of the course comes from a generator that you can see
q, h = rng.normal(size=4), 1e-6

log_sum_exp = lambda q: np.log(np.exp(q).sum())
difference = [(log_sum_exp(q + h * e) - log_sum_exp(q - h * e)) / (2 * h) for e in np.eye(4)]
softmax = np.exp(q) / np.exp(q).sum()
assert np.allclose(difference, softmax, atol=1e-9)
softmax

# %% [markdown]
# ## How checks work
#
# An assignment asks you to write a function, and then to run a cell with `check("…", your_function)`. The check calls
# your function on many random inputs, compares it with a computation that is made another way, and shows a **card**:
# *not yet*, *passed*, or what went wrong, with the smallest input on which it did. When the check recognises the
# mistake, the card names it and has a hint.
#
# Try it. The function below is meant to return $\log\sum_i e^{q_i}$, as above. Run both cells, read the card, mend the
# function, and run them again until it passes.

# %%
from course_utils.checks import check


def soft_maximum(q):
    """log Σ_i e^q_i of a vector q of any length, as one number."""
    return np.log(np.exp(q).sum())


# %%
check("a0.q1", soft_maximum)

# %% [markdown]
# <details><summary>The answer, if you want it</summary>
#
# ```python
# def soft_maximum(q):
#     c = q.max()
#     return c + np.log(np.exp(q - c).sum())
# ```
#
# With $c = \max q$ the largest exponent is 0: nothing overflows, and at least one term is 1, so the logarithm is safe
# too.
# </details>

# %% [markdown]
# A check is not the grading: more tests run there, on inputs that nobody has seen. What you passed is kept on this
# machine only, in the folder `.course`. Here it is as a table; `course progress` prints it in a terminal, and `course
# check a1` runs all checks of a finished assignment.

# %%
from course_utils.dashboard import dashboard

dashboard()

# %% [markdown]
# ## Notation
#
# One table for the whole course. The code uses the symbols of the equations, Greek letters included: in a notebook type
# `\pi` and press Tab to get π.
#
# | symbol | meaning | in code |
# |---|---|---|
# | $s \in S,\ a \in A$ | states and actions, numbered from 0 | `mdp.n_states`, `mdp.n_actions` |
# | $P(s' \mid s,a)$ | transition probabilities, axes `P[s,a,s']` | `mdp.dense()` |
# | $p_0(s)$ | where a session starts | `mdp.p0` |
# | $H$ | horizon: the number of actions in a session | `mdp.horizon` |
# | $\gamma$ | discount | `mdp.discount` |
# | $\tau = (s_0, a_0, s_1, a_1, \dots)$ | a session, or trajectory | `rollouts.Trajectories` |
# | $r(s,a)$ | reward, axes `r[s,a]` | `mdp.reward(r)` |
# | $R(\tau) = \sum_t r(s_t, a_t)$ | return of a session, undiscounted | |
# | $\theta,\ f(s,a)$ | weights and features of a linear reward, $r = f \cdot \theta$ | `irl.feature_matrix` |
# | $\pi_t(a \mid s)$ | policy, axes `π[t,s,a]` | `planning.checked_policy` |
# | $V_t(s),\ Q_t(s,a)$ | values, `V[t,s]` and `Q[t,s,a]` | `planning.soft_value_iteration`, `planning.value_iteration` |
# | $\sum_{s'} P V$ | one step ahead | `mdp.expect(V)` |
# | $\sum_{s,a} m P$ | one step on | `mdp.push(m)` |
# | $d_t(s)$ | visitation: the probability of acting in $s$ at time $t$, `d[t,s]` | `planning.visitation` |
# | $m(s,a) = \sum_t \gamma^t d_t(s)\,\pi_t(a \mid s)$ | occupancy | `planning.occupancy` |
# | $\hat f$ | the expert's expected features | `irl.feature_expectations` |
# | $Z$ | partition function: what makes probabilities sum to 1 | `guided_cost.log_partition` |
# | $q(\tau),\ \mu(\tau)$ | a proposal: what samples are drawn from; several of them fused | `guided_cost.fused_log_density` |
# | $\bar w_j$ | importance weights, which sum to 1 | `guided_cost.importance_weights` |
# | $\tilde\pi_\varphi$ | a policy in training, with parameters $\varphi$ | `networks.Policy`, `ppo.PPO` |
# | $D$ | discriminator: the probability of "expert", where nothing else is said | `adversarial.discriminator_loss` |
# | $\pi^*,\ \hat\pi_i$ | the expert; the policy learned in iteration $i$ | `imitation.behavioural_cloning`, `imitation.Run` |
# | $\beta_i$ | the probability with which the expert drives in iteration $i$ of DAgger | `imitation.dagger`, `imitation.query` |
# | $T$ | the horizon $H$ in the literature on imitation | `drift.World` |
# | $\varepsilon$ | the probability of a mistake, mean over a session's steps: in the expert's states or in one's own | `drift.mistakes` |
# | $\mathrm{TV}(p, q)$ | total variation, $\tfrac12 \sum_s \lvert p(s) - q(s) \rvert$ | `drift.total_variation` |

# %% [markdown]
# ## Do you know what is assumed?
#
# Six questions, two minutes. Choose an answer for each; the line below them says what to read if you miss it. Nothing
# is recorded. Scroll past the code to the buttons: it holds the answers.

# %%
QUIZ = [  # question, answers, number of the right one, what to read if you miss it
    ("Σ_s' P[s,a,s'] equals …", ["1", "the number of states", "π(a|s)"], 0, "any text on Markov decision processes"),
    ("Value iteration repeats V ← …", ["Σ_a π Q", "max_a Q", "log Σ_a Q"], 1, "the refresher below"),
    ("γ = 0.9, every step pays 1, no step is the last: V = …", ["0.9", "1", "10"], 2, "geometric series: 1/(1−γ)"),
    ("∇_θ log p_θ(x) has expectation under p_θ …", ["0", "1", "∇ log Z"], 0, "“score function”: ∇∫p = ∇1 = 0"),
    ("E_p[g(x)] with samples from q needs the weights …", ["q/p", "p/q", "p·q"], 1, "“importance sampling”"),
    ("Soft value iteration repeats V ← …", ["max_a Q", "Σ_a e^Q", "log Σ_a e^Q"], 2, "the refresher below"),
]


def verdict(answers):
    """What to read, for a list of chosen answers (None: not answered)."""
    missed = [f"• {ask} → {read}" for (ask, says, right, read), a in zip(QUIZ, answers) if a not in (None, says[right])]
    good = sum(a == says[right] for (_, says, right, _), a in zip(QUIZ, answers))
    said = f"{good} right, {len(missed)} missed, {answers.count(None)} to go."
    if good == len(QUIZ):
        said += " Go on to lecture 01."
    return "\n".join([said, *missed])


# %%
assert verdict([says[right] for _, says, right, _ in QUIZ]).endswith("lecture 01.")
assert verdict([says[right - 1] for _, says, right, _ in QUIZ]).count("→") == len(QUIZ)
assert verdict([None] * len(QUIZ)) == f"0 right, 0 missed, {len(QUIZ)} to go."

# %%
import ipywidgets as widgets

wide = {"button_width": "max-content"}
choices = [widgets.ToggleButtons(options=says, value=None, style=wide) for _, says, _, _ in QUIZ]
result = widgets.HTML(f"<pre>{verdict([None] * len(QUIZ))}</pre>")


def mark(_):
    result.value = f"<pre>{verdict([choice.value for choice in choices])}</pre>"


for choice in choices:
    choice.observe(mark, "value")
rows = [widgets.VBox([widgets.Label(ask[0]), choice]) for ask, choice in zip(QUIZ, choices)]
widgets.VBox([*rows, result])

# %% [markdown]
# ## Refresher: value iteration, hard and soft
#
# Skip this if the quiz was easy. A corridor of five cells; the session ends in the last one. A move into a wall stays
# put. Every step costs 1, so the agent should walk right.
#
# $$ Q_t(s,a) = r(s,a) + \gamma \sum_{s'} P(s' \mid s,a)\, V_{t+1}(s'), \qquad V_t(s) = \max_a Q_t(s,a), \qquad V_H = 0. \tag{1} $$
#
# `mdp.expect(V)` is the sum over $s'$, for all $s$ and $a$ at once.

# %%
from course_utils.gridworlds import gridworld

world = gridworld(["S...G"], horizon=6)  # S: start, G: the terminal cell
mdp = world.mdp
r = np.full((mdp.n_states, mdp.n_actions), -1.0)
world.actions

# %% [markdown]
# Here is (1), backwards in time. The terminal cell has value 0: nothing happens there any more.

# %%
V = np.zeros((mdp.horizon + 1, mdp.n_states))
for t in reversed(range(mdp.horizon)):
    Q = r + mdp.discount * mdp.expect(V[t + 1])
    V[t] = np.where(mdp.terminal, 0, Q.max(axis=1))

assert V[0].tolist() == [-4, -3, -2, -1, 0]  # minus the number of steps to the end

# %% [markdown]
# This agent never errs. People do: mostly they do what is good, and sometimes what is nearly as good. The **soft**
# agent replaces the maximum by the soft maximum, and its policy is a softmax:
#
# $$ V_t(s) = \log \sum_a e^{Q_t(s,a)}, \qquad \pi_t(a \mid s) = e^{Q_t(s,a) - V_t(s)}. \tag{2} $$
#
# One line changes, and one is added.

# %%
from scipy.special import logsumexp

V_soft, π = np.zeros_like(V), np.zeros((mdp.horizon, mdp.n_states, mdp.n_actions))
for t in reversed(range(mdp.horizon)):
    Q = r + mdp.discount * mdp.expect(V_soft[t + 1])
    V_soft[t] = np.where(mdp.terminal, 0, logsumexp(Q, axis=1))
    π[t] = np.exp(Q - logsumexp(Q, axis=1, keepdims=True))

assert np.allclose(π.sum(axis=2), 1)

# %% [markdown]
# The package has this as a function, which gives the same (an identity). From now on we import it; lecture 02 says
# where (2) comes from, and lecture 03 shows its code.

# %%
from course_utils.planning import soft_value_iteration

assert np.allclose(soft_value_iteration(mdp, r)[0], V_soft)
assert np.allclose(soft_value_iteration(mdp, r)[2], π)

# %% [markdown]
# How random is the soft agent? That depends on how large the rewards are. Divide them by $T$, the **temperature**: a
# cold agent, with large rewards, is nearly the hard one. Move the slider: the bars are the probability of each move in
# the first cell. **Predict first**: what does a hot agent do?

# %%
import matplotlib.pyplot as plt

from course_utils.plotting import show

right = world.actions.index("right")


def first_move(T):
    """π_0(· | first cell) at temperature T: (A,)."""
    return soft_value_iteration(mdp, r / T)[2][0, 0]


# %%
def draw(T=0.25):
    fig, ax = plt.subplots(figsize=(5, 2.4))
    ax.bar(world.actions, first_move(T))
    ax.set(ylim=(0, 1), ylabel="probability", title=f"first move of the soft agent, T = {T:g}")
    alt = f"bar chart: at temperature {T:g} the soft agent goes right with probability {first_move(T)[right]:.2f}"
    return show(fig, alt=alt)


widgets.interact(draw, T=(0.05, 1.5, 0.05));

# %% [markdown]
# <details><summary>What a hot agent does</summary>
#
# It even shuns the way out, a little. To a soft agent being free to choose is worth something: with four moves that are
# all as good, (2) gives $V = Q + \log 4$, which is $T \log 4$ in the unit of the rewards. At $T = 1/\log 4$ that is
# just what a step costs, and all moves are equally likely; above it, a session that lasts is the better one. Lecture 02
# comes back to this.
# </details>

# %%
assert first_move(0.05)[right] > 0.99  # cold: nearly the hard agent
assert np.allclose(first_move(1 / np.log(4)), 1 / 4)  # indifferent
assert first_move(1.5)[right] < 1 / 4  # hot: it would rather stay

# %% [markdown]
# ## Summary
#
# * Cells run with Shift+Enter; a lecture's claims are asserts.
# * `check("…", f)` names your mistake where it can; *passed* in a notebook is not yet a mark.
# * Notation: `P[s,a,s']`, `r[s,a]`, `π[t,s,a]`, `d[t,s]`.
# * Soft value iteration is value iteration with $\log\sum\exp$ for $\max$.
#
# **Further reading.** Sutton & Barto, *Reinforcement Learning: An Introduction*, 2nd edition 2018, chapters 3 and 4,
# for what is assumed. Ziebart, *Modeling Purposeful Adaptive Behavior with the Principle of Maximum Causal Entropy*,
# PhD thesis, Carnegie Mellon University, 2010, for the soft agent.
#
# Next: [01 – Why inverse RL, and is it even possible?](01_why_inverse_rl.ipynb)
