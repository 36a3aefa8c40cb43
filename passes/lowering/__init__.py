"""How each op of the captured set becomes integers: one family a file, gathered by `lower-integer`."""
