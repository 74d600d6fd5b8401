"""Runs an application on the loopback address, in a thread."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import uvicorn

from feedback_pipeline.capture.server import options


def serve(app: Any) -> tuple[str, Callable[[], None]]:
    """Runs an application; returns its address and what stops it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="on", **options("error")))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 120
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)

    def stop() -> None:
        server.should_exit = True
        thread.join(20)
        listener.close()

    return f"http://127.0.0.1:{listener.getsockname()[1]}", stop
