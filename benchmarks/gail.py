"""GAIL, ours and the peer's, side by side: how soon is a policy as good as the expert, and does it stay so?

    python benchmarks/gail.py [--seeds 5] [--budget 120] [--tasks CartPole-v1 Acrobot-v1 Pendulum-v1] [--kept] [--store]

The peer is the library `imitation` 1.0.1, in an environment of its own under .course/peers (made here: it needs another
gymnasium).  Both learn from the same 10 episodes of our expert and are judged alike: 20 whole episodes in gymnasium's
own environment, the likeliest action taken, returns from 0 (random) to 1 (expert).  Time is CPU time of one thread,
without evaluations and imports.  Ours runs for a fixed number of iterations, over which its learning rates fall to 0;
the peer's rates are constant, and it runs until `--budget` is spent.

A run is *sustained* from the first evaluation on from which all are at least .95, if these are ten or more.  One that
never gets there is counted as such.  Finished runs are kept in .course/benchmarks/gail: what is killed goes on.
"""

import argparse
import ast
import csv
import hashlib
import io
import json
import math
import multiprocessing
import os
import statistics
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (the thread count must be set first)
import torch  # noqa: E402
from peers import gail as peer  # noqa: E402
from peers.environment import python_of  # noqa: E402
from peers.evaluation import EPISODES, Stopwatch  # noqa: E402

from course_utils import adversarial, environments, experts, networks, ppo, studies  # noqa: E402

STUDY = studies.find("adversarial").module  # the same level, settings and definition of "sustained"
GOOD, LAST = STUDY.LEVEL, STUDY.LAST
DEMONSTRATIONS = 10
SEEDS = 5
BUDGET = 120  # CPU seconds of each of the peer's runs
COPIES = 32
TASKS = {task: ours for (task, method), ours in STUDY.SETTINGS.items() if method == "gail"}
EVERY = 2  # iterations of ours between two evaluations
STREAMS = {"demonstrations": 1, "training": 2}  # random numbers of their own for each

HERE = Path(__file__).resolve().parent
KEPT = studies.ROOT / ".course" / "benchmarks" / "gail"
PEER_PACKAGES = ["imitation==1.0.1", "setuptools<81", "gymnasium[mujoco]==0.29.1", "mujoco==3.1.6"]


# ---- what a run tells


def times(curve):
    """CPU-s of the first evaluation ≥ GOOD, and of the first from which on all are, if these are at least LAST.

    curve: (steps, CPU-s, normalised return) of each evaluation, in order.  Infinite where there is none.
    """
    found = STUDY.milestones([(seconds, value) for _, seconds, value in curve]) if curve else (math.nan, math.nan)
    return tuple(math.inf if math.isnan(seconds) else seconds for seconds in found)


def row(record):
    """A run as a line of the table."""
    task, curve = record["task"], record["curve"]
    curve = [(steps, seconds, float(experts.normalised_return(task, value))) for steps, seconds, value in curve]
    first, sustained = times(curve)
    final = [value for *_, value in curve[-LAST:]]
    return {
        **{key: record[key] for key in ("task", "who", "seed")},
        "first_s": None if math.isinf(first) else first,
        "sustained_s": None if math.isinf(sustained) else sustained,
        "total_s": record["cpu_seconds"],
        "steps": curve[-1][0],
        "evaluations": len(curve),
        "last_ten_min": min(final),
        "last_ten_mean": statistics.mean(final),
        "reached": not math.isinf(sustained),
    }


def ratios(theirs, ours, column):
    """(peer's `column`) / (our time to sustained) seed by seed, each with whether it is only a lower bound.

    A peer's run that never got there counts with all its time.  None where ours never did.
    """
    found = []
    for p in theirs:
        (o,) = (o for o in ours if o["seed"] == p["seed"])
        top = p[column] if p[column] is not None else p["total_s"]
        found.append(None if o["sustained_s"] is None else (top / o["sustained_s"], p[column] is None))
    return found


def spread(rows, column):
    """'median [least … most]' of the runs that have a value, and how many do."""
    values = [r[column] for r in rows if r[column] is not None]
    counted = f"{len(values)}/{len(rows)}"
    if not values:
        return f"{counted}  never"
    return f"{counted}  {statistics.median(values):.1f} [{min(values):.1f} … {max(values):.1f}]"


