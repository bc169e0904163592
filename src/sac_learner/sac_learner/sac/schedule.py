"""What each update does, by how many were done: learning rates, which networks take a step."""

from dataclasses import dataclass
import math

from sac_learner.sac.adam import AdamSettings
from sac_learner.sac.config import SacConfig


@dataclass(frozen=True)
class Plan:
    """What one update does besides the critics' step.

    Attributes:
        update: Number of updates done before this one.
        update_actor: Whether the policy and the temperature take a step.
        update_target: Whether the target networks take a step.
        target_entropy: Entropy to hold [nat].
        average: Step of the averaged policy towards the one that learns.
        actor: Optimiser of the actor.
        critic: Optimiser of the critics.
        temperature: Optimiser of log alpha.
    """

    update: int
    update_actor: bool
    update_target: bool
    target_entropy: float
    average: float
    actor: AdamSettings
    critic: AdamSettings
    temperature: AdamSettings


def plan_update(config: SacConfig, done: int, action_size: int) -> Plan:
    """Return what the update after `done` others does, for actions of that many elements."""

    def settings(name: str, weight_decay: float = 0.0, clip: float = 0.0) -> AdamSettings:
        rate = learning_rate(
            getattr(config, f'{name}_schedule'),
            getattr(config, f'{name}_lr'),
            getattr(config, f'{name}_lr_final'),
            done,
            config.schedule_updates,
        )
        return AdamSettings(
            rate, config.adam_beta1, config.adam_beta2, config.adam_epsilon, weight_decay, clip
        )

    actor_steps = (done + 1) // config.policy_interval  # with this one
    return Plan(
        update=done,
        update_actor=(done + 1) % config.policy_interval == 0,
        update_target=(done + 1) % config.target_interval == 0,
        target_entropy=config.entropy_target(action_size),
        # The first ones count alike, else the initial policy would for long.
        average=max(config.policy_average, 1.0 / max(actor_steps, 1)),
        actor=settings('actor', config.actor_weight_decay, config.gradient_clip),
        critic=settings('critic', config.critic_weight_decay, config.gradient_clip),
        temperature=settings('temperature'),
    )


def learning_rate(
    schedule: str, initial: float, final: float, update: int, total_updates: int
) -> float:
    """Return the learning rate of one update; after `total_updates` it stays at `final`.

    Args:
        schedule: 'constant' (then `final` is ignored), 'linear', 'exponential' or 'cosine'.
        initial: Rate of update 0.
        final: Rate from `total_updates` on.
        update: Number of updates done, >= 0.
        total_updates: Length of the schedule, >= 1.

    Raises:
        ValueError: There is no such schedule.
    """
    progress = min(update / total_updates, 1.0)
    if schedule == 'constant':
        return initial
    if schedule == 'linear':
        return initial + (final - initial) * progress
    if schedule == 'exponential':
        return initial * (final / initial) ** progress if initial > 0.0 else 0.0
    if schedule == 'cosine':
        return final + 0.5 * (initial - final) * (1.0 + math.cos(math.pi * progress))
    raise ValueError(f'schedule must be constant, linear, exponential or cosine, got {schedule!r}')
