"""How the operands of a traced ``jax.lax.scan`` divide: constants first, then the carry, then what is scanned over."""

from jax.extend.core import JaxprEqn


def scan_sizes(eqn: JaxprEqn) -> tuple[int, int]:
    """``(constants, carry)`` of a scan's equation, in the form of JAX before 0.11 or since.

    >>> import jax
    >>> jaxpr = jax.make_jaxpr(lambda a, x: jax.lax.scan(lambda carry, x: (carry + a * x, x), 0.0, x))(
    ...     1.0, jax.numpy.ones(3)
    ... )
    >>> scan_sizes(jaxpr.eqns[-1])
    (1, 1)
    """
    params = eqn.params
    if "num_carry" in params:
        return params["num_consts"], params["num_carry"]
    constants, carry, _ = params["ft_in"].update(range(len(eqn.invars))).unpack()
    return len(list(constants)), len(list(carry))
