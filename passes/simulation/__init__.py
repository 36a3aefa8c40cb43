"""What a plan costs, in floating point: fake quantization, and each layer beside its float self."""
