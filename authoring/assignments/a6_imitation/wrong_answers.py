"""Wrong answers to assignment a6, each with the name of the mistake that its check must recognise.

WRONG maps a question id to a list of (function, name). They are written as students write them, on their own: nothing
here is shared with the checks, and nothing of the checks is used here.
"""
import numpy as np
import torch
from scipy.special import log_softmax, softmax

WRONG = {}


def wrong(question, mistake):
    """Enter a function into WRONG."""
    def enter(fn):
        WRONG.setdefault(question, []).append((fn, mistake))
        return fn
    return enter


# ---------------------------------------------------------------- q1: the loss of cloning

def clone_loss(θ, obs, actions, lengths, cost, weigh):
    """A loss by torch: weigh(costs (N, L), inside (N, L), lengths) of cost(log π (N, L, A), taken actions)."""
    θ = torch.tensor(np.asarray(θ, dtype=float), requires_grad=True)
    z = torch.tensor(np.asarray(obs, dtype=float)) @ θ
    inside = torch.arange(actions.shape[1]) < torch.tensor(lengths)[:, None]
    chosen = torch.tensor(np.where(inside, actions, 0)).long()
    loss = weigh(cost(z, chosen), inside.double(), torch.tensor(lengths).double())
    loss.backward()
    return loss, θ.grad


def nll(z, a):
    return -torch.log_softmax(z, -1).gather(2, a[..., None])[..., 0]


def per_episode(costs, inside, lengths):
    return ((costs * inside).sum(1) / lengths).mean()


@wrong("a6.q1", "every step counts the same")
def flat_mean(θ, obs, actions, lengths):
    inside = np.arange(actions.shape[1]) < lengths[:, None]
    x, a = obs[inside], actions[inside]
    log_π = log_softmax(x @ θ, axis=1)
    return -log_π[np.arange(len(a)), a].mean(), x.T @ (np.exp(log_π) - np.eye(θ.shape[1])[a]) / len(a)


@wrong("a6.q1", "every step counts the same")
def flat_gradient(θ, obs, actions, lengths):
    return (clone_loss(θ, obs, actions, lengths, nll, per_episode)[0], flat_mean(θ, obs, actions, lengths)[1])


@wrong("a6.q1", "padding counted")
def no_mask(θ, obs, actions, lengths):
    log_π = log_softmax(obs @ θ, axis=-1)
    taken = np.eye(θ.shape[1])[actions]
    loss = -(taken * log_π).sum(-1).mean(1).mean()
    return loss, np.einsum("nld,nla->da", obs, np.exp(log_π) - taken) / actions.size


@wrong("a6.q1", "padding counted")
def no_mask_own_lengths(θ, obs, actions, lengths):
    log_π = log_softmax(obs @ θ, axis=-1)
    taken = np.eye(θ.shape[1])[actions]
    loss = (-(taken * log_π).sum((1, 2)) / lengths).mean()
    return loss, (np.einsum("nld,nla->nda", obs, np.exp(log_π) - taken) / lengths[:, None, None]).mean(0)


@wrong("a6.q1", "padding counted")
def gradient_without_mask(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, nll, per_episode)[0], no_mask_own_lengths(θ, obs, actions, lengths)[1]


@wrong("a6.q1", "padding counted")
def padding_as_action_0(θ, obs, actions, lengths):
    """So that cross-entropy does not complain about −1."""
    return no_mask_own_lengths(θ, obs, np.where(actions < 0, 0, actions), lengths)


@wrong("a6.q1", "padding counted")
def padding_without_action(θ, obs, actions, lengths):
    """The comparison is False everywhere in the padding, but π is not 0 there."""
    taken = actions[..., None] == np.arange(θ.shape[1])
    log_π = log_softmax(obs @ θ, axis=-1)
    loss = -np.mean((taken * log_π).sum((1, 2)) / lengths)
    return loss, (np.einsum("nld,nla->nda", obs, np.exp(log_π) - taken) / lengths[:, None, None]).mean(0)


@wrong("a6.q1", "divided by the padded length")
def masked_then_mean(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, nll, lambda c, inside, T: (c * inside).mean())


@wrong("a6.q1", "sum over the steps")
def log_likelihood_of_episodes(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, nll, lambda c, inside, T: (c * inside).sum(1).mean())


@wrong("a6.q1", "sum over the episodes")
def means_added(θ, obs, actions, lengths):
    loss, gradient = 0.0, np.zeros(θ.shape)
    for x, a, T in zip(obs, actions, lengths):
        log_π = log_softmax(x[:T] @ θ, axis=1)
        loss -= log_π[np.arange(T), a[:T]].mean()
        gradient += x[:T].T @ (np.exp(log_π) - np.eye(θ.shape[1])[a[:T]]) / T
    return loss, gradient


@wrong("a6.q1", "sum over everything")
def all_added(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, nll, lambda c, inside, T: (c * inside).sum())


@wrong("a6.q1", "one step short")
def up_to_last(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, nll,
                      lambda c, inside, T: ((c * (torch.arange(c.shape[1]) < T[:, None] - 1)).sum(1) / T).mean())


@wrong("a6.q1", "one step too many")
def up_to_and_with(θ, obs, actions, lengths):
    inside = np.arange(actions.shape[1]) <= lengths[:, None]
    w = inside / lengths[:, None] / len(lengths)
    log_π, taken = log_softmax(obs @ θ, axis=-1), np.eye(θ.shape[1])[actions]
    return -(w[..., None] * taken * log_π).sum(), np.einsum("nl,nld,nla->da", w, obs, np.exp(log_π) - taken)


@wrong("a6.q1", "only one step of each episode")
def last_step_wins(θ, obs, actions, lengths):
    loss, gradient = 0.0, np.zeros(θ.shape)
    for x, a, T in zip(obs, actions, lengths):
        for t in range(T):
            log_π = log_softmax(x[t] @ θ)
            cost, slope = -log_π[a[t]], np.outer(x[t], np.exp(log_π) - np.eye(θ.shape[1])[a[t]])
        loss, gradient = loss + cost / T, gradient + slope / T
    return loss / len(lengths), gradient / len(lengths)


@wrong("a6.q1", "only one episode")
def overwritten(θ, obs, actions, lengths):
    for x, a, T in zip(obs, actions, lengths):
        log_π = log_softmax(x[:T] @ θ, axis=1)
        loss = -log_π[np.arange(T), a[:T]].mean()
        gradient = x[:T].T @ (np.exp(log_π) - np.eye(θ.shape[1])[a[:T]]) / T
    return loss, gradient


