"""What happens on the page."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from cleansemg.app import figures, tables
from cleansemg.app.jobs import Job, Jobs, State
from cleansemg.app.methods import methods
from cleansemg.app.recording import Denoised, Loaded, Session
from cleansemg.app.sessions import Sessions
from cleansemg.app.work import denoise_recording, formats_for, load_recording
from cleansemg.core.errors import UserError
from cleansemg.formats import ReadOptions

if TYPE_CHECKING:
    from dash import Dash

LOG = logging.getLogger(__name__)
FIELDS = ("fs", "unit", "offset", "columns", "time", "sheet", "key")
FORMAT_NAMES = {
    "csv": "CSV", "tsv": "TSV", "txt": "text", "xlsx": "Excel", "mat": "MATLAB", "npz": "NumPy npz", "npy": "NumPy npy",
    "edf": "EDF", "bdf": "BDF", "wfdb": "WFDB (zip)",
}  # fmt: skip
DOWNLOADS = {"recording": "Denoised recording", "report": "Report (JSON)", "sidecar": "How it was made (JSON)"}


def connect(app: Dash, sessions: Sessions, jobs: Jobs) -> None:
    """Put life into the layout of `page`."""
    _connect_work(app, sessions, jobs)
    _connect_progress(app, sessions)
    _connect_display(app, sessions)


def show_error(error: Exception) -> None:
    """What a callback raised, as a message on the page."""
    from dash import set_props

    text = str(error)
    if not isinstance(error, UserError):
        LOG.error("the page failed", exc_info=error)
        text = f"a mistake of the program ({type(error).__name__}: {error}); the terminal shows where"
    set_props("error", {"children": text, "hidden": False})


def read_options(texts: dict[str, str | None]) -> ReadOptions:
    """The fields' texts as arguments of `open_file`.

    Raises:
        UserError: a number that is none.
    """
    given = {name: (text or "").strip() for name, text in texts.items()}
    names = tuple(name.strip() for name in given["columns"].split(",") if name.strip())
    return ReadOptions(
        fs_hz=_number(given["fs"], "--fs", "sampling rate in Hz"),
        unit=given["unit"] or None,
        offset=_number(given["offset"], "--offset", "number in the file") or 0.0,
        channels=names or None,
        sheet=given["sheet"] or None,
        key=given["key"] or None,
        time=given["time"] or None,
    )


def without_folder(text: str, session: Session) -> str:
    """A message as the user knows the file: without the folder that it lies in here."""
    return text.replace(f"{session.folder}/", "").replace(str(session.folder), "")


def _connect_work(app: Dash, sessions: Sessions, jobs: Jobs) -> None:
    from dash import Input, Output, State, ctx, no_update

    @app.callback(
        Output("poll", "disabled"), Output("error", "children", allow_duplicate=True),
        Output("error", "hidden", allow_duplicate=True), Output("progress", "hidden", allow_duplicate=True),
        *(Output(name, "value") for name in FIELDS),
        Input("session", "data"), Input("reread", "n_clicks"), Input("upload-error", "data"),
        *(State(name, "value") for name in FIELDS),
        prevent_initial_call=True,
    )  # fmt: skip
    def read(data: Any, _: Any, upload_error: Any, *texts: str | None) -> tuple[Any, ...]:
        unchanged = (no_update,) * len(FIELDS)
        if ctx.triggered_id == "upload-error":
            return no_update, upload_error["text"], False, no_update, *unchanged
        new = ctx.triggered_id == "session"
        try:
            session = sessions.get((data or {}).get("id"))
            reading = ReadOptions() if new else read_options(dict(zip(FIELDS, texts, strict=True)))
        except UserError as error:
            return no_update, str(error), False, no_update, *unchanged
        _begin(session, jobs, Job("read", lambda job: load_recording(session, reading, job)))
        return False, "", True, False, *(("",) * len(FIELDS) if new else unchanged)

    @app.callback(
        Output("poll", "disabled", allow_duplicate=True), Output("error", "children", allow_duplicate=True),
        Output("error", "hidden", allow_duplicate=True), Output("progress", "hidden", allow_duplicate=True),
        Input("denoise", "n_clicks"),
        State("session", "data"), State("method", "value"), State("channels", "value"), State("format", "value"),
        prevent_initial_call=True,
    )  # fmt: skip
    def denoise(_: Any, data: Any, key: str, channels: list[int] | None, file_format: str) -> tuple[Any, ...]:
        known = {method.key: method for method in methods()}
        try:
            session = sessions.get((data or {}).get("id"))
            if key not in known:
                raise UserError("choose a denoiser")
            method, selected = known[key], [int(i) for i in channels or ()]
        except UserError as error:
            return no_update, str(error), False, no_update

        def work(job: Job) -> None:
            denoise_recording(session, method.name, method.weights, selected, file_format, job)

        _begin(session, jobs, Job("denoise", work))
        return False, "", True, False

    @app.callback(Input("cancel", "n_clicks"), State("session", "data"), prevent_initial_call=True)
    def cancel(_: Any, data: Any) -> None:
        session = sessions.get((data or {}).get("id"))
        if session.job is not None:
            session.job.cancel()


def _connect_progress(app: Dash, sessions: Sessions) -> None:
    from dash import Input, Output, State, no_update

    @app.callback(
        Output("progress-label", "children"), Output("progress-bar", "style"), Output("progress", "hidden"),
        Output("poll", "disabled", allow_duplicate=True), Output("error", "children"), Output("error", "hidden"),
        Output("details", "open"), Output("event", "data"),
        Input("poll", "n_intervals"), State("session", "data"),
        prevent_initial_call=True,
    )  # fmt: skip
    def poll(n: int, data: Any) -> tuple[Any, ...]:
        try:
            session = sessions.get((data or {}).get("id"))
        except UserError as error:
            return "", {}, True, True, str(error), False, no_update, no_update
        job = session.job
        if job is None:
            return "", {}, True, True, "", True, no_update, no_update
        state = job.state
        if not state.finished:
            return *_shown(state), False, False, "", True, no_update, no_update
        event = {"kind": job.kind, "n": n}
        if state.error is not None:
            text = without_folder(state.error, session)
            return "", {}, True, True, text, False, "--" in text or no_update, event
        text = f"{'reading' if job.kind == 'read' else 'denoising'} was stopped" if state.cancelled else ""
        return "", {}, True, True, text, not text, False if job.kind == "read" and not text else no_update, event


def _connect_display(app: Dash, sessions: Sessions) -> None:
    from dash import Input, Output, State, no_update

    @app.callback(
        Output("facts", "children"), Output("facts", "hidden"), Output("notes", "children"), Output("notes", "hidden"),
        Output("details", "hidden"), Output("method-card", "hidden"), Output("result-card", "hidden"),
        Output("plots-card", "hidden"), Output("channels", "options"), Output("channels", "value"),
        Output("format", "options"), Output("format", "value"), Output("shown", "options"), Output("shown", "value"),
        Output("downloads", "children"), Output("command", "children"), Output("empty-card", "hidden"),
        Input("event", "data"), State("session", "data"), State("shown", "value"), State("channels", "value"),
        State("format", "value"),
        prevent_initial_call=True,
    )  # fmt: skip
    def arrange(event: Any, data: Any, shown: Any, channels: Any, file_format: Any) -> tuple[Any, ...]:
        from dash import html

        session = sessions.get(data["id"])
        loaded, denoised = session.loaded, session.denoised
        if loaded is None:
            return "", True, [], True, False, True, True, True, [], [], [], None, [], None, [], [], False
        notes = [*loaded.notes, *(note for note in (denoised.notes if denoised else ()) if note not in loaded.notes)]
        names = [{"label": one.name, "value": i} for i, one in enumerate(loaded.info.channels)]
        formats = formats_for(loaded.info)
        named_formats = [{"label": FORMAT_NAMES[one], "value": one} for one in formats]
        if event["kind"] == "read":
            shown, channels, file_format = 0, list(range(len(names))), formats[0]
        elif denoised is not None and shown not in denoised.channels:
            shown = denoised.channels[0]
        return (
            _facts(session, loaded), False, [html.Li(without_folder(note, session)) for note in notes], not notes,
            False, False, False, False, names, channels, named_formats, file_format,
            names, shown, *_downloads(session, denoised), True,
        )  # fmt: skip

    @app.callback(
        Output("waves", "figure"), Output("waves", "style"), Output("spectra", "figure"), Output("quality", "children"),
        Input("shown", "value"), Input("event", "data"), Input("arrangement", "value"), State("session", "data"),
        prevent_initial_call=True,
    )  # fmt: skip
    def draw(shown: int | None, _: Any, arrangement: str, data: Any) -> tuple[Any, ...]:
        view = _view(sessions.get((data or {}).get("id")), shown, arrangement == "overlaid")
        if view is None:
            return (no_update,) * 4
        plots = figures.time_plots(view)
        after = None if view.after is None else view.after.report
        quality = tables.quality_table(view.before.report, after)
        return plots, {"height": plots.layout.height}, figures.spectra(view), quality

    # Apart from `draw`: of two calls of one callback the page keeps the later answer alone, and a plot that is
    # fitted into its frame reports that as a change, too.
    @app.callback(
        Output("waves", "figure", allow_duplicate=True),
        Input("waves", "relayoutData"), State("shown", "value"), State("arrangement", "value"),
        State("session", "data"),
        prevent_initial_call=True,
    )  # fmt: skip
    def zoom(change: Any, shown: int | None, arrangement: str, data: Any) -> Any:
        span = _span(change)
        if span is None:  # something else than the time axis was moved
            return no_update
        view = _view(sessions.get((data or {}).get("id")), shown, arrangement == "overlaid")
        return no_update if view is None else figures.time_plots(view, *span)


def _begin(session: Session, jobs: Jobs, job: Job) -> None:
    """Submit a job; the one before it is stopped."""
    with session.lock:
        if session.job is not None:
            session.job.cancel()
        session.job = jobs.submit(job)


def _shown(state: State) -> tuple[str, dict[str, str]]:
    """Label and bar of a job on its way."""
    if state.share is None:
        return f"{state.label} …", {"width": "4%"}
    return f"{state.label}: {100 * state.share:.0f} %", {"width": f"{max(100 * state.share, 2):.0f}%"}


def _facts(session: Session, loaded: Loaded) -> Any:
    from dash import html

    info, n = loaded.info, len(loaded.info.channels)
    length = tables.length_text(loaded.samples.duration_s)
    return [
        html.B(session.path.name),
        html.Span(f"{n} channel{'s' if n > 1 else ''} at {info.fs_hz:.6g} Hz, {length}, in {info.channels[0].unit}"),
    ]


def _downloads(session: Session, denoised: Denoised | None) -> tuple[Any, Any]:
    from dash import html

    if denoised is None:
        return [], []
    links = [
        html.A(
            title, href=f"/download/{session.id}/{word}", download=denoised.files[word].name, id=f"download-{word}",
            className="first" if word == "recording" else "second",
        )
        for word, title in DOWNLOADS.items()
    ]  # fmt: skip
    return links, [
        html.Small(f"{denoised.title}: {denoised.closing}"),
        html.Small("The same from the command line:"),
        html.Code(denoised.command),
    ]


def _view(session: Session, shown: int | None, overlaid: bool) -> figures.View | None:
    loaded, denoised = session.loaded, session.denoised
    if loaded is None or shown is None or not 0 <= shown < len(loaded.info.channels):
        return None
    channel = loaded.info.channels[shown]
    after = None
    if denoised is not None and shown in denoised.channels:
        position = denoised.channels.index(shown)
        after = figures.Side(denoised.samples, position, denoised.after[position])
    before = figures.Side(loaded.samples, shown, loaded.reports[shown])
    key = f"{session.id} {shown} {id(loaded)} {id(denoised)} {overlaid}"
    return figures.View(before, after, channel.volts_per_unit, channel.offset, overlaid, key)


def _span(change: Any) -> tuple[float | None, float | None] | None:
    """Of the time axis, from what the plot says of a change; None: that was not moved."""
    if not isinstance(change, dict):
        return None
    for name in ("xaxis", "xaxis2", "xaxis3", "xaxis4"):
        if f"{name}.range[0]" in change:
            return float(change[f"{name}.range[0]"]), float(change[f"{name}.range[1]"])
        if f"{name}.range" in change:
            return float(change[f"{name}.range"][0]), float(change[f"{name}.range"][1])
        if f"{name}.autorange" in change:
            return None, None
    return None


def _number(text: str, option: str, what: str) -> float | None:
    if not text:
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise UserError(f"{option}: '{text}' is not a {what}") from None
