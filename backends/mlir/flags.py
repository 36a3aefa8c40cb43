"""How a module is compiled for this machine's CPU by stock `iree-compile`."""

FLAGS = (
    "--iree-hal-target-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=host",
    "--iree-opt-level=O3",
    "--iree-opt-data-tiling",
)
"""Data tiling is what finds the dot-product instructions."""