@wrong("a6.q1", "wrong sign")
def log_likelihood(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, lambda z, a: -nll(z, a), per_episode)


@wrong("a6.q1", "wrong sign")
def minus_forgotten_in_the_loss(θ, obs, actions, lengths):
    loss, gradient = clone_loss(θ, obs, actions, lengths, nll, per_episode)
    return -loss, gradient


@wrong("a6.q1", "sign of the gradient")
def downhill(θ, obs, actions, lengths):
    loss, gradient = clone_loss(θ, obs, actions, lengths, nll, per_episode)
    return loss, -gradient


@wrong("a6.q1", "log forgotten")
def probability(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, lambda z, a: -torch.exp(-nll(z, a)), per_episode)


@wrong("a6.q1", "log forgotten")
def one_minus_probability(θ, obs, actions, lengths):
    loss, _ = clone_loss(θ, obs, actions, lengths, lambda z, a: 1 - torch.exp(-nll(z, a)), per_episode)
    return loss, clone_loss(θ, obs, actions, lengths, nll, per_episode)[1]


@wrong("a6.q1", "0-1 loss")
def error_rate(θ, obs, actions, lengths):
    loss = np.mean([np.mean((x[:T] @ θ).argmax(1) != a[:T]) for x, a, T in zip(obs, actions, lengths)])
    return loss, clone_loss(θ, obs, actions, lengths, nll, per_episode)[1]


@wrong("a6.q1", "0-1 loss")
def error_rate_without_slope(θ, obs, actions, lengths):
    return error_rate(θ, obs, actions, lengths)[0], np.zeros(θ.shape)


@wrong("a6.q1", "squared error")
def brier(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, lambda z, a: (
        (torch.softmax(z, -1) - torch.nn.functional.one_hot(a, z.shape[-1])) ** 2).sum(-1), per_episode)


@wrong("a6.q1", "squared error")
def mse(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, lambda z, a: (
        (torch.softmax(z, -1) - torch.nn.functional.one_hot(a, z.shape[-1])) ** 2).mean(-1), per_episode)


@wrong("a6.q1", "one against all")
def binary_cross_entropy(θ, obs, actions, lengths):
    def cost(z, a):
        π, y = torch.softmax(z, -1), torch.nn.functional.one_hot(a, z.shape[-1])
        return -torch.where(y == 1, torch.log(π), torch.log(1 - π)).sum(-1)
    return clone_loss(θ, obs, actions, lengths, cost, per_episode)


@wrong("a6.q1", "mean over the actions")
def mean_of_one_hot(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, lambda z, a: -(
        torch.log_softmax(z, -1) * torch.nn.functional.one_hot(a, z.shape[-1])).mean(-1), per_episode)


@wrong("a6.q1", "the policy's own entropy")
def entropy(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, lambda z, a: -(
        torch.softmax(z, -1) * torch.log_softmax(z, -1)).sum(-1), per_episode)


@wrong("a6.q1", "no normaliser")
def logits_only(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, lambda z, a: -z.gather(2, a[..., None])[..., 0], per_episode)


@wrong("a6.q1", "no normaliser")
def slope_of_logits_only(θ, obs, actions, lengths):
    return (clone_loss(θ, obs, actions, lengths, nll, per_episode)[0], logits_only(θ, obs, actions, lengths)[1])


@wrong("a6.q1", "log of the mean")
def log_last(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, lambda z, a: torch.exp(-nll(z, a)),
                      lambda c, inside, T: -torch.log(((c * inside).sum(1) / T).mean()))


@wrong("a6.q1", "log of the mean")
def log_of_episode_means(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, lambda z, a: torch.exp(-nll(z, a)),
                      lambda c, inside, T: -torch.log((c * inside).sum(1) / T).mean())


@wrong("a6.q1", "another base of the logarithm")
def bits(θ, obs, actions, lengths):
    loss, gradient = clone_loss(θ, obs, actions, lengths, nll, per_episode)
    return loss / np.log(2), gradient


@wrong("a6.q1", "softmax over the wrong axis")
def softmax_over_everything(θ, obs, actions, lengths):
    inside = np.arange(actions.shape[1]) < lengths[:, None]
    w = inside / lengths[:, None] / len(lengths)
    log_π = log_softmax(obs @ θ)
    taken = np.eye(θ.shape[1])[actions]
    return -(w[..., None] * taken * log_π).sum(), clone_loss(θ, obs, actions, lengths, nll, per_episode)[1]


@wrong("a6.q1", "softmax over the wrong axis")
def softmax_over_time(θ, obs, actions, lengths):
    def cost(z, a):
        return -torch.log_softmax(z, 1).gather(2, a[..., None])[..., 0]
    θ, x = torch.tensor(np.asarray(θ, float), requires_grad=True), torch.tensor(np.asarray(obs, float))
    inside = torch.arange(actions.shape[1]) < torch.tensor(lengths)[:, None]
    loss = per_episode(cost(x @ θ, torch.tensor(np.where(inside, actions, 0))), inside, torch.tensor(lengths))
    loss.backward()
    return loss, θ.grad


@wrong("a6.q1", "only the action taken")
def one_column(θ, obs, actions, lengths):
    loss, gradient = 0.0, np.zeros(θ.shape)
    for x, a, T in zip(obs, actions, lengths):
        for t in range(T):
            log_π = log_softmax(x[t] @ θ)
            loss -= log_π[a[t]] / T / len(lengths)
            gradient[:, a[t]] -= (1 - np.exp(log_π[a[t]])) * x[t] / T / len(lengths)
    return loss, gradient


@wrong("a6.q1", "half of the gradient")
def pi_only(θ, obs, actions, lengths):
    inside = np.arange(actions.shape[1]) < lengths[:, None]
    w = inside / lengths[:, None] / len(lengths)
    return (clone_loss(θ, obs, actions, lengths, nll, per_episode)[0],
            np.einsum("nl,nld,nla->da", w, obs, softmax(obs @ θ, axis=-1)))


@wrong("a6.q1", "gradient in π, not in θ")
def one_over_pi(θ, obs, actions, lengths):
    inside = np.arange(actions.shape[1]) < lengths[:, None]
    w = inside / lengths[:, None] / len(lengths)
    slope = -np.eye(θ.shape[1])[actions] / softmax(obs @ θ, axis=-1)
    return (clone_loss(θ, obs, actions, lengths, nll, per_episode)[0], np.einsum("nl,nld,nla->da", w, obs, slope))


