"""The tables and figures of DGQ's paper on a trained model, from weights that are at hand.

    python benchmarks/tables.py 2 3 A.1 A.3 figure-4 figure-5 past-the-paper added seeds [--model FOLDER] ...

Each goes to `OUTPUT/NAME.md`. What was measured is kept in `OUTPUT/measured`: run again to continue, or to
go on with more pictures. Two runs can share an output, each with half of `--bits`; a third then gathers both.

    2         methods by bits; scenes as in training, and pairs of shapes that training never showed
    3, A.1    components of DGQ at w8a8; numbers of groups, with and without dimension selection, and at w8a6
    A.3       spread of the largest attention scores, cross against self
    figure-4  pictures with one outlier of each layer set to zero, and with one random value
    figure-5  attention scores: the start token's and the others'
    past-the-paper
              our choices one by one: about activations where weights have 8 bits, about weights where fewer
    added     the default and passes of other methods in it, at `--bits`; signal to noise alone
    seeds     the float model's pictures from two sets of seeds: what chance alone does to their figures
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from attention_scores import scores_figure, scores_table
from dropped_values import dropped_table
from other_seeds import seeds_table
from past_the_paper import choices, picture_costs

from dgqc.cli.console import quiet_libraries
from dgqc.compare import Candidate, Row, Workload, candidate, compare
from dgqc.compare.judges import PixelJudge, choose
from dgqc.compare.output import as_markdown, write
from dgqc.compare.plots import plot
from dgqc.compare.store import Store
from dgqc.compare.workload import Amounts, demo
from dgqc.demo_model import pipeline_dir
from dgqc.ir.errors import DgqcError

WIDTHS = ("w4a6", "w8a6", "w8a8", "w4a4", "w4a8", "w8a4")
LEARNING = {"tfmq": 10, "dgq": 10, "dgq-exact": 10, "q-diffusion": 10, "eda": 30, "dilatequant": 10}
"""Methods that learn, and how far a rounding may travel: iterations times rate, as in the presets."""
SHOWN = (
    "preset",
    "runs as",
    "SNR dB",
    "SNR last 5 dB",
    "alignment",
    "unseen alignment",
    "frechet float",
    "unseen frechet float",
    "psnr float",
    "size MB",
    "table bytes",
)
GROUPS = (1, 2, 4, 8, 16)
PAPER = "grouping=kmeans,ranges=minmax,rounding=nearest,"
"""What the ablations leave as the paper has it; its learned weights would hide behind 8 bits."""
ATTENTION = "probabilities=log2,scale=tensor"
PLAIN = "probabilities=uniform,scale=static"
ADDED = {
    "low-rank": ("quantize-weights", "low-rank,quantize-weights"),
    "low-rank, 20 %": ("quantize-weights", "low-rank{share=20},quantize-weights"),
    "rotate": ("quantize-weights", "rotate,quantize-weights"),
    "rotate, low-rank": ("quantize-weights", "rotate,low-rank,quantize-weights"),
    "dilated weights": ("balance-channels", "balance-channels{method=dilate,gain=0.1}"),
    "learned balance": ("balance-channels", "balance-channels{method=learned,gain=0.5}"),
}
"""What changes in the default's pipeline, by the row's name."""


def table_2(arguments: argparse.Namespace) -> list[Candidate]:
    """Every method at every width; DGQ with 8 groups and with 16."""
    found = []
    for width in arguments.bits.split(","):
        found += [candidate(f"naive-{width}"), candidate(width), candidate(f"{width}g16")]
        found.append(candidate(f"svdquant-{width}"))
        for method, travel in LEARNING.items():
            learned = f"iterations={arguments.iterations},rate={travel / arguments.iterations:g}"
            for groups in ("", "g16") if method == "dgq" else ("",):
                row = f"{method}-{width}{groups}"
                found.append(named(row, f"{row},{learned}"))
    return found


def components(width: str) -> list[Candidate]:
    """Table 3a: groups (8) and attention-aware quantization, alone and together."""
    neither = candidate(f"{width}g1,{PAPER}{PLAIN}").passes.replace("split-start-token,", "")
    return [
        Candidate(f"{width}, neither", neither),
        named(f"{width}, groups alone", f"{width},{PAPER}{PLAIN}"),
        named(f"{width}, attention-aware alone", f"{width}g1,{PAPER}{ATTENTION}"),
        named(f"{width}, both", f"{width},{PAPER}{ATTENTION}"),
    ]


def groupings(width: str) -> list[Candidate]:
    """Table 3b and A.1: numbers of groups of channels, then with dimension selection."""
    found = []
    for groups in GROUPS:
        chosen = named(f"{width}, {groups} groups", f"{width}g{groups},{PAPER}{ATTENTION}")
        if groups > 1:
            channels = chosen.passes.replace("outlier-dims,", "outlier-dims{dimension=channel},")
            found.append(Candidate(f"{width}, {groups} groups of channels", channels))
        found.append(chosen)
    return found


def added(width: str) -> list[Candidate]:
    """The default without branches, and passes of other methods in it, one at a time."""
    passes = candidate(f"{width},branches=none").passes.replace("measure-error,", "")
    rows = [Candidate(width, passes)]
    for name, (old, new) in ADDED.items():
        rows.append(Candidate(f"{width}, {name}", passes.replace(old, new)))
    return rows


def named(name: str, preset: str) -> Candidate:
    """A preset under another name."""
    return Candidate(name, candidate(preset).passes)


def rows_table(name: str, wanted: Sequence[Candidate], workload: Workload, store: Store, folder: Path) -> str:
    """Measures rows one after another; each is written as soon as it is there."""
    rows: list[Row] = []
    for row in compare(wanted, workload, store):
        rows.append(row)
        print(f"{name}: {row.name}", {k: v for k, v in row.columns().items() if v is not None}, flush=True)
        write(folder / name, rows)
    plot(folder / name, rows)
    return as_markdown(rows, SHOWN)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ("2", "3", "A.1", "A.3", "figure-4", "figure-5", "past-the-paper", "added", "seeds")
    parser.add_argument("tables", nargs="+", choices=names)
    parser.add_argument(
        "--model", type=Path, default=pipeline_dir(), help="a pipeline with the demo's grammar"
    )
    parser.add_argument("--bits", default=",".join(WIDTHS), help="widths of table 2")
    parser.add_argument("--pictures", type=int, default=16, help="of each set of prompts")
    parser.add_argument("--calibration", type=int, default=32, help="prompts to calibrate with")
    parser.add_argument("--held-out", type=int, default=8, help="prompts that signal to noise is measured on")
    parser.add_argument("--iterations", type=int, default=100, help="of learning, for each block")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=Path("build/tables"))
    arguments = parser.parse_args()
    if arguments.pictures < 1:
        parser.error(f"--pictures is {arguments.pictures}; give 1 or more.")
    quiet_libraries()
    torch.set_num_threads(arguments.threads)
    store = Store(arguments.output / "measured")
    judge = choose(None, arguments.model, None, None)
    sizes = Amounts(arguments.calibration, arguments.held_out, arguments.pictures)
    workload = demo(store, sizes, judge, arguments.model, unseen=True)
    # Ablations are told apart by signal to noise; pictures of so small differences are alike.
    silent = demo(store, Amounts(arguments.calibration, arguments.held_out, 0), None, arguments.model)
    silent.__dict__["observed"] = workload.observed

    def rows(name: str, wanted: Sequence[Candidate], on: Workload) -> Callable[[], str]:
        return lambda: rows_table(name, wanted, on, store, arguments.output)

    def past_the_paper() -> str:
        beside = demo(store, sizes, PixelJudge(), arguments.model)
        beside.__dict__["observed"] = workload.observed
        costs = picture_costs(beside, store)
        widths = arguments.bits.split(",")
        wanted = [one for width in widths for one in choices(width, arguments.iterations, costs)]
        return rows_table("past-the-paper", wanted, beside, store, arguments.output)

    made: dict[str, Callable[[], str]] = {
        "2": rows("2", table_2(arguments), workload),
        "3": rows("3", [*components("w8a8"), *groupings("w8a8")], silent),
        "A.1": rows("A.1", groupings("w8a6"), silent),
        "A.3": lambda: scores_table(silent),
        "figure-4": lambda: dropped_table(workload, store),
        "figure-5": lambda: scores_figure(silent, arguments.output / "figure-5.png"),
        "past-the-paper": past_the_paper,
        "added": rows("added", [one for width in arguments.bits.split(",") for one in added(width)], silent),
        "seeds": lambda: seeds_table(workload, store),
    }
    for name in arguments.tables:
        text = made[name]()
        (arguments.output / f"{name}.md").write_text(text, encoding="utf-8")
        print(f"\n{name}\n\n{text}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted; the same command goes on from here.")
    except DgqcError as error:
        sys.exit(str(error))
