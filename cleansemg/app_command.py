"""The command `cleansemg app`: the local web page."""

from __future__ import annotations

import errno
import signal
import threading
from typing import Annotated, Any

import typer

from cleansemg.core.commandline import QuietOption
from cleansemg.core.errors import UserError

PORT = 8050
THREADS = 8  # requests at a time; the work itself is done on one more


def app(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")] = PORT,
    max_upload_mb: Annotated[float, typer.Option(help="Larger files are refused.")] = 200.0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address only.")] = False,
    quiet: QuietOption = False,
) -> int:
    """Open a page in the browser: drop a recording, pick channel and denoiser, see, zoom, download.

    It works offline and listens on 127.0.0.1 alone. Recordings are kept in a private folder for temporary files, and
    removed after an hour without use and at the end (Ctrl-C).

    Needs: pip install 'cleansemg[app]'
    """
    from cleansemg.core.console import setup_logging

    setup_logging(quiet)
    if not 0 < max_upload_mb <= 1e6:
        raise UserError(f"--max-upload-mb {max_upload_mb:g}: expected megabytes, above 0 and at most 1e6")
    try:
        import dash  # noqa: F401
        import waitress  # noqa: F401
    except ModuleNotFoundError as error:
        raise UserError(f"the page needs '{error.name}': pip install 'cleansemg[app]'") from error
    from cleansemg.app.server import HOST
    from cleansemg.app.sessions import Sessions

    with Sessions() as sessions:
        server = _listen(sessions, port, max_upload_mb)
        address = f"http://{HOST}:{server.effective_port}"
        before = signal.signal(signal.SIGTERM, _stop)  # the end by another program clears up, too
        try:
            typer.echo(f"CleanSEMG is at {address} (Ctrl-C ends it)")
            if not no_browser:
                import webbrowser

                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
            server.run()
        except KeyboardInterrupt:
            pass  # the way to end it
        finally:
            server.close()
            signal.signal(signal.SIGTERM, before)
    return 0


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def _listen(sessions: Any, port: int, max_upload_mb: float) -> Any:
    import logging

    from waitress import create_server

    from cleansemg.app.server import HOST, build, max_bytes

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # "Task queue depth" means nothing to the user
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    page = build(sessions, max_upload_mb)
    try:
        return create_server(
            page.server, host=HOST, port=port, threads=THREADS, ident="cleansemg",
            max_request_body_size=max_bytes(max_upload_mb),
        )  # fmt: skip
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"--port {port}: something else listens there; give another port, or 0 for a free one"
            ) from error
        if error.errno == errno.EACCES:
            raise UserError(f"--port {port}: this user may not listen there; give a port above 1023") from error
        raise
