"""Every setting of the algorithm, as in Table 1 of the paper [SAC], and presets to begin with.

Source: Haarnoja et al. 2018, arXiv:1812.05905 [SAC]; Chen et al. 2021, arXiv:2101.05982 [REDQ];
Hiraoka et al. 2022, arXiv:2110.02034 [DroQ]; Bhatt et al. 2024, arXiv:1902.05605 [CrossQ];
Ball et al. 2023, arXiv:2302.02948 [RLPD]; Kostrikov et al. 2020, arXiv:2004.13649 [DrQ].
"""

from dataclasses import dataclass, field, fields, replace
import math
from types import MappingProxyType
from typing import Any

from sac_core.parameters import check_values
from sac_core.policy_format import ACTIVATIONS

SCHEDULES = ('constant', 'linear', 'exponential', 'cosine')
ENCODERS = ('paper', 'stride2', 'drq')


def _float(default: float, low: float, high: float, doc: str, *, live: bool = False) -> float:
    metadata = {'doc': doc, 'range': (low, high), 'live': live}
    return field(default=default, metadata=metadata)


def _int(default: int, low: int, high: int, doc: str) -> int:
    return field(default=default, metadata={'doc': doc, 'range': (low, high)})


def _choice(default: str, choices: tuple[str, ...], doc: str) -> str:
    return field(default=default, metadata={'doc': doc, 'choices': choices})


def _other(default: Any, doc: str, *, live: bool = False) -> Any:
    return field(default=default, metadata={'doc': doc, 'live': live})


