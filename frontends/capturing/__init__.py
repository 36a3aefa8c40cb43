"""From a model to a graph of a few ATen ops."""
