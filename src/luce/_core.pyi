"""The compiled kernels; use the functions of luce instead, which check their arguments."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Half = Literal["bfloat16", "float16"]
"""What 16-bit patterns (uint16) stand for: logits and all that has their shape and type, beside a float32 form."""

Statistics = tuple[NDArray[np.float64] | None, NDArray[np.float64] | None, NDArray[np.int64] | None]
"""Written for each row, whatever its target: log-sum-exp, entropy (NaN where the loss is), the first largest logit."""

SIGMOID_BLOCK: int

Threads = int | tuple[int, int]
"""How many threads, and perhaps whose: the address of the `GOMP_parallel` of an OpenMP runtime."""

def cross_entropy(
    logits: NDArray[Any],
    form: tuple[Any, ...],
    factor: float,
    loss: NDArray[Any] | None,
    grad: NDArray[Any] | None,
    n_threads: Threads | None,
    stats: Statistics | None = None,
    half: Half | None = None,
) -> None: ...
def plain_mean(
    logits: NDArray[Any], target: Any, grad: NDArray[Any] | None, n_threads: Threads | None = None
) -> float | None: ...
def cross_entropy_hvp(
    logits: NDArray[Any],
    form: tuple[Any, ...],
    factor: float,
    vector: NDArray[Any],
    product: NDArray[Any],
    grad: NDArray[Any] | None,
    n_threads: Threads | None,
    half: Half | None = None,
) -> None: ...
def softmax(
    logits: NDArray[Any],
    result: NDArray[Any] | None,
    lse: NDArray[Any] | None,
    logarithm: bool,
    softcap: float,
    temperature: float,
    n_threads: int | None,
) -> None: ...
def softmax_product(
    logits: NDArray[Any], vector: NDArray[Any], product: NDArray[Any], n_threads: int | None
) -> None: ...
def sets_cross_entropy(
    logits: NDArray[Any],
    offsets: NDArray[np.int64],
    form: tuple[Any, ...],
    factor: float,
    loss: NDArray[Any] | None,
    grad: NDArray[Any] | None,
    n_threads: Threads | None,
) -> None: ...
def sets_cross_entropy_hvp(
    logits: NDArray[Any],
    offsets: NDArray[np.int64],
    form: tuple[Any, ...],
    factor: float,
    vector: NDArray[Any],
    product: NDArray[Any],
    grad: NDArray[Any] | None,
    n_threads: Threads | None,
) -> None: ...
def sets_softmax(
    logits: NDArray[Any],
    offsets: NDArray[np.int64],
    result: NDArray[Any] | None,
    lse: NDArray[Any] | None,
    logarithm: bool,
    n_threads: Threads | None,
) -> None: ...
def sets_softmax_product(
    logits: NDArray[Any],
    offsets: NDArray[np.int64],
    vector: NDArray[Any],
    product: NDArray[Any],
    n_threads: Threads | None,
) -> None: ...

MOST_TIED: int

def plackett_luce(
    scores: NDArray[np.float64],
    offsets: NDArray[np.int64],
    rank: NDArray[np.int64],
    top: int,
    ties: str,
    scale: NDArray[np.float64] | None,
    factor: float,
    loss: NDArray[np.float64],
    grad: NDArray[np.float64] | None,
    n_threads: int | None,
) -> None: ...
def sigmoid_cross_entropy(
    logits: NDArray[Any],
    target: NDArray[Any],
    positive: NDArray[Any] | None,
    weight: NDArray[Any] | None,
    given_share: float,
    smoothing: float,
    factor: float,
    block_loss: NDArray[Any] | None,
    loss: NDArray[Any] | None,
    grad: NDArray[Any] | None,
    n_threads: int | None,
) -> None: ...
def sparse_product(
    start: NDArray[Any],
    index: NDArray[Any],
    value: NDArray[Any],
    dense: NDArray[Any],
    result: NDArray[Any],
    n_threads: int | None,
) -> None: ...
def check_index(index: NDArray[Any], classes: int, ignored: int | None) -> tuple[int, int]: ...
def first_bad_mass(x: NDArray[Any], row_scale: NDArray[np.float64] | None = None) -> int: ...
def narrow_scores(
    X: NDArray[Any], coef: NDArray[Any], intercept: NDArray[Any], scores: NDArray[Any], n_threads: int | None
) -> None: ...
def narrow_pull_back(X: NDArray[Any], pieces: NDArray[Any], total: NDArray[Any], n_threads: int | None) -> None: ...
def lasso_descent(
    hessian: NDArray[Any],
    gradient: NDArray[Any],
    lasso: NDArray[Any],
    x0: NDArray[Any],
    x: NDArray[Any],
    tol: float,
    most: int,
) -> int: ...
def total(x: NDArray[Any]) -> float: ...
def isa() -> str: ...
def isa_levels() -> list[str]: ...
def vendor() -> str: ...
def force_isa(name: str) -> None: ...
def isa_calls() -> dict[str, int]: ...
def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def compiler() -> str: ...
