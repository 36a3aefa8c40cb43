"""Train the demo model on freshly drawn pictures: ``python -m dgqc.demo_model.train``."""

from __future__ import annotations

import argparse
import copy
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor

from .model import (
    DEMO,
    TRAIN_TIMESTEPS,
    Design,
    build_pipeline,
    build_scheduler,
    build_text_encoder,
    build_tokenizer,
    build_unet,
    save_pipeline,
    to_latents,
)
from .optimizer import MatrixOptimizer
from .pictures import LONE_SHARE, STILL, draw, read_words, reworded, sample_scene


@dataclass(frozen=True)
class Settings:
    """How long and how to train; two runs with equal settings and threads give equal weights.

    lone_share: of scenes with one shape. still: whether figures stand just where captions say.
    """

    steps: int
    batch: int = 32
    learning_rate: float = 1e-3
    warm_up: int = 200
    weight_decay: float = 0.01
    average_decay: float = 0.998
    caption_dropout: float = 0.1
    largest_weight: float = 5.0
    seed: int = 0
    lone_share: float = LONE_SHARE
    still: bool = False
    words: Mapping[str, str] = field(default_factory=dict)
    """Other words in the place of some of the grammar's."""


SETTINGS = Settings(steps=7200)
"""Of the demo model."""


class Trainer:
    """The networks, their averaged copies and the optimizer, with a step counter."""

    def __init__(self, settings: Settings, design: Design = DEMO) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.design = design
        self.tokenizer = build_tokenizer(settings.words)
        self.scheduler = build_scheduler()
        self.unet = build_unet(design)
        # On a CPU this trains 1.7 times as fast as fused attention does.
        self.unet.set_attn_processor(AttnProcessor())
        self.text_encoder = build_text_encoder(self.tokenizer, design)
        self.networks = torch.nn.ModuleList([self.unet, self.text_encoder]).train()
        self.average = copy.deepcopy(self.networks).eval().requires_grad_(False)
        self.optimizer = MatrixOptimizer(self.networks, settings.weight_decay)
        self.step = 0

    def learning_rate(self) -> float:
        """Linear warm-up, then a cosine down to zero at the last step."""
        settings = self.settings
        rise = min(1.0, (self.step + 1) / settings.warm_up)
        fall = 0.5 * (1.0 + np.cos(np.pi * self.step / settings.steps))
        return float(settings.learning_rate * rise * fall)

    def train_step(self) -> float:
        """One optimizer step on one batch; returns its loss.

        All randomness comes from the seed and the step number, so that a resumed run sees what an
        uninterrupted one would.
        """
        settings = self.settings
        rng = np.random.default_rng([settings.seed, self.step])
        scenes = [sample_scene(rng, lone_share=settings.lone_share) for _ in range(settings.batch)]
        if settings.still:
            scenes = [replace(scene, offsets=STILL) for scene in scenes]
        dropped = rng.random(settings.batch) < settings.caption_dropout
        captions = [
            "" if drop else reworded(scene.caption(), settings.words)
            for scene, drop in zip(scenes, dropped, strict=True)
        ]
        clean = to_latents(np.stack([draw(scene) for scene in scenes]), self.design.block)
        noise = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32))
        strata = (np.arange(settings.batch) + rng.random(settings.batch)) / settings.batch
        times = torch.from_numpy((strata * TRAIN_TIMESTEPS).astype(np.int64))

        loss = self._loss(clean, noise, times, captions)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.networks.parameters(), 1.0)
        self.optimizer.step(self.learning_rate())
        self._update_average()
        self.step += 1
        return float(loss.detach())

    def _loss(
        self, clean: torch.Tensor, noise: torch.Tensor, times: torch.Tensor, captions: list[str]
    ) -> torch.Tensor:
        """Mean squared error of the predicted clean latents, less-noisy ones weighted up to 5 times."""
        tokens = self.tokenizer(captions, padding="max_length", return_tensors="pt").input_ids
        noisy = self.scheduler.add_noise(clean, noise, times)
        with torch.autocast("cpu", torch.bfloat16):
            states = self.text_encoder(tokens).last_hidden_state
            predicted = self.unet(noisy, times, states).sample
        kept = self.scheduler.alphas_cumprod[times]
        weights = (kept / (1.0 - kept)).clamp(1.0, self.settings.largest_weight)
        errors = (predicted.float() - clean).square().mean(dim=(1, 2, 3))
        loss: torch.Tensor = (weights * errors).mean()
        return loss

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        for average, weight in zip(self.average.parameters(), self.networks.parameters(), strict=True):
            average.lerp_(weight, 1.0 - decay)

    def save(self, path: Path) -> None:
        """Write a checkpoint to resume from, atomically."""
        state = {
            "settings": vars(self.settings),
            "step": self.step,
            "networks": self.networks.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, path)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint that was written with the same settings."""
        state = torch.load(path, weights_only=True)
        if state["settings"] != vars(self.settings):
            raise ValueError(f"{path} was written with other settings: {state['settings']}")
        self.networks.load_state_dict(state["networks"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def export(self, folder: Path) -> None:
        """Write the averaged weights as a pipeline folder, replacing it at once.

        The UNet is stored as float16 (half the size, and its loss of precision is far below that of
        any quantization); the text encoder stays float32.
        """
        unet, text_encoder = copy.deepcopy(self.average)
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        save_pipeline(build_pipeline(unet.half(), text_encoder, self.tokenizer), partial)
        for file in partial.rglob("*.safetensors"):
            file.chmod(0o644)
        old = folder.with_name(folder.name + ".old")
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def main(
    design: Design = DEMO,
    settings: Settings = SETTINGS,
    work: Path = Path("build/demo_model"),
    output: Path = Path(__file__).parent / "pipeline",
) -> None:
    """Train, or continue to train, and export. settings, work, output: what options default to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=settings.steps, help="optimizer steps in all")
    parser.add_argument("--seed", type=int, default=settings.seed)
    parser.add_argument("--words", type=Path, help="JSON: other words for captions, such as german.json")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=work, help="checkpoint folder")
    parser.add_argument("--output", type=Path, default=output)
    parser.add_argument("--save-minutes", type=float, default=5.0)
    parser.add_argument("--stop-minutes", type=float, default=float("inf"), help="stop early, resumably")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    checkpoint = arguments.work / "checkpoint.pt"
    try:
        words = read_words(arguments.words) if arguments.words else {}
    except (OSError, ValueError) as error:
        parser.error(str(error))
    settings = replace(settings, steps=arguments.steps, seed=arguments.seed, words=words)
    trainer = Trainer(settings, design)
    if checkpoint.exists():
        trainer.load(checkpoint)
    print(f"start at step {trainer.step} of {arguments.steps}", flush=True)

    started = saved = shown = time.monotonic()
    losses: list[float] = []
    while trainer.step < arguments.steps:
        losses.append(trainer.train_step())
        now = time.monotonic()
        if trainer.step % 50 == 0:
            each = (now - shown) / len(losses)
            left = each * (arguments.steps - trainer.step) / 60
            print(
                f"step {trainer.step} loss {np.mean(losses):.4f} {each:.3f} s/step, {left:.0f} minutes left",
                flush=True,
            )
            losses, shown = [], now
        if now - saved > 60 * arguments.save_minutes:
            trainer.save(checkpoint)
            trainer.export(arguments.output)
            saved = now
        if now - started > 60 * arguments.stop_minutes:
            break
    trainer.save(checkpoint)
    trainer.export(arguments.output)
    print(f"done at step {trainer.step} after {(time.monotonic() - started) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
