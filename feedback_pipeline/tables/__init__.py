"""Tables and files: one declaration of each table's columns, Parquet by address, files replaced as one.

In: frames. Out: one file for each table and partition, under a folder or a bucket.
"""
