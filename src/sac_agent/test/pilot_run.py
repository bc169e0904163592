"""A pilot with a robot that does as it is told."""

from pathlib import Path

import numpy as np

from sac_agent.config import from_file, from_mapping
from sac_agent.episode.machine import Event
from sac_agent.pilot import Pilot
from sac_agent.policy.network import NumpyPolicy
from sac_agent.records import Sample
from sac_agent.settings import plain
from sac_core.policy_format import Architecture, layout

CONFIG = Path(__file__).resolve().parents[3] / 'config' / 'dclaw_valve.yaml'


def configured(**changes):
    values = plain(from_file(CONFIG))
    values['episode']['time_limit'] = 5
    values['warmup']['steps'] = 0
    for path, value in changes.items():
        *parents, last = path.split('__')
        section = values
        for parent in parents:
            section = section[parent]
        section[last] = value
    return from_mapping(values)


class Run:
    """A pilot with a robot that does as it is told at once."""

    def __init__(self, progress=None, **changes):
        self.pilot = Pilot(configured(**changes), now=0.0, progress=progress)
        self.time = 0
        self.raw = np.zeros(self.pilot.layout.size)
        self.pilot.machine.on(Event.READY, 0.0)
        self.pilot.machine.on(Event.RESET_DONE, 0.0)

    def policy(self, version=1, bias=0.0):
        spec = self.pilot.spec
        architecture = Architecture(spec.observation.vector_size, spec.action_size, hidden=(8,))
        arrays = {n: np.zeros(s, 'f4') for n, s in layout(architecture)}
        arrays['observation.std'] += 1.0
        arrays['mean.bias'] += bias
        self.pilot.policies.use(NumpyPolicy(architecture, arrays), version)

    def sample(self):
        self.time += 100_000_000
        return Sample(self.time, 1e-9 * self.time, self.raw.copy())

    def begin(self):
        self.pilot.next_goal()
        self.pilot.begin(self.sample())

    def step(self):
        command = self.pilot.act()
        self.raw[:9] = command.flat
        return self.pilot.observe(self.sample())

    def episode(self):
        self.begin()
        outcomes = [self.step()]
        while self.pilot.in_episode:
            outcomes.append(self.step())
        return outcomes
