"""Passes that decide how operands and probabilities are quantized: ranges, groups, codes, tables."""
