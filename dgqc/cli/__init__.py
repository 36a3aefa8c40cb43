"""The command `dgqc`."""
