"""Two small diffusion models of families that the demo model isn't of: guided diffusion's and EDM's."""
