"""Which device computes: as asked for, as torch has, one for each of a machine's processes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dgqc.ir import parallel, ranks
from dgqc.ir.devices import CPU, backends, computing_on, device_for, device_here, device_name, kinds
from dgqc.ir.errors import DgqcError
from dgqc.ir.moving import moved
from dgqc.ir.parallel import side_by_side


class Gpu:
    """What torch says of a kind of GPU."""

    free = 10 * 2**30

    def get_device_name(self, device: object = None) -> str:
        return "NVIDIA Test"

    def mem_get_info(self, device: object = None) -> tuple[int, int]:
        return self.free, 2 * self.free


def pretend(monkeypatch: pytest.MonkeyPatch, kind: str | None, count: int = 1) -> None:
    """Torch has so many devices of a kind, or none."""
    found = None if kind is None else torch.device(kind)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: found)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: count if kind else 0)
    monkeypatch.setattr(torch, "get_device_module", lambda device=None: Gpu())


@pytest.mark.parametrize(
    ("asked", "local", "wanted"),
    [
        (None, None, "cuda:0"),
        (None, "1", "cuda:1"),
        (None, "5", "cuda:2"),
        ("cuda", "4", "cuda:1"),
        ("cuda:2", "1", "cuda:2"),
        ("cpu", "1", "cpu"),
        (None, "nonsense", "cuda:0"),
    ],
)
def test_a_process_takes_its_own_of_the_machines_devices(
    monkeypatch: pytest.MonkeyPatch, asked: str | None, local: str | None, wanted: str
) -> None:
    pretend(monkeypatch, "cuda", 3)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if local is not None:
        monkeypatch.setenv("LOCAL_RANK", local)
    assert device_for(asked) == torch.device(wanted)


@pytest.mark.parametrize("kind", [None, "mps"])
def test_the_cpu_computes_where_nothing_better_is(monkeypatch: pytest.MonkeyPatch, kind: str | None) -> None:
    pretend(monkeypatch, kind)
    assert device_for() == CPU
    assert device_for("cpu:0") == CPU


@pytest.mark.parametrize(
    ("kind", "count", "asked", "sentence"),
    [
        (None, 0, "cuda", "There is no device cuda here; torch has only cpu."),
        (None, 0, "gpu", "There is no device 'gpu'; torch has only cpu here."),
        (None, 0, "", "There is no device ''; torch has only cpu here."),
        ("cuda", 1, "cuda:1", "There is no device cuda:1 here; torch has cpu and cuda:0."),
        ("cuda", 8, "xpu", "There is no device xpu here; torch has cpu and cuda:0 to cuda:7."),
        ("cuda", 1, "meta", "There is no device meta here; torch has cpu and cuda:0."),
        (
            "mps",
            1,
            "mps",
            "A device mps has no double precision, which calibrating takes; give --device cpu.",
        ),
    ],
)
def test_a_device_that_can_not_be_is_refused_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, kind: str | None, count: int, asked: str, sentence: str
) -> None:
    pretend(monkeypatch, kind, count)
    with pytest.raises(DgqcError) as refused:
        device_for(asked)
    assert str(refused.value) == sentence


def test_a_choice_lasts_as_long_as_its_block_and_goes_into_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "cuda", 2)
    assert device_here() == CPU
    with computing_on("cuda:1"):
        seen = [*side_by_side(lambda _: device_here(), range(3))]
        assert seen == [torch.device("cuda:1")] * 3
        with computing_on() as inner:
            assert inner == torch.device("cuda:1")  # what is asked for outside counts
        with computing_on("cpu"):
            assert device_here() == CPU
    assert device_here() == CPU


def test_names_are_for_people_and_kinds_for_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "cuda", 2)
    assert (device_name(CPU), kinds(CPU)) == ("the CPU", ())
    assert device_name(torch.device("cuda:1")) == "cuda:1 (NVIDIA Test)"
    assert kinds(torch.device("cuda:1")) == kinds(torch.device("cuda:0")) == ("cuda (NVIDIA Test)",)


def test_on_the_cpu_a_tensor_is_moved_nowhere() -> None:
    x = torch.ones(3)
    assert moved(x) is x


def test_too_little_memory_is_a_sentence_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "cuda")

    def too_much(said: str) -> None:
        try:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        except torch.OutOfMemoryError as error:
            if said:
                raise DgqcError(said) from error
            raise

    for said in ("", "A DDIMScheduler can't denoise (CUDA out of memory)."):
        with pytest.raises(DgqcError) as refused, computing_on("cuda"):
            too_much(said)
        assert str(refused.value) == (
            "The memory of cuda:0 (NVIDIA Test) is too small for this; compute on the CPU (--device cpu), or "
            "with fewer samples at a time (--batch-size)."
        )
    with pytest.raises(DgqcError, match="other"), computing_on("cuda"):
        raise DgqcError("other")


def test_no_more_calls_run_at_a_time_than_fill_half_of_the_devices_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, "cuda")
    monkeypatch.setattr(parallel, "free_memory", lambda: 100 * Gpu.free)
    with computing_on("cuda"):
        assert parallel._fitting(Gpu.free // 6) == 3
        assert parallel._fitting(10 * Gpu.free) == 1
    assert parallel._fitting(Gpu.free // 6) == 300


def test_an_accelerators_products_keep_all_bits_and_the_cpus_are_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, "cuda")
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.deterministic
    torch.set_float32_matmul_precision("high")
    try:
        with computing_on("cuda"):
            assert torch.get_float32_matmul_precision() == "highest"
            assert torch.backends.cudnn.deterministic
            assert not torch.backends.cudnn.allow_tf32
        assert torch.get_float32_matmul_precision() == "high"
        with computing_on("cpu"):
            assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before[0])
    assert torch.backends.cudnn.deterministic == before[1]


@pytest.mark.parametrize(
    ("kind", "available", "wanted"),
    [
        (None, True, "gloo"),
        ("cuda", True, "cpu:gloo,cuda:nccl"),
        ("cuda", False, "gloo"),
        ("xpu", True, "cpu:gloo,xpu:xccl"),
        ("mps", True, "gloo"),
    ],
)
def test_processes_tell_each_other_by_what_torch_has_for_their_devices(
    monkeypatch: pytest.MonkeyPatch, kind: str | None, available: bool, wanted: str
) -> None:
    pretend(monkeypatch, kind, 2)
    monkeypatch.setattr(torch.distributed, "is_backend_available", lambda name: available)
    assert backends() == wanted


def test_a_group_is_made_of_them_and_results_are_told_from_the_cpus_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, "cuda", 2)
    begun: list[Any] = []

    class Group:
        def init_process_group(self, backend: str, timeout: object) -> None:
            begun.append(backend)

        def get_world_size(self) -> int:
            return 2

        def get_rank(self) -> int:
            return 1

        def broadcast_object_list(self, held: list[Any], src: int, device: torch.device) -> None:
            begun.append(device)

        def destroy_process_group(self) -> None:
            begun.append("ended")

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.distributed, "is_backend_available", lambda name: True)
    monkeypatch.setattr(ranks, "_distributed", Group)
    with ranks.joined():
        assert ranks._told(3, 1) == 3
    assert begun == ["cpu:gloo,cuda:nccl", CPU, "ended"]
