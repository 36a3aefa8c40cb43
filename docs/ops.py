"""Writes the tables of `ops.md` from the records and capture rules.

python docs/ops.py            writes the page anew
python docs/ops.py --check    says whether it is what the code does
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from dgqc.frontends.capturing import capture  # noqa: F401  (registers capture rules)
from dgqc.frontends.capturing.registry import capture_rule_of, captured_targets
from dgqc.ir.ops.captured import captured_ops

PAGE = Path(__file__).parent / "ops.md"
BEGIN, END = "<!-- {} -->", "<!-- end of {} -->"
GRADIENT = "training only: no program computes gradients"
RANDOM = "random: a program gives the same answer each time"
BY_VALUE = "which places are read or written depends on values"
SYMBOLIC = "a number, not a tensor: sizes are fixed when a model is exported"
MEMORY = "speaks of memory, not of values"
THREE = "images have two axes of pixels"
REFUSED = {
    "_adaptive_avg_pool3d": THREE,
    "_cdist_forward": "distances of all pairs: a root of a sum for each, which no product is",
    "_embedding_bag": "looks up by whole numbers, which no value of the sample is",
    "_fft_c2r": "Fourier transforms need more than 16 bits",
    "_fft_r2c": "Fourier transforms need more than 16 bits",
    "_local_scalar_dense": "a number that a program would have to branch on",
    "_log_softmax": "logarithms of small shares have no bound",
    "_native_batch_norm_legit": "normalizes by the batch at hand: put the model in evaluation mode",
    "_pdist_forward": "distances of all pairs: a root of a sum for each, which no product is",
    "as_strided": MEMORY,
    "atan2": "writes into a tensor that is given",
    "avg_pool3d": THREE,
    "col2im": "adds up overlapping windows; a transposed convolution does that",
    "copy": "writes into a tensor that is given",
    "empty": MEMORY,
    "empty_strided": MEMORY,
    "grid_sample": BY_VALUE,
    "grid_sampler_2d": BY_VALUE,
    "max_pool3d_with_indices": THREE,
    "nonzero": "how many values come out depends on values",
    "reflection_pad3d": THREE,
    "replication_pad3d": THREE,
    "resize_": MEMORY,
    "sort": "an order of values has no bound on its depth",
    "topk": "an order of values has no bound on its depth",
}
"""Why ops are refused that have no capture rule, by name."""
OF_CONDITIONS = "picks, orders or adds up along an axis in a way that has no integer form"


def core_ops() -> list[torch._ops.OpOverload]:
    """All ops of PyTorch's core set, by name."""
    found = []
    for full in torch._C._dispatch_get_all_op_names():
        space, _, name = full.partition("::")
        packet, _, overload = name.partition(".")
        if space == "aten":
            op = getattr(getattr(torch.ops.aten, packet), overload or "default")
            found += [op] if torch.Tag.core in op.tags else []
    return sorted(found, key=str)


def row(op: torch._ops.OpOverload) -> tuple[str, str, str]:
    """What becomes of an op that sees the sample, of one that sees conditions alone, and how or why."""
    rule, record = capture_rule_of(op), captured_ops().get(op)
    if rule is None:
        takes = any("Tensor" in str(argument.type) for argument in op._schema.arguments)
        if not takes and why_refused(op) is None:
            return "-", "folded", "a constant"
        return "refused", "refused", why_refused(op) or "?"
    name = rule.rewrite.__name__
    if name == "of_conditions":
        return "refused", "float", OF_CONDITIONS
    if name == "pointwise":
        return "function", "yes", "of one value: a table of parabolas; of several: refused"
    how = (rule.rewrite.__doc__ or "?").partition("\n\n")[0].replace("\n    ", " ")
    kind = "integer" if record is not None and not record.conditioning else "rewritten"
    return kind, "yes", how.rstrip(".")


def why_refused(op: torch._ops.OpOverload) -> str | None:
    """The reason, where there is one."""
    name = op._opname
    if name.endswith("backward"):
        return GRADIENT
    if torch.Tag.nondeterministic_seeded in op.tags:
        return RANDOM
    return SYMBOLIC if name.startswith("sym_") else REFUSED.get(name)


def core_table() -> Iterator[str]:
    """The table of the core set."""
    yield "| op | on the sample | on timestep and conditions | how, or why not |"
    yield "| --- | --- | --- | --- |"
    for op in core_ops():
        yield f"| `{str(op).removeprefix('aten.')}` | {' | '.join(row(op))} |"


def other_table() -> Iterator[str]:
    """What else PyTorch exports as one op, and dgqc knows."""
    core = set(core_ops())
    names = sorted({str(op).removeprefix("aten.") for op in captured_targets() if op not in core})
    yield ", ".join(f"`{name}`" for name in names if not name.startswith("dgqc")) + "."


def written(text: str) -> str:
    """The page with its tables anew."""
    for name, lines in (("core", core_table()), ("others", other_table())):
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}" + rest.partition(end)[2]
    return text


def main() -> int:
    """Writes or checks the page."""
    text = PAGE.read_text(encoding="utf-8")
    if "--check" in sys.argv:
        if written(text) == text:
            return 0
        print(f"{PAGE} isn't what the code does; run `python docs/ops.py`", file=sys.stderr)
        return 1
    PAGE.write_text(written(text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
