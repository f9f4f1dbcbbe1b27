"""Recordings that were dropped on the page, each in a private folder that does not outlive the server or an hour."""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from cleansemg.app.recording import Session
from cleansemg.core.errors import UserError
from cleansemg.formats import FORMATS

LOG = logging.getLogger(__name__)
LIFETIME_S = 3600.0  # since the last request
MAX_SESSIONS = 8  # the one that was not looked at for longest makes room
MAX_NAME = 150  # characters; file systems hold 255 bytes
SWEEP_S = 60.0


class Sessions:
    """All of them, safe to use from several threads; a context manager.

    Args:
        lifetime_s: since the last request.
        parent: of the private folder; None: the system's folder for temporary files.
    """

    def __init__(self, lifetime_s: float = LIFETIME_S, parent: Path | None = None) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="cleansemg-app-", dir=parent))  # readable by its owner alone
        self._lifetime_s = lifetime_s
        self._held: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep_on, name="sessions", daemon=True)
        self._sweeper.start()

    def add(self, files: Iterable[tuple[str, Path]]) -> Session:
        """Take over uploaded files.

        Args:
            files: name as the browser gave it, and where the content lies now; it is moved.

        Raises:
            UserError: no file, more than one recording, or a name that no file can have.
        """
        pairs = [(safe_name(name), path) for name, path in files]
        main = _recording_of([name for name, _ in pairs])
        session_id = secrets.token_urlsafe(24)
        folder = self.root / session_id
        folder.mkdir(mode=0o700)
        for name, path in pairs:
            shutil.move(path, folder / name)
        session = Session(session_id, folder, time.monotonic(), folder / main)
        with self._lock:
            self._held[session_id] = session
            by_age = sorted(self._held.values(), key=lambda one: one.used_s)
        for old in by_age[: max(len(by_age) - MAX_SESSIONS, 0)]:
            self.remove(old.id)
        return session

    def get(self, session_id: object) -> Session:
        """The session of an id.

        Raises:
            UserError: there is none (any longer).
        """
        with self._lock:
            session = self._held.get(session_id) if isinstance(session_id, str) else None
            if session is None:
                raise UserError(
                    "this recording was removed (after an hour without use, or with the server); drop it again"
                )
            session.used_s = time.monotonic()
            return session

    def remove(self, session_id: object) -> None:
        """Stop its work and delete its files; nothing where there is no such session."""
        with self._lock:
            session = self._held.pop(session_id, None) if isinstance(session_id, str) else None
        if session is None:
            return
        if session.job is not None:
            session.job.cancel()
        _delete(session.folder)

    def sweep(self) -> None:
        """Remove those that nobody has asked for in `lifetime_s`; work in progress counts as use."""
        now = time.monotonic()
        with self._lock:
            old = [
                one.id
                for one in self._held.values()
                if now - one.used_s > self._lifetime_s and (one.job is None or one.job.state.finished)
            ]
        for session_id in old:
            self.remove(session_id)

    def close(self) -> None:
        """Remove everything."""
        self._stop.set()
        for session_id in list(self._held):
            self.remove(session_id)
        _delete(self.root)

    def __enter__(self) -> Sessions:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sweep_on(self) -> None:
        while not self._stop.wait(min(SWEEP_S, self._lifetime_s)):
            self.sweep()


def safe_name(name: str) -> str:
    """The last part of a name as a browser gives it.

    Raises:
        UserError: nothing is left that can be a file's name.
    """
    last = name.replace("\\", "/").rpartition("/")[2].strip()
    if not last or last.startswith(".") or not last.isprintable():
        raise UserError(f"'{name[:60]}' is no name for a recording's file")
    stem, dot, suffix = last.rpartition(".")
    if len(last.encode()) > MAX_NAME:
        stem = stem.encode()[: MAX_NAME - len(suffix.encode()) - 1].decode(errors="ignore")
        if not stem:
            raise UserError(f"'{name[:60]}' is too long for a file's name")
    return f"{stem}{dot}{suffix}"


def _recording_of(names: list[str]) -> str:
    """The file to open among those that were dropped together."""
    if not names:
        raise UserError("no file came with the upload")
    if len(set(names)) < len(names):
        raise UserError(f"{len(names)} files of one name; drop one recording at a time")
    if len(names) == 1:
        return names[0]
    headers = [name for name in names if Path(name).suffix.lower() in FORMATS["wfdb"][:1]]
    if len(headers) != 1:
        raise UserError(
            f"{len(names)} files; drop one recording at a time (of a WFDB record the .hea and its .dat together)"
        )
    return headers[0]


def _delete(folder: Path) -> None:
    """Delete a folder in which a thread that was just told to stop may still write."""
    for pause_s in (0.0, 0.2, 1.0):
        time.sleep(pause_s)
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            problem = error
        else:
            return
    LOG.warning("%s: could not be removed (%s)", folder, problem.strerror or problem)
