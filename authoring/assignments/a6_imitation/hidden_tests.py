"""Hidden tests of assignment a6: CASES maps a question id to a function of a generator that returns a list of Case.

They follow the same definitions as the public checks, on other sizes and kinds of instances: large ones, one of
everything, early ends, budgets of all sizes, huge logits, tiny rates, integers and single precision. The expected values
come from the checks' oracles, which are exact at any size.
"""
import numpy as np

from course_utils.checks.a6 import q1, q2, q3
from course_utils.checks.a6.school import School


def single(x):
    return np.float32(x) if getattr(x, "dtype", None) == float else x


# q1: the loss of cloning

def cloning(rng):
    def world(d, A, lengths, spare=0, scale=1.0):
        _, actions, lengths = q1.episodes(rng, lengths, d, A, max(lengths) + spare)
        return dict(θ=scale * rng.normal(size=(d, A)), obs=rng.normal(size=(*actions.shape, d)), actions=actions,
                    lengths=lengths)

    def case(x, note="", **change):
        return q1.instance(**(x | change), note=note)

    x = world(3, 4, [4, 7, 1, 5])
    N, L, d = x["obs"].shape
    constant = x["obs"].copy()
    constant[..., 0] = 1.0
    level = np.array([[1.0], [0.0], [0.0]])
    far = np.array([[-1.0, 0.0, 1.0, 1.0], 4 * [0.0], 4 * [0.0]])
    zeros = x["obs"].copy()
    zeros[1, 2] = 0.0
    after = np.arange(L) >= x["lengths"][:, None]
    whole = np.round(2 * x["obs"]).astype(int)
    cases = [case(world(1, 2, [1]), "one step"), case(world(3, 3, [5]), "one episode"),
             case(world(2, 4, [1, 1, 1]), "one step each"), case(world(2, 3, [4, 4, 4]), "equal lengths"),
             case(world(2, 1, [3, 1]), "one action: nothing to learn"), case(world(1, 5, [2, 6]), "one feature"),
             case(world(2, 3, [2, 3, 1], spare=4), "more padding than needed"), case(x),
             case(world(8, 6, [1, 60, 2, 30])), case(world(5, 3, rng.integers(1, 41, size=30))),
             case(world(3, 3, [4, 2, 3], scale=8.0), "large weights"),
             case(x, "θ = 0", θ=0 * x["θ"]), case(x, "an observation of zeros", obs=zeros),
             case(x, "large leftovers after the end", obs=np.where(after[..., None], 1e6, x["obs"])),
             case(x, "integers", θ=np.round(2 * x["θ"]).astype(int), obs=whole),
             case({k: single(y) for k, y in x.items()}, "single precision")]
    cases += [case(x, "huge logits", obs=constant, θ=x["θ"] + shift)
              for shift in (1500 * level, -1500 * level, 1500 * far, -1500 * far)]
    return cases


# q2: DAgger

def dagger(rng):
    def school(S, A, ends=0.15):
        return q2.random_school(rng, S, A, ends)

    def case(school, T, B, note="", p=None, as_type=lambda x: x):
        p = float(rng.choice([0.4, 0.55, 0.75, 0.9])) if p is None else p
        return q2.instance(school, p, T, as_type(q2.coins_for(rng, p, B)), note)

    def changed(school, **tables):
        names = "moves", "starts", "answers", "slips", "quirks"
        return School(**({name: getattr(school, name) for name in names} | tables))

    x = school(7, 3)
    S, A = x.moves.shape
    long, short = (case(changed(x, moves=moves), 5, 30, note, p=0.6) for moves, note in (
        (np.where(np.arange(S)[:, None] == S - 1, S - 1, x.moves % (S - 1)), "no episode ends by itself"),
        (np.full((S, A), S - 1), "one question an episode")))
    some = case(x, 6, 40, p=0.7)
    begins = q2.q2(after=lambda y: y.begins)(**some.args)
    cases = [case(x, 5, 1, "one question"), case(x, 5, 2, "two questions"), case(x, 1, 12, "one step an episode"),
             case(x, 50, 9, "hardly an episode"), case(school(2, 3, 0.2), 4, 20, "one state and the end"),
             case(school(5, 1), 4, 15, "one action"), case(x, 6, 40, "only the expert drives", p=1.0),
             case(x, 6, 40, "the learner drives from the second episode on", p=0.0), long, short, some,
             case(school(12, 5), 7, 60), case(school(30, 4, 0.05), 20, 200), case(school(50, 6), 12, 400, p=0.9),
             case(changed(x, slips=np.zeros(1, int)), 6, 40, "an expert who never changes their mind"),
             case(x, 6, 40, "single precision", as_type=np.float32)]
    cases += [q2.instance(x, 0.7, 6, some.args["coins"][:begins[j]], "the budget ends with an episode")
              for j in (1, 3, 5)]
    return cases


# q3: SMILe

def smile(rng):
    def case(α, M, note="", as_type=single, coins=None):
        coins = q3.coins_for(rng, α, M) if coins is None else coins
        return q3.instance(as_type(α), as_type(2 * rng.normal(size=(len(α), M))), as_type(coins), note)

    same = lambda x: x
    α = rng.uniform(0.1, 0.8, 5)
    cases = [case(np.array([0.3]), 4, "one policy", same), case(α, 1, "one state", same),
             case(np.array([0.2, 0.6]), 8, "", same), case(np.full(6, 0.2), 30, "a constant rate", same),
             case(α, 40, "", same), case(np.sort(α), 30, "rising rates", same), case(np.sort(α)[::-1], 30, "", same),
             case(rng.uniform(0.01, 0.2, 12), 200, "many policies", same),
             case(0.5 / np.arange(1, 9) ** 2, 50, "rates that fall", same),
             case(np.array([0.3, 0.999, 0.4, 0.5]), 20, "an expert who has nearly left", same),
             case(1e-15 * rng.uniform(5, 50, 4), 10, "tiny rates", same),
             case(np.array([1e-14, 0.5, 1e-13]), 10, "tiny rates and a large one", same),
             case(α, 12, "the first policy each time", same, np.zeros(12)),
             case(α, 12, "the last policy each time", same, np.full(12, 1 - 1e-9)),
             case(α, 30, "single precision")]
    cases.append(q3.instance(α, rng.integers(-5, 6, size=(5, 20)), q3.coins_for(rng, α, 20), "whole actions"))
    return cases


CASES = {"a6.q1": cloning, "a6.q2": dagger, "a6.q3": smile}
