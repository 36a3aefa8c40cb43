"""From a model and its samples to a compiled program."""