def summary(rows):
    """The table and the ratios as text; a ratio is "never" where it is ours that never got there."""
    head = f"{'':<12} {'':<5} {'runs: CPU-s to the first ≥ .95':<30} {'runs: CPU-s to sustained ≥ .95':<30} "
    lines = [head + f"{'CPU-s a run':<12} last ten: mean [least]"]
    for task in dict.fromkeys(r["task"] for r in rows):
        sides = {who: [r for r in rows if (r["task"], r["who"]) == (task, who)] for who in ("ours", "peer")}
        for who, runs in sides.items():
            mean, least = statistics.mean(r["last_ten_mean"] for r in runs), min(r["last_ten_min"] for r in runs)
            total = statistics.median(r["total_s"] for r in runs)
            columns = f"{spread(runs, 'first_s'):<30} {spread(runs, 'sustained_s'):<30} {total:<12.1f}"
            lines.append(f"{task:<12} {who:<5} {columns} {mean:.3f} [{least:.3f}]")
        for column, what in (("first_s", "first ≥ .95"), ("sustained_s", "sustained")):
            pairs = ratios(sides["peer"], sides["ours"], column)
            found = sorted(pair for pair in pairs if pair)
            shown = [f"{'≥ ' if bound else ''}{ratio:.1f}" for ratio, bound in found] + ["never"] * pairs.count(None)
            lines.append(
                f"{'':<12} peer's time to {what} / ours to sustained, seed by seed, sorted: {', '.join(shown)}"
            )
    return "\n".join(lines)


# ---- doing a run


def demonstrations(task, seed):
    return experts.demonstrations(task, DEMONSTRATIONS, np.random.default_rng([seed, STREAMS["demonstrations"]]))


def run_ours(task, seed, budget):
    """In a process of its own: the record of a run.  The budget is not looked at."""
    torch.set_num_threads(1)
    demos, options = demonstrations(task, seed), TASKS[task]
    watch, steps = Stopwatch(task, seed), COPIES * options.get("steps", 64)

    def callback(iteration, learner, discriminator):
        if iteration % EVERY == EVERY - 1:
            watch.evaluate((iteration + 1) * steps, likeliest(learner.policy))

    rng = np.random.default_rng([seed, STREAMS["training"]])
    adversarial.imitate(task, demos, rng, "gail", copies=COPIES, callback=callback, **options)
    return {"cpu_seconds": watch.seconds(), "curve": watch.curve}


def likeliest(policy):
    @torch.no_grad()
    def act(obs):
        actions = policy.mode(networks.to_tensor(obs)).numpy()
        if policy.discrete:
            return actions
        low, high = (policy.middle - policy.scale).numpy(), (policy.middle + policy.scale).numpy()
        return actions.clip(low, high)

    return act


def run_peer(task, seed, budget):
    """The record of a run, from a process in the peer's environment; files go to and fro."""
    demos = demonstrations(task, seed)
    real = demos.actions.ndim > 1
    with tempfile.TemporaryDirectory() as folder:
        data, result = Path(folder, "demonstrations.npz"), Path(folder, "result.json")
        np.savez(
            data,
            obs=demos.obs.astype(np.float32),
            acts=demos.actions.astype(np.float32 if real else np.int64),
            next_obs=demos.next_obs.astype(np.float32),
            dones=np.append(demos.episode[1:] != demos.episode[:-1], True),
        )
        command = [peer_python(), peer.__file__, task, str(seed), str(budget), data, result]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError(f"the peer's run failed:\n{done.stderr[-3000:]}")
        return json.loads(result.read_text(encoding="utf-8"))


def peer_python():
    """The interpreter of the peer's environment, which is made if it is not there."""
    index = os.environ.get("TORCH_INDEX")  # as in the Makefile
    return python_of("imitation", [*(["--extra-index-url", index] if index else []), "torch==2.13.0"], PEER_PACKAGES)


RUN = {"ours": run_ours, "peer": run_peer}


