"""Why an imitator drifts away from its expert: exact regret on small worlds, and drift measured.

A world here has T steps, a cost c[s,a] in [0, 1] and a deterministic expert π*.  The regret of a policy π is
J(π) − J(π*), J the expected sum of costs; ε is the mean over the T steps of the probability of a mistake, an action
that is not the expert's.  On whose states it is measured is the whole question:

    states of the expert:    regret ≤ T² ε     (Ross and Bagnell 2010)
    states of the learner:   regret ≤ u T ε    where no single mistake costs an expert who takes over more than u

`performance_difference` proves both; `unrecoverable` and `recoverable` are worlds where they hold with equality.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from course_utils.mdp import TOLERANCE, TabularMDP
from course_utils.planning import checked_policy, policy_evaluation, visitation

START, ON, OFF = range(3)  # states of the first two worlds: before the first step, on the expert's path, off it
RIGHT, WRONG = range(2)  # their actions


@dataclass(frozen=True)
class World:
    """mdp: T steps, undiscounted; cost c[s,a] in [0, 1], (S, A); expert π*[s,a], (S, A), one 1 in each row."""

    mdp: TabularMDP
    cost: np.ndarray
    expert: np.ndarray

    def __post_init__(self):
        if self.mdp.horizon is None or self.mdp.discount != 1:
            raise ValueError(f"regret is counted over T undiscounted steps, got {self.mdp}")
        cost = self.mdp.reward(self.cost)
        if cost.min() < 0 or cost.max() > 1:
            raise ValueError(f"costs must be in [0, 1], got {cost.min():g} … {cost.max():g}")
        expert = np.asarray(self.expert)
        if expert.shape != cost.shape or not np.isin(expert, (0, 1)).all() or (expert.sum(axis=1) != 1).any():
            raise ValueError(f"the expert must be π[s,a] of shape {cost.shape} with a single 1 in each row, rest 0")

    @property
    def T(self):
        return self.mdp.horizon


# ---- three worlds


def unrecoverable(T):
    """One mistake, and every step from it on costs 1: nothing leads back to the path."""
    P = np.zeros((3, 2, 3))
    P[[START, ON], RIGHT, ON] = P[[START, ON], WRONG, OFF] = P[OFF, :, OFF] = 1
    cost = np.array([[0, 1], [0, 1], [1, 1]])
    return World(TabularMDP(P, [1, 0, 0], T), cost, np.eye(2)[[RIGHT] * 3])


def recoverable(T):
    """A mistake costs 1, once; the right action leads back to the path from everywhere, for nothing."""
    P = np.zeros((3, 2, 3))
    P[:, RIGHT, ON] = P[:, WRONG, OFF] = 1
    return World(TabularMDP(P, [1, 0, 0], T), np.array([[0, 1]] * 3), np.eye(2)[[RIGHT] * 3])


def echo(T):
    """A sequence of T equal symbols is predicted; the only input is one's own last prediction, at first a true one.

    State: was the last prediction wrong?  Actions: copy it (the expert) or flip it; a wrong prediction costs 1.
    With probability ε of a flip, the expected number of wrong ones is `kaariainen(ε, T)`.
    """
    s, a = np.indices((2, 2))
    return World(TabularMDP(np.eye(2)[s ^ a], [1, 0], T), s ^ a, np.eye(2)[[0, 0]])


def kaariainen(ε, T):
    """T/2 − (1 − (1 − 2ε)^{T+1})/(4ε) + ½: the expected number of wrong predictions in `echo`.

    The t-th is wrong after an odd number of flips, which has the probability (1 − (1 − 2ε)ᵗ)/2; this is their sum.
    (Kääriäinen 2006, as quoted by Ross and Bagnell 2010)
    """
    if not 0 < ε <= 1:
        raise ValueError(f"ε must be above 0 and at most 1, got {ε}")
    return T / 2 - (1 - (1 - 2 * ε) ** (T + 1)) / (4 * ε) + 0.5


# ---- regret, and what it is bounded by


def erring(world, e):
    """The policy π[t,s,a] that errs with probability e, evenly over the wrong actions.

    e: (T, S) or what broadcasts to it; (T, 1) errs by time, (S,) by state, a number always alike.
    """
    e = np.broadcast_to(e, (world.T, world.mdp.n_states))[..., None]
    if not ((e >= 0) & (e <= 1)).all():
        raise ValueError(f"probabilities of a mistake must be in [0, 1], got {e.min():g} … {e.max():g}")
    return (1 - e) * world.expert + e * (1 - world.expert) / (world.mdp.n_actions - 1)


def regret(world, π):
    """J(π) − J(π*), exactly, by dynamic programming."""
    V = [policy_evaluation(world.mdp, p, world.cost)[0] for p in (π, world.expert)]
    return float(world.mdp.p0 @ (V[0] - V[1]))


def mistakes(world, π, driver):
    """Of each time t: the probability that π's action is not the expert's, on the states of `driver`.  (T,)

    Its mean is ε.
    """
    wrong = (checked_policy(world.mdp, π) * (1 - world.expert)).sum(axis=2)  # [t,s]
    return (visitation(world.mdp, driver) * wrong).sum(axis=1)


def action_values(mdp, cost, π):
    """Q_t(s,a): take a now, follow π from then on.  (T, S, A)"""
    V = policy_evaluation(mdp, π, cost)
    return np.stack([cost + mdp.expect(V[t + 1]) for t in range(mdp.horizon)])


def performance_difference(mdp, cost, π, base):
    """Addends over t of J(π) − J(base) = Σ_t E_{s ~ d_π,t} [Σ_a (π − base)_t(a|s) Q_t^base(s,a)].  (T,)

    The states are π's, the values base's.  (Kakade and Langford 2002; Bagnell, Kakade, Ng and Schneider 2003)
    """
    π, base = checked_policy(mdp, π), checked_policy(mdp, base)
    gap = ((π - base) * action_values(mdp, cost, base)).sum(axis=2)  # [t,s]
    return (visitation(mdp, π) * gap).sum(axis=1)


def recoverability(world):
    """u = max Q*_t(s,a) − V*_t(s): what one mistake can cost an expert who takes over at once."""
    Q = action_values(world.mdp, world.cost, world.expert)
    V = (world.expert * Q).sum(axis=2, keepdims=True)
    return float((Q - V)[:, world.mdp.alive > 0].max())


# ---- learners, exactly


def majority(world, weight, seen):
    """The policy (S, A) that takes, for each observation, the expert's action in most of the weight (S,).

    seen (S,): the number of the observation that the learner gets in state s.  Equal votes, and no votes at all,
    are drawn by lot.
    """
    votes = np.zeros((max(seen) + 1, world.mdp.n_actions))
    np.add.at(votes, seen, weight[:, None] * world.expert)
    best = np.isclose(votes, votes.max(axis=1, keepdims=True), rtol=0, atol=1e-12)
    return (best / best.sum(axis=1, keepdims=True))[seen]


def clone_exactly(world, seen):
    """Behavioural cloning on infinite data: π_t, (T, S, A), fitted to the states of the expert at time t."""
    return np.stack([majority(world, d_t, seen) for d_t in visitation(world.mdp, world.expert)])


def train_forward(world, seen):
    """Forward training on infinite data: π_t, (T, S, A), fitted where π_0 … π_{t−1} lead.  (Ross and Bagnell 2010)"""
    d_t, π = world.mdp.p0, []
    for _ in range(world.T):
        π.append(majority(world, d_t, seen))
        d_t = world.mdp.alive * world.mdp.push(d_t[:, None] * π[-1])
    return np.stack(π)


def driving_gap(world, π, β):
    """‖d_mixed − d_π‖₁, d the mean over time: how far the states move when the expert takes each step with chance β.

    At most 2(1 − (1 − β)^T) ≤ 2Tβ.  (Ross, Gordon and Bagnell 2011, arXiv:1011.0686)
    """
    mixed = β * world.expert + (1 - β) * checked_policy(world.mdp, π)
    d = [visitation(world.mdp, p).mean(axis=0) for p in (mixed, π)]
    return float(np.abs(d[0] - d[1]).sum())


# ---- drift, measured


def total_variation(p, q):
    """½ Σ |p − q| of two distributions of the same shape: 0 if they are equal, 1 if they never meet."""
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    if p.shape != q.shape:
        raise ValueError(f"two distributions over the same things are needed, got {p.shape} and {q.shape}")
    for x in (p, q):
        if not (x.min() >= 0 and abs(x.sum() - 1) <= TOLERANCE):
            raise ValueError(f"a distribution has probabilities ≥ 0 that sum to 1, got the sum {x.sum():.10g}")
    return float(np.abs(p - q).sum() / 2)


def bayes_accuracy(p, q):
    """Σ max(p, q)/2: of the best possible guess whether a state comes from p or q, when both are equally likely."""
    if np.shape(p) != np.shape(q):
        raise ValueError(f"two distributions over the same things are needed, got {np.shape(p)} and {np.shape(q)}")
    return float(np.maximum(p, q).sum() / 2)


def two_sample_accuracy(first, second, rng, split="episode", classifier=None):
    """How well a classifier tells the states of two policies apart: accuracy on states that it was not trained on.

    first, second: (obs (M, d), episode (M,)), such as two `imitation.Steps` give; sizes may differ, both count half.
    Half of the episodes are for training, the other half for testing.  split="row" halves the rows instead: wrong,
    since a state and its neighbours from the same episode come into both halves.
    classifier: anything with scikit-learn's fit(X, y, sample_weight) and predict; a random forest if None.
    ½ + ½ TV of the visitations is the best that any can do.
    """
    halves = [_half(episode, rng, split) for _, episode in (first, second)]
    X = np.concatenate([first[0], second[0]])
    y = np.repeat([0, 1], [len(first[0]), len(second[0])])
    train = np.concatenate(halves)
    if classifier is None:
        classifier = RandomForestClassifier(50, min_samples_leaf=5, random_state=int(rng.integers(2**31)))
    balance = 1 / np.bincount(y[train])[y[train]]
    classifier.fit(X[train], y[train], sample_weight=balance / balance.mean())
    right = classifier.predict(X[~train]) == y[~train]
    return float(np.mean([right[y[~train] == label].mean() for label in (0, 1)]))


def _half(episode, rng, split):
    """A mask over the rows, (M,): true for a random half of the episodes, or of the rows."""
    if split not in ("episode", "row"):
        raise ValueError(f'split by "episode" or by "row", got {split!r}')
    unit = np.unique(episode, return_inverse=True)[1] if split == "episode" else np.arange(len(episode))
    n = unit.max() + 1
    if n < 2:
        raise ValueError(f"at least two {split}s of each policy are needed, to train on one and test on the other")
    return np.isin(unit, rng.permutation(n)[: n // 2])
