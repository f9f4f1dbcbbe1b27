"""The neuromuscular task (healthy, myopathic or neurogenic), its parameters and its splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.layout import Layout
from cleansemg.downstream.common.folds import by_subject, stratified_windows
from cleansemg.downstream.common.task import Examples, Fold, Model, Protocol, Task
from cleansemg.downstream.neuromuscular.models import Cnn1d, Cnn2d, Plan
from cleansemg.downstream.neuromuscular.transfer import Transfer
from cleansemg.downstream.neuromuscular.windows import LABELS

if TYPE_CHECKING:
    from cleansemg.settings import Settings

IMAGES = ("stft", "cwt")
SHORTEST = 128


class NeuromuscularTask(Task):
    """Classify the group (control, myopathy, neuropathy) of a person from a window of one channel.

    Args:
        fs_hz: sampling rate of the streams, Hz; neural denoisers need 1000 Hz.
        band_hz: pass band of the filter applied to recordings first, Hz.
        window_samples: length of a window, a multiple of 64, at least 128.
        hop_samples: step from window to window, samples; None: half a window.
        classes: two or three of control, myopathy, neuropathy.
        image: input of the 2-D network: stft or cwt.
        folds: number of folds over people (`subjects`) or windows (`published`).
        augment_noise: maximum standard deviation of the noise added in training, relative to that of the window.
        augment_shift: maximum circular shift of a window in training, as a fraction of its length.
        transfer: {source, target, head}, data sets of the configuration, see `transfer.Transfer`.

    Raises:
        ValueError: a parameter out of range.
    """

    name = "neuromuscular"
    same_channels = False

    def __init__(
        self,
        *,
        fs_hz: float = 1000.0,
        band_hz: Sequence[float] = (20.0, 450.0),
        window_samples: int = 2048,
        hop_samples: int | None = None,
        classes: Sequence[str] = tuple(LABELS),
        image: Literal["stft", "cwt"] = "stft",
        folds: int = 5,
        augment_noise: float = 0.1,
        augment_shift: float = 0.25,
        transfer: Mapping[str, Any] | None = None,
    ) -> None:
        if not fs_hz > 0 or len(band_hz) != 2 or not 0 < band_hz[0] < band_hz[1] <= fs_hz / 2:
            raise ValueError(f"band_hz is {list(band_hz)}: expected low, high within 0 and half of fs_hz ({fs_hz:g})")
        if window_samples < SHORTEST or window_samples % 64:
            raise ValueError(f"window_samples is {window_samples}: expected a multiple of 64, at least {SHORTEST}")
        hop_samples = window_samples // 2 if hop_samples is None else hop_samples
        if not 1 <= hop_samples <= window_samples:
            raise ValueError(f"hop_samples is {hop_samples}: expected 1 to window_samples ({window_samples})")
        for one in classes:
            if one not in LABELS:
                raise ValueError(f"classes: '{one}'{did_you_mean(one, LABELS)}")
        if len(set(classes)) != len(classes) or len(classes) < 2:
            raise ValueError(f"classes is {list(classes)}: expected two or three different ones")
        if image not in IMAGES:
            raise ValueError(f"image: '{image}'{did_you_mean(image, IMAGES)}")
        if not 0 <= augment_noise <= 1 or not 0 <= augment_shift <= 1:
            raise ValueError("augment_noise and augment_shift must lie within 0 to 1")
        unknown = sorted(set(transfer or {}) - set(Transfer.__dataclass_fields__))
        if unknown:
            raise ValueError(f"transfer: '{unknown[0]}'{did_you_mean(unknown[0], Transfer.__dataclass_fields__)}")
        self.fs_hz = float(fs_hz)
        self.band_hz = (float(band_hz[0]), float(band_hz[1]))
        self.classes = tuple(classes)
        self.n_folds = folds
        self.transfer = None if transfer is None else Transfer(**transfer)
        self.plan = Plan(
            classes=self.classes,
            window=window_samples,
            hop=hop_samples,
            band=(self.band_hz[0] / self.fs_hz, self.band_hz[1] / self.fs_hz),
            image=image,
            noise=augment_noise,
            shift=augment_shift,
            transfer=self.transfer,
        )

    def models(self) -> dict[str, Model]:
        """The 1-D and the 2-D network; in a transfer with `head`, each also with its head fitted to the target."""
        models: dict[str, Model] = {"cnn1d": Cnn1d(self.plan), "cnn2d": Cnn2d(self.plan)}
        if self.transfer is not None and self.transfer.head:
            models |= {"cnn1d_head": Cnn1d(self.plan, head=True), "cnn2d_head": Cnn2d(self.plan, head=True)}
        return models

    def folds(self, examples: Examples, protocol: Protocol, seed: int) -> list[Fold]:
        """Split by subject; `published` shuffles windows into folds, like work that splits signals, and leaks.

        Raises:
            UserError: a class with no or too few people, or a transfer with the protocol `published`.
        """
        if self.transfer is not None:
            if protocol == "published":
                raise UserError("downstream.protocol: published: a transfer tests people of another set; use subjects")
            return self.transfer.folds(examples, seed, self.n_folds, self.classes)
        for y, name in enumerate(self.classes):
            people = sorted(set(examples.person[examples.y == y].tolist()))
            if not people:
                raise UserError(f"class '{name}': nobody has it; add recordings, or leave it out of classes")
            if len(people) == 1 and protocol == "subjects":
                raise UserError(
                    f"class '{name}': one person ({people[0]}), who cannot be in both training and test; such a set "
                    "can be the target of a transfer, see docs/downstream/neuromuscular.md"
                )
        if protocol == "published":
            return stratified_windows(examples, seed, n_folds=self.n_folds, classes=self.classes)
        return by_subject(examples, seed, n_folds=self.n_folds, classes=self.classes)

    def extras(
        self, settings: Settings, layout: Layout, names: Sequence[str] | None, models: Sequence[str]
    ) -> list[str]:
        """Draw saliency maps over the waveforms."""
        from cleansemg.downstream.neuromuscular.explain import explain

        return explain(settings, layout, models)
