"""One question per file, answered in JAX and, where torch is installed, in PyTorch beside it.

``python -m experiments list`` names them, ``python -m experiments run zero_grad`` runs one. An experiment is a module
of this package that defines ``EXPERIMENT``; adding one is adding a file.
"""
