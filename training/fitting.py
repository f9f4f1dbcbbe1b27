"""One fit: the inputs that determine its weights, and the folder with its weights, losses and manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cleansemg.core import artifact, npz, weight_files
from cleansemg.core.artifact import Manifest, Schema
from cleansemg.core.errors import ArtifactError
from cleansemg.core.fingerprint import describe_change, fingerprint, relation
from cleansemg.core.stage import fitted_by_other_code
from cleansemg.training.fit_files import CHECKPOINT, CURVES, LEARNING_CURVE, LOSSES, RECIPE
from cleansemg.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

    from cleansemg.training.checkpoint import Checkpoint, CurvePoint, EpochResult
    from cleansemg.training.loop import Run

# Code that does not affect a fit: curves, progress, and the data pipeline, whose fingerprint is an input.
NOT_FITTING = ("cleansemg.training.curves", "cleansemg.training.progress", "cleansemg.data_pipeline")


@dataclass(frozen=True)
class Fit:
    """One network to fit.

    Attributes:
        role: denoiser or quality_model; the key of the network's name in the file of weights.
        name: name of the network.
        folder: folder of its files.
        weights: name of the file of weights in the folder.
        schema: schema of the folder's manifest.
        parameters: parameters of the network.
        recipe: recipe of the training.
        section: the settings that determine the weights.
        inputs: fingerprints of the data.
        seed: seed of the configuration.
        code: hashes of the code that the weights depend on, by file.
        label: what to call the fit on the screen; empty: the name.
    """

    role: str
    name: str
    folder: Path
    weights: str
    schema: Schema
    parameters: Mapping[str, Any]
    recipe: Recipe
    section: Mapping[str, Any]
    inputs: Mapping[str, str]
    seed: int
    code: Mapping[str, str]
    label: str = ""

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.schema, self.section, self.inputs, self.seed, self.code)

    @property
    def run(self) -> Run:
        """The arguments of the training loop for this fit."""
        from cleansemg.training.loop import Run

        return Run(self.name, self.seed, self.fingerprint, self.folder / CHECKPOINT, self.label)

    def checkpoint(self) -> Checkpoint | None:
        """Read the checkpoint of an interrupted fit; None if there is none.

        Raises:
            UserError: it belongs to another fit, or cannot be read.
        """
        from cleansemg.training import checkpoint

        return checkpoint.load(self.folder / CHECKPOINT, self.fingerprint)

    def is_finished(self) -> bool:
        """Whether the folder holds this fit, complete and unaltered.

        Raises:
            ArtifactError: the folder holds another fit, or a fit by other code.
        """
        if not (self.folder / artifact.MANIFEST).exists():
            return False
        manifest = artifact.read_manifest(self.folder, self.schema)
        difference = relation(manifest.fingerprint, self.fingerprint)
        if difference == "settings":
            raise ArtifactError(
                f"{self.folder}: trained with another recipe or on other data; "
                "choose another --output, or start this training over with --force"
            )
        if difference != "same":
            reason = describe_change(manifest.code, self.code, manifest.inputs, self.inputs)
            raise fitted_by_other_code(self.folder, reason)
        files = manifest.info["files"].items()
        return all((self.folder / n).exists() and npz.sha256(self.folder / n) == digest for n, digest in files)

    def prepare(self, force: bool) -> None:
        """Delete the manifest, so the folder counts as unfinished, and write the recipe; `force` deletes old files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        results = (self.weights, LOSSES, CURVES, LEARNING_CURVE, RECIPE, CHECKPOINT)
        old = (*results, artifact.MANIFEST) if force else (artifact.MANIFEST,)
        for name in old:
            (self.folder / name).unlink(missing_ok=True)
        for path in self.folder.glob(".*.tmp"):
            path.unlink()
        recipe = yaml.safe_dump(self.recipe.model_dump(mode="json"), sort_keys=False)
        npz.atomic_write(self.folder / RECIPE, recipe.encode())

    def write(
        self,
        network: torch.nn.Module,
        history: Sequence[EpochResult],
        used: EpochResult,
        loss: str,
        about: Mapping[str, Any] | None = None,
        curve: Sequence[CurvePoint] = (),
    ) -> dict[str, Any]:
        """Write weights, losses, curves, the learning curve and, last, the manifest.

        Args:
            network: the network with the weights of the epoch `used`.
            history: results of all epochs.
            used: the epoch whose weights are used.
            loss: name of the loss, for the curves.
            about: further metadata for the file of weights.
            curve: the learning curve; none is written where it is empty.

        Returns:
            The metadata in the file of weights.
        """
        from cleansemg.training import learning_curve
        from cleansemg.training.curves import write_curves, write_losses

        info = {
            self.role: self.name,  # the network is built from this name and the parameters
            "parameters": dict(self.parameters),
            "recipe": self.recipe.model_dump(mode="json"),
            "seed": self.seed,
            "inputs": dict(self.inputs),
            "fingerprint": self.fingerprint,
            "epoch": used.epoch,
            "valid_loss": used.valid_loss,
            **(about or {}),
        }
        weight_files.write(self.folder / self.weights, network, info)
        write_losses(self.folder / LOSSES, history)
        write_curves(self.folder / CURVES, history, used, loss, f"{self.name}, seed {self.seed}")
        files = [self.weights, LOSSES, CURVES, RECIPE]
        if curve:
            learning_curve.write(self.folder / LEARNING_CURVE, curve, curve[used.epoch].mixtures)
            files.append(LEARNING_CURVE)
        manifest = Manifest(
            schema=self.schema.name,
            schema_version=self.schema.version,
            fingerprint=self.fingerprint,
            seed=self.seed,
            inputs=dict(self.inputs),
            shards=(),
            n_failures=0,
            code=dict(self.code),
            versions=artifact.versions(),
            info={
                "epochs": len(history),
                "epoch": used.epoch,
                "valid_loss": used.valid_loss,
                "files": {name: npz.sha256(self.folder / name) for name in files},
            },
        )
        artifact.write_manifest(self.folder, manifest)
        return info

    def describe(self) -> str:
        """Describe the finished fit in one line."""
        info = json.loads((self.folder / artifact.MANIFEST).read_text())["info"]
        return (
            f"{info['epochs']} epochs, epoch {info['epoch']} used, its validation loss {info['valid_loss']:.5g}; "
            f"weights in {self.folder / self.weights}"
        )
