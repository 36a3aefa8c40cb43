"""Tokenizers as tables, in Python and in C, against transformers."""

from __future__ import annotations

import ctypes
import gzip
import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from text_parts import byte_letters, clip, small_clip
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from dgqc.backends.c.emission.tokenizer import write_tokenizer
from dgqc.backends.c.kernels.runtime_header import RUNTIME
from dgqc.frontends.loading.token_tables import token_tables
from dgqc.ir.errors import DgqcError
from dgqc.ir.tokenizer import Tokenizer

TEMPLATES = RUNTIME.parent / "templates"
PROMPTS = (
    "",
    "a photo of a cat, 4k, highly detailed!!",
    "  It's  we'll\tdon't 'tis ''S \u00a0!'s 12345",
    "caf\u00e9 cafe\u0301 \u212b \u1e9b\u0323 q\u0307\u0323 \u0344",
    "\u65e5\u672c\u8a9e\u306e\u30c6\u30b9\u30c8 \uac00\uac01 \u1112\u1161\u11ab",
    "\U0001f600\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea",
    "\u0130stanbul \u03a3\u0391\u03a3 \u00bd\u00b2 \u2167",
    "a <|endoftext|>b<|STARTOFTEXT|>!! <|endoftext|>",
    "word " * 100,
    "x" * 700,
)
LETTERS = st.one_of(
    st.characters(codec="utf-8"),
    st.characters(min_codepoint=32, max_codepoint=126),
    st.characters(min_codepoint=0x300, max_codepoint=0x36F),
    st.characters(min_codepoint=0xA0, max_codepoint=0x24F),
    st.sampled_from(["'s", "'ll", " ", "  ", "<|endoftext|>", "<|startoftext|>!", "e\u0301"]),
)
TEXTS = st.lists(LETTERS, max_size=60).map("".join)


def whole_clip() -> Any:
    """OpenAI's vocabulary, as open_clip ships it."""
    found = importlib.util.find_spec("open_clip")
    if found is None or found.submodule_search_locations is None:
        pytest.skip("open_clip_torch is not installed")
    packed = Path(found.submodule_search_locations[0]) / "bpe_simple_vocab_16e6.txt.gz"
    lines = gzip.decompress(packed.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    pairs = [(left, right) for left, right in (line.split() for line in lines)]
    return clip(pairs, byte_letters(), 77)


def whole_words() -> Any:
    names = ["<pad>", "<start>", "<end>", "<unknown>", "a", "red", "circle", "caf\u00e9", "\u65e5\u672c"]
    backend = Backend(models.WordLevel({one: number for number, one in enumerate(names)}, "<unknown>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=8,
        bos_token="<start>",
        eos_token="<end>",
        unk_token="<unknown>",
        pad_token="<pad>",
    )


def built(tables: Tokenizer, folder: Path) -> Callable[[bytes], list[int]]:
    """The emitted C, compiled with what it needs and nothing else."""
    (folder / "include").mkdir()
    (folder / "src").mkdir()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    write_tokenizer(environment, tables, folder, "model")
    sources = [
        folder / "src" / "model_tokenizer.c",
        *(RUNTIME / f"dgqc_{one}.c" for one in ("tokenize", "unicode")),
    ]
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wsign-conversion"]
    checks = ["-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    places = [f"-I{RUNTIME}", f"-I{folder / 'include'}"]
    command = ["gcc", *strict, *checks, *places, "-fPIC", "-shared", "-o", folder / "t.so", *sources]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(folder / "t.so"))

    def encode(given: bytes) -> list[int]:
        memory = (ctypes.c_int32 * (14 * len(given) + 64))()
        ids = (ctypes.c_int32 * tables.length)()
        library.model_tokenize(given, ctypes.c_size_t(len(given)), memory, ids)
        return list(ids)

    return encode


class Trio:
    """A tokenizer of transformers, its tables, and their C."""

    def __init__(self, tokenizer: Any, folder: Path) -> None:
        self._tokenizer = tokenizer
        self._tables = token_tables(tokenizer)
        self.c = built(self._tables, folder)

    def check(self, text: str) -> None:
        length = self._tables.length
        wanted = self._tokenizer(text, padding="max_length", max_length=length, truncation=True).input_ids
        assert self._tables.encode(text) == wanted
        assert self.c(text.encode()) == wanted


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Trio:
    return Trio(small_clip(), tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Trio:
    return Trio(whole_clip(), tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Trio:
    return Trio(whole_words(), tmp_path_factory.mktemp("words"))


@settings(max_examples=300)
@given(TEXTS)
def test_byte_pairs(small: Trio, text: str) -> None:
    small.check(text)


@pytest.mark.parametrize("text", PROMPTS)
def test_prompts(small: Trio, words: Trio, text: str) -> None:
    small.check(text)
    words.check(text)


@settings(max_examples=300)
@given(TEXTS)
def test_clips_own_vocabulary(whole: Trio, text: str) -> None:
    whole.check(text)


@pytest.mark.parametrize("text", PROMPTS)
def test_prompts_in_clips_own_vocabulary(whole: Trio, text: str) -> None:
    whole.check(text)


@given(st.lists(st.sampled_from(["a", "red", "circle", "caf\u00e9", "<end>", "bl\u00fc", " ", "\n"])))
@example(["a", " ", "red", " "] * 9)
def test_whole_words(words: Trio, parts: list[str]) -> None:
    words.check("".join(parts))


@given(st.binary(max_size=40))
def test_bytes_that_are_no_text(small: Trio, data: bytes) -> None:
    """They count as U+FFFD each, and text around them as ever."""
    first, *_, last = small.c(b"cat " + data + b" cat" * 16)
    assert (first, last) == (small.c(b"")[0], small.c(b"")[1])
    assert small.c(b"a\xff\xc3b") == small.c("a\ufffd\ufffdb".encode())


def test_other_tokenizers_are_refused() -> None:
    backend = Backend(models.Unigram([("a", 0.0)]))
    other = PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=8)
    with pytest.raises(DgqcError, match="doesn't put one token before a prompt"):
        token_tables(other)
    cut = small_clip()
    cut.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(DgqcError, match="doesn't cut text as CLIP's does"):
        token_tables(cut)
