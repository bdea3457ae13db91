"""Comparison of two runs: distances in units of the reference's own rounding, and where they part first.

- ``measure``: all tensors of a phase at once
- ``judge``: what a distance means
- ``observe``: the runs that a verdict needs (the reference in float64, from perturbed starts)
- ``names``: which of the candidate's arrays is which of the reference's
- ``locate``: the first divergence
- ``compare``: the whole
"""
