"""The performance table: our figure and a peer's or a physical limit's, measured side by side in one run."""