@wrong("a6.q1", "gradient in the logits, not in θ")
def slope_of_each_logit(θ, obs, actions, lengths):
    inside = np.arange(actions.shape[1]) < lengths[:, None]
    w = inside / lengths[:, None] / len(lengths)
    return (clone_loss(θ, obs, actions, lengths, nll, per_episode)[0],
            w[..., None] * (softmax(obs @ θ, axis=-1) - np.eye(θ.shape[1])[actions]))


@wrong("a6.q1", "softmax twice")
def cross_entropy_of_probabilities(θ, obs, actions, lengths):
    return clone_loss(θ, obs, actions, lengths, lambda z, a: nll(torch.softmax(z, -1), a), per_episode)


@wrong("a6.q1", "the action of another step")
def action_before(θ, obs, actions, lengths):
    inside = np.arange(actions.shape[1]) < lengths[:, None]
    w = inside / lengths[:, None] / len(lengths)
    log_π, taken = log_softmax(obs @ θ, axis=-1), np.eye(θ.shape[1])[np.roll(actions, 1, axis=1)]
    return -(w[..., None] * taken * log_π).sum(), np.einsum("nl,nld,nla->da", w, obs, np.exp(log_π) - taken)


@wrong("a6.q1", "a step taken for padding")
def positive_actions(θ, obs, actions, lengths):
    w = (actions > 0) / lengths[:, None] / len(lengths)
    log_π, taken = log_softmax(obs @ θ, axis=-1), np.eye(θ.shape[1])[actions]
    return -(w[..., None] * taken * log_π).sum(), np.einsum("nl,nld,nla->da", w, obs, np.exp(log_π) - taken)


@wrong("a6.q1", "a step taken for padding")
def what_is_zero_is_padding(θ, obs, actions, lengths):
    """As if the leftovers after the end were zeros; they are not, so the lengths are used as well."""
    inside = (np.arange(obs.shape[1]) < lengths[:, None]) & (obs != 0).any(-1)
    w = inside / lengths[:, None] / len(lengths)
    log_π = log_softmax(obs @ θ, axis=-1)
    taken = np.eye(θ.shape[1])[actions]
    return -(w * (taken * log_π).sum(-1)).sum(), np.einsum("nl,nld,nla->da", w, obs, np.exp(log_π) - taken)


@wrong("a6.q1", "not added up")
def loss_of_each(θ, obs, actions, lengths):
    losses = [-log_softmax(x[:T] @ θ, axis=1)[np.arange(T), a[:T]].mean() for x, a, T in zip(obs, actions, lengths)]
    return losses, clone_loss(θ, obs, actions, lengths, nll, per_episode)[1]


@wrong("a6.q1", "exp overflow")
def a_little_added(θ, obs, actions, lengths):
    loss, gradient = clone_loss(θ, obs, actions, lengths, lambda z, a: -torch.log(
        torch.exp(-nll(z, a)) + 1e-7), per_episode)
    return loss, clone_loss(θ, obs, actions, lengths, nll, per_episode)[1]


@wrong("a6.q1", "axes in another order")
def gradient_transposed(θ, obs, actions, lengths):
    loss, gradient = clone_loss(θ, obs, actions, lengths, nll, per_episode)
    return loss, gradient.T


@wrong("a6.q1", "exp overflow")
def exp_over_sum(θ, obs, actions, lengths):
    e = np.exp(obs @ θ)
    π = e / e.sum(-1, keepdims=True)
    inside = np.arange(actions.shape[1]) < lengths[:, None]
    w = inside / lengths[:, None] / len(lengths)
    taken = np.eye(θ.shape[1])[actions]
    chosen = (π * taken).sum(-1)
    return -(w * np.log(np.where(inside, chosen, 1))).sum(), np.einsum("nl,nld,nla->da", w, obs, π - taken)


@wrong("a6.q1", "exp overflow")
def clipped(θ, obs, actions, lengths):
    π = np.clip(softmax(obs @ θ, axis=-1), 1e-12, 1)
    inside = np.arange(actions.shape[1]) < lengths[:, None]
    w = inside / lengths[:, None] / len(lengths)
    taken = np.eye(θ.shape[1])[actions]
    return -(w * np.log((π * taken).sum(-1))).sum(), np.einsum("nl,nld,nla->da", w, obs, π - taken)


@wrong("a6.q1", "whole numbers")
def zeros_like_theta(θ, obs, actions, lengths):
    loss, gradient = clone_loss(θ, obs, actions, lengths, nll, per_episode)
    out = np.zeros_like(θ)
    out[:] = gradient
    return loss, out


@wrong("a6.q1", "almost right")
def by_differences(θ, obs, actions, lengths):
    f = lambda θ: float(clone_loss(θ, obs, actions, lengths, nll, per_episode)[0].detach())
    gradient = np.zeros(θ.shape)
    for i in np.ndindex(θ.shape):
        e = np.zeros(θ.shape)
        e[i] = 2e-5
        gradient[i] = (f(θ + e) - f(θ)) / 2e-5
    return f(θ), gradient


@wrong("a6.q1", "inputs changed")
def masks_in_place(θ, obs, actions, lengths):
    actions[actions < 0] = 0
    return clone_loss(θ, obs, actions, lengths, nll, per_episode)


# ---------------------------------------------------------------- q2: the loop of DAgger

@wrong("a6.q2", "labels are the executed actions")
def what_was_done(reset, step, expert, learn, p, T, coins):
    states, labels, π, i = [], [], None, 0
    while len(labels) < len(coins):
        s, done, t = reset(), False, 0
        while not done and t < T and len(labels) < len(coins):
            a = expert(s)
            if coins[len(labels)] >= p**i:
                a = π[s]
            states.append(s)
            labels.append(a)
            s, done = step(a)
            t += 1
        π, i = learn(states, labels), i + 1
    return states, labels, π


@wrong("a6.q2", "labels are the executed actions")
def asks_only_where_the_expert_drives(reset, step, expert, learn, p, T, coins):
    states, labels, π, i = [], [], None, 0
    while len(labels) < len(coins):
        s, done, t = reset(), False, 0
        while not done and t < T and len(labels) < len(coins):
            states.append(s)
            labels.append(expert(s) if coins[len(labels)] < p**i else π[s])
            s, done = step(labels[-1])
            t += 1
        π, i = learn(states, labels), i + 1
    return states, labels, π


@wrong("a6.q2", "an old answer looked up")
def remembers_the_answers(reset, step, expert, learn, p, T, coins):
    known = {}

    def ask(s):
        if s not in known:
            known[s] = expert(s)
        return known[s]
    return with_limits()(reset, step, ask, learn, p, T, coins)


