"""A scheduler may be named in any way that people have it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import pytest
from diffusers import EulerDiscreteScheduler, SchedulerMixin

from dgqc.frontends.loading.constructor_schema import check_config
from dgqc.frontends.schedulers import scheduler_config
from dgqc.frontends.schedules import schedule_for
from dgqc.ir.errors import DgqcError


def test_names_and_options() -> None:
    for name in ("euler", "EulerDiscrete", "EulerDiscreteScheduler"):
        assert scheduler_config(name) == {"_class_name": "EulerDiscreteScheduler"}
    found = scheduler_config("euler{timestep_spacing=trailing,use_karras_sigmas=true,beta_end=0.01}")
    assert found == {
        "_class_name": "EulerDiscreteScheduler",
        "timestep_spacing": "trailing",
        "use_karras_sigmas": True,
        "beta_end": 0.01,
    }


def test_a_name_takes_over_the_pipeline_s_settings() -> None:
    own = {"_class_name": "DDIMScheduler", "steps_offset": 1, "beta_end": 0.012}
    assert scheduler_config("euler", own) == {**own, "_class_name": "EulerDiscreteScheduler"}
    assert scheduler_config(None, own) is own
    assert scheduler_config(None) is None


def test_files_configs_and_schedulers(tmp_path: Path) -> None:
    scheduler = EulerDiscreteScheduler(timestep_spacing="trailing")
    scheduler.save_pretrained(tmp_path / "pipeline" / "scheduler")
    file = tmp_path / "pipeline" / "scheduler" / "scheduler_config.json"
    wanted = schedule_for(scheduler_config(scheduler), 5)[1]
    assert wanted.timesteps[0] == 999
    for given in (file, str(file.parent), tmp_path / "pipeline", json.loads(file.read_text())):
        assert schedule_for(scheduler_config(given), 5)[1] == wanted


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("dimm", r"no scheduler dimm \(closest is DDIMScheduler\); give"),
        ("UNet2DModel", "no scheduler UNet2DModel"),
        ("euler{spacing=trailing}", "has no option spacing; it has num_train_timesteps"),
        ("euler{trailing}", "written name=value, but here is 'trailing'"),
        ("a b", "names no scheduler"),
        ("no/such.json", "no scheduler's configuration at no/such.json"),
        (3, "A int is no scheduler"),
    ],
)
def test_refusals(given: Any, message: str) -> None:
    with pytest.raises(DgqcError, match=message):
        scheduler_config(given)


@pytest.mark.parametrize(
    ("name", "timesteps", "message"),
    [
        ("ddim", (900.0,), "takes no timesteps of one's own"),
        ("ddpm", (300.0, 900.0), "can't take these timesteps"),
        ("ddpm", (5000.0,), "can't take these timesteps"),
        ("lcm", (900.5,), "LCMScheduler"),
        ("ddpm", (), "0 timesteps make no schedule"),
        ("ddpm", (float("nan"),), "A timestep is nan"),
        ("cmstochasticiterative", (39.0, 20.0), r"makes 2 calls of these 2 timesteps, 201\.668"),
    ],
)
def test_timesteps_that_a_scheduler_does_not_keep_to(
    name: str, timesteps: tuple[float, ...], message: str
) -> None:
    with pytest.raises(DgqcError, match=message):
        schedule_for(scheduler_config(name), 2, timesteps)


@pytest.mark.parametrize("name", ["ddpm", "lcm", "dpmsolvermultistep"])
def test_timesteps_of_one_s_own(name: str) -> None:
    timesteps = (999.0, 759.0, 499.0)
    assert schedule_for(scheduler_config(name), 3, timesteps)[1].timesteps == timesteps


def schedulers_without_needs() -> Iterator[type[Any]]:
    """Those of diffusers that can be built of nothing."""
    for name in (name for name in dir(diffusers) if name.endswith("Scheduler")):
        kind = getattr(diffusers, name)
        if isinstance(kind, type) and issubclass(kind, SchedulerMixin):
            given = list(inspect.signature(kind.__init__).parameters.values())[1:]
            named = [one for one in given if one.kind is not inspect.Parameter.VAR_KEYWORD]
            if all(one.default is not inspect.Parameter.empty for one in named):
                yield kind


@pytest.mark.parametrize("kind", list(schedulers_without_needs()), ids=lambda kind: kind.__name__)
def test_every_scheduler_s_own_config_is_taken(kind: Any, tmp_path: Path) -> None:
    """DPM-Solver's have a limit of minus infinity, which JSON doesn't know."""
    kind().save_pretrained(tmp_path)
    config = scheduler_config(tmp_path)
    assert config is not None
    check_config(kind, config, kind.__name__, "give another")
