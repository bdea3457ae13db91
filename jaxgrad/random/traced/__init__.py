"""Draws inside a traced program: the same words, formulas and generators as on the host, as JAX operations."""

from jaxgrad.random.traced.discrete import bernoulli, bernoulli_each, random_, randperm
from jaxgrad.random.traced.floats import GROUP, normal, uniform

__all__ = [
    "bernoulli",
    "bernoulli_each",
    "random_",
    "randperm",
    "GROUP",
    "normal",
    "uniform",
]