@wrong("a6.q2", "over the budget")
def asks_on_and_drops_the_rest(reset, step, expert, learn, p, T, coins):
    states, labels, π, i, B = [], [], None, 0, len(coins)
    while len(labels) < B:
        s, done, t = reset(), False, 0
        while not done and t < T:
            a, mine = expert(s), coins[min(len(labels), B - 1)] < p**i
            states.append(s)
            labels.append(a)
            s, done = step(a if mine else π[s])
            t += 1
        states, labels = states[:B], labels[:B]
        π, i = learn(states, labels), i + 1
    return states, labels, π


@wrong("a6.q2", "over the budget")
def asks_and_then_counts(reset, step, expert, learn, p, T, coins):
    states, labels, π, i = [], [], None, 0
    while len(labels) < len(coins):
        s, done, t = reset(), False, 0
        while not done and t < T:
            a = expert(s)
            if len(labels) == len(coins):
                break
            mine = coins[len(labels)] < p**i
            states.append(s)
            labels.append(a)
            s, done = step(a if mine else π[s])
            t += 1
        π, i = learn(states, labels), i + 1
    return states, labels, π


@wrong("a6.q2", "labels are the learner's")
def labels_from_the_policy(reset, step, expert, learn, p, T, coins):
    states, labels, π, i = [], [], None, 0
    while len(labels) < len(coins):
        s, done, t = reset(), False, 0
        while not done and t < T and len(labels) < len(coins):
            answer = expert(s)
            own = answer if π is None else π[s]
            a = answer if coins[len(labels)] < p**i else own
            states.append(s)
            labels.append(own)
            s, done = step(a)
            t += 1
        π, i = learn(states, labels), i + 1
    return states, labels, π


def episodes(reset, step, T, act, left):
    """Play episodes: act(i, t, s) -> action, as long as left() says so. Yields i after each."""
    i = 0
    while left():
        s, done, t = reset(), False, 0
        while not done and t < T and left():
            s, done = step(act(i, t, s))
            t += 1
        yield i
        i += 1


class Notes:
    """Pairs so far, and where the current episode begins."""

    def __init__(self, coins):
        self.s, self.a, self.begin, self.coins, self.π = [], [], 0, coins, None

    def left(self):
        return len(self.a) < len(self.coins)

    def add(self, s, a):
        self.s.append(s)
        self.a.append(a)

    def coin(self):
        return self.coins[len(self.a)]


def with_beta(β, start=None):
    """DAgger with another schedule β(i, t, k, p); the policy before the first fit is zero, or start(learn)."""
    def answer(reset, step, expert, learn, p, T, coins):
        n = Notes(coins)
        n.π = np.zeros(1000, dtype=int) if start is None else start(learn)

        def act(i, t, s):
            a, mine = expert(s), n.coin() < β(i, t, len(n.a), p)
            n.add(s, a)
            return a if mine else n.π[s]
        for _ in episodes(reset, step, T, act, n.left):
            n.π = learn(n.s, n.a)
        return n.s, n.a, n.π
    return answer


def enter(name, **answers):
    for key, fn in answers.items():
        def answer(reset, step, expert, learn, p, T, coins, fn=fn):
            return fn(reset, step, expert, learn, p, T, coins)
        answer.__name__ = key
        wrong("a6.q2", name)(answer)


enter("the expert drives always", cloning=with_beta(lambda i, t, k, p: 1.0))
enter("the learner drives ever after", first_only=with_beta(lambda i, t, k, p: float(i == 0)))
enter("the learner drives too early",
      power_from_one=with_beta(lambda i, t, k, p: p ** (i + 1)),
      power_from_one_after_learning_nothing=with_beta(lambda i, t, k, p: p ** (i + 1), lambda learn: learn([], [])),
      p_from_the_start=with_beta(lambda i, t, k, p: p),
      never_the_expert=with_beta(lambda i, t, k, p: 0.0))
enter("β one episode off",
      fast=with_beta(lambda i, t, k, p: 1.0 if i == 0 else p ** (i + 1)),
      slow=with_beta(lambda i, t, k, p: p ** max(i - 1, 0)))
enter("β never decreases", constant=with_beta(lambda i, t, k, p: 1.0 if i == 0 else p))
enter("β falls with every step",
      by_question=with_beta(lambda i, t, k, p: p**k),
      by_step=with_beta(lambda i, t, k, p: p**t))
enter("another schedule",
      harmonic=with_beta(lambda i, t, k, p: 1 / (1 + i)),
      linear=with_beta(lambda i, t, k, p: max(0.0, 1 - (1 - p) * i)))
enter("who drives is swapped",
      rising=with_beta(lambda i, t, k, p: 1 - p**i),
      rising_after_the_first=with_beta(lambda i, t, k, p: 1 - p**i if i else 1.0))


@wrong("a6.q2", "who drives is swapped")
def greater(reset, step, expert, learn, p, T, coins):
    n = Notes(coins)

    def act(i, t, s):
        a, learners = expert(s), i > 0 and n.coin() < p**i
        n.add(s, a)
        return n.π[s] if learners else a
    for _ in episodes(reset, step, T, act, n.left):
        n.π = learn(n.s, n.a)
    return n.s, n.a, n.π


@wrong("a6.q2", "no aggregation")
def last_batch(reset, step, expert, learn, p, T, coins):
    n = Notes(coins)

    def act(i, t, s):
        a, mine = expert(s), n.coin() < p**i
        n.add(s, a)
        return a if mine else n.π[s]
    for _ in episodes(reset, step, T, act, n.left):
        n.π, n.begin = learn(n.s[n.begin:], n.a[n.begin:]), len(n.s)
    return n.s, n.a, n.π


@wrong("a6.q2", "no aggregation")
def last_batch_returned(reset, step, expert, learn, p, T, coins):
    asked, i = 0, 0
    while asked < len(coins):
        states, labels = [], []
        s, done = reset(), False
        for _ in range(T):
            if done or asked == len(coins):
                break
            states.append(s)
            labels.append(expert(s))
            s, done = step(labels[-1] if coins[asked] < p**i else π[s])  # noqa: F821
            asked += 1
        π = learn(states, labels)
        i += 1
    return states, labels, π


@wrong("a6.q2", "data added twice")
def batch_kept(reset, step, expert, learn, p, T, coins):
    every_s, every_a, batch_s, batch_a, i = [], [], [], [], 0
    while len(batch_a) < len(coins):
        s, done, t = reset(), False, 0
        while not done and t < T and len(batch_a) < len(coins):
            a, mine = expert(s), coins[len(batch_a)] < p**i
            batch_s.append(s)
            batch_a.append(a)
            s, done = step(a if mine else π[s])  # noqa: F821
            t += 1
        every_s += batch_s
        every_a += batch_a
        π, i = learn(every_s, every_a), i + 1
    return every_s, every_a, π


