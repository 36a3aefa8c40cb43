"""Integer arithmetic that every backend repeats bit for bit: rounding, tables, noise; and what bounds it."""
