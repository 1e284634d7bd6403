"""The errors that a user can mend: one line that names the file or the setting."""


class UserError(ValueError):
    """A mistake in a setting, a flag or a file; entry points print it and exit 2."""


class DataError(UserError):
    """A mistake in the user's data."""
