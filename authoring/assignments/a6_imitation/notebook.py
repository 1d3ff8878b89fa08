# %% [markdown]
# # Assignment a6: build imitation that survives its own mistakes
#
# **What you will do.** Write three functions: the loss of behavioural cloning for demonstrations that differ in length,
# the loop of DAgger under a budget of questions, and SMILe's mixture when its expert has left. At the end your three
# functions learn to drive a road with bends, of which the expert's own drives show only the middle.
#
# **Why.** Cloning fails where nobody looks: the loss is small, the accuracy is high, and yet the learner drifts off to
# states that no demonstration has ever seen. DAgger repairs it with a loop of ten lines, and nearly every way to get one
# of these lines wrong still runs and still learns *something*. Who drives, who labels, what is learned from, and when
# does it stop: the check tells these apart.
#
# **What you need.** Lectures 09 and 10. NumPy and SciPy. About two hours.

# %% [markdown]
# ## How this works
#
# - Write your answer where it says `raise NotImplementedError`. Keep the function's name and its arguments.
# - Run the check below your answer. It tries your function on many small random instances and compares it with a slow
#   calculation from the definition. If something is wrong, the card shows the smallest instance that went wrong, and
#   it names the mistake if it is a known one. Try as often as you like.
# - **More tests run at grading**, on other instances: larger ones, a single episode, a single step, a single state or
#   policy, a budget of one question, huge logits, arrays of integers or of single precision. All of them follow the
#   definitions below.
# - Write with NumPy, SciPy or PyTorch, and with your own functions from this notebook, and compute in double precision.
#   An answer that uses `course_utils` earns no points.
# - The hints unfold one by one, from a nudge to nearly everything. Try before you look.
#
# **Notation.** States $s$ and actions $a$ are numbered from 0. $\pi^*$ is the expert, $\hat\pi$ a learned policy. A
# **label** is what the expert would do in a state. Random numbers are always given, as arrays of **coins** in
# $[0, 1)$, so that every question has one right answer.

# %%
import numpy as np
from scipy.special import log_softmax

from course_utils.checks import check, unfinished_ok

# %% [markdown]
# ## 1. A clone of episodes that differ in length
#
# @question a6.q1
#
# There are $N$ demonstrations; number $i$ has $T_i$ steps, in each of which the expert saw a vector $x_{it}$ and took
# the action $a_{it}$. The policy is $\pi_\theta(a \mid x) = \mathrm{softmax}_a \, (x^\top \theta)_a$. A slow driver's
# episode is long, and shall not count more for it, so here **every episode counts the same**:
#
# $$
# L(\theta) \;=\; \frac1N \sum_{i=1}^N \, \frac{1}{T_i} \sum_{t=0}^{T_i - 1} - \log \pi_\theta(a_{it} \mid x_{it}) .
# \tag{1}
# $$
#
# Return $L$ and its gradient $\partial L / \partial \theta$. The episodes are stored in arrays that are as long as the
# longest of them, or longer. What stands behind an episode's end is left over from something else and means nothing.
# Logits may be near 1000 or −1000.

# %% question="a6.q1"
def cloning(θ: np.ndarray, obs: np.ndarray, actions: np.ndarray, lengths: np.ndarray) -> tuple[float, np.ndarray]:
    """L of equation (1), and ∂L/∂θ of shape (d, A).

    θ        (d, A)     the policy's parameters: the logits of an observation x are x @ θ
    obs      (N, L, d)  obs[i, t] is x of step t of episode i, for t < lengths[i]
    actions  (N, L)     the expert's action there, a number of 0 … A−1; -1 after the end
    lengths  (N,)       T_i, the number of steps of each episode, at least 1 and at most L
    """
    ### BEGIN SOLUTION
    inside = np.arange(actions.shape[1]) < lengths[:, None]
    weight = inside / lengths[:, None] / len(lengths)
    log_π = log_softmax(obs @ θ, axis=-1)
    taken = np.eye(θ.shape[1])[actions]
    loss = -(weight * (taken * log_π).sum(axis=-1)).sum()
    return loss, np.einsum("nl,nld,nla->da", weight, obs, np.exp(log_π) - taken)
    ### END SOLUTION


