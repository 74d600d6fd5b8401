"""Whether a person asked this process to stop: what computes looks between two partitions."""

import threading

asked = threading.Event()
