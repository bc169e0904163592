"""What learning depends on: how a checkpoint takes it down, and how it goes on from one."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sac_core.policy_format import load_policy, PolicyFormatError
from sac_learner.checkpoint import (
    Checkpoint,
    CheckpointError,
    Checkpoints,
    generator_state,
    PolicySnapshot,
    restore_generator,
    Snapshot,
)
from sac_learner.replay import Replay, ReplayMark
from sac_learner.run.directory import git_revision
from sac_learner.run.metrics import Metrics
from sac_learner.sac.agent import Sac
from sac_learner.settings import LearnerSettings
from sac_learner.training.pacing import Pacer
from sac_learner.training.policies import Policies


@dataclass(frozen=True)
class Learning:
    """Everything that learning depends on; its parts change, which parts there are does not.

    Attributes:
        spec_hash: Of the agents that are learned from.
        settings: Of the learner.
        replay: The data.
        sac: Networks, optimisers and their settings.
        pacer: The update-to-data ratio.
        policies: Those published so far.
        rng: What samples batches.
        agents: Configuration by agent, YAML.
        changes: Of live parameters, since the run began.
        revision: Of the code.
    """

    spec_hash: str
    settings: LearnerSettings
    replay: Replay
    sac: Sac
    pacer: Pacer
    policies: Policies
    rng: np.random.Generator
    agents: dict[str, str] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    revision: str = field(default_factory=git_revision)


def snapshot(learning: Learning) -> Snapshot:
    """Return all of it but the data, as it is now."""
    state = learning.sac.state()
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    scalars = {n: v for n, v in state.items() if not isinstance(v, np.ndarray)}
    architecture, policy = learning.sac.policy(averaged=True)
    metadata = {
        'spec_hash': learning.spec_hash,
        'version': str(learning.policies.version),
        'updates': str(learning.sac.updates),
    }
    values = {
        'sac': scalars,
        'updates': learning.sac.updates,
        'transitions': learning.replay.count,
        'version': learning.policies.version,
        'best': learning.policies.best,
        'agents': dict(learning.agents),
        'changes': list(learning.changes),
        'spec_hash': learning.spec_hash,
        'config': asdict(learning.sac.config),
        'settings': asdict(learning.settings),
        'git_revision': learning.revision,
        'pacing': learning.pacer.state(),
        'sampling': generator_state(learning.rng),
        'replay': learning.replay.mark().to_json(),
    }
    return Snapshot.take(arrays, values, PolicySnapshot.take(architecture, policy, metadata))


def resume(learning: Learning, checkpoints: Checkpoints, metrics: Metrics) -> None:
    """Go on from the newest good checkpoint; without any, begin as the settings say.

    Raises:
        CheckpointError: There are checkpoints, and none of them can be used; or the policy to
            start from is none, or of another architecture.
    """
    checkpoint = checkpoints.load_latest(lambda found: check(learning, found))
    if checkpoint is None:
        if learning.replay.count:
            # Killed before the first checkpoint: the data are kept, learning starts over.
            metrics.event('resume', checkpoint='', transitions=learning.replay.count)
        if learning.settings.initial_policy:
            path = Path(learning.settings.initial_policy).expanduser()
            start_from(learning.sac, path)
            metrics.event('initial_policy', path=str(path))
        return
    restore(learning, checkpoint)
    for reason in checkpoint.refused:
        metrics.event('checkpoint_refused', reason=reason)
    metrics.event(
        'resume',
        checkpoint=checkpoint.path.name,
        updates=learning.sac.updates,
        transitions=learning.replay.count,
    )


def check(learning: Learning, checkpoint: Checkpoint) -> None:
    """Try whether learning can go on from a checkpoint.

    Raises:
        ValueError: It is of another robot, of other networks, or knows more data than there are.
    """
    head = ReplayMark.from_json(checkpoint.values['replay']).head
    if head > learning.replay.head:
        raise ValueError(f'its replay had {head} slots, the one here has {learning.replay.head}')
    if checkpoint.values['spec_hash'] != learning.spec_hash:
        raise ValueError(
            f'it is of spec {checkpoint.values["spec_hash"]}, not {learning.spec_hash}'
        )
    learning.sac.load_state({**checkpoint.arrays, **checkpoint.values['sac']})


def restore(learning: Learning, checkpoint: Checkpoint) -> None:
    """Go on where a checkpoint was taken, which `check` has found to fit."""
    values = checkpoint.values
    learning.sac.load_state({**checkpoint.arrays, **values['sac']})
    restore_generator(learning.rng, values['sampling'])
    learning.policies.version = int(values['version'])
    learning.policies.best = values['best']
    learning.agents.update(values.get('agents', {}))
    learning.changes.extend(values.get('changes', []))
    if learning.settings.exact_resume:
        learning.replay.rewind(ReplayMark.from_json(values['replay']))
    learning.pacer.restore(values['pacing'], learning.replay.count, learning.sac.updates)


def start_from(sac: Sac, path: Path) -> None:
    """Let the policy begin as the one in a file.

    Raises:
        CheckpointError: It is none, or of another architecture.
    """
    try:
        architecture, arrays, _ = load_policy(path)
    except PolicyFormatError as error:
        raise CheckpointError(f'initial_policy: {error}') from error
    got, needed = asdict(architecture), asdict(sac.architecture)
    other = {name: got[name] for name in got if got[name] != needed[name]}
    if other:
        raise CheckpointError(
            f'initial_policy: {path} has {other}, this run '
            f'{ {name: needed[name] for name in other} }; choose its actor_* settings alike'
        )
    sac.load_policy(arrays)
