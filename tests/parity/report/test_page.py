"""The page: one file that needs nothing else, every part in its place, nothing of a user's text taken for HTML."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from jaxgrad.parity.report import Divergence, Draws, Report, TensorDistance, drift, grid
from jaxgrad.parity.report.page import render
from tests.parity.report.samples import distances, diverged, equal

pytest.importorskip("jinja2")

VOID = {"meta", "rect", "line", "circle", "polyline", "br", "wbr"}


class Structure(HTMLParser):
    """Every element closed by its own, identifiers unique, links inside the page; the words apart."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.links, self.words, self.sources = [], [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        self.sources += [found[name] for name in ("src", "srcset", "action", "data") if name in found]
        if tag not in VOID:
            self.open.append(tag)

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))


def page(report):
    html = render(report)
    found = Structure(html)
    assert not found.open and len(found.ids) == len(set(found.ids)) and not found.sources
    assert all(link.startswith("#") and link[1:] in found.ids for link in found.links), found.links
    assert "http" not in html and "url(" not in html and "@import" not in html
    return html, found


def test_everything_is_there_and_in_order():
    html, found = page(diverged())
    wanted = [
        "Equal through step 7; at step 8 optimizer.exp_avg_sq['fc1.weight'] differs 400 times",
        "because eps is inside the root",
        "0.0001234568",
        "0.0001234617",
        "still agree",
        "train.py:41",
        "port.py:88",
        "Steps and phases",
        "Drift",
        "the remaining difference is 3.1e-16",
        "reference, candidate, batches = parity_case()",
        "Tensors by step",
        "How it was judged",
        "2.13.0+cpu",
    ]
    at = [found.text.index(words) for words in wanted]
    assert at == sorted(at)
    assert html.count('class="first"') == 1 and "#first" in found.links and found.ids.count("first") == 1
    assert "prefers-color-scheme: dark" in html and "@media print" in html and "width=device-width" in html


def test_an_equal_report():
    _, found = page(equal())
    assert "Equal through all 5 steps" in found.text and "Where they part" not in found.text and "Why" not in found.text


@pytest.mark.parametrize(
    "report",
    [
        Report(ok=True),
        Report(ok=False),
        Report(ok=False, steps=1, first=Divergence(0, "params", "w", "missing")),
        Report(ok=False, first=Divergence(3, "loss", "loss", "nonfinite", (), 1.0, float("nan"), ratio=float("inf")),
               distances=(TensorDistance(3, "loss", "loss", "nonfinite", ratio=float("inf"), element=()),)),
        Report(ok=False, first=Divergence(1, "generator", "position", "differs", (), 640, 641), steps=2,
               draws=(Draws(0, 3, 3), Draws(1, 640, 641, ("a.py:1 F.dropout(x)",), ("b.py:2 x", "b.py:3 y")))),
    ],
    ids=["empty", "without a place", "missing", "nan", "streams apart"],
)  # fmt: skip
def test_reports_that_know_little(report):
    page(report)
    str(report)


def test_streams_apart_are_said():
    report = Report(False, draws=(Draws(0, 3, 3), Draws(1, 640, 641, ("a.py:1 F.dropout(x)",))))
    assert "After step 1 torch has drawn to 640, the candidate to 641" in page(report)[1].text


def test_a_users_text_is_text():
    evil = "<script>alert(1)</script>`&\"'"
    first = replace(diverged().first, reference_source=f"a.py:1 {evil}", module=evil, agreeing=(evil,), tensor=evil)
    report = replace(
        diverged(), first=first, reproduction=evil, environment={"reference": {evil: evil}}, meta={evil: evil}
    )
    html, found = page(report)
    assert html.count("<script>") == 1 and "alert(1)" in found.text


def test_long_runs_stay_readable():
    many = [TensorDistance(i, "grads", f"layer{j}.weight", "within" if (i + j) % 7 else "differs", ratio=4.0 * j)
            for i in range(300) for j in range(120)]  # fmt: skip
    html, found = page(
        Report(False, steps=300, first=Divergence(2, "grads", "layer5.weight", "differs"), distances=tuple(many))
    )
    assert len(html) < 1_500_000 and "260 more steps" in found.text
    assert html.count('scope="row"') <= 60


def test_the_file_is_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    equal().save_html(path)
    before = path.read_text()
    monkeypatch.setattr("os.fsync", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        diverged().save_html(path)
    assert path.read_text() == before and list(tmp_path.iterdir()) == [path]


def test_rows_of_the_grid():
    rows = grid.rows(distances(12, 8))
    assert [row.label for row in rows] == ["0-7", "8", "9-11"]
    assert [cell.look for cell in rows[1].cells] == ["equal", *["within"] * 4, "equal", "differs", "differs"]
    assert "and 3 more" in rows[1].cells[6].words and "at most" in rows[0].cells[1].words
    alternating = [TensorDistance(i, "loss", "loss", "within" if i % 2 else "differs", ratio=1.0) for i in range(100)]
    folded = grid.rows(alternating)
    assert len(folded) == 60 and folded[-1].label == "59-99" and folded[-1].cells[0].look == "differs"


def test_the_figure():
    found = drift.figure(distances(12, 8), 3.0, 8)
    tops = {line.name: line.points for line in found.lines}
    assert set(tops) == set(drift.GROUPS) and len(tops["optimizer"]) == 12
    above = [y < found.band for _, y in tops["optimizer"]]
    assert above == [False] * 8 + [True] * 4, "smaller y is further up"
    assert found.first == tops["optimizer"][8][0]
    assert drift.figure(distances(1), 3.0, None) is None and drift.figure([], 3.0, None) is None


@pytest.mark.parametrize("ratio", [0.0, float("inf"), float("nan"), 1e300, 1e-300])
def test_the_figure_of_odd_ratios_stays_inside(ratio):
    found = drift.figure(
        [TensorDistance(i, "loss", "loss", "differs", ratio=ratio if i else 1.0) for i in range(4)], 3.0, 1
    )
    for line in found.lines if found else ():
        assert all(drift.TOP <= y <= drift.HEIGHT - drift.BOTTOM for _, y in line.points)
