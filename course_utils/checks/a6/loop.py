"""The loop of a6.q2 with parts that can be replaced. It plays with a school's tables and calls none of its functions.

In the loop, x holds the arguments; the pairs (state, label) so far; i, t, k: the number of the episode, of the step in
it and of the question; π, all policies so far, and where the episodes begin.
"""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace

import numpy as np


def q2(
    β=lambda x: x.p**x.i,
    coin=lambda x: x.coins[x.k % x.B],
    drives=lambda coin, β: coin < β,
    question=lambda x, s, mine: 2 * (x.ask(s),),
    action=lambda answer, own, mine: answer if mine else own,
    pairs=lambda x, s, label, a, mine, there: [(s, label)],
    reset=lambda x: x.start(),
    limit=lambda x: x.T,
    over=lambda x, there: there == x.S - 1,
    budget=lambda x: x.B,
    cut=True,
    episodes=lambda x: count(),
    at_first=None,
    at_end=None,
    at_step=None,
    fit=lambda x: x.pairs,
    guide=lambda x: x.π,
    after=None,
):
    """The oracle, or something wrong.  Returns a function of the question's arguments.

    β, coin, drives         who drives
    question                (label, the expert's action) for a state; x.ask asks
    action                  the one that is executed
    pairs                   what is added to the data
    limit, over, budget     when an episode ends and when all ends; cut: whether the budget ends an episode too
    episodes                the numbers of the episodes
    at_first(x), at_step(x) before an episode, and after each step; at_end(x) after an episode, instead of learning
    fit, guide              what is learned from, and which policy drives
    after                   what is returned
    """

    def gives(expert, p, T, coins, **_):
        x = setting(expert.school, p, T, coins)
        for i in episodes(x):
            x.i = i
            if x.k >= budget(x) or x.i > 3 * x.B:
                break
            if at_first:
                at_first(x)
            x.begins.append(len(x.pairs))
            s = reset(x)
            x.first = x.k
            for t in range(limit(x)):
                x.t = t
                mine = drives(coin(x), β(x))
                label, answer = question(x, s, mine)
                a = action(answer, guide(x)[s], mine)
                there = x.there = x.moves[s, a]
                x.pairs += pairs(x, s, label, a, mine, there)
                x.k, s = x.k + 1, there
                if at_step:
                    at_step(x)
                if over(x, there) or (cut and x.k >= budget(x)):
                    break
            at_end(x) if at_end else learn(x, fit)
        return after(x) if after else results(x)

    return gives


def setting(school, p, T, coins):
    S, A = school.moves.shape
    x = SimpleNamespace(p=p, T=int(T), coins=np.asarray(coins, float), B=len(coins), S=S, A=A, moves=school.moves)
    x.pairs, x.policies, x.begins, x.π, x.k, x.asked, x.reset = [], [], [], np.zeros(S, int), 0, 0, 0
    x.all, x.there = [], None

    def ask(s):
        x.asked += 1
        return school.answer(s, x.asked - 1)

    def start():
        x.reset += 1
        return school.starts[(x.reset - 1) % len(school.starts)]

    x.ask, x.start = ask, start
    x.policy = lambda data: school.policy(*np.array(data, int).reshape(-1, 2).T, x.asked)
    return x


def learn(x, fit=lambda x: x.pairs):
    x.π = x.policy(fit(x))
    x.policies.append(x.π)


def results(x, data=None, policy=None):
    states, labels = np.array(x.pairs if data is None else data, float).reshape(-1, 2).T
    return states, labels, 1.0 * (x.π if policy is None else policy)


# Parts that are wrong.


def many(**variants):
    """The loop with one part replaced, in several ways."""
    ((part, changes),) = variants.items()
    return tuple(q2(**{part: change}) for change in changes)


def first_policy(x):
    """For β_0 < 1: the policy of a learner that has seen nothing."""
    if x.i == 0:
        x.π = x.policy([])


def learner_from_the_first(**parts):
    """Something that lets the learner drive at once, by a policy that is 0 everywhere, or learned from nothing."""
    return q2(**parts), q2(**parts, at_first=first_policy)


def forced(β):
    """A schedule that is wrong from the second episode on."""
    return lambda x: β(x) if x.i else 1.0


def relabel(x):
    """Ask for all labels of the episode anew, after it."""
    x.pairs[x.begins[-1] :] = [(s, x.ask(s)) for s, _ in x.pairs[x.begins[-1] :]]
    learn(x)


def relabel_all(x):
    """Ask for all labels anew, those of old episodes too."""
    x.pairs = [(s, x.ask(s)) for s, _ in x.pairs]
    learn(x)


def only_after_the_end(x):
    """Where the next episode begins if T steps end an episode for the learner, but not for the world."""
    return x.start() if x.there in (None, x.S - 1) else x.there


def with_the_best(x):
    """The policy that agrees with most labels."""
    states, labels = np.array(x.pairs).T
    return results(x, policy=max(x.policies, key=lambda π: (π[states] == labels).sum()))


def label_where_it_ends(x, limit=None):
    if (x.there == x.S - 1 or x.t + 1 == limit) and x.k < x.B:
        x.pairs.append((x.there, x.ask(x.there)))
        x.k += 1


def nothing(x):
    pass


def see_at_once(x):
    x.π = x.policy(x.pairs)


def cut_off(x):
    """Ask to the end of the episode, and drop what is above the budget."""
    del x.pairs[x.B :]
    learn(x)


def asks_before_it_counts(x):
    """Ask once more where the budget is spent in the middle of an episode, and drop the answer."""
    if x.k >= x.B and x.there != x.S - 1 and x.t + 1 < x.T:
        x.ask(x.there)
    learn(x)


def once(x):
    return results(x, policy=x.policy(x.pairs))


def if_any_is_left(x):
    if x.k < x.B:
        learn(x)


def whole_episodes(x):
    if x.k < x.B or x.there == x.S - 1 or x.t + 1 == x.T:
        learn(x)
    else:
        del x.pairs[x.begins[-1] :]


def never_emptied(x):
    x.all = x.all + x.pairs
    learn(x, lambda x: x.all)


def latest(pairs):
    return list(dict(pairs).items())


def distinct(pairs):
    return list(dict.fromkeys(pairs))


def before_this(x):
    return x.pairs[: x.begins[-1]]


def this(x):
    return x.pairs[x.begins[-1] :]


def counted_apart(x):
    """A coin is taken only from the second episode on."""
    return x.coins[max(x.k - x.begins[1], 0) if x.i else 0]


def again_at_the_end(x):
    if x.there == x.S - 1:
        x.start()
    learn(x)


def swapped(x):
    states, labels, π = results(x)
    return labels, states, π
