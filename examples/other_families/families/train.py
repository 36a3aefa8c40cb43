"""Trains a family's model on freshly drawn digits: `python -m families.train guided` (or `edm`).

The pictures are those of the microcontroller example, whose folder must be on the path, too.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from digits.pictures import DIGITS, draw

from dgqc.demo_model.optimizer import MatrixOptimizer

from .model import Family, build_scheduler, build_unet

BATCH = 32
LEARNING_RATE = 2e-3
WARM_UP = 100
AVERAGE_DECAY = 0.998
SPREAD = 0.5
"""The pictures' standard deviation that EDM's preconditioning supposes."""


class Trainer:
    """The network, its averaged copy and the optimizer; equal seeds give equal weights."""

    def __init__(self, family: Family, steps: int, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.family, self.steps, self.seed, self.step = family, steps, seed, 0
        self.scheduler = build_scheduler(family)
        self.unet = build_unet(family).train()
        self.average = copy.deepcopy(self.unet).eval().requires_grad_(False)
        self.optimizer = MatrixOptimizer(self.unet, weight_decay=0.01)

    def train_step(self) -> float:
        """One optimizer step on one batch, which depends on seed and step alone; returns its loss."""
        rng = np.random.default_rng([self.seed, self.step])
        labels = rng.integers(DIGITS, size=BATCH)
        pictures = np.stack([draw(int(label), rng) for label in labels])
        clean = torch.from_numpy(pictures)[:, None].float() / 127.5 - 1.0
        noise = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32))
        strata = torch.from_numpy((np.arange(BATCH) + rng.random(BATCH)) / BATCH)
        loss_of = _noise_loss if self.family is Family.GUIDED else _preconditioned_loss
        loss = loss_of(self, clean, noise, strata, torch.from_numpy(labels))
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.unet.parameters(), 1.0)
        self.optimizer.step(self._learning_rate())
        self._update_average()
        self.step += 1
        return float(loss.detach())

    def export(self, folder: Path) -> None:
        """Writes the averaged weights, stored as float16, and the scheduler."""
        copy.deepcopy(self.average).half().save_pretrained(folder / "unet")
        self.scheduler.save_pretrained(folder / "scheduler")
        for file in folder.rglob("*.safetensors"):
            file.chmod(0o644)

    def _learning_rate(self) -> float:
        rise = min(1.0, (self.step + 1) / WARM_UP)
        return LEARNING_RATE * rise * 0.5 * (1.0 + math.cos(math.pi * self.step / self.steps))

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(AVERAGE_DECAY, (1 + self.step) / (10 + self.step))
        for average, weight in zip(self.average.parameters(), self.unet.parameters(), strict=True):
            average.lerp_(weight, 1.0 - decay)


def _noise_loss(
    trainer: Trainer, clean: torch.Tensor, noise: torch.Tensor, strata: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Of the predicted noise. strata: float64 (N,) in 0 .. 1, one in each N-th."""
    times = (strata * len(trainer.scheduler.alphas_cumprod)).to(torch.int64)
    noisy = trainer.scheduler.add_noise(clean, noise, times)
    predicted: Any = trainer.unet(noisy, times, class_labels=labels).sample
    loss: torch.Tensor = (predicted - noise).square().mean()
    return loss


def _preconditioned_loss(
    trainer: Trainer, clean: torch.Tensor, noise: torch.Tensor, strata: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """EDM's (Karras et al. 2022, table 1): of the clean picture, levels log-normal, in its own unit."""
    level = torch.exp(-1.2 + 1.2 * math.sqrt(2) * torch.erfinv(2 * strata - 1)).float().clamp(0.002, 80.0)
    sigma = level[:, None, None, None]
    total = (sigma**2 + SPREAD**2).sqrt()
    noisy = clean + sigma * noise
    predicted: Any = trainer.unet(noisy / total, level.log() / 4, class_labels=labels).sample
    wanted = (clean - SPREAD**2 / total**2 * noisy) * total / (sigma * SPREAD)
    loss: torch.Tensor = (predicted - wanted).square().mean()
    return loss


def main() -> None:
    """Trains and exports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", type=Family, choices=list(Family))
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="the family's own folder, where left out")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    trainer = Trainer(arguments.family, arguments.steps)
    started, losses = time.monotonic(), []
    while trainer.step < arguments.steps:
        losses.append(trainer.train_step())
        if trainer.step % 100 == 0:
            minutes = (time.monotonic() - started) / 60
            print(f"step {trainer.step} loss {np.mean(losses):.4f} after {minutes:.1f} minutes", flush=True)
            losses = []
    trainer.export(arguments.output or arguments.family.folder)


if __name__ == "__main__":
    main()
