"""The passes as things happen: `graph`, `activations`, `weights`, `simulation`, `lowering`.

`base` says what a pass is; the `manager` runs them.
"""
