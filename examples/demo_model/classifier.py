"""A small network that reads every attribute off a picture: ``python -m dgqc.demo_model.classifier``."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from .pictures import BACKGROUNDS, COLOURS, POSITIONS, SHAPES, SIZES, Figure, Scene, draw, sample_scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAYOUTS: tuple[str, ...] = (*POSITIONS, "left of", "above")
"""Layouts as read: where a lone shape is, or how two lie, the left or upper one being first."""

HEADS: dict[str, tuple[str, ...]] = {
    "background": tuple(BACKGROUNDS),
    "layout": LAYOUTS,
    "first size": tuple(SIZES),
    "first colour": tuple(COLOURS),
    "first shape": SHAPES,
    "second size": tuple(SIZES),
    "second colour": tuple(COLOURS),
    "second shape": SHAPES,
}
"""The names each head chooses from; the ``second`` heads mean nothing when there is one shape."""

FEATURES = 128
ABSENT = -100
WEIGHTS = Path(__file__).parent / "classifier" / "model.safetensors"


class Classifier(nn.Module):
    """Pictures float32[N, 3, 32, 32] in -1..1 to features [N, 128] and one score table per head."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 48, 64, 64)
        strides = (1, 2, 2, 2)
        layers: list[nn.Module] = []
        for inputs, outputs, stride in zip(widths[:-1], widths[1:], strides, strict=True):
            layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.GroupNorm(8, outputs), nn.ReLU()]
        self.trunk = nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * 4 * widths[-1], FEATURES), nn.ReLU())
        self.heads = nn.Linear(FEATURES, sum(len(names) for names in HEADS.values()))

    def features(self, values: torch.Tensor) -> torch.Tensor:
        """Penultimate features [N, 128], all at least zero."""
        features: torch.Tensor = self.trunk(values)
        return features

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Scores [N, choices] of each of :data:`HEADS`, in order."""
        ends = np.cumsum([len(names) for names in HEADS.values()])[:-1].tolist()
        return torch.tensor_split(self.heads(self.features(values)), ends, dim=1)


def to_values(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Values float32[N, 3, 32, 32] in -1..1 of pictures uint8[N, 32, 32, 3]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def canonical(scene: Scene) -> Scene:
    """The same picture described with the left or upper of two shapes first."""
    if scene.layout not in ("right of", "below"):
        return scene
    layout = {"right of": "left of", "below": "above"}[scene.layout]
    return Scene(scene.figures[::-1], layout, scene.background, scene.offsets[::-1])


def labels(scene: Scene) -> list[int]:
    """The right choice of every head, or :data:`ABSENT` for those of a missing second shape."""
    scene = canonical(scene)
    names = [scene.background, scene.layout]
    for figure in scene.figures:
        names += [figure.size, figure.colour, figure.shape]
    known = [choices.index(name) for choices, name in zip(HEADS.values(), names, strict=False)]
    return known + [ABSENT] * (len(HEADS) - len(known))


def load_classifier(path: Path = WEIGHTS) -> Classifier:
    """The trained classifier."""
    classifier = Classifier()
    classifier.load_state_dict(load_file(path))
    return classifier.eval()


@torch.no_grad()
def classify(classifier: Classifier, pictures: NDArray[np.uint8]) -> list[Scene]:
    """What each of pictures uint8[N, 32, 32, 3] shows, in :func:`canonical` order."""
    choices = [scores.argmax(dim=1).tolist() for scores in classifier(to_values(pictures))]
    scenes = []
    for row in zip(*choices, strict=True):
        names = [options[choice] for options, choice in zip(HEADS.values(), row, strict=True)]
        background, layout = names[:2]
        figures: tuple[Figure, ...] = (Figure(*names[2:5]), Figure(*names[5:8]))
        scenes.append(Scene(figures[:1] if layout in POSITIONS else figures, layout, background))
    return scenes


@torch.no_grad()
def picture_features(classifier: Classifier, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Features float64[N, 128] of pictures uint8[N, 32, 32, 3]."""
    parts = [classifier.features(to_values(pictures[i : i + 256])) for i in range(0, len(pictures), 256)]
    array: NDArray[np.float64] = torch.cat(parts).double().numpy()
    return array


def head_accuracy(classifier: Classifier, scenes: list[Scene]) -> dict[str, float]:
    """Share of right answers of every head, in 0..1, on freshly drawn scenes."""
    pictures = np.stack([draw(scene) for scene in scenes])
    truth = torch.tensor([labels(scene) for scene in scenes])
    with torch.no_grad():
        scores = classifier(to_values(pictures))
    accuracy = {}
    for index, name in enumerate(HEADS):
        present = truth[:, index] != ABSENT
        right = scores[index].argmax(dim=1)[present] == truth[present, index]
        accuracy[name] = float(right.double().mean())
    return accuracy


def disturb(values: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Shift, blur, fade and add noise at random to values [N, 3, 32, 32], as imperfect pictures would."""
    count = len(values)
    row, column = (int(move) for move in rng.integers(0, 3, size=2))
    values = functional.pad(values, (1, 1, 1, 1), mode="replicate")
    values = values[:, :, row : row + 32, column : column + 32]
    blurred = functional.avg_pool2d(functional.pad(values, (1, 1, 1, 1), mode="replicate"), 3, 1)
    amount = torch.from_numpy(rng.random((count, 1, 1, 1), dtype=np.float32))
    values = values + (blurred - values) * (amount * 1.6 - 0.6).clamp(min=0.0)
    tint = torch.from_numpy(rng.uniform(-0.1, 0.1, (count, 3, 1, 1)).astype(np.float32))
    strength = torch.from_numpy(rng.uniform(0.0, 0.15, (count, 1, 1, 1)).astype(np.float32))
    noise = torch.from_numpy(rng.standard_normal(values.shape, dtype=np.float32))
    return (values + tint + strength * noise).clamp(-1.0, 1.0)


def train(steps: int, batch: int = 64, learning_rate: float = 2e-3, seed: int = 1) -> Classifier:
    """A classifier trained on freshly drawn, disturbed pictures of all compositions."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    classifier = Classifier()
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    for step in range(steps):
        scenes = [sample_scene(rng, held_out=None) for _ in range(batch)]
        values = disturb(to_values(np.stack([draw(scene) for scene in scenes])), rng)
        truth = torch.tensor([labels(scene) for scene in scenes])
        losses = [
            functional.cross_entropy(scores, truth[:, index], ignore_index=ABSENT)
            for index, scores in enumerate(classifier(values))
        ]
        loss = torch.stack(losses).sum()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if (step + 1) % 200 == 0:
            print(f"step {step + 1} loss {float(loss.detach()):.4f}", flush=True)
    return classifier.eval()


def main() -> None:
    """Train, save and report the accuracy on 2000 held-out pictures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    started = time.monotonic()
    classifier = train(arguments.steps)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    save_file(classifier.state_dict(), arguments.output)
    rng = np.random.default_rng(1001)
    accuracy = head_accuracy(classifier, [sample_scene(rng, held_out=None) for _ in range(2000)])
    mean = float(np.mean(list(accuracy.values())))
    seconds = round(time.monotonic() - started)
    print(json.dumps({"mean accuracy": mean, "accuracy": accuracy, "seconds": seconds}, indent=1))


if __name__ == "__main__":
    main()
