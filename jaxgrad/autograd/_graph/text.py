"""The computational graph as text: an indented tree, and Graphviz's language."""

from typing import Any


def label(node: Any) -> str:
    """A node in one line: name, leaf, shape of its output."""
    variable = f" {node.variable}" if node.variable else ""
    return f"{node.name}{variable} {list(node.shape)}"


def text(graph: Any) -> str:
    """A tree from the outputs to the leaves; a node that was shown already is shown by name with a return sign."""
    shown: set[int] = set()
    lines: list[str] = []
    rows: list[tuple[Any, str, str]] = []
    for value in reversed(graph.outputs):
        if value is None:
            rows.append((None, "", ""))
        else:
            rows.append((value[0], "", ""))
    while rows:
        node, first, following = rows.pop()
        if node is None:
            lines.append(f"{first}None (requires no grad)")
            continue
        again = id(node) in shown and any(n is not None for n, _ in node.next_functions)
        saves = f", saves {' + '.join(map(str, node.saved))}" if node.saved and not again else ""
        lines.append(f"{first}{label(node)}{saves}{' ↩' if again else ''}")
        if again:
            continue
        shown.add(id(node))
        children = [n for n, _ in node.next_functions if n is not None]
        for k, child in reversed(list(enumerate(children))):
            last = k == len(children) - 1
            rows.append((child, following + ("└─ " if last else "├─ "), following + ("   " if last else "│  ")))
    return "\n".join(lines)


def dot(graph: Any) -> str:
    """A digraph whose edges point the way of the gradient."""
    nodes = graph.nodes
    index = {id(node): i for i, node in enumerate(nodes)}
    lines = ["digraph backward {", '  node [shape=box, fontname="sans-serif"];']
    for i, node in enumerate(nodes):
        saved = "".join(f"\\nsaves {tensor}" for tensor in node.saved)
        style = ', style=filled, fillcolor="#d9ead3"' if node.variable else ""
        lines.append(f'  n{i} [label="{_escaped(label(node))}{_escaped(saved, keep_lines=True)}"{style}];')
    for i, node in enumerate(nodes):
        for operand, (following, _) in enumerate(node.next_functions):
            if following is not None:
                many = sum(n is not None for n, _ in node.next_functions) > 1
                note = f' [taillabel="{operand}"]' if many else ""
                lines.append(f"  n{i} -> n{index[id(following)]}{note};")
    return "\n".join([*lines, "}"])


def _escaped(words: str, keep_lines: bool = False) -> str:
    if not keep_lines:
        words = words.replace("\\", "\\\\")
    return words.replace('"', '\\"')
