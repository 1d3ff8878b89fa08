"""a6.q2: DAgger with a budget of questions, in episodes that may end early."""

from __future__ import annotations

import numpy as np

from course_utils.checks.a6.loop import (
    again_at_the_end,
    asks_before_it_counts,
    before_this,
    counted_apart,
    cut_off,
    distinct,
    forced,
    if_any_is_left,
    label_where_it_ends,
    latest,
    learner_from_the_first,
    many,
    never_emptied,
    nothing,
    once,
    only_after_the_end,
    q2,
    relabel,
    relabel_all,
    results,
    see_at_once,
    swapped,
    this,
    whole_episodes,
    with_the_best,
)
from course_utils.checks.a6.school import School
from course_utils.checks.core import Case, Mistake, Output, Question, expected_outputs

BOUNDARY = "the budget is spent as an episode ends"


def instance(school, p, T, coins, note=""):
    args = school.functions() | dict(p=p, T=T, coins=coins)
    return Case(args, q2()(**args), note)


def random_school(rng, S, A, ends=0.2, slips=7):
    """A school of S states, the end among them; an action leads there with the chance `ends`."""
    moves = rng.integers(S - 1, size=(S, A))
    moves[rng.random((S, A)) < ends] = S - 1
    moves[S - 1] = S - 1
    starts, answers, quirks = rng.integers(S - 1, size=5), rng.integers(A, size=S), rng.integers(A, size=S)
    return School(moves, starts, answers, rng.integers(A, size=slips) * (rng.random(slips) < 0.5), quirks)


def coins_for(rng, p, B, apart=0.012):
    """B random numbers in steps of 1/1000, none of them near a power of p, so that rounding decides nothing."""
    powers = np.r_[p ** np.arange(B + 1), 1 - p ** np.arange(B + 1)]
    grid = np.arange(20, 981) / 1000
    return rng.choice(grid[np.abs(grid[:, None] - powers).min(1) > apart], size=B)


def cases(rng):
    def draw(S, A, T, B, p=None):
        p = p or float(rng.choice([0.5, 0.6, 0.7]))
        return instance(random_school(rng, S, A), p, T, coins_for(rng, p, B))

    def until(good, *size):
        case = draw(*size)
        while not good(case):
            case = draw(*size)
        return case

    sizes = [(5, 3, 4, 15), (6, 3, 5, 20), (8, 4, 6, 30), (10, 4, 8, 50, 0.85)]
    while True:
        larger = [until(cuts_an_episode, *size) for size in sizes]
        wrong = [{key: gives(**case.args) for key, gives in KNOWN.items()} for case in larger]
        telling = [key for key in KNOWN if any(other_size(*x, key) for x in zip(larger, wrong, strict=True))]
        smallest = until(lambda case, telling=telling: cuts_an_episode(case) and tells(case, telling), 5, 3, 4, 12)
        if apart([{key: gives(**smallest.args) for key, gives in KNOWN.items()}, *wrong]):
            break
    x = larger[1].args
    spent = int(q2(after=lambda x: x.begins[3])(**x))  # by the first three episodes
    return [smallest, *larger, instance(x["step"].school, x["p"], x["T"], x["coins"][:spent], BOUNDARY)]


def other_size(case, wrong, key):
    """Whether this mistake gives arrays of another size than the right ones."""
    return [x.shape for x in wrong[key]] != [x.shape for x in expected_outputs(case)]


def tells(case, telling):
    """Whether all the mistakes in `telling` give another size here, and no two of them the same.

    A wrong size ends the check at the first instance, so what happens there alone must give the mistake its name.
    """
    wrong = {}
    for key in telling:
        wrong[key] = KNOWN[key](**case.args)
        if not other_size(case, wrong, key):
            return False
    return apart([wrong])


def apart(wrong):
    """Whether no two mistakes give the same on all instances."""
    names = {}
    for key in wrong[0]:
        names.setdefault(tuple(x.tobytes() for found in wrong for x in found[key]), set()).add(key[0])
    return all(len(x) == 1 for x in names.values())


