"""A web server whose connections break, for tests of those who download."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CONTENT = bytes(range(256)) * 16384  # 4 MiB


class Breaking(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT in ranges, but no more than a megabyte at a time; then the connection breaks."""

    protocol_version = "HTTP/1.1"
    tag = '"one"'
    asked: list[str | None] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).asked.append(wanted)
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        begin = int(wanted[6:-1]) if wanted and self.headers.get("If-Range") == self.tag else 0
        self.send_response(206 if begin else 200)
        self.send_header("ETag", self.tag)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        self.wfile.write(CONTENT[begin : begin + 1_100_000])
        self.close_connection = True

    def do_PUT(self) -> None:
        """Take it, and tell the checksum of something else."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Repr-Digest", f"sha-256=:{'A' * 43}=:")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def breaking() -> Iterator[str]:
    Breaking.asked, Breaking.tag = [], '"one"'
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Breaking)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
