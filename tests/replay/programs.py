"""Programs small enough to replay at every run: integer graphs, before any backend has laid them out.

Their numbers are exact in binary, or random integers. Nothing is calibrated, so that neither the processor
nor the number of threads can change a bit of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import hand_made
import torch
from backends.cases import CASES
from backends.unet_like import unet_like, with_ddim
from golden.graphs import attention, convolution, decided, dense, geglu, picture, sited, uneven

from dgqc.ir.plans import QuantizedActivation16
from dgqc.ir.program import Program
from dgqc.ir.shapes import propagated
from dgqc.passes.graph.split_start_token import SplitStartToken
from dgqc.passes.lowering.lower_integer import LowerInteger

WINDOW = ([3, 3], [1, 1], [1, 1])


def lowered(program: Program) -> Program:
    """A captured program with plans made by hand, as integers."""
    done = LowerInteger().run(decided(sited(program)))
    return replace(done, level=LowerInteger.leaves, facts=done.facts | LowerInteger.provides)


def shaped(program: Program) -> Program:
    """A program built op by op, with the shapes that passes ask for."""
    for node, value in propagated(program).items():
        node.meta["val"] = value
    return replace(program, facts=LowerInteger.provides)


def with_channel_scales() -> Program:
    """An image whose channels have scales of their own, through a function, a sum and a norm."""
    program = decided(sited(uneven()))
    exponents = {"up": [36, 0], "act": [36, 0], "both": [44, 12, 0, 5], "norm": [5, 24, 9, 0]}
    plans = dict(program.plans)
    for name, exponent in exponents.items():
        plan = plans[f"{name}.output"]
        assert isinstance(plan, QuantizedActivation16)
        plans[f"{name}.output"] = replace(plan, exponent=torch.tensor(exponent))
    done = LowerInteger().run(replace(program, plans=plans))
    return replace(done, level=LowerInteger.leaves, facts=done.facts | LowerInteger.provides)


def case(name: str, **choice: object) -> Program:
    """One op with random integers, as the kernels' tests have it."""
    return shaped(CASES[name].program(0, **choice)[0])


PROGRAMS: dict[str, Callable[[], Program]] = {
    "dense": lambda: lowered(dense()),
    "geglu": lambda: lowered(geglu()),
    "convolution": lambda: lowered(convolution()),
    "picture": lambda: lowered(picture()),
    "self-attention": lambda: lowered(attention(crossing=False)),
    "start-token": lambda: lowered(SplitStartToken().run(attention(crossing=True))),
    "channel-scales": with_channel_scales,
    "every-op": lambda: shaped(unet_like()),
    "denoising-loop": lambda: with_ddim(shaped(unet_like(seed=1, size=4, tokens=3))),
    "hand-made": lambda: shaped(hand_made.integer()),
    "wide-product": lambda: case(
        "linear",
        batch=1,
        rows=7,
        depth=70,
        columns=17,
        bits=8,
        groups=5,
        by_row=False,
        weight_bits=8,
        most=400,
    ),
    "pixel-groups": lambda: case(
        "conv2d_pixel", image=(5, 5), channels=3, columns=5, window=WINDOW, bits=6, groups=4, far=False
    ),
    "uniform-attention": lambda: case(
        "attend",
        heads=3,
        rows=7,
        keys=16,
        columns=3,
        uniform=True,
        shared=False,
        by_token=True,
        bits=6,
        groups=3,
        start=False,
        code_bits=6,
    ),
}
