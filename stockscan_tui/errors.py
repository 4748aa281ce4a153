"""What can go wrong, in words a trader can act on.

Each message says what happened, to what, and what to do about it.
"""


class StockscanError(Exception):
    """The base of all errors that are told to the user as a sentence, without a traceback."""

    exit_status = 1


class UsageError(StockscanError):
    """The command line or an option's value is wrong."""

    exit_status = 2


class InputError(StockscanError):
    """A file that was given cannot be used."""


class StoreError(StockscanError):
    """The database cannot be opened, read or written."""


class StoreHeldError(StoreError):
    """Another process holds the database."""

    exit_status = 3
