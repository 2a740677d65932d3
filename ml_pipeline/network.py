"""Dense layers (torch), trained with AdamW: small, seeded from numpy, the same to the last bit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from ml_pipeline.onnx_graph import Graph
from ml_pipeline.scaling import Scaler

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Layers = tuple[tuple[Matrix, Matrix], ...]
"""Weights [in, out] and biases [out], float32, first layer first."""


@dataclass(frozen=True)
class NetworkMargin:
    """Dense layers with ReLU between them.

    Attributes
    ----------
    scaler
        Standardises the columns.
    layers
        See `Layers`; the last one has K outputs.
    """

    scaler: Scaler
    layers: Layers

    @property
    def importance(self) -> Floats:
        """Size of the first layer's weights by column."""
        return np.asarray(np.abs(self.layers[0][0]).sum(axis=1), dtype=np.float64)

    def __call__(self, X: Matrix) -> Floats:
        """Return the outputs [n, K] as torch computes them."""
        with torch.no_grad():
            answer = network_of(self.layers)(torch.from_numpy(self.scaler(X)))
        return np.asarray(answer.numpy(), dtype=np.float64)

    def nodes(self, graph: Graph, names: tuple[str, ...]) -> str:
        """Add one Gemm a layer."""
        x = self.scaler.nodes(graph, names)
        for i, (weights, bias) in enumerate(self.layers):
            x = graph.add("Relu", x) if i else x
            x = graph.add("Gemm", x, graph.constant(weights), graph.constant(bias))
        return x


class AdamW:
    """AdamW (Loshchilov and Hutter 2019, ICLR) with its usual constants.

    torch's own gives the same steps, but making the first one imports torch's compiler: three
    seconds, against less than one for a whole fit.
    """

    def __init__(self, parameters: list[torch.nn.Parameter], rate: float, decay: float) -> None:
        self.parameters = parameters
        self.rate, self.decay, self.steps = rate, decay, 0
        self.mean = [torch.zeros_like(p) for p in parameters]
        self.square = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters along their gradients, which are then forgotten."""
        self.steps += 1
        first, second = 1 - 0.9**self.steps, 1 - 0.999**self.steps
        for p, mean, square in zip(self.parameters, self.mean, self.square, strict=True):
            if p.grad is None:
                continue
            mean.lerp_(p.grad, 0.1)
            square.mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
            p.mul_(1 - self.rate * self.decay)
            p.addcdiv_(mean, (square / second).sqrt_().add_(1e-8), value=-self.rate / first)
            p.grad = None


def initial(widths: list[int], rng: np.random.Generator) -> Layers:
    """He's initialisation; the last layer starts at zero, so that the first answer is nought."""
    layers = []
    for i, (n, m) in enumerate(pairwise(widths)):
        scale = np.sqrt(2.0 / n) if i < len(widths) - 2 else 0.0
        weights = rng.standard_normal((n, m)) * scale
        layers.append((weights.astype(np.float32), np.zeros(m, dtype=np.float32)))
    return tuple(layers)


def network_of(layers: Layers) -> torch.nn.Sequential:
    """Return the layers as a torch module with copies of the weights."""
    parts: list[torch.nn.Module] = []
    for i, (weights, bias) in enumerate(layers):
        if i:
            parts.append(torch.nn.ReLU())
        linear: torch.nn.Linear = torch.nn.utils.skip_init(  # type: ignore[no-untyped-call]
            torch.nn.Linear, *weights.shape
        )
        linear.weight = torch.nn.Parameter(torch.from_numpy(weights.T.copy()))
        linear.bias = torch.nn.Parameter(torch.from_numpy(bias.copy()))
        parts.append(linear)
    return torch.nn.Sequential(*parts)


def layers_of(network: torch.nn.Sequential, output: int) -> Layers:
    """Return copies of the weights, of the last layer those of one output only."""
    layers = [
        (part.weight.detach().numpy().T.copy(), part.bias.detach().numpy().copy())
        for part in network
        if isinstance(part, torch.nn.Linear)
    ]
    weights, bias = layers[-1]
    one = slice(output, output + 1)
    layers[-1] = (weights[:, one].copy(), bias[one].copy())
    return tuple(layers)
