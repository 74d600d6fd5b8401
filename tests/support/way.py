"""The way to a database server, which can be cut as a failover cuts it."""

import socket
import threading
import time
from contextlib import suppress


class Way:
    """The way to the server: a relay that can be cut, as a failover cuts it."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server, self._pairs, self._cut = server, list[socket.socket](), False
        self.delay = 0.0
        """Seconds before anything of a new connection is passed on."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends every connection and takes no other."""
        self._cut = True
        for one in self._pairs:
            _end(one)
        self._pairs.clear()

    def mend(self) -> None:
        self._cut = False

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            if self._cut:
                here.close()
                continue
            there = socket.create_connection(self._server)
            self._pairs += [here, there]
            if self._cut:  # meanwhile
                _end(here)
                _end(there)
            for source, target in ((here, there), (there, here)):
                threading.Thread(target=_pass_on, args=(source, target, self.delay), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, delay: float) -> None:
    time.sleep(delay)
    try:
        while data := source.recv(65_536):
            target.sendall(data)
    except OSError:
        pass
    for one in (source, target):
        _end(one)
        one.close()


def _end(one: socket.socket) -> None:
    """Says goodbye to both sides: a socket that is only closed stays open for as long as a thread reads from it."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
