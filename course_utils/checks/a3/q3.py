"""a3.q3: MAIL's pathwise gradient through a known forward model."""

from __future__ import annotations

import numpy as np

from course_utils.checks.common import ALMOST, HUGE, SATURATED, TRUNCATED, WHOLE, rewards
from course_utils.checks.core import Case, Mistake, Output, Question
from course_utils.checks.oracles import complex_step, held, log_sigmoid


def instance(K, log_σ, W, B, u, v, s0, ε, γ, note=""):
    args = dict(K=K, log_σ=log_σ, W=W, B=B, u=u, v=v, s0=s0, ε=ε, γ=γ)
    return Case(args, q3()(**args), note)


def cases(rng):
    def world(n, m, N, H):
        """n state coordinates, m action coordinates, N trajectories of H actions."""
        return dict(
            K=rewards(rng, m, n) / 2,
            log_σ=rng.uniform(-1.5, -0.3, m).round(2),
            W=rewards(rng, n, n) / 2,
            B=rewards(rng, n, m),
            u=rewards(rng, n) / 2,
            v=rewards(rng, m) / 2 + 0.25,
            s0=rewards(rng, N, n) / 2,
            ε=rng.normal(size=(N, H, m)).round(2),
            γ=float(rng.choice([0.6, 0.7, 0.8, 0.9])),
        )

    sizes = [
        (1, 1, 1, 2),
        (2, 1, 2, 3),
        (1, 2, 3, 3),
        (2, 2, 2, 4),
        (3, 2, 3, 4),
    ]
    cases = [instance(**world(*size)) for size in sizes]
    x = world(2, 2, 3, 4)
    whole = {k: np.round(x[k]).astype(int) for k in ("s0", "ε")}
    whole |= {k: rng.integers(-1, 2, x[k].shape) for k in ("K", "W", "B", "u", "v")}
    whole |= {"log_σ": np.array([-1, 0]), "u": np.array([1, -2])}
    far = {"u": x["u"] + [1000, -1000], "s0": x["s0"] + 4 * np.array([[1, -1], [-1, 1], [1, -1]])}
    cases += [
        instance(**x | whole, note=f"{WHOLE} in all but γ"),
        instance(**x | far, note=f"{HUGE}: logits of several thousand"),
    ]
    return cases


# The oracle: run the sessions in complex numbers. Everything takes leading axes of K and log σ.


def transpose(M):
    return np.swapaxes(M, -1, -2)


def move(s, a, W, B):
    return s + np.tanh(s @ W.T + a @ B.T)


def price(s, a, u, v):
    """log D(s, a)."""
    return log_sigmoid(s @ u + a @ v)


def act(s, K, log_σ, e):
    return s @ transpose(K) + np.exp(log_σ)[..., None, :] * e


def costs(K, log_σ, x, act=act, move=move, price=price, from_state=lambda s: s, parameter=lambda θ, t, x: θ):
    """The cost of each step, (…, N, H), or something wrong: any part of a step, or what a state remembers."""
    s, prices = x["s0"], []
    for t in range(x["ε"].shape[1]):
        a = act(s, parameter(K, t, x), parameter(log_σ, t, x), x["ε"][:, t])
        prices.append(price(s, a, x["u"], x["v"]))
        s = from_state(move(s, a, x["W"], x["B"]))
    if not prices:  # of episodes that are cut short until nothing is left
        return np.zeros((*K.shape[:-2], len(s), 1))
    return np.stack(np.broadcast_arrays(*prices), -1)


def total(c, γ):
    """Equation (5)."""
    return (c * γ ** np.arange(c.shape[-1])).sum(-1).mean(-1)


def q3(costs=costs, total=total, slope=None, after=lambda J, dK, dσ, x: (J, dK, dσ), change=lambda x: {}, **wrong):
    """The oracle, or something wrong: costs or parts of them, a total (one for the slope), an outcome, arguments."""

    def gives(**x):
        x = {k: np.asarray(y, dtype=float) for k, y in x.items()}
        x |= change(x)
        (m, n), K, log_σ = x["K"].shape, x["K"], x["log_σ"]

        def J(θ):
            c = costs(θ[..., : m * n].reshape(*θ.shape[:-1], m, n), θ[..., m * n :], x, **wrong)
            return (slope or total)(c, x["γ"])

        g = complex_step(J, np.concatenate([K.ravel(), log_σ]))
        value = np.real(total(costs(K, log_σ, x, **wrong), x["γ"]))
        return after(value, g[: m * n].reshape(m, n), g[m * n :], x)

    return gives


