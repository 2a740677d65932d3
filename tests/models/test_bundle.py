"""Bundles: what is written can be read, and every kind of damage is refused with its reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx import load_from_string as load_onnx

from models.common.bundle import read_bundle, read_documents
from models.common.bundle_checks import CHECKSUMS, FILES
from models.common.bundle_writing import write_bundle
from models.common.errors import BadName, BundleError, FeatureError, PredictionError
from models.common.slot import KINDS, Slot
from tests.models import tiny
from tests.models.tampering import forge, forge_json

SLOT = Slot("majors", "direction", "1m")


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return tiny.bundle(tmp_path)


def rewrite(folder: Path, **parts: Any) -> Path:
    """Write a bundle of the same slot to `folder`, with `parts` in place of the sound ones."""
    sound: dict[str, Any] = {
        "onnx": tiny.graph(),
        "metadata": tiny.metadata(SLOT, "v2"),
        "schema": tiny.SCHEMA,
        "metrics": {},
        "readme": "# v2\n",
        "probe": tiny.ROWS,
    }
    return write_bundle(folder, **{**sound, **parts})


# ---------------------------------------------------------------- what is written can be read


@pytest.mark.parametrize("kind", KINDS)
def test_a_written_bundle_reads_back(tmp_path: Path, kind: str) -> None:
    bundle = read_bundle(tiny.bundle(tmp_path, kind), root=tmp_path)
    assert bundle.key == f"majors/{kind}/1m/v1"
    assert bundle.metadata["features"] == list(tiny.NAMES)
    assert bundle.metadata["feature_count"] == 3
    assert bundle.metadata["onnx"] == {"ir_version": 8, "opset": {"ai.onnx": 17}}
    assert bundle.metrics == {"skill": 0.01}
    assert sorted(bundle.checksums) == sorted(FILES)
    assert bundle.runner.run(tiny.ROWS).shape == (3, bundle.head.width)


def test_the_runner_answers_as_the_graph_is_defined(sound: Path) -> None:
    prediction = read_bundle(sound).runner.predict(tiny.ROWS[:1])
    assert prediction.direction == "UP"
    assert prediction.confidence == pytest.approx(tiny.probability(0.0), abs=1e-6)
    assert (prediction.price, prediction.model_name) == (None, "v1")


def test_a_price_runner_gives_price_and_direction(tmp_path: Path) -> None:
    runner = read_bundle(tiny.bundle(tmp_path, "price", bias=-0.5)).runner
    one = runner.predict(tiny.ROWS[:1], close=[100.0])
    assert one.direction == "DOWN"
    assert one.price == pytest.approx(100 * np.exp(one.values["expected_return"]))
    assert list(runner.predict(tiny.ROWS, close=[1.0, 2.0, 3.0]).direction) == ["DOWN"] * 3
    with pytest.raises(FeatureError, match="3 positive prices"):
        runner.predict(tiny.ROWS, close=[1.0, 2.0])


def test_writing_again_keeps_what_is_there_and_other_content_needs_another_name(
    tmp_path: Path,
) -> None:
    folder = rewrite(tmp_path / "v2")
    before = (folder / "metadata.json").stat()
    slower = {**tiny.metadata(SLOT, "v2"), "training_seconds": 9.0}
    rewrite(folder, metadata=slower)
    assert (folder / "metadata.json").stat() == before
    with pytest.raises(BundleError, match="another model has this version name"):
        rewrite(folder, onnx=tiny.graph(bias=1.0))
    assert read_bundle(folder).runner.run(tiny.ROWS[:1])[0, 0] == pytest.approx(
        tiny.probability(0.0), abs=1e-6
    )


def test_writing_again_heals_a_damaged_bundle(tmp_path: Path) -> None:
    folder = rewrite(tmp_path / "v2")
    (folder / "model.onnx").write_bytes(b"")
    rewrite(folder)
    read_bundle(folder)
    assert [p.name for p in tmp_path.iterdir() if p.name != ".lock"] == ["v2"]


@pytest.mark.parametrize("moment", ["mkdir", "write", "rename"])
def test_a_writer_killed_midway_leaves_nothing_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    target = {
        "mkdir": "models.common.files.write_synced",
        "write": "models.common.files.sync_folder",
        "rename": "pathlib.Path.rename",
    }
    with monkeypatch.context() as patch:
        patch.setattr(target[moment], die)
        with pytest.raises(Killed):
            rewrite(tmp_path / "v2")
    assert not (tmp_path / "v2").exists()
    read_bundle(rewrite(tmp_path / "v2"))
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "v2"]


def test_further_files_are_kept_and_guarded(tmp_path: Path) -> None:
    folder = rewrite(tmp_path / "v2", extras={"booster.txt": b"tree\n"})
    assert read_bundle(folder).checksums["booster.txt"]
    (folder / "booster.txt").write_bytes(b"bush\n")
    with pytest.raises(BundleError, match=r"booster\.txt is damaged"):
        read_documents(folder)
    with pytest.raises(BadName):
        rewrite(tmp_path / "v3", extras={"../booster.txt": b""})


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("name", [*FILES, CHECKSUMS])
@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("bit", [0, 5])
def test_a_flipped_bit_in_any_file_is_refused(
    sound: Path, name: str, where: float, bit: int
) -> None:
    content = bytearray((sound / name).read_bytes())
    content[int(where * (len(content) - 1))] ^= 1 << bit
    (sound / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"refused: .*({name}|damaged|missing|not listed)"):
        read_bundle(sound)


@pytest.mark.parametrize("name", [*FILES, CHECKSUMS])
def test_a_missing_file_is_refused_by_name(sound: Path, name: str) -> None:
    (sound / name).unlink()
    with pytest.raises(BundleError, match=f"{name}.* missing"):
        read_bundle(sound)


@pytest.mark.parametrize("name", [*FILES, CHECKSUMS])
def test_a_truncated_file_is_refused(sound: Path, name: str) -> None:
    content = (sound / name).read_bytes()
    (sound / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(BundleError):
        read_bundle(sound)


@pytest.mark.parametrize("name", FILES)
def test_a_file_dropped_from_the_checksums_is_refused(sound: Path, name: str) -> None:
    sums = json.loads((sound / CHECKSUMS).read_bytes())
    del sums[name]
    (sound / CHECKSUMS).write_bytes((json.dumps(sums, indent=1) + "\n").encode())
    with pytest.raises(BundleError, match=f"{name} not listed"):
        read_bundle(sound)


def test_checksums_written_otherwise_are_refused(sound: Path) -> None:
    """The same sums in another spelling: the one file nobody vouches for must be exact."""
    sums = json.loads((sound / CHECKSUMS).read_bytes())
    (sound / CHECKSUMS).write_text(json.dumps(sums))
    with pytest.raises(BundleError, match=f"{CHECKSUMS} is not written as bundles are"):
        read_bundle(sound)


def test_a_foreign_file_is_refused(sound: Path) -> None:
    (sound / "model.pkl").write_bytes(b"cos\nsystem\n")
    with pytest.raises(BundleError, match=r"model\.pkl not listed"):
        read_bundle(sound)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such folder"):
        read_bundle(tmp_path / "v9")


# ---------------------------------------------------------------- forged, checksums and all


@pytest.mark.parametrize("number", ["NaN", "Infinity", "null", '"x"'])
@pytest.mark.parametrize("part", ["input", "output"])
def test_a_probe_that_is_no_number_is_refused(sound: Path, number: str, part: str) -> None:
    probe = json.loads((sound / "probe.json").read_bytes())
    probe[part][1][0] = "HERE"
    forge(sound, "probe.json", json.dumps(probe).replace('"HERE"', number).encode())
    with pytest.raises(BundleError, match=r"probe\.json"):
        read_bundle(sound)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_figure_that_is_no_number_is_refused(sound: Path, constant: str) -> None:
    forge(sound, "metrics.json", f'{{"skill": {constant}}}'.encode())
    with pytest.raises(BundleError, match=rf"metrics\.json is unreadable: {constant} is no number"):
        read_bundle(sound)


def test_a_graph_whose_answer_is_no_probability_is_refused(tmp_path: Path) -> None:
    """Rows of the probe are answered with more than 1."""
    sigmoid = load_onnx(tiny.graph())
    sigmoid.graph.node[-1].op_type = "Identity"
    with pytest.raises(BundleError, match=r"probe\.json: P\(UP\) lies in .*not in"):
        rewrite(tmp_path / "v2", onnx=sigmoid.SerializeToString(), probe=tiny.ROWS * 10)
    assert not (tmp_path / "v2").exists()


def test_a_served_answer_that_is_no_probability_is_an_error(tmp_path: Path) -> None:
    """The probe cannot show every row: what is served is checked as well."""
    identity = load_onnx(tiny.graph())
    identity.graph.node[-1].op_type = "Identity"
    folder = rewrite(tmp_path / "v2", onnx=identity.SerializeToString())
    runner = read_bundle(folder).runner
    assert runner.predict(tiny.ROWS[:1]).values["probability"] == pytest.approx(0.554, abs=1e-3)
    with pytest.raises(PredictionError, match="not in"):
        runner.predict(tiny.ROWS[:1] * 100)


def test_a_probe_of_other_answers_is_refused_with_the_difference(sound: Path) -> None:
    def shift(probe: dict[str, Any]) -> None:
        probe["output"][0][0] += 0.001

    forge_json(sound, "probe.json", shift)
    with pytest.raises(BundleError, match=r"otherwise than .* 0\.001"):
        read_bundle(sound)


def test_a_graph_swapped_for_another_is_refused(sound: Path) -> None:
    forge(sound, "model.onnx", tiny.graph(bias=0.5))
    with pytest.raises(BundleError, match="answers its probe otherwise"):
        read_bundle(sound)


@pytest.mark.parametrize("part", ["input", "output"])
def test_a_probe_without_rows_is_refused(sound: Path, part: str) -> None:
    forge_json(sound, "probe.json", lambda probe: probe.update({part: []}))
    with pytest.raises(BundleError, match=r"probe\.json"):
        read_bundle(sound)


@pytest.mark.parametrize("unit", ["price", "volume"])
def test_a_column_forged_into_price_or_volume_units_is_refused(sound: Path, unit: str) -> None:
    forge_json(sound, "feature_schema.json", lambda s: s["features"][1].update(unit=unit))
    with pytest.raises(BundleError, match=rf"rsi_14 \[{unit}\]"):
        read_bundle(sound)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("kind", "wind", "no kind of model"),
        ("scope", "../../etc", "cannot be a scope"),
        ("timeframe", "soon", "no timeframe"),
        ("version_name", "../v1", "cannot be a version"),
        ("created_ts", "2026-02-15T21:30:00", "not in UTC"),
        ("trained_through", "2026-02-15T21:30:00+02:00", "not in UTC"),
        ("trained_through", None, "not an ISO time"),
        ("features", ["rsi_14", "return_1", "close_location"], "different columns"),
        ("head", [], "object of parameters"),
    ],
)
def test_metadata_that_cannot_be_is_refused(
    sound: Path, field: str, value: object, reason: str
) -> None:
    forge_json(sound, "metadata.json", lambda metadata: metadata.update({field: value}))
    with pytest.raises(BundleError, match=reason):
        read_bundle(sound)


def test_metadata_without_a_field_is_refused_by_its_name(sound: Path) -> None:
    forge_json(sound, "metadata.json", lambda metadata: metadata.pop("trained_through"))
    with pytest.raises(BundleError, match="lacks trained_through"):
        read_bundle(sound)


@pytest.mark.parametrize("content", [b"[]", b"\xff\xfe", b"{", b"[" * 100_000])
@pytest.mark.parametrize("name", ["metadata.json", "metrics.json", "feature_schema.json"])
def test_a_document_that_is_no_object_is_refused(sound: Path, name: str, content: bytes) -> None:
    forge(sound, name, content)
    with pytest.raises(BundleError, match=name):
        read_bundle(sound)


# ---------------------------------------------------------------- out of the folder


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_a_link_is_refused_even_with_the_right_content(
    sound: Path, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    shutil.move(sound / name, outside)
    (sound / name).symlink_to(outside)
    with pytest.raises(BundleError, match=f"{name} is a link"):
        read_bundle(sound)


def test_a_folder_linked_from_outside_of_the_models_folder_is_refused(tmp_path: Path) -> None:
    elsewhere = tiny.bundle(tmp_path / "elsewhere")
    root = tmp_path / "models"
    (root / "majors" / "direction").mkdir(parents=True)
    link = root / "majors" / "direction" / "v1"
    link.symlink_to(elsewhere)
    read_bundle(link)
    with pytest.raises(BundleError, match="outside of the models folder"):
        read_bundle(link, root=root)
    with pytest.raises(BundleError, match="outside of the models folder"):
        read_bundle(root / ".." / "elsewhere" / "majors" / "direction" / "v1", root=root)


@pytest.mark.parametrize("version", ["..", ".hidden", "a b", "v1\n"])
def test_a_bundle_is_not_written_under_a_name_that_climbs_or_hides(
    tmp_path: Path, version: str
) -> None:
    with pytest.raises(BadName):
        rewrite(tmp_path / "models" / version)
    assert not (tmp_path / "models").exists()


# ---------------------------------------------------------------- graphs


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (tiny.graph(opset=13), "opset 13 of ai.onnx; supported are 15 to 21"),
        (tiny.graph(opset=23, ir=10), "opset 23"),
        (tiny.graph(ir=4), "IR version 4"),
        (tiny.graph(domain="com.microsoft"), "'com.microsoft'"),
        (tiny.graph(outputs=2), "output output .* label .* has one output"),
        (tiny.graph("price"), "output output"),
        (tiny.graph(width=4), "input features"),
        (b"", "IR version 0"),
        (b"not a graph at all", "no ONNX file|too early|IR version"),
        (tiny.graph()[:-40], "too early"),
        (b"\x80" * 30, "unreadable number"),
    ],
)
def test_a_graph_outside_of_the_contract_is_refused(
    tmp_path: Path, sound: Path, graph: bytes, reason: str
) -> None:
    with pytest.raises(BundleError, match=reason):
        rewrite(tmp_path / "v2", onnx=graph)
    assert not (tmp_path / "v2").exists()
    forge(sound, "model.onnx", graph)
    with pytest.raises(BundleError, match=reason):
        read_bundle(sound)


def test_a_graph_with_weights_in_another_file_is_refused(tmp_path: Path) -> None:
    model = load_onnx(tiny.graph())
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    entry = weights.external_data.add()
    entry.key, entry.value = "location", "../../../etc/passwd"
    with pytest.raises(BundleError, match="weights in other files"):
        rewrite(tmp_path / "v2", onnx=model.SerializeToString())


def test_a_graph_in_which_rows_see_each_other_is_refused(tmp_path: Path) -> None:
    """A graph that standardises over its batch would see the future when it is judged."""
    column = numpy_helper.from_array(np.array([[1], [0], [0]], dtype=np.float32), "column")
    nodes = [
        helper.make_node("ReduceMean", ["features"], ["mean"], axes=[0]),
        helper.make_node("Sub", ["features", "mean"], ["centred"]),
        helper.make_node("MatMul", ["centred", "column"], ["linear"]),
        helper.make_node("Sigmoid", ["linear"], ["output"]),
    ]
    ports = [
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 3]),
        helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", 1]),
    ]
    graph = helper.make_graph(nodes, "leak", ports[:1], ports[1:], [column])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(BundleError, match="rows leak"):
        rewrite(tmp_path / "v2", onnx=model.SerializeToString())


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"probe": np.full((1, 3), np.nan)}, "NaN or infinity in 3 of 3 columns"),
        ({"probe": np.empty((0, 3))}, "shape"),
        ({"probe": np.ones((1, 2))}, "shape"),
        ({"metrics": {"skill": float("nan")}}, "cannot be kept as JSON"),
        ({"metrics": {"skill": object()}}, "cannot be kept as JSON"),
        ({"metadata": {"kind": "direction"}}, "lacks name"),
    ],
)
def test_parts_that_make_no_bundle_are_not_written(
    tmp_path: Path, parts: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BundleError, match=reason):
        rewrite(tmp_path / "v2", **parts)
    assert not (tmp_path / "v2").exists()


def test_documents_are_read_without_loading_the_graph(sound: Path) -> None:
    forge(sound, "model.onnx", b"rubbish")
    documents = read_documents(sound)
    assert documents.version_id == "v1"
    with pytest.raises(BundleError):
        _ = documents.runner


def test_a_graph_that_vanishes_after_the_listing_is_refused(sound: Path) -> None:
    documents = read_documents(sound)
    (sound / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"model\.onnx cannot be read"):
        _ = documents.runner
