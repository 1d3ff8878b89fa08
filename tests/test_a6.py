"""Assignment a6: the contract of every assignment, a spy in DAgger's school, and the oracles are right."""

import copy
import dataclasses
import math
from decimal import Decimal, localcontext
from fractions import Fraction

import matplotlib
import numpy as np
import pytest
import torch
from assignment_contract import (
    NAMED_BY_THE_RUNNER,
    SEEDS,
    Assignment,
    Contract,
    as_lists,
    as_single,
    quiet,
    with_minus_zero,
)
from helpers import code_cells

from course_utils.checks import core
from course_utils.checks.a6 import q2, school
from course_utils.checks.runner import DEAF, examine

A6 = Assignment("a6_imitation")
public, hidden, REFERENCE, QUESTIONS = A6.public, A6.hidden, A6.reference, A6.questions


def as_tensors(x):
    """As in the contract, but whole numbers have no gradient."""
    return tuple(map(as_tensors, x)) if isinstance(x, tuple) else torch.tensor(x, requires_grad=x.dtype.kind == "f")


class TestA6(Contract):
    assignment = A6
    unfinished = {"a6.q1": 1, "a6.q2": 2}
    must_know = {
        "a6.q1": {
            "every step counts the same",
            "padding counted",
            "sum over everything",
            "wrong sign",
            "log forgotten",
            "0-1 loss",
            "squared error",
            "exp overflow",
        },
        "a6.q2": {
            "labels are the executed actions",
            "no aggregation",
            "the expert drives always",
            "the learner drives too early",
            "one coin for an episode",
            "the expert is asked twice",
            "asked after the end",
            "T questions assumed for every episode",
            "β never decreases",
            "learned before the data were there",
            "trained once, at the end",
            "over the budget",
        },
        "a6.q3": {
            "the expert not removed",
            "not renormalised",
            "the newest weighted most",
            "powers of α",
            "an average of actions",
        },
    }

    @pytest.mark.parametrize("form", [as_lists, as_tensors, as_single, with_minus_zero, lambda x: print("x") or x])
    def test_unusual_forms_of_a_right_answer_pass(self, id, form, capsys):
        super().test_unusual_forms_of_a_right_answer_pass(id, form, capsys)

    @quiet
    def test_no_other_mistake_explains_a_wrong_answer(self, id, fn, name):
        """In q2 an answer may never look at the coins, or not where it matters: then the runner calls it deaf."""
        if id == "a6.q2":
            question = A6.quick(id)
            others = dataclasses.replace(question, mistakes=tuple(m for m in question.mistakes if m.name != name))
            for seed in SEEDS[:2]:
                card = examine(others, fn, public(id, seed))
                allowed = {None, DEAF.name} | ({name} & NAMED_BY_THE_RUNNER)
                assert card.status == "failed" and card.mistake in allowed, card
        else:
            super().test_no_other_mistake_explains_a_wrong_answer(id, fn, name)


def instances(id, seeds=2):
    """Public and hidden instances in double precision."""
    cases = [case for seed in SEEDS[:seeds] for case in (*public(id, seed), *hidden(id, seed))]
    return [x for x in cases if not any(getattr(y, "dtype", None) == np.float32 for y in x.args.values())]


# q1


def test_q1_oracle_in_numbers_of_sixty_digits():
    """−log π as the log of a quotient of exponentials, one step after the other: nothing overflows in Decimal."""
    checked = 0
    for case in instances("a6.q1"):
        θ, obs, actions, lengths = case.args.values()
        if lengths.sum() > 25:
            continue
        checked += 1
        with localcontext(prec=60):
            loss, gradient = Decimal(0), np.zeros(θ.shape)
            weights = [[Decimal(float(x)) for x in row] for row in θ]
            for x, a, T in zip(obs, actions, lengths.tolist(), strict=True):
                for t in range(T):
                    z = [
                        sum(Decimal(float(x[t, k])) * row[b] for k, row in enumerate(weights)) for b in range(len(θ[0]))
                    ]
                    e = [y.exp() for y in z]
                    loss -= (e[a[t]] / sum(e)).ln() / T / len(lengths)
                    π = np.array([float(y / sum(e)) for y in e])
                    gradient += np.outer(x[t], π - np.eye(len(π))[a[t]]) / T / len(lengths)
        assert case.expected[0] == pytest.approx(float(loss), rel=1e-12, abs=1e-15)
        assert np.allclose(case.expected[1], gradient, rtol=1e-9, atol=1e-12)
    assert checked > 20


