"""A little Hugging Face Hub on this machine: the listing, in pages, and downloads with redirects and ranges."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1000  # bytes from which on a file is kept by Git LFS
PAGE = 3  # entries


class Hub:
    """What the server has (`files` by repository), and how it misbehaves."""

    def __init__(self):
        self.repositories = {}  # "models/OWNER/NAME" -> {path: content}
        self.instead = {}  # path -> other bytes than those listed
        self.cut = set()  # paths whose first download breaks off in the middle
        self.requests = []  # (path, Range header)
        self.user_agents = set()
        self.authorized = False

    def downloads(self):
        return [(path.rsplit("/", 1)[1], span) for path, span in self.requests if path.startswith("/cdn/")]


def entry(path, content):
    oid = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    found = {"type": "file", "path": path, "size": len(content), "oid": oid}
    if len(content) >= LARGE:
        sha256 = hashlib.sha256(content).hexdigest()
        found |= {"oid": "0" * 40, "lfs": {"oid": sha256, "size": len(content), "pointerSize": 132}}
    return found


def handler(hub):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            url = urlsplit(self.path)
            path, query = unquote(url.path), parse_qs(url.query)
            hub.requests.append((path, self.headers.get("Range")))
            hub.user_agents.add(self.headers.get("User-Agent"))
            hub.authorized |= "Authorization" in self.headers
            parts = path.strip("/").split("/")
            if parts[0] == "api":
                repository, (verb, revision, *_) = "/".join(parts[1:4]), parts[4:]
                self.listing(repository, verb, revision, int(query.get("cursor", ["0"])[0]))
            elif parts[0] == "cdn":
                self.content("/".join(parts[1:4]), "/".join(parts[4:]))
            else:
                kind = "datasets" if parts[0] == "datasets" else "models"
                owner, name, _, _, *file = parts[1:] if kind == "datasets" else parts
                self.answer(302, b"", Location="/cdn/" + "/".join([kind, owner, name, *file]))

        def listing(self, repository, verb, revision, cursor):
            if repository not in hub.repositories:
                return self.answer(401, b'{"error":"Invalid username or password."}')
            if revision not in ("main", COMMIT):
                return self.answer(404, b"{}", **{"X-Error-Code": "RevisionNotFound"})
            files = hub.repositories[repository]
            if verb == "revision":
                return self.answer(200, json.dumps({"id": repository, "sha": COMMIT, "siblings": []}).encode())
            entries = [
                {"type": "directory", "path": "noise_pool", "oid": "0" * 40},
                *(entry(*f) for f in files.items()),
            ]
            base = f"http://{self.headers['Host']}{urlsplit(self.path).path}"
            more = cursor + PAGE < len(entries)
            link = {"Link": f'<{base}?recursive=true&cursor={cursor + PAGE}>; rel="next"'} if more else {}
            return self.answer(200, json.dumps(entries[cursor : cursor + PAGE]).encode(), **link)

        def content(self, repository, path):
            content = hub.instead.get(path, hub.repositories[repository][path])
            span = self.headers.get("Range")
            start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
            headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if span else {}
            body = content[start:]
            if path in hub.cut:
                hub.cut.remove(path)
                self.answer(206 if span else 200, body, body[: len(body) // 2], **headers)
                self.close_connection = True
                return None
            return self.answer(206 if span else 200, body, **headers)

        def answer(self, status, body, sent=None, **headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if sent is None else sent)

    return Handler


@contextmanager
def serve():
    """The hub and its address."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(hub))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
