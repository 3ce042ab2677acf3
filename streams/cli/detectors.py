"""``driftsonde detectors``: which there are, and what each wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.options import Json

if TYPE_CHECKING:
    from detectors import DetectorConfig

__all__ = ["detectors"]


def detectors(
    kind: Annotated[str | None, typer.Argument(help="One of them, with its parameters.")] = None,
    json: Json = False,
) -> None:
    """List the detectors, or explain one: parameters, defaults, what it catches, cost, paper."""
    import orjson

    from detectors import available
    from streams.cli.terminal import print_table

    known = available()
    if kind is None:
        if json:
            for config in known.values():
                typer.echo(orjson.dumps(_described(config)))
        else:
            print_table(["kind", "catches", "ns/value"], [[k, c.catches, c.cost_ns] for k, c in known.items()])
        return
    if kind not in known:
        raise typer.BadParameter(f"no detector {kind!r}; expected one of {', '.join(known)}", param_hint="KIND")
    described = _described(known[kind])
    if json:
        typer.echo(orjson.dumps(described))
        return
    typer.echo(
        f"{kind}\n\ncatches  {described['catches']}\ncost     about {described['cost_ns']} ns a value\npaper    {described['paper']}\n"
    )
    if described["parameters"]:
        rows = [[p["name"], p["type"], p["default"], p["description"]] for p in described["parameters"]]
        print_table(["parameter", "type", "default", "meaning"], rows)
    else:
        typer.echo("It has no parameters.")


def _described(config: type[DetectorConfig]) -> dict[str, Any]:
    properties = config.model_json_schema().get("properties", {})
    parameters = [
        {
            "name": name,
            "type": _type_of(about),
            "default": about.get("default", "required"),
            "description": about.get("description", ""),
        }
        for name, about in properties.items()
    ]
    shown = {"kind": config.kind, "catches": config.catches, "cost_ns": config.cost_ns, "paper": config.paper}
    return {**shown, "parameters": parameters}


def _type_of(about: dict[str, Any]) -> str:
    """Say a JSON schema's type and bounds in a few words."""
    if "anyOf" in about:
        return " or ".join(_type_of(part) for part in about["anyOf"])
    if "enum" in about:
        return " or ".join(map(str, about["enum"]))
    names = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = ", ".join(f"{sign} {about[name]:g}" for name, sign in names.items() if name in about)
    return f"{about.get('type', 'any')} {bounds}".strip()
