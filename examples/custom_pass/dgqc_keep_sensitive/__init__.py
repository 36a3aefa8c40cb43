"""A package with one pass for dgqc. Copy it, rename it, replace the pass."""
