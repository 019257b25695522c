"""Read `config.yaml` and validate it, collecting all faults.

`read` is cheap and all that a run without changes needs; `validate` imports pydantic.
"""

from __future__ import annotations

import os

from draftgenie_azure import config
from draftgenie_azure.config import sources
from draftgenie_azure.config.confidential import register_secrets
from draftgenie_azure.config.keys import Key
from draftgenie_azure.config.raw_config import RawConfig as RawConfig  # re-exported: `read` returns one
from draftgenie_azure.errors import ConfigError, Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from draftgenie_azure.config.validated.schema import Config


def read(paths: Sequence[str], environ: Mapping[str, str], env_file: str | None = None) -> RawConfig:
    """Read the files, later ones overriding earlier ones: mappings key by key, everything else as a whole.

    Args:
        paths: one or more files; `-` is standard input. Each is read exactly once.
        environ: source of `${NAME}`.
        env_file: a file of further variables; `environ` takes precedence.

    Raises:
        ConfigError: lists the faults of all files.
    """
    paths = [os.fspath(path) for path in paths]
    if not paths:
        raise ConfigError([Fault("no configuration file was given")])
    if [*paths, env_file].count(sources.STDIN) > 1:
        raise ConfigError([Fault("standard input can be read only once", file=sources.STDIN)])
    from draftgenie_azure.config.yaml_reader import read_document  # the command must start without PyYAML, to say so

    raw = RawConfig(paths)
    faults: list[Fault] = []
    if env_file is not None:
        raw.env_file = os.path.abspath(env_file)
        environ = {**config.env_file.read(env_file), **environ}
    for path in paths:
        try:
            document = read_document(path, environ)
        except ConfigError as error:
            faults.extend(error.faults)
            continue
        register_secrets(document.values, document.variables)
        raw.variables.update(document.variables)
        places = {key: (path, line) for key, line in document.lines.items()}
        _forget(raw, _overlay(raw.values, document.values, ()))
        raw._places.update(places)
        raw.from_environment.update(document.from_environment)
    if not faults and not raw.values:
        faults.append(Fault("is empty: nothing is configured", file=paths[0], line=1))
    if faults:
        raise ConfigError(faults)
    return raw


def validate(raw: RawConfig) -> Config:
    """Validate the configuration and fill in the defaults.

    Raises:
        ConfigError: lists every fault: unknown keys, invalid values, names that Azure refuses, unknown references,
            bad placeholders. No fault shows a secret, or a value from the environment.
    """
    from draftgenie_azure.config.validated.rules import build

    return build(raw)


def load(paths: Sequence[str], environ: Mapping[str, str] | None = None) -> Config:
    """Read and validate a configuration.

    Args:
        paths: one or more files, later ones override earlier ones.
        environ: source of `${NAME}`; defaults to the environment of the process.

    Raises:
        ConfigError: as `read` and `validate` do.
    """
    return validate(read(paths, os.environ if environ is None else environ))


def _overlay(base: dict[str, Any], over: dict[str, Any], key: Key) -> list[Key]:
    """Merge `over` into `base`; return the keys that were replaced as a whole."""
    replaced: list[Key] = []
    for name, value in over.items():
        place = (*key, name)
        current = base.get(name)
        if isinstance(current, dict) and isinstance(value, dict):
            replaced.extend(_overlay(current, value, place))
        else:
            if name in base:
                replaced.append(place)
            base[name] = value
    return replaced


def _forget(raw: RawConfig, keys: list[Key]) -> None:
    """Drop the recorded locations of values that a later file replaced."""
    gone = set(keys)
    if not gone:
        return

    def kept(place: Key) -> bool:
        return not any(place[:count] in gone for count in range(1, len(place) + 1))

    raw._places = {place: where for place, where in raw._places.items() if kept(place)}
    raw.from_environment = {place: names for place, names in raw.from_environment.items() if kept(place)}
