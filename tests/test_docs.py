"""The documentation: its code runs and prints what it says, its pages are current, its links and anchors resolve."""

import contextlib
import doctest
import importlib
import importlib.util
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.M | re.S)
NOT_RUN = {
    "porting.md": "generated from sources that tests/parity/porting runs",
    "scaling.md": "parts of programs for several processes and hosts, which tests/train starts",
}
"""Pages whose blocks are no program by themselves; the names they use must exist all the same."""

PAGES = [page for page in sorted(DOCS.glob("*.md")) if "```python" in page.read_text(encoding="utf-8")]


def blocks(page: Path) -> list[tuple[int, str, str | None]]:
    """Line, code, and what is to be printed: the ``text`` block behind it, if nothing stands between."""
    text = page.read_text(encoding="utf-8")
    found = list(FENCE.finditer(text))
    made = []
    for this, after in zip(found, [*found[1:], None], strict=True):
        if this[1] == "python":
            printed = after is not None and after[1] == "text" and not text[this.end() : after.start()].strip()
            made.append((text[: this.start()].count("\n") + 2, this[2], after[2] if printed else None))
    return made


def run(code: str, name: str, line: int, namespace: dict) -> str:
    """Execute a block; what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        if code.startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(code, namespace, name, name, line)
            runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
            runner.run(test, out=sys.stderr.write, clear_globs=False)
            namespace.update(test.globs)
            assert not runner.failures, f"{name}:{line}"
        else:
            exec(compile("\n" * (line - 1) + code, name, "exec"), namespace)
    return out.getvalue()


def run_page(page: Path) -> None:
    namespace = {"__name__": f"docs.{page.stem}"}
    for line, code, expected in blocks(page):
        printed = run(code, page.name, line, namespace)
        if expected is not None:
            assert printed == expected, f"{page.name}:{line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_runs_and_prints_what_it_says(page, tmp_path, monkeypatch):
    if page.name in NOT_RUN:
        _names_exist(page)
        return
    if re.search(r"^import torch$", page.read_text(encoding="utf-8"), flags=re.M):
        pytest.importorskip("torch", reason="the reference is not installed")
    monkeypatch.chdir(tmp_path)
    run_page(page)


def _names_exist(page: Path) -> None:
    for line, code, _ in blocks(page):
        compile(code, f"{page.name}:{line}", "exec")
        for room, name in re.findall(r"\b(train|optim|func|nn|random|serialization|parity)\.(\w+)", code):
            if f"flax.linen as {room}" not in page.read_text(encoding="utf-8"):
                assert hasattr(importlib.import_module(f"jaxgrad.{room}"), name), f"{page.name}:{line}: {room}.{name}"


def test_a_wrong_output_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1)\n```\n\n```text\n2\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:2"):
        run_page(page)


@pytest.mark.parametrize("name", ["from-torch.md", "differences.md", "_static/graph.svg"])
def test_generated_pages_are_current(name):
    pytest.importorskip("torch", reason="torch's names are read from it")
    from docs import make_tables

    made, kept = make_tables.PAGES[name](), (DOCS / name).read_text(encoding="utf-8")
    assert made == kept, "python -m docs.make_tables"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_to_files_lead_somewhere(name):
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)[^)]*\)", (ROOT / name).read_text(encoding="utf-8"))
    assert links and not [each for each in links if not (ROOT / each).exists()]


def test_the_site_is_built_without_a_warning(tmp_path):
    """A link or an anchor that leads nowhere is a warning, and so is a page that nothing leads to."""
    if importlib.util.find_spec("sphinx") is None:
        pytest.skip("the generator is not installed: pip install 'jaxgrad[docs]'")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "-q", str(DOCS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Glossary" in (tmp_path / "index.html").read_text(encoding="utf-8")
