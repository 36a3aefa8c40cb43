"""Whether a program keeps the rules of its level, and the proof that its arithmetic can't overflow."""
