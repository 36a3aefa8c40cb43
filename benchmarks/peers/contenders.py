"""Who runs: names, what they need, and where their code is. Imports none of it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from enum import Enum

BASELINE = "pytorch-float32"
"""Whom all others are compared with."""
PEAK = "int8-peak"
ROUND_TRIP = "round-trip"
"""Not two of them, but timed in the same way: what the machine can do, and what waiting costs on it."""


@dataclass(frozen=True)
class Runtime:
    """title: for the table. module: in this package.

    packages: what must be installed; the first one's version is told.
    """

    title: str
    module: str
    packages: tuple[str, ...]

    def missing(self) -> list[str]:
        """Packages that aren't installed."""
        return [package for package in self.packages if importlib.util.find_spec(package) is None]


class Runtimes(Enum):
    """All that can run a UNet here."""

    PYTORCH = Runtime("PyTorch, eager", "pytorch", ("torch",))
    ONNX = Runtime("ONNX Runtime", "onnx", ("onnxruntime", "onnx", "onnxscript"))
    OPENVINO = Runtime("OpenVINO", "openvino", ("openvino",))
    NNCF = Runtime("OpenVINO", "openvino", ("openvino", "nncf"))
    EMITTED = Runtime("dgqc, emitted C", "emitted", ("dgqc",))
    IREE = Runtime("IREE through torch-mlir", "iree", ("torch_mlir", "iree"))
    EMITTED_MLIR = Runtime("dgqc, emitted MLIR on IREE; torch-mlir", "iree", ("torch_mlir", "iree", "dgqc"))


@dataclass(frozen=True)
class Contender:
    """name: of its files and on the command line. setting: for the table.

    weights: what its model file holds: float32, int8, or one of our presets.
    rest: the precision of all that isn't int8.
    """

    name: str
    runtime: Runtime
    setting: str
    weights: str
    rest: str = "float32"


CONTENDERS = (
    Contender(BASELINE, Runtimes.PYTORCH.value, "float32", "float32"),
    Contender("pytorch-bfloat16", Runtimes.PYTORCH.value, "bfloat16", "float32", "bfloat16"),
    Contender("onnx-float32", Runtimes.ONNX.value, "float32", "float32"),
    Contender("onnx-int8", Runtimes.ONNX.value, "int8, static", "int8"),
    Contender("openvino-float32", Runtimes.OPENVINO.value, "float32", "float32"),
    Contender("openvino-bfloat16", Runtimes.OPENVINO.value, "bfloat16", "float32", "bfloat16"),
    Contender("openvino-int8", Runtimes.NNCF.value, "int8 (NNCF)", "int8"),
    Contender("openvino-int8-bfloat16", Runtimes.NNCF.value, "int8, the rest bfloat16", "int8", "bfloat16"),
    *(
        Contender(preset, Runtimes.EMITTED.value, f"{preset}, 8 groups", preset)
        for preset in ("w8a8", "w4a8", "w4a6")
    ),
    Contender("iree-float32", Runtimes.IREE.value, "float32", "float32"),
    *(
        Contender(f"iree-{preset}", Runtimes.EMITTED_MLIR.value, f"{preset}, 8 groups", preset)
        for preset in ("w8a8", "w4a6")
    ),
)


def named(name: str) -> Contender:
    """Raises SystemExit for a name that nobody has."""
    found = next((one for one in CONTENDERS if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in CONTENDERS)
        raise SystemExit(f"There is no contender {name}; choose from {known}.")
    return found
