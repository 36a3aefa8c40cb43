"""Emitted C, built by a compiler of this machine and called."""
