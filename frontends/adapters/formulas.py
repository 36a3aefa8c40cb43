"""How an adapter changes one layer, by its paper: LoRA, LoCon, LoHa, LoKr, DoRA, plain differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

Tensors = Mapping[str, torch.Tensor]
NEEDED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "lora": (("down", "up"), ("difference",), ("bias_difference",)),
    "loha": (("first_a", "first_b", "second_a", "second_b"),),
    "lokr": tuple(
        (*first, *second)
        for first in (("first",), ("first_a", "first_b"))
        for second in (("second",), ("second_a", "second_b"))
    ),
}
"""By kind, the tensors of a whole change; one of several sets of them."""


@dataclass(frozen=True)
class Change:
    """What a file says of one layer.

    kind: lora, loha or lokr. tensors: float32, by what they are (`leaves.py`). factor: what the product is
    multiplied by; None leaves it to `alpha` and the rank.
    """

    kind: str
    tensors: Tensors
    factor: float | None = None

    @property
    def whole(self) -> bool:
        """Whether all tensors are there that the formula needs."""
        return any(all(name in self.tensors for name in names) for names in NEEDED[self.kind])

    def weight(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        """The layer's weight after the change, float32. Raises ValueError where shapes don't fit."""
        tensors = self.tensors
        if "difference" in tensors:
            return weight + strength * tensors["difference"].reshape(weight.shape)
        if self.kind == "lora" and "down" not in tensors:
            return weight
        product = PRODUCTS[self.kind](tensors)
        if product.numel() != weight.numel() or product.shape[0] != weight.shape[0]:
            raise ValueError(f"it changes {product.shape[0]} x {product.numel() // product.shape[0]} weights")
        changed = weight + strength * self._factor() * product.reshape(weight.shape)
        if (magnitude := tensors.get("magnitude", tensors.get("scale"))) is None:
            return changed
        return _with_lengths(changed, magnitude, "scale" in tensors)

    def bias(self, bias: torch.Tensor, strength: float) -> torch.Tensor:
        """The layer's bias after the change. Raises as `weight` does."""
        if "bias_difference" not in self.tensors:
            return bias
        return bias + strength * self.tensors["bias_difference"].reshape(bias.shape)

    def _factor(self) -> float:
        if self.factor is not None:
            return self.factor
        rank = self._rank()
        # A product of whole matrices has no rank, and no alpha counts then.
        return float(self.tensors["alpha"]) / rank if rank and "alpha" in self.tensors else 1.0

    def _rank(self) -> int | None:
        name = {"lora": "down", "loha": "first_b"}.get(self.kind)
        if name is not None:
            return self.tensors[name].shape[0]
        inner = next((name for name in ("first_b", "second_b") if name in self.tensors), None)
        return None if inner is None else self.tensors[inner].shape[0]


def _low_rank(tensors: Tensors) -> torch.Tensor:
    down, up = tensors["down"], tensors["up"]
    if "middle" in tensors:
        # A convolution by its core and two 1 x 1 ones (LoCon).
        return torch.einsum("nmkl,in,mj->ijkl", tensors["middle"], up.flatten(1), down.flatten(1))
    return up.flatten(1) @ down.flatten(1)


def _hadamard(tensors: Tensors) -> torch.Tensor:
    return _factor_pair(tensors, "first") * _factor_pair(tensors, "second")


def _kronecker(tensors: Tensors) -> torch.Tensor:
    first, second = (
        tensors[name] if name in tensors else _factor_pair(tensors, name) for name in ("first", "second")
    )
    return torch.kron(first.reshape(*first.shape, *[1] * (second.dim() - first.dim())), second)


def _factor_pair(tensors: Tensors, name: str) -> torch.Tensor:
    """One factor of a product, itself of low rank; with a core where it is a convolution's."""
    a, b, core = (tensors.get(f"{name}_{one}") for one in ("a", "b", "core"))
    assert a is not None
    assert b is not None
    # Kronecker products want their factors contiguous.
    return a @ b if core is None else torch.einsum("ijkl,ip,jr->prkl", core, a, b).contiguous()


PRODUCTS = {"lora": _low_rank, "loha": _hadamard, "lokr": _kronecker}
"""Kinds of products, (N, ...) in the weight's order."""


def _with_lengths(weight: torch.Tensor, lengths: torch.Tensor, by_shape: bool) -> torch.Tensor:
    """DoRA: directions of the weight's rows, or of its columns, with lengths that were learned.

    by_shape: LyCORIS' lengths say by their own shape along which axis they go: (N, 1) or (1, C).
    """
    columns = by_shape and lengths.dim() > 1 and lengths.shape[0] == 1 and weight.shape[0] != 1
    axis = 1 if columns else 0
    others = [one for one in range(weight.dim()) if one != axis]
    own: torch.Tensor = torch.linalg.vector_norm(weight, dim=others, keepdim=True)
    return weight * (lengths.reshape(own.shape) / own)
