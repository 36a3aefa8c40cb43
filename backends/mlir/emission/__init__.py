"""An MLIR program as a folder: the module, its constants, its signature."""
