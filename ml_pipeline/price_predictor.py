"""Price in one hour: a small network (torch) with a Gaussian head.

It learns mean and scale of the return in units of the baseline's σ by the Gaussian negative
log-likelihood of winsorised returns. Likelihood rather than quantiles: the mean it gives is the
forecast whose squared error is judged, the scale is one number that moves the whole interval, and
the level of the interval is the conformal quantile's business, not the network's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ml_pipeline.lesson import Lesson
from ml_pipeline.network import AdamW, NetworkMargin, initial, layers_of, network_of
from ml_pipeline.onnx_graph import Graph
from ml_pipeline.predictor import Predictor
from ml_pipeline.scaling import Scaler

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

_WINSOR = 4.0
"""Returns beyond this many σ are pulled in for fitting (JUDGING: price)."""
_MEAN, _SCALE = 0, 1
# Where the gradient of the scale ends: a σ seven times larger or smaller than the baseline's.
_STEEPEST = 2.0


@dataclass(frozen=True)
class GaussianMargin:
    """Two views of one training: the network at its best mean, and at its best scale.

    The mean has next to nothing to learn and is best after a few steps; the scale learns for
    longer. One network stopped once would have to be bad at one of the two.

    Attributes
    ----------
    mean
        The mean return in units of the baseline's σ, [n, 1].
    log_scale
        ln of what the baseline's σ should be multiplied by, [n, 1].
    """

    mean: NetworkMargin
    log_scale: NetworkMargin

    @property
    def importance(self) -> Floats:
        """Size of the first layer's weights of the mean by column."""
        return self.mean.importance

    def __call__(self, X: Matrix) -> Floats:
        """Return the mean [n, 1] as torch computes it."""
        return self.mean(X)

    def nodes(self, graph: Graph, names: tuple[str, ...]) -> str:
        """Add the mean."""
        return self.mean.nodes(graph, names)


def fit_network(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> GaussianMargin:
    """Train with AdamW; keep the epochs at which the last part of the time liked each half best.

    Mean and scale are stopped by what each is for: the mean by its squared error, the scale by the
    likelihood of returns around nought, so that a worse mean cannot stop it. Weights and batches
    are drawn from numpy's generator: torch's global state is left alone, so fits beside each other
    do not disturb each other's numbers.
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    scaler = Scaler.fit(lesson.X)
    learn, watch = lesson.split_tail(float(hyperparams["watch_share"]))
    network = network_of(initial([lesson.X.shape[1], *hyperparams["hidden"], 2], rng))
    rate, decay = float(hyperparams["learning_rate"]), float(hyperparams["weight_decay"])
    optimiser = AdamW(list(network.parameters()), rate, decay)
    x, y = _tensors(scaler, learn)
    seen = _tensors(scaler, watch)
    best = [layers_of(network, output) for output in (_MEAN, _SCALE)]
    least, waited = _watched(network, *seen), 0
    for _ in range(int(hyperparams["epochs"])):
        order = torch.from_numpy(rng.permutation(len(x)))
        _epoch(network, optimiser, x, y, order, int(hyperparams["batch"]))
        losses, waited = _watched(network, *seen), waited + 1
        for output in (_MEAN, _SCALE):
            if losses[output] < least[output]:
                best[output], least[output] = layers_of(network, output), losses[output]
                waited = 0
        if waited >= int(hyperparams["patience"]):
            break
    return GaussianMargin(*(NetworkMargin(scaler, layers) for layers in best))


def _tensors(scaler: Scaler, lesson: Lesson) -> tuple[torch.Tensor, torch.Tensor]:
    z = np.clip(lesson.y[:, :1] / lesson.sigma, -_WINSOR, _WINSOR).astype(np.float32)
    return torch.from_numpy(scaler(lesson.X)), torch.from_numpy(z)


def _likelihood(error: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
    """Return the mean Gaussian negative log-likelihood, without its constant."""
    bounded = log_scale.clamp(-_STEEPEST, _STEEPEST)
    return (torch.square(error) * torch.exp(-2 * bounded) / 2 + bounded).mean()


def _epoch(
    network: torch.nn.Sequential,
    optimiser: AdamW,
    x: torch.Tensor,
    y: torch.Tensor,
    order: torch.Tensor,
    batch: int,
) -> None:
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        answer = network(x[rows])
        loss = _likelihood(y[rows] - answer[:, :1], answer[:, 1:])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _watched(network: torch.nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> list[float]:
    """Return the squared error of the mean, and the likelihood of the scale."""
    with torch.no_grad():
        answer = network(x)
        squared = torch.square(answer[:, :1] - y).mean()
        return [float(squared), float(_likelihood(y, answer[:, 1:]))]


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
