"""Learning how weights are rounded, unit by unit, so that each unit's output stays what it was in float."""
