"""The computational graph as a picture: a layered drawing after Sugiyama, written as SVG by hand.

Layers are longest paths from the outputs; edges that skip layers get a bend in each; crossings are reduced by ordering
every layer by the barycentres of its neighbours (Sugiyama, Tagawa and Toda, 1981); positions are those barycentres,
pushed apart until no boxes overlap.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape

FONT, LINE, PAD, GAP_X, GAP_Y, MARGIN = 12, 16, 8, 22, 34, 16
WIDTH_OF_A_LETTER = 0.64 * FONT
COLOURS = {"leaf": ("#e6f2e6", "#3c7a3c"), "output": ("#e3ecf7", "#2f5d9b"), "step": ("#ffffff", "#555555")}


@dataclass(eq=False)
class Box:
    """One node in the drawing, or the bend of an edge (no lines of text)."""

    lines: list[str]
    kind: str = "step"
    title: str = ""
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    up: list["Box"] = field(default_factory=list)
    down: list["Box"] = field(default_factory=list)

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return max((len(line) for line in self.lines), default=0) * WIDTH_OF_A_LETTER + (2 * PAD if self.lines else 14)

    @property
    def height(self) -> float:
        """Height of the box in pixels."""
        return len(self.lines) * LINE + PAD if self.lines else 0.0


def svg(graph: Any) -> str:
    """The drawing, outputs at the top and leaves below; hovering shows where a node was called and what it keeps."""
    boxes, edges = _boxes(graph)
    layers = _layered(boxes, edges)
    _order(layers)
    _place(layers)
    width = max(box.x + box.width / 2 for layer in layers for box in layer) + MARGIN
    height = layers[-1][0].y + max(box.height for box in layers[-1]) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="ui-monospace, Menlo, Consolas, monospace" '
        f'font-size="{FONT}">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0.8 L7.4,4 L0,7.2 z" fill="#888888"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
    ]
    parts += [_path(route) for route in edges]
    parts += [_drawn(box) for box in boxes]
    return "\n".join([*parts, "</svg>"])


def _boxes(graph: Any) -> tuple[list[Box], list[list[Box]]]:
    """A box for every node, and every edge as the list of its two ends."""
    tops = {id(value[0]) for value in graph.outputs if value is not None}
    made: dict[int, Box] = {}
    for node in graph.nodes:
        shape = "×".join(map(str, node.shape)) or "scalar"
        lines = [node.variable, f"AccumulateGrad {shape}"] if node.variable else [node.name, shape]
        if node.saved:
            lines.append(f"saves {_bytes(sum(tensor.nbytes for tensor in node.saved))}")
        details = [node.where, node.operation and f"JAX: {node.operation}", node.scope and f"scope: {node.scope}"]
        details += [f"saves {tensor}" for tensor in node.saved] + [node.note]
        kind = "leaf" if node.variable else "output" if id(node) in tops else "step"
        made[id(node)] = Box(lines, kind, "\n".join(each for each in details if each))
    pairs = [
        [made[id(node)], made[id(following)]]
        for node in graph.nodes
        for following in dict.fromkeys(n for n, _ in node.next_functions if n is not None)
    ]
    return list(made.values()), pairs


def _layered(boxes: list[Box], edges: list[list[Box]]) -> list[list[Box]]:
    """Layers by longest path (boxes come in topological order); long edges are routed through bends, in place."""
    below: dict[int, list[Box]] = {id(box): [] for box in boxes}
    for source, target in edges:
        below[id(source)].append(target)
    for box in boxes:
        for target in below[id(box)]:
            target.layer = max(target.layer, box.layer + 1)
    layers: list[list[Box]] = [[] for _ in range(max((box.layer for box in boxes), default=0) + 1)]
    for box in boxes:
        layers[box.layer].append(box)
    for route in edges:
        source, target = route
        bends = [Box([], layer=layer) for layer in range(source.layer + 1, target.layer)]
        for bend in bends:
            layers[bend.layer].append(bend)
        route[1:1] = bends
        for above, under in pairwise(route):
            above.down.append(under)
            under.up.append(above)
    return layers


def _order(layers: list[list[Box]], sweeps: int = 12) -> None:
    """Order every layer by the mean place of its neighbours, downwards and upwards in turn; keep the best order."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(sweeps):
        downwards = sweep % 2 == 0
        for k in range(1, len(layers)) if downwards else range(len(layers) - 2, -1, -1):
            place = {id(box): i for i, box in enumerate(layers[k - 1 if downwards else k + 1])}
            own = {id(box): i for i, box in enumerate(layers[k])}

            def mean(box: Box, place: Any = place, own: Any = own, downwards: bool = downwards) -> float:
                near = box.up if downwards else box.down
                mean: float = sum(place[id(other)] for other in near) / len(near) if near else own[id(box)]
                return mean

            layers[k].sort(key=mean)
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order


