"""Passes that decide how wide operands and weights are, by what their rounding costs the network's output."""
