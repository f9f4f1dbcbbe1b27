"""The web server behind the page: who may ask, what comes in, what goes out."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cleansemg.app.sessions import Sessions
from cleansemg.core.errors import UserError

if TYPE_CHECKING:
    from dash import Dash
    from flask import Flask

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
OVERHEAD_BYTES = 64 * 1024  # of a form around its files
# The page's own scripts stand in its HTML and plotly sets styles on elements; nothing else than this server is asked.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


def build(sessions: Sessions, max_upload_mb: float) -> Dash:
    """The page with everything behind it; `.server` is what a web server runs."""
    from dash import Dash

    from cleansemg.app import callbacks, page
    from cleansemg.app.jobs import Jobs

    app = Dash(
        "cleansemg.app",
        assets_folder=str(Path(__file__).resolve().parent / "assets"),
        serve_locally=True,
        title="CleanSEMG",
        update_title="",
        on_error=callbacks.show_error,
    )
    app.layout = page.layout(max_upload_mb)
    callbacks.connect(app, sessions, Jobs())
    flask = app.server
    flask.config["MAX_CONTENT_LENGTH"] = max_bytes(max_upload_mb)
    _guard(flask)
    _upload(flask, sessions, max_upload_mb)
    _download(flask, sessions)
    return app


def max_bytes(max_upload_mb: float) -> int:
    """Of a request."""
    return int(max_upload_mb * 1e6) + OVERHEAD_BYTES


def _guard(flask: Flask) -> None:
    """Only pages of this server may talk to it.

    A foreign page whose name was pointed at 127.0.0.1 gives itself away by the Host header, one that sends requests
    across by its Origin.
    """
    from flask import request

    @flask.before_request
    def refuse_strangers() -> Any:
        if _name_of(request.host) not in NAMES:
            return _plain(f"this server answers to {' and '.join(NAMES)} alone", 403)
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            return _plain("requests from other pages are refused", 403)
        if request.method not in {"GET", "HEAD"} and request.headers.get("Sec-Fetch-Site") in {
            "cross-site",
            "same-site",
        }:
            return _plain("requests from other pages are refused", 403)
        return None

    @flask.after_request
    def harden(response: Any) -> Any:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def _upload(flask: Flask, sessions: Sessions, max_upload_mb: float) -> None:
    from flask import request
    from werkzeug.exceptions import RequestEntityTooLarge

    @flask.post("/upload")
    def upload() -> Any:
        # a form of another page cannot set this header
        if "X-CleanSEMG" not in request.headers:
            return _plain("not from this page", 403)
        arrived: list[tuple[str, Path]] = []
        try:
            for file in request.files.getlist("files"):
                path = sessions.root / f"upload-{secrets.token_hex(8)}"
                arrived.append((file.filename or "", path))
                file.save(path)
            session = sessions.add(arrived)
        except UserError as error:
            return {"error": str(error)}, 400
        except OSError as error:
            if isinstance(error, RequestEntityTooLarge):
                raise
            return {"error": f"the file cannot be kept ({error.strerror or error})"}, 507
        finally:
            for _, path in arrived:
                path.unlink(missing_ok=True)
        sessions.remove(request.headers.get("X-CleanSEMG-Before"))
        return {"id": session.id, "name": session.path.name}

    @flask.errorhandler(RequestEntityTooLarge)
    def too_large(_: Any) -> Any:
        return {
            "error": f"the file is larger than {max_upload_mb:g} MB; --max-upload-mb of `cleansemg app` allows more"
        }, 413


def _download(flask: Flask, sessions: Sessions) -> None:
    from flask import send_file

    @flask.get("/download/<session_id>/<word>")
    def download(session_id: str, word: str) -> Any:
        try:
            denoised = sessions.get(session_id).denoised
        except UserError as error:
            return _plain(str(error), 404)
        if denoised is None or word not in denoised.files:
            return _plain("there is no such file", 404)
        path = denoised.files[word]
        response = send_file(path, as_attachment=True, download_name=path.name, max_age=0)
        response.headers["Cache-Control"] = "no-store"
        return response


def _name_of(host: str) -> str:
    """A Host header without its port."""
    return host.partition(":")[0].lower()


def _plain(text: str, status: int) -> Any:
    return f"{text}\n", status, {"Content-Type": "text/plain; charset=utf-8"}
