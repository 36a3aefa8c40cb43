"""Passes on the captured graph, and those that put quantization sites into it."""
