"""A headless browser for tests of pages, with a record of everything that a page asks for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium; skips with a reason where it, or playwright, is absent."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no browser: install Debian's package chromium")
    with playwright.sync_playwright() as running:
        # no call home on the browser's own account, which would drown a page's requests
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        browser = running.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def fresh_context(
    browser: Browser, width: int = 1280, height: int = 900, downloads: bool = True
) -> Iterator[tuple[BrowserContext, list[str]]]:
    """A profile of its own, and the addresses that its pages ask for."""
    context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=downloads)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    try:
        yield context, asked
    finally:
        context.close()
