"""How C lays out an integer program: passes that order columns, fuse rows and plan memory."""
