"""Files on a web server of a test's own, and archives to be served."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress


def a_tgz(files: Mapping[str, bytes]) -> bytes:
    """An archive of these files, packed."""
    return gzip.compress(a_tar(files))


def a_tar(files: Mapping[str, bytes]) -> bytes:
    """An archive of these files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


@contextmanager
def serving(
    contents: Mapping[str, bytes], address: str = "127.0.0.1", tags: bool = False, sent: list[str] | None = None
) -> Iterator[str]:
    """A server of these contents, by their paths; its address.

    tags: whether it tells by which tag it knows each. sent: gets the path of each content that is sent.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = contents.get(self.path)
            tag = f'"{hashlib.sha256(content or b"").hexdigest()}"'
            if tags and content is not None and self.headers.get("If-None-Match") == tag:
                self.send_response(304)
                self.end_headers()
                return
            self.send_response(404 if content is None else 200)
            if tags:
                self.send_header("ETag", tag)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if sent is not None:
                sent.append(self.path)
            with suppress(ConnectionError):  # who has asked may have seen enough
                self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((address, 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
