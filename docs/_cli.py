"""The reference of the commands, made from the typer application: every command, argument, option and default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

MARKUP = re.compile(r"\[/?(?:bold|dim|italic|cyan|green|red|yellow)\]")
INTRO = """# Commands

Every command prints its options with `--help`. On bad input a command prints one message and ends with status 2
([errors](../errors.md)). This page is made from the commands themselves.
"""


def write(folder: Path) -> Path:
    """Write ``cli.md`` into the folder, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "cli.md"
    text = page()
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")
    return target


def page() -> str:
    """The page, as MyST markdown."""
    from typer.main import get_command

    from labelproof.cli import app

    group: Any = get_command(app)
    commands = {name: command for name, command in group.commands.items() if not command.hidden}
    listed = [f"| [`{name}`](#labelproof-{name}) | {_first(command.help)} |" for name, command in commands.items()]
    parts = [INTRO, "| command | what it does |\n|---|---|\n" + "\n".join(listed)]
    parts += ["\n\n".join(_command(name, command)) for name, command in commands.items()]
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## labelproof {name}"
    yield _prose(command.help)
    arguments = [one for one in command.params if one.param_type_name == "argument" and not one.hidden]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    usage = " ".join([f"labelproof {name}", *(_shown(one) for one in arguments), "[OPTIONS]" if options else ""])
    yield f"```\n{usage.strip()}\n```"
    if arguments:
        rows = [f"| `{one.name}` | {_type(one)} | {_cell(one.help)}{_required(one)} |" for one in arguments]
        yield "| argument | type | meaning |\n|---|---|---|\n" + "\n".join(rows)
    for panel in dict.fromkeys(one.rich_help_panel for one in options):
        own = [one for one in options if one.rich_help_panel == panel]
        if panel is not None:
            yield f"**{panel}**"
        rows = [f"| {_names(one)} | {_type(one)} | {_default(one)} | {_cell(one.help)}{_required(one)} |" for one in own]
        yield "| option | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows)


def _prose(text: str | None) -> str:
    """The help of a command; a line that is a command becomes code."""
    paragraphs = [" ".join(MARKUP.sub("", part).split()) for part in re.split(r"\n\s*\n", (text or "").replace("\b", ""))]
    return "\n\n".join(f"```\n{part}\n```" if part.startswith("labelproof ") else _plain(part) for part in paragraphs if part)


def _first(text: str | None) -> str:
    return _cell((text or "").split("\n\n")[0])


def _cell(text: str | None) -> str:
    return _plain(" ".join((text or "").split())).replace("|", "\\|")


def _plain(text: str) -> str:
    """Without rich's markup, and with options as code."""
    text = MARKUP.sub("", text).replace("''", "`''`").replace("<", "&lt;").replace("*", "\\*").replace("$", "\\$")
    return re.sub(r"(?<![\w`-])(--[a-z][a-z-]*)", r"`\1`", text)


def _shown(argument: Any) -> str:
    return argument.name.upper() if argument.required else f"[{argument.name.upper()}]"


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _type(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return "flag"
    kind = parameter.type_descriptor.annotation
    repeated = get_origin(kind) is list
    kind = get_args(kind)[0] if repeated else kind
    if get_origin(kind) is Literal:
        name = " \\| ".join(f"`{choice}`" for choice in get_args(kind))
    elif isinstance(kind, type) and issubclass(kind, Enum):
        name = " \\| ".join(f"`{choice.value}`" for choice in kind)
    else:
        name = {str: "text", int: "integer", float: "number", Path: "path"}.get(kind, getattr(kind, "__name__", str(kind)))
    low, high = parameter.min, parameter.max
    if low is not None:
        name += f", {low} or more" if high is None else f", {low} to {high}"
    return f"{name}, repeatable" if repeated or parameter.multiple else name


def _default(option: Any) -> str:
    value = option.default
    if value is None or value == () or value == [] or callable(value) or type(value).__name__ == "Sentinel":
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"`{getattr(value, 'value', value)}`"


def _required(parameter: Any) -> str:
    return " *Required.*" if parameter.required else ""


if __name__ == "__main__":
    print(page())
