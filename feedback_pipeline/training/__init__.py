"""Training data: from cleaned votes to files that trainers accept.

In: `clean_feedback`, `clean_interactions`, text signatures, rater trust and the hashes of evaluation prompts over a
rolling window. Out, in this order:

- `curation.curate`: the examples worth training on, with the funnel that says what was dropped and why;
- `pairs.preference_pairs`: chosen and rejected answers to the same input;
- `files.write_files`: the same data in each trainer's format, byte-identical for the same inputs;
- `validators.validate_file`: the trainers' rules, and ours where theirs let bad lines through;
- `manifest.build_manifest`: what the dataset is made of, and which line came from which vote;
- `costs`: tokens, prices and whether it is time to train.
"""
