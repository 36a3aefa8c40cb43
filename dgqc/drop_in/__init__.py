"""Compiled UNets in diffusers' own `from_pretrained`."""
