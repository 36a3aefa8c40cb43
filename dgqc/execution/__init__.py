"""Running a compiled program: its two ends in floats, the backends between them, and what is compared."""
