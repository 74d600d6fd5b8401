"""Intake in bulk: files and SQL tables named in `sources.yaml`.

In: CSV, JSONL, JSON and Parquet files, SQL tables and queries, as other people wrote them. Out: rows of the store
(`store/rows.py`), redacted and with pseudonyms; every row that is not taken is kept with file, row, field and reason.

A batch goes: reader (`readers/`) → our fields under our names (`mapping`) → typed values and what is wrong with them
(`values`) → rows to file (`rows`) → the store. `importing` drives it; `sources` is what a person writes.
"""
