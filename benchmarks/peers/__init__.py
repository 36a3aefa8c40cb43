"""One UNet call on the CPU: what runs it, each made and timed in a process of its own."""
