"""HTML from Python calls; what is not markup is escaped."""

import html
from collections.abc import Iterable

_WITHOUT_END = {"br", "input"}


class Markup(str):
    """A string that is HTML already."""

    __slots__ = ()


def text(value: str) -> Markup:
    """Escapes `value`; half of a surrogate pair, which UTF-8 cannot hold, is spelled out."""
    return Markup(html.escape(value.encode("utf-8", "backslashreplace").decode("utf-8")))


def join(children: Iterable[str]) -> Markup:
    """Markup as it is, strings escaped, one after the other."""
    return Markup("".join(c if isinstance(c, Markup) else text(c) for c in children))


def tag(name: str, *children: str, **attributes: str | int | float | None) -> Markup:
    """`<name attributes>children</name>`.

    Args:
      name: of the element.
      *children: markup, or strings to escape.
      **attributes: `class_` is `class`, `view_box` is `view-box`; None leaves one out.
    """
    spelled = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in _WITHOUT_END else f"</{name}>"
    return Markup(f"<{name}{spelled}>{join(children)}{end}")
