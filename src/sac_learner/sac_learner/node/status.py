"""What LearnerStatus says of a training."""

from typing import Any

from sac_learner.training.training import Training


def status_fields(learner_id: str, state: int, training: Training | None) -> dict[str, Any]:
    """Return the fields of LearnerStatus, as they are now.

    Args:
        learner_id: Tells this life of the learner from others.
        state: One of LearnerStatus.STATE_*.
        training: None before an agent has introduced itself.
    """
    base = {'learner_id': learner_id, 'state': state}
    if training is None:
        return {**base, 'metrics': {}, 'acks': []}
    return {
        **base,
        'updates': training.updates,
        'transitions': training.transitions,
        'transition_budget': training.budget,
        'policy_version': training.policies.version,
        'updates_per_second': training.updates_per_second,
        'update_to_data': training.update_to_data,
        'replay_size': training.replay.size,
        'replay_capacity': training.replay.capacity,
        'duplicates': training.intake.duplicates,
        'rejected': training.intake.rejected,
        'acks': training.acks(),
        'metrics': dict(training.losses),
    }
