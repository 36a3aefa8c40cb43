"""Packages that diffusers and transformers import where they are installed; one of them may be broken."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util

from ..ir.errors import one_line

NEIGHBOURS = (
    "torch",
    "torchvision",
    "torchaudio",
    "transformers",
    "peft",
    "accelerate",
    "bitsandbytes",
    "torchao",
    "optimum",
    "xformers",
    "flash_attn",
    "tensorflow",
    "flax",
    "onnxruntime",
    "sentencepiece",
)
NEEDED = ("torch", "transformers")


def broken_neighbour() -> str | None:
    """What to tell the user where one of them is installed and can't be imported; None where all can."""
    for name in NEIGHBOURS:
        if importlib.util.find_spec(name) is None:
            continue
        try:
            importlib.import_module(name)
        except Exception as error:
            reason = one_line(str(error).strip().partition("\n")[0] or type(error).__name__, 200)
            mend = (
                f"install it again with python -m pip install --force-reinstall {name}"
                if name in NEEDED
                else f"dgqc needs none, so remove it with python -m pip uninstall {name}, or install the one "
                "that was built for this torch"
            )
            return (
                f"{name} {_version(name)} can't be imported beside torch {_version('torch')} ({reason}), and "
                f"diffusers imports it; {mend}."
            )
    return None


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "of an unknown version"
