"""Settings of a learner that are not settings of the algorithm."""

from dataclasses import dataclass, field

from sac_learner.sac.backends import default_threads
from sac_learner.sac.config import PRESETS


@dataclass(frozen=True)
class LearnerSettings:
    """How a run is kept, ended and shown."""

    run_dir: str = field(
        default='', metadata={'doc': 'Directory of the run; an existing run is continued.'}
    )
    seed: int = field(default=0, metadata={'doc': 'Seed of networks, noise and sampling.'})
    steps: int = field(
        default=0,
        metadata={'doc': 'Training steps at which the run ends; 0: never.', 'range': (0, 10**12)},
    )
    demonstrations: str = field(
        default='',
        metadata={
            'doc': 'Bags, separated by blanks, from which the share demonstration_fraction of '
            'every batch is drawn.'
        },
    )
    exact_resume: bool = field(
        default=False,
        metadata={
            'doc': 'Resume with the replay as it was at the checkpoint, instead of keeping the '
            'transitions that came after it.'
        },
    )
    initial_policy: str = field(
        default='',
        metadata={
            'doc': 'File of a policy that a new run starts from, such as best/policy.safetensors; '
            'its sizes must be those of actor_*.'
        },
    )
    stop_when_solved: bool = field(
        default=True, metadata={'doc': 'End the run when an evaluation says solved.'}
    )
    solved_in_a_row: int = field(
        default=1,
        metadata={
            'doc': 'Evaluations in a row that must say solved before the run ends.',
            'range': (1, 1000),
        },
    )
    preset: str = field(
        default='default',
        metadata={
            'doc': 'Settings of the algorithm to begin with; those given one by one come on top.',
            'choices': tuple(PRESETS),
        },
    )
    device: str = field(default='cpu', metadata={'doc': 'cpu, cuda or cuda:N.'})
    threads: int = field(
        default=0,
        metadata={
            'doc': 'Threads of the update; 0: all processors but two, 1 to 4.',
            'range': (0, 256),
        },
    )
    nice: int = field(
        default=5,
        metadata={
            'doc': 'How far learning gives way to other processes, such as an agent on the same '
            'computer, as in nice(1); 0: not at all.',
            'range': (0, 19),
        },
    )
    backend: str = field(
        default='auto',
        metadata={
            'doc': 'Form of the update.',
            'choices': ('auto', 'native', 'torch', 'reference'),
        },
    )
    policy_period: float = field(
        default=0.25,
        metadata={'doc': 'Least time between two published policies [s].', 'range': (0.0, 3600.0)},
    )
    checkpoint_period: float = field(
        default=60.0,
        metadata={
            'doc': 'Time between two checkpoints [s].',
            'range': (1.0, 86400.0),
            'live': True,
        },
    )
    max_lead: int = field(
        default=100,
        metadata={
            'doc': 'Transitions a simulated robot may be ahead of the updates.',
            'range': (1, 10**9),
        },
    )
    metrics_period: float = field(
        default=2.0,
        metadata={'doc': 'Time between two records of losses [s].', 'range': (0.1, 3600.0)},
    )
    flush_period: float = field(
        default=0.5,
        metadata={
            'doc': 'Time between two writes of the replay to the disk, after which transitions '
            'are acknowledged as durable [s].',
            'range': (0.01, 60.0),
        },
    )
    tensorboard: bool = field(default=True, metadata={'doc': 'Write TensorBoard files.'})
    metric_label: str = field(
        default='', metadata={'doc': "Axis label of the task's first metric, with unit."}
    )
    paper_steps: float = field(
        default=0.0,
        metadata={'doc': 'Steps the paper needed, drawn into the curve.', 'range': (0.0, 1e12)},
    )
    paper_hours: float = field(
        default=0.0,
        metadata={'doc': 'Robot hours the paper needed, likewise.', 'range': (0.0, 1e6)},
    )

    def thread_count(self) -> int:
        """Return the number of threads."""
        return self.threads or default_threads()
