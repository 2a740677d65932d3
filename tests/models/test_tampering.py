"""Whatever befalls a new version, it is refused with the reason and the old champion serves on."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models.common.model as model_module
from models.common.bundle import read_bundle
from models.common.bundle_checks import CHECKSUMS
from models.common.errors import BundleError
from models.common.model import open_model
from models.common.reading import LIMITS, read_plain
from tests.models import tiny
from tests.models.tampering import (
    BEGIN,
    CASES,
    DOCUMENT,
    END,
    SLOT,
    forge,
    home_with_champion,
    point,
    refusal,
    table,
)

REASONS = {
    "a flipped bit in the graph": "model.onnx is damaged",
    "a file that ends too early": "model.onnx is damaged",
    "no graph": "model.onnx missing",
    "no checksums": "checksums.json is missing",
    "a file too many": "model.pkl not listed",
    "a pickle in place of the graph": "model.onnx",
    "columns in another order": "list different columns",
    "columns in another order, in both documents": "made for other columns",
    "another model's graph": "answers its probe otherwise",
    "an older operator set": "opset 13 of ai.onnx; supported are 15 to 21",
    "a newer operator set": "opset 23 of ai.onnx",
    "operators of a vendor": "operators of 'com.microsoft'",
    "operators of a vendor, undeclared": "operator Gelu of 'com.microsoft'",
    "an operator that draws": "RandomNormalLike, which draws at random",
    "an operator that loops": "Loop, which may run without end",
    "an operator that fills the memory": "Expand, which may fill the memory",
    "an output too many": "has one output",
    "weights in another file": "weights in other files",
    "a link to a file outside": "model.onnx is a link",
    "a version that is a link to a folder outside": "outside of the models folder",
    "a link that leads to itself": "Symlink loop",
    "a pipe in place of the graph": "is a link, a folder or a pipe",
    "a graph of 65 MiB": "65.0 MiB; at most 64 are read",
    "a document of 9 MiB": "9.0 MiB; at most 8 are read",
    "a document 100,000 lists deep": "metrics.json is unreadable",
    "checksums 900 lists deep": "something else than checksums",
    "a number beyond all numbers": "interval_q must be one finite number",
    "a figure that is no number": "skill is 'high', not a number",
    "a figure beyond all numbers": "n is '10000000000000000000', not a number",
    "symbols that are no list": "training must be an object whose symbols are a list",
    "a market that is neither": "simulated is 'no', not true or false",
    "a probe of other answers": "answers its probe otherwise",
    "a bundle of another slot": "it is of majors/direction/5m",
}


@pytest.mark.parametrize("case", CASES)
def test_the_old_champion_serves_while_the_new_one_is_refused(
    tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_module, "LOOK_S", 0.0)
    monkeypatch.setattr(model_module, "RETRY_S", 0.0)
    registry = home_with_champion(tmp_path)
    model = open_model("direction", home=tmp_path)
    CASES[case](registry.folder(SLOT, "v2"))
    point(registry, "v2")
    before = tiny.probability(-1.0)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            answer = model.predict(tiny.ROWS[:1])
            assert answer["probability"] == pytest.approx(before, abs=1e-6)
    assert model.version_id == "v1"
    assert len(caplog.records) == 1
    assert REASONS[case] in caplog.text
    assert "majors/direction/1m/v1 stays in service" in caplog.text
    assert model.refused is not None
    assert REASONS[case] in model.refused
    tiny.bundle(registry.root, version="v3", bias=2.0)
    registry.promote(SLOT, "v3")
    assert model.predict(tiny.ROWS[:1])["probability"] > 0.9
    assert (model.version_id, model.refused) == ("v3", None)


@pytest.mark.parametrize("case", CASES)
def test_at_the_door_it_is_refused_alike(tmp_path: Path, case: str) -> None:
    assert REASONS[case] in refusal(tmp_path, case)


def test_the_document_shows_these_cases_and_these_words() -> None:
    shown = DOCUMENT.read_text().split(BEGIN)[1].split(END)[0]
    assert shown == table(), "write it anew: python -m tests.models.tampering"


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    """A terabyte: reading it would end the process."""
    (tmp_path / "model.onnx").write_bytes(b"")
    os.truncate(tmp_path / "model.onnx", LIMITS["model.onnx"])
    assert len(read_plain(tmp_path, "model.onnx")) == LIMITS["model.onnx"]
    os.truncate(tmp_path / "model.onnx", 1 << 40)
    with pytest.raises(BundleError, match="MiB; at most 64 are read"):
        read_plain(tmp_path, "model.onnx")


def test_what_takes_the_place_of_a_file_after_it_was_listed_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "model.onnx").symlink_to(tmp_path / "secret")
    with pytest.raises(BundleError, match="cannot be read"):
        read_plain(tmp_path, "model.onnx")
    os.mkfifo(tmp_path / "probe.json")
    with pytest.raises(BundleError, match="no plain file"):
        read_plain(tmp_path, "probe.json")


ODD = (None, True, -1, 0.5, 10**400, "", "\ud800", "../..", [], {}, [[1]], {"a": [None]}, ["x"] * 3)


def _places(document: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Return the way to every value in a document."""
    if isinstance(document, dict):
        inside = list(document.items())
    else:
        inside = list(enumerate(document)) if isinstance(document, list) else []
    return [path, *(place for key, value in inside for place in _places(value, (*path, key)))]


@pytest.mark.parametrize(
    "name", ["metadata.json", "feature_schema.json", "probe.json", "metrics.json", CHECKSUMS]
)
def test_whatever_a_document_says_it_is_read_or_refused(tmp_path: Path, name: str) -> None:
    """Some thirty values in turn become something odd: nothing but a BundleError comes of it."""
    folder = tiny.bundle(tmp_path, "price", novelty=1.0)
    sound = {file.name: file.read_bytes() for file in folder.iterdir()}
    refused = 0
    places = _places(json.loads(sound[name]))
    for place in places[:: -(-len(places) // 30)]:
        for odd in ODD:
            document = json.loads(sound[name])
            inside: Any = document
            for key in place[:-1]:
                inside = inside[key]
            if place:
                inside[place[-1]] = odd
            content = json.dumps(document if place else odd, indent=1).encode() + b"\n"
            if name == CHECKSUMS:
                (folder / name).write_bytes(content)
            else:
                forge(folder, name, content)
            try:
                bundle = read_bundle(folder, root=tmp_path)
                bundle.runner.answer(tiny.ROWS, np.ones(3))
            except BundleError:
                refused += 1
            for file, bytes_ in sound.items():
                (folder / file).write_bytes(bytes_)
    assert refused or name == "metrics.json"
