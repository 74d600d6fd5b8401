"""Random draws of the client."""

import random

DRAW = random.SystemRandom()
"""Not the application's generator: a seed that it sets would decide which calls are kept, and processes that it forks
would keep the same; nor does what is drawn here move the application's own sequence."""
