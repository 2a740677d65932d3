"""Price in one hour: a small network (torch) that learns the return in units of its σ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ml_pipeline.lesson import Lesson
from ml_pipeline.onnx_graph import Graph
from ml_pipeline.predictor import Predictor
from ml_pipeline.scaling import Scaler

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

_WINSOR = 4.0
"""Returns beyond this many σ are pulled in for fitting (JUDGING: price)."""


@dataclass(frozen=True)
class NetworkMargin:
    """Dense layers with ReLU between them; the answer is the mean return in units of σ.

    Attributes
    ----------
    scaler
        Standardises the columns.
    layers
        Weights [in, out] and biases [out], float32, first layer first.
    """

    scaler: Scaler
    layers: tuple[tuple[Matrix, Matrix], ...]

    @property
    def importance(self) -> Floats:
        """Size of the first layer's weights by column."""
        return np.asarray(np.abs(self.layers[0][0]).sum(axis=1), dtype=np.float64)

    def __call__(self, X: Matrix) -> Floats:
        """Return the margin [n, 1] as torch computes it."""
        with torch.no_grad():
            answer = _network(self.layers)(torch.from_numpy(self.scaler(X)))
        return np.asarray(answer.numpy(), dtype=np.float64)

    def nodes(self, graph: Graph, names: tuple[str, ...]) -> str:
        """Add one Gemm a layer."""
        x = self.scaler.nodes(graph, names)
        for i, (weights, bias) in enumerate(self.layers):
            x = graph.add("Relu", x) if i else x
            x = graph.add("Gemm", x, graph.constant(weights), graph.constant(bias))
        return x


def fit_network(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> NetworkMargin:
    """Train with AdamW and stop when the last part of the training time gets worse.

    Weights and batches are drawn from numpy's generator: torch's global state is left alone, so
    fits beside each other do not disturb each other's numbers.
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    scaler = Scaler.fit(lesson.X)
    learn, watch = lesson.split_tail(float(hyperparams["watch_share"]))
    widths = [lesson.X.shape[1], *hyperparams["hidden"], 1]
    network = _network(_initial(widths, rng))
    optimiser = _AdamW(
        list(network.parameters()),
        float(hyperparams["learning_rate"]),
        float(hyperparams["weight_decay"]),
    )
    x, y = _tensors(scaler, learn)
    x_watch, y_watch = _tensors(scaler, watch)
    best, best_loss, waited = _layers(network), float(torch.square(y_watch).mean()), 0
    for _ in range(int(hyperparams["epochs"])):
        order = torch.from_numpy(rng.permutation(len(x)))
        _epoch(network, optimiser, x, y, order, int(hyperparams["batch"]))
        loss = _loss(network, x_watch, y_watch)
        waited += 1
        if loss < best_loss:
            best, best_loss, waited = _layers(network), loss, 0
        if waited >= int(hyperparams["patience"]):
            break
    return NetworkMargin(scaler, best)


class _AdamW:
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


def _tensors(scaler: Scaler, lesson: Lesson) -> tuple[torch.Tensor, torch.Tensor]:
    z = np.clip(lesson.y[:, :1] / lesson.sigma, -_WINSOR, _WINSOR).astype(np.float32)
    return torch.from_numpy(scaler(lesson.X)), torch.from_numpy(z)


def _initial(widths: list[int], rng: np.random.Generator) -> tuple[tuple[Matrix, Matrix], ...]:
    """He's initialisation; the last layer starts at zero, so that the first forecast is nought."""
    layers = []
    for i, (n, m) in enumerate(pairwise(widths)):
        scale = np.sqrt(2.0 / n) if i < len(widths) - 2 else 0.0
        weights = rng.standard_normal((n, m)) * scale
        layers.append((weights.astype(np.float32), np.zeros(m, dtype=np.float32)))
    return tuple(layers)


def _network(layers: tuple[tuple[Matrix, Matrix], ...]) -> torch.nn.Sequential:
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


def _layers(network: torch.nn.Sequential) -> tuple[tuple[Matrix, Matrix], ...]:
    return tuple(
        (part.weight.detach().numpy().T.copy(), part.bias.detach().numpy().copy())
        for part in network
        if isinstance(part, torch.nn.Linear)
    )


def _epoch(
    network: torch.nn.Sequential,
    optimiser: _AdamW,
    x: torch.Tensor,
    y: torch.Tensor,
    order: torch.Tensor,
    batch: int,
) -> None:
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        loss = torch.square(network(x[rows]) - y[rows]).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _loss(network: torch.nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> float:
    with torch.no_grad():
        return float(torch.square(network(x) - y).mean())


class PricePredictor(Predictor):
    """Predict the price in one hour, with a 90 % interval.

    Examples
    --------
    >>> predictor = PricePredictor()  # doctest: +SKIP
    >>> predictor.train(symbols=["BTC-USDT"], timeframe="1m")  # doctest: +SKIP
    >>> predictor.predict(symbol="BTC-USDT")["predicted_price"]  # doctest: +SKIP
    45240.5
    """

    kind = "price"
