"""What a bag says, held against what follows from the rest of it."""

from typing import Any

import numpy as np


class DifferenceError(Exception):
    """A recorded value is not what follows from the rest of the bag."""


def expect_same(
    name: str, recorded: Any, repeated: Any, origin: str, tolerance: float = 0.0
) -> None:
    """Compare what was recorded with what follows from the rest of the bag.

    Args:
        name: Of the field.
        recorded: Its numbers.
        repeated: What they should be.
        origin: Where that comes from, for the error text.
        tolerance: Largest admissible difference.

    Raises:
        DifferenceError: They differ; the text names the first difference.
    """
    recorded, repeated = np.asarray(recorded), np.asarray(repeated)
    if recorded.shape != repeated.shape:
        raise DifferenceError(f'{name} has {recorded.size} values, {origin} has {repeated.size}')
    different = recorded != repeated
    if tolerance:
        different = ~(np.abs(recorded - repeated) <= tolerance)
    if different.any():
        index = int(np.argmax(different))
        raise DifferenceError(
            f'{name}[{index}] is {recorded[index]!r}, {origin} is {repeated[index]!r}'
        )
