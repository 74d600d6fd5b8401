"""Non-negative matrix factorisation, as scikit-learn's `NMF` does it with the arguments used here, column by column in
NumPy: loading scikit-learn takes longer than the factorisation of a quarter's texts."""

import numpy as np
import scipy
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]

ROUNDS = 300
TOLERANCE = 1e-3
"""Share of the first round's violation of the optimality conditions at which it is near enough."""
_MORE = 10
"""Directions beyond those asked for, of which the last are the least exact."""
_NOTHING = 1e-6


def directions(matrix: "scipy.sparse.csr_matrix", number: int, seed: int) -> Floats:
    """The right factor H (number × columns) of matrix ≈ W·H with W, H ≥ 0 in the least squares.

    Coordinate descent by turns over the factors' columns (Cichocki & Phan 2009, "Fast local algorithms for large scale
    nonnegative matrix and tensor factorizations"), from the leading singular vectors' non-negative parts (Boutsidis &
    Gallopoulos 2008, "SVD based initialization", variant "a": zeros become the mean).

    Args:
        matrix: without negative values; no fewer rows and columns than `number`.
        number: rank of the factors.
        seed: of the random projection in which the singular vectors are sought.
    """
    # matrices this narrow are multiplied sooner than threads find together, and they wait by spinning
    with threadpool_limits(limits=1, user_api="blas"):
        left, right = _start(matrix, number, seed)
        turned = matrix.T.tocsr()
        first = 0.0
        for _ in range(ROUNDS):
            violation = _improve(left, matrix @ right, right.T @ right) + _improve(right, turned @ left, left.T @ left)
            first = first or violation
            if violation <= TOLERANCE * first:
                break
    return np.asarray(right.T)


def _improve(factor: Floats, product: Floats, gram: Floats) -> float:
    """Sets each column of a factor to its best values while the other factor stays; returns by how much the values
    violated the conditions of an optimum before.

    Args:
        factor: of which each row is a problem of its own.
        product: the matrix times the other factor.
        gram: the other factor's inner products.
    """
    violation = 0.0
    for column in range(factor.shape[1]):
        gradient = factor @ gram[column] - product[:, column]
        at_zero = factor[:, column] == 0.0
        violation += float(np.abs(np.where(at_zero, np.minimum(gradient, 0.0), gradient)).sum())
        if gram[column, column] != 0.0:
            factor[:, column] = np.maximum(factor[:, column] - gradient / gram[column, column], 0.0)
    return violation


def _start(matrix: "scipy.sparse.csr_matrix", number: int, seed: int) -> tuple[Floats, Floats]:
    """Both factors to start from, columns their directions."""
    rows, values, columns = _singular_vectors(matrix, number, seed)
    left, right = np.zeros((matrix.shape[0], number)), np.zeros((matrix.shape[1], number))
    for place in range(number):
        one, other = rows[:, place], columns[:, place]
        if place == 0:  # of one sign
            parts = [(np.abs(one), np.abs(other))]
        else:
            parts = [(np.maximum(one, 0.0), np.maximum(other, 0.0)), (np.maximum(-one, 0.0), np.maximum(-other, 0.0))]
        lengths = [(float(np.linalg.norm(a)), float(np.linalg.norm(b))) for a, b in parts]
        (a, b), (of_a, of_b) = max(zip(parts, lengths, strict=True), key=lambda part: part[1][0] * part[1][1])
        scale = np.sqrt(values[place] * of_a * of_b)
        left[:, place], right[:, place] = scale * (a / of_a), scale * (b / of_b)
    for factor in (left, right):
        factor[factor < _NOTHING] = 0.0
        factor[factor == 0.0] = matrix.mean()
    return left, right


def _singular_vectors(matrix: "scipy.sparse.csr_matrix", number: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """The leading singular triplets by a random projection (Halko, Martinsson & Tropp 2011, "Finding structure with
    randomness", algorithm 4.4 with a factorisation LU between the rounds): left vectors, values, right vectors."""
    flat = matrix.shape[0] < matrix.shape[1]
    tall = matrix.T.tocsr() if flat else matrix
    turned = tall.T.tocsr()
    base = np.random.RandomState(seed).normal(size=(tall.shape[1], number + _MORE))
    for _ in range(7 if number < 0.1 * min(tall.shape) else 4):
        base, _upper = scipy.linalg.lu(tall @ base, permute_l=True, check_finite=False)
        base, _upper = scipy.linalg.lu(turned @ base, permute_l=True, check_finite=False)
    base, _upper = scipy.linalg.qr(tall @ base, mode="economic", check_finite=False)
    inner, values, across = scipy.linalg.svd((turned @ base).T, full_matrices=False)
    long, wide = (base @ inner)[:, :number], across[:number].T
    return (wide, values[:number], long) if flat else (long, values[:number], wide)
