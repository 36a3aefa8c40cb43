"""Passes that decide how weights are rounded."""
