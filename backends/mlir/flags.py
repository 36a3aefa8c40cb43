"""How a module is compiled for this machine's CPU by stock `iree-compile`."""

FLAGS = (
    "--iree-hal-target-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=host",
    "--iree-opt-level=O3",
    "--iree-opt-data-tiling=false",
)
"""What always works."""

TILED = "--iree-global-opt-data-tiling"
"""Finds the dot-product instructions, which makes large products several times as fast. Where IREE can't
compile a program so, it is compiled without. (Its newer way, --iree-opt-data-tiling, refuses attentions.)"""
