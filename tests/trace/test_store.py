"""A traced module as a file: the same step without torch, and files that are not what they say."""

import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import autograd, random, trace
from jaxgrad.serialization.errors import SerializationError
from jaxgrad.serialization.safetensors import read_safetensors, safetensors_metadata, write_safetensors
from jaxgrad.trace.schema import from_json, to_json
from tests.trace.models import torch


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5))
    module[0].bias.requires_grad_(False)
    traced = trace.from_torch(module, torch.nn.functional.mse_loss, (torch.ones(4, 3), torch.ones(4, 4)))
    path = tmp_path_factory.mktemp("trace") / "model.safetensors"
    trace.save(traced, path)
    return traced, path


def answer(traced):
    x = jnp.arange(12.0).reshape(4, 3)
    return autograd.backward(
        lambda p: traced.loss_fn(p, x, jnp.ones((4, 4)), generator=random.manual_seed(3)), traced.params, has_aux=True
    )


def test_what_is_read_does_the_same(stored):
    traced, path = stored
    again = trace.load(path)
    assert again.graph == traced.graph and again.frozen == traced.frozen == {"0.bias"}
    ((loss, aux), grads), ((loss2, aux2), grads2) = answer(traced), answer(again)
    assert loss == loss2
    assert aux.generator.get_state().tobytes() == aux2.generator.get_state().tobytes()
    assert grads["0.bias"] is None and grads2["0.bias"] is None
    np.testing.assert_array_equal(grads["0.weight"], grads2["0.weight"])
    assert list(again.params) == list(traced.params) and list(again.buffers) == list(traced.buffers)


def test_torch_is_not_needed(stored):
    _, path = stored
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import jax.numpy as jnp\nfrom jaxgrad import random, trace\n"
        f"traced = trace.load({str(path)!r})\n"
        "loss, aux = traced.loss_fn(traced.params, jnp.ones((4, 3)), jnp.ones((4, 4)), "
        "generator=random.manual_seed(3))\nprint(float(loss))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert np.isfinite(float(printed))


def test_a_graph_survives_the_way_through_text(stored):
    traced, _ = stored
    assert from_json(to_json(traced.graph)) == traced.graph


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, '{"format": 1}', '{"format": 2, "nodes": []}', "nan"])
def test_nonsense_is_refused(text):
    with pytest.raises(SerializationError):
        from_json(text)


def test_mutated_graphs_are_refused_or_are_graphs(stored):
    """Every change of the text is refused with a sentence, or gives a graph whose nodes read what is there."""
    traced, _ = stored
    text = to_json(traced.graph)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        place = int(rng.integers(len(text)))
        mutated = text[:place] + chr(rng.integers(32, 127)) + text[place + int(rng.integers(0, 3)) :]
        try:
            from_json(mutated)
        except SerializationError:
            refused += 1
    assert refused > 100


def test_tensors_that_do_not_fit_are_refused(stored, tmp_path):
    _, path = stored
    arrays, notes = read_safetensors(path), safetensors_metadata(path)
    wrong = {**arrays, "params/0.weight": np.zeros((4, 4), np.float32)}
    write_safetensors(tmp_path / "wrong.safetensors", wrong, notes)
    with pytest.raises(SerializationError, match=r"parameter 0\.weight"):
        trace.load(tmp_path / "wrong.safetensors")
    short = {name: array for name, array in arrays.items() if name != "params/0.weight"}
    write_safetensors(tmp_path / "short.safetensors", short, notes)
    with pytest.raises(SerializationError, match="list of its tensors"):
        trace.load(tmp_path / "short.safetensors")
    write_safetensors(tmp_path / "other.safetensors", arrays, {})
    with pytest.raises(SerializationError, match="no traced module"):
        trace.load(tmp_path / "other.safetensors")


def test_an_unknown_operation_in_a_file_is_refused(stored, tmp_path):
    _, path = stored
    arrays, notes = read_safetensors(path), safetensors_metadata(path)
    (text,) = json.loads(notes["jaxgrad.trace"])
    graph = json.loads(text)
    graph["nodes"][0][1] = "os.system"
    write_safetensors(
        tmp_path / "evil.safetensors", arrays, {**notes, "jaxgrad.trace": json.dumps([json.dumps(graph)])}
    )
    with pytest.raises(NotImplementedError, match=r"os\.system"):
        trace.load(tmp_path / "evil.safetensors")
