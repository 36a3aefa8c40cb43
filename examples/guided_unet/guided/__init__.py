"""Guided diffusion's UNet in plain PyTorch: a module that diffusers doesn't know, and dgqc compiles."""
