"""Compiled programs in the places of a pipeline's text encoders and its autoencoder's decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import torch
from diffusers.models.autoencoders.vae import DecoderOutput
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from ..frontends.parts.decoders import Latents
from ..frontends.parts.text_encoders import TakenStates
from ..ir.errors import DgqcError
from ..ir.program import IDS
from .backends import check_backend
from .diffusers_unet import Runnable


class _StandIn(ModelMixin):  # type: ignore[misc]
    """Has the original's config, dtype and device. The program itself always runs on the CPU."""

    def __init__(self, program: Runnable, original: Any, backend: str | None) -> None:
        """original: a model of diffusers or transformers, or what stands in for one already.

        Raises DgqcError for a backend that can't run the program here.
        """
        super().__init__()
        check_backend(backend, program.program)
        self.program = program
        self.backend = backend
        self.config = original.config
        place = torch.empty(0, dtype=original.dtype, device=original.device)
        self.register_buffer("_place", place, persistent=False)

    @property
    def dtype(self) -> torch.dtype:
        """What a pipeline casts to."""
        found: torch.dtype = self.get_buffer("_place").dtype
        return found

    @property
    def device(self) -> torch.device:
        """Where a pipeline puts its inputs."""
        found: torch.device = self.get_buffer("_place").device
        return found

    def save_pretrained(self, save_directory: Any, **options: Any) -> None:
        """Always raises DgqcError: a pipeline's folder holds float weights, and here are none."""
        raise DgqcError(
            f"{save_directory} can't take a compiled {type(self).__name__}, which could not be loaded again; "
            "save the program by its own save(DIR), and the pipeline with its original parts."
        )


class _OneLayer(Sequence[torch.Tensor]):
    """Hidden states of which a program gives one layer's."""

    def __init__(self, states: torch.Tensor, layer: int | None) -> None:
        self._states, self._layer = states, layer

    def __len__(self) -> int:
        return 1

    @overload
    def __getitem__(self, layer: int) -> torch.Tensor: ...
    @overload
    def __getitem__(self, layer: slice) -> Sequence[torch.Tensor]: ...
    def __getitem__(self, layer: Any) -> Any:
        if layer != self._layer:
            raise DgqcError(
                f"The compiled text encoder has no states of layer {layer}; draw without clip_skip, or with "
                "the original text encoder."
            )
        return self._states


@dataclass(frozen=True)
class EncodedText:
    """What pipelines look at of a text encoder's output.

    text_embeds: pooled text (B, P), or None. hidden_states: of the layer that the program gives.
    """

    states: torch.Tensor
    text_embeds: torch.Tensor | None
    hidden_states: Sequence[torch.Tensor]

    @property
    def last_hidden_state(self) -> torch.Tensor:
        """What the pipeline takes (B, N, W)."""
        return self.states

    def __getitem__(self, place: int) -> Any:
        """The first: pooled text of an encoder with a projection, else states. The last: hidden states."""
        if place not in (0, -1):
            raise DgqcError(f"A compiled text encoder gives states and hidden states, not output {place}.")
        return self.hidden_states if place else self.states if self.text_embeds is None else self.text_embeds


class CompiledTextEncoder(_StandIn):
    """Answers a pipeline's calls for the states of prompts."""

    def __init__(
        self,
        program: Runnable,
        original: nn.Module,
        taken: TakenStates,
        *,
        backend: str | None = None,
    ) -> None:
        """taken: what the program was compiled to give."""
        super().__init__(program, original, backend)
        self.taken = taken

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **options: Any
    ) -> Any:
        """States of so many prompts. input_ids: (B, N).

        Raises DgqcError for ids that the encoder doesn't know, and for a mask.
        """
        if attention_mask is not None:
            raise DgqcError(
                "A compiled text encoder takes no attention mask; run the pipeline with the original."
            )
        most = int(input_ids.max())
        if most >= self.config.vocab_size or int(input_ids.min()) < 0:
            raise DgqcError(
                f"The text encoder knows {self.config.vocab_size} ids, and a prompt has id {most}."
            )
        found = self.program.answer({IDS: input_ids}, step=0, backend=self.backend).to(self.dtype)
        tokens, pooled = input_ids.shape[1], None
        states = found[:, :tokens]
        if self.taken.pooled:
            pooled = found[:, tokens:].flatten(1)[:, : self.taken.pooled]
        return EncodedText(states, pooled, _OneLayer(states, self.taken.layer))


class CompiledDecoder(_StandIn):
    """An autoencoder whose decoder is a program, and whose encoder is the original's."""

    def __init__(self, program: Runnable, original: nn.Module, *, backend: str | None = None) -> None:
        super().__init__(program, original, backend)
        self._original = [original]  # in a list, so that its weights aren't this module's

    def encode(self, *arguments: Any, **options: Any) -> Any:
        """As the original."""
        encoder: Any = self._original[0]
        return encoder.encode(*arguments, **options)

    def decode(self, z: torch.Tensor, return_dict: bool = True, generator: Any = None, **options: Any) -> Any:
        """Pixels (B, 3, H, W). z: as the original takes it; the program takes the pipeline's latents."""
        latents = Latents(self.config).undone(z)
        pixels = self.program.answer({"sample": latents}, step=0, backend=self.backend)
        return DecoderOutput(sample=pixels) if return_dict else (pixels,)
