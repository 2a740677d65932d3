"""What may befall a bundle, case by case; ``python -m tests.models.tampering`` writes the table."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from models.common.bundle_checks import CHECKSUMS
from models.common.errors import BundleError
from models.common.predictor import load_model
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from tests.models import tiny

SLOT = Slot("majors", "direction", "1m")
DOCUMENT = Path(__file__).parents[2] / "docs" / "bundles.md"
BEGIN, END = "<!-- tampering -->\n", "<!-- end of tampering -->\n"

Tamper = Callable[[Path], Any]


def forge(folder: Path, name: str, content: bytes) -> None:
    """Replace a file of the bundle and its checksum, as somebody would who means harm."""
    (folder / name).write_bytes(content)
    sums = json.loads((folder / CHECKSUMS).read_bytes())
    sums[name] = hashlib.sha256(content).hexdigest()
    (folder / CHECKSUMS).write_bytes((json.dumps(sums, indent=1) + "\n").encode())


def forge_json(folder: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a document of the bundle and its checksum."""
    document = json.loads((folder / name).read_bytes())
    change(document)
    forge(folder, name, (json.dumps(document, indent=1) + "\n").encode())


def _flip(folder: Path) -> None:
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.onnx").write_bytes(content)


def _swap_columns(folder: Path, *names: str) -> None:
    for name in names:
        forge_json(folder, name, lambda document: document["features"].reverse())


def _noted_columns(folder: Path) -> None:
    """Give the graph its note of columns, as every exported one has it; then reorder the rest."""
    model = onnx.load_from_string(tiny.graph())
    helper.set_model_props(model, {"columns": json.dumps(tiny.NAMES)})
    forge(folder, "model.onnx", model.SerializeToString())
    _swap_columns(folder, "feature_schema.json", "metadata.json")


def _node(operator: str, domain: str = "", **attributes: Any) -> Tamper:
    def tamper(folder: Path) -> None:
        model = onnx.load_from_string(tiny.graph())
        node = helper.make_node(operator, ["linear"], ["more"], domain=domain, **attributes)
        model.graph.node.insert(2, node)
        model.graph.node[-1].input[0] = "more"
        forge(folder, "model.onnx", model.SerializeToString())

    return tamper


def _external(folder: Path) -> None:
    model = onnx.load_from_string(tiny.graph())
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    entry = weights.external_data.add()
    entry.key, entry.value = "location", "../../../etc/passwd"
    forge(folder, "model.onnx", model.SerializeToString())


def _graph(**options: Any) -> Tamper:
    return lambda folder: forge(folder, "model.onnx", tiny.graph(**options))


def _write(name: str, content: bytes) -> Tamper:
    return lambda folder: (folder / name).write_bytes(content)


def _huge(name: str, mib: int) -> Tamper:
    """A file of so many MiB that takes no room on the disk."""
    return lambda folder: os.truncate(folder / name, mib << 20)


def _link_out(folder: Path) -> None:
    outside = folder.parents[3] / "outside.onnx"
    (folder / "model.onnx").rename(outside)
    (folder / "model.onnx").symlink_to(outside)


def _folder_out(folder: Path) -> None:
    outside = folder.parents[3] / "outside"
    folder.rename(outside)
    folder.symlink_to(outside)


