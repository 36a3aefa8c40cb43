"""Models from files, without running anything that a file brings along."""
