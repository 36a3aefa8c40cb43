"""How a module is compiled for this machine's CPU by stock `iree-compile`."""

FLAGS = (
    "--iree-hal-target-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=host",
    "--iree-opt-level=O3",
    "--iree-opt-data-tiling=false",
    "--iree-global-opt-propagate-transposes=false",
    "--iree-opt-const-expr-max-size-increase-threshold=1000000000",
)
"""What always works. A transpose that is fused into a product would keep it from being tiled; and weights
that are unpacked and widened for their product are more bytes than IREE would else keep between calls.

Not --iree-flow-inline-constants-max-byte-length=0, which gives wrong bits (docs/mlir.md)."""

TILED = "--iree-global-opt-data-tiling"
"""Finds the dot-product instructions, which makes large products several times as fast. Where IREE can't
compile a program so, it is compiled without. (Its newer way, --iree-opt-data-tiling, refuses attentions.)"""
