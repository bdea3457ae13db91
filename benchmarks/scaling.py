"""How the time of a step grows with the number of devices, measured and predicted.

    python -m benchmarks.scaling [--virtual 8] [--rows 64] [--width 512] [--rounds 9] [--write docs/scaling.md]

Each device gets the same number of rows (weak scaling), so that a step takes at best as long as on one device. For each
number of devices N the script measures a step with the state repeated ("data") and split ("fsdp"), and an all-reduce by
itself for several sizes, from which come a latency a and a bandwidth b:

    all-reduce of S bytes:  t(S, N) = 2 (N - 1) (a + S / (N b))          a ring
    a step:                 T(N) = T(1) max(1, N / cores) + t(S, N)      S: bytes of the gradients

``cores`` counts where devices are virtual and share a processor (``--virtual``, for trying the script out: XLA takes
all cores for one device already, so figures of such a run say nothing about a real machine); on real devices it is N.
The table shows both; the last rows are predictions for more devices than there are.
"""

import argparse
import itertools
import json
import os
import statistics
import sys
import time

SIZES = [1 << 12, 1 << 16, 1 << 20, 1 << 24]


def seconds(call, rounds):
    """Median time of a call that hands back arrays; the first, which compiles, does not count."""
    import jax

    jax.block_until_ready(call())
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        jax.block_until_ready(call())
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def step_time(devices, axis, rows, width, rounds):
    """Seconds of a step of a perceptron on these devices, and the bytes of its gradients."""
    import jax
    import numpy as np

    from jaxgrad import func, nn, optim, random, train
    from jaxgrad.nn import functional as F

    mesh = jax.sharding.Mesh(np.array(devices), (axis,))
    rngs = nn.Rngs(random.manual_seed(0))
    sizes = (784, width, width, 10)
    layers = [nn.Linear(a, b, rngs=rngs) for a, b in itertools.pairwise(sizes)]
    model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    params, _ = func.extract(model)
    tx = optim.AdamW()
    step = train.make_train_step(train.supervised(model, F.cross_entropy), tx, mesh=mesh)
    kept = [train.shard(train.init_state(params, tx), mesh)]
    count = rows * len(devices)
    x, y = np.ones((count, 784), np.float32), np.zeros(count, np.int32)
    batch = train.shard_batch((x, y), mesh)

    def call():
        kept[0], metrics = step(kept[0], batch)
        return kept[0], metrics

    return seconds(call, rounds), sum(leaf.nbytes for leaf in params.values())


def ring(devices, rounds):
    """Latency and bandwidth of one hop, by least squares over several sizes."""
    import jax
    import numpy as np
    from jax.sharding import PartitionSpec as P

    mesh = jax.sharding.Mesh(np.array(devices), ("data",))
    n = len(devices)
    hops = 2 * (n - 1)
    rows = []
    for size in SIZES:
        x = jax.device_put(np.ones((n, size // 4), np.float32), jax.sharding.NamedSharding(mesh, P("data")))
        reduce = jax.shard_map(lambda x: jax.lax.psum(x, "data"), mesh=mesh, in_specs=P("data"), out_specs=P())
        compiled = jax.jit(reduce)
        rows.append((hops, hops * size / n, seconds(lambda compiled=compiled, x=x: compiled(x), rounds)))
    table = np.array(rows)
    weight = 1 / table[:, 2]  # relative errors: the small sizes say what the latency is
    (latency, per_byte), *_ = np.linalg.lstsq(table[:, :2] * weight[:, None], np.ones(len(table)), rcond=None)
    return max(latency, 0.0), 1 / max(per_byte, 1e-15)


def predicted(alone, size, n, latency, bandwidth, cores):
    return alone * max(1.0, n / cores) + 2 * (n - 1) * (latency + size / (n * bandwidth))


def measure(rows, width, rounds, cores):
    import jax

    devices = jax.devices()
    counts = [n for n in (1, 2, 4, 8, 16, 32) if n <= len(devices)]
    found = []
    for n in counts:
        data, size = step_time(devices[:n], "data", rows, width, rounds)
        split, _ = step_time(devices[:n], "fsdp", rows, width, rounds)
        found.append({"devices": n, "data": data, "fsdp": split})
    latency, bandwidth = ring(devices[: counts[-1]], rounds) if counts[-1] > 1 else (0.0, float("inf"))
    for each in found:
        each["predicted"] = predicted(found[0]["data"], size, each["devices"], latency, bandwidth, cores)
    more = [{"devices": n} for n in (16, 64, 256) if n > counts[-1]] if counts[-1] > 1 else []
    for each in more:
        each["predicted"] = predicted(found[0]["data"], size, each["devices"], latency, bandwidth, max(cores, 256))
    return {
        "device": devices[0].device_kind,
        "shared cores": None if cores == sys.maxsize else cores,
        "rows of a device": rows,
        "bytes of the gradients": size,
        "latency": latency,
        "bandwidth": bandwidth,
        "steps": [*found, *more],
    }


_VIRTUAL = """\
These devices are virtual and share {cores} cores, all of which one device takes already: beyond it a step is predicted
to take N / {cores} times as long, and takes longer still. The rows without a measurement are for devices of their own,
joined by hops as slow as these."""


def table(result):
    def shown(value):
        return "" if value is None else f"{1e3 * value:.2f} ms"

    size, hop = result["bytes of the gradients"] / 1e6, (1e6 * result["latency"], result["bandwidth"] / 1e9)
    lines = [
        f"{result['device']}, {result['rows of a device']} rows a device, {size:.2f} MB of gradients; "
        f"one hop: {hop[0]:.1f} us and {hop[1]:.2f} GB/s.",
        "",
        "| devices | repeated (data) | split (fsdp) | predicted |",
        "|---|---|---|---|",
    ]
    for each in result["steps"]:
        cells = (shown(each.get(name)) for name in ("data", "fsdp", "predicted"))
        lines.append(f"| {each['devices']} | {' | '.join(cells)} |")
    if result["shared cores"]:
        lines += ["", _VIRTUAL.format(cores=result["shared cores"])]
    return "\n".join(lines)


def write_into(path, text):
    """Between the marks of a file."""
    from jaxgrad.serialization.atomic import replacing

    with open(path) as file:
        before, _, rest = file.read().partition("<!-- scaling -->\n")
    _, _, after = rest.partition("<!-- /scaling -->\n")
    with replacing(path) as temporary, open(temporary, "w") as file:
        file.write(f"{before}<!-- scaling -->\n{text}\n<!-- /scaling -->\n{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--virtual", type=int, help="so many virtual devices of the processor")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", help="where to put the numbers")
    parser.add_argument("--write", help="the file whose table is to be replaced")
    asked = parser.parse_args()
    if asked.virtual:
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={asked.virtual}"
    cores = len(os.sched_getaffinity(0)) if asked.virtual else sys.maxsize
    result = measure(asked.rows, asked.width, asked.rounds, cores)
    print(table(result))
    if asked.json:
        with open(asked.json, "w") as file:
            json.dump(result, file, indent=1)
    if asked.write:
        write_into(asked.write, table(result))


if __name__ == "__main__":
    main()
