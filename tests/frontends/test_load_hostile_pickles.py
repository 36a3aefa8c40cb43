"""Pickles that call something when they are read: none of them gets there, in either format of PyTorch's."""

from __future__ import annotations

import argparse
import io
import pickle
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dgqc.frontends import load_model
from dgqc.frontends.loading.pickles import InertObject, read_pickle
from dgqc.ir.errors import DgqcError

CALLS = {
    "os:system": "touch {proof}",
    "posix:system": "touch {proof}",
    "os:popen": "touch {proof}",
    "subprocess:getoutput": "touch {proof}",
    "subprocess:call": ["touch", "{proof}"],
    "subprocess:Popen": ["touch", "{proof}"],
    "pty:spawn": ["touch", "{proof}"],
    "builtins:eval": "open({proof!r}, 'w')",
    "builtins:exec": "open({proof!r}, 'w')",
    "builtins:__import__": "antigravity",
    "builtins:open": "{proof}",
    "runpy:run_path": "{script}",
    "timeit:timeit": "open({proof!r}, 'w')",
    "code:InteractiveInterpreter": {},
    "importlib:import_module": "antigravity",
    "pathlib:Path": "{proof}",
    "shutil:rmtree": "{folder}",
    "pickle:loads": b"cos\nsystem\n.",
    "functools:partial": print,
    "torch:load": "{script}",
    "torch.hub:load": "someone/repository",
    "torch.utils.collect_env:run": "touch {proof}",
    "torch.nn.modules.module:torch.os.system": "touch {proof}",
    "diffusers.models.modeling_utils:os.system": "touch {proof}",
}
"""What is called, as `module:attribute`, with its argument. The last two hide behind modules of layers."""


def calling(name: str, argument: object) -> bytes:
    """A pickle that calls the function, however deep in a module it is."""
    module, _, attribute = name.partition(":")
    given = pickle.dumps((argument,), protocol=2).removeprefix(b"\x80\x02").removesuffix(b".")
    named = b"".join(
        pickle.BINUNICODE + len(part.encode()).to_bytes(4, "little") + part.encode()
        for part in (module, attribute)
    )
    return b"\x80\x04" + named + pickle.STACK_GLOBAL + given + pickle.REDUCE + pickle.STOP


def filled(argument: object, folder: Path) -> object:
    places = {name: str(folder / name) for name in ("proof", "script")} | {"folder": str(folder / "kept")}
    if isinstance(argument, str):
        return argument.format(**places)
    return [str(filled(one, folder)) for one in argument] if isinstance(argument, list) else argument


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kept").mkdir()
    (tmp_path / "script").write_text(f"open({str(tmp_path / 'proof')!r}, 'w')")
    return tmp_path


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_called(folder: Path, name: str, legacy: bool) -> None:
    payload, file = calling(name, filled(CALLS[name], folder)), folder / "unet.pt"
    if legacy:
        file.write_bytes(_legacy(payload))
    else:
        buffer = io.BytesIO()
        torch.save({}, buffer)
        with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(file, "w") as new:
            for member in old.namelist():
                new.writestr(member, payload if member.endswith("data.pkl") else old.read(member))
    with pytest.raises(DgqcError, match=r"unet\.pt"):
        load_model(file)
    assert not (folder / "proof").exists()
    assert (folder / "kept").is_dir()


@pytest.mark.parametrize(
    "name",
    ["pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint", "omegaconf.dictconfig.DictConfig"],
)
def test_what_trainers_leave_is_forgotten(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stable Diffusion's first checkpoints have a class of Lightning's for a key."""
    module, _, last = name.rpartition(".")
    kind: Any = type(last, (), {"__module__": module})
    weights, one = {"conv.weight": torch.ones(2)}, kind()
    one.best_model_score = 3.5
    beside = {
        "callbacks": {kind: {"best": np.float64(0.5)}},
        "more": [one, argparse.Namespace(a=1), np.ones(2)],
    }
    with monkeypatch.context() as patched:
        for place in (module.partition(".")[0], module):
            patched.setitem(sys.modules, place, types.SimpleNamespace(**{last: kind}))
        torch.save({"state_dict": weights, **beside}, folder / "a.ckpt")
    found = read_pickle(folder / "a.ckpt")
    assert torch.equal(found["state_dict"]["conv.weight"], weights["conv.weight"])
    (forgotten,) = found["callbacks"]
    assert issubclass(forgotten, InertObject)
    assert not any(vars(one) for one in found["more"])


@pytest.mark.parametrize("name", ["pytorch_lightning:os.system", "omegaconf.dictconfig:os.system"])
def test_names_that_look_like_a_trainers_call_nothing(folder: Path, name: str) -> None:
    buffer = io.BytesIO()
    torch.save({}, buffer)
    payload = calling(name, filled("touch {proof}", folder))
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(folder / "unet.pt", "w") as new:
        for member in old.namelist():
            new.writestr(member, payload if member.endswith("data.pkl") else old.read(member))
    with pytest.raises(DgqcError, match=r"unet\.pt"):
        load_model(folder / "unet.pt")
    assert not (folder / "proof").exists()


def test_such_pickles_do_call_where_anything_is_believed(folder: Path) -> None:
    for name in ("os:system", "runpy:run_path", *list(CALLS)[-2:]):
        pickle.loads(calling(name, filled(CALLS[name], folder)))
        assert (folder / "proof").exists(), name
        (folder / "proof").unlink()


def _legacy(payload: bytes) -> bytes:
    """A file of before PyTorch 1.6 whose object is the payload."""
    buffer = io.BytesIO()
    torch.save({}, buffer, _use_new_zipfile_serialization=False)
    whole, parts = buffer.getvalue(), []
    stream = io.BytesIO(whole)
    for _ in range(3):  # a magic number, the version, what system wrote it
        start = stream.tell()
        pickle.load(stream)
        parts.append(whole[start : stream.tell()])
    pickle.load(stream)
    return b"".join(parts) + payload + whole[stream.tell() :]
