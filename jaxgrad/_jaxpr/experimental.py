"""Parts of ``jax.experimental`` that users meet: sparse arrays, and checks inside compiled functions."""

from jax.experimental import checkify as checkify
from jax.experimental.sparse import BCOO as BCOO
