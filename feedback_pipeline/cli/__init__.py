"""The command line `feedback`: one module a subject, terminal output, health and summaries.

In: what people type. Out: calls of the library and foreground runs of the jobs, said in lines that say what to do next.
The only place, beside `definitions`, that may import `jobs` and `assets`.
"""
