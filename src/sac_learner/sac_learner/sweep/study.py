"""The memory of a sweep: an Optuna study in a SQLite file, asked and told, never run by Optuna."""

from collections.abc import Iterator, Mapping
from itertools import islice, product
from pathlib import Path
from typing import Any

from sac_learner.command_line import CommandError
from sac_learner.sweep.config import Choices, SweepConfig

try:
    import optuna
except ImportError:  # an optional dependency
    optuna = None  # type: ignore[assignment]

FILE = 'study.sqlite3'


class Study:
    """Chooses settings and remembers what came of them, also over a kill."""

    def __init__(self, directory: Path, config: SweepConfig) -> None:
        """Open the study in a directory, or begin one.

        Raises:
            CommandError: Optuna is not installed.
        """
        if optuna is None:
            raise CommandError('sweep needs Optuna; install it with: pip install optuna')
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._config = config
        storage = f'sqlite:///{(directory / FILE).absolute()}'
        self._study: Any = optuna.create_study(
            storage=storage,
            study_name='sweep',
            load_if_exists=True,
            direction='maximize' if config.direction == 'maximise' else 'minimize',
        )
        # What was chosen before must not be chosen again after a restart.
        seed = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = _sampler(config, seed)
        if config.sampler == 'grid':
            for combination in islice(_combinations(config), config.wanted):
                self._study.enqueue_trial(combination, skip_if_exists=True)
        self._study.pruner = (
            optuna.pruners.MedianPruner(n_startup_trials=config.startup)
            if config.prune
            else optuna.pruners.NopPruner()
        )

    def unfinished(self) -> list[Any]:
        """Return the trials that were under way when the last process ended."""
        return [
            optuna.trial.Trial(self._study, trial._trial_id)
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state is optuna.trial.TrialState.RUNNING
        ]

    def ask(self) -> Any | None:
        """Return the next trial, None when enough were tried; failed ones are replaced.

        A point of a grid that failed is not tried again.
        """
        states = [trial.state.name for trial in self._study.get_trials(deepcopy=False)]
        if self._config.sampler == 'grid':
            return self._study.ask() if 'WAITING' in states else None
        counted = len(states) - states.count('FAIL')
        return self._study.ask() if counted < self._config.wanted else None

    def settings(self, trial: Any) -> dict[str, Any]:
        """Return the settings of a trial, chosen once and for all by the first call."""
        values: dict[str, Any] = {}
        for name, what in self._config.settings.items():
            if isinstance(what, Choices):
                chosen = trial.suggest_categorical(name, list(what.values))
                values[name] = what.values[chosen]
            elif what.whole:
                values[name] = trial.suggest_int(name, int(what.low), int(what.high), log=what.log)
            else:
                values[name] = trial.suggest_float(name, what.low, what.high, log=what.log)
        return values

    def report(self, trial: Any, steps: int, value: float) -> bool:
        """Note a value on the way; return whether the trial is not worth going on."""
        trial.report(value, steps)
        return bool(trial.should_prune())

    def complete(self, trial: Any, value: float) -> None:
        """Note the value of a trial."""
        self._study.tell(trial, value)

    def pruned(self, trial: Any) -> None:
        """Note that a trial was stopped early."""
        self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def failed(self, trial: Any, reason: str) -> None:
        """Note that a trial could not be finished."""
        trial.set_user_attr('reason', reason)
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def results(self) -> list[dict[str, Any]]:
        """Return all trials, the best first, as rows of a table."""
        sign = -1.0 if self._config.direction == 'maximise' else 1.0
        trials = self._study.get_trials(deepcopy=False)
        rows = [
            {
                'trial': trial.number,
                'state': trial.state.name.lower(),
                'value': trial.value if trial.state.name == 'COMPLETE' else None,
                **trial.params,
            }
            for trial in trials
        ]
        return sorted(rows, key=lambda row: _order(row, sign))


def _order(row: Mapping[str, Any], sign: float) -> tuple[bool, float]:
    value = row['value']
    return value is None, 0.0 if value is None else sign * value


def _combinations(config: SweepConfig) -> Iterator[dict[str, Any]]:
    names = list(config.settings)
    lists = [what.values for what in config.settings.values() if isinstance(what, Choices)]
    for values in product(*lists):
        yield dict(zip(names, values, strict=True))


def _sampler(config: SweepConfig, seed: int) -> Any:
    if config.sampler == 'tpe':
        return optuna.samplers.TPESampler(
            n_startup_trials=config.startup, constant_liar=True, seed=seed
        )
    return optuna.samplers.RandomSampler(seed=seed)