def fingerprint(task, who, seed):
    """Of what a run comes from: code less its comments, settings, demonstrations."""
    modules = {"ours": (adversarial, environments, networks, ppo), "peer": (peer,)}[who]
    files = [HERE / "peers" / "evaluation.py", *(Path(module.__file__) for module in modules)]
    demos = demonstrations(task, seed)
    parts = [TASKS[task], COPIES, EVERY, STREAMS["training"]] if who == "ours" else PEER_PACKAGES
    parts = [parts, *(ast.dump(ast.parse(file.read_text(encoding="utf-8"))) for file in files)]
    parts += [hashlib.sha256(x.tobytes()).hexdigest() for x in (demos.obs, demos.actions)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


def kept_or_run(task, who, seed, budget):
    """The record of a run.  One of the peer that was given more time serves for less: it is cut."""
    path = KEPT / f"{task}-{who}-{seed}.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    code = fingerprint(task, who, seed)
    if record.get("code") != code or (who == "peer" and record["budget"] < budget):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
            found = fresh.submit(RUN[who], task, seed, budget).result()
        about = {"task": task, "who": who, "seed": seed, "budget": budget, "code": code}
        record = about | found | {"machine": studies.machine()}
        studies.write(path, json.dumps(record))
    return cut(record, budget) if who == "peer" else record


def cut(record, budget):
    """The record as it would be, had the run been given less time: whole rounds until the budget is spent."""
    ends = sorted({seconds for _, seconds, _ in record["curve"]})
    end = next((seconds for seconds in ends if seconds >= budget), ends[-1])
    curve = [point for point in record["curve"] if point[1] <= end]
    return record | {"curve": curve, "cpu_seconds": min(record["cpu_seconds"], end)}


def store(rows, records, seeds, budget, folder=HERE / "results"):
    """gail.csv: a line for each run; gail.json: how it was made, and each run's curve."""
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: studies.shown(value) for key, value in r.items()} for r in rows)
    studies.write(folder / "gail.csv", file.getvalue())
    tasks = list(dict.fromkeys(r["task"] for r in rows))
    how = {
        "command": f"python benchmarks/gail.py --seeds {seeds} --budget {budget:g} --tasks {' '.join(tasks)} --store",
        "time": "CPU seconds of one thread, without evaluations and imports",
        "evaluation": f"mean return of {EPISODES} whole episodes in gymnasium's own environment, likeliest actions",
        "demonstrations": f"{DEMONSTRATIONS} whole episodes of our expert, others for each seed",
        "ours": {task: TASKS[task] for task in tasks} | {"evaluated": f"every {EVERY} iterations"},
        "peer": peer.SETTINGS | {"evaluations after each round": peer.EVALUATIONS, "cpu_seconds": budget},
        "machines": [json.loads(m) for m in sorted({json.dumps(record["machine"]) for record in records})],
        "peer_versions": next(record["versions"] for record in records if record["who"] == "peer"),
    }
    fewest = min(sum((r["task"], r["who"]) == (task, "peer") for r in rows) for task in tasks)
    how["note"] = (
        f"{budget:g} CPU-s for each of the peer's runs, all alike; at least {fewest} of its seeds in each task"
    )
    text = json.dumps(how, indent=2, ensure_ascii=False)
    lines = [json.dumps({key: r[key] for key in ("task", "who", "seed", "curve")}) for r in records]
    curves = '  "curves: steps, CPU-s, mean return": [\n    ' + ",\n    ".join(lines) + "\n  ]"
    studies.write(folder / "gail.json", text[:-2] + ",\n" + curves + "\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--budget", type=float, default=BUDGET, help="CPU seconds of each of the peer's runs")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK")
    parser.add_argument("--kept", action="store_true", help="of the peer's runs, only those that are kept")
    parser.add_argument("--store", action="store_true", help="write benchmarks/results/gail.csv and gail.json")
    options = parser.parse_args()
    if options.seeds < 1 or options.budget <= 0:
        parser.error("expected at least one seed and a budget above 0")
    machine = studies.machine()
    print(
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, torch {machine['torch']}", flush=True
    )
    peer_python()
    records, rows = [], []
    for seed in range(options.seeds):
        for task in options.tasks:
            for who in RUN:
                if options.kept and who == "peer" and not (KEPT / f"{task}-peer-{seed}.json").is_file():
                    continue
                records.append(kept_or_run(task, who, seed, options.budget))
                rows.append(row(records[-1]))
                print("  ".join(f"{key}={studies.shown(value)}" for key, value in rows[-1].items()), flush=True)
    order = sorted(range(len(rows)), key=lambda i: (options.tasks.index(rows[i]["task"]), rows[i]["who"]))
    rows, records = [rows[i] for i in order], [records[i] for i in order]
    print(summary(rows))
    if options.store:
        store(rows, records, options.seeds, options.budget)


if __name__ == "__main__":
    main()
