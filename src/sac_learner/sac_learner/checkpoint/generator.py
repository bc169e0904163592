"""The state of a random generator as JSON values."""

from __future__ import annotations

from typing import Any

import numpy as np


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """Return the state of a generator; only integers and texts."""
    state: dict[str, Any] = _plain(generator.bit_generator.state)
    return state


def restore_generator(generator: np.random.Generator, state: dict[str, Any]) -> None:
    """Put a generator into a state from :func:`generator_state`.

    Raises:
        ValueError: The state belongs to another kind of generator.
    """
    try:
        generator.bit_generator.state = state
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'not a state of {type(generator.bit_generator).__name__}: {error!r}'
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
