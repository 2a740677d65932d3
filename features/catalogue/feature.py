"""A named feature, the group it is listed in, and families such as ``sma_<n>``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from features.errors import FeatureError, UnknownFeature
from features.expression import Expr

Family = Callable[[int], "Feature"]
_LARGEST = 100_000  # bars: a window beyond two months of 1m is a slip of the pen


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
    """

    expression: Expr
    text: str
    group: str = ""


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
        By the part of the name before the number.
    """

    name: str
    features: dict[str, Feature] = field(default_factory=dict)
    families: dict[str, Family] = field(default_factory=dict)

    def add(self, name: str, expression: Expr, text: str) -> Expr:
        """List a feature and return its expression, for use in others."""
        if name in self.features:
            raise FeatureError(f"{name} is listed twice in the group {self.name}; rename one")
        self.features[name] = Feature(expression, text, self.name)
        return expression

    def family(
        self, prefix: str, listed: Iterable[int], make: Callable[[int], Expr], text: str
    ) -> None:
        """List ``<prefix>_<n>`` for each n given; others can be asked for by name.

        Parameters
        ----------
        prefix : str
            Name without the number of bars.
        listed : iterable of int
            The n that appear in the catalogue.
        make : callable
            From n to the expression.
        text : str
            A sentence; ``{n}`` stands for the number.
        """

        def feature(n: int) -> Feature:
            return Feature(make(n), text.format(n=n), self.name)

        self.families[prefix] = feature
        for n in listed:
            self.features[f"{prefix}_{n}"] = feature(n)


class Catalogue(Mapping[str, Feature]):
    """All groups as one mapping. Iterating gives listed names; lookup knows families as well."""

    def __init__(self, groups: Iterable[Group], aliases: Mapping[str, str]) -> None:
        self._features: dict[str, Feature] = {}
        self._families: dict[str, Family] = {}
        for group in groups:
            twice = sorted(self._features.keys() & group.features.keys())
            if twice:
                raise FeatureError(f"listed in two groups: {', '.join(twice)}; rename one")
            self._features.update(group.features)
            self._families.update(group.families)
        self.aliases = dict(aliases)

    def __getitem__(self, name: str) -> Feature:
        """Return a feature by name, alias or family."""
        name = self.aliases.get(name, name)
        if name in self._features:
            return self._features[name]
        prefix, _, number = name.rpartition("_")
        if prefix in self._families and number.isdecimal() and 0 < int(number) <= _LARGEST:
            return self._families[prefix](int(number))
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the listed names, in the order of the catalogue."""
        return iter(self._features)

    def __len__(self) -> int:
        """Return how many names are listed."""
        return len(self._features)


def find(name: str, features: Mapping[str, Feature]) -> Feature:
    """Return a feature by name.

    Raises
    ------
    UnknownFeature
        With the nearest names.
    """
    try:
        return features[name]
    except KeyError:
        near = get_close_matches(str(name), list(features), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "see features.catalogue.FEATURES"
        raise UnknownFeature(f"there is no feature {name!r}; {hint}") from None
