"""What a model or a compiled program costs and how good it is, as figures."""
