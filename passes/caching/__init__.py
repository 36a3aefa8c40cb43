"""Calls that take the feature of an earlier one: which feature, which calls, what is corrected."""
