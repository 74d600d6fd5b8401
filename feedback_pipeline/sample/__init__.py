"""Sample feedback with a known truth beside it: what the demo shows, the tests measure and the benchmarks load.

In come a number of votes, a number of weeks, a seed and a last day; out come batches of rows as ingest delivers them,
and the truth about what was planted in them. The same four arguments give the same rows. Everybody in them is invented.
"""

from feedback_pipeline.sample.batches import SampleBatch, answer_labels, generate
from feedback_pipeline.sample.examples import write_examples
from feedback_pipeline.sample.truth import truth

__all__ = ["SampleBatch", "answer_labels", "generate", "truth", "write_examples"]
