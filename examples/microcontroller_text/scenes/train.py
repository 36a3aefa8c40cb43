"""Trains the model on freshly drawn pictures: `python -m scenes.train`."""

from __future__ import annotations

from pathlib import Path

from dgqc.demo_model.train import Settings, main

from .model import PIPELINE, SMALL

SETTINGS = Settings(
    steps=1900, learning_rate=2e-3, warm_up=50, average_decay=0.99, lone_share=1.0, still=True
)
"""Pictures of one shape: what so small a model learns in minutes."""

if __name__ == "__main__":
    main(SMALL, SETTINGS, Path("build/microcontroller_text"), PIPELINE)
