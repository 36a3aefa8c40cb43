"""One who draws with a diffusers pipeline, in a process of its own; picture.py runs it.

    python benchmarks/picture_peer.py NAME PIPELINE WORK STEPS GUIDANCE PICTURES PROMPT make|draw

NAME: a key of PEERS. make converts what isn't there yet; draw prints JSON: `seconds` of each picture after a
first one, and `bytes` of the files of weights. Threads are those of OMP_NUM_THREADS.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))


@dataclass(frozen=True)
class Peer:
    """title: for the table. packages: beside diffusers. stored: OpenVINO's files; None is PyTorch.

    precision: of whatever isn't in bytes, as its library calls it.
    """

    title: str
    precision: str
    packages: tuple[str, ...] = ()
    stored: str | None = None


PEERS = {
    "diffusers-float32": Peer("diffusers, float32", "float32"),
    "diffusers-bfloat16": Peer("diffusers, bfloat16", "bfloat16"),
    "openvino-float32": Peer("OpenVINO, float32", "f32", ("openvino",), "float32"),
    "openvino-bfloat16": Peer("OpenVINO, bfloat16", "bf16", ("openvino",), "float32"),
    "openvino-int8": Peer("OpenVINO, int8 weights, bfloat16", "bf16", ("openvino", "nncf"), "int8"),
    "openvino-quantized": Peer(
        "OpenVINO, int8 UNet and weights, the rest bfloat16", "bf16", ("openvino", "nncf"), "quantized"
    ),
}


def opened(peer: Peer, folder: Path, work: Path, steps: int, guidance: float) -> tuple[Any, int]:
    """The pipeline, and bytes of the files that it reads."""
    if peer.stored is not None:
        import picture_openvino
        from peers.converted import size

        files = picture_openvino.made(folder, work, peer.stored, steps, guidance)
        return picture_openvino.opened(folder, files, peer.precision, THREADS), size(files)
    import torch
    from diffusers import DiffusionPipeline

    from dgqc.frontends.loading.pipelines import checked_index

    torch.set_num_threads(THREADS)
    index = checked_index(folder)
    absent = [name for name, one in index.items() if isinstance(one, list) and one[0] is None]
    options = {**dict.fromkeys(absent), "torch_dtype": getattr(torch, peer.precision)}
    pipeline: Any = DiffusionPipeline.from_pretrained(folder, local_files_only=True, **options)
    models = [one for one in pipeline.components.values() if isinstance(one, torch.nn.Module)]
    weights = [weight for model in models for weight in model.parameters()]
    return pipeline, sum(weight.numel() * weight.element_size() for weight in weights)


def draw(pipeline: Any, steps: int, guidance: float, pictures: int, prompt: str) -> list[float]:
    """Seconds of each picture, after one that warms caches."""
    import torch

    pipeline.set_progress_bar_config(disable=True)
    kind = "pil" if getattr(pipeline, "vae", None) is not None else "latent"
    how: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": guidance, "output_type": kind}
    seconds = []
    for seed in range(pictures + 1):
        begun = time.perf_counter()
        pipeline(prompt, generator=torch.Generator().manual_seed(seed), **how)
        seconds.append(time.perf_counter() - begun)
    return seconds[1:]


def main() -> None:
    name, folder, work, steps, guidance, pictures, prompt, what = sys.argv[1:]
    peer, how = PEERS[name], (int(steps), float(guidance))
    if what == "make":
        if peer.stored is not None:
            import picture_openvino

            picture_openvino.made(Path(folder), Path(work), peer.stored, *how)
        return
    pipeline, weights = opened(peer, Path(folder), Path(work), *how)
    seconds = draw(pipeline, *how, int(pictures), prompt)
    print(json.dumps({"seconds": seconds, "bytes": weights}))


if __name__ == "__main__":
    main()
