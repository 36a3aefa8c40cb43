"""Averages of what quantization changed, taken back call by call."""