# %%
check("a6.q1", cloning)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# How much does a single step count in (1)? Write these weights down as an array of shape `(N, L)`, with zeros where
# there is no step. Then $L$ is one weighted sum, and so is its gradient.
# </details>
#
# <details><summary>Hint 2: one step</summary>
#
# `inside = np.arange(L) < lengths[:, None]` says which steps exist. The logits of all steps at once are `obs @ θ`, of
# shape `(N, L, A)`. `scipy.special.log_softmax(…, axis=-1)` never leaves the logarithm, and so cannot overflow.
# </details>
#
# <details><summary>Hint 3: nearly everything</summary>
#
# The derivative of $-\log \pi(a \mid x)$ by the logit of action $b$ is $\pi(b \mid x) - 1[a = b]$, and by $\theta_{kb}$ it
# is $x_k$ times that. So $\partial L / \partial \theta = \sum_{i,t} w_{it} \, x_{it} \, (\pi - \text{one-hot})_{it}^\top$:
# an `einsum`, or two nested loops. One-hot vectors are rows of `np.eye(A)`.
# </details>

# %% [markdown]
# ## 2. DAgger with a budget
#
# @question a6.q2
#
# Behavioural cloning labels the states that the *expert* visits. DAgger (Ross, Gordon and Bagnell 2011,
# arXiv:1011.0686) labels those that the *learner* will visit: it lets the learner drive, and asks the expert what it
# would have done. Now every question costs, and you have a **budget** of $B \ge 1$ questions.
#
# Episodes are numbered $i = 0, 1, 2, \dots$, questions $k = 0, 1, \dots, B - 1$ over all episodes together.
#
# 1. An episode begins with `reset()`. **In every state that is visited the expert is asked, once, before the action**.
#    The state and the answer, its label, are kept.
# 2. Then the expert's answer to question $k$ is executed if `coins[k]` is below $\beta_i = p^{\,i}$, and else the
#    learner's action, by what was learned last. ($\beta_0 = 1$, also for $p = 0$: in the first episode the
#    expert drives.)
# 3. The episode ends when `step` says so, and at the latest after $T$ steps. The state that it ends in is not asked
#    about. Episodes are often shorter than $T$.
# 4. After each episode the learner learns from **all** pairs so far.
# 5. The budget may be spent in the middle of an episode. Then all is over: not one question more. Only the learner
#    learns once more, from what that episode has brought.
#
# Return all states that were asked about and their labels, in this order, and the policy that was learned last.
#
# The expert is a person: asked twice, it may give two answers. And the learner in the check is a bad one, which
# hardly ever does what its labels say. That must not matter to your loop. States and actions are numbers, policies are
# tables.

# %% question="a6.q2"
def dagger(reset, step, expert, learn, p: float, T: int, coins: np.ndarray) -> tuple:
    """DAgger with a budget of B questions: states (B,), labels (B,) and the last policy (S,).

    reset()                begins an episode and returns its first state
    step(action)           executes an action and returns (next state, done); done: the episode has ended
    expert(state)          what the expert would do there: an action
    learn(states, labels)  learns from all these pairs: a policy π, array (S,), that takes action π[s] in state s
    p, T   in episode i the expert drives with chance pⁱ, step by step; an episode has at most T steps
    coins  (B,) one for each question: the expert's answer to question k is executed if coins[k] < pⁱ
    """
    ### BEGIN SOLUTION
    states, labels, π, i = [], [], None, 0
    while len(labels) < len(coins):
        s, done, t = reset(), False, 0
        while not done and t < T and len(labels) < len(coins):
            expert_drives = coins[len(labels)] < p**i
            states.append(s)
            labels.append(expert(s))
            s, done = step(labels[-1] if expert_drives else π[s])
            t += 1
        π = learn(states, labels)
        i += 1
    return np.array(states), np.array(labels), π
    ### END SOLUTION


# %%
check("a6.q2", dagger)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Two nested loops: the outer one over episodes, as long as something is left of the budget; the inner one over the
# steps of an episode. What are the three reasons for which the inner loop ends?
# </details>
#
# <details><summary>Hint 2: what to keep count of</summary>
#
# Two lists, `states` and `labels`, that are never emptied. The number of the next question is `len(labels)`: it picks
# the coin, and it says when the budget is spent. Counting $iT$ questions would be wrong: episodes end early. The
# number of the episode gives $\beta_i$.
# </details>
#
# <details><summary>Hint 3: one step</summary>
#
# Ask once, and keep the answer in a variable: it is the label in any case, and the action if the expert drives.
# Who drives is decided before the pair is appended, or `len(labels)` is one too large.
# </details>
#
# <details><summary>Hint 4: nearly everything</summary>
#
# ```
# while the budget is not spent:
#     s = reset()
#     until done, or after T steps, or when the budget is spent:
#         answer = expert(s);  mine = coins[len(labels)] < p**i
#         append s and answer
#         s, done = step(answer if mine else π[s])
#     π = learn(states, labels);  i = i + 1
# ```
# </details>

