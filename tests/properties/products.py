"""Random grouped operands, and products whose accumulators can be seen exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy
import torch

from .numbers import exact, integers


@dataclass(frozen=True)
class Operand:
    """Codes with zero, multiple and group, and the integers that they stand for, as Python integers."""

    codes: torch.Tensor
    zero: torch.Tensor
    multiple: torch.Tensor
    group: torch.Tensor
    axis: int

    @property
    def tables(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
        return self.zero, self.multiple, self.group, self.axis

    @property
    def values(self) -> Any:
        """multiple * (code - zero)."""
        codes = numpy.moveaxis(exact(self.codes), self.axis, -1)
        zero, multiple = (exact(t)[0][self.group.tolist()] for t in (self.zero, self.multiple))
        return numpy.moveaxis((codes - zero) * multiple, -1, self.axis)


def operand(seed: int, axis: int, *shape: int, bits: int = 8, padded: bool = False) -> Operand:
    """Three groups in any order along the axis, their zeros far outside the codes unless padded."""
    low, high = (0, 2**bits - 1) if padded else (-(2**10), 2**10)
    return Operand(
        integers(seed, 0, 2**bits - 1, *shape, dtype=torch.uint8),
        integers(seed + 1, low, high, 1, 3, dtype=torch.int32),
        integers(seed + 2, 1, 15, 1, 3, dtype=torch.int32),
        integers(seed + 3, 0, 2, shape[axis], dtype=torch.uint8),
        axis,
    )


def window(accumulator: Any, seed: int) -> tuple[tuple[torch.Tensor, ...], Any]:
    """Constants of `requantize_columns` that show accumulators themselves through the 16 bits of an output.

    accumulator: Python integers (rows, N). With m = 2, shift = 1 and a bias of minus one row's accumulators
    (plus something random), an output is that random number in the row and the difference elsewhere.
    Returns the constants and the outputs expected, Python integers (rows, N).
    """
    rows, columns = accumulator.shape
    shown = accumulator[seed % rows]
    bias = integers(seed, -30000, 30000, columns) - torch.tensor([int(value) for value in shown])

    def single(number: int) -> torch.Tensor:
        return torch.tensor([number], dtype=torch.int32)

    column = torch.full((columns,), 2**30, dtype=torch.int32)
    # m = 2^30 * 4 >> 31, b = bias * 8 >> 2
    constants = (column, single(4), single(1), bias.to(torch.int32), single(8), single(2))
    return constants, numpy.clip(accumulator + exact(bias), -32768, 32767)


def patches(image: Any, kernel: tuple[int, int], stride: int, padding: int) -> Any:
    """Python integers (H, W, C) to (positions, kh * kw * C), with zeros around the image."""
    padded = numpy.pad(image, ((padding, padding), (padding, padding), (0, 0)), constant_values=0)
    height = (padded.shape[0] - kernel[0]) // stride + 1
    width = (padded.shape[1] - kernel[1]) // stride + 1
    found = [
        padded[i * stride : i * stride + kernel[0], j * stride : j * stride + kernel[1]].reshape(-1)
        for i in range(height)
        for j in range(width)
    ]
    return numpy.array(found, dtype=object)
