"""Names use the field's words: none has a word that docs/glossary.md replaces."""

from __future__ import annotations

from pathlib import Path

from tests.vocabulary import REPLACED, left_over, python_names, replaced_in


def test_the_glossary_lists_words() -> None:
    assert {"box", "own", "found", "told", "any_rate"} <= set(REPLACED)


def test_words_are_noticed_in_every_sort_of_name(tmp_path: Path) -> None:
    module = tmp_path / "m.py"
    module.write_text(
        "class _Found:\n    def put(self, own_hz): self._chosen = [told for told in own_hz]\nimport x as IN_THE_BOX\n"
        "OPTION = '--any-rate'\nfounder = ownership = 1\n"
    )
    words = sorted(word for _, name in python_names(module) for word in replaced_in(name))
    assert words == ["any_rate", "box", "chosen", "found", "own", "put", "told"]


def test_no_name_has_a_replaced_word() -> None:
    assert left_over() == []
