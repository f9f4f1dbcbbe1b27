"""The networks that predict quality, by name: QASE-net, its ablations, the baseline; and their files of weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.noise.kinds import BENCHMARK_KINDS

if TYPE_CHECKING:
    from torch import nn

PRETRAINED = Path(__file__).resolve().parent / "weights"

# What each is beside the defaults of `QASESize`. The public code's ablations have layers of their own, found by their
# parameter counts.
QASE_FORMS: dict[str, dict[str, Any]] = {
    "qase": {},
    "cnn": {"channels": (16, 32, 64, 128, 256), "use_lstm": False, "use_attention": False},
    "cnn_notebook": {"channels": (16, 32, 64, 128), "use_lstm": False, "use_attention": False},
    "cnn_attention": {"channels": (16, 32, 64), "use_lstm": False},
    "cnn_blstm": {"channels": (16, 32, 64), "hidden": 48, "layers": 2, "use_attention": False},
}
BASELINE = "wldnn"
# The default: QASE-net, fine-tuned on recordings of people (docs/quality.md has both on them).
DEFAULT_WEIGHTS = "qase_open"
NAMES = (*QASE_FORMS, BASELINE)


@dataclass(frozen=True)
class Predictor:
    """A network with what its file of weights holds beside them.

    Attributes:
        name: one of `NAMES`.
        network: [n, L] -> [n, 1] or [n, 1 + K], in evaluation mode, on the CPU.
        info: what was written beside the weights (`thresholds`, `lengths_s`, `snr_db`, ...).
        sha256: of the file.
    """

    name: str
    network: nn.Module
    info: dict[str, Any]
    sha256: str

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of noise that its second head was fitted to; weights that name none know the benchmark's five."""
        return tuple(self.info.get("kinds") or BENCHMARK_KINDS)


def build(name: str, **parameters: Any) -> nn.Module:
    """A fresh network, its weights drawn from torch's generator.

    Raises:
        UserError: an unknown name or parameter, or a refused value.
    """
    from cleansemg.quality.qase import QASENet, QASESize
    from cleansemg.quality.wldnn import WLDNN, WLDNNSize

    if name not in NAMES:
        raise UserError(f"no quality model is called '{name}'{did_you_mean(name, NAMES)}")
    size_class: type[Any] = WLDNNSize if name == BASELINE else QASESize
    fields = [field.name for field in dataclasses.fields(size_class)]
    for key in parameters:
        if key not in fields:
            raise UserError(f"quality model '{name}': unknown parameter '{key}'{did_you_mean(key, fields)}")
    values = {**QASE_FORMS.get(name, {}), **parameters}
    if "channels" in values:
        values["channels"] = tuple(values["channels"])
    size = size_class(**values)
    return WLDNN(size) if name == BASELINE else QASENet(size)


def count(network: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def pretrained_weights(name: str = DEFAULT_WEIGHTS) -> Path:
    """The file of the weights that come with the project, by its name there.

    Raises:
        UserError: none come for this model; the message tells how to train them.
    """
    from cleansemg.core import weight_files

    path = PRETRAINED / f"{name}.safetensors"
    if not path.exists():
        weight_files.require_some(PRETRAINED)
        raise UserError(
            f"quality model '{name}' comes without weights; train it: "
            "python training/quality/train.py --config configs/quality/qase.yaml, then name the file"
        )
    return path


def load(path: Path | None = None) -> Predictor:
    """A model with its weights; those pretrained by default.

    Raises:
        UserError: absent, broken, or not weights of a quality model.
    """
    from cleansemg.core import npz, weight_files

    file = pretrained_weights() if path is None else Path(path)
    state, info = weight_files.read(file)
    name = info.get("quality_model")
    if name not in NAMES:
        raise UserError(f"{file}: not weights of a quality model")
    network = build(str(name), **info.get("parameters", {}))
    weight_files.fit_into(network, state, str(file))
    return Predictor(str(name), network.eval(), info, npz.sha256(file))
