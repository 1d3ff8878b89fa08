"""What the benchmarks beside peers compute from their runs, and how all sides of them are judged."""

import csv
import importlib
import json
import math
import sys
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


# ---- benchmarks/grading.py


@pytest.fixture
def grading(monkeypatch):
    from course_utils.studies import ROOT

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # the script sets them for its children: afterwards they are as before
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("grading")


def agrees(function, instances):
    """Whether a function is right on all instances, called in this process."""
    for arguments, expected, rtol, atol in instances:
        try:
            with np.errstate(all="ignore"):
                found = function(*(x.copy() if isinstance(x, np.ndarray) else x for x in arguments))
            found = found if isinstance(found, tuple) else (found,)
            close = [np.allclose(x, y, rtol, atol) for x, y in zip(found, expected, strict=True)]
        except Exception:
            return False
        if not all(close) or [np.shape(x) for x in found] != [np.shape(y) for y in expected]:
            return False
    return True


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("of", ["the fifty", "a class"])
def test_the_ordinary_submissions_deserve_the_marks_that_they_are_said_to(grading, of):
    """Called in place, without any grader."""
    from peers import instances, submissions

    handed = submissions.fifty() if of == "the fifty" else submissions.many(40)
    handed = [one for one in handed if grading.kind_of(one) == "ordinary"]
    blank, given = json.loads(submissions.BLANK.read_text(encoding="utf-8")), instances.instances(seed=3)
    assert len(handed) == 40 and len({submissions.dump(one.fill(blank)) for one in handed}) == 40
    for one in handed:
        namespace = {}
        for cell in submissions.shortened(one.fill(blank))["cells"]:
            if cell["cell_type"] == "code" and not submissions.is_check(cell):
                exec(submissions.text(cell), namespace)
        for question, (name, _) in submissions.FUNCTIONS.items():
            same, others = (agrees(namespace[name], given[question][half]) for half in instances.HALVES)
            assert (same + (same and others)) / 2 == one.deserved[question], f"{one.student} ({one.kind}), {question}"


def test_ten_of_the_fifty_break_or_attack_a_grader(grading):
    from peers import submissions

    handed = submissions.fifty()
    hostile = [one for one in handed if grading.kind_of(one) == "hostile"]
    assert len(handed) == 50 == len({one.student for one in handed}) and len({one.kind for one in hostile}) == 10
    blank = json.loads(submissions.BLANK.read_text(encoding="utf-8"))
    checks = {one.kind: sum(map(submissions.is_check, one.fill(blank)["cells"])) for one in hostile}
    assert (checks.pop("no test cells"), checks.pop("copied test cells"), set(checks.values())) == (0, 8, {4})
    assert sum(map(submissions.is_check, blank["cells"])) == 4, "filling in leaves the blank as it was"


def test_the_peers_test_cells_give_the_points_of_our_questions(grading, tmp_path):
    from peers import nbgrader, otter, submissions

    from course_utils.checks import questions

    notebook = nbgrader.source(tmp_path / "instances.pickle")
    for cell in [*notebook["cells"], *otter.blank()["cells"]]:
        assert cell["cell_type"] == "markdown" or "course_utils" not in submissions.text(cell)
    for question in submissions.FUNCTIONS:
        cells = [c for c in notebook["cells"] if submissions.question_of(c) == question and submissions.is_check(c)]
        assert sum(cell["metadata"]["nbgrader"]["points"] for cell in cells) == questions()[question].points
        assert otter.tests(question).count(f"points={questions()[question].points / 2}") == 2
        for cell in cells:
            head, _, hidden = cell["source"].partition("### BEGIN HIDDEN TESTS")
            assert "agree(" in hidden and "agree(" not in head and hidden.endswith("### END HIDDEN TESTS")


BURN = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


def test_a_command_is_charged_for_a_process_that_it_does_not_wait_for(grading):
    from peers.environment import measured

    burn = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {BURN!r}]); time.sleep(4)"
    cost = measured([sys.executable, "-c", burn], 60)
    assert cost.code == 0 and 0.5 < cost.cpu < 3 and cost.wall > 4 and cost.left == 0


def test_what_a_command_leaves_behind_is_counted_and_ended(grading, tmp_path):
    from peers.environment import measured

    script = f"setsid sh -c 'sleep 5; touch {tmp_path}/alive' >/dev/null 2>&1 & echo started"
    start = time.monotonic()
    cost = measured(["sh", "-c", script], 60)
    assert cost.code == 0 and cost.left >= 1 and cost.said == "started\n"
    stopped = measured(["sleep", "60"], 0.5)
    assert stopped.code is None and stopped.left == 0 and stopped.wall < 30
    time.sleep(max(0.0, 6 - (time.monotonic() - start)))
    assert not (tmp_path / "alive").exists()


def rows_of(grading, **costs):
    return [
        {"grader": name, "submissions": kind, "number": 10, "right": right, "cpu_s_each": cost, "wall_s_each": 2 * cost}
        | {"stopped": 0, "left_behind": 0}
        for name, cost in costs.items()
        for kind, right in (("ordinary", 10), ("hostile", 7))
    ]


def test_the_ratios_are_of_ordinary_submissions_and_the_outcomes_of_all(grading, tmp_path):
    rows = rows_of(grading, ours=0.1, nbgrader=1.5)
    rows[3]["cpu_s_each"] = 60.0  # an attack may cost what it likes
    text = grading.summary(rows)
    assert "nbgrader  17 of 20 outcomes right, 15.0 × the cost of ours" in text and "1.0 × the cost of ours" in text
    grading.store(rows, {"versions": {"nbgrader": "0.9.6"}}, tmp_path)
    with open(tmp_path / "grading.csv", encoding="utf-8") as file:
        assert [(r["grader"], r["right"], r["cpu_s_each"]) for r in csv.DictReader(file)][2] == (
            "nbgrader",
            "10",
            "1.5",
        )
    assert json.loads((tmp_path / "grading.json").read_text(encoding="utf-8"))["versions"] == {"nbgrader": "0.9.6"}


def test_the_estimate_multiplies_what_was_measured(grading):
    each = {"collect": 1e-3, "gradebook SQLite": 1e-3, "gradebook PostgreSQL": 2e-3, "reports": 1e-3}
    text = grading.estimate(0.36, {"cpu_s_each": each, "bytes_each": {"notebook": 2**20, "record": 2**20}}, 10_000, 10)
    assert "1.00 core-hours" in text and "360 s on the clock" in text  # 3600 s by 10 workers
    assert "19.53 GiB" in text  # 10,000 × 2 MiB
    assert "keeps up with 90 workers" in text  # .36 s against 4 ms, by the dearer gradebook
    assert "SQLite" not in text and "2.00 ms each,     20 s" in text