@dataclass(frozen=True)
class SacConfig:
    """Settings of Soft Actor-Critic, [SAC] Table 1 unless changed."""

    # What is learned from what.
    batch_size: int = _int(256, 1, 1_000_000, 'Transitions per update.')
    replay_capacity: int = _int(1_000_000, 1, 1_000_000_000, 'Transitions the replay holds.')
    warmup_steps: int = _int(
        1000, 0, 1_000_000_000, 'Uniformly random actions at the start, before the policy acts.'
    )
    learning_starts: int = _int(1000, 1, 1_000_000_000, 'Transitions before the first update.')
    updates_per_step: float = _float(
        1.0, 0.0, 1000.0, 'Critic updates per transition (update-to-data ratio).', live=True
    )
    policy_delay: int = _int(
        1, 0, 10_000, 'Critic updates per step of policy and alpha; 0: those of one transition.'
    )
    demonstration_fraction: float = _float(
        0.5, 0.0, 1.0, 'Share of every batch drawn from demonstrations, where there are any.'
    )
    n_step: int = _int(1, 1, 1000, 'Rewards summed before the value is bootstrapped.')

    # The objective.
    discount: float = _float(0.99, 0.0, 1.0, 'Discount per control step.')
    objective: str = _choice(
        'maximise', ('maximise', 'minimise'), 'Whether the reward is to be had or a cost.'
    )
    reward_scale: float = _float(1.0, 0.0, 1e9, 'Factor on every reward.')
    reward_bias: float = _float(0.0, -1e9, 1e9, 'Added to every reward after scaling.')
    target_entropy: str = _other(
        'auto',
        "Entropy to hold [nat]: 'auto' (-dim A), '-dim', '-dim/2' or a number.",
        live=True,
    )
    initial_temperature: float = _float(1.0, 1e-12, 1e9, 'Temperature alpha at the start.')
    learn_temperature: bool = _other(True, 'False keeps the temperature at its initial value.')
    entropy_backup: bool = _other(True, 'Whether the entropy is part of the critics targets.')

    # The optimisers (Adam).
    actor_lr: float = _float(3e-4, 0.0, 10.0, 'Learning rate of the actor.', live=True)
    critic_lr: float = _float(3e-4, 0.0, 10.0, 'Learning rate of the critics.', live=True)
    temperature_lr: float = _float(3e-4, 0.0, 10.0, 'Learning rate of log alpha.', live=True)
    actor_schedule: str = _choice('constant', SCHEDULES, 'How the rate of the actor changes.')
    critic_schedule: str = _choice('constant', SCHEDULES, 'How the rate of the critics changes.')
    temperature_schedule: str = _choice('constant', SCHEDULES, 'How the rate of alpha changes.')
    actor_lr_final: float = _float(0.0, 0.0, 10.0, 'Learning rate at the end of the schedule.')
    critic_lr_final: float = _float(0.0, 0.0, 10.0, 'Learning rate at the end of the schedule.')
    temperature_lr_final: float = _float(
        0.0, 0.0, 10.0, 'Learning rate at the end of the schedule.'
    )
    schedule_updates: int = _int(
        1_000_000, 1, 1_000_000_000, 'Critic updates until the final learning rates.'
    )
    adam_beta1: float = _float(0.9, 0.0, 0.999999, "Adam's decay of the first moment.")
    adam_beta2: float = _float(0.999, 0.0, 0.9999999, "Adam's decay of the second moment.")
    adam_epsilon: float = _float(1e-8, 1e-16, 1.0, "Adam's term in the denominator.")
    gradient_clip: float = _float(
        0.0, 0.0, 1e9, 'Largest norm of the gradient, per optimiser; 0 is no limit.'
    )
    actor_weight_decay: float = _float(0.0, 0.0, 1.0, 'Decoupled weight decay of the actor.')
    critic_weight_decay: float = _float(0.0, 0.0, 1.0, 'Decoupled weight decay of the critics.')

    # The critics.
    critics: int = _int(2, 1, 100, 'Number of critics N.')
    target_subset: int = _int(
        0, 0, 100, 'Critics drawn at random for each target [REDQ]; 0 is all of them.'
    )
    actor_reduction: str = _choice(
        'min', ('min', 'mean'), 'What the actor climbs: the least or the mean of the critics.'
    )
    target_networks: bool = _other(True, 'False bootstraps from the critics themselves [CrossQ].')
    tau: float = _float(0.005, 0.0, 1.0, 'Step of the target networks towards the critics.')
    target_interval: int = _int(1, 1, 1_000_000, 'Critic updates per step of the targets.')
    critic_dropout: float = _float(0.0, 0.0, 0.99, 'Share of units dropped [DroQ].')
    critic_layer_norm: bool = _other(False, 'Layer normalisation before each activation.')
    critic_batch_norm: bool = _other(False, 'Batch renormalisation around each layer [CrossQ].')
    batch_norm_momentum: float = _float(0.01, 0.0, 1.0, 'Step of the running statistics.')
    batch_norm_warmup: int = _int(
        100_000, 0, 1_000_000_000, 'Updates before batch normalisation becomes renormalisation.'
    )

    # The networks.
    actor_hidden: tuple[int, ...] = _other((256, 256), 'Units of the hidden layers of the actor.')
    critic_hidden: tuple[int, ...] = _other((256, 256), 'Units of the hidden layers of a critic.')
    actor_activation: str = _choice('relu', ACTIVATIONS, 'Nonlinearity of the actor.')
    critic_activation: str = _choice('relu', ACTIVATIONS, 'Nonlinearity of the critics.')
    actor_layer_norm: bool = _other(False, 'Layer normalisation before each activation.')
    policy_average: float = _float(
        0.0,
        0.0,
        1.0,
        'Step of the averaged policy, which is evaluated, towards the policy; 0: none.',
    )
    log_std_min: float = _float(-20.0, -100.0, 10.0, 'Least log standard deviation.')
    log_std_max: float = _float(2.0, -100.0, 10.0, 'Largest log standard deviation.')
    normalize_observations: bool = _other(
        False, 'Normalise vectors by running mean and deviation, which ship with the weights.'
    )
    encoder: str = _choice('paper', ENCODERS, 'Convolutional layers before the hidden ones.')
    encoder_sharing: str = _choice(
        'separate',
        ('separate', 'shared'),
        'Shared: the actor looks through the encoder that the critics train [DrQ].',
    )
    random_shift: int = _int(
        -1, -1, 64, 'Largest shift of training images [pixels]; -1: 4 for drq, else 0.'
    )

    def __post_init__(self) -> None:
        """Check types and ranges, and what a single range cannot: relations between fields."""
        check_values(type(self), {item.name: getattr(self, item.name) for item in fields(self)})
        for name in ('actor_hidden', 'critic_hidden'):
            sizes = getattr(self, name)
            if not sizes or any(not isinstance(n, int) or n < 1 for n in sizes):
                raise ValueError(f'{name} must be one or more positive integers, got {sizes}')
            object.__setattr__(self, name, tuple(sizes))
        if self.target_subset > self.critics:
            raise ValueError(
                f'target_subset ({self.target_subset}) must not exceed critics ({self.critics})'
            )
        if self.log_std_min >= self.log_std_max:
            raise ValueError(
                f'log_std_min ({self.log_std_min}) must be below log_std_max ({self.log_std_max})'
            )
        if self.critic_layer_norm and self.critic_batch_norm:
            raise ValueError('choose critic_layer_norm or critic_batch_norm, not both')
        if self.critic_batch_norm and self.target_networks:
            raise ValueError(
                'critic_batch_norm needs target_networks: false, since state and next state '
                'share the statistics of one pass [CrossQ]'
            )
        for name in ('actor', 'critic', 'temperature'):
            final = getattr(self, f'{name}_lr_final')
            if getattr(self, f'{name}_schedule') == 'exponential' and final <= 0.0:
                raise ValueError(
                    f'{name}_lr_final must be positive for an exponential schedule, got {final}'
                )
        self.entropy_target(1)

    def entropy_target(self, action_size: int) -> float:
        """Return the entropy to hold [nat].

        Raises:
            ValueError: `target_entropy` is neither a known word nor a number.
        """
        words = {'auto': -1.0, '-dim': -1.0, '-dim/2': -0.5}
        if self.target_entropy in words:
            return words[self.target_entropy] * action_size
        try:
            value = float(self.target_entropy)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(
                f"target_entropy must be 'auto', '-dim', '-dim/2' or a number, "
                f'got {self.target_entropy!r}'
            )
        return value

    @property
    def policy_interval(self) -> int:
        """Critic updates per step of the policy, at least 1."""
        return self.policy_delay or max(1, round(self.updates_per_step))

    @property
    def image_shift(self) -> int:
        """Largest random shift of images [pixels]."""
        return (4 if self.encoder == 'drq' else 0) if self.random_shift < 0 else self.random_shift


