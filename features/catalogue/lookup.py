"""The catalogue as one mapping: names, aliases, families, and what other sources know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches

from features.catalogue.feature import OWN, Family, Feature, Group
from features.errors import ExpressionError, FeatureError, RefusedFeature, UnknownFeature
from features.expression import Expr

_LARGEST = 100_000  # bars: a window beyond two months of 1m is a slip of the pen


class Catalogue(Mapping[str, Feature]):
    """All groups as one mapping. Iterating gives listed names; lookup knows families as well.

    Parameters
    ----------
    groups : iterable of Group
        In the order of the catalogue.
    aliases : mapping of str to str
        Other names of listed features.

    Attributes
    ----------
    sources : list of callable
        Asked in turn for a name that no group has: they return a Feature, or None.
    hint : callable
        Returns what an unknown name's error says about the sources.

    Raises
    ------
    FeatureError
        A name in two groups, or a twin that is not there or has a unit itself.
    """

    def __init__(self, groups: Iterable[Group], aliases: Mapping[str, str]) -> None:
        self._features: dict[str, Feature] = {}
        self.families: dict[str, Family] = {}
        for group in groups:
            twice = sorted(self._features.keys() & group.features.keys())
            if twice:
                raise FeatureError(f"listed in two groups: {', '.join(twice)}; rename one")
            self._features.update(group.features)
            self.families.update(group.families)
        self.aliases = dict(aliases)
        self.sources: list[Callable[[str], Feature | None]] = []
        self.hint: Callable[[], str] = str
        for name, feature in self._features.items():
            self._check_twin(name, feature)

    def __getitem__(self, name: str) -> Feature:
        """Return a feature by name, alias or family."""
        name = self.aliases.get(name, name)
        if name in self._features:
            return self._features[name]
        found = self.family_of(name)
        if found is not None:
            family, n = found
            return family.feature(n)
        for source in self.sources:
            feature = source(name)
            if feature is not None:
                return feature
        if name in self._features:  # listed by a module that a source has just imported
            return self._features[name]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        """Return whether a name can be had: what is refused cannot."""
        try:
            self[str(name)]
        except (KeyError, ExpressionError, RefusedFeature):
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        """Iterate over the listed names, in the order of the catalogue."""
        return iter(self._features)

    def __len__(self) -> int:
        """Return how many names are listed."""
        return len(self._features)

    def add(
        self, name: str, expression: Expr, text: str, *, twin: str = "", replace: bool = False
    ) -> Expr:
        """List a feature of one's own, in this process, and return its expression.

        Parameters
        ----------
        name : str
            Its name: letters, digits and underscores.
        expression : Expr
            What is computed, in the words of `features.language`.
        text : str
            One sentence for people.
        twin : str
            For a feature in price or volume units: the scale-free one that a model may read.
        replace : bool
            Whether another feature of one's own may have had this name.

        Raises
        ------
        FeatureError
            The name is no such word, or means something else already.
        """
        feature = Feature(expression, text, OWN, twin)
        known = self._features.get(name)
        if known is None or known.group != OWN:
            check_name(name, self)
        elif known.expression.digest != expression.digest and not replace:
            raise FeatureError(
                f"{name} is defined already, as {known.expression.text}; choose another name, or "
                "say replace=True"
            )
        self._check_twin(name, feature)
        self._features[name] = feature
        return expression

    def remove(self, name: str) -> None:
        """Forget a feature of one's own."""
        if name in self._features and self._features[name].group == OWN:
            del self._features[name]

    def family_of(self, name: str) -> tuple[Family, int] | None:
        """Return the family that a name belongs to, with its number of bars."""
        parts = name.split("_")
        for i, number in enumerate(parts):
            family = self.families.get("_".join([*parts[:i], "{n}", *parts[i + 1 :]]))
            plain = number.isascii() and number.isdecimal() and not number.startswith("0")
            if family is not None and plain and int(number) <= _LARGEST:
                return family, int(number)
        return None

    def _check_twin(self, name: str, feature: Feature) -> None:
        twin = feature.twin
        if twin and not (twin in self and self[twin].expression.unit.scale_free):
            told = "which is no scale-free feature of the catalogue; list it, or name another"
            raise FeatureError(f"{name} names {twin} as its scale-free twin, {told}")


def check_name(name: str, features: Mapping[str, Feature]) -> None:
    """Refuse a name that cannot be that of a new feature.

    Raises
    ------
    FeatureError
        It is no word, or means something already.
    """
    if not name.isascii() or not name.isidentifier():
        raise FeatureError(
            f"{name!r} is no name for a feature; use letters, digits and underscores"
        )
    if name in features:
        raise FeatureError(f"{name} is a feature already; choose another name")


def find(name: str, features: Mapping[str, Feature]) -> Feature:
    """Return a feature by name.

    Raises
    ------
    UnknownFeature
        With the nearest names.
    """
    try:
        return features[name]
    except UnknownFeature:
        raise
    except KeyError:
        near = get_close_matches(str(name), list(features), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "see features.catalogue.FEATURES"
        more = features.hint() if isinstance(features, Catalogue) else ""
        raise UnknownFeature(f"there is no feature {name!r}; {hint}{more}") from None
