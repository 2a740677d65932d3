"""ONNX header: the few fields of a model file that are checked before anything runs it.

Reading them needs no ONNX library: the top level of the file is a protobuf message of a dozen
fields (https://protobuf.dev/programming-guides/encoding, ``ModelProto`` in onnx.proto).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from models.common.errors import BundleError

# What a bundle may ask for: standard operators only, in versions that the pinned runtime knows.
OPSETS = {"": range(15, 22), "ai.onnx.ml": range(1, 6)}
IR_VERSIONS = range(7, 11)

_IR_VERSION, _OPSET_IMPORT = 8 * 1 + 0, 8 * 8 + 2  # tag = 8 * field number + wire type
_DOMAIN, _VERSION = 8 * 1 + 2, 8 * 2 + 0
# The key "location" of an external tensor, behind the last byte of its length. A feature called
# close_location has another length before it.
_EXTERNAL = re.compile(rb"[\x00\x08]location")

_GRAPH, _FUNCTIONS, _TRAINING = 8 * 7 + 2, 8 * 25 + 2, 8 * 20 + 2
_NODE, _OPERATOR, _NODE_DOMAIN = 8 * 1 + 2, 8 * 4 + 2, 8 * 7 + 2
# One row must be answered in microseconds, and twice alike.
_LOOPS = dict.fromkeys(("If", "Loop", "Scan", "SequenceMap"), "may run without end")
_DRAWS = dict.fromkeys(
    (
        "Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike",
        "RandomUniform", "RandomUniformLike",
    ),
    "draws at random",
)  # fmt: skip
_GROWS = dict.fromkeys(
    (
        "ConstantOfShape",
        "Expand",
        "EyeLike",
        "OneHot",
        "Pad",
        "Range",
        "Resize",
        "Tile",
        "Upsample",
    ),
    "may fill the memory",
)
_REFUSED = {**_LOOPS, **_DRAWS, **_GROWS}


@dataclass(frozen=True)
class OnnxHeader:
    """Versions that an ONNX file declares.

    Parameters
    ----------
    ir_version : int
        Version of the file format.
    opsets : dict of str to int
        Operator set version by domain; ``""`` is ONNX's own domain.
    """

    ir_version: int
    opsets: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return the header as it is stored in ``metadata.json``."""
        return {
            "ir_version": self.ir_version,
            "opset": {k or "ai.onnx": v for k, v in self.opsets.items()},
        }


def read_header(onnx: bytes) -> OnnxHeader:
    """Return the versions that `onnx` declares.

    Raises
    ------
    BundleError
        When the bytes are no ONNX file, ask for operators outside `OPSETS` or a format outside
        `IR_VERSIONS`, keep weights in other files, or hold an operator that loops, draws at random
        or makes tensors of any size.
    """
    ir_version, opsets, graphs = 0, {}, []
    for tag, value in _fields(onnx):
        if tag == _IR_VERSION and isinstance(value, int):
            ir_version = value
        elif tag == _OPSET_IMPORT and isinstance(value, bytes):
            domain, version = _opset(value)
            if domain in opsets:
                raise BundleError("model.onnx declares an operator set twice")
            opsets[domain] = version
        elif tag == _GRAPH and isinstance(value, bytes):
            graphs.append(value)
        elif tag in (_FUNCTIONS, _TRAINING):
            raise BundleError("model.onnx brings functions or training steps of its own")
    _check(ir_version, opsets)
    for graph in graphs:
        _check_nodes(graph)
    if _EXTERNAL.search(onnx):
        raise BundleError("model.onnx keeps weights in other files; export it as one file")
    return OnnxHeader(ir_version, opsets)


def _check(ir_version: int, opsets: dict[str, int]) -> None:
    if ir_version not in IR_VERSIONS:
        raise BundleError(
            f"model.onnx has IR version {ir_version}; supported are "
            f"{IR_VERSIONS.start} to {IR_VERSIONS.stop - 1}"
        )
    if "" not in opsets:
        raise BundleError("model.onnx declares no operator set")
    for domain, version in opsets.items():
        name, known = domain or "ai.onnx", OPSETS.get(domain)
        if known is None:
            raise BundleError(
                f"model.onnx uses operators of {name!r}; only ai.onnx and ai.onnx.ml are allowed"
            )
        if version not in known:
            raise BundleError(
                f"model.onnx uses opset {version} of {name}; supported are "
                f"{known.start} to {known.stop - 1}"
            )


def _check_nodes(graph: bytes) -> None:
    """Refuse operators by name; of other domains too, which need not be declared to be run."""
    for tag, node in _fields(graph):
        if tag != _NODE or not isinstance(node, bytes):
            continue
        words = {key: value for key, value in _fields(node) if key in (_OPERATOR, _NODE_DOMAIN)}
        operator, domain = (
            word.decode("utf-8", "replace") if isinstance(word := words.get(key), bytes) else ""
            for key in (_OPERATOR, _NODE_DOMAIN)
        )
        if domain not in (*OPSETS, "ai.onnx"):
            raise BundleError(
                f"model.onnx uses the operator {operator} of {domain!r}; "
                "only ai.onnx and ai.onnx.ml are allowed"
            )
        if operator in _REFUSED:
            raise BundleError(f"model.onnx uses {operator}, which {_REFUSED[operator]}")


def _opset(message: bytes) -> tuple[str, int]:
    domain, version = "", 0
    for tag, value in _fields(message):
        if tag == _DOMAIN and isinstance(value, bytes):
            domain = value.decode("utf-8", "replace")
        elif tag == _VERSION and isinstance(value, int):
            version = value
    return ("" if domain == "ai.onnx" else domain), version


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield tag and value of each field of a protobuf message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value: int | bytes
        if tag & 7 == 0:
            value, at = _varint(message, at)
        else:
            if tag & 7 == 2:
                size, at = _varint(message, at)
            elif tag & 7 in (1, 5):
                size = 8 if tag & 7 == 1 else 4
            else:
                raise BundleError(f"model.onnx is no ONNX file: wire type {tag & 7} at byte {at}")
            value = message[at : at + size]
            if len(value) < size:
                raise BundleError(f"model.onnx ends {size - len(value)} bytes too early")
            at += size
        yield tag, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise BundleError(f"model.onnx is no ONNX file: unreadable number at byte {at}")
