"""Samples that ranges are observed on: recorded, made, chosen, kept."""
