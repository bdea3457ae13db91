"""The versions that are supported, tried: ``make test-matrix``.

Python 3.11 to 3.13, each with the oldest and the newest JAX that pyproject.toml allows. An interpreter that is not
installed is skipped and said so.
"""

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False

OLDEST = ["jax==0.10.2", "jaxlib==0.10.2", "flax==0.12.7", "optax==0.2.8", "numpy>=2"]
NEWEST = ["jax<0.13", "jaxlib<0.13", "flax", "optax", "numpy"]


@nox.session(python=["3.11", "3.12", "3.13"])
@nox.parametrize("versions", [nox.param(OLDEST, id="oldest"), nox.param(NEWEST, id="newest")])
def tests(session: nox.Session, versions: list[str]) -> None:
    """The tests without the long sweeps; arguments after ``--`` take their place."""
    session.install("--editable", ".[dev]", *versions)
    session.run("python", "-m", "pytest", *(session.posargs or ["-m", "not slow and not exhaustive", "-q"]))
