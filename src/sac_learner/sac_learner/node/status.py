"""How far a training is, for LearnerStatus and for the diagnostics."""

from collections.abc import Mapping
from typing import Any

from sac_learner.node.roster import Roster
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


def diagnostic_values(
    status: Mapping[str, Any], roster: Roster, training: Training | None
) -> dict[str, Any]:
    """Return what the diagnostics show beside what is not on the disk, by name.

    Args:
        status: The fields of LearnerStatus.
        roster: Knows who is refused.
        training: None before an agent has introduced itself.
    """
    values = dict(status)
    values.pop('acks')
    metrics = values.pop('metrics')
    refused = {f'refused agent {name}': why for name, why in dict(roster.refused).items()}
    reasons = dict(training.intake.reasons) if training else {}
    counted = {f'rejected: {reason}': count for reason, count in reasons.items()}
    return {**values, **metrics, **refused, **counted}
