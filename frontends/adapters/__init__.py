"""Adapters, as LoRA's: small files of changes that are merged into a model's weights before anything else."""
