"""One run of the peer's GAIL: started by benchmarks/gail.py with the interpreter of the peer's own environment.

    python gail.py TASK SEED CPU_SECONDS DEMONSTRATIONS.npz RESULT.json

The settings are those of the GAIL example in the documentation of `imitation` 1.0 (8 copies, PPO, reward network).  Two
are not: the horizon varies, and a batch of demonstrations is not larger than all of them.  Its logs are switched off.
The policy changes once in a round, after 8 × 2048 steps: it is evaluated a few times there, on episodes of their own.
"""

import json
import os
import sys
import tempfile
from importlib import metadata
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

SETTINGS = {
    "copies": 8,
    "ppo": dict(batch_size=64, ent_coef=0.0, learning_rate=0.0004, gamma=0.95, n_epochs=5),
    "gail": dict(demo_batch_size=1024, gen_replay_buffer_capacity=512, n_disc_updates_per_round=8),
}
EVALUATIONS = {"CartPole-v1": 2, "Acrobot-v1": 4, "Pendulum-v1": 2}  # after each round
PACKAGES = ("imitation", "stable-baselines3", "gymnasium", "torch", "numpy")


def run(task, seed, budget, path):
    """Train round by round until the budget of CPU seconds is spent."""
    import numpy as np
    import torch
    from evaluation import Stopwatch
    from imitation.algorithms.adversarial.gail import GAIL
    from imitation.data.types import Transitions
    from imitation.rewards.reward_nets import BasicRewardNet
    from imitation.util import logger
    from imitation.util.networks import RunningNorm
    from imitation.util.util import make_vec_env
    from stable_baselines3 import PPO
    from stable_baselines3.ppo import MlpPolicy

    np.float_ = np.float64  # gymnasium 0.29.1's Acrobot uses the name, which NumPy 2 dropped
    torch.set_num_threads(1)
    with np.load(path) as file:
        demonstrations = Transitions(infos=np.array([{}] * len(file["obs"])), **file)
    watch = Stopwatch(task, seed)
    torch.manual_seed(seed)  # of the reward network and the discriminator's batches
    env = make_vec_env(task, rng=np.random.default_rng(seed), n_envs=SETTINGS["copies"])
    learner = PPO(env=env, policy=MlpPolicy, seed=seed, **SETTINGS["ppo"])
    reward_net = BasicRewardNet(env.observation_space, env.action_space, normalize_input_layer=RunningNorm)
    options = SETTINGS["gail"] | {"demo_batch_size": min(SETTINGS["gail"]["demo_batch_size"], len(demonstrations))}
    with tempfile.TemporaryDirectory() as logs:
        trainer = GAIL(
            demonstrations=demonstrations,
            venv=env,
            gen_algo=learner,
            reward_net=reward_net,
            allow_variable_horizon=True,
            custom_logger=logger.configure(logs, format_strs=[]),
            **options,
        )
        while watch.seconds() < budget:
            trainer.train(trainer.gen_train_timesteps)
            for _ in range(EVALUATIONS[task]):
                watch.evaluate(learner.num_timesteps, lambda obs: learner.predict(obs, deterministic=True)[0])
    return {"cpu_seconds": watch.seconds(), "curve": watch.curve}


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    task, seed, budget, demonstrations, result = sys.argv[1:]
    record = run(task, int(seed), float(budget), demonstrations)
    record["versions"] = {name: metadata.version(name) for name in PACKAGES}
    Path(result).write_text(json.dumps(record), encoding="utf-8")
