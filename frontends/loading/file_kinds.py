"""What lies under a model's name, where it is no model."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ...ir.errors import DgqcError

BEGINNINGS: Mapping[bytes, str] = {
    b"version https://git-lfs": "a Git LFS pointer instead of the file; run `git lfs pull` in its folder",
    b"<!doctype html": "a web page, as a failed download leaves it; download the file itself",
    b"<html": "a web page, as a failed download leaves it; download the file itself",
    b"gguf": "a GGUF file; give it the ending .gguf",
}
"""What files begin with, in lower case, and what such a file is."""
LOOKED_AT = 64
INDEX = "model_index.json"
"""Lists the parts of a pipeline's folder."""
CHECKPOINTS = (".safetensors", ".ckpt", ".gguf", ".pt2")
"""Endings of files that are models by themselves."""
CONVERTED: Mapping[str, str] = {
    ".onnx": "ONNX",
    ".xml": "OpenVINO",
    ".msgpack": "Flax",
    ".mlpackage": "Core ML",
    ".mlmodelc": "Core ML",
    ".h5": "TensorFlow",
}
"""Endings of models that were made of PyTorch's for something else."""
ADDRESS = re.compile(r"https?:/", re.ASCII)
REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)


def absent(path: Path, forms: str) -> DgqcError:
    """What to say of a path under which there is nothing. forms: what may be given."""
    if ADDRESS.match(str(path)):
        return DgqcError(
            "dgqc downloads nothing; download the file that this address is of, and give its path."
        )
    if REPOSITORY.fullmatch(str(path)) and path.suffix not in CHECKPOINTS and not path.parent.exists():
        return DgqcError(
            f"{path} does not exist here, and dgqc downloads nothing; where it is a repository's name, "
            f"`hf download {path}` prints the folder to give."
        )
    return DgqcError(f"{path} does not exist; {forms}.")


def refuse_converted(folder: Path) -> None:
    """Raises DgqcError for a part's folder that holds a model of something else than PyTorch."""
    for path in sorted(folder.iterdir()):
        if kind := CONVERTED.get(path.suffix):
            raise DgqcError(
                f"{folder} holds a model of {kind} ({path.name}), which dgqc does not read; give the PyTorch "
                "weights that it was made of."
            )


def hint_inside(folder: Path) -> str:
    """A sentence's end for a folder that is no model: which file or folder in it may be meant, if any."""
    snapshots = [one.parent for one in sorted(folder.glob(f"snapshots/*/{INDEX}"))]
    files = [one for one in sorted(folder.iterdir()) if one.suffix in CHECKPOINTS]
    found = [*snapshots, *files]
    return f"; perhaps {found[0]} is meant" if found else ""


def refuse_other_kinds(path: Path) -> None:
    """Raises DgqcError for a pointer, a web page and other files that are known and no model's."""
    if path.name == INDEX:
        raise DgqcError(f"{path} lists the parts of a pipeline; give its folder, {path.parent}.")
    try:
        with path.open("rb") as file:
            beginning = file.read(LOOKED_AT).lstrip().lower()
    except OSError as error:
        raise DgqcError(f"{path} can't be read ({error.strerror}); check its permissions.") from error
    for known, what in BEGINNINGS.items():
        if beginning.startswith(known) and path.suffix != f".{known.decode()}":
            raise DgqcError(f"{path} is {what}.")


def refuse_damaged_zip(path: Path) -> None:
    """Compares the checksums of a PyTorch file's members, which PyTorch itself doesn't look at.

    A file of the format before PyTorch 1.6 is no zip archive and has none.
    Raises DgqcError for a damaged one, for packed members, which could be of any size, and for TorchScript.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        names = [info.filename.partition("/")[2] for info in members]
        if "constants.pkl" in names and any(name.startswith("code/") for name in names):
            raise DgqcError(
                f"{path} is a TorchScript program (torch.jit.save), whose code would have to run; save the "
                "UNet's state dict, or its folder with unet.save_pretrained."
            )
        packed = any(info.compress_type != zipfile.ZIP_STORED for info in members)
        if packed or sum(info.file_size for info in members) > path.stat().st_size:
            raise DgqcError(f"{path} is a packed archive, which torch.save does not write; save it again.")
        damaged = archive.testzip()
    if damaged is not None:
        raise DgqcError(f"{path} is damaged: its part {damaged} has another checksum; copy it again.")
