"""A named feature, the group it is listed in, and families such as ``sma_<n>``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from features.errors import FeatureError
from features.expression import Expr

OWN = "own"
"""Group of the features that users add."""


@dataclass(frozen=True)
class Feature:
    """An expression with a sentence that says what it means.

    Parameters
    ----------
    expression : Expr
        What is computed.
    text : str
        One sentence for people.
    group : str
        Group of the catalogue.
    twin : str
        For a feature in price or volume units: the scale-free one that tells a model the same.
    """

    expression: Expr
    text: str
    group: str = ""
    twin: str = ""


@dataclass(frozen=True)
class Family:
    """Features that differ in a number of bars.

    Parameters
    ----------
    pattern : str
        Their names; ``{n}`` stands for the number, here and in what follows.
    make : callable
        From n to the expression.
    text : str
        The sentence.
    group : str
        Group of the catalogue.
    twin : str
        Names of their scale-free twins, if they need any.
    listed : tuple of int
        The n that appear in the catalogue.
    """

    pattern: str
    make: Callable[[int], Expr]
    text: str
    group: str = ""
    twin: str = ""
    listed: tuple[int, ...] = ()

    def name(self, n: int) -> str:
        """Return the name of the feature over n bars."""
        return self.pattern.format(n=n)

    def feature(self, n: int) -> Feature:
        """Return the feature over n bars."""
        text = self.text.replace("{n} bars", "{n} bar") if n == 1 else self.text
        return Feature(self.make(n), text.format(n=n), self.group, self.twin.format(n=n))


@dataclass
class Group:
    """One file of the catalogue.

    Parameters
    ----------
    name : str
        Its name.

    Attributes
    ----------
    features : dict of str to Feature
        Listed features in their order.
    families : dict of str to Family
        By their pattern, such as ``sma_{n}``.
    """

    name: str
    features: dict[str, Feature] = field(default_factory=dict)
    families: dict[str, Family] = field(default_factory=dict)

    def add(self, name: str, expression: Expr, text: str, *, twin: str = "") -> Expr:
        """List a feature and return its expression, for use in others."""
        self._list(name, Feature(expression, text, self.name, twin))
        return expression

    def family(
        self,
        name: str,
        listed: Iterable[int],
        make: Callable[[int], Expr],
        text: str,
        *,
        twin: str = "",
    ) -> None:
        """List ``<name>_<n>`` for each n given; others can be asked for by name.

        Parameters
        ----------
        name : str
            Without the number of bars, or with ``{n}`` where it stands.
        listed : iterable of int
            The n that appear in the catalogue.
        make : callable
            From n to the expression.
        text : str
            A sentence; ``{n}`` stands for the number.
        twin : str
            Name of the scale-free twin, for a family in price or volume units; ``{n}`` as above.
        """
        pattern = name if "{n}" in name else f"{name}_{{n}}"
        family = Family(pattern, make, text, self.name, twin, tuple(listed))
        self.families[pattern] = family
        for n in family.listed:
            self._list(family.name(n), family.feature(n))

    def _list(self, name: str, feature: Feature) -> None:
        if name in self.features:
            raise FeatureError(f"{name} is listed twice in the group {self.name}; rename one")
        self.features[name] = feature
