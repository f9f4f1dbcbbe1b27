"""The errors a user can cause, told apart from the errors of the program."""


class UserError(Exception):
    """Something the user can mend: what was wrong, where, and what to do, in one line.

    The command line prints the message alone and exits with code 2.
    """


class ArtifactError(UserError):
    """A stage's folder is missing, incomplete, altered, or belongs to another configuration."""


class ItemError(Exception):
    """One item among many cannot be processed; a stage records it in `failures.csv` and goes on."""
