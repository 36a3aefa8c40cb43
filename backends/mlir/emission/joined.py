"""Several programs as one MLIR project: a module with an entry point for each part.

PART/model.mlir     module @PART with its function @main, in a folder as a program alone has it; where its
                    constants are parameters, their scope is PART
project.json        by part, in the order of a picture: folder, entry point, inputs and output
build.sh            compiles all of them with stock `iree-compile`; loaded together, each has its entry point
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ....ir.program import Program
from .emit import emit, interface_of
from .flags import FLAGS, TILED
from .interface import MODULE

PROJECT, SCRIPT = "project.json", "build.sh"


def emit_joined(programs: Mapping[str, Program], directory: Path) -> None:
    """Writes the programs into a folder, to be made. programs: by part, whose names modules get."""
    directory.mkdir(parents=True)
    described = {}
    for part, program in programs.items():
        emit(program, directory / part, name=part)
        interface = interface_of(program)
        described[part] = {"folder": part, "entry": f"{part}.{interface.function}", **asdict(interface)}
        del described[part]["parameters"]  # In the folder's own interface.
    text = json.dumps(described, indent=2) + "\n"
    (directory / PROJECT).write_text(text, encoding="utf-8", newline="\n")
    script = directory / SCRIPT
    script.write_text(_script(list(programs)), encoding="utf-8", newline="\n")
    script.chmod(0o755)


def _script(parts: list[str]) -> str:
    flags = " ".join(FLAGS)
    modules = " ".join(f"--module={part}/model.vmfb" for part in parts)
    return f"""#!/bin/sh
# Compiles every part for this machine. Then all of them are loaded at once, and called by their names:
#     iree-run-module {modules} --device=local-task --function={parts[0]}.main ...
set -e
cd "$(dirname "$0")"
for part in {" ".join(parts)}; do
    made=$part/model.vmfb
    [ $made -nt $part/{MODULE} ] || iree-compile $part/{MODULE} {flags} {TILED} -o $made ||
        iree-compile $part/{MODULE} {flags} -o $made
done
"""
