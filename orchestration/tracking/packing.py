"""Packing: a bundle as a model that MLflow can show and load, without a second copy of anything."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import version as installed
from pathlib import Path

import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from models.common.bundle import Bundle

GRAPH = "model.onnx"
MODEL_FILE = "MLmodel"
REQUIREMENTS = "requirements.txt"
PYTHON_ENV = "python_env.yaml"
# What MLflow puts beside a bundle, here or when it serves a version.
MLFLOW_FILES = frozenset({MODEL_FILE, REQUIREMENTS, PYTHON_ENV, "registered_model_meta"})
NEEDED = ("mlflow", "numpy", "onnx", "onnxruntime", "pandas")


def pack(bundle: Bundle, folder: Path, *, run_id: str, model_id: str, location: str) -> None:
    """Lay out `bundle` in `folder` as an MLflow model.

    The bundle's files stay as they are; MLflow's description of them is put beside. Nothing is
    loaded, inferred or pickled: signature and requirements are known. `mlflow.pyfunc.load_model`
    and `mlflow.onnx.load_model` read the result.

    Parameters
    ----------
    bundle : Bundle
        Verified by `models.common.bundle.read_documents`.
    folder : Path
        Empty.
    run_id, model_id : str
        The MLflow run and logged model that it belongs to.
    location : str
        Where MLflow will keep it.
    """
    for name in (*bundle.checksums, "checksums.json"):
        shutil.copyfile(bundle.folder / name, folder / name)
    requirements = [f"{name}=={installed(name)}" for name in NEEDED]
    (folder / REQUIREMENTS).write_text("\n".join(requirements) + "\n")
    (folder / PYTHON_ENV).write_text(
        f"python: {platform.python_version()}\ndependencies:\n- -r {REQUIREMENTS}\n"
    )
    model = Model(
        artifact_path=location,
        run_id=run_id,
        model_id=model_id,
        model_uuid=model_id,
        signature=_signature(bundle),
        metadata={"slot": bundle.slot.key, "version": bundle.version_id},
    )
    model.add_flavor(
        "onnx",
        onnx_version=installed("onnx"),
        data=GRAPH,
        providers=["CPUExecutionProvider"],
        onnx_session_options={"intra_op_num_threads": 1},
    )
    model.add_flavor(
        "python_function",
        loader_module="mlflow.onnx",
        data=GRAPH,
        env={"virtualenv": PYTHON_ENV},
        python_version=platform.python_version(),
    )
    model.save(folder / MODEL_FILE)


def _signature(bundle: Bundle) -> ModelSignature:
    float32 = np.dtype("float32")
    return ModelSignature(
        inputs=Schema([TensorSpec(float32, (-1, len(bundle.schema)), "features")]),
        outputs=Schema([TensorSpec(float32, (-1, bundle.head.width), "output")]),
    )
