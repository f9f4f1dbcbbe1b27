import hashlib
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
import yaml

from cleansemg.core.errors import UserError
from cleansemg.fetching import open_data
from tests.conftest import ROOT

FILES = {"Data/Raw/Biopac/1_1_1.txt": b"0.1,0.2\n", "Data/Raw/Biopac/1_1_2.txt": b"0.3,0.4\n", "README.md": b"no"}
RECORD = b"\x01\x02"


def blob(content):
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    requests: ClassVar[list[str]] = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.requests.append(self.path)
        super().do_GET()


@pytest.fixture
def server(tmp_path):
    """A little GitHub and a little PhysioNet on this machine."""
    root = tmp_path / "www"
    tree = [{"path": path, "type": "blob", "sha": blob(content)} for path, content in FILES.items()]
    listing = root / "repos/o/r/git/trees"
    listing.mkdir(parents=True)
    (listing / "abc").write_text(json.dumps({"tree": [*tree, {"path": "Data", "type": "tree", "sha": "0"}]}))
    for path, content in FILES.items():
        target = root / "o/r/abc" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (root / "mitdb").mkdir()
    (root / "mitdb/100.dat").write_bytes(RECORD)
    sums = f"{hashlib.sha256(RECORD).hexdigest()} 100.dat\n{'0' * 64} 100.xws\n"
    (root / "mitdb/SHA256SUMS.txt").write_text(sums)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    Quiet.requests.clear()
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield root, f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def sources(server, tmp_path):
    _, base = server
    github = {
        "kind": "github", "repository": "o/r", "commit": "abc", "api": base, "raw": base, "licence": "CC0 1.0",
        "files": r"Data/Raw/Biopac/\d+_\d+_\d+\.txt", "into": "muscletracker/Biopac",
    }  # fmt: skip
    physionet = {
        "kind": "physionet",
        "url": f"{base}/mitdb",
        "files": r"100\.dat",
        "into": "mitdb",
        "licence": "ODC-BY",
    }
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump({"muscletracker": github, "mitdb": physionet}, sort_keys=False))
    return path


def test_fetches_what_matches_verified_and_resumes(sources, tmp_path):
    folder = tmp_path / "data"
    lines = open_data.fetch_open(folder, sources)
    assert "2 fetched; licence CC0" in lines[0]
    assert (folder / "muscletracker/Biopac/1_1_2.txt").read_bytes() == b"0.3,0.4\n"
    assert (folder / "mitdb/100.dat").read_bytes() == RECORD
    (folder / "muscletracker/Biopac/1_1_1.txt").write_bytes(b"0.1,")  # cut short
    Quiet.requests.clear()
    lines = open_data.fetch_open(folder, sources)
    assert "1 files were there, 1 fetched" in lines[0]
    assert sum(path.endswith((".txt", ".dat")) for path in Quiet.requests) == 2  # the broken one, and the checksums
    assert (folder / "muscletracker/Biopac/1_1_1.txt").read_bytes() == b"0.1,0.2\n"


def test_a_file_that_is_not_what_was_promised_is_thrown_away(server, sources, tmp_path):
    (server[0] / "mitdb/100.dat").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"100\.dat: its contents are not what sha256"):
        open_data.fetch_open(tmp_path / "data", sources)
    assert not (tmp_path / "data/mitdb/100.dat").exists()


def test_offline_says_what_to_do(sources, tmp_path):
    text = sources.read_text()
    start = text.index("http://127.0.0.1:")
    sources.write_text(text.replace(text[start : text.index("\n", start)], "http://127.0.0.1:9"))
    with pytest.raises(UserError, match=r"cannot be fetched \(ConnectionError\).*CLEANSEMG_DATA"):
        open_data.fetch_open(tmp_path / "data", sources)


def test_the_shipped_sources_are_complete():
    content = yaml.safe_load((ROOT / "configs/fetch/open.yaml").read_text())
    assert {source["into"].split("/")[0] for source in content.values()} == {
        "muscletracker",
        "elderly_lower_limb",
        "mitdb",
        "nstdb",
    }
    assert all(source["licence"] for source in content.values())


@pytest.mark.realdata
def test_real_files_match_the_shipped_patterns(real_data):
    import re

    content = yaml.safe_load((ROOT / "configs/fetch/open.yaml").read_text())
    n_matching = {}
    for name, source in content.items():
        pattern = re.compile(source["files"].rpartition("/")[2])
        names = [
            path.name
            for path in (real_data / source["into"]).iterdir()
            if path.suffix in (".txt", ".xlsx", ".dat", ".hea")
        ]
        matching = [name for name in names if pattern.fullmatch(name)]
        assert len(matching) == len([n for n in names if not n.startswith("LICENSE")])
        n_matching[name] = len(matching)
    # 30 people (one with 10 files in place of 15), 30 people, 48 and 3 records of two files each
    assert n_matching == {"muscletracker": 29 * 15 + 10, "elderly_lower_limb": 30, "mitdb": 48 * 2, "nstdb": 3 * 2}