@wrong("a6.q2", "data added twice")
def batch_kept_for_learning(reset, step, expert, learn, p, T, coins):
    every_s, every_a, n = [], [], Notes(coins)

    def act(i, t, s):
        a, mine = expert(s), n.coin() < p**i
        n.add(s, a)
        return a if mine else n.π[s]
    for _ in episodes(reset, step, T, act, n.left):
        every_s.extend(n.s)
        every_a.extend(n.a)
        n.π = learn(every_s, every_a)
    return n.s, n.a, n.π


@wrong("a6.q2", "a dictionary forgets")
def dictionary(reset, step, expert, learn, p, T, coins):
    n, data = Notes(coins), {}

    def act(i, t, s):
        a, mine = expert(s), n.coin() < p**i
        n.add(s, a)
        data[s] = a
        return a if mine else n.π[s]
    for _ in episodes(reset, step, T, act, n.left):
        n.π = learn(list(data), list(data.values()))
    return list(data), list(data.values()), n.π


@wrong("a6.q2", "a dictionary forgets")
def set_of_pairs(reset, step, expert, learn, p, T, coins):
    n, data = Notes(coins), set()

    def act(i, t, s):
        a, mine = expert(s), n.coin() < p**i
        n.add(s, a)
        data.add((s, a))
        return a if mine else n.π[s]
    for _ in episodes(reset, step, T, act, n.left):
        n.π = learn(*zip(*data))
    return n.s, n.a, n.π


@wrong("a6.q2", "trained once, at the end")
def learns_last(reset, step, expert, learn, p, T, coins):
    n = Notes(coins)
    n.π = np.zeros(1000, dtype=int)

    def act(i, t, s):
        a, mine = expert(s), n.coin() < p**i
        n.add(s, a)
        return a if mine else n.π[s]
    for _ in episodes(reset, step, T, act, n.left):
        pass
    return n.s, n.a, learn(n.s, n.a)


@wrong("a6.q2", "the expert drives always")
def clone_once(reset, step, expert, learn, p, T, coins):
    n = Notes(coins)

    def act(i, t, s):
        n.add(s, expert(s))
        return n.a[-1]
    for _ in episodes(reset, step, T, act, n.left):
        pass
    return n.s, n.a, learn(n.s, n.a)


def with_coin(coin, drives=lambda coin, β: coin < β):
    """DAgger with another coin: coin(coins, i, t, k, k at the episode's begin, T)."""
    def answer(reset, step, expert, learn, p, T, coins):
        n = Notes(coins)

        def act(i, t, s):
            if t == 0:
                n.begin = len(n.a)
            a, mine = expert(s), drives(coin(coins, i, t, len(n.a), n.begin, T), p**i)
            n.add(s, a)
            return a if mine or n.π is None else n.π[s]
        for _ in episodes(reset, step, T, act, n.left):
            n.π = learn(n.s, n.a)
        return n.s, n.a, n.π
    return answer


enter("one coin for an episode",
      coin_of_the_first_step=with_coin(lambda c, i, t, k, begin, T: c[begin]),
      coin_of_the_episode=with_coin(lambda c, i, t, k, begin, T: c[i]))
enter("another question's coin",
      coins_from_the_start_again=with_coin(lambda c, i, t, k, begin, T: c[t]),
      appended_before_the_toss=with_coin(lambda c, i, t, k, begin, T: c[(k + 1) % len(c)]),
      coins_as_if_all_episodes_were_full=with_coin(lambda c, i, t, k, begin, T: c[(i * T + t) % len(c)]))
enter("no coin is tossed", half=with_coin(lambda *x: 0.5), half_or_more=with_coin(lambda *x: 0.5, lambda c, β: c <= β))


@wrong("a6.q2", "an average of two actions")
def blended(reset, step, expert, learn, p, T, coins):
    n = Notes(coins)

    def act(i, t, s):
        a = expert(s)
        n.add(s, a)
        return a if n.π is None else int(round(p**i * a + (1 - p**i) * n.π[s]))
    for _ in episodes(reset, step, T, act, n.left):
        n.π = learn(n.s, n.a)
    return n.s, n.a, n.π


@wrong("a6.q2", "the expert is asked twice")
def asks_for_label_and_action(reset, step, expert, learn, p, T, coins):
    n = Notes(coins)

    def act(i, t, s):
        mine = n.coin() < p**i
        n.add(s, expert(s))
        return expert(s) if mine else n.π[s]
    for _ in episodes(reset, step, T, act, n.left):
        n.π = learn(n.s, n.a)
    return n.s, n.a, n.π


@wrong("a6.q2", "the expert is asked twice")
def drives_then_labels(reset, step, expert, learn, p, T, coins):
    n = Notes(coins)

    def act(i, t, s):
        a = expert(s) if n.coin() < p**i else n.π[s]
        n.add(s, expert(s))
        return a
    for _ in episodes(reset, step, T, act, n.left):
        n.π = learn(n.s, n.a)
    return n.s, n.a, n.π


@wrong("a6.q2", "the expert is asked twice")
def labels_after_the_episode(reset, step, expert, learn, p, T, coins):
    states, labels, π, i = [], [], None, 0
    while len(states) < len(coins):
        s, done, visited = reset(), False, []
        while not done and len(visited) < T and len(states) + len(visited) < len(coins):
            mine = coins[len(states) + len(visited)] < p**i
            visited.append(s)
            s, done = step(expert(s) if mine else π[s])
        labels += [expert(s) for s in visited]
        states += visited
        π, i = learn(states, labels), i + 1
    return states, labels, π


@wrong("a6.q2", "the expert is asked twice")
def all_labels_anew(reset, step, expert, learn, p, T, coins):
    states, labels, π, i = [], [], None, 0
    while len(states) < len(coins):
        s, done, t = reset(), False, 0
        while not done and t < T and len(states) < len(coins):
            mine = coins[len(states)] < p**i
            states.append(s)
            a = expert(s)
            s, done = step(a if mine else π[s])
            t += 1
        labels = [expert(s) for s in states]
        π, i = learn(states, labels), i + 1
    return states, labels, π


def kept_if(keep):
    """DAgger that stores only some pairs: keep(mine, label, own, i)."""
    def answer(reset, step, expert, learn, p, T, coins):
        n, asked = Notes(coins), [0]
        n.π = np.zeros(1000, dtype=int)

        def act(i, t, s):
            a, mine = expert(s), coins[asked[0]] < p**i
            asked[0] += 1
            if keep(mine, a, n.π[s], i):
                n.add(s, a)
            return a if mine else n.π[s]
        for _ in episodes(reset, step, T, act, lambda: asked[0] < len(coins)):
            n.π = learn(n.s, n.a)
        return n.s, n.a, n.π
    return answer


