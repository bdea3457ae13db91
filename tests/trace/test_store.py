"""A traced module as a file: the same step without torch, and files that are not what they say."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import autograd, random, trace
from jaxgrad.serialization.errors import SerializationError
from jaxgrad.serialization.safetensors import read_safetensors, safetensors_metadata, write_safetensors
from jaxgrad.trace.schema import from_json, to_json
from jaxgrad.trace.store import _digest
from tests.trace.models import torch


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5))
    module[0].bias.requires_grad_(False)
    traced = trace.from_torch(module, torch.nn.functional.mse_loss, (torch.ones(4, 3), torch.ones(4, 4)))
    path = tmp_path_factory.mktemp("trace") / "model.safetensors"
    traced.save(path)
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


def rewritten(path, target, *, graph=None, arrays=None, notes=None):
    """The file with other contents, signed as if it had been written so."""
    held = read_safetensors(path) if arrays is None else arrays
    kept = {**safetensors_metadata(path), **(notes or {})}
    texts = json.loads(kept["jaxgrad.trace"]) if graph is None else [json.dumps(graph)]
    kept |= {"jaxgrad.trace": json.dumps(texts), "digest": _digest(texts, held)}
    write_safetensors(target, held, kept)
    return target


def graph_of(path):
    (text,) = json.loads(safetensors_metadata(path)["jaxgrad.trace"])
    return json.loads(text)


def test_a_changed_file_is_refused(stored, tmp_path):
    _, path = stored
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(100):
        place = int(rng.integers(len(whole)))
        changed = bytes([whole[place] ^ int(rng.integers(1, 256))])
        (tmp_path / "changed.safetensors").write_bytes(whole[:place] + changed + whole[place + 1 :])
        try:
            again = trace.load(tmp_path / "changed.safetensors")
        except SerializationError:
            continue
        assert again.graph == trace.load(path).graph  # a space in the header


def test_tensors_that_do_not_fit_are_refused(stored, tmp_path):
    _, path = stored
    arrays = read_safetensors(path)
    wrong = {**arrays, "params/0.weight": np.zeros((4, 4), np.float32)}
    with pytest.raises(SerializationError, match=r"parameter 0\.weight"):
        trace.load(rewritten(path, tmp_path / "wrong.safetensors", arrays=wrong))
    short = {name: array for name, array in arrays.items() if name != "params/0.weight"}
    with pytest.raises(SerializationError, match="list of its tensors"):
        trace.load(rewritten(path, tmp_path / "short.safetensors", arrays=short))
    write_safetensors(tmp_path / "other.safetensors", arrays, {})
    with pytest.raises(SerializationError, match="no traced module"):
        trace.load(tmp_path / "other.safetensors")


def test_an_unknown_operation_in_a_file_is_refused(stored, tmp_path):
    _, path = stored
    graph = graph_of(path)
    graph["nodes"][0][1] = "os.system"
    with pytest.raises(NotImplementedError, match=r"os\.system"):
        trace.load(rewritten(path, tmp_path / "evil.safetensors", graph=graph))


OTHERS = (
    None,
    True,
    -1,
    0,
    3,
    10**15,
    0.5,
    "",
    "x",
    [],
    [[1]],
    {},
    {"ref": "nobody"},
    {"dtype": "float8"},
    {"a": 1, "b": 2},
)


def mutated(value, rng):
    """A copy with one place changed: another value, one thing less, two things exchanged."""
    places = []

    def walk(at, key):
        places.append((at, key))
        inner = at[key]
        for each in inner.keys() if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else ():
            walk(inner, each)

    whole = [json.loads(json.dumps(value))]
    walk(whole, 0)
    at, key = places[int(rng.integers(len(places)))]
    kind = rng.integers(3)
    if kind == 0 or not isinstance(at[key], list) or len(at[key]) < 2:
        at[key] = OTHERS[int(rng.integers(len(OTHERS)))]
    elif kind == 1:
        del at[key][int(rng.integers(len(at[key])))]
    else:
        first, second = rng.choice(len(at[key]), 2, replace=False)
        at[key][first], at[key][second] = at[key][second], at[key][first]
    return whole[0]


def test_hostile_graphs_are_refused_with_a_sentence_or_run(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout(0.5))
    traced = trace.from_torch(module, torch.nn.functional.mse_loss, (torch.ones(4, 3), torch.ones(4, 2)))
    trace.save(traced, tmp_path / "model.safetensors")
    graph = graph_of(tmp_path / "model.safetensors")
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(150):
        hostile = mutated(graph, rng)
        path = rewritten(tmp_path / "model.safetensors", tmp_path / "hostile.safetensors", graph=hostile)
        try:
            again = trace.load(path)
        except (SerializationError, NotImplementedError):
            refused += 1
            continue
        metas = again.shapes.first.inputs()
        batch = [jax.ShapeDtypeStruct(meta.shape, meta.dtype) for meta in metas]
        jax.eval_shape(
            lambda p, *b, again=again: again.loss_fn(p, *b, generator=random.manual_seed(0)), again.params, *batch
        )
    assert refused > 50
