"""The page in a real browser: what a person does, what goes wrong, and that nobody else is asked."""

import json
import time

import numpy as np
import pytest

from cleansemg.denoising.loading import DEFAULT_DENOISER
from cleansemg.formats import open_file
from tests.browser import chromium, fresh_context
from tests.cleansemg.app_server import FS_HZ, like_emg, running, write_csv
from tests.formats.signal_recordings import read

WAIT_MS = 60_000  # of a machine that is busy with other things


@pytest.fixture(scope="module")
def browser():
    with chromium() as running_browser:
        yield running_browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with running(tmp_path_factory.mktemp("app"), max_upload_mb=2) as found:
        yield found


@pytest.fixture
def page(browser, address):
    with fresh_context(browser) as (context, asked):
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
        page.goto(address)
        page.wait_for_selector("#file", state="attached")
        yield page
        strangers = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
        assert strangers == []
        assert len(asked) > 5
        assert [text for text in problems if "413" not in text and "400" not in text] == []


def until(page, expression):
    """Wait for what a person would see; playwright's own way is forbidden by the page's policy."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < deadline, f"never happened: {expression}"
        page.wait_for_timeout(50)


def upload(page, *paths):
    page.set_input_files("#file", [str(path) for path in paths])


def wait_loaded(page):
    page.wait_for_selector("#plots-card:not([hidden])")
    page.wait_for_selector("#quality-table")
    until(page, "document.querySelector('#waves .js-plotly-plot')?.data?.length >= 2")


def choose_method(page, name):
    page.click("#method")
    page.locator(".dash-dropdown-content .method b", has_text=name).first.click()


def denoise(page):
    page.click("#denoise")
    page.wait_for_selector("#download-recording")
    until(page, "document.querySelector('#waves .js-plotly-plot').data.length === 4")


def download(page, what):
    with page.expect_download() as started:
        page.click(f"#download-{what}")
    return started.value


def plotted(page, trace=0):
    return page.evaluate(
        f"(() => {{ const t = document.querySelector('#waves .js-plotly-plot')._fullData[{trace}]; "
        "return {n: t.x.length, first: t.x[0], last: t.x[t.x.length - 1]}; })()"
    )


def test_upload_denoise_zoom_download(page, tmp_path):
    x = like_emg(seconds=8)
    upload(page, write_csv(tmp_path / "arm.csv", x))
    wait_loaded(page)
    assert "2 channels at 1000 Hz, 8 s, in mV" in page.inner_text("#facts")
    assert page.locator("#method b").inner_text().startswith(DEFAULT_DENOISER[0])
    rows = dict(row.split("\t", 1) for row in page.inner_text("#quality-table").splitlines() if "\t" in row.strip())
    assert rows["Power line"].startswith("50.0")
    assert rows["Gaps"] == "none"
    choose_method(page, "hp")
    denoise(page)
    assert "none found" in page.locator("#quality-table tr", has_text="Power line").inner_text()

    # the whole is 2400 points of 8000 samples; of 1 s every sample is drawn, and the double click goes back
    assert plotted(page)["n"] == 2400
    until(page, "document.querySelector('#waves .js-plotly-plot')._fullLayout.height === 780")
    page.wait_for_timeout(1000)  # plotly fits itself into its place, and a drag meanwhile is lost
    page.locator("#waves .nsewdrag").first.scroll_into_view_if_needed()
    drag = page.locator("#waves .nsewdrag").first.bounding_box()
    left, middle = drag["x"] + 0.5 * drag["width"], drag["y"] + drag["height"] / 2
    page.mouse.move(left, middle)
    page.mouse.down()
    page.mouse.move(left + drag["width"] / 8, middle, steps=4)
    page.mouse.up()
    until(page, "document.querySelector('#waves .js-plotly-plot')._fullData[0].x.length < 1200")
    zoomed = plotted(page)
    assert 3.9 < zoomed["first"] < 4.1
    assert 4.9 < zoomed["last"] < 5.1
    assert abs(zoomed["n"] - 1000) < 60
    shown = page.evaluate("document.querySelector('#waves .js-plotly-plot')._fullLayout.xaxis.range.map(Number)")
    assert 3.9 < shown[0] < 4.1 < 4.9 < shown[1] < 5.1
    after = page.evaluate("document.querySelector('#waves .js-plotly-plot')._fullLayout.xaxis4.range.map(Number)")
    assert after == shown  # one time axis for all
    page.mouse.dblclick(left, middle)
    until(page, "document.querySelector('#waves .js-plotly-plot')._fullData[0].x.length === 2400")

    result = download(page, "recording")
    assert result.suggested_filename == "arm_denoised.csv"
    result.save_as(tmp_path / "result.csv")
    with open_file(tmp_path / "result.csv") as file:
        cleaned = read(file)
        assert [(one.name, one.unit) for one in file.info.channels] == [("biceps", "mV"), ("triceps", "mV")]
    assert cleaned.shape == x.shape
    turning = np.exp(-2j * np.pi * 50 * np.arange(x.shape[1]) / FS_HZ)
    line = [2 * abs(np.mean(one * turning, axis=1)) for one in (x, cleaned)]  # its amplitude, by projection
    assert (line[0] > 1.8e-4).all()
    assert (line[1] < 0.1 * line[0]).all()
    report = download(page, "report")
    report.save_as(tmp_path / "report.json")
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["before"][0]["line"]["present"]
    assert not told["after"][0]["line"]["present"]

    page.click("#arrangement label:has-text('overlaid')")
    until(page, "document.querySelector('#waves .js-plotly-plot')._fullLayout.xaxis4 === undefined")


def test_no_button_sends_the_recording_away(page, tmp_path):
    upload(page, write_csv(tmp_path / "arm.csv", like_emg(seconds=2)))
    wait_loaded(page)
    until(page, "document.querySelectorAll('#spectra .modebar-btn').length")
    titles = page.evaluate("[...document.querySelectorAll('.modebar-btn')].map(one => one.dataset.title)")
    assert sorted(set(titles)) == [
        "Pan",
        "Reset axes",
        "Zoom",
        "Zoom in",
        "Zoom out",
    ]  # plotly's "Share chart" is not there
    servers = page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot')].map(one => one._context.plotlyServerURL)"
    )
    assert servers == ["", ""]
    links = page.evaluate("[...document.querySelectorAll('[href]')].map(one => new URL(one.href).origin)")
    assert set(links) <= {page.evaluate("location.origin")}


def test_a_broken_file_gets_a_message_and_the_page_goes_on(page, tmp_path):
    (tmp_path / "broken.edf").write_bytes(b"0       " + bytes(range(256)) * 4)
    upload(page, tmp_path / "broken.edf")
    page.wait_for_selector("#error:not([hidden])")
    text = page.inner_text("#error")
    assert text.startswith("broken.edf: ")  # the file as the user knows it, in one line
    assert len(text.splitlines()) == 1
    assert page.is_hidden("#method-card")
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    upload(page, tmp_path / "pickled.npy")
    until(page, "document.getElementById('error').textContent.startsWith('pickled.npy')")
    (tmp_path / "notes.docx").write_text("x")
    upload(page, tmp_path / "notes.docx")
    until(page, "document.getElementById('error').textContent.includes('unknown suffix')")
    upload(page, write_csv(tmp_path / "good.csv", like_emg(seconds=2)))
    wait_loaded(page)
    assert page.is_hidden("#error")


def test_what_the_file_does_not_say_is_asked_for(page, tmp_path):
    np.savetxt(tmp_path / "bare.csv", 1e6 * like_emg(1, seconds=3).T, fmt="%.4f")
    upload(page, tmp_path / "bare.csv")
    page.wait_for_selector("#error:not([hidden])")
    assert page.inner_text("#error") == "bare.csv: does not say its sampling rate; give --fs HZ"
    assert page.locator("#details").evaluate("one => one.open")
    page.fill("#fs", "fast")
    page.click("#reread")
    until(page, "document.getElementById('error').textContent.includes('not a sampling rate')")
    page.fill("#fs", "1000")
    page.click("#reread")
    until(page, "document.getElementById('error').textContent.includes('--unit')")
    page.fill("#unit", "uV")
    page.click("#reread")
    wait_loaded(page)
    assert "1 channel at 1000 Hz, 3 s, in uV" in page.inner_text("#facts")


def test_a_file_that_is_too_large_gets_a_message(page, tmp_path):
    (tmp_path / "large.csv").write_bytes(b"1\n" * 1_500_000)
    upload(page, tmp_path / "large.csv")
    page.wait_for_selector("#error:not([hidden])")
    assert page.inner_text("#error").startswith("the file has 3.0 MB, the page takes 2 MB")


def test_drop_on_a_phone(browser, address, tmp_path):
    text = write_csv(tmp_path / "arm.csv", like_emg(seconds=2)).read_text()
    with fresh_context(browser, 390, 844) as (context, asked):
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("#file", state="attached")
        page.evaluate(
            """text => {
                const files = new DataTransfer();
                files.items.add(new File([text], "arm.csv"));
                document.getElementById("drop").dispatchEvent(
                    new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true}));
            }""",
            text,
        )
        wait_loaded(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390  # nothing sticks out
        assert page.locator("#waves").bounding_box()["width"] > 300
        assert all(url.startswith((address, "data:", "blob:")) for url in asked)
