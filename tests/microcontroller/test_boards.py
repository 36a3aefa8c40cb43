"""The example as its README runs it: one picture on every emulated machine, the same bits on all."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from digits.recognise import Recogniser
from digits.show import read_pictures
from toolchains import need

import dgqc

from .conftest import DIGITS, Make, assert_fits, maker

MACHINES = {
    "m3": ("arm-none-eabi-gcc", "qemu-system-arm"),
    "m4": ("arm-none-eabi-gcc", "qemu-system-arm"),
    "m55": ("arm-none-eabi-gcc", "qemu-system-arm"),
    "aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64"),
    "riscv64": ("riscv64-linux-gnu-gcc", "qemu-riscv64"),
}
QUICK = "m55"
"""The machine of the quick tests; emitted programs run on the others' likes in `backends/test_machines`."""
FLASH, RAM, STACK = 512 * 1024, 256 * 1024, 6 * 1024
"""Boards reserve 8 KB of stack: what grew past its end may have left its last words painted."""


@pytest.fixture(scope="module")
def host(make: Make, bundle: Path, build: Path) -> str:
    make(f"{build}/host.text")
    return (build / "host.text").read_text()


@pytest.mark.parametrize(
    "machine",
    [name if name == QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MACHINES],
)
def test_every_bit_is_the_hosts(machine: str, make: Make, host: str) -> None:
    need(*MACHINES[machine])
    assert f"{machine}: every bit as on the host" in make(f"agree-{machine}")
    assert host.startswith("digit 0, seed 0, checksum ")


def test_the_host_draws_what_python_draws(host: str, bundle: Path) -> None:
    values = dgqc.load(bundle).draw_sample(0, class_labels=torch.tensor([0]), backend="reference")
    (drawn,) = read_pictures(host).values()
    expected = np.floor((values.clamp(-1, 1).double().numpy() + 1) * 127.5 + 0.5).reshape(16, 16)
    assert np.array_equal(drawn, expected)
    assert Recogniser().read(drawn[None]).tolist() == [0]


@pytest.mark.parametrize("boards", [QUICK, pytest.param("m3 m4 m55", marks=pytest.mark.slow)])
def test_it_fits_a_real_part_and_counts(boards: str, build: Path, bundle: Path) -> None:
    need(*MACHINES["m3"], "arm-none-eabi-size")
    text = maker(DIGITS, build, "DIGITS=1", f"BOARDS={boards}")("size")
    assert_fits(text, FLASH, RAM, STACK, boards.split())
    counted = [int(number) for number in re.findall(r"# instructions a step: (\d+)", text)]
    assert len(counted) == len(boards.split())
    assert all(10**6 < number < 10**9 for number in counted)
