"""Trains the model on freshly drawn digits: `python -m digits.train`."""

from __future__ import annotations

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMPipeline

from dgqc.demo_model.optimizer import MatrixOptimizer

from .model import PIPELINE, build_scheduler, build_unet, to_values
from .pictures import DIGITS, draw

BATCH = 64
LEARNING_RATE = 2e-3
WARM_UP = 100
AVERAGE_DECAY = 0.998
LARGEST_WEIGHT = 5.0
"""Errors at little noise count up to this many times."""


class Trainer:
    """The network, its averaged copy and the optimizer; equal seeds give equal weights."""

    def __init__(self, steps: int, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.steps, self.seed, self.step = steps, seed, 0
        self.scheduler = build_scheduler()
        self.unet = build_unet().train()
        self.average = copy.deepcopy(self.unet).eval().requires_grad_(False)
        self.optimizer = MatrixOptimizer(self.unet, weight_decay=0.01)

    def train_step(self) -> float:
        """One optimizer step on one batch, which depends on seed and step alone; returns its loss."""
        rng = np.random.default_rng([self.seed, self.step])
        labels = rng.integers(DIGITS, size=BATCH)
        clean = to_values(np.stack([draw(int(label), rng) for label in labels]))
        noise = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32))
        strata = (np.arange(BATCH) + rng.random(BATCH)) / BATCH
        times = torch.from_numpy((strata * len(self.scheduler.alphas_cumprod)).astype(np.int64))
        noisy = self.scheduler.add_noise(clean, noise, times)
        predicted = self.unet(noisy, times, class_labels=torch.from_numpy(labels)).sample
        kept = self.scheduler.alphas_cumprod[times]
        weights = (kept / (1.0 - kept)).clamp(1.0, LARGEST_WEIGHT)
        loss = (weights * (predicted - clean).square().mean(dim=(1, 2, 3))).mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.unet.parameters(), 1.0)
        self.optimizer.step(self._learning_rate())
        self._update_average()
        self.step += 1
        return float(loss.detach())

    def export(self, folder: Path) -> None:
        """Writes the averaged weights as a pipeline folder, stored as float16."""
        pipeline = DDIMPipeline(copy.deepcopy(self.average).half(), self.scheduler)
        pipeline.save_pretrained(folder)
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


def main() -> None:
    """Trains and exports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=PIPELINE)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    trainer = Trainer(arguments.steps)
    started, losses = time.monotonic(), []
    while trainer.step < arguments.steps:
        losses.append(trainer.train_step())
        if trainer.step % 100 == 0:
            minutes = (time.monotonic() - started) / 60
            print(f"step {trainer.step} loss {np.mean(losses):.4f} after {minutes:.1f} minutes", flush=True)
            losses = []
    trainer.export(arguments.output)


if __name__ == "__main__":
    main()