enter("visited states left out",
      only_where_the_expert_drives=kept_if(lambda mine, label, own, i: mine),
      only_where_they_disagree=kept_if(lambda mine, label, own, i: i == 0 or label != own),
      only_the_learners_states=kept_if(lambda mine, label, own, i: i == 0 or not mine))


@wrong("a6.q2", "the label of another state")
def next_state_stored(reset, step, expert, learn, p, T, coins):
    states, labels, π, i = [], [], None, 0
    while len(labels) < len(coins):
        s, done, t = reset(), False, 0
        while not done and t < T and len(labels) < len(coins):
            a = expert(s)
            s, done = step(a if coins[len(labels)] < p**i else π[s])
            states.append(s)
            labels.append(a)
            t += 1
        π, i = learn(states, labels), i + 1
    return states, labels, π


@wrong("a6.q2", "asked after the end")
def last_state_too(reset, step, expert, learn, p, T, coins):
    n, i = Notes(coins), 0
    while n.left():
        s, done, t = reset(), False, 0
        while not done and t < T and n.left():
            a, mine = expert(s), n.coin() < p**i
            n.add(s, a)
            s, done = step(a if mine else n.π[s])
            t += 1
        if done and n.left():
            n.add(s, expert(s))
        n.π, i = learn(n.s, n.a), i + 1
    return n.s, n.a, n.π


@wrong("a6.q2", "the end ignored")
def fixed_length(reset, step, expert, learn, p, T, coins):
    n, i = Notes(coins), 0
    while n.left():
        s = reset()
        for _ in range(T):
            if not n.left():
                break
            a, mine = expert(s), n.coin() < p**i
            n.add(s, a)
            s, _ = step(a if mine else n.π[s])
        n.π, i = learn(n.s, n.a), i + 1
    return n.s, n.a, n.π


def with_limits(steps=lambda T: T, budget=lambda B: B, inside=True):
    """DAgger with another limit of an episode, or another budget, kept inside an episode or not."""
    def answer(reset, step, expert, learn, p, T, coins):
        n, i, B = Notes(coins), 0, budget(len(coins))
        while len(n.a) < B:
            s, done, t = reset(), False, 0
            while not done and t < steps(T) and (len(n.a) < B or not inside):
                a, mine = expert(s), coins[len(n.a) % len(coins)] < p**i
                n.add(s, a)
                s, done = step(a if mine else n.π[s])
                t += 1
            n.π, i = learn(n.s, n.a), i + 1
        return n.s, n.a, n.π
    return answer


enter("T ignored", until_done=with_limits(steps=lambda T: 10**9))
enter("T one off", less_than_t_minus_one=with_limits(steps=lambda T: max(T - 1, 1) if T > 1 else 2),
      up_to_t=with_limits(steps=lambda T: T + 1))
enter("over the budget", whole_episodes_only=with_limits(inside=False), one_more=with_limits(budget=lambda B: B + 1))
enter("a question unused", one_less=with_limits(budget=lambda B: B - 1 if B > 1 else 2))