def cuts_an_episode(case):
    """Whether the budget is spent in the middle of an episode."""
    return len(q2(cut=False)(**case.args)[0]) > len(case.args["coins"])


# What goes wrong, from the most to the least specific, recomputed from the slow loop.

ONE_QUESTION = (
    "Each question costs, and an expert who is asked again may answer otherwise. Ask once and keep the answer in a "
    "variable: it is the label, and it is the action if the expert drives."
)
WHO = "In episode i = 0, 1, 2, … the expert drives a step if its coin is *below* β_i = pⁱ."
STOP = "Episodes may end early, so count the questions themselves: len(labels)."
MISTAKES = (
    Mistake(
        "labels are the executed actions",
        "What was executed is the learner's own where the learner drove: it would learn its mistakes by heart. The "
        "label is what the *expert* would do.",
        (
            q2(pairs=lambda x, s, label, a, mine, there: [(s, a)]),
            q2(question=lambda x, s, mine: 2 * (x.ask(s) if mine else x.π[s],)),
        ),
    ),
    Mistake(
        "labels are the learner's",
        "The label is what the expert would do in this state, whatever the learner thinks and whoever drives.",
        q2(pairs=lambda x, s, label, a, mine, there: [(s, x.π[s] if x.i else label)]),
    ),
    Mistake(
        "no aggregation",
        "The A in DAgger: the learner learns from *all* pairs since the first episode, not from the last batch.",
        (q2(fit=this), q2(fit=this, after=lambda x: results(x, data=this(x))), q2(after=lambda x: results(x, this(x)))),
    ),
    Mistake(
        "data added twice",
        "The list of all pairs grows by those of the new episode only. Is the batch emptied before the next one?",
        (q2(at_end=never_emptied), q2(at_end=never_emptied, after=lambda x: results(x, data=x.all))),
    ),
    Mistake(
        "a dictionary forgets",
        "The same state may be visited, and labelled, many times: every visit counts, like in any data set. A dict "
        "or a set keeps one.",
        (
            *(q2(fit=lambda x, f=f: f(x.pairs)) for f in (latest, distinct)),
            *(q2(after=lambda x, f=f: results(x, data=f(x.pairs))) for f in (latest, distinct)),
            *(
                q2(fit=lambda x, f=f: f(x.pairs), after=lambda x, f=f: results(x, data=f(x.pairs)))
                for f in (latest, distinct)
            ),
        ),
    ),
    Mistake(
        "trained once, at the end",
        "The learner learns after *every* episode, and drives with what it has learned: otherwise no state that it "
        "brings itself into is ever labelled. That is behavioural cloning.",
        q2(at_end=nothing, after=once),
    ),
    Mistake(
        "the expert drives always",
        f"Then no state that the learner brings itself into is ever labelled: this is behavioural cloning. {WHO}",
        many(β=[lambda x: 1]),
    ),
    Mistake(
        "the learner drives ever after",
        f"β_i = 0 from the second episode on is a schedule too, but not the one asked for. {WHO}",
        many(β=[lambda x: x.i == 0]),
    ),
    Mistake(
        "the learner drives too early",
        "β_0 = p⁰ = 1: in the first episode the expert drives every step. There is no learner yet.",
        (
            *learner_from_the_first(β=lambda x: x.p ** (x.i + 1)),
            *learner_from_the_first(β=lambda x: x.p),
            *learner_from_the_first(β=lambda x: 0),
        ),
    ),
    Mistake(
        "β one episode off",
        "Episodes are counted from 0: β is 1, p, p², …",
        many(β=[forced(lambda x: x.p ** (x.i + 1)), forced(lambda x: x.p ** (x.i - 1))]),
    ),
    Mistake("β never decreases", WHO, many(β=[forced(lambda x: x.p)])),
    Mistake(
        "β falls with every step",
        f"The exponent is the number of the *episode*. {WHO}",
        many(β=[lambda x: x.p**x.k, lambda x: x.p**x.t, lambda x: x.p ** (x.i + x.t)]),
    ),
    Mistake(
        "another schedule",
        WHO,
        many(
            β=[
                lambda x: 1 / (x.i + 1),
                lambda x: 1 - x.p * x.i,
                lambda x: 1 - (1 - x.p) * x.i,
            ]
        ),
    ),
    Mistake(
        "who drives is swapped",
        WHO,
        (
            *learner_from_the_first(drives=lambda c, β: c > β),
            *learner_from_the_first(β=lambda x: 1 - x.p**x.i),
            q2(drives=lambda c, β: c > β, coin=lambda x: x.coins[x.k % x.B] if x.i else 2),
            q2(β=forced(lambda x: 1 - x.p**x.i)),
        ),
    ),
    Mistake(
        "one coin for an episode",
        "Who drives is decided anew at every step, by the coin of that step's question.",
        many(coin=[lambda x: x.coins[x.first], lambda x: x.coins[x.i % x.B]]),
    ),
    Mistake(
        "another question's coin",
        "coins[k] belongs to question k, counted over all episodes: k = len(labels) before the answer is appended.",
        many(
            coin=[
                lambda x: x.coins[x.t],
                lambda x: x.coins[(x.k + 1) % x.B],
                lambda x: x.coins[x.k - 1],
                lambda x: x.coins[(x.i * x.T + x.t) % x.B],
                counted_apart,
                lambda x: x.coins[-1 - x.k % x.B],
            ]
        ),
    ),
    Mistake(
        "no coin is tossed",
        f"Comparing β with ½ leaves nothing to chance. {WHO}",
        many(drives=[lambda c, β: β > 0.5, lambda c, β: β >= 0.5]),
    ),
    Mistake(
        "an average of two actions",
        "β π* + (1 − β) π means that one of the two drives, with these chances. Between two actions there need "
        "not be a sensible one.",
        tuple(
            q2(drives=lambda c, β: β, action=lambda answer, own, β, f=f: int(f(β * answer + (1 - β) * own)))
            for f in (round, int)
        ),
    ),
    Mistake(
        "the expert is asked twice",
        ONE_QUESTION,
        (
            q2(question=lambda x, s, mine: (x.ask(s), x.ask(s) if mine else None)),
            q2(question=lambda x, s, mine: (x.ask(s) if mine else None, x.ask(s))[::-1]),
            q2(question=lambda x, s, mine: (x.ask(s), x.ask(s))),
            q2(question=lambda x, s, mine: (x.ask(s), x.ask(s))[::-1]),
            q2(question=lambda x, s, mine: (None, x.ask(s) if mine else None), at_end=relabel),
            q2(question=lambda x, s, mine: (None, x.ask(s)), at_end=relabel),
            q2(at_end=relabel_all),
        ),
    ),
    Mistake(
        "an old answer looked up",
        "The expert is asked in *every* state that is visited, seen before or not: the answer may differ.",
        q2(question=lambda x, s, mine: 2 * (dict(x.pairs)[s] if s in dict(x.pairs) else x.ask(s),)),
    ),
    Mistake(
        "visited states left out",
        "Every state that is visited is labelled and kept, whoever drives: where the expert drives, where the learner "
        "does, where they agree and where they do not.",
        many(
            pairs=[
                lambda x, s, label, a, mine, there: [(s, label)] if mine else [],
                lambda x, s, label, a, mine, there: [] if mine else [(s, label)],
                lambda x, s, label, a, mine, there: [(s, label)] if not x.i or x.π[s] != label else [],
                lambda x, s, label, a, mine, there: [(s, label)] if not (x.i and mine) else [],
            ]
        ),
    ),
    Mistake(
        "the label of another state",
        "The pair is the state that was asked about and the answer. Is `s` the next state already when it is stored?",
        many(
            pairs=[
                lambda x, s, label, a, mine, there: [(there, label)],
                lambda x, s, label, a, mine, there: [(s, x.ask(there))],
                lambda x, s, label, a, mine, there: [(there, x.ask(there))],
            ]
        ),
    ),
    Mistake(
        "asked after the end",
        "Where an episode has ended nothing is decided any more: the state that comes with done = True, or after T "
        "steps, is not asked about.",
        (q2(at_step=label_where_it_ends), q2(at_step=lambda x: label_where_it_ends(x, x.T))),
    ),
    Mistake("the end ignored", "An episode is over when step says done.", many(over=[lambda x, there: False])),
    Mistake(
        "T ignored",
        "An episode that does not end by itself is over after T steps.",
        many(limit=[lambda x: 10**4]),
    ),
    Mistake(
        "T one off",
        "An episode has at most T steps, and so at most T questions.",
        many(limit=[lambda x: x.T - 1, lambda x: x.T + 1]),
    ),
    Mistake(
        "over the budget",
        f"The budget may be spent in the middle of an episode: then not one question more. {STOP}",
        (
            q2(cut=False),
            q2(budget=lambda x: x.B + 1),
            q2(cut=False, coin=lambda x: x.coins[min(x.k, x.B - 1)], at_end=cut_off),
            q2(at_end=asks_before_it_counts),
        ),
    ),
    Mistake(
        "a question unused", f"B questions may be asked, the last one too. {STOP}", many(budget=[lambda x: x.B - 1])
    ),
    Mistake(
        "T questions assumed for every episode",
        f"{STOP} B/T episodes use up the budget only if none ends early.",
        (
            q2(episodes=lambda x: range(x.B // x.T)),
            q2(episodes=lambda x: range(x.B // x.T), coin=lambda x: x.coins[x.i * x.T + x.t]),
            q2(episodes=lambda x: range(-(-x.B // x.T))),
        ),
    ),
    Mistake(
        "the last episode not learned from",
        "Every pair counts, those of the last episode too, also if the budget cut it short: learn from them before you "
        "return.",
        (q2(at_end=if_any_is_left), q2(at_end=whole_episodes)),
    ),
    Mistake(
        "learned before the data were there",
        "First the episode, then learn from all pairs, those of this episode included; with what is learned the next "
        "one is driven.",
        q2(fit=before_this),
    ),
    Mistake(
        "learned after every question",
        "The policy stays as it is for the whole episode; the learner learns when it is over.",
        many(at_step=[see_at_once]),
    ),
    Mistake(
        "an old policy drives",
        "The learner drives with what it learned from the *last* fit, after the episode before this one.",
        many(guide=[lambda x: [*x.policies, x.π][0], lambda x: [np.zeros(x.S, int), *x.policies][-2:][0]]),
    ),
    Mistake(
        "not the last policy",
        "Return the policy that was learned last, from all pairs.",
        many(after=[lambda x: results(x, policy=x.policies[0]), with_the_best]),
    ),
    Mistake(
        "all policies",
        "Return the last policy only, a table (S,).",
        many(after=[lambda x: results(x, policy=np.array(x.policies))]),
    ),
    Mistake("states and labels swapped", "Return (states, labels, policy).", q2(after=swapped)),
    Mistake(
        "never reset",
        "Every episode begins with reset().",
        many(reset=[lambda x: x.start() if x.there is None else x.there, only_after_the_end]),
    ),
    Mistake(
        "reset twice",
        "One reset() for each episode: a second one starts yet another episode, and the first is lost.",
        (q2(reset=lambda x: (x.start(), x.start())[1]), q2(at_end=again_at_the_end)),
    ),
)


# Every variant by the name of its mistake and a number; the right answer is ("", 0).
KNOWN = {("", 0): q2()} | {
    (mistake.name, i): gives
    for mistake in MISTAKES
    for i, gives in enumerate(mistake.gives if isinstance(mistake.gives, tuple) else (mistake.gives,))
}

QUESTION = Question(
    "a6.q2",
    "DAgger with a budget",
    "Write the loop of DAgger: who drives, who labels, what is learned from and when to stop asking.",
    difficulty=3,
    minutes=45,
    points=5,
    arguments=("reset", "step", "expert", "learn", "p", "T", "coins"),
    outputs=(Output("states", "k"), Output("labels", "k"), Output("policy", "s")),
    cases=cases,
    mistakes=MISTAKES,
)
