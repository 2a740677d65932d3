"""The tables of docs/features.md, written from the catalogue: ``make docs``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path

from features.catalogue import FEATURES, GROUPS
from features.definition import PARTS
from features.description import definitions, listing
from features.model_set import BENCHMARK_SET, MODEL_SET

_PLACE = re.compile(r"(<!-- written: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def render(document: str) -> str:
    """Return the document with its tables written anew; what people wrote around them stays.

    A table stands between ``<!-- written: groups -->`` and ``<!-- end -->``.
    """
    return _PLACE.sub(_written, document)


def _written(place: re.Match[str]) -> str:
    begin, name, end = place.groups()
    lines = "\n".join(_WRITERS[name]()).rstrip()
    return f"{begin}\n{lines}\n\n{end}"


def _counts() -> Iterator[str]:
    listed = sum(len(group.features) for group in GROUPS)
    yield (
        f"{listed} features in {len(GROUPS)} groups are listed, and "
        f"{len(FEATURES.families)} families answer to any number of bars. Models see "
        f"{len(MODEL_SET)} by default; "
        f"{len(BENCHMARK_SET)} more are of use beside a benchmark."
    )


def _groups() -> Iterator[str]:
    every = listing()
    for group in GROUPS:
        yield f"### {group.name}\n"
        yield f"{_sentence(group.name)}\n"
        rows = (
            (
                f"`{one.name}`",
                one.unit,
                f"{one.lookback or 0:,}",
                f"{one.settle or 0:,}",
                "yes" if one.in_model_set else "",
                f"`{one.definition}`",
                one.text,
            )
            for one in every
            if one.group == group.name
        )
        yield from _table("name | unit | look | settle | model | definition | meaning", rows)
        yield ""


def _parts() -> Iterator[str]:
    write = definitions()
    named = {name: part for name, part in PARTS.items() if write.names[part.digest] == name}
    rows = ((f"`{name}`", f"`{write.text(part)}`") for name, part in named.items())
    yield from _table("part | definition", rows)


def _families() -> Iterator[str]:
    rows = (
        (
            f"`{family.pattern}`",
            ", ".join(map(str, family.listed)),
            f"`{family.twin}`" if family.twin else "",
            family.text,
        )
        for family in FEATURES.families.values()
    )
    yield from _table("family | listed n | scale-free twin | meaning", rows)


_WRITERS: dict[str, Callable[[], Iterator[str]]] = {
    "counts": _counts,
    "groups": _groups,
    "parts": _parts,
    "families": _families,
}


def _table(head: str, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {head} |"
    yield "|" + "---|" * (head.count("|") + 1)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _sentence(group: str) -> str:
    """Return the sentence at the top of a group's module."""
    return str(import_module(f"features.catalogue.{group}").__doc__).splitlines()[0]


def main() -> None:
    """Write the tables of the documents named on the command line anew."""
    for path in map(Path, sys.argv[1:]):
        path.write_text(render(path.read_text()))


if __name__ == "__main__":
    main()
