from cleansemg.core.rendering import Column, Table, to_csv, to_latex, to_markdown, write

TABLE = Table(
    "A_title",
    [
        Column("who", "who"),
        Column("gain", "gain (dB) ↑", 2, ("low", "high")),
        Column("low"),
        Column("high"),
        Column("n", "n"),
    ],
    [
        {"who": "a_b", "gain": 1.23456, "low": 1.0, "high": 2.0, "n": 3},
        {"who": "c", "gain": -0.0004, "low": float("nan"), "high": float("nan"), "n": 10},
    ],
    ["A note."],
)


def test_csv_keeps_digits_and_blanks_what_is_missing():
    assert to_csv(TABLE) == "who,gain,low,high,n\na_b,1.23456,1,2,3\nc,-0.0004,,,10\n"


def test_markdown_rounds_shows_intervals_and_no_minus_zero():
    text = to_markdown(TABLE)
    assert "| a_b |" in text
    assert "1.23 [1.00, 2.00]" in text
    assert " 0.00 |" in text
    assert "-0.00" not in text
    assert text.endswith("A note.\n")


def test_a_narrow_column_of_numbers_is_still_a_table():
    """`| : |` is no rule of Markdown; `-:` is."""
    table = Table("t", [Column("denoiser", "denoiser"), Column("n", "n")], [{"denoiser": "hp", "n": 8}])
    assert "| -------- | -: |" in to_markdown(table)


def test_latex_escapes():
    text = to_latex(TABLE)
    assert r"a\_b & 1.23 [1.00, 2.00] & 3 \\" in text
    assert r"\caption{A\_title}" in text
    assert r"$\uparrow$" in text


def test_names_that_people_read_are_not_in_the_csv(tmp_path):
    table = Table("c, blind: gain (dB)", TABLE.columns, TABLE.rows)
    write([table], tmp_path, "t", {"c": "c (small)", "a": "never"})
    assert (tmp_path / "t.csv").read_text() == to_csv(TABLE)
    for ending in ("md", "tex"):
        text = (tmp_path / f"t.{ending}").read_text()
        assert text.count("c (small)") == 2  # a cell, and the beginning of the title
        assert "never" not in text
