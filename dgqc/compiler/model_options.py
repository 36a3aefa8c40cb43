"""Which model is meant: where it lies, which of its weights, and what is added to them first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..ir.errors import DgqcError
from .option import option

if TYPE_CHECKING:
    # Needed for types alone: `dgqc --help` does not wait for torch.
    from diffusers import DiffusionPipeline
    from torch import nn

    from ..frontends.loading.load import LoadedModel


INSTEAD = {
    "lora": " (fuse_lora, then unload_lora_weights)",
    "ip_adapter": " (load_ip_adapter, set_ip_adapter_scale)",
    "image_encoder": " (image_encoder_folder of load_ip_adapter)",
}
"""What does it there."""


@dataclass(frozen=True)
class ModelOptions:
    """A model, and how it is loaded. A request begins with these."""

    model: nn.Module | DiffusionPipeline | str | Path = field(
        metadata=option(
            (),
            "A UNet's or pipeline's folder, .pt, .safetensors or .pt2.",
            kind=Path,
            metavar="MODEL",
            python="Or a diffusers UNet or pipeline.",
            recorded=False,  # the manifest has its class
        )
    )
    _: KW_ONLY
    weights_key: str | None = field(
        default=None,
        metadata=option(
            "--weights-key",
            "Which weights of a checkpoint: ema.",
            metavar="NAME",
            python="What a .pt calls them; None takes a usual name, and says so where there are several.",
        ),
    )
    variant: str | None = field(
        default=None,
        metadata=option(
            "--variant",
            "Which weights of a folder: fp16, ema, non_ema.",
            metavar="NAME",
            python="None takes those without a name, or what there is.",
        ),
    )
    lora: str | Path | Sequence[str | Path] = field(
        default=(),
        metadata=option(
            "--lora",
            "A LoRA, LoHa, LoKr or DoRA to merge first, as FILE or FILE:STRENGTH; several times.",
            kind=list[str],
            metavar="FILE",
            python="One text or several.",
        ),
    )
    ip_adapter: str | Path | Sequence[str | Path] = field(
        default=(),
        metadata=option(
            "--ip-adapter",
            "An IP-Adapter's file, as FILE or FILE:STRENGTH; several times.",
            kind=list[str],
            metavar="FILE",
            python="One text or several.",
        ),
    )
    image_encoder: str | Path | None = field(
        default=None,
        metadata=option(
            "--image-encoder",
            "The folder of what reads pictures for it.",
            kind=Path,
            metavar="FOLDER",
            python="None takes the pipeline's, or image_encoder beside the adapter's file.",
        ),
    )
    tokenizer: str | Path | None = field(
        default=None,
        metadata=option(
            "--tokenizer",
            "The folder of a tokenizer, or of a pipeline with one, for a checkpoint in one file.",
            kind=Path,
            metavar="FOLDER",
            python="None takes such a file's UNet alone.",
        ),
    )

    def loaded(self) -> LoadedModel:
        """The model in a file or a folder. Raises DgqcError as `load_model` does."""
        from ..frontends.adapters.adapter import adapters_of
        from ..frontends.adapters.picture_adapters import picture_adapters_of
        from ..frontends.loading.load import load_model

        if not isinstance(self.model, str | Path):
            raise DgqcError(
                f"The model is of type {type(self.model).__name__}; give a diffusers UNet or pipeline, or "
                "the path of one."
            )
        return load_model(
            self.model,
            self.weights_key,
            self.variant,
            adapters_of(self.lora),
            None if self.tokenizer is None else Path(self.tokenizer),
            picture_adapters_of(self.ip_adapter, self.image_encoder),
        )

    @property
    def chosen(self) -> bool:
        """Whether anything is said of how it is loaded."""
        return any(getattr(self, name) for name in LOADING)

    def refuse_of_live_models(self) -> None:
        """Raises DgqcError for options that are for files, where the model is a module or a pipeline."""
        for name in LOADING:
            if getattr(self, name):
                raise DgqcError(
                    f"The option {name} is for files, and here is a {type(self.model).__name__}; give its "
                    f"folder, or do it with diffusers{INSTEAD.get(name, '')}."
                )


LOADING = tuple(one.name for one in fields(ModelOptions) if one.kw_only)
"""How a model is loaded, by the options' names."""