# %% [markdown]
# ## 3. SMILe, when the expert has left
#
# @question a6.q3
#
# SMILe (Ross and Bagnell 2010) does not collect data but policies. It begins with the expert, and in iteration
# $j = 1, 2, \dots, n$ the new policy $\hat\pi_j$ takes over a fraction $\alpha_j$ of the probability **that the expert
# still has**; all the others keep theirs. The paper has one $\alpha$ for all iterations. Here **each has its own**,
# $0 < \alpha_j < 1$. Let $s_j$ be the expert's probability after iteration $j$, with $s_0 = 1$. At the end the expert
# leaves, and what the policies have is scaled so that it sums to one:
#
# $$
# \pi_n \;=\; s_n \, \pi^* + \sum_{j=1}^n (s_{j-1} - s_j) \, \hat\pi_j
# \qquad\longrightarrow\qquad
# \tilde\pi_n \;=\; \sum_{j=1}^n w_j \, \hat\pi_j, \quad \sum_{j=1}^n w_j = 1 .
# \tag{2}
# $$
#
# To act by a mixture means that **in every state one policy is drawn, and acts**. In state $m$ it is the first $j$ for
# which `coins[m]` is below $w_1 + \dots + w_j$.
#
# Return the shares $s_0, \dots, s_n$, the weights $w_1, \dots, w_n$ and the actions. The theory wants rates of the order
# of $1/T^2$, so they may be as small as $10^{-14}$: mind what is left of a difference.

