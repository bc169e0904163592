"""What a checkpoint holds of a training, and how another one goes on from it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

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
from sac_learner.replay import ReplayMark

if TYPE_CHECKING:
    from sac_learner.run.metrics import Metrics
    from sac_learner.sac.agent import Sac
    from sac_learner.training.training import Training


def snapshot(training: Training) -> Snapshot:
    """Return everything that learning depends on, as it is now; the data are in the replay."""
    state = training.sac.state()
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    scalars = {n: v for n, v in state.items() if not isinstance(v, np.ndarray)}
    architecture, policy = training.sac.policy()
    metadata = {
        'spec_hash': training.spec_hash,
        'version': str(training.policies.version),
        'updates': str(training.updates),
    }
    values = {
        'sac': scalars,
        'updates': training.updates,
        'transitions': training.transitions,
        'version': training.policies.version,
        'best': training.policies.best,
        'agents': dict(training.agents),
        'changes': list(training.changes),
        'spec_hash': training.spec_hash,
        'config': asdict(training.sac.config),
        'settings': asdict(training.settings),
        'git_revision': training.revision,
        'pacing': training.pacer.state(),
        'sampling': generator_state(training.rng),
        'replay': training.replay.mark().to_json(),
    }
    return Snapshot.take(arrays, values, PolicySnapshot.take(architecture, policy, metadata))


def resume(training: Training, checkpoints: Checkpoints, metrics: Metrics) -> None:
    """Go on from the newest good checkpoint; without any, begin as the settings say.

    Raises:
        CheckpointError: There are checkpoints, and none of them can be used; or the policy to
            start from is none, or of another architecture.
    """
    checkpoint = checkpoints.load_latest(lambda found: check(training, found))
    if checkpoint is None:
        if training.transitions:
            # Killed before the first checkpoint: the data are kept, learning starts over.
            metrics.event('resume', checkpoint='', transitions=training.transitions)
        if training.settings.initial_policy:
            path = Path(training.settings.initial_policy).expanduser()
            start_from(training.sac, path)
            metrics.event('initial_policy', path=str(path))
        return
    restore(training, checkpoint)
    for reason in checkpoint.refused:
        metrics.event('checkpoint_refused', reason=reason)
    metrics.event(
        'resume',
        checkpoint=checkpoint.path.name,
        updates=training.updates,
        transitions=training.transitions,
    )


def check(training: Training, checkpoint: Checkpoint) -> None:
    """Try whether a training can go on from a checkpoint.

    Raises:
        ValueError: It is of another robot, of other networks, or knows more data than there are.
    """
    head = ReplayMark.from_json(checkpoint.values['replay']).head
    if head > training.replay.head:
        raise ValueError(f'its replay had {head} slots, the one here has {training.replay.head}')
    if checkpoint.values['spec_hash'] != training.spec_hash:
        raise ValueError(
            f'it is of spec {checkpoint.values["spec_hash"]}, not {training.spec_hash}'
        )
    training.sac.load_state({**checkpoint.arrays, **checkpoint.values['sac']})


def restore(training: Training, checkpoint: Checkpoint) -> None:
    """Go on where a checkpoint was taken, which `check` has found to fit."""
    values = checkpoint.values
    training.sac.load_state({**checkpoint.arrays, **values['sac']})
    restore_generator(training.rng, values['sampling'])
    training.policies.version = int(values['version'])
    training.policies.best = values['best']
    training.agents = values.get('agents', {})
    training.changes = values.get('changes', [])
    if training.settings.exact_resume:
        training.forget_after(ReplayMark.from_json(values['replay']))
    training.pacer.restore(values['pacing'], training.transitions, training.updates)


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
