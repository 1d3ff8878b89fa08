"""What benchmarks/gail.py computes from its runs, and how both sides of it are judged."""

import csv
import importlib
import json
import math
import time

import gymnasium
import numpy as np
import pytest


@pytest.fixture
def gail(monkeypatch):
    from course_utils.studies import ROOT

    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("gail")


def curve(values):
    return [(100 * i, float(i), value) for i, value in enumerate(values, start=1)]


@pytest.mark.parametrize(
    ("values", "first", "sustained"),
    [
        ([0.5] * 12, math.inf, math.inf),
        ([0.95] * 10, 1, 1),  # .95 itself is enough, and so are ten
        ([0.95] * 9, 1, math.inf),
        ([0.5, 1.0, 0.5] + [1.0] * 10, 2, 4),
        ([1.0] * 20 + [0.94], 1, math.inf),  # it was good for long, and did not stay so
        ([0.0] * 5 + [1.0] * 9, 6, math.inf),
        ([], math.inf, math.inf),
    ],
)
def test_times(gail, values, first, sustained):
    assert gail.times(curve(values)) == (first, sustained)


def record(gail, who, values, seed=0, task="CartPole-v1"):
    from course_utils.experts import reference_returns

    J_random, J_expert, _ = reference_returns(task)
    returns = [J_random + value * (J_expert - J_random) for value in values]
    return {"task": task, "who": who, "seed": seed, "curve": curve(returns), "cpu_seconds": len(values) + 0.5}


def test_a_row_is_normalised_and_a_run_that_never_gets_there_is_a_row(gail):
    good = gail.row(record(gail, "ours", [0.2] + [0.97] * 11))
    assert (good["first_s"], good["sustained_s"], good["reached"], good["evaluations"]) == (2, 2, True, 12)
    assert good["last_ten_min"] == pytest.approx(0.97) and good["total_s"] == 12.5
    bad = gail.row(record(gail, "peer", [0.2, 0.97] + [0.3] * 9))
    assert (bad["first_s"], bad["sustained_s"], bad["reached"]) == (2, None, False)
    assert bad["last_ten_mean"] == pytest.approx((0.97 + 9 * 0.3) / 10)


def test_ratios_are_by_seed_and_say_when_they_are_bounds(gail):
    ours = [gail.row(record(gail, "ours", v, s)) for s, v in enumerate([[0.5] + [1.0] * 10, [1.0] * 10, [0.5] * 20])]
    peer = [gail.row(record(gail, "peer", v, s)) for s, v in enumerate([[0.5] * 9 + [1.0], [0.5] * 30, [1.0] * 10])]
    assert gail.ratios(peer, ours, "first_s") == [(10 / 2, False), (30.5 / 1, True), None]
    assert gail.ratios(peer, ours, "sustained_s") == [(10.5 / 2, True), (30.5 / 1, True), None]
    text = gail.summary(ours + peer)
    assert "5.0, ≥ 30.5, never" in text and "2/3  1.5 [1.0 … 2.0]" in text and "0/3  never" not in text
    assert text.count("1/3  1.0 [1.0 … 1.0]") == 1  # the peer's sustained


def test_a_longer_run_of_the_peer_is_cut_after_the_round_that_spends_the_budget(gail):
    long = {"curve": [(1, 4.0, 0.1), (1, 4.0, 0.2), (2, 8.0, 0.3), (2, 8.0, 0.4), (3, 12.0, 0.5)], "cpu_seconds": 12.1}
    assert gail.cut(long, 7) == {"curve": long["curve"][:4], "cpu_seconds": 8.0}
    assert gail.cut(long, 8) == gail.cut(long, 7)
    assert gail.cut(long, 20)["curve"] == long["curve"] and gail.cut(long, 3)["curve"] == long["curve"][:2]


def test_what_is_stored_says_how_it_was_made(gail, tmp_path):
    records = [record(gail, who, [1.0] * 12) | {"machine": {"cpu": "x"}, "versions": {"a": "1"}} for who in gail.RUN]
    rows = [gail.row(r) for r in records]
    gail.store(rows, records, seeds=1, budget=75.0, folder=tmp_path)
    how = json.loads((tmp_path / "gail.json").read_text(encoding="utf-8"))
    assert "--budget 75 --tasks CartPole-v1" in how["command"] and how["peer"]["ppo"]["gamma"] == 0.95
    assert [r["curve"] for r in how["curves: steps, CPU-s, mean return"]] == [
        json.loads(json.dumps(r["curve"])) for r in records
    ]
    with open(tmp_path / "gail.csv", encoding="utf-8") as file:
        assert [(r["who"], r["sustained_s"], r["reached"]) for r in csv.DictReader(file)] == [
            ("ours", "1", "True"),
            ("peer", "1", "True"),
        ]


def test_both_sides_are_judged_on_whole_episodes_of_gymnasiums_own(gail):
    from peers.evaluation import Stopwatch, mean_return

    def alone(seed):
        env = gymnasium.make("CartPole-v1")
        obs, total, over = env.reset(seed=seed)[0], 0.0, False
        while not over:
            obs, reward, terminated, truncated, _ = env.step(int(obs[2] + obs[3] > 0))
            total, over = total + reward, terminated or truncated
        return total

    lean = lambda obs: (obs[:, 2] + obs[:, 3] > 0).astype(int)
    assert mean_return("CartPole-v1", lean, 7, episodes=3) == np.mean([alone(seed) for seed in (7, 8, 9)])

    def slow(obs):
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass
        return np.zeros(len(obs), dtype=int)

    watch, start = Stopwatch("CartPole-v1", 0), time.process_time()
    watch.evaluate(10, slow)
    assert time.process_time() - start > 0.1 and watch.seconds() < 0.02, "evaluations are not counted"
    assert watch.curve[0][0] == 10 and 8 <= watch.curve[0][2] <= 12


def test_the_clipped_actions_of_ours_are_those_that_its_environment_takes(gail):
    from course_utils import environments
    from course_utils.networks import Policy, to_tensor

    env, rng = environments.make("Pendulum-v1", 5), np.random.default_rng(0)
    policy = Policy(env.single_observation_space, env.single_action_space, rng)
    policy.network[-1].bias.data.fill_(3.0)  # three half-boxes above the middle: outside
    obs = env.reset(seed=0)[0]
    assert (policy.mode(to_tensor(obs)) > 2).all() and (gail.likeliest(policy)(obs) == 2).all()
