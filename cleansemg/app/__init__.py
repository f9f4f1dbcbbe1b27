"""The local web page: drop a recording, denoise it, look, take the result away (docs/app.md).

Everything stays on this machine: the server listens on 127.0.0.1 alone, and the page asks nobody else.
"""
