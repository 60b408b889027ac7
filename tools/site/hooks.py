"""Hooks of mkdocs: the API reference, files of the repository that pages link to, ends of lines.

A link from a page to `../gin/quickstart.gin` works on GitHub as it stands. The site has no such
file, so it gets a page with the file's text, and the link leads there.
"""

import importlib.util
import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)")
ROW = re.compile(r"^\|.*\|$", re.MULTILINE)
SPAN = re.compile(r"`[^`]*`")
TAG_FLAG_OR_NAME = re.compile(r"(<[^>]*>)|(?<![\w-])(--[a-z][\w.]*)|\b(t2t(?:\.\w+){2,})")
BEHIND_GUIDES = "---\nsearch:\n  boost: 0.2\n---\n\n"  # among what the search finds
LANGUAGES = {".py": "python", ".gin": "python", ".sh": "bash", ".toml": "toml", ".md": "markdown"}


def on_config(config):
    """Adds the pages of the reference to the navigation."""
    reference = [f"reference/{name}" for name in _reference()]
    config.nav = [
        {title: reference if part == "reference" else part}
        for entry in config.nav
        for title, part in entry.items()
    ]
    return config


def on_files(files, config):
    """Adds what is not in docs/: the reference and files that pages link to."""
    from mkdocs.structure.files import File

    made = {f"reference/{name}": BEHIND_GUIDES + text for name, text in _reference().items()}
    for file in files.documentation_pages():
        for path, _ in LINK.findall(file.content_string):
            target = _in_repository(file.src_uri, path)
            made[_page_of(target)] = _shown(target)
    for uri, text in made.items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Lets links to files of the repository lead to their pages, and code in tables have `|`.

    There GitHub wants a backslash before it, which mkdocs would show.
    """
    uri = page.file.src_uri
    if uri.startswith("repository/"):
        return markdown

    def changed(link):
        target = _page_of(_in_repository(uri, link[1]))
        return f"]({posixpath.relpath(target, posixpath.dirname(uri) or '.')}{link[2] or ''})"

    def unescaped(row):
        return SPAN.sub(lambda span: span[0].replace(r"\|", "|"), row[0])

    return ROW.sub(unescaped, LINK.sub(changed, markdown))


def on_page_content(html, page, config, files):
    """Lets lines end in long names, behind a dot, and never in a flag, behind its hyphens."""

    def broken(found):
        tag, flag, name = found.groups()
        return tag or (flag and f'<span class="flag">{flag}</span>') or name.replace(".", ".<wbr>")

    return TAG_FLAG_OR_NAME.sub(broken, html)


def _reference():
    place = Path(__file__).with_name("reference.py")
    spec = importlib.util.spec_from_file_location("t2t_site_reference", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages(ROOT)


def _in_repository(page, link):
    """The path in the repository that a link of a page in docs/ names."""
    return posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))


def _page_of(path):
    return f"repository/{path}.md"


def _shown(path):
    """A page with the text of a file, or the names in a folder; raises if there is neither."""
    place = ROOT / path
    if place.is_dir():
        names = sorted(child.name for child in place.iterdir() if child.name[0] not in "._")
        text = "\n".join(names)
    else:
        text = place.read_text(encoding="utf-8")
    language = LANGUAGES.get(place.suffix, "text")
    return f"{BEHIND_GUIDES}# {path}\n\n~~~~~~{language}\n{text}\n~~~~~~\n"
