"""Charts of the page: histograms as SVG, packed rows and the composition as bars."""

from t2t.reporting.html.markup import Markup, tag
from t2t.reporting.inspection.facts import Part
from t2t.reporting.inspection.lengths import Lengths
from t2t.reporting.inspection.packed_rows import PackedRows, Side

COLOURS = 8
_BINS = 40
_WIDTH, _HEIGHT, _BASE = 400, 150, 125


def histogram(lengths: Lengths, title: str) -> Markup:
    """Token lengths, what is beyond the limit in another colour, the limit marked."""
    bins = [found for found in lengths.histogram(_BINS) if found.sequences]
    limit = lengths.limit
    end = 1 + max(bins[-1].last, limit or 0)
    scale, highest = _WIDTH / end, max(found.sequences for found in bins)
    bars = []
    for first, last, count in bins:
        height = max((_BASE - 20) * count / highest, 1.5)
        label = f"{first:,}" if first == last else f"{first:,} to {last:,}"
        bars.append(
            tag(
                "rect",
                tag("title", f"{label} tokens: {count:,}"),
                x=f"{first * scale:.2f}",
                y=f"{_BASE - height:.2f}",
                width=f"{max((last + 1 - first) * scale - 0.8, 0.8):.2f}",
                height=f"{height:.2f}",
                class_="beyond" if limit is not None and first > limit else "bin",
            )
        )
    marks = [
        tag("line", x1=0, x2=_WIDTH, y1=_BASE, y2=_BASE, class_="axis"),
        tag("text", "0", x=0, y=_HEIGHT - 8),
        tag("text", f"{end - 1:,}", x=_WIDTH, y=_HEIGHT - 8, text_anchor="end"),
    ]
    if limit is not None:
        x = (limit + 1) * scale
        marks.append(tag("line", x1=f"{x:.2f}", x2=f"{x:.2f}", y1=14, y2=_BASE, class_="limit"))
        anchor = "end" if x > _WIDTH / 2 else "start"
        marks.append(
            tag("text", f"limit {limit:,}", x=f"{x:.2f}", y=11, class_="limit", text_anchor=anchor)
        )
    name = f"{title}: {lengths.name}"
    svg = tag("svg", *bars, *marks, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=name)
    return tag("figure", tag("figcaption", tag("b", lengths.name), f" {title}"), svg)


def packed(packing: PackedRows) -> Markup:
    """A batch: a bar per row and side, a block per segment, a line where there is loss."""
    several = len(packing.task_names) > 1
    rows = []
    for row, tasks in enumerate(packing.tasks):
        bars = [
            _bar(side, name, row, tasks, packing.task_names, several)
            for name, side in packing.sides.items()
        ]
        rows.append(tag("div", tag("div", f"{row}", class_="number"), *bars, class_="batch-row"))
    names = [
        tag("span", tag("i", class_=f"c{i % COLOURS}"), name, class_="key")
        for i, name in enumerate(packing.task_names)
        if several
    ]
    keys = [*names, tag("span", tag("i", class_="free"), "padding", class_="key")]
    keys.append(tag("span", tag("i", class_="loss-key"), "loss", class_="key"))
    heads = [tag("div", f"{name}: {fill:.1%} filled") for name, fill in packing.fill.items()]
    head = tag("div", tag("div", "", class_="number"), *heads, class_="batch-row head")
    return tag("div", tag("p", *keys, class_="keys"), head, *rows, class_="packing")


def _bar(side: Side, name: str, row: int, tasks, task_names, colour_by_task: bool) -> Markup:
    length = side.segment_ids.shape[1]
    blocks, end = [], 0
    for segment, start, size in side.spans(row):
        task = tasks[segment - 1]
        colour = (task if colour_by_task else segment - 1) % COLOURS
        shade = " alternate" if colour_by_task and segment % 2 == 0 else ""
        blocks.append(
            tag(
                "i",
                f"{segment}" if size / length > 0.05 else "",
                class_=f"c{colour}{shade}",
                style=f"left:{100 * start / length:.3f}%;width:{100 * size / length:.3f}%",
                title=f"segment {segment}: {task_names[task]}, {size:,} tokens in the {name}",
            )
        )
        end = start + size
    filled = tag("div", *blocks, class_="bar", title=f"{length - end:,} positions of padding")
    return tag("div", filled, *_loss(side, row), class_="side")


def _loss(side: Side, row: int) -> list[Markup]:
    if side.loss_weights is None:
        return []
    weights = (side.loss_weights[row] > 0).tolist()
    length, lines, start = len(weights), [], 0
    for i in range(1, length + 1):
        if i == length or weights[i] != weights[start]:
            if weights[start]:
                style = f"left:{100 * start / length:.3f}%;width:{100 * (i - start) / length:.3f}%"
                title = f"loss on positions {start:,} to {i - 1:,}"
                lines.append(tag("i", style=style, title=title))
            start = i
    return [tag("div", *lines, class_="loss-line")]


def composition(parts: list[Part]) -> Markup:
    """A bar with a block per task, and the tree of rates."""
    leaves = list(dict.fromkeys(p.name for p in parts if not p.is_mixture and p.share > 0))
    colours = {name: f"c{i % COLOURS}" for i, name in enumerate(leaves)}
    blocks = [
        tag(
            "i",
            f"{part.share:.0%}" if part.share > 0.06 else "",
            class_=colours[part.name],
            style=f"width:{100 * part.share:.3f}%",
            title=f"{part.name}: {part.share:.2%}",
        )
        for part in parts
        if not part.is_mixture and part.share > 0
    ]
    rows = [_part_row(part, colours) for part in parts]
    head = tag("tr", *(tag("th", name) for name in ("part", "rate", "share", "")))
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="parts")
    return tag("div", tag("div", *blocks, class_="shares"), tag("div", table, class_="scroll"))


def _part_row(part: Part, colours: dict[str, str]) -> Markup:
    swatch = tag("i", class_=f"swatch {colours.get(part.name, 'none')}")
    note = "" if part.has_split else "no such split: left out"
    note = "rate 0: only evaluated" if part.rate == 0 else note
    name = tag("td", swatch, part.name, style=f"padding-left:{0.6 + 1.2 * part.depth:.1f}rem")
    kind = "mixture" if part.is_mixture else ""
    return tag(
        "tr",
        name,
        tag("td", f"{part.rate:g}", class_="n"),
        tag("td", f"{part.share:.1%}", class_="n"),
        tag("td", note or kind),
    )
