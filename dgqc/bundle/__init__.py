"""The saved artifact: a folder with the program, its emitted projects and what is known about them."""
