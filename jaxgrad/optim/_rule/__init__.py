"""What lifts torch's rule for one tensor to trees of parameters, and what the rules are written with.

``rule`` holds the two halves of an optimizer together, ``lifted`` applies them to trees and groups, ``state`` is what
is remembered between steps. The halves are written with ``arithmetic`` (torch's operations on tensors, with their
rounding) and in ``precision`` (torch's doubles on the host).
"""
