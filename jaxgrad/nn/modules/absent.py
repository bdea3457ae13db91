"""Methods of ``torch.nn.Module`` that change a module, and what to write instead.

A module here is for building a model and for naming what is in it; what changes are values outside of it.
"""

_CAST = "params = func.cast(params, jnp.bfloat16), with params, buffers = func.extract(model)"
_PLACE = "params = jax.device_put(params, device), with params, buffers = func.extract(model)"
_FREEZE = "frozen parameters are named where gradients are taken: autograd.freeze, or inputs= of autograd.backward"
_HOOK = "model = autograd.{name}(model, 'name.of.the.module', hook), which returns a model with the hook"

REMEDIES = {
    "requires_grad_": _FREEZE,
    "zero_grad": "gradients are returned by autograd.backward, not kept: give it grads= to add to earlier ones",
    "to": f"{_PLACE}; {_CAST}",
    "cuda": _PLACE,
    "cpu": _PLACE,
    "xpu": _PLACE,
    "mtia": _PLACE,
    "ipu": _PLACE,
    "to_empty": _PLACE,
    "type": _CAST,
    "half": _CAST,
    "float": _CAST,
    "double": _CAST,
    "bfloat16": _CAST,
    "share_memory": "arrays do not change, and need no sharing",
    "compile": "jax.jit around a function that calls func.functional_call(model, params, x)",
    "load_state_dict": "model = func.bind(model, state_dict), which returns a model with these values",
    "set_submodule": "set the attribute",
    **{
        name: _HOOK.format(name=name)
        for name in (
            "register_forward_hook",
            "register_forward_pre_hook",
            "register_full_backward_hook",
            "register_full_backward_pre_hook",
        )
    },
    "register_backward_hook": _HOOK.format(name="register_full_backward_hook"),
}
"""What to do instead, by the name of the method."""
