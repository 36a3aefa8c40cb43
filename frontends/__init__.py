"""How models and calibration samples come in.

This room knows `ir` only.
"""

from .calibrate import calibrate
from .calibration_file import Recording, load_calibration, save_calibration
from .capture import UNSCHEDULED, capture
from .exported_unet import ExportedUNet
from .load import LoadedModel, config_only, load_model
from .schedules import schedule_for
from .synthesize import synthesize

__all__ = [
    "UNSCHEDULED",
    "ExportedUNet",
    "LoadedModel",
    "Recording",
    "calibrate",
    "capture",
    "config_only",
    "load_calibration",
    "load_model",
    "save_calibration",
    "schedule_for",
    "synthesize",
]
