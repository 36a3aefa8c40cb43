"""What a pass is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, TypedDict

from ..ir.level import Level
from ..ir.program import Program


class Decisions(TypedDict, total=False):
    """Figures of a whole program that options can settle before anything runs.

    weight_bits, activation_bits: of most products. edge_bits, edge_activation_bits: of the first and the last
    convolution. groups: that share a quantizer within an operand, at most. weight_megabytes: that the codes
    of all weights take, where it isn't their bits that say so.
    """

    weight_bits: int
    activation_bits: int
    edge_bits: int
    edge_activation_bits: int
    groups: int
    weight_megabytes: float


class Pass(ABC):
    """One step of the compiler: a frozen dataclass whose fields are its options.

    A subclass sets the class variables below and `run`; the manager checks the levels and the facts of a
    whole pipeline before it runs any of it, and verifies the graph after each pass.

    name: kebab-case, unique; options are written `name{option-one=3,option-two=row}`.
    takes, leaves: the level of the graph before and after.
    requires: facts that earlier passes must have provided.
    provides: facts that hold afterwards.
    invalidates: facts that no longer hold afterwards.
    """

    name: ClassVar[str]
    takes: ClassVar[Level]
    leaves: ClassVar[Level]
    requires: ClassVar[frozenset[str]] = frozenset()
    provides: ClassVar[frozenset[str]] = frozenset()
    invalidates: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def run(self, program: Program) -> Program:
        """Give back the program with the pass applied. The manager updates `level` and `facts`."""

    def decides(self) -> Decisions:
        """What its options settle, for reports on models that nobody has compiled; a later pass's word
        counts."""
        return {}
