"""Whether an action is executed at all."""

from collections.abc import Callable

from .launch_context import LaunchContext
from .substitution import describe, normalize, perform, SomeSubstitutionsType


class InvalidConditionExpressionError(Exception):
    """The text of a condition is neither true nor false."""


class Condition:
    """A predicate on the context."""

    def __init__(self, *, predicate: Callable[[LaunchContext], bool]) -> None:
        """Take the predicate."""
        self._predicate = predicate

    def evaluate(self, context: LaunchContext) -> bool:
        """Tell whether the action is to be executed."""
        return self._predicate(context)


class IfCondition(Condition):
    """Executed where the text is true."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        """Take the text: true, 1, false or 0 once its substitutions are performed."""
        expression = normalize(predicate_expression)
        super().__init__(
            predicate=lambda context: evaluate_condition_expression(context, expression)
        )


class UnlessCondition(Condition):
    """Executed where the text is false."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        """Take the text: true, 1, false or 0 once its substitutions are performed."""
        expression = normalize(predicate_expression)
        super().__init__(
            predicate=lambda context: not evaluate_condition_expression(context, expression)
        )


class LaunchConfigurationEquals(Condition):
    """Executed where a launch argument has a certain value; ``None`` stands for unset."""

    def __init__(
        self, launch_configuration_name: str, expected_value: SomeSubstitutionsType | None
    ) -> None:
        """Take the name of the argument and its value."""

        def is_equal(context: LaunchContext) -> bool:
            value = context.launch_configurations.get(launch_configuration_name)
            return value == (None if expected_value is None else perform(context, expected_value))

        super().__init__(predicate=is_equal)


def evaluate_condition_expression(
    context: LaunchContext, expression: SomeSubstitutionsType
) -> bool:
    """Return the truth of a text.

    Raises:
        InvalidConditionExpressionError: It is none of true, 1, false, 0.
    """
    text = perform(context, expression).strip().lower()
    if text in ('true', '1'):
        return True
    if text in ('false', '0'):
        return False
    raise InvalidConditionExpressionError(
        'invalid condition expression, expected one of [true, 1, false, 0] '
        f"but got '{text}', expanded from '{describe(expression)}'"
    )
