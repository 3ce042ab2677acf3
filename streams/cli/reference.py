"""``driftsonde reference``: make references, and look at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import ConfigFile, Json, load, write
from streams.cli.recorded import Inputs, Since, Until, open_history, remark

if TYPE_CHECKING:
    from schemas.config import Config
    from schemas.reference import Profile, Reference

__all__ = ["app"]

app = typer.Typer(help="References: what a model's data looked like when all was well.", no_args_is_help=True)


@app.command()
def build(
    config: ConfigFile = Path("driftsonde.yaml"),
    since: Since = None,
    until: Until = None,
    inputs: Inputs = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Only this model's.")] = None,
    version: Annotated[str | None, typer.Option(metavar="VERSION", help="Only this version's.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it; by default where the configuration says.")
    ] = None,
) -> None:
    """Build references from recorded history, one for each model and version that it holds."""
    loaded = _only(load(config), model)
    from streams.cli.terminal import note, progress_of
    from streams.replay.reference_builder import ENOUGH_ROWS, build_references
    from streams.replay.tally import Tally

    watched = {topic: [b for b in bound if b[1] != "labels"] for topic, bound in loaded.source_topics().items()}
    source, origin = open_history(loaded, inputs, since, until, bindings={topic: bound for topic, bound in watched.items() if bound})
    tally = Tally()
    with progress_of(source.size) as progress:
        built = build_references(loaded, source, origin=origin, tally=tally, progress=progress)
    remark(tally)
    wanted = [reference for (_, of), reference in built.items() if version in (None, of)]
    for path, reference in _destinations(loaded, wanted, config.parent, output, version):
        write(path, reference.to_json())
        _show(reference)
        if reference.rows < ENOUGH_ROWS:
            note(f"warning: {reference.rows} rows show large shifts only; expected {ENOUGH_ROWS}, better 10000 or more")
        note(f"wrote {path}")


@app.command()
def show(path: Annotated[Path, typer.Argument(metavar="FILE", help="A reference.")], json: Json = False) -> None:
    """Show what is in a reference."""
    from streams.references import read_reference

    reference = read_reference(path)
    if json:
        import orjson

        typer.echo(orjson.dumps({"content_hash": reference.content_hash, **reference.model_dump(mode="json")}))
    else:
        _show(reference)


def _only(config: Config, model: str | None) -> Config:
    if model is None:
        return config
    if model not in (known := [m.name for m in config.models]):
        raise typer.BadParameter(f"no model {model!r}; expected one of {', '.join(known)}", param_hint="--model")
    return config.model_copy(update={"models": [config.model(model)]})


def _destinations(
    config: Config, references: list[Reference], directory: Path, output: Path | None, version: str | None
) -> list[tuple[Path, Reference]]:
    """Where each reference is to be written.

    Raises
    ------
    DataError
        Nothing to write, no place for it, or one place for several.
    """
    from schemas.errors import DataError

    if not references:
        raise DataError(f"no rows of version {version!r}")
    if output is not None:
        if len(references) > 1:
            found = ", ".join(f"{r.model} {r.version}" for r in references)
            raise DataError(f"{output}: one file, but references of {found}; choose with --model and --version")
        return [(output, references[0])]
    destinations: dict[Path, Reference] = {}
    for reference in references:
        given = config.model(reference.model).references
        place = given.get(reference.version, given.get("default"))
        if not isinstance(place, str):
            entry = f'references: {{"{reference.version}": references/{reference.model}-{reference.version}.json}}'
            raise DataError(
                f"no file is configured for version {reference.version!r} of model {reference.model!r}; add {entry}, or give -o"
            )
        path = directory / place
        if path in destinations:
            raise DataError(f"{path}: for versions {destinations[path].version!r} and {reference.version!r} alike; choose with --version")
        destinations[path] = reference
    return list(destinations.items())


def _show(reference: Reference) -> None:
    from schemas.alerts import iso
    from streams.cli.terminal import print_table

    typer.echo(f"{reference.model} {reference.version}: {reference.rows} rows from {iso(reference.from_ms)} to {iso(reference.to_ms)}")
    typer.echo(f"from {reference.origin}\n{reference.content_hash}\n")
    print_table(
        ["subject", "type", "missing %", "mean", "sd", "least", "most", "values"], [_row(*item) for item in reference.profiles.items()]
    )
    if reference.segments:
        typer.echo(f"\nand for {len(reference.segments)} segments: {', '.join(reference.segments)}")


def _row(subject: str, profile: Profile) -> list[str]:
    missing = f"{100 * profile.missing / max(profile.n, 1):.3g}"
    if profile.kind == "numeric":
        numbers = [f"{x:.4g}" for x in (profile.mean, profile.sd, profile.minimum, profile.maximum)]
        return [subject, "number", missing, *numbers, ", ".join(f"{atom:g}" for atom in profile.atoms[:4])]
    most = ", ".join(profile.vocabulary[:4]) + (f" and {len(profile.vocabulary) - 4} more" if len(profile.vocabulary) > 4 else "")
    return [subject, "category", missing, "", "", "", "", most]
