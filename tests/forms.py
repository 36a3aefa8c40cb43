"""Forms that real code writes, each a small module from (1, 8, 8, 8) to an image, with what PyTorch offers.

`MODULES` names them. `FormUNet` puts one between two convolutions, so that it becomes a UNet of its own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from dgqc.frontends.loading.exported_unet import ExportedUNet

CHANNELS, SIZE = 8, 8
Function = Callable[[torch.Tensor], torch.Tensor]


class FormUNet(nn.Module):
    """A convolution, the form, a convolution. The timestep moves nothing but one channel's offset."""

    def __init__(self, form: nn.Module) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, CHANNELS, 3, padding=1)
        self.form = form
        with torch.no_grad():
            channels = self.form(torch.zeros(1, CHANNELS, SIZE, SIZE)).shape[1]
        self.last = nn.Conv2d(channels, 4, 3, padding=1)

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        time = torch.cos(timestep * 0.01).reshape(1, 1, 1, 1)
        output: torch.Tensor = self.last(self.form(self.first(sample) * 2 + time))
        return output


def exported(form: nn.Module, seed: int = 0) -> ExportedUNet:
    """The UNet around a form as a program of torch.export."""
    torch.manual_seed(seed)
    unet = FormUNet(form).eval()
    example = (torch.randn(1, 4, SIZE, SIZE), torch.tensor([5.0]))
    return ExportedUNet(torch.export.export(unet, example, strict=False))


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class TokenForm(nn.Module, ABC):
    """What works on tokens (1, 64, 8)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, _, height, width = x.shape
        tokens = self.tokens(x.flatten(2).transpose(1, 2))
        return tokens.transpose(1, 2).reshape(batch, -1, height, width)

    @abstractmethod
    def tokens(self, x: torch.Tensor) -> torch.Tensor:
        """What becomes of them, of the same shape."""


class Attention(TokenForm):
    """Fused queries, keys and values, two heads, and what the form is about."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.qkv = nn.Linear(CHANNELS, 3 * CHANNELS)
        self.out = nn.Linear(CHANNELS, CHANNELS)
        self.bias = nn.Parameter(torch.randn(2, SIZE**2, SIZE**2))
        near = torch.arange(SIZE**2)[:, None] - torch.arange(SIZE**2)[None]
        self.register_buffer("kept", near.abs() < 20)
        angles = torch.arange(SIZE**2)[:, None] / 10 ** torch.arange(0, 1, 0.5)[None]
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def tokens(self, x: torch.Tensor) -> torch.Tensor:
        heads = self.qkv(x).reshape(1, -1, 3, 2, CHANNELS // 2)
        q, k, v = heads.unbind(2)
        mixed = getattr(self, self.how)(*(one.transpose(1, 2) for one in (q, k, v)))
        output: torch.Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return output

    def biased(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias)

    def masked(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self.kept)

    def causal(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    def filled(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        scores = q @ k.transpose(-1, -2) / 2
        return scores.masked_fill(~self.kept, float("-inf")).softmax(-1) @ v

    def relative(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        scores = (q @ k.transpose(-1, -2) + q.mean(-1, keepdim=True) + self.bias) * 0.5
        return scores.softmax(-1) @ v

    def by_einsum(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        weight = torch.softmax(torch.einsum("bhtc,bhsc->bhts", q * 0.7, k * 0.7), dim=-1)
        return torch.einsum("bhts,bhsc->bhtc", weight, v)

    def turned(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        weight = torch.softmax(torch.einsum("bhtc,bhsc->bhts", q * 0.7, k * 0.7), dim=-1)
        found = torch.matmul(v.transpose(-1, -2), weight.transpose(-1, -2))
        return found.transpose(-1, -2)

    def shared(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k[:, :1].expand(-1, 2, -1, -1), v)

    def linear(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        context = torch.einsum("bhnd,bhne->bhde", k.softmax(dim=-2), v)
        return torch.einsum("bhde,bhnd->bhne", context, q.softmax(dim=-1))

    def half_rotated(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        def turn(x: torch.Tensor) -> torch.Tensor:
            first, second = x.chunk(2, dim=-1)
            rotated = torch.cat([-second, first], dim=-1)
            return x * self.cos.repeat(1, 2) + rotated * self.sin.repeat(1, 2)

        return F.scaled_dot_product_attention(turn(q), turn(k), v)

    def interleaved(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        def turn(x: torch.Tensor) -> torch.Tensor:
            even, odd = x[..., ::2], x[..., 1::2]
            pairs = (even * self.cos - odd * self.sin, even * self.sin + odd * self.cos)
            return torch.stack(pairs, dim=-1).flatten(-2)

        return F.scaled_dot_product_attention(turn(q), turn(k), v)

    def complex(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        turns = torch.complex(self.cos, self.sin)

        def turn(x: torch.Tensor) -> torch.Tensor:
            pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
            return torch.view_as_real(pairs * turns).flatten(3)

        return F.scaled_dot_product_attention(turn(q), turn(k), v)


class Gated(TokenForm):
    """Feed-forwards with gates."""

    def __init__(self, gate: Function, fused: bool) -> None:
        super().__init__()
        self.gate, self.fused = gate, fused
        self.into, self.beside = nn.Linear(CHANNELS, 32), nn.Linear(CHANNELS, 16)
        self.out = nn.Linear(16, CHANNELS)

    def tokens(self, x: torch.Tensor) -> torch.Tensor:
        value, gate = (
            self.into(x).chunk(2, dim=-1) if self.fused else (self.into(x)[..., :16], self.beside(x))
        )
        output: torch.Tensor = self.out(value * self.gate(gate))
        return output


class NormByHand(nn.Module):
    """Norms as they are written out."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.gain = nn.Parameter(1 + 0.3 * torch.randn(1, CHANNELS, 1, 1))
        self.offset = nn.Parameter(0.3 * torch.randn(1, CHANNELS, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = getattr(self, self.how)(x)
        return output

    def group(self, x: torch.Tensor) -> torch.Tensor:
        groups = x.view(x.shape[0], 4, -1)
        mean, var = groups.mean(-1, keepdim=True), groups.var(-1, unbiased=False, keepdim=True)
        return ((groups - mean) / (var + 1e-5).sqrt()).view(x.shape) * self.gain + self.offset

    def channels(self, x: torch.Tensor) -> torch.Tensor:
        var, mean = torch.var_mean(x, dim=1, unbiased=False, keepdim=True)
        return (x - mean) * (var + 1e-5).rsqrt() * self.gain + self.offset

    def root(self, x: torch.Tensor) -> torch.Tensor:
        return F.normalize(x, dim=1) * self.gain * CHANNELS**0.5

    def root_of_rows(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(2).transpose(1, 2)
        normed = rows * torch.rsqrt(rows.pow(2).mean(-1, keepdim=True) + 1e-6) * self.gain.flatten()
        return normed.transpose(1, 2).reshape(x.shape)


class Learned(nn.Module):
    """Learned positions and tokens beside the image's own."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(1, SIZE**2, CHANNELS))
        self.token = nn.Parameter(torch.randn(1, 2, CHANNELS))
        self.mix = nn.Linear(CHANNELS, CHANNELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(2).transpose(1, 2) + self.position
        rows = self.mix(torch.cat([self.token, rows], dim=1))[:, 2:]
        return rows.transpose(1, 2).reshape(x.shape)


class SqueezeExcite(nn.Module):
    """A gate for each channel from the mean of all pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.down, self.up = nn.Conv2d(CHANNELS, 4, 1), nn.Conv2d(4, CHANNELS, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate: torch.Tensor = torch.sigmoid(self.up(F.relu(self.down(self.pool(x)))))
        return x * gate


def spread(module: nn.Module) -> nn.Module:
    """A norm with moments, gains and offsets of its own."""
    torch.manual_seed(1)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.is_floating_point():
            tensor.data = torch.rand_like(tensor) + (0.5 if "var" in name or "weight" in name else 0)
    return module


def conv(*arguments: Any, **keywords: Any) -> nn.Module:
    return nn.Conv2d(CHANNELS, *arguments, **keywords)


def to_rows(x: torch.Tensor) -> torch.Tensor:
    return x.movedim(1, -1)


def by_hand_gelu(x: torch.Tensor) -> torch.Tensor:
    return x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))


def by_hand_gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3))))


FUNCTIONS: dict[str, Function] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "mish": F.mish,
    "mish_by_hand": lambda x: x * torch.tanh(F.softplus(x)),
    "hardswish": F.hardswish,
    "hardswish_by_hand": lambda x: x * F.relu6(x + 3) / 6,
    "hardsigmoid": F.hardsigmoid,
    "hardtanh": lambda x: F.hardtanh(x, -0.5, 0.75),
    "clamp": lambda x: x.clamp(min=-0.3),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "logsigmoid": F.logsigmoid,
    "softsign": F.softsign,
    "tanhshrink": F.tanhshrink,
    "silu_by_hand": lambda x: x * torch.sigmoid(x),
    "silu_by_exp": lambda x: x / (1 + torch.exp(-x)),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "gelu_by_hand": by_hand_gelu,
    "gelu_tanh_by_hand": by_hand_gelu_tanh,
    "snake": lambda x: x + torch.sin(2 * x).pow(2) / 2,
    "chosen": lambda x: torch.where(x > 0, x, 0.1 * x),
    "squared_relu": lambda x: F.relu(x).square(),
    "sine": torch.sin,
    "exponential": lambda x: torch.exp(-x.abs()),
}
BLUR = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16
IMAGES: dict[str, Function] = {
    "average_pool": lambda x: F.avg_pool2d(x, 2),
    "average_pool_padded": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "average_pool_uncounted": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "average_pool_wide": lambda x: F.avg_pool2d(x, (1, 2)),
    "adaptive_pool": lambda x: F.adaptive_avg_pool2d(x, (4, 4)),
    "adaptive_pool_uneven": lambda x: F.adaptive_avg_pool2d(x, (3, 5)),
    "max_pool": lambda x: F.max_pool2d(x, 2),
    "max_pool_padded": lambda x: F.max_pool2d(x, 3, 2, 1),
    "bilinear": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "bilinear_corners": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
    "bilinear_down": lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear"),
    "bilinear_antialias": lambda x: F.interpolate(x, size=(4, 4), mode="bilinear", antialias=True),
    "bicubic": lambda x: F.interpolate(x, size=(12, 12), mode="bicubic"),
    "nearest_odd": lambda x: F.interpolate(x, scale_factor=1.5, mode="nearest"),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "channel_shuffle": lambda x: F.channel_shuffle(x, 2),
    "reflect": lambda x: F.pad(x, (2, 1, 1, 2), mode="reflect"),
    "circular": lambda x: F.pad(x, (2, 1, 1, 2), mode="circular"),
    "replicate": lambda x: F.pad(x, (2, 1, 1, 2), mode="replicate"),
    "zeros_then_pool": lambda x: F.max_pool2d(F.pad(x, (0, 1, 1, 0)), 3),
    "cropped": lambda x: F.pad(x, (-1, -1, -2, 0)),
    "flip": lambda x: x.flip(-1),
    "rolled": lambda x: torch.roll(x, (3, -2), dims=(2, 3)),
    "every_second": lambda x: x[:, :, ::2, 1::2],
    "repeated": lambda x: x.repeat(1, 2, 1, 1),
    "repeated_pixels": lambda x: x.repeat_interleave(2, dim=2),
    "picked": lambda x: x[:, torch.tensor([3, 0, 0, 7])],
    "written": lambda x: torch.cat([x[:, :2] * 0.5, x[:, 2:]], 1),
    "mean_and_std": lambda x: (x - x.mean((2, 3), keepdim=True)) / (x.std((2, 3), keepdim=True) + 0.1),
    "largest": lambda x: x - x.amax(1, keepdim=True),
    "smallest": lambda x: x.min(dim=1, keepdim=True).values + x,
    "maximum": lambda x: torch.maximum(x, x.flip(1)),
    "minimum": lambda x: torch.minimum(x, x.flip(1)),
    "quotient": lambda x: x / (1 + x.flip(1).abs()),
    "glu": lambda x: F.glu(x, dim=1),
    "lerp": lambda x: torch.lerp(x, x.flip(1), 0.3),
    "addcmul": lambda x: torch.addcmul(x, x.flip(1), x, value=0.5),
    "checkerboard": lambda x: x.masked_fill(torch.eye(SIZE, dtype=torch.bool), 0.5),
    "fir_blur": lambda x: F.conv2d(x, BLUR.expand(CHANNELS, 1, 3, 3), padding=1, groups=CHANNELS),
    "fir_up": lambda x: F.conv_transpose2d(x, BLUR.expand(CHANNELS, 1, 3, 3), stride=2, groups=CHANNELS),
    "movedim": lambda x: x.movedim(1, -1).softmax(-1).movedim(-1, 1),
    "normalized_rows": lambda x: F.normalize(x, dim=-1),
}
MODULES: dict[str, Callable[[], nn.Module]] = {
    **{name: (lambda function=function: Of(function)) for name, function in (FUNCTIONS | IMAGES).items()},
    "prelu": lambda: spread(nn.PReLU(CHANNELS)),
    "depthwise": lambda: conv(CHANNELS, 3, padding=1, groups=CHANNELS),
    "depthwise_strided": lambda: conv(2 * CHANNELS, 3, stride=2, padding=1, groups=CHANNELS),
    "depthwise_dilated": lambda: conv(CHANNELS, 3, padding=2, dilation=2, groups=CHANNELS),
    "grouped": lambda: conv(16, 3, padding=1, groups=4),
    "grouped_often": lambda: nn.Sequential(conv(32, 1), nn.Conv2d(32, 32, 3, padding=1, groups=16)),
    "dilated": lambda: conv(CHANNELS, 3, padding=2, dilation=2),
    "transposed": lambda: nn.ConvTranspose2d(CHANNELS, 6, 4, 2, 1),
    "transposed_odd": lambda: nn.ConvTranspose2d(CHANNELS, 6, 3, 2, 1, output_padding=1),
    "transposed_exact": lambda: nn.ConvTranspose2d(CHANNELS, 6, 2, 2),
    "transposed_grouped": lambda: nn.ConvTranspose2d(CHANNELS, CHANNELS, 3, 3, 0, groups=2, dilation=2),
    "circular_convolution": lambda: conv(CHANNELS, 3, padding=1, padding_mode="circular"),
    "reflect_convolution": lambda: conv(CHANNELS, 3, padding=1, padding_mode="reflect"),
    "rms_norm": lambda: nn.Sequential(Of(to_rows), nn.RMSNorm(CHANNELS), Of(lambda x: x.movedim(-1, 1))),
    "layer_norm_image": lambda: nn.LayerNorm([CHANNELS, SIZE, SIZE]),
    "instance_norm": lambda: nn.InstanceNorm2d(CHANNELS, affine=True),
    "batch_norm": lambda: nn.Sequential(conv(CHANNELS, 1), spread(nn.BatchNorm2d(CHANNELS)), nn.ReLU()),
    "batch_norm_alone": lambda: nn.Sequential(nn.ReLU(), spread(nn.BatchNorm2d(CHANNELS))),
    "norm_by_hand": lambda: NormByHand("group"),
    "channel_norm_by_hand": lambda: NormByHand("channels"),
    "root_norm_by_hand": lambda: NormByHand("root"),
    "root_norm_of_rows": lambda: NormByHand("root_of_rows"),
    "squeeze_excite": SqueezeExcite,
    "learned": Learned,
    "geglu": lambda: Gated(by_hand_gelu, True),
    "swiglu": lambda: Gated(F.silu, False),
    **{
        f"attention_{how}": (lambda how=how: Attention(how))
        for how in (
            "biased", "masked", "causal", "filled", "relative", "by_einsum", "turned", "shared", "linear",
            "half_rotated", "interleaved", "complex",
        )
    },
}  # fmt: skip
