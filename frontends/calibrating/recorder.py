"""What a loop calls its UNet with, whoever runs the loop: noted by a hook."""

from __future__ import annotations

import importlib.metadata
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import diffusers
import torch
from torch import nn

from ...ir.calibration import Calibration, Inputs
from ...ir.errors import DgqcError, UnsupportedOperation
from ...ir.masks import as_long, masked_lengths
from ...ir.schedule import ONE_CALL, Schedule
from ...ir.typed import typed
from ..loading.arguments import named_arguments
from ..loading.gates import OPEN, gates_open
from ..loading.guidance import takes_guidance

WITHOUT: Mapping[str, str] = {
    "cross_attention_kwargs.ip_adapter_masks": "draw without masks, for which pictures count everywhere, or "
    "with the float UNet",
    "cross_attention_kwargs.scale": "merge the LoRA into the weights, with its strength (--lora FILE:0.8, or "
    "fuse_lora), and draw without",
}
"""What to do about arguments that have no place among a program's inputs."""
Progress = Callable[[int, int], None]
"""Called after every UNet call with the number of calls done and of all calls."""


@typed
@dataclass
class Recorder:
    """Collects a UNet's inputs, picture by picture (or batch by batch), call by call.

    expected: calls in all, as far as known, for `progress`.
    """

    signature: inspect.Signature
    expected: int = 0
    progress: Progress | None = None
    batches: list[list[Inputs]] = field(default_factory=list)
    timesteps: list[list[float]] = field(default_factory=list)
    done: int = 0

    def begin_picture(self) -> None:
        """The next call is the first of another picture, or of a batch of pictures drawn together."""
        self.batches.append([])
        self.timesteps.append([])

    def record(self, module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        """A forward pre-hook."""
        if not self.batches:
            self.begin_picture()
        bound = self._bound(arguments, keywords)
        if "x" in bound and "timestep" not in bound:
            # A T2I-Adapter is called once, with a picture alone.
            bound = {"sample": bound["x"], "timestep": ONE_CALL.timesteps[0]}
        if takes_guidance(getattr(module, "config", {})):
            # The scale's embedding is one for all calls, which the recording names by its number.
            bound.pop("timestep_cond", None)
        previous = self.batches[-1][-1] if self.batches[-1] else {}
        inputs: dict[str, torch.Tensor] = {}
        given = _tensors(bound)
        if "gligen_boxes" in given:
            # Pipelines shut the gates after some calls; nothing among the arguments says so.
            given[OPEN] = torch.full((len(given["sample"]), 1), float(gates_open(module)))
        for name, value in given.items():
            recorded = value.detach().to("cpu", torch.float32 if value.is_floating_point() else value.dtype)
            same = name in previous and torch.equal(previous[name], recorded)
            inputs[name] = previous[name] if same else recorded.clone()
        self.timesteps[-1].append(_timestep(bound["timestep"]))
        self.batches[-1].append(inputs)
        self.done += 1
        if self.progress:
            self.progress(self.done, max(self.done, self.expected))

    def _bound(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
        """A call's arguments by name, those too that the module has no names for, as a stand-in hasn't."""
        found = dict(self.signature.bind(*arguments, **keywords).arguments)
        for name, one in self.signature.parameters.items():
            if one.kind is inspect.Parameter.VAR_KEYWORD:
                found |= found.pop(name, {})
        return found

    def schedule(self, caller: str, origin: str = "") -> Schedule:
        """The calls made, which must be the same for every picture. caller: the scheduler's name."""
        if not any(self.timesteps):
            raise DgqcError("The UNet was not called at all; draw at least one picture with it.")
        if any(one != self.timesteps[0] for one in self.timesteps):
            raise DgqcError(
                "The UNet was called at other timesteps for later pictures; use a fixed schedule, and say "
                "where each picture begins."
            )
        if "timestep" not in self.signature.parameters:
            return ONE_CALL
        return Schedule(caller, tuple(self.timesteps[0]), origin)

    def calls(self) -> Iterator[tuple[int, int, Inputs]]:
        """(step, batch, inputs) of every call."""
        for index, calls in enumerate(self._alike()):
            for step, inputs in enumerate(calls):
                yield step, index, inputs

    def calibration(self, origin: str, caller: str = "a loop of the user's own") -> Calibration:
        """What was recorded, held in memory. origin: one line for the report."""
        recorded = [batch for batch in self._alike() if batch]
        schedule = self.schedule(caller, origin)
        return Calibration(
            schedule, lambda step: iter([calls[step] for calls in recorded]), False, origin, versions()
        )

    def _alike(self) -> list[list[Inputs]]:
        """The calls, with masked contexts as long as the longest. Raises DgqcError for inputs that still have
        unlike shapes."""
        lengths = masked_lengths(call for calls in self.batches for call in calls)
        found: list[list[Inputs]] = [[as_long(call, lengths) for call in calls] for calls in self.batches]
        every = [{name: value.shape[1:] for name, value in call.items()} for calls in found for call in calls]
        for shapes in every:
            if shapes != every[0]:
                raise DgqcError(
                    f"The UNet was called with {_described(shapes)}, before with {_described(every[0])}, "
                    "but a program has one shape for each input; draw pictures of one size, from prompts of "
                    "one length."
                )
        return found


@typed
@contextmanager
def recording(unet: nn.Module, expected: int = 0, progress: Progress | None = None) -> Iterator[Recorder]:
    """Records the UNet's calls for a while: `with recording(unet) as calls:`.

    Call `calls.begin_picture()` before each picture, and `calls.calibration(...)` when all are drawn.
    unet: a module that is called with `sample` and `timestep`, by name or in this order, and conditions by
        dgqc's names. Raises UnsupportedOperation at a call with inputs that dgqc does not know.
    """
    recorder = Recorder(inspect.signature(unet.forward), expected, progress)
    handle = unet.register_forward_pre_hook(recorder.record, with_kwargs=True)
    try:
        yield recorder
    finally:
        handle.remove()


def versions() -> dict[str, str]:
    """The libraries that a recording depends on."""
    try:
        own = importlib.metadata.version("dgqc")
    except importlib.metadata.PackageNotFoundError:
        own = "unknown"
    return {"dgqc": own, "torch": torch.__version__, "diffusers": diffusers.__version__}


def _described(shapes: Mapping[str, torch.Size]) -> str:
    return ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in shapes.items())


def _timestep(value: Any) -> float:
    times = set(torch.as_tensor(value, dtype=torch.float64).reshape(-1).tolist())
    if len(times) != 1:
        raise UnsupportedOperation(
            f"The UNet is called with {len(times)} timesteps at once; dgqc has tables for one a call."
        )
    return float(times.pop())


def _tensors(bound: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The inputs by the captured graph's names. Raises UnsupportedOperation where there are others."""
    found, unknown = named_arguments(bound)
    if unknown:
        instead = next((WITHOUT[one] for one in unknown if one in WITHOUT), "draw without")
        raise UnsupportedOperation(
            f"The pipeline gives its UNet {', '.join(unknown)}, which dgqc has no input for; {instead}."
        )
    return found
