"""What lies under a model's name, where it is no model."""

from __future__ import annotations

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


def refuse_other_kinds(path: Path) -> None:
    """Raises DgqcError for a pointer, a web page and other files that are known and no model's."""
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
