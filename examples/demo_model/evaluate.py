"""How well drawn pictures match their prompts: ``python -m dgqc.demo_model.evaluate``."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from . import load_pipeline, pipeline_dir
from .classifier import classify, load_classifier, picture_features
from .model import to_pictures
from .pictures import RELATIONS, Figure, Scene, draw, read_words, reworded, sample_scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 25
GUIDANCE = 1.5
"""Scale of classifier-free guidance with which the demo model is meant to be used."""

SEEN_SEED = 2001
UNSEEN_SEED = 2002
REFERENCE_SEED = 2003


def evaluation_scenes(count: int, unseen: bool = False) -> list[Scene]:
    """The first scenes of a fixed list: training compositions, or only ones never trained on."""
    rng = np.random.default_rng(UNSEEN_SEED if unseen else SEEN_SEED)
    return [sample_scene(rng, held_out=unseen) for _ in range(count)]


def reference_pictures(count: int, unseen: bool = False) -> NDArray[np.uint8]:
    """Real pictures uint8[count, 32, 32, 3] of such compositions, for Frechet distances."""
    rng = np.random.default_rng(REFERENCE_SEED)
    return np.stack([draw(sample_scene(rng, held_out=unseen)) for _ in range(count)])


def draw_with(
    pipeline: Any,
    prompts: list[str],
    seeds: list[int],
    steps: int = STEPS,
    batch: int = 32,
    guidance: float = GUIDANCE,
) -> NDArray[np.uint8]:
    """Pictures uint8[N, 32, 32, 3] that an unmodified pipeline draws, one seed for each prompt.

    A picture depends on its own prompt and seed only, up to the rounding of batched arithmetic.
    """
    parts = []
    for start in range(0, len(prompts), batch):
        some = slice(start, start + batch)
        latents = pipeline(
            prompts[some],
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds[some]],
            output_type="latent",
        ).images
        parts.append(to_pictures(latents))
    return np.concatenate(parts)


def compare(named: Scene, drawn: Scene) -> dict[str, list[bool]]:
    """Whether each attribute that a prompt names was drawn: 5 answers for one shape, 8 for two.

    Drawn shapes are matched to named ones whichever way agrees most; the relation then must hold
    between the matched shapes.  A missing shape has none of its attributes.
    """
    opposite = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
    figures: tuple[Figure | None, ...] = (*drawn.figures, None)[:2]
    swapped = opposite.get(drawn.layout, drawn.layout)
    ways = (
        _compare_in_order(named, figures, drawn.layout, drawn.background),
        _compare_in_order(named, figures[::-1], swapped, drawn.background),
    )
    return max(ways, key=_count)


def _compare_in_order(
    named: Scene, figures: tuple[Figure | None, ...], layout: str, background: str
) -> dict[str, list[bool]]:
    pairs = list(zip(named.figures, figures, strict=False))
    return {
        "background": [named.background == background],
        "relation" if named.layout in RELATIONS else "position": [named.layout == layout],
        "size": [other is not None and one.size == other.size for one, other in pairs],
        "colour": [other is not None and one.colour == other.colour for one, other in pairs],
        "shape": [other is not None and one.shape == other.shape for one, other in pairs],
    }


def _count(answers: dict[str, list[bool]]) -> int:
    return sum(sum(some) for some in answers.values())


def alignment_by_attribute(pictures: NDArray[np.uint8], scenes: list[Scene]) -> dict[str, float]:
    """Share, in 0..1, of named attributes that pictures uint8[N, 32, 32, 3] show: by kind and ``all``."""
    classifier = load_classifier()
    answers: dict[str, list[bool]] = {}
    for start in range(0, len(scenes), 256):
        some = slice(start, start + 256)
        for named, drawn in zip(scenes[some], classify(classifier, pictures[some]), strict=True):
            for kind, right in compare(named, drawn).items():
                answers.setdefault(kind, []).extend(right)
    total = [right for some_right in answers.values() for right in some_right]
    return {"all": float(np.mean(total)), **{kind: float(np.mean(right)) for kind, right in answers.items()}}


def alignment(pictures: NDArray[np.uint8], scenes: list[Scene]) -> float:
    """Share, in 0..1, of the attributes named by the scenes' captions that the pictures show."""
    return alignment_by_attribute(pictures, scenes)["all"]


def frechet_distance(features_a: NDArray[np.float64], features_b: NDArray[np.float64]) -> float:
    """Frechet distance between normal distributions fitted to features [N, D] and [M, D]; 0 is equal."""
    difference = features_a.mean(axis=0) - features_b.mean(axis=0)
    spread_a = np.cov(features_a, rowvar=False)
    spread_b = np.cov(features_b, rowvar=False)
    root_a = _square_root(spread_a)
    shared = np.trace(_square_root(root_a @ spread_b @ root_a))
    return float(difference @ difference + np.trace(spread_a) + np.trace(spread_b) - 2.0 * shared)


def _square_root(spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """The square root of a symmetric matrix without negative eigenvalues; unlike sqrtm, singular or not."""
    values, vectors = np.linalg.eigh((spread + spread.T) / 2.0)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root


def frechet_to_real(pictures: NDArray[np.uint8], unseen: bool = False, real_count: int = 4096) -> float:
    """Frechet distance, in the classifier's features, of pictures uint8[N, 32, 32, 3] to real ones.

    It falls as N grows, so compare it with that of as many real pictures only.
    """
    classifier = load_classifier()
    real = picture_features(classifier, reference_pictures(real_count, unseen))
    return frechet_distance(picture_features(classifier, pictures), real)


def main() -> None:
    """Draw evaluation prompts with the float model and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--unseen", action="store_true", help="use compositions never trained on")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pipeline", type=Path, default=pipeline_dir())
    parser.add_argument("--words", type=Path, help="the file that the model was trained with")
    parser.add_argument("--save", type=Path, help="also write the pictures to this .npy file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    try:
        words = read_words(arguments.words) if arguments.words else {}
    except (OSError, ValueError) as error:
        parser.error(str(error))
    scenes = evaluation_scenes(arguments.count, arguments.unseen)
    started = time.monotonic()
    pictures = draw_with(
        load_pipeline(arguments.pipeline),
        [reworded(scene.caption(), words) for scene in scenes],
        list(range(arguments.count)),
        arguments.steps,
        arguments.batch,
        arguments.guidance,
    )
    seconds = time.monotonic() - started
    if arguments.save:
        np.save(arguments.save, pictures)
    report: dict[str, Any] = {
        "compositions": "unseen" if arguments.unseen else "seen",
        "pictures": arguments.count,
        "steps": arguments.steps,
        "guidance": arguments.guidance,
        "seconds": round(seconds, 1),
        "alignment": alignment_by_attribute(pictures, scenes),
    }
    if arguments.count > 1:
        real = np.stack([draw(scene) for scene in scenes])
        report["frechet distance"] = frechet_to_real(pictures, arguments.unseen)
        report["frechet distance of real pictures"] = frechet_to_real(real, arguments.unseen)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
