"""The command, with a state document that refuses changes without its lock while threads run.

Another thread may be writing the document at that moment, and a dictionary that grows meanwhile ends the run. Which
threads meet is chance; whether the lock is held is not.

    python tests/harness/guarded_state.py --config config.yaml
"""

from __future__ import annotations

import copy
import importlib.util
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_REFUSED: list[str] = []


class Guarded(dict[str, Any]):
    """A part of the document, and all parts below it."""

    mutex: Any = None

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__({key: guarded(value) for key, value in values.items()})

    def _check(self) -> None:
        if threading.active_count() > 1 and not self.mutex._is_owned():
            frame = sys._getframe(2)
            _REFUSED.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
            raise AssertionError(f"the document was changed without its lock, at {_REFUSED[-1]}")

    def __setitem__(self, key: str, value: Any) -> None:
        self._check()
        super().__setitem__(key, guarded(value))

    def __delitem__(self, key: str) -> None:
        self._check()
        super().__delitem__(key)

    def setdefault(self, key: str, default: Any = None) -> Any:  # type: ignore[override]  # dict's has overloads
        """As dict has it."""
        self._check()
        return super().setdefault(key, guarded(default))

    def pop(self, *arguments: Any) -> Any:  # type: ignore[override]  # dict's has overloads
        """As dict has it."""
        self._check()
        return super().pop(*arguments)

    def update(self, *arguments: Any, **values: Any) -> None:  # type: ignore[override]  # dict's has overloads
        """As dict has it."""
        self._check()
        super().update({key: guarded(value) for key, value in dict(*arguments, **values).items()})

    def clear(self) -> None:
        """As dict has it."""
        self._check()
        super().clear()

    def __deepcopy__(self, known: dict[int, Any]) -> dict[str, Any]:
        """A copy is not shared."""
        return {key: copy.deepcopy(value, known) for key, value in self.items()}

    def __ior__(self, other: Any) -> Any:  # type: ignore[override,misc]  # dict's has overloads
        self.update(other)
        return self


def guarded(value: Any) -> Any:
    """A value whose objects are guarded."""
    return Guarded(value) if isinstance(value, dict) and not isinstance(value, Guarded) else value


def main(arguments: list[str]) -> int:
    """Run the command; also where it hid a refusal, the exit code says so."""
    sys.path.insert(0, str(ROOT))
    spec = importlib.util.spec_from_file_location("deploy_azure", ROOT / "deploy-azure_v1.py")
    assert spec is not None and spec.loader is not None
    command = importlib.util.module_from_spec(spec)
    sys.modules["deploy_azure"] = command
    spec.loader.exec_module(command)
    loaded = command.StateManager.loaded

    def guarded_document(self: Any, data: bytes | None) -> Any:
        Guarded.mutex = self.mutex
        return guarded(loaded(self, data))

    command.StateManager.loaded = guarded_document
    code = int(command.main(arguments) or 0)
    for place in _REFUSED:
        print(f"the document was changed without its lock, at {place}", file=sys.stderr)
    return 99 if _REFUSED else code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
