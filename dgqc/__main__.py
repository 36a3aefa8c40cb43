"""`python -m dgqc`, the command `dgqc`; what torchrun starts."""

from .cli.main import main

main()
