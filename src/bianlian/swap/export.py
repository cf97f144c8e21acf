"""Write a person's networks for other programs: ONNX, or OpenVINO's own format with smaller weights, checked after writing.

f32   the weights as they were trained
f16   each weight in half precision: half the size
int8  each output channel of a layer in 255 equal steps, with a scale of its own: a quarter of the size; networks still compute in
      float, so pictures change a little and speed hardly does

An ``.onnx`` file is always f32. Beside the file lies FILE.json, which says what pictures the network takes and draws.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bianlian import align
from bianlian.errors import ConfigError, OutputError
from bianlian.faceset.header import TEMPLATE
from bianlian.files import discard, replacing
from bianlian.runtime import compile_file, import_openvino, read_module
from bianlian.train.checkpoint import fill, load_average, load_snapshot, newest, snapshot_path
from bianlian.train.run import open_run, person_index

Weights = Literal["f32", "f16", "int8"]
TOLERANCE: Mapping[str, float] = MappingProxyType({"f32": 1e-4, "f16": 4e-3, "int8": 5e-2})
"""Largest difference of a pixel, in [0, 1], between an exported network and the one it was made of."""
SUFFIXES = (".onnx", ".xml")
OPSET = 17


@dataclass(frozen=True)
class Exported:
    """What was written. Pictures: (N, 3, size, size) float32 RGB in [0, 1], in and out, any N.

    mask: whether a fourth channel comes out, in [0, 1]: how much of the drawn face is laid over the picture that went in, the rest
    staying as it was. coverage, template: how a face is aligned, see ``align.crop_from_frame``. weights: how they are stored.
    difference: largest of a pixel from the network it was made of, as measured after writing. bytes: of the file with its weights.
    """

    person: str
    model: str
    size: int
    mask: bool
    coverage: float
    template: str
    weights: str
    difference: float
    bytes: int
    consent: str


def export(run: Path, to: str, out: Path, *, weights: Weights = "f32", at: int | None = None) -> Exported:
    """Write the networks that draw ``to`` as ``out`` (.onnx, or .xml with a .bin beside it), read them back and compare.

    at: iteration of a snapshot; the newest checkpoint when None. Raises RunError, ConfigError for a name or kind of file that is
    not known, OutputError when the file cannot be written or draws otherwise than it should.
    """
    if out.suffix not in SUFFIXES:
        raise ConfigError(f"export writes .onnx and .xml (OpenVINO) files, not {out.suffix or 'a name without a suffix'!r}")
    if out.suffix == ".onnx" and weights != "f32":
        raise ConfigError(f"an .onnx file holds f32 weights; write an .xml file for {weights}")
    config = open_run(run)
    person = person_index(config, to, run)
    model = config.build()
    checkpoint = newest(run) if at is None else snapshot_path(run, at)
    fill(model.networks, load_average(checkpoint) if at is None else load_snapshot(run, at), checkpoint)
    path = model.path(person).eval()
    write_module(path, model.size, out, weights)
    difference = compared(path, model.size, out)
    if not difference <= TOLERANCE[weights]:
        raise OutputError(f"{out} differs by {difference:.2g} from the network it was made of, more than {TOLERANCE[weights]:g}")
    files = [out, out.with_suffix(".bin")] if out.suffix == ".xml" else [out]
    size, consent = sum(f.stat().st_size for f in files), config.people[person].consent
    look = model.size, has_mask(path, model.size), align.COVERAGE, TEMPLATE
    told = Exported(to, config.model, *look, weights, difference, size, consent)
    with replacing(out.with_name(out.name + ".json")) as card:
        card.write_text(json.dumps(asdict(told), indent=1) + "\n", encoding="utf-8")
    return told


def write_module(module: nn.Module, size: int, out: Path, weights: Weights) -> None:
    """Write a module that takes pictures (N, 3, size, size), see ``Exported``. Raises OutputError."""
    if out.suffix == ".onnx":
        with replacing(out) as part:
            _write_onnx(module, size, part)
        return
    ov = import_openvino()
    model = read_module(module, (1, 3, size, size), dynamic_batch=True)
    if weights == "int8":
        _to_int8(model)
    with replacing(out) as part:
        data = part.with_suffix(".bin")
        try:
            ov.save_model(model, str(part), compress_to_fp16=weights == "f16")
            data.replace(out.with_suffix(".bin"))
        finally:
            discard(data)


def compared(module: nn.Module, size: int, file: Path) -> float:
    """Run an exported file and the module on pictures from flat to noisy -> largest difference of a pixel."""
    rng = np.random.default_rng(0)
    pictures = np.concatenate([rng.random((2, 3, size, size)), np.full((1, 3, size, size), 0.5), _waves(size)]).astype(np.float32)
    drawn = compile_file(file)(pictures)[0]
    with torch.no_grad():
        wanted = module(torch.from_numpy(pictures)).numpy()
    return float(np.abs(drawn - wanted).max())


def has_mask(module: nn.Module, size: int) -> bool:
    """Tell whether a module draws a mask as its fourth channel."""
    with torch.no_grad():
        drawn: torch.Tensor = module(torch.zeros(1, 3, size, size))
    return drawn.shape[1] == 4


def _waves(size: int) -> NDArray[np.float64]:
    x = np.linspace(0, 6, size)
    return np.broadcast_to(0.5 + 0.4 * np.sin(x)[:, None] * np.cos(x), (2, 3, size, size))


def _write_onnx(module: nn.Module, size: int, path: Path) -> None:
    with warnings.catch_warnings(), _without_onnx():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is the older one, and says so
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, size, size),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["faces"],
            output_names=["drawn"],
            dynamic_axes={"faces": {0: "n"}, "drawn": {0: "n"}},
        )


@contextmanager
def _without_onnx() -> Iterator[None]:
    """Let torch write ONNX without the package of that name, which it asks only for functions of others; there are none here."""
    modules: MutableMapping[str, Any] = sys.modules
    if "onnx" in modules:
        yield
        return
    nothing = SimpleNamespace(graph=SimpleNamespace(node=[]))
    modules["onnx"] = SimpleNamespace(load_model_from_string=lambda _: nothing)
    try:
        yield
    finally:
        del modules["onnx"]


def _to_int8(model: Any) -> None:
    """Store the weights of all layers as int8 with a float scale for each output channel."""
    ov = import_openvino()
    from openvino import opset13 as ops

    for node in model.get_ops():
        if node.get_type_name() not in ("Convolution", "MatMul"):
            continue
        source = node.input(1).get_source_output()
        constant = source.get_node()
        if constant.get_type_name() != "Constant" or constant.get_element_type() != ov.Type.f32:
            continue
        values = np.array(constant.data, np.float32)
        axes = tuple(range(1, values.ndim))
        scale = np.maximum(np.abs(values).max(axes, keepdims=True), 1e-12) / 127
        stored = ops.constant(np.round(values / scale).astype(np.int8))
        scaled = ops.multiply(ops.convert(stored, np.float32), ops.constant(scale.astype(np.float32)))
        node.input(1).replace_source_output(scaled.output(0))