# What differs from Table 1. Update-to-data ratios, delays and target entropies as in the papers'
# main results; their code has the entropies task by task, which are about -dim/2. `default` and
# `light` are ours (docs/benchmarks.md, results.md).
_UTD20 = {'updates_per_step': 20.0, 'policy_delay': 20, 'target_entropy': '-dim/2'}
_REDQ = {'critics': 10, 'target_subset': 2, 'actor_reduction': 'mean', **_UTD20}
PRESETS: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        'default': {
            'critics': 3,
            'critic_layer_norm': True,
            'temperature_lr': 1e-3,
            'updates_per_step': 4.0,
            'policy_delay': 0,
            'actor_reduction': 'mean',
            'policy_average': 0.001,
        },
        'light': {'critic_layer_norm': True, 'updates_per_step': 2.0},
        'paper': {},
        'redq': {**_REDQ, 'learning_starts': 5000, 'warmup_steps': 5000},
        'droq': {
            **_UTD20,
            'critic_dropout': 0.01,
            'critic_layer_norm': True,
            'temperature_lr': 1e-3,
            'actor_reduction': 'mean',
            'policy_average': 0.001,
        },
        'crossq': {
            'critic_batch_norm': True,
            'target_networks': False,
            'critic_hidden': (2048, 2048),
            'adam_beta1': 0.5,
            'actor_lr': 1e-3,
            'critic_lr': 1e-3,
            'temperature_lr': 1e-3,
            'policy_delay': 3,
        },
        'rlpd': {
            **_REDQ,
            'critic_layer_norm': True,
            'demonstration_fraction': 0.5,
        },
    }
)


def preset(name: str, **changes: Any) -> SacConfig:
    """Return a named configuration, with `changes` on top.

    Raises:
        ValueError: There is no such preset, or a value is not admissible.
    """
    if name not in PRESETS:
        raise ValueError(f'preset must be one of {sorted(PRESETS)}, got {name!r}')
    return replace(SacConfig(), **{**PRESETS[name], **changes})