def by_torch(θ, obs, actions, lengths):
    """Episode after episode, by torch's own cross-entropy, which takes the mean over the steps of an episode."""
    θ = torch.tensor(θ, requires_grad=True, dtype=torch.float64)
    losses = [
        torch.nn.functional.cross_entropy(torch.tensor(x[:T], dtype=torch.float64) @ θ, torch.tensor(a[:T]))
        for x, a, T in zip(obs, actions, lengths, strict=True)
    ]
    loss = torch.stack(losses).mean()
    loss.backward()
    return loss, θ.grad


def flat(θ, obs, actions, lengths):
    """All steps in one list, with a weight each."""
    i, t = np.nonzero(np.arange(actions.shape[1]) < lengths[:, None])
    z = obs[i, t] @ θ
    z = z - z.max(axis=1, keepdims=True)
    log_π = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    w = 1 / (len(lengths) * lengths[i])
    slope = np.exp(log_π)
    loss = -w @ log_π[np.arange(len(i)), actions[i, t]]
    slope[np.arange(len(i)), actions[i, t]] -= 1
    return [loss, (obs[i, t].T @ (slope * w[:, None])).tolist()]


# q2


class Spy(school.School):
    """A school that writes down every call and its answer."""

    def __init__(self, of):
        super().__init__(*of._arrays())
        self.log = []


class Logged:
    def __init__(self, spy, name):
        self.spy, self.name = spy, name

    def __call__(self, *args):
        answer = getattr(self.spy, self.name)(*args)
        self.spy.log.append((self.name, copy.deepcopy(args), answer))
        return answer


def spied(case, fn):
    """The outputs of fn on a case, and all calls that it made."""
    spy = Spy(case.args["expert"].school)
    functions = {name: Logged(spy, name) for name in ("reset", "step", "expert", "learn")}
    return fn(**(case.args | functions)), spy.log


def test_q2_the_spy_sees_dagger():
    """What the algorithm says, clause by clause, of the calls that the reference makes."""
    ended = late = shared = 0
    for case in instances("a6.q2", 3):
        (states, labels, π), log = spied(case, REFERENCE["a6.q2"])
        p, T, coins = (case.args[k] for k in ("p", "T", "coins"))
        asked = [(args[0], answer) for name, args, answer in log if name == "expert"]
        assert asked == list(zip(states.tolist(), labels.tolist(), strict=True)) and len(asked) == len(coins)
        i = k = -1
        here = policy = answer = None
        for name, args, result in log:
            if name == "reset":
                i, t, here, done = i + 1, 0, result, False
            elif name == "expert":
                k, answer = k + 1, result
                assert args == (here,) and not done and t < T
            elif name == "step":
                mine = coins[k] < p**i
                assert args == (answer if mine else policy[here],) and (mine or i > 0)
                shared += not mine
                (here, done), t = result, t + 1
            else:
                seen, given = args
                assert (list(seen), list(given)) == (states[: k + 1].tolist(), labels[: k + 1].tolist())
                assert done or t == T or k + 1 == len(coins)
                ended, late, policy = ended + (done and t < T), late + (t == T and not done), result
        assert np.array_equal(π, policy) and [name for name, *_ in log][-1] == "learn"
    assert min(ended, late, shared) > 50  # all of it happens in the instances


def test_q2_oracle_is_the_reference_on_many_schools():
    rng = np.random.default_rng(0)
    for _ in range(200):
        S, A, T, B = (int(rng.integers(low, high)) for low, high in ((2, 9), (1, 5), (1, 9), (1, 40)))
        p = float(rng.choice([0.0, 0.3, 0.6, 0.9, 1.0]))
        case = q2.instance(q2.random_school(rng, S, A), p, T, q2.coins_for(rng, p, B))
        assert examine(QUESTIONS["a6.q2"], REFERENCE["a6.q2"], [case]).passed


