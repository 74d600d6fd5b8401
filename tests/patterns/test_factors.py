"""The factorisation is that of scikit-learn, whichever side is the longer one, at ranks it treats differently."""

import subprocess
import sys

import numpy as np
import pytest
import scipy
from sklearn.decomposition import NMF
from sklearn.feature_extraction.text import CountVectorizer

from feedback_pipeline.patterns import topics
from feedback_pipeline.patterns.factors import ROUNDS, TOLERANCE, directions


@pytest.mark.parametrize(
    ("rows", "columns", "number"),
    # fewer rows than columns, more of them, and a rank above a tenth of the shorter side
    [(60, 200, 4), (200, 60, 4), (40, 60, 12)],
)
def test_the_directions_are_those_of_scikit_learn(rows: int, columns: int, number: int) -> None:
    matrix = scipy.sparse.random(rows, columns, density=0.1, format="csr", random_state=3)
    model = NMF(number, init="nndsvda", random_state=7, max_iter=ROUNDS, tol=TOLERANCE).fit(matrix)
    np.testing.assert_allclose(directions(matrix, number, 7), model.components_, rtol=0, atol=1e-9)


def test_a_matrix_of_zeros_has_no_directions() -> None:
    matrix = scipy.sparse.csr_matrix((30, 20))
    assert not directions(matrix, 3, 0).any()


def test_terms_are_counted_as_by_scikit_learn() -> None:
    texts = ["Fehler im Code, im Code", "", "l'eau — l’eau 3 d2 code", "the code that i wrote", "naïve naïve naïve"]
    vectorizer = CountVectorizer(
        lowercase=False, token_pattern=r"(?u)\b[^\W\d_][\w'’]+\b", stop_words=sorted(topics.stop_words()),
        ngram_range=(1, 2),
    )  # fmt: skip
    expected = vectorizer.fit_transform(texts).toarray()
    places: dict[str, int] = {}
    counts = topics._occurrences(texts, places, known=False).toarray()
    names = vectorizer.get_feature_names_out().tolist()
    assert sorted(places) == names
    np.testing.assert_array_equal(counts[:, [places[name] for name in names]], expected)


def test_topics_are_fitted_without_loading_scikit_learn() -> None:
    asked = (
        "import sys, polars as pl; from feedback_pipeline.patterns.topics import fit_topics;"
        "words = [f'word{chr(97 + n % 7)} thing{chr(97 + n % 5)} other{chr(97 + n % 3)}' for n in range(90)];"
        "fitted = fit_topics(pl.DataFrame({'text': words, 'person': [f'p{n % 45}' for n in range(90)]}));"
        "print(len(fitted.topics) > 0, 'sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
