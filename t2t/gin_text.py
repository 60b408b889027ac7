"""Operative configurations read as text, without gin: settings by name, to show and compare."""

import re

_BINDING = re.compile(r"([\w./]+) = ?(.*)")


def settings_of(text: str) -> dict[str, str]:
    """`{"train.batch_size": "64", "MODEL/Dropout.hidden": "%DROPOUT_RATE", ...}`.

    Values are as they are written, those of several lines in one. Imports, comments and what is
    cut off stay out.
    """
    settings: dict[str, str] = {}
    name = None
    for line in text.splitlines():
        if not line.strip() or line.startswith(("#", "import ", "from ", "include ")):
            name = None
        elif line[0].isspace() and name is not None:
            settings[name] = f"{settings[name]} {line.strip()}".strip()
        elif found := _BINDING.fullmatch(line):
            name = found[1]
            settings[name] = found[2].rstrip("\\").strip()
    return settings
