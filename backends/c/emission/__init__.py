"""An integer program as a folder of C99: its functions, its constants, the files around them."""
