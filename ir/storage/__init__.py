"""Programs as files that hold data and nothing that runs."""

from .serialize import load_program, save_program

__all__ = ["load_program", "save_program"]
