"""The arena of Stable Diffusion's decoder at full size, without a run of it.

    python benchmarks/decoder_arena.py [--preset naive-w8a8] [--band 4096]

Compiles the decoder of AutoencoderKL with random weights for latents of 8x8, writes the sizes of 64x64 into
its integer graph, and plans that for C: an arena follows from shapes and widths alone. --band 0 leaves images
whole.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import torch
import whole_pipelines
from torch import fx

from dgqc.backends.c.layout.cut_bands import CutBands
from dgqc.backends.c.layout.fuse_rows import FuseRows
from dgqc.backends.c.layout.permute_channels import PermuteChannels
from dgqc.backends.c.layout.permute_keys import PermuteKeys
from dgqc.backends.c.layout.plan_memory import PlanMemory
from dgqc.backends.c.layout.split_products import SplitProducts
from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.frontends.parts.decoders import _Decoder
from dgqc.frontends.parts.part import called_with, exported
from dgqc.ir.program import Program
from dgqc.passes.graph.edit import aten, constant, dgqc, propagate

SMALL, LARGE = 8, 64
"""Lines of latents: those that are compiled, and those that are planned."""
TIMES = LARGE // SMALL


def compiled(preset: str) -> Program:
    """The decoder for small latents, as integers."""
    torch.manual_seed(whole_pipelines.SEED)
    model: Any = whole_pipelines.autoencoder(whole_pipelines.SHAPES["stable-diffusion"], 1)
    latents = torch.randn(1, 4, SMALL, SMALL)
    part = exported(_Decoder(model), latents, type(model).__name__, "vae")
    calibration = called_with("sample", "random numbers", lambda: latents)
    return lower(Request(part, preset, calibration=calibration, check=False, batch_size=1))[0]


def enlarged(program: Program) -> Program:
    """The same graph for large latents."""
    of_pixels = {
        node.args[7] for node in program.graph.graph.nodes if node.target is dgqc.conv2d_pixel.default
    }
    for node in program.graph.graph.nodes:
        if node.op != "placeholder":
            node.meta.pop("val", None)
        if node.op == "get_attr":
            _spread(program.graph, node, node in of_pixels)
        if node.target is aten.reshape.default:
            node.args = (node.args[0], _sizes(list(node.args[1])))
        if node.target is dgqc.upsample_nearest.default:
            node.args = (node.args[0], node.args[1] * TIMES, node.args[2] * TIMES)
        if node.op == "placeholder" and node.target == program.inputs[0].name:
            node.meta["val"] = torch.empty((1, 4, LARGE, LARGE), dtype=torch.int16, device="meta")
    result = replace(program, inputs=(replace(program.inputs[0], shape=(1, 4, LARGE, LARGE)),))
    propagate(result)
    return result


def _sizes(shape: list[int]) -> list[int]:
    """Of a reshape: tokens are pixels."""
    if shape[1:3] == [SMALL, SMALL]:
        return [shape[0], LARGE, LARGE, *shape[3:]]
    return [size * TIMES**2 if size == SMALL**2 else size for size in shape]


def _spread(module: fx.GraphModule, node: fx.Node, of_pixels: bool) -> None:
    """Groups of tokens."""
    value = constant(module, node)
    if of_pixels or (value.dtype == torch.uint8 and value.shape == (SMALL**2,)):
        owner, _, name = str(node.target).rpartition(".")
        module.get_submodule(owner).register_buffer(name, value.repeat_interleave(TIMES**2))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="naive-w8a8")
    parser.add_argument("--band", type=int, default=CutBands.band, help="KiB; 0: images stay whole")
    given = parser.parse_args()
    program = enlarged(compiled(given.preset))
    cut = [CutBands(band=given.band)] if given.band else []
    for item in (SplitProducts(), PermuteChannels(), PermuteKeys(), *cut, FuseRows(), PlanMemory()):
        program = item.run(program)
    planned = program.report["plan-memory"]
    groups = len(program.layout.fusion.groups)  # type: ignore[union-attr]
    print(
        f"{given.preset}, bands of {given.band} KiB: {groups} groups, "
        f"arena {planned['arena_bytes'] / 1e6:.1f} MB, at least {planned['peak']['bytes'] / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
