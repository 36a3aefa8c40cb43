"""`python -m dgqc`, the command `dgqc`; what torchrun starts."""

from .cli.main import main

if __name__ == "__main__":
    main()