# What goes wrong, from the most to the least specific, recomputed from the slow oracle: a quantity that is held hides
# from the derivative, and `with_slope` gives a value another derivative.


def with_slope(value, slope):
    return held(value) + 1j * np.imag(slope)


def backward_tanh(factor):
    """tanh with a wrong derivative, factor(z, y, s') where y = tanh z."""

    def wrong(s, a, W, B):
        z = s @ W.T + a @ B.T
        y = np.tanh(held(z))
        return s + with_slope(y, z * factor(held(z), y, held(s) + y))

    return wrong


def backward_log(factor):
    """log D with a wrong derivative, factor(D)."""

    def wrong(s, a, u, v):
        z = s @ u + a @ v
        return with_slope(log_sigmoid(held(z)), z * factor(np.exp(log_sigmoid(held(z)))))

    return wrong


def held_states(K, log_σ, x):
    """The states (N, d) of every time, without a derivative."""
    s = [x["s0"]]
    for t in range(x["ε"].shape[1] - 1):
        s.append(move(s[-1], act(s[-1], held(x["K"]), held(x["log_σ"]), x["ε"][:, t]), x["W"], x["B"]))
    return s


def one_step_back(seen_by_policy):
    """Each state depends on the action before it only; seen_by_policy(s) is what the next action knows of that."""

    def wrong(K, log_σ, x):
        s, prices = held_states(K, log_σ, x), []
        for t, here in enumerate(s):
            if t:
                here = move(s[t - 1], act(s[t - 1], K, log_σ, x["ε"][:, t - 1]), x["W"], x["B"])
            prices.append(price(here, act(seen_by_policy(here), K, log_σ, x["ε"][:, t]), x["u"], x["v"]))
        return np.stack(np.broadcast_arrays(*prices), -1)

    return wrong


def score(keep):
    """Costs whose derivative is that of log π, summed over times by keep(log π)."""

    def wrong(K, log_σ, x):
        log_π, prices = [], []
        for t, s in enumerate(held_states(K, log_σ, x)):
            a = act(s, x["K"], x["log_σ"], x["ε"][:, t])
            away = (a - s @ transpose(K)) / np.exp(log_σ)[..., None, :]
            log_π.append((-(away**2) / 2 - log_σ[..., None, :]).sum(-1))
            prices.append(price(s, a, x["u"], x["v"]))
        return np.stack(prices, -1) * (1 + 1j * np.imag(keep(np.stack(log_π, -1))))

    return wrong


def next_prices(K, log_σ, x):
    """The price of (s_{t+1}, a_t)."""
    s, prices = x["s0"], []
    for t in range(x["ε"].shape[1]):
        a = act(s, K, log_σ, x["ε"][:, t])
        s = move(s, a, x["W"], x["B"])
        prices.append(price(s, a, x["u"], x["v"]))
    return np.stack(np.broadcast_arrays(*prices), -1)


def noiseless_end(x):
    return {"ε": np.concatenate([x["ε"], np.zeros_like(x["ε"][:, :1])], 1)}


def weighed(weights):
    return lambda c, γ: (c * weights(γ, np.arange(c.shape[-1]))).sum(-1).mean(-1)


