"""The command `cleansemg verify`: an independent check of a folder of results."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import typer


def verify(
    folder: Annotated[Path, typer.Argument(help="A folder of results, as --output of `cleansemg run` names it.")],
    sample: Annotated[
        int, typer.Option(min=1, help="Mixtures of each denoiser to score again from their waveforms.")
    ] = 50,
    again: Annotated[
        int,
        typer.Option(
            "--rerun", min=0, help="Rows of each denoised set to denoise again; runs what the configuration names."
        ),
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, and the lines of failures alone.")] = False,
) -> int:
    """Check results from outside: what is stored is what the manifests, the seed and the formulas say.

    Works on any folder of `cleansemg run`, of the benchmark or of a task, and reads what lies there: no recordings, no
    configuration; of the code that made it, the text alone, to say whether it has changed since. One line a check:

    ok     looked at, with counts; FAIL   wrong, and where; leaks  parts share what their protocol declares;
    stale  made by other code, YAML or weights than those at hand; --     nothing there to check, or nothing that
    could be.

    It compares hashes and fingerprints of all stages, subjects and noise records of the parts, rebuilds every mixture
    from segment, noise and gains with its SNR, draws every recipe again from its seed, computes metrics anew, and
    follows every number of the tables back to them. Exit code 1 if one check fails. Waveforms of a large set are not
    kept, but their digests are: with --rerun some rows are denoised again and compared.

    Example: cleansemg verify results/demo
    """
    from cleansemg.core.commandline import EXIT_FAILED_ITEMS
    from cleansemg.core.console import progress, setup_logging
    from cleansemg.evaluation.verification import lines_of
    from cleansemg.evaluation.verification import verify as check

    setup_logging(quiet)
    findings = check(folder, sample, progress)
    if again:
        from cleansemg.evaluation.rerun import rerun

        findings = itertools.chain(findings, (rerun(folder, again, progress) for _ in range(1)))
    failed = stale = 0
    for finding in findings:
        failed += bool(finding.problems)
        stale += len(finding.stale)
        for line in lines_of(finding):
            if not quiet or line.status == "FAIL":
                typer.echo(str(line))
    outcome = f"{failed} checks failed" if failed else "every check passed"
    typer.echo(outcome + (f", but other code than that at hand made {stale} folders" if stale else ""))
    return EXIT_FAILED_ITEMS if failed else 0
