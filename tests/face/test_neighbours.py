"""Packages around dgqc that are broken or missing: the one at fault is named, with what mends it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dgqc.cli.neighbours import broken_neighbour


def planted(folder: Path, **modules: str) -> Path:
    """A folder of modules, by their texts."""
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def said(text: str) -> str | None:
    """Of what running some Python raises."""
    try:
        exec(compile(text, "ours", "exec"), {"__name__": "dgqc.somewhere"})
    except Exception as error:
        return broken_neighbour(error)
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("kind", ["RuntimeError", "ImportError", "OSError", "ValueError", "AttributeError"])
def test_whoever_fails_is_named_and_not_who_imports_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Diffusers and transformers say what failed in an error of their own, some imports later."""
    lazy = "try:\n    import inner\nexcept Exception as e:\n    raise RuntimeError('Failed to import') from e"
    monkeypatch.syspath_prepend(planted(tmp_path, inner=f"raise {kind}('no operator')", outer=lazy))
    text = said("import outer")
    assert text is not None
    assert text.startswith("inner of an unknown version can't be imported beside torch ")
    assert "(no operator); dgqc needs none, so remove it with python -m pip uninstall inner, or" in text


def test_what_dgqc_needs_is_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(planted(tmp_path, threadpoolctl="raise ImportError('undefined symbol')"))
    monkeypatch.delitem(sys.modules, "threadpoolctl", raising=False)
    text = said("import threadpoolctl")
    assert text is not None
    assert text.endswith("install it again: python -m pip install --force-reinstall 'threadpoolctl>=3.1'.")


def test_torch_stays_where_a_package_asks_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What PyPI would bring in its place is another build."""
    monkeypatch.syspath_prepend(planted(tmp_path, accelerate="raise ImportError('undefined symbol')"))
    monkeypatch.delitem(sys.modules, "accelerate", raising=False)
    assert "--force-reinstall --no-deps 'accelerate>=1.0'." in str(said("import accelerate"))


@pytest.mark.parametrize(
    ("module", "package"), [("plotly", "plotly"), ("sklearn.cluster", "scikit-learn"), ("PIL", "pillow")]
)
def test_what_is_missing_is_installed(module: str, package: str) -> None:
    text = said(f"raise ModuleNotFoundError('No module', name={module!r})")
    assert text is not None
    assert text.startswith(f"{package} isn't installed, and dgqc needs it; python -m pip install ")


def test_a_package_without_the_name_that_we_import_is_too_old_or_too_new() -> None:
    text = said("from diffusers import what_was_never_there")
    assert text is not None
    assert text.startswith("diffusers ")
    assert "--no-deps 'diffusers>=" in text or "--force-reinstall 'diffusers>=" in text


@pytest.mark.parametrize("text", ["raise ValueError('ours')", "[].pop()", "import json; json.loads('{')"])
def test_an_error_of_ours_blames_nobody(text: str) -> None:
    assert said(text) is None
