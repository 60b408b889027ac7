"""Files that are written under another name and renamed when they are whole."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A path beside `target` to write, which becomes `target` when the block succeeds.

    It is of this block alone, so that processes, machines and threads may write the same target:
    the last one wins. If the block fails, `target` stays as it was and nothing is left.

    Raises:
      OSError: if it cannot be renamed.
    """
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        yield partial
        partial.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
