"""A web proxy on a bridge, so that apt works on machines that have a network of their own and no route out of it.

It fetches as the outer machine does, through that one's own proxies where it has any. Nothing is kept.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PASSED_ON = ("If-Modified-Since", "If-Range", "Range", "Accept", "Cache-Control", "User-Agent")
PASSED_BACK = ("Content-Type", "Content-Length", "Content-Range", "Last-Modified", "ETag", "Location", "Accept-Ranges")


class Relay:
    """Listens on `address` until it is closed; `port` is where."""

    def __init__(self, address: str) -> None:
        self._server = ThreadingHTTPServer((address, 0), _Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name=f"relay on {address}", daemon=True).start()

    def apt_options(self, address: str) -> str:
        """What apt on a machine needs to use it."""
        return "".join(f'Acquire::{scheme}::Proxy "http://{address}:{self.port}";\n' for scheme in ("http", "https"))

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        wanted = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        request = urllib.request.Request(self.path, headers=wanted, method=self.command)
        try:
            answer = urllib.request.urlopen(request, timeout=120)
        except urllib.error.HTTPError as error:
            answer = error
        except OSError as error:
            self.send_error(502, f"the outer machine cannot fetch this: {error}")
            return
        with answer:
            self.send_response(answer.status or 502)
            for name in PASSED_BACK:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Connection", "close")
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                shutil.copyfileobj(answer, self.wfile)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_CONNECT(self) -> None:
        host, _, port = self.path.rpartition(":")
        try:
            far = socket.create_connection((host, int(port)), timeout=30)
        except OSError as error:
            self.send_error(502, f"the outer machine cannot connect there: {error}")
            return
        with far:
            self.send_response(200, "Connection established")
            self.end_headers()
            back = threading.Thread(target=_pump, args=(far, self.connection), daemon=True)
            back.start()
            _pump(self.connection, far)
            back.join(30)

    def log_message(self, *_: object) -> None:
        """Tests print what matters themselves."""


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