def test_q2_the_learner_is_bad_and_the_expert_changes_its_mind():
    """Or labels could be mixed up with actions, and questions asked twice, and nobody would see it."""
    agree, twice, total = 0, 0, 0
    for case in instances("a6.q2", 5):
        states, labels, π = case.expected
        total += len(states)
        agree += (
            (np.asarray(π)[states.astype(int)] == labels).sum() if len(case.args["expert"].school.answers) > 2 else 0
        )
        twice += len(set(zip(states, labels, strict=True))) - len(set(states))
    assert agree < total / 2 and twice > total / 20


def test_q2_calls_of_the_wrong_kind_are_explained():
    x = q2.random_school(np.random.default_rng(0), 5, 3).functions()
    for name, args, text in [
        ("step", (0,), "before the first reset"),
        ("expert", (None,), "one number of 0 … 4, got None"),
        ("expert", (np.ones(2),), "one number of 0 … 4"),
        ("expert", (1.5,), "got 1.5"),
        ("learn", ([0, 1], [0]), "2 states and 1 labels"),
        ("learn", ([0], [7]), "labels that are numbers of 0 … 2"),
        ("learn", ([(0, 1)], [0]), r"shape \(M,\)"),
        ("learn", ("ab", [0]), "states as numbers"),
    ]:
        with pytest.raises((ValueError, RuntimeError), match=text):
            x[name](*args)
    x["reset"]()
    with pytest.raises(ValueError, match="step wants an action"):
        x["step"](3)
    assert isinstance(x["step"](np.float64(1))[0], int)


def test_q2_a_loop_without_an_end_is_stopped():
    def forgets_to_label(reset, step, expert, learn, p, T, coins):
        labels = []
        while len(labels) < len(coins):
            step(expert(reset()))

    card = examine(QUESTIONS["a6.q2"], forgets_to_label, public("a6.q2", 0))
    assert card.status == "failed" and "Does it end when the budget is spent?" in card.message


def test_q2_functions_are_copied_together_and_compared_by_their_tables():
    case = public("a6.q2", 0)[0]
    args = copy.deepcopy(case.args)
    args["step"](args["expert"](args["reset"]()))
    assert args["learn"].school.questions == 1
    assert case.args["reset"].school.episodes == 0  # the original has not been touched
    assert args["reset"].school is args["learn"].school and args["learn"] == case.args["learn"]
    assert args["reset"] != public("a6.q2", 1)[0].args["reset"] and args["reset"] != args["learn"]


def one_loop(reset, step, expert, learn, p, T, coins):
    """Without an inner loop, in arrays that are made beforehand."""
    B = len(coins)
    states, labels = np.zeros(B, dtype=int), np.full(B, -1)
    i, t, s, π = 0, 0, reset(), learn([], [])
    for k in range(B):
        states[k], labels[k] = s, expert(s)
        s, done = step(int(np.where(coins[k] < p**i, labels[k], π[s])))
        t += 1
        if done or t == T or k == B - 1:
            π, i, t = learn(states[: k + 1], labels[: k + 1]), i + 1, 0
            s = reset() if k < B - 1 else None
    return states, labels, π


def by_generator(reset, step, expert, learn, p, T, coins):
    """The budget is an iterator of coins that runs dry."""
    data, π, β, purse = [], None, 1.0, iter(coins)
    while len(data) < len(coins):
        s = reset()
        for _, coin in zip(range(T), purse):  # noqa: B905
            data.append((s, expert(s)))
            s, done = step(data[-1][1] if coin < β else π[s])
            if done:
                break
        π, β = learn(*zip(*data, strict=True)), β * p
    return tuple(np.float32(x) for x in (*zip(*data, strict=True), π))


# q3


