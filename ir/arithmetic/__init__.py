"""Integer arithmetic that every backend repeats bit for bit: rounding, functions as tables, noise, bounds."""
