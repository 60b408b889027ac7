"""A page as one file."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources

from t2t.reporting.html.markup import Markup, join, tag


def packaged(package: str, name: str) -> str:
    """The text of a file that comes with a package of ours."""
    return resources.files(package).joinpath(name).read_text("utf-8")


def document(
    title: str,
    *content: Markup,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    asks_server: bool = False,
) -> str:
    """The whole document, in the colours of the reader's system.

    Whatever it holds, a browser loads nothing else, and runs nothing but `scripts`.

    Args:
      title: of the page.
      *content: of its <main>.
      styles: CSS, after what all pages share.
      scripts: JavaScript, run when the content is there.
      asks_server: whether scripts may fetch from the server of the page itself.
    """
    policy = ["default-src 'none'", "style-src 'unsafe-inline'", "base-uri 'none'"]
    policy += ["form-action 'none'", *(["connect-src 'self'"] if asks_server else [])]
    if scripts:
        policy.append(f"script-src {' '.join(map(_digest, scripts))}")
    head = join(
        [
            Markup('<meta charset="utf-8">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(policy)}">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup('<meta name="color-scheme" content="light dark">'),
            tag("title", title),
            *(
                tag("style", Markup(style))
                for style in (packaged("t2t.reporting.html", "base.css"), *styles)
            ),
        ]
    )
    body = join([tag("main", *content), *(tag("script", Markup(script)) for script in scripts)])
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}"


def _digest(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode()
    return f"'sha256-{digest}'"
