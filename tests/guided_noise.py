"""What guidance makes of the error of a call: AnimateDiff's program beside its float model with noise added.

    PYTHONPATH=tests python tests/guided_noise.py

prints a line for each strength of guidance: decibels of signal to noise of the calls, of the drawing, and of
a drawing by the float model to whose every answer as much white noise was added as the calls have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
import videos

import dgqc

STEPS, SAMPLES = 3, 16
SCALES = (1.0, 2.0, 4.0, 7.5)
SEEDS = (3, 4, 5)


def decibels(wanted: torch.Tensor, found: torch.Tensor) -> float:
    noise = (wanted - found).double().square().sum()
    return 10 * math.log10(float(wanted.double().square().sum()) / float(noise))


@dataclass
class Told:
    """Answers as a network does, and notes by how much that differs from another one's answers.

    noise: decibels of white noise to add. calls: decibels of each call beside `beside`.
    """

    network: Any
    beside: Any = None
    noise: float | None = None
    calls: list[float] = field(default_factory=list)

    def __call__(self, *given: Any, **named: Any) -> SimpleNamespace:
        answer = self.network(*given, **named).sample
        if self.beside is not None:
            self.calls.append(decibels(self.beside(*given, **named).sample, answer))
        if self.noise is not None:
            generator = torch.Generator().manual_seed(len(self.calls))
            self.calls.append(self.noise)
            added = torch.randn(answer.shape, generator=generator)
            answer = answer + added * (answer.std() * 10 ** (-self.noise / 20))
        return SimpleNamespace(sample=answer)


def drawn(network: Told, scale: float, seed: int) -> torch.Tensor:
    """The latents of a video, from the pipeline."""
    unet = videos.motion()
    pipeline = videos.animatediff(unet)
    unet.forward = network
    options = {"num_frames": videos.FRAMES, "num_inference_steps": STEPS, "output_type": "latent"}
    found: torch.Tensor = pipeline(
        "a red square", generator=torch.Generator().manual_seed(seed), guidance_scale=scale, **options
    ).frames
    return found


@torch.no_grad()
def measured(program: Any, scale: float, seed: int) -> tuple[float, float, float]:
    """Of one seed: the calls' mean, the program's drawing, the drawing with noise."""
    unet = videos.motion()
    wanted = drawn(Told(unet), scale, seed)
    own = Told(program.as_diffusers_unet(unet), unet)
    found = drawn(own, scale, seed)
    calls = sum(own.calls) / len(own.calls)
    noisy = drawn(Told(unet, noise=calls), scale, seed)
    return calls, decibels(wanted, found), decibels(wanted, noisy)


def program() -> Any:
    pipeline = videos.animatediff(videos.motion())
    return dgqc.compile(
        pipeline, "w8a8", steps=STEPS, samples=SAMPLES, sample_size=videos.VIDEO, parts="unet", check=False
    )


if __name__ == "__main__":
    compiled = program()
    for strength in SCALES:
        rows = torch.tensor([measured(compiled, strength, seed) for seed in SEEDS])
        calls, own, noisy = rows.mean(dim=0).tolist()
        print(f"| {strength:g} | {calls:.1f} | {own:.1f} | {noisy:.1f} |", flush=True)
