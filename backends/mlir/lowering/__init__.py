"""From the integer graph to `linalg` on tensors: what each op becomes, and the passes in order."""
