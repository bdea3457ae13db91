"""Torch's step: eager with one thread and with all of them, compiled, and on a GPU recorded as a CUDA graph."""

import logging
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.common.speed.workloads import Workload
from experiments.common.timing import torch_device
from jaxgrad.parity.catalog.models import torch_library

COMPILED, RECORDED = "torch.compile", "torch, CUDA graph"


def candidates(workload: Workload, seed: int, steps: int, compiled: bool) -> dict[str, Callable[[], Any]]:
    """What is timed, on the device that JAX uses; ``compiled`` asks for ``torch.compile`` too."""
    import torch

    logging.getLogger("torch._dynamo").setLevel(logging.ERROR)  # which tells of the optimizer's marks for the profiler
    device = torch_device()
    on_gpu = device == "cuda"
    if on_gpu:
        torch.backends.cudnn.allow_tf32 = False  # as torch's matrix products and, in this experiment, JAX's
    x, y = (torch.from_numpy(each).to(device) for each in workload.batches(np.random.default_rng(seed), steps))

    def made(**capturable: bool) -> Callable[[Any, Any], None]:
        torch.manual_seed(seed)
        lib = torch_library()
        model = workload.build(lib).to(device)
        criterion = workload.loss(lib.F)
        name, options = workload.optimizer
        optimizer = getattr(torch.optim, name)(model.parameters(), **options, **capturable)

        def step(x: Any, y: Any) -> None:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()

        return step

    def candidate(threads: int, compiled: bool) -> Callable[[], None]:
        one_step = torch.compile(made()) if compiled else made()

        def run() -> None:
            torch.set_num_threads(threads)
            for batch in zip(x, y, strict=True):
                one_step(*batch)
            if on_gpu:
                torch.cuda.synchronize()

        return run

    def recorded() -> Callable[[], None]:
        step = made(**{"capturable": True} if workload.optimizer[0].startswith("Adam") else {})
        own = x[0].clone(), y[0].clone()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                step(*own)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step(*own)

        def run() -> None:
            for batch in zip(x, y, strict=True):
                for mine, given in zip(own, batch, strict=True):
                    mine.copy_(given)
                graph.replay()
            torch.cuda.synchronize()

        return run

    cores = 1 if on_gpu else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = {f"torch eager, {n} thread{'s' if n > 1 else ''}": candidate(n, False) for n in sorted({1, cores})}
    if on_gpu:
        found[RECORDED] = recorded()
    if compiled:
        found[COMPILED] = candidate(cores, True)
    return found
