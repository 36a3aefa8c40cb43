"""Which numbers of which text encoder stand where in a UNet's inputs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from bare_programs import ONE, program

from dgqc.ir.errors import DgqcError, VerificationError
from dgqc.ir.picture import FixedInput, PictureFacts, pixel_block
from dgqc.ir.program import IDS, Input, Program
from dgqc.ir.storage.serialize import program_from_bytes, program_to_bytes
from dgqc.ir.text_inputs import text_inputs
from dgqc.ir.verify.verifier import verify


def encoder(rows: int, width: int, scale: float) -> Program:
    """Of three tokens."""
    return program((Input(IDS, (1, 3), ONE),), (1, rows, width), scale)


def unet(*inputs: Input, picture: PictureFacts | None = None) -> Program:
    sample = Input("sample", (1, 12, 2, 2), ONE)
    return replace(program((sample, *inputs), sample.shape), picture=picture)


CONTEXT = Input("encoder_hidden_states", (1, 3, 5), 2 * ONE)
POOLED = Input("text_embeds", (1, 4), 4 * ONE)
ENCODERS = {"text_encoder": encoder(3, 2, 2.0), "text_encoder_2": encoder(5, 3, 8.0)}
"""The second has pooled text in two rows behind its states."""


def test_states_stand_side_by_side_and_pooled_text_behind_them() -> None:
    first, second = torch.arange(6), 100 + torch.arange(15)
    outputs = {
        "text_encoder": first.reshape(1, 3, 2).to(torch.int16),
        "text_encoder_2": second.reshape(1, 5, 3).to(torch.int16),
    }
    context, pooled = text_inputs(unet(CONTEXT, POOLED), ENCODERS)
    # Each encoder's codes by its own scale: 2 and 8, where the context counts in 2.
    wanted = torch.cat([first.reshape(1, 3, 2), 4 * second[:9].reshape(1, 3, 3)], 2)
    assert context(outputs).tolist() == wanted.tolist()
    assert pooled(outputs).tolist() == [(2 * second[9:13]).tolist()]


def test_what_no_encoder_makes_is_named() -> None:
    other = Input("time_ids_embedding", (1, 6), ONE)
    with pytest.raises(DgqcError, match="UNet takes time_ids_embedding, which no text encoder"):
        text_inputs(unet(CONTEXT, POOLED, other), ENCODERS)
    known = PictureFacts(fixed=(FixedInput(other.name, torch.zeros(1, 6, dtype=torch.int16)),))
    assert len(text_inputs(unet(CONTEXT, POOLED, other, picture=known), ENCODERS)) == 2
    with pytest.raises(DgqcError, match="takes no text"):
        text_inputs(unet(), ENCODERS)
    with pytest.raises(DgqcError, match="gives states"):
        text_inputs(unet(CONTEXT), {"text_encoder": ENCODERS["text_encoder"]})
    with pytest.raises(DgqcError, match="text_embeds, which no text encoder"):
        text_inputs(unet(replace(CONTEXT, shape=(1, 3, 2)), POOLED), {"text_encoder": encoder(3, 2, 1.0)})


def test_latents_of_as_many_channels_are_no_pixels() -> None:
    """Their number doesn't tell; what is kept of the pipeline does, through a file, too."""
    assert [pixel_block(channels) for channels in (1, 3, 4, 6, 12, 16, 27)] == [1, 1, None, None, 2, None, 3]
    codes = torch.arange(15, dtype=torch.int16).reshape(1, 3, 5)
    facts = PictureFacts(2, (FixedInput(CONTEXT.name, codes),), True)
    loaded = program_from_bytes(program_to_bytes(unet(CONTEXT, picture=facts))).picture
    assert loaded is not None
    assert (loaded.block, loaded.empty_is_zero) == (2, True)
    assert torch.equal(loaded.fixed[0].codes, codes)
    assert program_from_bytes(program_to_bytes(unet(CONTEXT))).picture is None


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (PictureFacts(3), "squares of 3 pixels in 12 channels"),
        (PictureFacts(fixed=(FixedInput("other", torch.zeros(1, dtype=torch.int16)),)), "the input other"),
        (PictureFacts(fixed=(FixedInput(CONTEXT.name, torch.zeros(1, 3, 5)),)), r"torch.float32 \(1, 3, 5\)"),
    ],
)
def test_damaged_facts_are_refused(facts: PictureFacts, message: str) -> None:
    with pytest.raises(VerificationError, match=message):
        verify(unet(CONTEXT, picture=facts))
