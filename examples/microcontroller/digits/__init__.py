"""A diffusion model of digits that fits a microcontroller: pictures, model, training, recognition."""
