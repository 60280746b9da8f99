"""A client of the language server, as much of one as these tests need: JSON-RPC over the pipes of a process."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Self


class Client:
    """A language server at work in a folder. Requests are answered in turn; what it notifies is kept in `told`."""

    def __init__(self, command: str, folder: Path, import_path: Path) -> None:
        environment = {**os.environ, "NICKEL_IMPORT_PATH": str(import_path)}
        self._process = subprocess.Popen(
            [command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder, env=environment
        )
        self._folder = folder
        self._count = 0
        self.told: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        root = {"uri": self._folder.as_uri(), "name": "site"}
        client = {"textDocument": {"completion": {"completionItem": {"documentationFormat": ["plaintext"]}}, "hover": {}}}
        self.ask("initialize", {"processId": os.getpid(), "rootUri": root["uri"], "capabilities": client, "workspaceFolders": [root]})
        self.tell("initialized", {})
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def open(self, name: str, text: str) -> None:
        """The user opens a file, which need not be on the disk."""
        self.tell("textDocument/didOpen", {"textDocument": {"uri": self.uri(name), "languageId": "nickel", "version": 1, "text": text}})

    def uri(self, name: str) -> str:
        return (self._folder / name).as_uri()

    def at(self, method: str, name: str, line: int, character: int, **more: Any) -> Any:
        """What it answers for a place, counted from zero."""
        place = {"textDocument": {"uri": self.uri(name)}, "position": {"line": line, "character": character}}
        return self.ask(f"textDocument/{method}", {**place, **more})

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        self._count += 1
        self._send({"id": self._count, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self._count and "method" not in message:
                assert "error" not in message, message
                return message["result"]
            if "id" in message:  # it asks the editor something
                self._send({"id": message["id"], "result": None})
            else:
                self.told.append(message)

    def tell(self, method: str, params: dict[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def wait_for(self, method: str) -> dict[str, Any]:
        """The next notification of this sort; the test's own time limit ends it where none comes."""
        while True:
            message = self._receive()
            if message.get("method") == method:
                return message
            self.told.append(message)

    def _send(self, message: dict[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while (line := self._process.stdout.readline()).strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the language server is gone"
        found: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return found