def _crossings(layers: list[list[Box]]) -> int:
    total = 0
    for upper, lower in pairwise(layers):
        place = {id(box): i for i, box in enumerate(lower)}
        ends = [place[id(under)] for box in upper for under in sorted(box.down, key=lambda b: place[id(b)])]
        total += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return total


def _place(layers: list[list[Box]], sweeps: int = 24) -> None:
    """Horizontal positions by averaging over neighbours without overlap, vertical ones by layer."""
    for layer in layers:
        x = 0.0
        for box in layer:
            box.x = x + box.width / 2
            x += box.width + GAP_X
    for sweep in range(sweeps):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wanted = []
            for box in layer:
                near = (box.up if sweep % 2 == 0 else box.down) or box.up or box.down
                wanted.append(sum(other.x for other in near) / len(near) if near else box.x)
            _spread(layer, wanted)
    left = min(box.x - box.width / 2 for layer in layers for box in layer)
    y = float(MARGIN)
    for layer in layers:
        tallest = max(box.height for box in layer)
        for box in layer:
            box.x += MARGIN - left
            box.y = y
            if not box.lines:
                box.y = y + tallest / 2
        y += tallest + GAP_Y


def _spread(layer: list[Box], wanted: list[float]) -> None:
    """The positions closest to the wanted ones (least squares) in which no two boxes overlap."""
    blocks: list[list[Any]] = []  # [sum of shifted wishes, number, boxes with their offsets]
    offset = 0.0
    for box, wish in zip(layer, wanted, strict=True):
        half = box.width / 2
        offset += half
        block = [wish - offset, 1, [(box, offset)]]
        offset += half + GAP_X
        blocks.append(block)
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count, members = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
            blocks[-1][2] += members
    for total, count, members in blocks:
        for box, shift in members:
            box.x = total / count + shift


def _path(route: list[Box]) -> str:
    start, end = route[0], route[-1]
    points = [(start.x, start.y + start.height)] + [(bend.x, bend.y) for bend in route[1:-1]] + [(end.x, end.y)]
    d = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        d += f" C{x0:.1f},{middle:.1f} {x1:.1f},{middle:.1f} {x1:.1f},{y1:.1f}"
    return f'<path d="{d}" fill="none" stroke="#888888" stroke-width="1.2" marker-end="url(#tip)"/>'


def _drawn(box: Box) -> str:
    fill, stroke = COLOURS[box.kind]
    x, y = box.x - box.width / 2, box.y
    lines = [
        f'<text x="{box.x:.1f}" y="{y + PAD / 2 + LINE * (i + 0.75):.1f}" text-anchor="middle" '
        f'fill="{"#000000" if i == 0 else "#666666"}">{escape(line)}</text>'
        for i, line in enumerate(box.lines)
    ]
    title = f"<title>{escape(box.title)}</title>" if box.title else ""
    return (
        f'<g>{title}<rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="4" '
        f'fill="{fill}" stroke="{stroke}"/>{"".join(lines)}</g>'
    )


def _bytes(count: int) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000  # type: ignore[assignment]
    return ""
