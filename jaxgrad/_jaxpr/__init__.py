"""Everything that reads JAX's traces, and the only place that touches what JAX does not promise to keep."""
