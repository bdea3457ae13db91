"""What a comparison found, and how it is shown.

- ``parts``, ``model``: the report as a value; ``plain``: as JSON
- ``words``: the verdict in one sentence; ``card``: what a person needs first
- ``grid``, ``drift``: steps against phases, and the figure; ``terminal``, ``page``: where they are shown
"""

from jaxgrad.parity.report.model import KINDS, Cause, Divergence, Draws, Report, TensorDistance

__all__ = ["KINDS", "Cause", "Divergence", "Draws", "Report", "TensorDistance"]
