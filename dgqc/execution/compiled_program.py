"""A compiled UNet: float in, float out, integers inside."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..backends.target import Target
from ..bundle.bundle import PARTS, Contents, read
from ..bundle.bundle import save as save_bundle
from ..bundle.manifest import Provenance
from ..ir.caching import FeatureCache
from ..ir.calibration import Inputs
from ..ir.drawing import Drawing, Watcher, ignore
from ..ir.errors import DgqcError
from ..ir.forks import call
from ..ir.masks import as_long
from ..ir.program import Program
from ..ir.storage.serialize import program_from_bytes, program_to_bytes
from ..ir.telling import told_to
from ..ir.typed import typed
from .backends import default_backend
from .boundary import floating_picture, to_floats, to_integers
from .named_inputs import IGNORING, check_inputs, named_inputs, without_ignored
from .named_step import NamedSteps, one_timestep
from .pictures import Prompt, drawing_of, drawn_picture
from .ready import ReadyBackends
from .saturation import Saturation
from .sizes import chosen_size, programs_by_size, provenance_at

if TYPE_CHECKING:
    from PIL.Image import Image

    from .diffusers_adapter import CompiledAdapter
    from .diffusers_controlnet import CompiledControlNet
    from .diffusers_unet import CompiledUNet

log = logging.getLogger("dgqc")


@typed
class CompiledProgram:
    """A program at the integer level with everything around it.

    program: the integer graph, its scales and its schedule.
    provenance: what was compiled and how.
    report: what the passes reported, by pass name.
    parts: of a pipeline, the other programs by name: text_encoder, text_encoder_2, decoder.
    sizes: the same model at other sizes of its sample, by their names: 64x96. Calls choose by their sample.
    saturated: how many values of each input 16 bits could not hold so far, since nothing as large was seen in
        calibration. They are clipped; a warning says so once.

    Several threads may call it at once. It can be copied and pickled.
    """

    def __init__(
        self,
        program: Program,
        provenance: Provenance,
        report: Mapping[str, Any],
        *,
        bundle: Path | None = None,
        parts: Mapping[str, CompiledProgram] | None = None,
    ) -> None:
        """bundle: the folder it was loaded from; projects that were emitted there are used."""
        # In the order in which a bundle is read, so that joined projects have the same files.
        self.parts = dict(sorted((parts or {}).items()))
        self.program = program
        self.provenance = provenance
        self.report = report
        self._saturation = Saturation()
        self.saturated = self._saturation.counted
        self._bundle = bundle
        self._backends = ReadyBackends(program, bundle)
        self._steps = NamedSteps(program.schedule)
        sizes = program.sizes.items()
        self.sizes = {name: CompiledProgram(p, provenance_at(provenance, p), p.report) for name, p in sizes}

    @property
    def text_encoder(self) -> CompiledProgram:
        """From ids (B, N) to states (B, N, W). Raises DgqcError where it wasn't compiled."""
        return self.part("text_encoder")

    @property
    def decoder(self) -> CompiledProgram:
        """From latents (B, C, H, W) to pixels, -1 to 1. Raises DgqcError where it wasn't compiled."""
        return self.part("decoder")

    def part(self, name: str) -> CompiledProgram:
        """A part beside the UNet by its name. Raises DgqcError where there is none."""
        if name not in self.parts:
            found = ", ".join(self.parts) or "none"
            raise DgqcError(
                f"The program has no {name} (its parts: {found}); compile its pipeline with --parts all."
            )
        return self.parts[name]

    def at(self, size: str | Sequence[int] | torch.Tensor) -> CompiledProgram:
        """The program for a size: `64x96`, (64, 96), or a sample that has it. Raises DgqcError for others."""
        found: CompiledProgram = chosen_size(size, programs_by_size(self))
        return found

    def with_parts(self, parts: Mapping[str, CompiledProgram]) -> CompiledProgram:
        """The same program with these parts beside it."""
        return CompiledProgram(self.program, self.provenance, self.report, bundle=self._bundle, parts=parts)

    def contents(self) -> Contents:
        """What a bundle keeps of it."""
        parts = {name: part.contents() for name, part in self.parts.items()}
        return Contents(self.program, self.provenance, self.report, parts)

    def __call__(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor | float | None = None,
        encoder_hidden_states: torch.Tensor | None = None,
        class_labels: torch.Tensor | None = None,
        added_cond_kwargs: Mapping[str, torch.Tensor] | None = None,
        *,
        step: int | None = None,
    ) -> torch.Tensor:
        """One UNet call on the fastest backend; see `run`."""
        return self.run(sample, timestep, encoder_hidden_states, class_labels, added_cond_kwargs, step=step)

    def run(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor | float | None = None,
        encoder_hidden_states: torch.Tensor | None = None,
        class_labels: torch.Tensor | None = None,
        added_cond_kwargs: Mapping[str, torch.Tensor] | None = None,
        *,
        step: int | None = None,
        backend: str | None = None,
        allow_nearest_step: bool = False,
    ) -> torch.Tensor:
        """One UNet call, sample by sample.

        sample: float (B, C, H, W), of a size it was compiled for. timestep: one of the schedule's.
        step: the call's place in the schedule, from 0; in the place of a timestep, or beside one that stands
            there twice.
        encoder_hidden_states: float (B, N, D); ignored where the model has no cross-attention and ignores it
            too. class_labels: (B,) or as the model takes them.
        added_cond_kwargs: `text_embeds` (B, E) and `time_ids` (B, 6) where the model takes them.
        backend: "c", "iree", "llvm" or "reference", with the same bits; None takes "c" where there is a C
            compiler.
        allow_nearest_step: maps other timesteps to the nearest of the schedule, and says so once.
        Returns float (B, C', H, W) of the sample's dtype and device.
        Raises DgqcError for a missing, superfluous or misshapen input, for a timestep of another schedule,
        and for one that stands in the schedule twice, without a step.
        """
        inputs = named_inputs(sample, encoder_hidden_states, class_labels, added_cond_kwargs)
        first = self.provenance.inputs[0].name
        if first != "sample":
            inputs = {first: sample, **{name: one for name, one in inputs.items() if name != "sample"}}
        return self.answer(
            inputs, timestep, step=step, backend=backend, allow_nearest_step=allow_nearest_step
        )

    def answer(
        self,
        inputs: Inputs,
        timestep: torch.Tensor | float | None = None,
        *,
        step: int | None = None,
        backend: str | None = None,
        allow_nearest_step: bool = False,
        caches: Sequence[FeatureCache] | None = None,
    ) -> torch.Tensor:
        """`run` with its inputs by name.

        caches: of a program with shallow calls, what the earlier calls of each sample's picture left. Without
        them every call is full.
        """
        if self.sizes and (own := self.at(inputs[self.program.inputs[0].name])) is not self:
            how: dict[str, Any] = {"step": step, "backend": backend, "allow_nearest_step": allow_nearest_step}
            return own.answer(inputs, timestep, **how, caches=caches)
        if self.provenance.model in IGNORING:
            inputs = without_ignored(inputs, self.provenance.inputs)
        inputs = as_long(inputs, {one.name: one.shape[1] for one in self.provenance.inputs if one.shape[1:]})
        check_inputs(inputs, self.provenance.inputs)
        return call(self._computed, inputs, self._step(timestep, step, allow_nearest_step), backend, caches)

    def _computed(
        self, inputs: Inputs, step: int, backend: str | None, caches: Sequence[FeatureCache] | None = None
    ) -> torch.Tensor:
        first = inputs[self.provenance.inputs[0].name]
        rows = range(first.shape[0])
        given = ({name: one[row : row + 1].detach().cpu() for name, one in inputs.items()} for row in rows)
        samples = [to_integers(self.program, own, step, self.saturated) for own in given]
        self._saturation.tell()
        # Opened only now, so that wrong inputs are refused before a C compiler runs.
        runner = self._backends.runner(backend)
        kept = zip(caches) if caches else [()] * len(samples)
        found = [runner(integers, step, *cache) for integers, cache in zip(samples, kept, strict=True)]
        outputs = [to_floats(self.program, one, step) for one in found]
        kind = first.dtype if first.is_floating_point() else torch.float32
        return torch.cat(outputs).to(dtype=kind, device=first.device)

    def run_integers(
        self,
        inputs: Mapping[str, torch.Tensor],
        step: int,
        *,
        backend: str | None = None,
        cache: FeatureCache | None = None,
    ) -> torch.Tensor:
        """The integer graph itself. inputs: int16 by name, of one sample. Returns int16."""
        return call(self._backends.runner(backend), inputs, step, *([] if cache is None else [cache]))

    def draw(self, prompt: Prompt, seed: int = 0, **options: Any) -> Image:
        """Draws a picture of a prompt, from its words to its pixels in integers: the same on every machine.

        prompt: text, or ids of tokens. seed: of the noise.
        options: negative ("") and guidance_scale (what it was compiled for, or its pipeline's own; 1 calls
            the UNet once a step); latents, start, noise, backend, progress as `draw_sample` takes them.
        Raises DgqcError for a program without text encoder, loop or decoder: `--parts all` compiles them.
        """
        return drawn_picture(self, prompt, seed=seed, **options)

    def draw_sample(
        self,
        seed: int,
        encoder_hidden_states: torch.Tensor | None = None,
        class_labels: torch.Tensor | None = None,
        added_cond_kwargs: Mapping[str, torch.Tensor] | None = None,
        *,
        negative: Mapping[str, Any] | None = None,
        guidance_scale: float = 1.0,
        latents: torch.Tensor | None = None,
        start: int = 0,
        noise: torch.Tensor | None = None,
        backend: str | None = None,
        progress: Watcher = ignore,
    ) -> torch.Tensor:
        """One sample by the program's denoising loop, of conditions: the same on every machine.

        seed: of the noise. The conditions: as in `run`, of one sample.
        negative: the conditions that guidance leads away from, under the same names. guidance_scale: 1 calls
            the program once a step.
        latents: float (1, C, H, W), a clean sample to begin from, with call `start`.
        noise: float (1 + N, C, H, W) in the place of the seed's, N calls of the loop draw noise.
        backend: as in `run`. progress: told after each step how many are done, and of how many.
        Returns the float32 sample (1, C, H, W), in steps of 2^-12.
        Raises DgqcError as `run` does, and where the program was compiled without a loop.
        """
        empty = torch.zeros(self.program.inputs[0].shape)
        given = named_inputs(empty, encoder_hidden_states, class_labels, added_cond_kwargs)
        other = None if negative is None else self._conditions(named_inputs(empty, **negative))
        conditions = self._conditions(given)
        drawing = drawing_of(self.program, conditions, other, guidance_scale, seed, noise, latents, start)
        return floating_picture(self.draw_integers(drawing, backend=backend, progress=progress))

    def draw_integers(
        self, drawing: Drawing, *, backend: str | None = None, progress: Watcher = ignore
    ) -> torch.Tensor:
        """The denoising loop itself. Returns the int16 picture in Q12."""
        return call(self._backends.drawer(backend), drawing, progress)

    def _conditions(self, inputs: Inputs) -> dict[str, torch.Tensor]:
        check_inputs(inputs, self.provenance.inputs)
        conditions = call(to_integers, self.program, inputs, 0, self.saturated)
        self._saturation.tell()
        del conditions[self.program.inputs[0].name]
        return conditions

    def build(self, backend: str | None = None, say: Callable[[str], None] = log.info) -> str:
        """Makes a backend ready, so that the first call takes no longer than others; returns its name.

        backend: as in `run`. say: told what is done, `print` for instance; logging where it is left out.
        C is emitted and compiled, or found in the user's cache. Raises DgqcError where it can't run here.
        """
        name, start = backend or default_backend(), time.perf_counter()
        with told_to(say):
            self._backends.runner(name)
        say(f"The program is ready in {name}, after {time.perf_counter() - start:.1f} s.")
        return name

    def save(
        self, directory: str | Path, targets: Sequence[str | Target] | None = None, **options: Any
    ) -> Path:
        """Writes the program as a bundle; see `dgqc.bundle.bundle.save`."""
        return save_bundle(self.contents(), Path(directory), targets, **options)

    def as_diffusers_unet(self, unet: nn.Module | None = None, **options: Any) -> CompiledUNet:
        """A drop-in for a UNet in a diffusers pipeline; see `dgqc.execution.diffusers_unet.CompiledUNet`.

        unet: the one that was compiled; None where the program keeps its config.
        """
        from .diffusers_unet import CompiledUNet  # diffusers takes seconds to import

        return CompiledUNet(self, unet, **options)

    def as_diffusers_pipeline(self, pipeline: Any, **options: Any) -> Any:
        """A pipeline, or a folder's, with these programs in it: `diffusers_pipeline.integer_pipeline`."""
        from .diffusers_pipeline import integer_pipeline

        return integer_pipeline(self, pipeline, **options)

    def as_diffusers_controlnet(self, controlnet: Any, **options: Any) -> CompiledControlNet:
        """A drop-in for a pipeline's ControlNet; see `dgqc.execution.diffusers_controlnet`."""
        from .diffusers_controlnet import CompiledControlNet

        return CompiledControlNet(self, controlnet, **options)

    def as_diffusers_adapter(self, adapter: Any, **options: Any) -> CompiledAdapter:
        """A drop-in for a pipeline's T2I-Adapter; see `dgqc.execution.diffusers_adapter`."""
        from .diffusers_adapter import CompiledAdapter

        return CompiledAdapter(self, adapter, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        # As a bundle keeps it: torch.fx would give the nodes other names. Backends are made ready anew.
        saved = program_to_bytes(self.program)
        return _restored, (saved, self.provenance, dict(self.report), self._bundle, self.parts)

    def _step(self, timestep: torch.Tensor | float | None, step: int | None, allow_nearest: bool) -> int:
        time = None if timestep is None else one_timestep(timestep)
        return self._steps.step_of(time, step, allow_nearest)


def _restored(
    saved: Mapping[str, bytes],
    provenance: Provenance,
    report: Mapping[str, Any],
    bundle: Path | None,
    parts: Mapping[str, CompiledProgram],
) -> CompiledProgram:
    return CompiledProgram(program_from_bytes(saved), provenance, report, bundle=bundle, parts=parts)


@typed
def load(directory: str | Path) -> CompiledProgram:
    """Reads a bundle. Raises DgqcError when anything is missing, altered or of another format."""
    place = Path(directory)
    return _opened(read(place), place.resolve())


def _opened(found: Contents, place: Path) -> CompiledProgram:
    """The programs of a bundle and of its parts, each with its own folder."""
    parts = {name: _opened(part, place / PARTS / name) for name, part in found.parts.items()}
    return CompiledProgram(found.program, found.provenance, found.report, bundle=place, parts=parts)
