"""Names that a node uses, replaced by others."""

from __future__ import annotations

from collections.abc import Iterable

from launch.launch_context import LaunchContext
from launch.substitution import normalize, perform, SomeSubstitutionsType, Substitution

SomeRemapRules = Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]]
RemapRules = list[tuple[list[Substitution], list[Substitution]]]


def normalize_rules(rules: SomeRemapRules | None) -> RemapRules:
    """Return the rules with their parts as substitutions."""
    return [(normalize(source), normalize(target)) for source, target in rules or ()]


def perform_rules(context: LaunchContext, rules: RemapRules) -> list[tuple[str, str]]:
    """Return the rules as text."""
    return [(perform(context, source), perform(context, target)) for source, target in rules]
