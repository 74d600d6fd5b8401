"""`python -m feedback_pipeline.cli`: the command line without its script."""

from feedback_pipeline.cli.main import main

main()
