"""Which packages a runner needs, without importing any of them."""

from __future__ import annotations

from importlib.util import find_spec

NEEDED = {
    "mlir": {"torch_mlir": "torch-mlir"},
    "llvm": {"torch_mlir": "torch-mlir"},
    "iree": {
        "torch_mlir": "torch-mlir",
        "iree.compiler": "iree-base-compiler",
        "iree.runtime": "iree-base-runtime",
    },
}
"""Emitting ("mlir") or running: module to the package that holds it."""


def missing(use: str) -> str | None:
    """Why something can't be used here, or None."""
    absent = [package for module, package in NEEDED[use].items() if not _found(module)]
    if not absent:
        return None
    return (
        f"{' and '.join(absent)} {'are' if len(absent) > 1 else 'is'} not installed (pip install dgqc[iree])"
    )


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
