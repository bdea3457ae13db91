"""What of the sides needs torch: imported when it is first asked for, with a sentence where torch is missing."""

from jaxgrad._core.optional import require

require("torch", extra="torch", purpose="a reference in torch")

from jaxgrad.parity.sides.torch_reference import from_torch as from_torch  # noqa: E402
