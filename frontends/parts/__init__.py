"""A pipeline's other parts as models: text encoders from ids to states, decoders from latents to pixels."""
