"""Token arrays as rows of chips: a colour per kind, piece and id in the tooltip."""

from t2t.reporting.html.markup import Markup, join, tag
from t2t.reporting.inspection.pieces import TEXT, Piece, pieces
from t2t.reporting.inspection.token_arrays import TokenArray

MOST_CHIPS = 320

_VISIBLE = {"\n": "⏎", "\r": "␍", "\t": "⇥"}
_LEGEND = (
    ("", "text"),
    ("sentinel", "sentinel"),
    ("noise", "taken out or changed"),
    ("mask", "mask"),
    ("special", "special"),
    ("eos", "end of sequence"),
    ("unknown", "unknown"),
    ("pad", "padding or start"),
    ("loss", "has loss"),
    ("no-loss", "no loss"),
)


def legend() -> Markup:
    """What the colours of chips mean."""
    chips = [tag("span", label, class_=f"chip {kind}".strip()) for kind, label in _LEGEND]
    return tag("p", *chips, class_="tokens legend")


def token_row(array: TokenArray) -> Markup:
    """One array with its name and size; padding is only counted."""
    size = f"{array.used} of {len(array.values)}" if array.used < len(array.values) else array.used
    label = tag("div", tag("b", array.name), tag("small", f" {size}"), class_="label")
    if array.vocabulary is None:
        values = array.values[: array.used]
        shown = " ".join(map(str, values[:MOST_CHIPS].tolist()))
        more = " …" if len(values) > MOST_CHIPS else ""
        return tag("div", label, tag("div", shown + more, class_="numbers"), class_="row")
    chips = [
        _chip(piece, array, i)
        for i, piece in enumerate(pieces(array.vocabulary, array.values[: array.used][:MOST_CHIPS]))
    ]
    if array.used > MOST_CHIPS:
        chips.append(tag("span", f"… {array.used - MOST_CHIPS:,} more tokens", class_="more"))
    if padding := len(array.values) - array.used:
        chips.append(tag("span", f"{padding:,} more <pad>", class_="chip pad"))
    return tag("div", label, tag("div", join(chips), class_="tokens"), class_="row")


def _chip(piece: Piece, array: TokenArray, i: int) -> Markup:
    kinds = ["chip"] + ([piece.kind] if piece.kind != TEXT else [])
    title = f"{piece.text!r} · id {piece.id}"
    if piece.kind != TEXT:
        title += f" · {piece.kind}"
    if array.noise is not None and array.noise[i]:
        kinds.append("noise")
        title += " · taken out or changed by the objective"
    if array.weights is not None:
        weight = array.weights[i]
        kinds.append("loss" if weight else "no-loss")
        title += f" · loss weight {weight}"
    return tag("span", _visible(piece.text), class_=" ".join(kinds), title=title)


def _visible(piece: str) -> str:
    """Line breaks as signs, other control characters as escapes."""
    shown = (_VISIBLE.get(c, c if c.isprintable() else repr(c)[1:-1]) for c in piece)
    return "".join(shown)