def _link_to_itself(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(folder.name)


def _pipe(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")


def _other_slot(folder: Path) -> None:
    forge_json(folder, "metadata.json", lambda metadata: metadata.update(timeframe="5m"))


def _head(folder: Path) -> None:
    forge_json(folder, "metadata.json", lambda m: m.update(kind="price", head=_TOO_LARGE))


def _document(name: str, **changes: Any) -> Tamper:
    return lambda folder: forge_json(folder, name, lambda document: document.update(changes))


_TOO_LARGE = {"interval_q": 10**400, "sign_slope": 1}
_DEEP = b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}"
CASES: dict[str, Tamper] = {
    "a flipped bit in the graph": _flip,
    "a file that ends too early": _write("model.onnx", tiny.graph()[:-9]),
    "no graph": lambda folder: (folder / "model.onnx").unlink(),
    "no checksums": lambda folder: (folder / CHECKSUMS).unlink(),
    "a file too many": _write("model.pkl", pickle.dumps({})),
    "a pickle in place of the graph": lambda f: forge(f, "model.onnx", pickle.dumps({"a": 1})),
    "columns in another order": lambda folder: _swap_columns(folder, "feature_schema.json"),
    "columns in another order, in both documents": _noted_columns,
    "another model's graph": _graph(bias=0.7),
    "an older operator set": _graph(opset=13),
    "a newer operator set": _graph(opset=23, ir=10),
    "operators of a vendor": _graph(domain="com.microsoft"),
    "operators of a vendor, undeclared": _node("Gelu", "com.microsoft"),
    "an operator that draws": _node("RandomNormalLike"),
    "an operator that loops": _node("Loop"),
    "an operator that fills the memory": _node("Expand"),
    "an output too many": _graph(outputs=2),
    "weights in another file": _external,
    "a link to a file outside": _link_out,
    "a version that is a link to a folder outside": _folder_out,
    "a link that leads to itself": _link_to_itself,
    "a pipe in place of the graph": _pipe,
    "a graph of 65 MiB": _huge("model.onnx", 65),
    "a document of 9 MiB": _huge("metadata.json", 9),
    "a document 100,000 lists deep": lambda f: forge(f, "metrics.json", b"[" * 100_000),
    "checksums 900 lists deep": _write(CHECKSUMS, _DEEP),
    "a number beyond all numbers": _head,
    "a figure that is no number": _document("metrics.json", skill="high"),
    "a figure beyond all numbers": _document("metrics.json", n=10**400),
    "symbols that are no list": _document("metadata.json", training={"symbols": 3}),
    "a market that is neither": _document("metadata.json", simulated="no"),
    "a probe of other answers": lambda folder: forge_json(
        folder, "probe.json", lambda probe: probe["output"][0].__setitem__(0, 0.9)
    ),
    "a bundle of another slot": _other_slot,
}


def home_with_champion(home: Path) -> PredictionModelRegistry:
    """Write version v1, the champion, and v2 beside it."""
    registry = PredictionModelRegistry(home / "models")
    tiny.bundle(registry.root, version="v1", bias=-1.0)
    tiny.bundle(registry.root, version="v2", bias=1.0)
    registry.promote(SLOT, "v1")
    return registry


def point(registry: PredictionModelRegistry, version: str) -> None:
    """Move the link as somebody would who asks nobody."""
    link = registry.root / "majors" / "direction" / "latest-1m"
    link.unlink()
    link.symlink_to(version)


def refusal(home: Path, case: str) -> str:
    """Return with which words version v2 is refused after `case` has befallen it."""
    registry = home_with_champion(home)
    CASES[case](registry.folder(SLOT, "v2"))
    point(registry, "v2")
    try:
        load_model("direction", home=home)
    except BundleError as error:
        return str(error).replace(str(home), "…")
    raise AssertionError(f"{case}: not refused")


def table() -> str:
    """Return the table of all cases and refusals, in Markdown."""
    lines = ["| what befell the new version | how it is refused |", "|---|---|"]
    for case in CASES:
        with tempfile.TemporaryDirectory() as made:
            words = re.sub(r"^bundle \S+ refused: ", "", refusal(Path(made), case))
        words = words.replace("/majors/direction/v2", "/…/v2")
        words = re.sub(r"begins [0-9a-f]{12}", "begins 0123456789ab", words)
        words = re.sub(r"says [0-9a-f]{12}", "says ba9876543210", words)
        lines.append(f"| {case} | {words.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table into the document."""
    text = DOCUMENT.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}{table()}{END}{after}")


if __name__ == "__main__":
    main()
