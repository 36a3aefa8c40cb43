"""What each op becomes in MLIR: parsed, and compared as a module, so that names and spaces don't count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch_mlir")

from backends.cases import CASES
from torch_mlir import ir

from dgqc.backends.mlir.lowering.check import check
from dgqc.backends.mlir.lowering.pipeline import run
from dgqc.backends.mlir.lowering.record import lowered_ops
from dgqc.ir.errors import DgqcError

from .conftest import difference

FOLDER = Path(__file__).parent / "mlir"
PRODUCT: dict[str, Any] = {"depth": 5, "columns": 3, "groups": 2, "weight_bits": 8}
WINDOW = ([3, 3], [1, 1], [1, 1])
IMAGE: dict[str, Any] = {"image": (3, 4), "channels": 2, "columns": 3, "window": WINDOW, "bits": 8}
MATMUL: dict[str, Any] = {"rows": 4, "depth": 3, "columns": 2, "groups": 2, "width": 32, "shared": False}
ATTEND: dict[str, Any] = {"heads": 2, "rows": 3, "keys": 4, "columns": 2, "uniform": False, "shared": False}
SOFTMAX: dict[str, Any] = {"heads": 1, "rows": 2, "keys": 3, "granularity": "row", "bits": 4}

GOLDEN: dict[str, tuple[str, dict[str, Any]]] = {
    "linear_channel_groups": ("linear", {"batch": 1, "rows": 4, "bits": 6, "by_row": False, **PRODUCT}),
    "linear_row_groups": ("linear", {"batch": 1, "rows": 4, "bits": 8, "by_row": True, **PRODUCT}),
    "linear_4_bit_weights": (
        "linear",
        {"batch": 1, "rows": 4, "bits": 6, "by_row": True, **PRODUCT, "weight_bits": 4},
    ),
    "linear_3_bit_weights": (
        "linear",
        {"batch": 1, "rows": 4, "bits": 6, "by_row": True, **PRODUCT, "weight_bits": 3},
    ),
    "linear_16_bits": ("linear", {"batch": 1, "rows": 4, "bits": 16, "by_row": False, **PRODUCT}),
    "linear_limbs": (
        "linear",
        {"batch": 1, "rows": 2, "bits": 8, "by_row": False, **PRODUCT, "most": 400},
    ),
    "conv2d_one_group": ("conv2d", {**IMAGE, "groups": 1, "weight_bits": 8}),
    "conv2d_channel_groups": ("conv2d", {**IMAGE, "groups": 2, "weight_bits": 8}),
    "conv2d_pixel": ("conv2d_pixel", {**IMAGE, "groups": 2, "far": False}),
    "matmul_row_groups": (
        "matmul",
        {"heads": 2, "a_by_row": True, "b_by_row": True, "a_bits": 8, "b_bits": 8, **MATMUL},
    ),
    "matmul_depth_groups": (
        "matmul",
        {"heads": 1, "a_by_row": False, "b_by_row": False, "a_bits": 6, "b_bits": 6, **MATMUL},
    ),
    "matmul_limbs": (
        "matmul",
        {"heads": 1, "a_by_row": False, "b_by_row": False, "a_bits": 8, "b_bits": 8, **MATMUL, "most": 400},
    ),
    "attend_start": (
        "attend",
        {"by_token": False, "bits": 8, "groups": 2, "start": True, "code_bits": 4, **ATTEND},
    ),
    "attend_fine_probabilities": (
        "attend",
        {"by_token": True, "bits": 6, "groups": 2, "start": False, "code_bits": 6, **ATTEND},
    ),
    "softmax_log2": ("softmax", {"kind": "log2", "start": True, **SOFTMAX}),
    "softmax_uniform": ("softmax", {"kind": "uniform", "start": False, **SOFTMAX}),
    "softmax_static": ("softmax", {"kind": "static", "start": False, **SOFTMAX}),
    "softmax_log2_tensor": ("softmax", {"kind": "log2", "start": False, **SOFTMAX, "granularity": "tensor"}),
    "group_norm": ("group_norm", {"image": (2, 3), "groups": 2, "size": 3, "own": False}),
    "channel_sums": ("norm_in_parts", {"lines": 2, "cut": 1, "groups": 2, "size": 2, "own": False}),
    "normalize": ("norm_in_parts", {"lines": 3, "cut": 2, "groups": 1, "size": 4, "own": False}),
    "layer_norm": ("layer_norm", {"rows": 3, "channels": 4}),
    "quantize": ("quantize", {"shape": (1, 3, 4), "last": True, "bits": 6, "groups": 2}),
    "activation": ("activation", {"shape": (1, 3, 4), "fine": False}),
    "add": ("pair", {"op": "add", "shapes": ((1, 3, 4), (1, 3, 4))}),
    "mul": ("pair", {"op": "mul", "shapes": ((1, 3, 4), (1, 1, 4))}),
    "rescale": ("rescale", {"shape": (1, 3, 4)}),
    "at_step": ("at_step", {"shape": (1, 4)}),
    "gather": ("gather", {"shape": (1, 3, 4), "last": True}),
    "gather_before_product": (
        "permuted_linear",
        {"rows": 2, "depth": 6, "columns": 3, "groups": 2, "bits": 6},
    ),
    "upsample_nearest": ("upsample", {"image": (2, 3), "channels": 2, "size": (4, 6)}),
    "upsample_nearest_uneven": ("upsample", {"image": (2, 3), "channels": 2, "size": (5, 7)}),
    "avg_pool2d": ("avg_pool2d", {"image": (4, 5), "channels": 2, "kernel": 2, "stride": 2}),
    "piecewise": ("piecewise", {"shape": (1, 3, 4), "largest": 1024}),
    "add_logits": ("add_logits", {"bias": (3, 5), "wide": True, "constant": True}),
    "rms_norm": ("rms_norm", {"rows": 3, "channels": 4}),
    "mean": ("mean", {"rows": 3, "channels": 4}),
    "softmax_shares": ("shares", {"rows": 3, "channels": 4}),
    "take": ("take", {"shape": (1, 3, 4), "axis": -1, "count": 5}),
    "embed": ("embed", {"tokens": 3, "rows": 5, "columns": 4}),
    "end_token": ("end_token", {"tokens": 3, "columns": 4, "end": 2}),
    "max_pool2d": ("max_pool2d", {"image": (4, 5), "channels": 2, "window": ([3, 2], [2, 1], [1, 0])}),
    "depthwise_conv2d": (
        "depthwise_conv2d",
        {"image": (5, 6), "channels": 2, "each": 2, "window": WINDOW, "dilation": [2, 1]},
    ),
    "cached": ("cached", {"shape": (1, 3, 4), "shallow": True}),
    "views": ("views", {"heads": 2, "rows": 3, "size": 4}),
}
"""Golden file to the case it shows, and its parameters."""


def canonical(text: str) -> str:
    """A module without names, comments or spaces of its own. Fails where it does not parse or verify."""
    with ir.Context():
        module = ir.Module.parse(text)
        assert module.operation.verify()
        return str(module.operation.get_asm(print_generic_op_form=True))


def emitted(name: str) -> str:
    case, choice = GOLDEN[name]
    program, _ = CASES[case].program(0, **choice)
    return str(run(program).module.operation.get_asm(use_name_loc_as_prefix=True))


@pytest.mark.parametrize("name", GOLDEN)
def test_lowering(name: str, request: pytest.FixtureRequest) -> None:
    path, text = FOLDER / f"{name}.mlir", emitted(name)
    if path.exists() and canonical(path.read_text()) == canonical(text):
        return
    pytest.fail(difference(path, text, bool(request.config.getoption("--update-golden"))), pytrace=False)


def test_every_rule_has_a_golden_file() -> None:
    # Other tests bring ops of other packages.
    ours = [op for op in lowered_ops() if op.namespace in ("aten", "dgqc")]
    ops = {op.overloadpacket.__name__ for op in ours}
    shown = {path.stem for path in FOLDER.glob("*.mlir")}
    assert shown == set(GOLDEN)
    assert {op for op in ops if not any(name.startswith(op) for name in shown)} == set()


def test_another_number_is_another_module() -> None:
    """What the comparison is worth: one constant, one op or one type changed is seen."""
    text = (FOLDER / "rescale.mlir").read_text()
    for old, new in (("32767", "32766"), ("arith.shrsi", "arith.shrui"), ("1x3x4", "1x4x3")):
        assert old in text
        assert canonical(text.replace(old, new)) != canonical(text)
    renamed = text.replace("%arg0", "%x").replace("\n    ", "\n  ")
    assert canonical(renamed) == canonical(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "func.func @main(%a: tensor<2xf32>) -> tensor<2xf32> { return %a : tensor<2xf32> }",
            "nothing may float",
        ),
        (
            'func.func @main() { "torch.operator"() {name = "torch.dgqc.add"} : () -> () return }',
            "torch.operator",
        ),
        ("func.func @main(%a: i64) -> i64 { %b = math.ctlz %a : i64 return %b : i64 }", "math.ctlz"),
    ],
)
def test_what_does_not_belong_is_refused(text: str, problem: str) -> None:
    context = ir.Context()
    context.allow_unregistered_dialects = True
    with context, pytest.raises(DgqcError, match=problem):
        check(ir.Module.parse(text))


def test_nothing_else_is_left() -> None:
    for path in FOLDER.glob("*.mlir"):
        with ir.Context():
            check(ir.Module.parse(path.read_text()))
