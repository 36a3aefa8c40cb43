"""What chance alone does to figures of pictures: the float model once more, same prompts, other seeds."""

from __future__ import annotations

from dataclasses import replace

from dgqc.compare import Workload, candidate
from dgqc.compare.candidates import FLOAT
from dgqc.compare.run import Measured
from dgqc.compare.store import Store


def seeds_table(workload: Workload, store: Store) -> str:
    """The float model's pictures beside its pictures from the seeds that come next."""
    judge, drawing = workload.judge, workload.drawings[""]
    assert judge is not None
    floats = Measured(candidate(FLOAT), workload, store)
    own = floats.pictures(drawing)
    others = floats.pictures(replace(drawing, first_seed=len(drawing.prompts)))
    lines = ["| seeds | alignment | Frechet to real | Frechet to the first |", "| --- | --- | --- | --- |"]
    for name, pictures, beside in (("the first", own, None), ("the next", others, own)):
        found = judge.judge(pictures, drawing.prompts, beside)
        apart = f"{found['frechet_float']:.2f}" if beside is not None else ""
        lines.append(f"| {name} | {found['alignment']:.1f} % | {found['frechet_real']:.1f} | {apart} |")
    return "\n".join([*lines, "", f"{len(own)} pictures each.", ""])