def test_q3_oracle_in_fractions():
    for case in instances("a6.q3"):
        α, proposed, coins = case.args.values()
        share, weights, actions = case.expected
        if len(α) > 8:
            continue
        rates = [Fraction(float(x)) for x in α]
        left = [math.prod((1 - x for x in rates[:j]), start=Fraction(1)) for j in range(len(α) + 1)]
        got = [left[j] - left[j + 1] for j in range(len(α))]
        w = [x / (1 - left[-1]) for x in got]
        assert np.allclose(share, [float(x) for x in left], rtol=1e-12)
        assert np.allclose(weights, [float(x) for x in w], rtol=1e-12, atol=0)
        up_to = [sum(w[: j + 1]) for j in range(len(w))]
        who = [next(j for j in range(len(w)) if coin < up_to[j] or j == len(w) - 1) for coin in coins]
        assert np.array_equal(actions, [proposed[j, m] for m, j in enumerate(who)])


def test_q3_is_the_mixture_that_smile_makes_step_by_step():
    """Play the mixture with its expert, as a mixture of a mixture; leave the expert's turns out; count who acts."""
    α = np.array([0.3, 0.1, 0.5])
    rng, turns = np.random.default_rng(0), np.zeros(4)
    for _ in range(40_000):
        who = 0
        for j, rate in enumerate(α, 1):  # π_j is π_{j−1}, but in the expert's turns π̂_j takes over with chance α_j
            if who == 0 and rng.random() < rate:
                who = j
        turns[who] += 1
    share, weights, _ = REFERENCE["a6.q3"](α, np.zeros((3, 1)), np.zeros(1))
    assert turns[0] / turns.sum() == pytest.approx(share[-1], abs=0.012)
    assert np.allclose(turns[1:] / turns[1:].sum(), weights, atol=0.012)


def by_hand(α, proposed, coins):
    share, weights, actions = [1.0], [], []
    for rate in α.tolist():
        weights.append(rate * share[-1])
        share.append(share[-1] * (1 - rate))
    weights = [w / math.fsum(weights) for w in weights]
    for m, coin in enumerate(coins.tolist()):
        j = 0
        while j < len(weights) - 1 and coin >= weights[j]:
            coin, j = coin - weights[j], j + 1
        actions.append(proposed[j][m])
    return share, weights, actions


def by_logarithms(α, proposed, coins):
    α = torch.tensor(α, dtype=torch.float64)
    log_s = torch.cat([torch.zeros(1), torch.log1p(-α).cumsum(0)])
    w = torch.softmax(torch.log(α) + log_s[:-1], 0)
    who = torch.searchsorted(w.cumsum(0), torch.tensor(coins, dtype=torch.float64), right=True).clamp(max=len(α) - 1)
    return log_s.exp(), w, torch.tensor(proposed)[who, torch.arange(len(coins))]


OTHERS = [
    ("q1", by_torch),
    ("q1", flat),
    ("q2", one_loop),
    ("q2", by_generator),
    ("q3", by_hand),
    ("q3", by_logarithms),
]


@pytest.mark.parametrize("id, fn", OTHERS)
def test_right_answers_of_other_styles_pass(id, fn):
    for seed in SEEDS[:5]:
        for cases in (public(f"a6.{id}", seed), hidden(f"a6.{id}", seed)):
            card = examine(QUESTIONS[f"a6.{id}"], fn, cases)
            assert card.passed, card


def test_no_coin_is_near_an_edge():
    """So that < and ≤, single precision and the order of a sum decide nothing."""
    for seed in SEEDS[:5]:
        for case in (*public("a6.q2", seed), *hidden("a6.q2", seed)):
            p, coins = case.args["p"], case.args["coins"]
            assert np.abs(coins[:, None] - p ** np.arange(len(coins))).min() > 0.01
        for case in (*public("a6.q3", seed), *hidden("a6.q3", seed)):
            apart = np.abs(case.args["coins"][:, None] - np.cumsum(core.expected_outputs(case)[1])[:-1])
            assert apart.min(initial=1) > 1e-4


def test_the_last_cells_use_the_answers():
    """With a wrong answer (cloning instead of DAgger) the notebook's own assertions fail."""
    matplotlib.use("Agg")

    def run(**replaced):
        namespace = {}
        for source, question in code_cells(A6.slug):
            if not source.startswith("check(") and "plt" not in source:
                exec(source, namespace)
            namespace |= replaced if question else {}

    run()
    with pytest.raises(AssertionError, match="do your answers pass"):
        run(dagger=lambda *x: REFERENCE["a6.q2"](*x[:4], 1.0, *x[5:]))
