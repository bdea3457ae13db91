"""From the generator's 32-bit words to numbers: the twister, torch's float32 arithmetic, and the same fused by XLA.

How one distribution, ``normal``, is spread over the package, and why:

1. ``continuous.normal`` is what a user calls: it checks the arguments and says where the numbers are computed.
2. ``dispatch.draw`` chooses: on the host, in a program on the generator's device, or within a traced program.
3. ``host.normal`` fills a numpy array; fewer than 16 values and float64 go through the C library, as torch's do.
4. ``traced.normal`` is the same as JAX operations, for whole groups of 16 in at most float32.
5. Both take their arithmetic from here: ``mt19937`` gives words to traced code (numpy's own twister to the host),
   ``formulas`` has torch's logarithm and cosine step by step, written once for numpy and JAX,
   ``fused`` is the same in the processor's multiply-add, with known words that prove it rounds as torch's.

Every other distribution takes the same way; those built on double-precision logarithms have no traced form and call
back to the host. A new one is a function in ``continuous`` or ``discrete``, one in ``host``, and perhaps one in
``traced``.
"""
