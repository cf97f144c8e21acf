"""Networks on the CPU through OpenVINO: compile once, then numpy in, numpy out.

Measured on two cores: the tiny nets of detection and landmarks (0.5 to 4 ms) are not faster in batches or on two threads, so one
picture a call on one thread is the default; a larger network gains from more threads and, where the processor has bf16
arithmetic, from ``precision="bf16"``.

Nothing here tells anyone of its use: OpenVINO reports each import and each ``convert_model`` to its maker, so it is imported
through ``import_openvino`` alone, which leads it down its own path for a machine without the telemetry package.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bianlian.errors import ConfigError, InputError, WeightsError

if TYPE_CHECKING:
    import torch

Precision = Literal["f32", "bf16"]
_READING = Lock()
"""Held while torch traces: what it does to the warnings is seen by all threads."""
Shape = Sequence[int]
"""Sizes of one input, -1 for a size that changes from call to call (slower than a fixed one)."""


def import_openvino() -> Any:
    """Import OpenVINO with its usage reports off (no network, no file in the home folder) and give the module."""
    modules: MutableMapping[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


class Network:
    """A compiled network, called with one float32 array an input. For one thread at a time: make one a thread.

    precision: the arithmetic in use; bf16 falls back to f32 on a processor that would only emulate it (several times slower).
    """

    def __init__(self, compiled: Any, precision: Precision) -> None:
        """Wrap what ``compile_file`` or ``compile_module`` made; not meant to be called directly."""
        self._request = compiled.create_infer_request()
        self._outputs = len(compiled.outputs)
        self.shapes: tuple[tuple[int, ...], ...] = tuple(_sizes(i.partial_shape) for i in compiled.inputs)
        self.precision = precision
        self._held: list[NDArray[np.float32]] = []
        """What the network reads, where all sizes are fixed: handing arrays over anew costs 0.1 ms a call, with Python locked."""
        if all(size >= 0 for shape in self.shapes for size in shape):
            self._held = [np.zeros(shape, np.float32) for shape in self.shapes]
            for k, held in enumerate(self._held):
                self._request.set_input_tensor(k, import_openvino().Tensor(held, shared_memory=True))

    def __call__(self, *inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network. inputs: float32, of ``shapes`` (-1 takes any size) -> its outputs, float32 copies of the caller's own.

        Raises InputError for another number of inputs or other shapes.
        """
        if len(inputs) != len(self.shapes) or any(not _fits(x.shape, s) for x, s in zip(inputs, self.shapes, strict=True)):
            raise InputError(f"the network takes inputs of shape {list(self.shapes)}, got {[x.shape for x in inputs]}")
        if self._held:
            for held, x in zip(self._held, inputs, strict=True):
                np.copyto(held, x, casting="same_kind")
            self._request.infer()
        else:
            self._request.infer([np.ascontiguousarray(x, np.float32) for x in inputs], share_inputs=True)
        return [np.array(self._request.get_output_tensor(k).data, np.float32) for k in range(self._outputs)]


def compile_file(
    path: Path, *, threads: int = 1, precision: Precision = "f32", shapes: Mapping[int, Shape] | None = None
) -> Network:
    """Compile a model file (.tflite, .onnx, .xml) for the CPU.

    threads: 1 or more. shapes: new sizes of some inputs, by their number. Raises ConfigError for a setting out of range and
    WeightsError for a file that is no model.
    """
    ov = import_openvino()
    core = ov.Core()
    try:
        model = core.read_model(str(path))
        if shapes:
            model.reshape({model.inputs[k].any_name: ov.PartialShape(list(s)) for k, s in shapes.items()})
    except (RuntimeError, IndexError) as error:
        raise WeightsError(f"{path} does not load as a model: {str(error).strip().splitlines()[-1]}") from error
    return _compile(core, model, threads, precision)


def compile_module(
    module: torch.nn.Module, *example_shapes: Shape, threads: int = 1, precision: Precision = "f32", dynamic_batch: bool = False
) -> Network:
    """Compile a torch module (float32 inputs, a tensor or tuple of tensors out) for the CPU; it is traced, in eval mode.

    example_shapes: sizes of each input. dynamic_batch: let the first size of every input change from call to call.
    """
    ov = import_openvino()
    return _compile(ov.Core(), read_module(module, *example_shapes, dynamic_batch=dynamic_batch), threads, precision)


def read_module(module: torch.nn.Module, *example_shapes: Shape, dynamic_batch: bool = False) -> Any:
    """Turn a torch module into an OpenVINO model, see ``compile_module``. Safe from several threads, which take turns."""
    with _READING:
        return _read_module(module, *example_shapes, dynamic_batch=dynamic_batch)


def _read_module(module: torch.nn.Module, *example_shapes: Shape, dynamic_batch: bool) -> Any:
    import torch

    ov = import_openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
    from openvino.passes import ConstantFolding, Manager

    was_training = module.training
    module.eval()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # tracing is deprecated, but OpenVINO reads torch.export graphs only with warnings of its own; and shape checks in a
            # layer's code, which tracing warns about, are settled by the example's shape
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(  # type: ignore[no-untyped-call]
                module, tuple(torch.zeros(*s) for s in example_shapes), check_trace=False
            )
    finally:
        module.train(was_training)
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced, shared_memory=False)  # named: the frontend does not keep it alive
    model = frontend.convert(frontend.load(decoder))
    for k, shape in enumerate(example_shapes):
        model.inputs[k].get_node().set_element_type(ov.Type.f32)
        sizes = [-1, *shape[1:]] if dynamic_batch else list(shape)
        model.inputs[k].get_node().set_partial_shape(ov.PartialShape(sizes))
    model.validate_nodes_and_infer_types()
    # Rounded networks (``model.quantize``) run on bytes only where the ends of the ranges are constants, not sums to be done.
    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(model)
    return model


def _compile(core: Any, model: Any, threads: int, precision: Precision) -> Network:
    if threads < 1:
        raise ConfigError(f"threads must be 1 or more, got {threads}")
    if precision not in ("f32", "bf16"):
        raise ConfigError(f"precision must be f32 or bf16, got {precision!r}")
    used: Precision = precision if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
    # Pinned, the small networks of a detector and a landmarker all sit on the first core, and their threads take turns.
    placed = {"NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": used, **placed}
    return Network(core.compile_model(model, "CPU", settings), used)


def _sizes(partial: Any) -> tuple[int, ...]:
    return tuple(-1 if d.is_dynamic else int(d.get_length()) for d in partial)


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(w in (-1, s) for s, w in zip(shape, wanted, strict=True))
