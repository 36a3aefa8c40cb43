"""`brecq`: the weights of a block are rounded together, as the block's output asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..manager.registry import register_pass
from .adaround import AdaRound


@register_pass
@dataclass(frozen=True)
class Brecq(AdaRound):
    """Learns the rounding of whole blocks (BRECQ, as Q-Diffusion, TFMQ-DM and DGQ use it).

    Blocks are ResNet and transformer blocks, found by dataflow; layers outside are learned on their own. They
    are taken in execution order; the published code takes up-sampling blocks before the middle one. Loss and
    options are those of `adaround`.
    """

    name: ClassVar[str] = "brecq"
    blocks: ClassVar[bool] = True
