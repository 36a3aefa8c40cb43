"""Compile diffusion UNets into integers.

import dgqc
program = dgqc.compile(unet, opt="w4a6", calibration="calib.safetensors")
pipe.unet = program.as_diffusers_unet(pipe.unet)
program.save("unet.w4a6.dgqc")

Once dgqc is imported, diffusers' from_pretrained loads bundles, too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .backends.registry import pass_modules
from .drop_in.registration import register_quantizer
from .ir.logs import say_in_one_line
from .passes.sources import add_source

if TYPE_CHECKING:
    from .compiler.driver import compile, export_quantize_dequantize
    from .drop_in.config import DgqcConfig
    from .execution.compiled_program import CompiledProgram, load
    from .execution.diffusers_unet import CompiledUNet
    from .frontends.calibrating.calibration_file import load_calibration
    from .frontends.calibrating.recorder import recording
    from .ir.errors import DgqcError

__all__ = [
    "CompiledProgram",
    "CompiledUNet",
    "DgqcConfig",
    "DgqcError",
    "compile",
    "export_quantize_dequantize",
    "load",
    "load_calibration",
    "recording",
]

# Rooms don't know each other; passes that targets bring are known by name all the same.
add_source(pass_modules)
# A warning may quote a file that holds line ends, or escape sequences of terminals.
say_in_one_line()
register_quantizer()

_HOMES = {
    "compile": ".compiler.driver",
    "export_quantize_dequantize": ".compiler.driver",
    "load": ".execution.compiled_program",
    "CompiledProgram": ".execution.compiled_program",
    "CompiledUNet": ".execution.diffusers_unet",
    "load_calibration": ".frontends.calibrating.calibration_file",
    "recording": ".frontends.calibrating.recorder",
    "DgqcConfig": ".drop_in.config",
    "DgqcError": ".ir.errors",
}


def __getattr__(name: str) -> Any:
    # Imported when first used, so that `dgqc --help` does not wait for torch.
    if name not in _HOMES:
        raise AttributeError(f"module 'dgqc' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
