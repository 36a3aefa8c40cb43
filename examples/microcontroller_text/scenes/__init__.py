"""A text-to-picture model that fits a microcontroller: its sizes, its training, what a board printed."""
