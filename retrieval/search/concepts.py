"""Taught words (concepts): a linear probe in the active space, trained on a few examples by logistic regression.

A sample of the library, of which nearly all is something else, serves as negatives. The probe is regularised, and
trained at each use, in a few milliseconds. Does not know queries.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..storage.storage import Storage
from ..types.records import Kind, Vectors

REGULAR = 0.03  # weight of the L2 penalty, with embeddings scaled to a spread of one
AGAINST = 0.1  # total weight of the counter-examples; that of the examples and of the library is one each

Floats = npt.NDArray[np.float64]


def direction(storage: Storage, name: str) -> Vectors:
    """Return the direction of a taught word in the active space, (dimensions,) of unit length.

    Raises:
        UsageError: none of the pictures that it was taught from is left.
    """
    with storage.read() as catalog:
        examples = catalog.names.examples(name)
    wanted, unwanted = ([content for content, yes in examples.items() if yes is kind] for kind in (True, False))
    yes, no = (storage.vectors.get(Kind.PICTURE, some)[1] for some in (wanted, unwanted))
    if not len(yes):
        raise UsageError(f"no picture that @{name} was taught from is left; teach it again with `retrieval teach`")
    return train(yes, no, storage.vectors.sample(Kind.PICTURE))


def train(yes: Vectors, no: Vectors, library: Vectors) -> Vectors:
    """Return the unit direction, (dimensions,), that separates `yes` from `no` and `library`, all unit rows."""
    from scipy.optimize import minimize

    groups = [group.astype(np.float64) for group in (yes, no, library) if len(group)]
    weights = [1.0, *([AGAINST] if len(no) else []), 1.0]
    signs = [1.0, *([-1.0] if len(no) else []), -1.0]
    mean = groups[-1].mean(axis=0)
    spread = max(float(np.sqrt(((groups[-1] - mean) ** 2).sum(axis=1).mean())), 1e-6)
    rows = (np.concatenate(groups) - mean) / spread
    sign, weight = (
        np.concatenate([np.full(len(group), value / (len(group) if shared else 1)) for group, value in pairs])
        for shared, pairs in ((False, zip(groups, signs, strict=True)), (True, zip(groups, weights, strict=True)))
    )

    def loss(state: Floats) -> tuple[float, Floats]:
        margin = sign * (rows @ state[:-1] + state[-1])
        slope = -weight * sign / (1 + np.exp(np.clip(margin, -50, 50)))
        value = weight @ np.logaddexp(0, -margin) + REGULAR / 2 * state[:-1] @ state[:-1]
        return float(value), np.append(rows.T @ slope + REGULAR * state[:-1], slope.sum())

    found = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B").x[:-1]
    unit: Vectors = (found / max(float(np.linalg.norm(found)), 1e-12)).astype(np.float32)
    return unit