# %% question="a6.q3"
def smile(α: np.ndarray, proposed: np.ndarray, coins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The expert's shares (n+1,), the weights (n,) without the expert, and the actions (M,).

    α         (n,)    the rate of each iteration, α[j-1] is α_j
    proposed  (n, M)  proposed[j-1, m] is what policy j would do in state m
    coins     (M,)    random numbers, one for each state
    """
    ### BEGIN SOLUTION
    share = np.append(1.0, np.cumprod(1 - α))
    weights = α * share[:-1]
    weights = weights / weights.sum()
    who = (coins >= np.cumsum(weights)[:-1, None]).sum(axis=0)
    return share, weights, proposed[who, np.arange(len(coins))]
    ### END SOLUTION


# %%
check("a6.q3", smile)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Follow the expert's share: what is left of it after one iteration, after two? What does policy 2 get?
# </details>
#
# <details><summary>Hint 2: one step</summary>
#
# $s_j = (1 - \alpha_j) \, s_{j-1}$, a cumulative product. What is handed over in iteration $j$ is
# $s_{j-1} - s_j = \alpha_j s_{j-1}$: the same on paper, but only the product keeps its digits when $\alpha_j$ is tiny.
# To scale, divide by the sum of what was handed over, not by $1 - s_n$.
# </details>
#
# <details><summary>Hint 3: nearly everything</summary>
#
# `share = np.append(1.0, np.cumprod(1 - α))`, `weights = α * share[:-1]`, divided by its sum. The number of cumulative
# weights that are *not above* the coin is the index (from 0) of the policy that acts: compare `coins` with
# `np.cumsum(weights)[:, None]` and add up, or use `np.searchsorted(…, side="right")`.
# </details>

# %% [markdown]
# ## Put it together
#
# The rest is for looking: nothing here is graded. These cells use your functions, and say so politely as long as
# one of them is missing.
#
# **A road.** It has 30 bends, each pushes the car to the left, to the right or not at all. The car is in one of seven
# lanes and steers by one lane. Off the road, or at its end, the episode is over. The expert keeps to the middle, so
# its own drives show one lane of seven.

# %%
BENDS, SIDE = 30, 3
LANES = 2 * SIDE + 1
END = BENDS * LANES
place, lane = np.divmod(np.arange(END), LANES)


def road(rng):
    """reset, step and expert of a random road; states are numbered place by place."""
    push, now = rng.integers(-1, 2, size=BENDS), [SIDE]
    best = np.clip(push[place] + SIDE - lane, -1, 1) + 1

    def reset():
        now[0] = SIDE
        return SIDE

    def step(action):
        s = now[0]
        there = lane[s] + action - 1 - push[place[s]]
        done = not 0 <= there < LANES or place[s] == BENDS - 1
        now[0] = END if done else int((place[s] + 1) * LANES + there)
        return now[0], done

    return reset, step, lambda s: int(best[s])


# %% [markdown]
# **A learner with weak eyes.** It cannot tell two bends that follow each other apart, so it cannot help making
# mistakes. It descends your loss of question 1, with all the data as one episode.

# %%
seen = np.eye(END // 2 + LANES)[place // 2 * LANES + lane]


def learn(states, labels, steps=5):
    θ = np.zeros((seen.shape[1], 3))
    for _ in range(steps):
        θ = θ - cloning(θ, seen[states][None], np.array(labels)[None], np.array([len(states)]))[1]
    return np.append((seen @ θ).argmax(axis=1), 1)


def how_far(π, reset, step):
    s, done, steps = reset(), False, 0
    while not done:
        s, done = step(int(π[s]))
        steps += 1
    return steps / BENDS


# %% [markdown]
# Now your loop. With $p = 1$ the expert always drives: that is cloning, with the same number of questions. How far does
# the learner get alone, on ten roads?

# %%
def compare(p, budget, roads=10):
    got = []
    for seed in range(roads):
        rng = np.random.default_rng(seed)
        reset, step, expert = road(rng)
        _, _, π = dagger(reset, step, expert, learn, p, BENDS, rng.random(budget))
        got.append(how_far(π, reset, step))
    return np.array(got)


with unfinished_ok():
    print("questions      cloning     DAgger, p = ½")
    for budget in (30, 60, 120, 240):
        cloned, dagged = compare(1.0, budget), compare(0.5, budget)
        print(f"{budget:6d}     {cloned.mean():.2f} ± {cloned.std():.2f}   {dagged.mean():.2f} ± {dagged.std():.2f}")
    assert (cloned < 0.7).all() and (dagged == 1).all(), "do your answers pass their checks?"

# %% [markdown]
# More of the expert's own drives teach cloning nothing new: the first one has shown all that the middle lane has to
# show, and a learner that has left it is on its own. DAgger asks in the other lanes too, and gets to the end on every
# road.
#
# **What a clone does not know.** The same in a picture: where was the expert asked? The road runs from left to right.

# %%
import matplotlib.pyplot as plt
from IPython.display import display

from course_utils.plotting import show


def asked(p, budget=240):
    rng = np.random.default_rng(0)
    states, _, _ = dagger(*road(rng), learn, p, BENDS, rng.random(budget))
    return np.bincount(states, minlength=END).reshape(BENDS, LANES).T


with unfinished_ok():
    fig, axes = plt.subplots(2, 1, figsize=(8, 3.6), sharex=True, layout="constrained")
    for ax, p, name in zip(axes, (1.0, 0.5), ("cloning", "DAgger")):
        ax.imshow(asked(p), cmap="Blues", vmax=8, aspect="auto")
        ax.set(title=f"questions asked: {name}", ylabel="lane")
    axes[1].set(xlabel="place on the road")
    display(show(fig, alt="Two maps of a road with seven lanes: cloning asked questions in the middle lane only, "
                 "DAgger in the lanes beside it as well."))

# %% [markdown]
# **SMILe on the same roads.** In iteration $n$ the expert drives with its share $s_{n-1}$, else the mixture; the new
# policy learns from this episode alone. No state is met twice in an episode, so your `smile`, called with one coin for
# every state, gives the actions of a whole episode at once.


# %%
def run_smile(seed, iterations=40, rate=0.1):
    rng = np.random.default_rng(seed)
    reset, step, expert = road(rng)
    policies, α, left, mixed = [], np.full(iterations, rate), 1.0, None
    for n in range(iterations):
        s, done, states = reset(), False, []
        while not done:
            states.append(s)
            s, done = step(expert(s) if rng.random() < left else int(mixed[s]))
        policies.append(learn(states, [expert(s) for s in states]))
        share, _, mixed = smile(α[: n + 1], np.array(policies), rng.random(END + 1))
        left = share[-1]
    return np.mean([how_far(smile(α, np.array(policies), rng.random(END + 1))[2], reset, step) for _ in range(20)])


with unfinished_ok():
    smiled, cloned = np.array([run_smile(seed) for seed in range(10)]), compare(1.0, 240)
    for name, part in (("SMILe", smiled), ("cloning", cloned)):
        print(f"{name}: {part.mean():.2f} ± {part.std():.2f} of the road")
    assert cloned.mean() < smiled.mean() < 1, "do your answers pass their checks?"

# %% [markdown]
# On average it gets farther than the clone, and not as far as DAgger: each of its policies has seen one episode, in
# which mostly somebody else drove, and at every bend a random one of them has the wheel. DAgger throws no label away.
