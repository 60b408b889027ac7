"""JAX's persistent cache of compiled programs, so that the second start is quicker."""

import os
from pathlib import Path
from typing import Any

import jax


def use_compilation_cache() -> None:
    """Keeps compiled programs in `~/.cache/t2t/jax`, unless JAX was told a folder, or not to.

    `JAX_COMPILATION_CACHE_DIR` names another folder, `JAX_ENABLE_COMPILATION_CACHE=false` keeps
    nothing.
    """
    config: Any = jax.config  # its attributes are not known to type checkers
    if config.jax_compilation_cache_dir:
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "t2t" / "jax"
    config.update("jax_compilation_cache_dir", str(cache))
