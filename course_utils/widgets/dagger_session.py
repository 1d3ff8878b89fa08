"""DAgger whose expert is the reader: the learner drives, and the reader labels states that it came into."""

import numpy as np
from gymnasium.spaces import Discrete

from course_utils.imitation import Labelled, Run, rollout
from course_utils.networks import check_counts
from course_utils.vectorised import Task
from course_utils.widgets.labeller import Labeller, checked_choices


class DaggerSession:
    """Rounds of questions to a reader.  (after Ross, Gordon and Bagnell 2011, arXiv:1011.0686)

    In each round the newest policy (at first `driver`; None: uniformly random actions) drives one episode in each
    copy of env, and `per_round` of the states visited, drawn at random, are shown in `labeller`. When they are
    answered, or at "learn now", the answers join `data`, and learn(obs, labels, rng) fits the next policy to all of
    them. `imitation.dagger` asks about every state that was visited; a person has less patience.

    picture(state), alt(state): what to show of a state, (h, w, 3) of uint8, and how to say it in words. A state is a
    row of env.state where env is a `vectorised.Task`, and of the observations otherwise.  choices: as a Labeller's;
    the values are actions.  score(policy) is kept in `curve` after each round, score_name says what it is.
    on_round(session) is called after each round.  ValueError for choices that are no actions of env.

    labeller: the widget.  data: a Labelled, None before the first round.  policies: one for each round.
    """

    def __init__(
        self,
        env,
        learn,
        picture,
        alt,
        choices,
        rng,
        *,
        per_round=20,
        driver=None,
        score=None,
        score_name="score",
        on_round=None,
        question="What would you do here?",
    ):
        check_counts(per_round=per_round)
        checked_choices(choices)
        choices = [(key, label, _as_action(env, label, value)) for key, label, value in choices]
        self.env, self.learn, self.picture, self.alt, self.rng = env, learn, picture, alt, rng
        self.per_round, self.driver, self.on_round = per_round, driver or uniform(env), on_round
        self.score, self.score_name = score, score_name
        self.data, self.policies, self.curve = None, [], []
        self.asked, pictures, alts = self._ride(self.driver)
        self.labeller = Labeller(pictures, choices, alts, question, early="learn now")
        self.labeller.on_done(self._next_round)

    @property
    def policy(self):
        """The newest policy, None before the first round."""
        return self.policies[-1] if self.policies else None

    @property
    def run(self):
        """The rounds so far in the form of `imitation.dagger`'s, for what draws or measures those."""
        return Run(list(self.policies), self.data)

    def play(self, expert, rounds=1):
        """Let a policy answer: for each picture the choice that is nearest to its action.  Returns the session."""
        for _ in range(rounds):
            obs, time = self.asked
            self.labeller.answer_all(
                lambda i, obs=obs, time=time: self._nearest(expert(obs[[i]], self.rng, time[i])[0])
            )
        return self

    def _nearest(self, action):
        """The label of the choice that is the nearest to an action; a Discrete one must be among the choices."""
        labels, choices = self.labeller.labels, self.labeller.values
        distance = [np.linalg.norm(action - choice) for choice in choices]
        if isinstance(self.env.single_action_space, Discrete) and min(distance) > 0:
            raise ValueError(f"the expert's action {action} is none of the choices' values: {choices}")
        return labels[int(np.argmin(distance))]

    def _ride(self, act):
        """A ride, and questions about it: their observations (m, d) and times (m,); the pictures; what is on them."""
        states = []

        def watched(obs, rng, time):
            states.append(self.env.state if isinstance(self.env, Task) else None)
            return act(obs, rng, time)

        visited = rollout(self.env, watched, self.rng)
        drawn = self.rng.choice(len(visited), min(self.per_round, len(visited)), replace=False)
        obs, time, copy = visited.obs[drawn], visited.time[drawn], visited.episode[drawn]
        shown = obs if states[0] is None else np.stack(states)[time, copy]
        return (obs, time), [self.picture(state) for state in shown], [self.alt(state) for state in shown]

    def _next_round(self, labeller):
        answered = [i for i, answer in enumerate(labeller.answers) if answer is not None]
        if answered:
            self._learn(labeller, answered)
        else:
            self.asked, *questions = self._ride(self.policy or self.driver)
            labeller.show(*questions, "Nothing was answered, so nothing is learned. Here are other pictures.")

    def _learn(self, labeller, answered):
        obs, time = (x[answered] for x in self.asked)
        labels = np.array([labeller.answers[i] for i in answered])
        new = Labelled(obs, labels, np.zeros(len(obs), bool), time, np.full(len(obs), len(self.policies)))
        data = new if self.data is None else self.data + new
        labeller.message = f"Learning from {len(data)} answers …"
        policy = self.learn(data.obs, data.labels, self.rng)
        message = f"Round {len(self.policies) + 1}: learned from {len(data)} answers."
        value = None if self.score is None else self.score(policy)
        if value is not None:
            message += f" {self.score_name}: {value:.3g}" + (f", before: {self.curve[-1]:.3g}." if self.curve else ".")
        asked, *questions = self._ride(policy)
        labeller.show(*questions, f"{message} Here is where it drives now.")
        # Nothing is kept before this line: after an error above, the reader can undo and try again.
        self.data, self.asked = data, asked
        self.policies.append(policy)
        if value is not None:
            self.curve.append(value)
        if self.on_round is not None:
            self.on_round(self)


def uniform(env):
    """The policy that draws from all actions of env, uniformly."""
    space = env.single_action_space
    if isinstance(space, Discrete):
        return lambda obs, rng, time: rng.integers(space.start, space.start + space.n, size=len(obs))
    return lambda obs, rng, time: rng.uniform(space.low, space.high, (len(obs), *space.shape))


def _as_action(env, label, value):
    """A choice's value as an action of env: a whole number, or an array of the box's shape."""
    space, action = env.single_action_space, np.asarray(value)
    if isinstance(space, Discrete):
        if action.shape == () and action.dtype.kind in "iu" and space.start <= action < space.start + space.n:
            return int(action)
    elif action.dtype.kind in "fiu" and action.size == np.prod(space.shape, dtype=int):
        action = action.reshape(space.shape).astype(float)
        if ((space.low <= action) & (action <= space.high)).all():
            return action
    raise ValueError(f"the choice {label!r} is no action of {space}: {value!r}")
