"""Times one UNet call beside everybody else's, on the same inputs and in the same minutes.

    python benchmarks/cpu.py WORK [--model demo|stable-diffusion] [--calib FILE] [--only NAMES] [--threads 2]
        [--rounds 7] [--calls 20] [--append] [--json]

WORK keeps models, calibrations and bundles as full_size.py has them, what others made of the model, and the
results (cpu.json). What is missing is made first; --rounds 0 does no more than that. A contender is a process
of its own, which makes one call to warm up. Contenders take turns, --calls each, for --rounds rounds. The
demo's are all loaded at once and stand still while it isn't their turn; Stable Diffusion's don't fit into
memory together, so they are loaded anew each round. --append adds to the results that are there, even of
an interrupted run. Prints a table, or the results with --json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import peak
import round_trip
from comparison import Results, as_markdown, begin
from peers.contenders import CONTENDERS, PEAK, ROUND_TRIP, Contender, named
from peers.models import Model, gmacs, prepared, remembered
from timed_process import TimedProcess

Commands = Mapping[str, Sequence[str]]


def main() -> None:
    given = arguments()
    work: Path = given.work.resolve()
    outputs, kept = work / "outputs", work / "cpu.json"
    outputs.mkdir(parents=True, exist_ok=True)
    model = prepared(given.model, work, given.calib and given.calib.resolve())
    results = begin(kept, given.model, given.threads, gmacs(model, work), append=given.append)
    commands: dict[str, Sequence[str]] = {PEAK: peak.made(work, given.threads)}
    if given.threads > 1:
        commands[ROUND_TRIP] = round_trip.made(work)
    for contender in map(named, given.only.split(",")) if given.only else CONTENDERS:
        if missing := contender.runtime.missing():
            print(f"{contender.name} is skipped: {missing[0]} isn't installed", file=sys.stderr)
        else:
            command = ready(contender, work, model, results)
            commands[contender.name] = (*command, str(outputs / contender.name), str(given.threads))
    if given.rounds:
        alone = [({name: command}, 1) for name, command in commands.items()] * given.rounds
        for group, rounds in [(commands, given.rounds)] if model.together else alone:
            take_turns(group, rounds, given.calls, results)
            results.write(kept)  # an interruption loses one turn
        results.compare(outputs)
        results.write(kept)
        print(kept.read_text() if given.json else as_markdown(results))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", choices=("demo", "stable-diffusion"), default="demo")
    parser.add_argument("--calib", type=Path)
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--append", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def ready(contender: Contender, work: Path, model: Model, results: Results) -> Sequence[str]:
    """Makes what the contender needs, and gives the command that runs it."""
    maker = (sys.executable, Path(__file__).with_name("contender.py"), "make")
    bundle = work / f"{contender.weights}.dgqc" / "manifest.json"
    made = remembered(
        work / "made" / f"{contender.name}.json",
        (*maker, contender.name, work, model.folder, model.calibration),
        after=(model.calibration, *([bundle] if "dgqc" in contender.runtime.packages else [])),
    )
    entry = results.entry(contender.name)
    entry.size, entry.version = made["bytes"], made["version"]
    command: Sequence[str] = made["command"]
    return command


def take_turns(commands: Commands, rounds: int, calls: int, results: Results) -> None:
    """Loads them all, and lets one after another make its calls."""
    with ExitStack() as stack:
        processes = {name: stack.enter_context(TimedProcess(command)) for name, command in commands.items()}
        for _ in range(rounds):
            for name, process in processes.items():
                results.add(name, process.time(calls), process.peak)


if __name__ == "__main__":
    main()
