"""Several programs as one MLIR project: a module with an entry point for each part.

PART/model.mlir     module @PART with its function @main, in a folder as a program alone has it; where its
                    constants are parameters, their scope is PART
PART/shallow/...    module @PART_shallow, where most calls of a part are shallow
project.json        by part, in the order of a picture: folder, entry point, inputs and output
build.sh            compiles all of them with stock `iree-compile`; loaded together, each has its entry point
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....ir.program import Program
from .emit import emit
from .flags import FLAGS, TILED
from .interface import MODULE, SHALLOW, read_interface

PROJECT, SCRIPT = "project.json", "build.sh"


def emit_joined(programs: Mapping[str, Program], directory: Path) -> None:
    """Writes the programs into a folder, to be made. programs: by part, whose names modules get."""
    directory.mkdir(parents=True)
    described: dict[str, dict[str, Any]] = {}
    folders = list[str]()
    for part, program in programs.items():
        emit(program, directory / part, name=part)
        described[part] = _described(directory, part, part)
        folders.append(part)
        if (directory / part / SHALLOW).exists():
            folders.append(f"{part}/{SHALLOW}")
            described[part][SHALLOW] = _described(directory, folders[-1], f"{part}_{SHALLOW}")
    text = json.dumps(described, indent=2) + "\n"
    (directory / PROJECT).write_text(text, encoding="utf-8", newline="\n")
    script = directory / SCRIPT
    script.write_text(_script(folders), encoding="utf-8", newline="\n")
    script.chmod(0o755)


def _described(directory: Path, folder: str, module: str) -> dict[str, Any]:
    interface = read_interface(directory / folder)
    described = {"folder": folder, "entry": f"{module}.{interface.function}", **interface.record()}
    del described["parameters"]  # In the folder's own interface.
    return described


def _script(folders: list[str]) -> str:
    flags = " ".join(FLAGS)
    modules = " ".join(f"--module={folder}/model.vmfb" for folder in folders)
    return f"""#!/bin/sh
# Compiles every module for this machine. Then all of them are loaded at once, and called by their names:
#     iree-run-module {modules} --device=local-task --function={folders[0]}.main ...
set -e
cd "$(dirname "$0")"
for folder in {" ".join(folders)}; do
    made=$folder/model.vmfb
    [ $made -nt $folder/{MODULE} ] || iree-compile $folder/{MODULE} {flags} {TILED} -o $made ||
        iree-compile $folder/{MODULE} {flags} -o $made
done
"""
