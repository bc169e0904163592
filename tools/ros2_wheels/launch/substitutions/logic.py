"""Booleans, comparisons and choices, all as text: 'true' or 'false'."""

from collections.abc import Iterable
import math

import yaml

from ..launch_context import LaunchContext
from ..substitution import describe, normalize, perform, SomeSubstitutionsType, Substitution
from .errors import SubstitutionFailure


class PythonExpression(Substitution):
    """The value of a Python expression; names of ``math`` are at hand."""

    def __init__(
        self, expression: SomeSubstitutionsType, python_modules: SomeSubstitutionsType = ('math',)
    ) -> None:
        """Take the expression and the modules that it may use."""
        self._expression = normalize(expression)
        self._modules = normalize(python_modules)

    def perform(self, context: LaunchContext) -> str:
        """Return the value as text."""
        names: dict[str, object] = dict(vars(math))
        for part in self._modules:
            module = part.perform(context)
            names[module.split('.')[0]] = __import__(module)
        return str(eval(perform(context, self._expression), {}, names))

    def describe(self) -> str:
        """Return ``PythonExpr(...)``."""
        return f'PythonExpr({describe(self._expression)})'


class NotSubstitution(Substitution):
    """The opposite."""

    def __init__(self, value: SomeSubstitutionsType) -> None:
        """Take the value to negate."""
        self._value = normalize(value)

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return _text(not _truth(perform(context, self._value)))

    def describe(self) -> str:
        """Return ``NotSubstitution(...)``."""
        return f'NotSubstitution({describe(self._value)})'


class AnySubstitution(Substitution):
    """Whether at least one value is true."""

    def __init__(self, *args: SomeSubstitutionsType) -> None:
        """Take the values."""
        self._values = _operands(args)

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return _text(any(_truth(perform(context, value)) for value in self._values))

    def describe(self) -> str:
        """Return the name with the values."""
        return f'{type(self).__name__}({" ".join(describe(value) for value in self._values)})'


class AllSubstitution(AnySubstitution):
    """Whether every value is true."""

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return _text(all(_truth(perform(context, value)) for value in self._values))


class AndSubstitution(AllSubstitution):
    """Whether both values are true."""

    def __init__(self, left: SomeSubstitutionsType, right: SomeSubstitutionsType) -> None:
        """Take the two values."""
        super().__init__(left, right)


class OrSubstitution(AnySubstitution):
    """Whether one of two values is true."""

    def __init__(self, left: SomeSubstitutionsType, right: SomeSubstitutionsType) -> None:
        """Take the two values."""
        super().__init__(left, right)


class IfElseSubstitution(Substitution):
    """One of two texts."""

    def __init__(
        self,
        condition: SomeSubstitutionsType,
        if_value: SomeSubstitutionsType = '',
        else_value: SomeSubstitutionsType = '',
    ) -> None:
        """Take the condition and the texts for true and for false."""
        self._condition = normalize(condition)
        self._if_value = normalize(if_value)
        self._else_value = normalize(else_value)

    def perform(self, context: LaunchContext) -> str:
        """Return the chosen text."""
        chosen = self._if_value if _truth(perform(context, self._condition)) else self._else_value
        return perform(context, chosen)

    def describe(self) -> str:
        """Return ``IfElseSubstitution(...)``."""
        parts = (self._condition, self._if_value, self._else_value)
        return f'IfElseSubstitution({", ".join(describe(part) for part in parts)})'


class EqualsSubstitution(Substitution):
    """Whether two values are equal: as booleans, as numbers, or else as texts."""

    def __init__(
        self,
        left: SomeSubstitutionsType | float | None,
        right: SomeSubstitutionsType | float | None,
    ) -> None:
        """Take the two values."""
        self._sides = [
            normalize(
                '' if side is None else str(side) if isinstance(side, bool | int | float) else side
            )
            for side in (left, right)
        ]

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return _text(_equal(*(perform(context, side) for side in self._sides)))

    def describe(self) -> str:
        """Return the name with both sides."""
        return f'{type(self).__name__}({" ".join(describe(side) for side in self._sides)})'


class NotEqualsSubstitution(EqualsSubstitution):
    """Whether two values differ."""

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return _text(not _equal(*(perform(context, side) for side in self._sides)))


def _operands(args: tuple[SomeSubstitutionsType, ...]) -> list[list[Substitution]]:
    if len(args) == 1 and isinstance(args[0], Iterable) and not isinstance(args[0], str):
        return [normalize(value) for value in args[0]]
    return [normalize(value) for value in args]


def _text(value: bool) -> str:
    return 'true' if value else 'false'


def _truth(text: str) -> bool:
    if text.strip() in ('0', '1'):
        return text.strip() == '1'
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = None
    if not isinstance(value, bool):
        raise SubstitutionFailure(f"expected a boolean, got '{text}'")
    return value


def _equal(left: str, right: str) -> bool:
    truths = {'true': True, '1': True, 'false': False, '0': False}
    if left.lower() in truths and right.lower() in truths:
        return truths[left.lower()] == truths[right.lower()]
    try:
        return math.isclose(float(left), float(right))
    except ValueError:
        return left == right