@wrong("a6.q2", "T questions assumed for every episode")
def rounds(reset, step, expert, learn, p, T, coins):
    n = Notes(coins)
    n.π = np.zeros(1000, dtype=int)
    for i in range(len(coins) // T):
        s = reset()
        for _ in range(T):
            a, mine = expert(s), n.coin() < p**i
            n.add(s, a)
            s, done = step(a if mine else n.π[s])
            if done:
                break
        n.π = learn(n.s, n.a)
    return n.s, n.a, n.π


@wrong("a6.q2", "T questions assumed for every episode")
def rounds_up(reset, step, expert, learn, p, T, coins):
    n = Notes(coins)
    for i in range(-(-len(coins) // T)):
        s, done, t = reset(), False, 0
        while not done and t < T and n.left():
            a, mine = expert(s), n.coin() < p**i
            n.add(s, a)
            s, done = step(a if mine else n.π[s])
            t += 1
        n.π = learn(n.s, n.a)
    return n.s, n.a, n.π


@wrong("a6.q2", "the last episode not learned from")
def returns_at_once(reset, step, expert, learn, p, T, coins):
    n, i = Notes(coins), 0
    n.π = np.zeros(1000, dtype=int)
    while True:
        s, done, t = reset(), False, 0
        while not done and t < T:
            a, mine = expert(s), n.coin() < p**i
            n.add(s, a)
            if not n.left():
                return n.s, n.a, n.π
            s, done = step(a if mine else n.π[s])
            t += 1
        n.π, i = learn(n.s, n.a), i + 1


@wrong("a6.q2", "the last episode not learned from")
def unfinished_episode_dropped(reset, step, expert, learn, p, T, coins):
    states, labels, π, i, asked = [], [], np.zeros(1000, dtype=int), 0, 0
    while asked < len(coins):
        batch, s, done = [], reset(), False
        while not done and len(batch) < T and asked < len(coins):
            a, mine = expert(s), coins[asked] < p**i
            batch.append((s, a))
            asked += 1
            s, done = step(a if mine else π[s])
        if done or len(batch) == T:
            states += [s for s, _ in batch]
            labels += [a for _, a in batch]
            π, i = learn(states, labels), i + 1
    return states, labels, π


@wrong("a6.q2", "learned before the data were there")
def one_behind(reset, step, expert, learn, p, T, coins):
    states, labels, π, i = [], [], None, 0
    while len(labels) < len(coins):
        batch, s, done = [], reset(), False
        while not done and len(batch) < T and len(labels) + len(batch) < len(coins):
            a, mine = expert(s), coins[len(labels) + len(batch)] < p**i
            batch.append((s, a))
            s, done = step(a if mine else π[s])
        π, i = learn(states, labels), i + 1
        states += [s for s, _ in batch]
        labels += [a for _, a in batch]
    return states, labels, π


@wrong("a6.q2", "learned after every question")
def online(reset, step, expert, learn, p, T, coins):
    n = Notes(coins)

    def act(i, t, s):
        a, mine = expert(s), n.coin() < p**i
        own = None if n.π is None else n.π[s]
        n.add(s, a)
        n.π = learn(n.s, n.a)
        return a if mine else own
    for _ in episodes(reset, step, T, act, n.left):
        pass
    return n.s, n.a, n.π


@wrong("a6.q2", "an old policy drives")
def first_policy_drives(reset, step, expert, learn, p, T, coins):
    n, first = Notes(coins), []

    def act(i, t, s):
        a, mine = expert(s), n.coin() < p**i
        n.add(s, a)
        return a if mine else first[0][s]
    for _ in episodes(reset, step, T, act, n.left):
        first.append(learn(n.s, n.a))
    return n.s, n.a, first[-1]


@wrong("a6.q2", "an old policy drives")
def the_policy_before(reset, step, expert, learn, p, T, coins):
    n, old = Notes(coins), [np.zeros(1000, dtype=int)]

    def act(i, t, s):
        a, mine = expert(s), n.coin() < p**i
        n.add(s, a)
        return a if mine else old[max(i - 1, 0)][s]
    for _ in episodes(reset, step, T, act, n.left):
        old.append(learn(n.s, n.a))
    return n.s, n.a, old[-1]


def finished(change):
    """The right loop, with another end: change(states, labels, policies)."""
    def answer(reset, step, expert, learn, p, T, coins):
        n, policies = Notes(coins), []

        def act(i, t, s):
            a, mine = expert(s), n.coin() < p**i
            n.add(s, a)
            return a if mine else policies[-1][s]
        for _ in episodes(reset, step, T, act, n.left):
            policies.append(learn(n.s, n.a))
        return change(n.s, n.a, policies)
    return answer


enter("not the last policy", first_of_all=finished(lambda s, a, π: (s, a, π[0])))
enter("not the last policy", best_on_the_labels=finished(
    lambda s, a, π: (s, a, max(π, key=lambda f: np.mean([f[x] == y for x, y in zip(s, a)])))))
enter("all policies", list_of_policies=finished(lambda s, a, π: (s, a, π)))
enter("states and labels swapped", labels_first=finished(lambda s, a, π: (a, s, π[-1])))
enter("outputs in another order", policy_first=finished(lambda s, a, π: (π[-1], s, a)))
enter("nothing returned", prints=finished(lambda s, a, π: print(s, a, π)))


@wrong("a6.q2", "never reset")
def one_reset(reset, step, expert, learn, p, T, coins):
    n, i, s = Notes(coins), 0, reset()
    while n.left():
        done, t = False, 0
        while not done and t < T and n.left():
            a, mine = expert(s), n.coin() < p**i
            n.add(s, a)
            s, done = step(a if mine else n.π[s])
            t += 1
        n.π, i = learn(n.s, n.a), i + 1
    return n.s, n.a, n.π


@wrong("a6.q2", "never reset")
def goes_on_after_t_steps(reset, step, expert, learn, p, T, coins):
    n, i, t, s = Notes(coins), 0, 0, reset()
    for k in range(len(coins)):
        a, mine = expert(s), n.coin() < p**i
        n.add(s, a)
        s, done = step(a if mine else n.π[s])
        t += 1
        if done or t == T:
            n.π, i, t = learn(n.s, n.a), i + 1, 0
        if done:
            s = reset()
    return n.s, n.a, learn(n.s, n.a)


@wrong("a6.q2", "reset twice")
def reset_when_done(reset, step, expert, learn, p, T, coins):
    n = Notes(coins)

    def stepped(a):
        s, done = step(a)
        return (reset(), True) if done else (s, False)

    def act(i, t, s):
        a, mine = expert(s), n.coin() < p**i
        n.add(s, a)
        return a if mine else n.π[s]
    for _ in episodes(reset, stepped, T, act, n.left):
        n.π = learn(n.s, n.a)
    return n.s, n.a, n.π


@wrong("a6.q2", "reset twice")
def reset_before_and_in_the_loop(reset, step, expert, learn, p, T, coins):
    return with_limits()(lambda: (reset(), reset())[1], step, expert, learn, p, T, coins)


@wrong("a6.q2", "not the same twice")
def shuffled(reset, step, expert, learn, p, T, coins):
    states, labels, π = with_limits()(reset, step, expert, learn, p, T, coins)
    order = np.random.permutation(len(labels))
    return np.array(states)[order], np.array(labels)[order], π


@wrong("a6.q2", "inputs changed")
def coins_used_up(reset, step, expert, learn, p, T, coins):
    answer = with_limits()(reset, step, expert, learn, p, T, coins)
    coins[: len(answer[0])] = 1.0
    return answer


# ---------------------------------------------------------------- q3: SMILe

def act(weights, proposed, coins):
    """The first policy whose cumulative weight is above the coin."""
    who = np.searchsorted(np.cumsum(weights), coins, side="right")
    return proposed[np.minimum(who, len(weights) - 1), np.arange(len(coins))]


def shares(α):
    return np.concatenate([[1.0], np.cumprod(1 - α)])


def given(α):
    w = α * shares(α)[:-1]
    return w / w.sum()


def by_weights(f, normalise=True):
    """SMILe with other weights f(α)."""
    def answer(α, proposed, coins):
        w = f(α)
        w = w / w.sum() if normalise else w
        return shares(α), w, act(w, proposed, coins)
    return answer


def by_share(f):
    """SMILe with another share f(α), and the weights taken from it."""
    def answer(α, proposed, coins):
        s = f(α)
        w = α * s[:-1]
        return s, w / w.sum(), act(w / w.sum(), proposed, coins)
    return answer


def by_choice(f):
    """SMILe with another choice f(weights, proposed, coins)."""
    def answer(α, proposed, coins):
        return shares(α), given(α), f(given(α), proposed, coins)
    return answer


def enter_smile(name, **answers):
    for key, fn in answers.items():
        def answer(α, proposed, coins, fn=fn):
            return fn(α, proposed, coins)
        answer.__name__ = key
        wrong("a6.q3", name)(answer)


def newest_most(α):
    return np.array([α[j] * np.prod(1 - α[j + 1:]) for j in range(len(α))])


def last_gets_the_rest(α):
    w = α * shares(α)[:-1]
    w[-1] += shares(α)[-1]
    return w


enter_smile("not renormalised", as_in_the_formula=by_weights(lambda α: α * shares(α)[:-1], normalise=False))
enter_smile("the expert not removed",
            expert_first=lambda α, y, c: (shares(α), np.append(shares(α)[-1], α * shares(α)[:-1]), act(given(α), y, c)),
            expert_last=lambda α, y, c: (shares(α), np.append(α * shares(α)[:-1], shares(α)[-1]), act(given(α), y, c)))
enter_smile("the expert's share given away",
            to_the_last=by_weights(last_gets_the_rest),
            to_all=by_weights(lambda α: α * shares(α)[:-1] + shares(α)[-1] / len(α)))
enter_smile("the newest weighted most",
            searn=by_weights(newest_most), searn_not_normalised=by_weights(newest_most, normalise=False),
            turned_round=by_weights(lambda α: (α * shares(α)[:-1])[::-1]))
enter_smile("the expert not removed", expert_in_the_draw=lambda α, y, c: (shares(α), given(α), y[
    np.maximum(np.searchsorted(np.cumsum(np.append(shares(α)[-1], α * shares(α)[:-1])), c, side="right") - 1, 0).clip(
        max=len(α) - 1), np.arange(len(c))]))
enter_smile("not renormalised", drawn_before_scaling=lambda α, y, c: (
    shares(α), given(α), act(α * shares(α)[:-1], y, c)))
enter_smile("cumulative weights", summed=lambda α, y, c: (shares(α), given(α).cumsum(), act(given(α), y, c)))
enter_smile("uniform weights", uniform=by_weights(lambda α: np.ones(len(α))))
enter_smile("the rates as weights", rates=by_weights(lambda α: α.copy()))
enter_smile("one rate for all iterations",
            first_rate=by_weights(lambda α: α[0] * (1 - α[0]) ** np.arange(len(α))),
            own_rate_own_power=by_weights(lambda α: α * (1 - α) ** np.arange(len(α))),
            mean_rate=lambda α, y, c: smile_of_the_lecture(α.mean(), y, c))
enter_smile("powers of α", products_of_rates=by_weights(np.cumprod))
enter_smile("one iteration off",
            share_after=by_weights(lambda α: α * np.cumprod(1 - α)),
            share_after_not_normalised=by_weights(lambda α: α * np.cumprod(1 - α), normalise=False))
enter_smile("what the expert keeps, not what it gives",
            shares_as_weights=by_weights(lambda α: np.cumprod(1 - α)),
            shares_before_as_weights=by_weights(lambda α: shares(α)[:-1]))
enter_smile("share without its start", n_shares=lambda α, y, c: (np.cumprod(1 - α), given(α), act(given(α), y, c)))
enter_smile("share without its end",
            n_shares_from_one=lambda α, y, c: (shares(α)[:-1], given(α), act(given(α), y, c)))
enter_smile("the expert not removed", expert_in_the_draw_as_index_minus_one=lambda α, y, c: (shares(α), given(α), y[
    np.searchsorted(np.cumsum(np.append(shares(α)[-1], α * shares(α)[:-1]))[:-1], c, side="right") - 1,
    np.arange(len(c))]))
enter_smile("rates subtracted", linear_weights=by_weights(lambda α: α * (1 - np.append(0.0, np.cumsum(α)[:-1]))))
enter_smile("only the last share", number=lambda α, y, c: (np.prod(1 - α), given(α), act(given(α), y, c)))
enter_smile("rates subtracted", linear_share=by_share(lambda α: 1 - np.append(0.0, np.cumsum(α))))
enter_smile("what was given, not what is left",
            given_away=lambda α, y, c: (1 - shares(α), given(α), act(given(α), y, c)),
            product_of_rates=lambda α, y, c: (np.append(1.0, np.cumprod(α)), given(α), act(given(α), y, c)))
enter_smile("a power of the last rate",
            own_power=by_share(lambda α: np.append(1.0, (1 - α) ** np.arange(1, len(α) + 1))),
            one_factor=by_share(lambda α: np.append(1.0, 1 - α)))
enter_smile("an average of actions",
            weighted_average=by_choice(lambda w, y, c: w @ y), mean_action=by_choice(lambda w, y, c: y.mean(axis=0)))
enter_smile("the likeliest policy acts", argmax=by_choice(lambda w, y, c: y[np.argmax(w)]))
enter_smile("the newest policy acts", last=by_choice(lambda w, y, c: y[-1]))
enter_smile("one policy for all states",
            drawn_once=by_choice(lambda w, y, c: y[np.searchsorted(np.cumsum(w), c[0], side="right")]))
enter_smile("all policies equally likely",
            uniform_draw=by_choice(lambda w, y, c: y[(c * len(w)).astype(int), np.arange(len(c))]))
enter_smile("counted from the newest",
            from_the_end=by_choice(lambda w, y, c: act(w[::-1], y[::-1], c)),
            one_minus_coin=by_choice(lambda w, y, c: act(w, y, 1 - c)))
enter_smile("the neighbour acts",
            one_too_far=by_choice(lambda w, y, c: y[np.minimum(np.searchsorted(np.cumsum(w), c) + 1, len(w) - 1),
                                                    np.arange(len(c))]),
            one_too_few=by_choice(lambda w, y, c: y[np.maximum(np.searchsorted(np.cumsum(w), c) - 1, 0),
                                                    np.arange(len(c))]))
enter_smile("the number of the policy, not its action",
            indices=by_choice(lambda w, y, c: np.searchsorted(np.cumsum(w), c, side="right")))
enter_smile("outputs in another order",
            weights_first=lambda α, y, c: (given(α), shares(α), act(given(α), y, c)))
enter_smile("not the same twice", ties_broken_at_random=by_weights(
    lambda α: given(α) + 1e-3 * np.random.random(len(α))))
enter_smile("almost right", single=lambda α, y, c: (shares(α), given(α).round(5), act(given(α), y, c)))


def smile_of_the_lecture(α, proposed, coins):
    n = len(proposed)
    w = α * (1 - α) ** np.arange(n)
    w = w / w.sum()
    return (1 - α) ** np.arange(n + 1), w, act(w, proposed, coins)


@wrong("a6.q3", "one rate for all iterations")
def last_rate(α, proposed, coins):
    return smile_of_the_lecture(α[-1], proposed, coins)


@wrong("a6.q3", "the coin against one weight")
def weight_by_weight(α, proposed, coins):
    w, out = given(α), []
    for m, coin in enumerate(coins):
        for j in range(len(w)):
            if coin < w[j]:
                break
        out.append(proposed[j, m])
    return shares(α), w, out


@wrong("a6.q3", "digits lost")
def one_minus_share(α, proposed, coins):
    s = shares(α)
    w = α * s[:-1] / (1 - s[-1])
    return s, w, act(w, proposed, coins)


@wrong("a6.q3", "digits lost")
def differences(α, proposed, coins):
    s = shares(α)
    w = s[:-1] - s[1:]
    return s, w / w.sum(), act(w / w.sum(), proposed, coins)


@wrong("a6.q3", "inputs changed")
def rates_used_up(α, proposed, coins):
    s, w, a = shares(α), given(α), act(given(α), proposed, coins)
    α *= s[:-1]
    return s, w, a
