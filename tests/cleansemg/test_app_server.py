import io
import socket
from urllib.parse import urlsplit

import pytest

from cleansemg.app.server import build
from cleansemg.app.sessions import Sessions
from tests.cleansemg.app_server import running

SAME = {"X-CleanSEMG": "1"}


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    with Sessions(parent=tmp_path_factory.mktemp("app")) as made:
        yield made


@pytest.fixture(scope="module")
def client(held):
    return build(held, 0.5).server.test_client()


def form(*names, size=10):
    return {"files": [(io.BytesIO(b"1\n" * size), name) for name in names]}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8050", "127.0.0.1.evil.example", "[::1]:8050", "10.0.0.1", "localhost.evil"]
)
@pytest.mark.parametrize("path", ["/", "/_dash-layout", "/assets/app.css", "/download/x/recording", "/upload"])
def test_a_name_that_was_pointed_here_is_refused(client, host, path):
    assert client.get(path, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8050", "localhost:8050", "LOCALHOST:8050"])
def test_its_own_names_are_served(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:9999"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
])  # fmt: skip
def test_requests_of_other_pages_are_refused(client, held, headers):
    before = set(held.root.iterdir())
    for path in ("/upload", "/_dash-update-component"):
        assert client.post(path, data=form("a.csv"), headers={**SAME, **headers}).status_code == 403
    assert set(held.root.iterdir()) == before


def test_a_plain_form_is_refused(client):
    assert client.post("/upload", data=form("a.csv")).status_code == 403


def test_an_upload_becomes_a_session_and_replaces_the_one_before(client, held):
    first = client.post("/upload", data=form("../../a.csv"), headers={**SAME, "Origin": "http://localhost"})
    assert first.status_code == 200
    session = held.get(first.json["id"])
    assert session.path == session.folder / "a.csv"
    assert session.path.read_bytes() == b"1\n" * 10
    second = client.post("/upload", data=form("b.csv"), headers={**SAME, "X-CleanSEMG-Before": first.json["id"]})
    assert not session.folder.exists()
    assert held.get(second.json["id"]).path.name == "b.csv"
    held.remove(second.json["id"])


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), (".hidden",), ("a.csv", "a.csv")])
def test_refused_uploads_leave_nothing(client, held, names):
    before = set(held.root.iterdir())
    answer = client.post("/upload", data=form(*names), headers=SAME)
    assert answer.status_code == 400
    assert len(answer.json["error"].splitlines()) == 1
    assert set(held.root.iterdir()) == before


def test_a_file_beyond_the_limit_is_refused_and_leaves_nothing(client, held):
    before = set(held.root.iterdir())
    answer = client.post("/upload", data=form("a.csv", size=400_000), headers=SAME)
    assert answer.status_code == 413
    assert answer.json["error"].startswith("the file is larger than 0.5 MB; --max-upload-mb")
    assert set(held.root.iterdir()) == before


def test_downloads_need_the_id(client, held):
    session = client.post("/upload", data=form("a.csv"), headers=SAME).json["id"]
    assert client.get(f"/download/{session}/recording").status_code == 404  # nothing was denoised
    for wrong in ("x/recording", f"{session}/a.csv", f"{session[:-1]}/recording"):
        answer = client.get(f"/download/{wrong}")
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/plain")
    # a path with folders in it is no address of a file, whatever page it gives
    assert b"root:" not in client.get("/download/..%2f..%2f..%2fetc/passwd").data
    held.remove(session)


def test_the_page_may_ask_nobody_else(client):
    answer = client.get("/")
    assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    scripts = [part.split('"')[0] for part in answer.text.split('src="')[1:]]
    assert len(scripts) > 5
    assert all(script.startswith("/") and not script.startswith("//") for script in scripts)


def test_a_body_beyond_the_limit_is_cut_off_by_the_web_server(tmp_path):
    with running(tmp_path, max_upload_mb=0.1) as address:
        where = urlsplit(address)
        with socket.create_connection((where.hostname, where.port), timeout=10) as wire:
            head = f"POST /upload HTTP/1.1\r\nHost: {where.netloc}\r\nX-CleanSEMG: 1\r\nContent-Length: 999999999999\r\n\r\n"
            wire.sendall(head.encode())
            assert wire.recv(100).split()[1] == b"413"
