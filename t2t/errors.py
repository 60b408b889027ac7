"""The one error class that users see as a message instead of a traceback."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake in configuration, data or environment that the user can mend.

    The command line prints the message in one paragraph and exits with status 1; every other
    exception is a bug of ours and keeps its traceback. Messages name the thing, where it came
    from, the nearest valid name, and what to do. A ValueError, as SeqIO raises for the same.
    """


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" for the closest candidates, or "" if none is close."""
    close = difflib.get_close_matches(name, list(candidates), n=3, cutoff=0.6)
    if not close:
        return ""
    return f" Did you mean {' or '.join(repr(c) for c in close)}?"
