"""Hidden tests of assignment a3: CASES maps a question id to a function of a generator that returns a list of Case.

They follow the same definitions as the public checks, on other sizes and kinds of instances: large batches and worlds,
one of everything, deterministic worlds, long episodes, large and huge numbers, integers and single precision. The
expected values come from the checks' oracles, which are exact at any size: complex steps through the definitions.
"""
import numpy as np

from course_utils.checks.a3 import q1, q2, q3, q4
from course_utils.checks.common import gaps


def single(x):
    return np.float32(x) if getattr(x, "dtype", None) == float else x


# q1: the discriminator

def discriminator(rng):
    def world(n, m, scale=2.0):
        R, log_q = scale * rng.normal(size=n + m), -scale * rng.exponential(size=n + m)
        return [R[:n], log_q[:n], R[n:], log_q[n:], float(rng.normal())]

    def case(args, note=""):
        return q1.instance(*args, note)

    args = world(7, 4)
    cases = [case(world(1, 1), "one of each"), case(world(1, 30), "one demonstration"),
             case(world(25, 1), "one sample"), case(world(6, 6), "batches of one size"), case(args),
             case(world(40, 160)), case(world(150, 30, 6.0), "large rewards")]
    R_expert, log_q_expert, R_policy, log_q_policy, log_Z = args
    for shift in (2500.0, -2500.0):
        cases += [case([R_expert + shift, log_q_expert, R_policy + shift, log_q_policy, log_Z + shift], "huge log Z"),
                  case([R_expert + shift, log_q_expert, R_policy - shift, log_q_policy, log_Z], "huge rewards"),
                  case([R_expert, log_q_expert + shift, R_policy, log_q_policy + shift, log_Z - shift],
                       "huge densities")]
    spread = 1200.0 * rng.integers(-1, 2, size=11)
    cases += [case([R_expert + spread[:7], log_q_expert, R_policy + spread[7:], log_q_policy, log_Z],
                   "huge rewards, different in each trajectory"),
              case([*(np.round(x).astype(int) for x in args[:4]), 1], "integers"),
              case([*map(single, args[:4]), log_Z], "single precision")]
    return cases


# q2: a step of GAIL

def gail(rng):
    def world(S, A, K, γ=0.9, λ=0.1, η=0.5):
        expert = rng.dirichlet(np.ones(S * A)).reshape(S, A) / (1 - γ)
        return dict(w=rng.normal(size=K), φ=rng.normal(size=(S, A)), features=rng.normal(size=(S, A, K)),
                    expert=expert, P=rng.dirichlet(np.ones(S), size=(S, A)), p0=rng.dirichlet(np.ones(S)),
                    γ=γ, λ=λ, η=η)

    def case(x, note="", **change):
        return q2.instance(**(x | change), note=note)

    x = world(5, 3, 4, γ=0.8)
    S, A, K = x["features"].shape
    features = np.round(3 * x["features"]).astype(int)
    cases = [case(world(1, 3, 2), "one state"), case(world(4, 1, 2), "one action"), case(world(3, 2, 1), "one feature"),
             case(world(2, 3, 20), "more features than pairs"), case(x), case(world(12, 4, 6)),
             case(world(20, 3, 8, γ=0.99, η=0.01), "nearly no discount"),
             case(world(4, 3, 3, γ=0.0), "no future"), case(x, "no entropy", λ=0.0), case(x, "much entropy", λ=3.0),
             case(x, "a discriminator that knows nothing", w=0 * x["w"]),
             case(x, "one feature for each pair", w=rng.normal(size=S * A), features=np.eye(S * A).reshape(S, A, -1)),
             case(x, "impossible moves", P=gaps(rng, x["P"])),
             case(x, "deterministic", P=np.eye(S)[rng.integers(S, size=(S, A))], p0=np.eye(S)[2]),
             case(x, "an expert with one action a state",
                  expert=x["expert"].sum(1, keepdims=True) * np.eye(A)[rng.integers(A, size=S)]),
             case(x, "a policy that is nearly certain", φ=30 * x["φ"]),
             case(x, "a policy that is certain", φ=x["φ"] + 2000.0 * np.eye(A)[rng.integers(A, size=S)]),
             case(x, "huge costs", features=700 * x["features"]),
             case(x, "integers", w=np.arange(K) - 1, φ=np.round(2 * x["φ"]).astype(int), features=features,
                  P=np.eye(S, dtype=int)[rng.integers(S, size=(S, A))], p0=np.eye(S, dtype=int)[1]),
             case({k: single(y) for k, y in x.items()}, "single precision")]
    return cases


