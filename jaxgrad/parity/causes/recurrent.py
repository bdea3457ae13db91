"""LSTM and GRU in torch's formula, step by step in numpy, with the switches that turn them into another library's."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgrad.parity.causes.context import Array

Options = Mapping[str, Any]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _layers(o: Options) -> int:
    if o.get("bidirectional") or o.get("proj_size"):
        raise ValueError("only one direction, without projection")
    return int(o.get("num_layers", 1))


def _weights(params: Mapping[str, Array], layer: int, gates: int, o: Options) -> tuple[Array, ...]:
    """Weights and biases of a layer; ``order`` says which of torch's gates is taken for each, ``second_bias`` which
    part of ``bias_hh`` is there (all, none, not_new: without the new gate's)."""
    w_ih, w_hh = params[f"weight_ih_l{layer}"], params[f"weight_hh_l{layer}"]
    zero = np.zeros(w_ih.shape[0])
    b_ih, b_hh = params.get(f"bias_ih_l{layer}", zero), params.get(f"bias_hh_l{layer}", zero)
    n = w_ih.shape[0] // gates
    which = o.get("second_bias", "all")
    if which == "none":
        b_hh = zero
    elif which == "not_new":
        b_hh = np.concatenate([b_hh[: 2 * n], zero[2 * n :]])
    elif which == "twice":
        b_hh = b_ih
    order = o.get("order", range(gates))

    def taken(x: Array) -> Array:
        return np.concatenate([x[each * n : (each + 1) * n] for each in order])

    return tuple(taken(each) for each in (w_ih, w_hh, b_ih, b_hh))


def lstm(params: Mapping[str, Array], x: Array, o: Options) -> Array:
    """torch's gates stand in the order input, forget, cell, output."""
    x = np.swapaxes(x, 0, 1) if o.get("batch_first") else x
    for layer in range(_layers(o)):
        w_ih, w_hh, b_ih, b_hh = _weights(params, layer, 4, o)
        n = w_hh.shape[1]
        h, c, out = np.zeros((*x.shape[1:-1], n)), np.zeros((*x.shape[1:-1], n)), []
        for now in x:
            i, f, g, s = np.split(now @ w_ih.T + b_ih + h @ w_hh.T + b_hh, 4, axis=-1)
            c = _sigmoid(f + o.get("forget_bias", 0.0)) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(s) * np.tanh(c)
            out.append(h)
        x = np.stack(out)
    return np.swapaxes(x, 0, 1) if o.get("batch_first") else x


def gru(params: Mapping[str, Array], x: Array, o: Options) -> Array:
    """torch's gates stand in the order reset, update, new; the reset gate acts behind the product."""
    x = np.swapaxes(x, 0, 1) if o.get("batch_first") else x
    for layer in range(_layers(o)):
        w_ih, w_hh, b_ih, b_hh = _weights(params, layer, 3, o)
        n = w_hh.shape[1]
        h, out = np.zeros((*x.shape[1:-1], n)), []
        for now in x:
            a_r, a_z, a_n = np.split(now @ w_ih.T + b_ih, 3, axis=-1)
            u_r, u_z, u_n = np.split(h @ w_hh.T + b_hh, 3, axis=-1)
            r, z = _sigmoid(a_r + u_r), _sigmoid(a_z + u_z)
            if o.get("reset") == "before":
                u_n = (r * h) @ w_hh[2 * n :].T + b_hh[2 * n :]
                new = np.tanh(a_n + u_n)
            else:
                new = np.tanh(a_n + r * u_n)
            h = z * new + (1 - z) * h if o.get("update") == "swapped" else (1 - z) * new + z * h
            out.append(h)
        x = np.stack(out)
    return np.swapaxes(x, 0, 1) if o.get("batch_first") else x
