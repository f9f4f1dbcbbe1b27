"""The page's layout; what happens on it is in `callbacks`."""

from __future__ import annotations

from typing import Any

from cleansemg.app.figures import SPECTRUM_HEIGHT
from cleansemg.app.methods import default_key, methods

POLL_MS = 400
# Named one by one and without an address: plotly's own set has a button that uploads the plotted data to its makers.
BUTTONS = ("zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d")
GRAPH = {"displaylogo": False, "responsive": True, "plotlyServerURL": "", "modeBarButtons": [list(BUTTONS)]}
KINDS_OF_FILES = ".csv,.tsv,.txt,.xlsx,.mat,.npz,.npy,.edf,.bdf,.hea,.dat"


def layout(max_upload_mb: float) -> Any:
    """Everything there is; parts without content are hidden."""
    from dash import dcc, html

    return html.Div(
        [
            dcc.Store(id="session"),
            dcc.Store(id="upload-error"),
            dcc.Store(id="event"),
            dcc.Interval(id="poll", interval=POLL_MS, disabled=True),
            html.Header(
                [
                    html.H1("CleanSEMG"),
                    html.P("Denoise a surface-EMG recording. It stays on this computer."),
                ]
            ),
            html.Div(
                [
                    html.Div([_file_card(max_upload_mb), _method_card()], className="controls"),
                    html.Main([_empty_card(), _result_card(), _plots_card()], id="results", className="results"),
                ],
                className="columns",
            ),
        ],
        className="page",
    )


def _file_card(max_upload_mb: float) -> Any:
    from dash import html

    return html.Section(
        [
            html.H2("1  Recording"),
            html.Label(
                [
                    html.Span("Drop a file here, or choose one", className="drop-title"),
                    html.Small(
                        f"CSV, TSV, text, Excel, MATLAB, NumPy, EDF, BDF, "
                        f"WFDB (.hea with .dat); up to {max_upload_mb:g}\u00a0MB"
                    ),
                    html.Div(id="picker", **{"data-max-mb": f"{max_upload_mb:g}", "data-accept": KINDS_OF_FILES}),
                ],
                id="drop",
                className="drop",
            ),
            html.Div(id="error", className="error", role="alert", hidden=True),
            _progress(),
            html.Div(id="facts", className="facts", hidden=True),
            html.Ul(id="notes", className="notes", hidden=True),
            _details(),
        ],
        className="card",
    )


def _progress() -> Any:
    from dash import html

    return html.Div(
        [
            html.Div(
                [html.Span(id="progress-label"), html.Button("Stop", id="cancel", className="plain")], className="row"
            ),
            html.Div(html.Div(id="progress-bar", className="bar-done"), className="bar"),
        ],
        id="progress",
        className="progress",
        hidden=True,
        role="status",
    )


def _details() -> Any:
    """What the file may not say; each field carries the name of the option that messages speak of."""
    from dash import dcc, html

    def field(name: str, label: str, option: str, placeholder: str, **more: Any) -> Any:
        field = dcc.Input(id=name, type="text", placeholder=placeholder, debounce=False, autoComplete="off", **more)
        return html.Div([html.Label([label, html.Code(option)], htmlFor=name), field], className="field")

    return html.Details(
        [
            html.Summary("What the file does not say"),
            html.Datalist([html.Option(value=unit) for unit in ("V", "mV", "uV", "nV")], id="units"),
            html.Div(
                [
                    field("fs", "Sampling rate, Hz", "--fs", "e.g. 2000", inputMode="decimal"),
                    field("unit", "Unit, or volts for 1", "--unit", "V, mV, uV, nV", list="units"),
                    field("offset", "Number that is 0 V", "--offset", "0", inputMode="decimal"),
                    field("columns", "Channels to read", "--channels", "names or columns"),
                    field("time", "Time column", "--time", "name, column, none"),
                    field("sheet", "Sheet of a workbook", "--sheet", "name"),
                    field("key", "Variable (MAT, npz)", "--key", "name"),
                ],
                className="fields",
            ),
            html.Button("Read again", id="reread", className="second"),
        ],
        id="details",
        hidden=True,
    )


def _method_card() -> Any:
    from dash import dcc, html

    options = []
    for one in methods():
        name = one.name if one.weights == "pretrained" else f"{one.name} ({one.weights})"
        label = html.Span([html.B(name), html.Small(one.summary)], className="method")
        options.append({"label": label, "value": one.key, "search": f"{name} {one.summary}"})
    return html.Section(
        [
            html.H2("2  Denoise"),
            html.Label("Denoiser", htmlFor="method"),
            dcc.Dropdown(
                id="method", options=options, value=default_key(), clearable=False, optionHeight=54, maxHeight=380
            ),
            html.Label("Channels", htmlFor="channels"),
            dcc.Dropdown(id="channels", multi=True, placeholder="none chosen"),
            html.Label("Format of the result", htmlFor="format"),
            dcc.Dropdown(id="format", clearable=False, searchable=False),
            html.Button("Denoise", id="denoise", className="first"),
        ],
        id="method-card",
        className="card",
        hidden=True,
    )


def _empty_card() -> Any:
    """Where the results will be, as long as there are none."""
    from dash import html

    return html.Section(
        html.P("Waveform, spectrogram, spectra and quality of a recording, before and after, appear here."),
        id="empty-card",
        className="card empty",
    )


def _result_card() -> Any:
    from dash import dcc, html

    return html.Section(
        [
            html.Div(
                [
                    html.H2("3  Quality", id="result-title"),
                    dcc.Dropdown(id="shown", clearable=False, className="shown"),
                ],
                className="row",
            ),
            html.Div(id="quality"),
            html.Div(id="downloads", className="downloads"),
            html.Div(id="command", className="command"),
        ],
        id="result-card",
        className="card",
        hidden=True,
    )


def _plots_card() -> Any:
    from dash import dcc, html

    return html.Section(
        [
            html.Div(
                [
                    html.Small("Drag over a stretch to see it in full; double click for the whole."),
                    dcc.RadioItems(
                        id="arrangement",
                        options=["stacked", "overlaid"],
                        value="stacked",
                        inline=True,
                        className="arrangement",
                    ),
                ],
                className="row",
            ),
            dcc.Graph(id="waves", config=GRAPH),
            html.H3("Spectra (Welch)"),
            dcc.Graph(id="spectra", config=GRAPH, style={"height": SPECTRUM_HEIGHT}),
        ],
        id="plots-card",
        className="card",
        hidden=True,
    )
