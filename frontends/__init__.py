"""How models and calibration samples come in.

This room knows `ir` only.
"""

from .calibrating.calibrate import calibrate
from .calibrating.calibration_file import Recording, load_calibration, save_calibration
from .calibrating.recorder import recording
from .calibrating.synthesize import synthesize
from .capturing.capture import UNSCHEDULED, capture
from .loading.exported_unet import ExportedUNet
from .loading.load import LoadedModel, config_only, load_model
from .schedules import schedule_for

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
    "recording",
    "save_calibration",
    "schedule_for",
    "synthesize",
]