# q3: back through the world

def mail(rng):
    def world(n, m, N, H, γ=0.9):
        return dict(K=0.5 * rng.normal(size=(m, n)), log_σ=rng.normal(size=m) - 1, W=0.5 * rng.normal(size=(n, n)),
                    B=rng.normal(size=(n, m)), u=rng.normal(size=n), v=rng.normal(size=m), s0=rng.normal(size=(N, n)),
                    ε=rng.normal(size=(N, H, m)), γ=γ)

    def case(x, note="", **change):
        return q3.instance(**(x | change), note=note)

    x = world(3, 2, 4, 5)
    long = world(4, 3, 10, 60, 0.95)
    long |= {"W": long["W"] - 2 * np.eye(4), "K": 0.3 * long["K"]}
    cases = [case(world(1, 1, 1, 1), "one of everything"), case(world(3, 2, 5, 1), "one step"),
             case(world(3, 2, 1, 4), "one trajectory"), case(world(1, 3, 4, 4), "one coordinate of the state"),
             case(world(4, 1, 4, 4), "one coordinate of the action"), case(world(3, 3, 4, 4), "as many of both"),
             case(x), case(world(6, 4, 50, 8)), case(long, "long"),
             case(x, "no discount", γ=1.0), case(x, "no future", γ=0.0), case(x, "no noise", ε=0 * x["ε"]),
             case(x, "hardly any noise", log_σ=x["log_σ"] - 30), case(x, "K = 0", K=0 * x["K"]),
             case(x, "a model that is saturated", W=30 * x["W"], B=30 * x["B"]),
             case(x, "the discriminator sees states only", v=0 * x["v"]),
             case(x, "the discriminator sees actions only", u=0 * x["u"]),
             case(x, "huge logits", u=800 * x["u"], v=800 * x["v"]),
             case({k: np.round(2 * y).astype(int) if k not in ("γ", "W") else y for k, y in x.items()}, "integers"),
             case({k: single(y) for k, y in x.items()}, "single precision")]
    return cases


# q4: AIRL's reward

def airl(rng):
    def world(S, lengths, γ=0.9, spare=0):
        states, log_π, lengths, terminated = q4.episodes(rng, S, lengths)
        states = np.pad(states, ((0, 0), (0, spare)), constant_values=-1)
        return dict(g=2 * rng.normal(size=S), h=2 * rng.normal(size=S), states=states,
                    log_π=np.pad(log_π, ((0, 0), (0, spare))), lengths=lengths, terminated=terminated, γ=γ)

    def case(x, note="", **change):
        return q4.instance(**(x | change), note=note)

    x = world(6, [4, 7, 1, 5, 7])
    far = 1500.0 * rng.permutation([-1, -1, 0, 0, 1, 1])
    cases = [case(world(1, [3, 2]), "one state"), case(world(4, [1, 1, 1]), "one step each"),
             case(world(5, [6]), "one episode"), case(world(5, [3, 3, 3, 3]), "equal lengths"),
             case(world(4, [2, 3, 1], spare=3), "more padding than needed"), case(x),
             case(world(30, rng.integers(1, 26, size=20), 0.99)),
             case(x, "no discount", γ=1.0), case(x, "no future", γ=0.0), case(x, "no shaping", h=0 * x["h"]),
             case(x, "all terminated", terminated=0 * x["terminated"] + 1),
             case(x, "all cut off", terminated=0 * x["terminated"]),
             case(x, "huge rewards", g=x["g"] + far), case(x, "huge shaping", h=x["h"] + far),
             case(x, "actions nearly impossible", log_π=700 * x["log_π"]),
             case(x, "integers", g=np.round(2 * x["g"]).astype(int), h=np.round(2 * x["h"]).astype(int),
                  log_π=np.round(x["log_π"]).astype(int)),
             case({k: single(y) for k, y in x.items()} | {"states": x["states"].astype(np.int32)}, "single precision")]
    return cases


CASES = {"a3.q1": discriminator, "a3.q2": gail, "a3.q3": mail, "a3.q4": airl}