COUNT = "An episode has H actions, a_0 … a_{H−1}, one for each ε[:, t], and each of them has one cost."
MISTAKES = (
    ALMOST,
    TRUNCATED,
    SATURATED,
    Mistake(
        "cut at the state",
        "Your gradient knows how K moves a_t, but not how it moved s_t: the state was cut off (detach, a NumPy copy, a "
        "constant). The point of MAIL is that the model is differentiable: go back through s_{t+1} = F(s_t, a_t).",
        q3(from_state=held),
    ),
    Mistake(
        "score function, not pathwise",
        "This is REINFORCE, cost × ∇log π: unbiased over many ε, but not the derivative for *these* ε, and noisier. "
        "With ε given, the action is a differentiable function of K: follow it.",
        tuple(
            q3(costs=score(keep), after=f)
            for keep in (lambda p: p.sum(-1, keepdims=True), lambda p: p.cumsum(-1), lambda p: p)
            for f in (lambda J, dK, dσ, x: (J, dK, dσ), lambda J, dK, dσ, x: (J, -dK, -dσ))
        ),
    ),
    Mistake(
        "one step back only",
        "A cost at time t depends on *all* earlier actions, not on the last one alone: carry the derivative on through "
        "every state.",
        (q3(costs=one_step_back(lambda s: s)), q3(costs=one_step_back(held))),
    ),
    Mistake(
        "feedback forgotten",
        "a_t = K s_t + …: a change of s_t changes a_t as well, so the derivative that goes back to s_t has a part Kᵀ "
        "∂/∂a_t.",
        q3(act=lambda s, *x: act(held(s), *x)),
    ),
    Mistake(
        "Jacobian of the state incomplete",
        "s' = s + tanh(W s + B a) depends on s in two places, the s itself and W s: the derivative has a 1 and a W.",
        (
            q3(move=lambda s, a, W, B: held(s) + np.tanh(s @ W.T + a @ B.T)),
            q3(move=lambda s, a, W, B: s + np.tanh(held(s) @ W.T + a @ B.T)),
            q3(move=lambda s, a, W, B: held(s) + np.tanh(held(s) @ W.T + a @ B.T)),
        ),
    ),
    Mistake(
        "derivative of tanh",
        "The derivative of tanh(z) is 1 − tanh(z)²: with the value of tanh, not with z, nor with the new state.",
        tuple(
            q3(move=backward_tanh(f))
            for f in (lambda z, y, s: 1.0, lambda z, y, s: 1 - z**2, lambda z, y, s: 1 - s**2, lambda z, y, s: 1 - y)
        ),
    ),
    Mistake(
        "derivative of log D",
        "The derivative of log σ(x) is 1 − σ(x).",
        tuple(q3(price=backward_log(f)) for f in (lambda D: D, lambda D: D * (1 - D))),
    ),
    Mistake(
        "the cost's own action forgotten",
        "log D(s_t, a_t) sees the action too: the derivative has a part v.",
        q3(price=lambda s, a, u, v: price(s, held(a), u, v)),
    ),
    Mistake(
        "the cost's own state forgotten",
        "log D(s_t, a_t) sees the state, and K has moved it: the derivative has a part u.",
        q3(price=lambda s, a, u, v: price(held(s), a, u, v)),
    ),
    Mistake(
        "discount missing",
        "The cost at time t counts γ^t.",
        (q3(total=weighed(lambda γ, t: 1.0)), q3(slope=weighed(lambda γ, t: 1.0))),
    ),
    Mistake("discount one step late", "The first cost counts γ⁰ = 1.", q3(total=weighed(lambda γ, t: γ ** (t + 1)))),
    Mistake(
        "discount reversed",
        "The *last* cost counts least, γ^{H−1}. Going forward in time, J = γ J + cost discounts the first one most.",
        q3(total=weighed(lambda γ, t: γ ** t[::-1])),
    ),
    Mistake(
        "discount restarted at every action",
        "A recursion like Bellman's, ∂c_t + γ (what comes later), gives the derivative as seen from time t. Seen from "
        "the start, as in J, what a_t does counts γ^t times that.",
        q3(parameter=lambda θ, t, x: with_slope(θ, θ * x["γ"] ** -t) if np.iscomplexobj(θ) else θ),
    ),
    Mistake(
        "sum over trajectories",
        "J is the *mean* over the N trajectories.",
        (q3(after=lambda J, dK, dσ, x: tuple(len(x["s0"]) * y for y in (J, dK, dσ))),)
        + (q3(after=lambda J, dK, dσ, x: (J, len(x["s0"]) * dK, len(x["s0"]) * dσ)),)
        + (q3(after=lambda J, dK, dσ, x: (J, len(x["s0"]) * dK, dσ)),)
        + (q3(after=lambda J, dK, dσ, x: (J, dK, len(x["s0"]) * dσ)),),
    ),
    Mistake(
        "mean over steps",
        "J adds up the costs of an episode, discounted; the mean is over trajectories only.",
        (q3(after=lambda J, dK, dσ, x: tuple(y / x["ε"].shape[1] for y in (J, dK, dσ))),)
        + (q3(after=lambda J, dK, dσ, x: (J, dK / x["ε"].shape[1], dσ / x["ε"].shape[1])),),
    ),
    Mistake(
        "one cost for each trajectory",
        "J is one number, the mean over the trajectories.",
        lambda **x: each_alone(**x),
    ),
    Mistake(
        "log σ taken for σ",
        "The noise has size σ = e^{log σ}.",
        (
            q3(act=lambda s, K, log_σ, e: s @ transpose(K) + log_σ[..., None, :] * e),
            q3(act=lambda s, K, log_σ, e: s @ transpose(K) + abs(held(log_σ))[..., None, :] * e),
        ),
    ),
    Mistake(
        "log σ taken for a log variance",
        "log_σ is the logarithm of the standard deviation: σ = e^{log σ}.",
        (
            q3(act=lambda s, K, log_σ, e: act(s, K, log_σ / 2, e)),
            q3(act=lambda s, K, log_σ, e: act(s, K, 2 * log_σ, e)),
        ),
    ),
    Mistake(
        "gradient in σ, not in log σ",
        "∂J/∂log σ = σ ∂J/∂σ.",
        tuple(q3(after=lambda J, dK, dσ, x, k=k: (J, dK, dσ * np.exp(k * x["log_σ"]))) for k in (-1, 1)),
    ),
    Mistake(
        "log σ without a gradient",
        "log σ moves the actions too: by how much does a_t change with it? (In torch: was σ made from log σ by a "
        "function of torch?)",
        q3(act=lambda s, K, log_σ, e: act(s, K, held(log_σ), e)),
    ),
    Mistake(
        "noise ignored",
        "The actions are a_t = K s_t + σ ε_t, with the ε that are given.",
        q3(change=lambda x: {"ε": 0 * x["ε"]}),
    ),
    Mistake(
        "one noise for all steps",
        "Each step has its own noise, ε[:, t].",
        (
            q3(change=lambda x: {"ε": np.repeat(x["ε"][:, :1], x["ε"].shape[1], 1)}),
            q3(change=lambda x: {"ε": np.repeat(x["ε"][:1], len(x["ε"]), 0)}),
        ),
    ),
    Mistake(
        "sign of the gradient",
        "Return ∇J itself. The policy will then *descend* it.",
        q3(after=lambda J, dK, dσ, x: (J, -dK, -dσ)),
    ),
    Mistake(
        "reward, not cost",
        "log D is what the policy *pays* where D takes it for itself. You add up −log D.",
        (q3(price=lambda *x: -price(*x)), q3(after=lambda J, dK, dσ, x: (-J, dK, dσ))),
    ),
    Mistake(
        "log(1 − D), not log D",
        "Here D → 1 is the policy and the cost is log D, as in GAIL's paper.",
        (q3(price=lambda s, a, u, v: price(-s, -a, u, v)), q3(price=lambda s, a, u, v: -price(-s, -a, u, v))),
    ),
    Mistake(
        "D or its logit, not log D",
        "The cost is log D(s, a) = log σ(u·s + v·a).",
        (q3(price=lambda *x: np.exp(price(*x))), q3(price=lambda s, a, u, v: s @ u + a @ v)),
    ),
    Mistake("cost of the next state", "a_t is paid for in s_t, before the world moves.", q3(costs=next_prices)),
    Mistake("one cost too many", COUNT, q3(change=noiseless_end)),
    Mistake("one step short", COUNT, q3(change=lambda x: {"ε": x["ε"][:, :-1]})),
    Mistake(
        "only the last cost",
        "All H costs count, not that of the last step alone.",
        (
            q3(total=weighed(lambda γ, t: γ**t * (t == t[-1]))),
            q3(total=weighed(lambda γ, t: 1.0 * (t == t[-1]))),
        ),
    ),
    Mistake(
        "the change, not the next state",
        "tanh(W s + B a) is what is *added* to the state.",
        q3(move=lambda s, a, W, B: np.tanh(s @ W.T + a @ B.T)),
    ),
    Mistake("tanh missing", "s' = s + tanh(W s + B a).", q3(move=lambda s, a, W, B: s + s @ W.T + a @ B.T)),
    Mistake(
        "W transposed",
        "W s is Σ_j W[i, j] s[j]: for a batch with states in rows, `s @ W.T`.",
        q3(move=lambda s, a, W, B: move(s, a, W.T, B)),
    ),
)


def each_alone(**x):
    """J of every trajectory, with the right gradient."""
    alone = [q3()(**x | {"s0": x["s0"][i : i + 1], "ε": x["ε"][i : i + 1]})[0] for i in range(len(x["s0"]))]
    return (np.array(alone), *q3()(**x)[1:])


QUESTION = Question(
    "a3.q3",
    "The pathwise gradient of MAIL",
    "Differentiate what a policy will pay through the model of the world, back through every state.",
    difficulty=3,
    minutes=40,
    points=4,
    arguments=("K", "log_σ", "W", "B", "u", "v", "s0", "ε", "γ"),
    outputs=(Output("J"), Output("dK", "ij"), Output("dlog_σ", "i")),
    cases=cases,
    mistakes=MISTAKES,
)
