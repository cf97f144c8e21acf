"""Settings: frozen dataclasses, from TOML files and from flags. Unknown keys and wrong types are errors, never ignored."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bianlian.errors import BianlianError, ConfigError
from bianlian.files import read_plain

T = TypeVar("T")

LARGEST = 1 << 20
"""Most bytes of a TOML file."""
_MOST = 1 << 63
"""Whole numbers beyond it, either way, fit no setting."""
_LONGEST = 4096


def from_mapping(cls: type[T], values: Mapping[str, Any], where: str = "settings") -> T:
    """Build a frozen dataclass from plain values (nested mappings for nested dataclasses, lists for tuples).

    Raises ConfigError for an unknown key (the known ones are listed), a missing key, or a value of another type; the message
    starts with ``where``.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: a table of settings was wanted, got {type(values).__name__}")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ConfigError(f"{where}: unknown setting {short(unknown[0])}; known: {', '.join(fields)}")
    missing = [n for n, f in fields.items() if n not in values and _required(f)]
    if missing:
        raise ConfigError(f"{where}: the setting {missing[0]!r} is missing")
    return cls(**{name: _coerce(hints[name], value, f"{where}.{name}") for name, value in values.items()})


def to_mapping(config: Any) -> dict[str, Any]:
    """Turn a dataclass into plain values that TOML and JSON can hold; fields that are None are left out."""
    out: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = _plain(getattr(config, field.name))
        if value is not None:
            out[field.name] = value
    return out


def to_toml(values: Mapping[str, Any]) -> str:
    """Write plain values as TOML: strings, numbers, booleans, lists of them, and nested tables."""
    lines = _table(values, "")
    return "\n".join(lines).strip() + "\n"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file -> plain values. Raises ConfigError when it is missing, too large or not TOML, naming file and place."""
    try:
        return tomllib.loads(read_plain(path, LARGEST).decode("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not a readable TOML file: {short(error)}") from error


def assigned(words: Sequence[str]) -> dict[str, Any]:
    """Read settings from words: ``octave=0.25``, ``weights.cycle=10`` -> nested plain values.

    What follows the sign is TOML (numbers, true, false, [1, 2]), or else text. Raises ConfigError for a word without a sign, or one
    that sets a part of what is no table.
    """
    out: dict[str, Any] = {}
    for word in words:
        name, sign, text = word.partition("=")
        *tables, last = name.split(".")
        if not (sign and name and all([*tables, last])):
            raise ConfigError(f"a setting is given as NAME=VALUE, such as octave=0.25; got {word!r}")
        inner = out
        for table in tables:
            inner = inner.setdefault(table, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"{word!r}: {table} is given both as a value and as a table")
        inner[last] = _toml_or_text(text)
    return out


def _toml_or_text(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _coerce(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        rest = [a for a in args if a is not type(None)]
        for option in rest[:-1]:
            try:
                return _coerce(option, value, where)
            except BianlianError:
                continue
        return _coerce(rest[-1], value, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_mapping(hint, value, where)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: a table was wanted, got {short(value)}")
        return dict(value)
    if origin is tuple:
        return _coerce_tuple(args, value, where)
    if origin is typing.Literal:
        if value not in args:
            raise ConfigError(f"{where}: one of {', '.join(map(str, args))} was wanted, got {short(value)}")
        return value
    return _coerce_scalar(hint, value, where)


def _coerce_tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where}: a list was wanted, got {short(value)}")
    hints = [args[0]] * len(value) if len(args) == 2 and args[1] is Ellipsis else list(args)
    if len(hints) != len(value):
        raise ConfigError(f"{where}: {len(hints)} values were wanted, got {len(value)}")
    return tuple(_coerce(h, v, f"{where}[{i}]") for i, (h, v) in enumerate(zip(hints, value, strict=True)))


def _coerce_scalar(hint: Any, value: Any, where: str) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST:
        raise ConfigError(f"{where}: a text of at most {_LONGEST} letters was wanted, got one of {len(value)}")
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and type(value) is int and abs(value) <= _MOST:
        return float(value)
    if hint in (int, float, str, bool) and type(value) is hint and (hint is not int or abs(value) <= _MOST):
        return value
    wanted = {int: "a whole number", float: "a number", str: "text", bool: "true or false", Path: "a path"}.get(hint, str(hint))
    raise ConfigError(f"{where}: {wanted} was wanted, got {short(value)}")


def short(value: Any) -> str:
    """Write any value in at most 80 letters, for an error."""
    try:
        text = str(value) if isinstance(value, Exception) else repr(value)
    except (ValueError, RecursionError):  # a whole number of more digits than Python writes out
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_mapping(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if v is not None}
    return value


def _table(values: Mapping[str, Any], name: str) -> list[str]:
    lines = [f"{key} = {_literal(value, key)}" for key, value in values.items() if not _is_table(value)]
    for key, value in values.items():
        if isinstance(value, Mapping):
            full = f"{name}.{key}" if name else key
            lines += ["", f"[{full}]", *_table(value, full)]
        elif _is_table(value):
            full = f"{name}.{key}" if name else key
            for item in value:
                lines += ["", f"[[{full}]]", *_table(item, full)]
    return lines


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _literal(value: Any, key: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(_literal(v, key) for v in value) + "]"
    raise ConfigError(f"the setting {key!r} holds a {type(value).__name__}, which TOML cannot hold")
