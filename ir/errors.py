"""Errors that a user can act on: one sentence saying what is wrong, where, and what would be right."""


class DgqcError(Exception):
    """The input or the options are wrong. The command line prints the message and exits with 2."""


class UnsupportedOperation(DgqcError):
    """The model holds an op that has no integer form."""


class VerificationError(DgqcError):
    """A graph breaks the rules of its level; the message names the node and the module path."""


class PipelineError(DgqcError):
    """A pass pipeline can't be parsed, names an unknown pass, or stands in an impossible order."""
