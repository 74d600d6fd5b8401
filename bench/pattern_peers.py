"""The peers of `patterns`, run by an interpreter that has them: `python pattern_peers.py TASK FILE` prints JSON.

pysubgroup, DivExplorer and scattertext are in the extra `bench`. Each task reads a Parquet file, times the peer's own
search, and names the top of what it found.
"""

import json
import sys
import time

import pandas as pd

SLICES = 20


def pysubgroup_task(path: str) -> dict[str, object]:
    """The 20 subgroups of most weighted relative accuracy, up to three conditions."""
    import pysubgroup as ps

    data = pd.read_parquet(path)
    start = time.perf_counter()
    selectors = ps.create_nominal_selectors(data, ignore=["negative"])
    task = ps.SubgroupDiscoveryTask(
        data, ps.BinaryTarget("negative", True), selectors, result_set_size=SLICES, depth=3, qf=ps.WRAccQF()
    )
    found = ps.DFS(ps.BitSetRepresentation).execute(task).results
    seconds = time.perf_counter() - start
    slices = [
        sorted([selector.attribute_name, str(selector.attribute_value)] for selector in rule.selectors)
        for _, rule, _ in found
    ]
    return {"seconds": seconds, "slices": slices}


def divexplorer_task(path: str) -> dict[str, object]:
    """The 20 patterns of most divergence of the negative rate among those with at least 0.2 % of the votes."""
    from divexplorer import DivergenceExplorer

    data = pd.read_parquet(path)
    attributes = [name for name in data.columns if name != "negative"]
    data["negative"] = data["negative"].astype(int)
    start = time.perf_counter()
    patterns = DivergenceExplorer(data).get_pattern_divergence(
        min_support=0.002, attributes=attributes, boolean_outcomes=["negative"]
    )
    seconds = time.perf_counter() - start
    top = patterns.sort_values("negative_t", ascending=False)
    top = top[top["negative_div"] > 0].head(SLICES)
    slices = [sorted(item.split("=", 1) for item in itemset) for itemset in top["itemset"]]
    return {"seconds": seconds, "slices": slices}


def scattertext_task(path: str) -> dict[str, object]:
    """Term scores of texts by verdict: parse, corpus with one- and two-word terms, scaled F-score."""
    import scattertext as st

    data = pd.read_parquet(path)
    start = time.perf_counter()
    data["parse"] = data["text"].apply(st.whitespace_nlp_with_sentences)
    corpus = st.CorpusFromParsedDocuments(data, category_col="category", parsed_col="parse").build()
    scores = corpus.get_scaled_f_scores("down")
    seconds = time.perf_counter() - start
    terms = sorted(zip(corpus.get_terms(), scores, strict=True), key=lambda pair: -pair[1])[:SLICES]
    return {"seconds": seconds, "terms": [term for term, _ in terms]}


if __name__ == "__main__":
    tasks = {"pysubgroup": pysubgroup_task, "divexplorer": divexplorer_task, "scattertext": scattertext_task}
    print(json.dumps(tasks[sys.argv[1]](sys.argv[2])))
