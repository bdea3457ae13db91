"""Draws inside a traced program: the same words, formulas and generators as on the host, as JAX operations."""

from jaxgrad.random.traced.discrete import bernoulli as bernoulli
from jaxgrad.random.traced.discrete import bernoulli_each as bernoulli_each
from jaxgrad.random.traced.discrete import random_ as random_
from jaxgrad.random.traced.discrete import randperm as randperm
from jaxgrad.random.traced.floats import GROUP as GROUP
from jaxgrad.random.traced.floats import normal as normal
from jaxgrad.random.traced.floats import uniform as uniform
