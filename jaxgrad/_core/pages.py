"""Pages from templates that lie beside the code: one way to fill them, strict about names and careful with text."""

from importlib.resources import files
from typing import Any

from jaxgrad._core.optional import require


def filled(
    package: str, template: str, values: dict[str, Any], filters: dict[str, Any], *, extra: str = "report"
) -> str:
    """A template of jinja2, filled.

    Every text is escaped; a name that is not there raises instead of leaving a gap.

    Args:
        package: where the template lies, as ``jaxgrad.parity.report``.
        template: its file name.
        values: what it names.
        filters: functions that it calls.
        extra: of the package, which brings jinja2.

    Returns:
        The text.

    Raises:
        ImportError: jinja2 is not installed.
    """
    jinja2 = require("jinja2", extra=extra, purpose="a page")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= filters
    source = files(package).joinpath(template).read_text(encoding="utf-8")
    return str(environment.from_string(source).render(values))
