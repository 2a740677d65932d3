"""docs/features.md holds what the catalogue says today, and names only features that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.catalogue import FEATURES, GROUPS
from features.document import render
from features.model_set import MODEL_SET

TEXT = (Path(__file__).parents[2] / "docs" / "features.md").read_text()
PROSE = re.sub(r"<!-- written.*?<!-- end -->", "", TEXT, flags=re.DOTALL)
ROW = re.compile(r"^\| `(\w+)` \| [^`]* \| [\d,]+ \| [\d,]+ \| (yes|) \| `", re.MULTILINE)


def test_the_page_is_what_the_generator_writes() -> None:
    assert render(TEXT) == TEXT, "run `make docs`"


def test_every_feature_has_one_row() -> None:
    rows = ROW.findall(TEXT)
    assert [name for name, _ in rows] == list(FEATURES)
    assert [name for name, told in rows if told] == [name for name in FEATURES if name in MODEL_SET]
    groups = re.findall(r"^### (\w+)$", TEXT, re.MULTILINE)
    assert groups == [group.name for group in GROUPS]


def test_what_people_wrote_stays_and_what_is_old_goes() -> None:
    page = "before\n<!-- written: counts -->\nold figures\n<!-- end -->\nafter\n"
    written = render(page)
    assert written.startswith("before\n<!-- written: counts -->\n\n")
    assert written.endswith("\n\n<!-- end -->\nafter\n")
    assert "old" not in written
    assert f"{len(FEATURES)} features" in written
    assert render(written) == written


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([a-z]+(?:_[a-z]+)*_\d+\w*)`", PROSE))))
def test_names_in_the_prose_are_features(name: str) -> None:
    assert name in FEATURES
