"""What is known of each op's C kernel."""
