"""The process that evaluates Nickel: the `nickel` command where there is one, else the embedded child around py-nickel.

Both are used the same way and give the same answers: `submit` an expression, do something else, take the `result`. Whatever
Nickel does to its process (takes all memory, overflows its stack, panics, never ends), the answer is a `Died` and the next
expression gets a new process. Each runs in a folder of its own, made for it and removed on `close`: a `g8r.ncl` in the user's
working directory must not shadow the shipped one. Each runs in a `jail`, where the kernel has one: it can open what it is given to
read, what it needs to start, and nothing else.
"""

from __future__ import annotations

import atexit
import errno
import importlib.util
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from g8r.compiler import jail
from g8r.compiler.jail import Jail

EMBEDDED: Final = "embedded"
"""What `G8R_NICKEL` holds to use the embedded child although there is a `nickel` command."""
_GRACE: Final = 0.1
_LIBRARIES: Final = tuple(
    map(Path, ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/ld.so.preload", "/dev/null"))
)
_STORES: Final = (Path("/nix/store"), Path("/gnu/store"))
"""Where programs and libraries are on systems that have them nowhere else."""


class Limits(msgspec.Struct, frozen=True):
    """What one evaluation may take: bytes of address space, seconds by the clock, bytes of JSON."""

    memory: int = 2 << 30
    seconds: float = 60.0
    output: int = 256 << 20


class Evaluated(msgspec.Struct, frozen=True):
    """The value, as Nickel's JSON."""

    json: bytes


class Reported(msgspec.Struct, frozen=True):
    """Nickel's own report of what is wrong, as it was printed."""

    report: str


class Died(msgspec.Struct, frozen=True):
    """The process is gone without an answer. `text` is what it said last."""

    reason: Literal["memory", "stack", "timeout", "size", "panic", "killed"]
    text: str = ""


Answer: TypeAlias = Evaluated | Reported | Died


def start(limits: Limits, import_paths: Sequence[Path] = (), readable: Sequence[Path] = ()) -> Evaluator:
    """An evaluator whose process is starting already. It can read the import paths, and what else is readable. Raises OSError where
    there is none.
    """
    command = _command()
    made = _Embedded if command is None else partial(_Command, command)
    return made(limits, import_paths, readable)


def confined() -> bool:
    """Whether the kernel keeps an evaluator to what it may read. Raises OSError where there is none."""
    command = _command()
    return jail.landlock() > 0 and (command is None or jail.runs_alone(Path(command)))


def fingerprint() -> str:
    """What tells one evaluator from another, for cache keys: its file, size and time."""
    command = _command()
    files = sorted(_embedded_library().glob("nickel*.so")) if command is None else [Path(command)]
    stats = [(str(file), file.stat()) for file in files]
    return ";".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats)


class Evaluator(ABC):
    """Evaluates one expression after the other. `close` ends the process and removes the folder."""

    def __init__(self, limits: Limits, import_paths: Sequence[Path], readable: Sequence[Path]) -> None:
        self._limits = limits
        self._import_paths = tuple(import_paths)
        self._allowed = tuple(readable)
        self._folder = _new_folder()
        self._count = 0
        self._deadline = 0.0
        atexit.register(self.close)

    def write(self, name: str, content: bytes) -> Path:
        """A file beside the expressions, for them to import by its path."""
        path = self._folder / name
        path.write_bytes(content)
        return path

    def submit(self, expression: str) -> None:
        """Begin to evaluate; nothing waits for it until `result`."""
        self._count += 1
        path = self.write(f"expression-{self._count}.ncl", expression.encode())
        self._deadline = time.monotonic() + self._limits.seconds
        self._submit(path)

    def result(self) -> Answer:
        """The answer to the expression that was submitted last."""
        return self._result(self._folder / f"expression-{self._count}.ncl.out")

    def evaluate(self, expression: str) -> Answer:
        self.submit(expression)
        return self.result()

    def close(self) -> None:
        atexit.unregister(self.close)
        self._end()
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                path.unlink()
            self._folder.rmdir()

    def internal(self, file: str) -> bool:
        """Whether a file named in a report is ours: an expression, or what lies beside it."""
        return file in {"python", "<stdin>"} or Path(file).parent == self._folder

    @abstractmethod
    def _submit(self, path: Path) -> None: ...

    @abstractmethod
    def _result(self, out: Path) -> Answer: ...

    @abstractmethod
    def _end(self) -> None: ...

    def _popen(self, command: Sequence[str], needed: Needed) -> subprocess.Popen[bytes]:
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "RUST_BACKTRACE": "0", "NO_COLOR": "1"}
        with (self._folder / "stderr").open("wb") as stderr:

            def begin() -> subprocess.Popen[bytes]:
                return subprocess.Popen(  # noqa: S603 the evaluator, and files of ours
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, cwd=self._folder, env=environment
                )

            if not confined():
                return begin()
            read = (*self._allowed, *self._import_paths, *needed.read)
            return jail.start(Jail(read, needed.run, needed.look, self._folder), begin)

    def _said(self) -> str:
        return (self._folder / "stderr").read_text("utf-8", "replace")

    def _readable(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether the process has answered or ended before the deadline; one that has not is killed."""
        poll = select.poll()
        assert process.stdout is not None  # noqa: S101 opened as a pipe
        poll.register(process.stdout)
        wait = max(self._deadline - time.monotonic(), _GRACE)
        if poll.poll(wait * 1000):
            return True
        _kill(process)
        return False


class _Command(Evaluator):
    """One `nickel export` for each expression."""

    def __init__(self, command: str, limits: Limits, import_paths: Sequence[Path], readable: Sequence[Path]) -> None:
        super().__init__(limits, import_paths, readable)
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def _submit(self, path: Path) -> None:
        imports = [argument for folder in self._import_paths for argument in ("--import-path", str(folder))]
        arguments = (self._command, "export", "--color", "never", *imports, "--output", f"{path}.out", str(path))
        self._end()
        self._process = self._popen(arguments, Needed(run=(Path(self._command), *_libraries(Path(self._command)))))
        seconds = int(self._limits.seconds) + 1
        # The limits are set from outside, a moment after the start: code between fork and exec would cost more than the evaluation.
        try:
            resource.prlimit(self._process.pid, resource.RLIMIT_AS, (self._limits.memory, self._limits.memory))
            resource.prlimit(self._process.pid, resource.RLIMIT_CPU, (seconds, seconds + 1))
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (self._limits.output, self._limits.output))
            resource.prlimit(self._process.pid, resource.RLIMIT_CORE, (0, 0))
        except ProcessLookupError:
            return

    def _result(self, out: Path) -> Answer:
        process = self._process
        assert process is not None  # noqa: S101 something was submitted
        if not self._readable(process):
            return Died("timeout")
        code = process.wait()
        said = self._said()
        if code == 0:
            return Evaluated(out.read_bytes())
        return Reported(said) if code == 1 and "error:" in said else _death(code, said)

    def _end(self) -> None:
        if self._process is not None:
            _kill(self._process)
            self._process = None


class _Embedded(Evaluator):
    """One child for all expressions, and a new one after it has died."""

    def __init__(self, limits: Limits, import_paths: Sequence[Path], readable: Sequence[Path]) -> None:
        super().__init__(limits, import_paths, readable)
        self._process: subprocess.Popen[bytes] | None = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        library = _embedded_library()
        child = Path(__file__).with_name("nickel_child.py")
        limits = (str(self._limits.memory), str(int(self._limits.seconds) + 1), str(self._limits.output))
        arguments = (sys.executable, "-I", "-S", str(child), *limits, str(library.parent), *map(str, self._import_paths))
        return self._popen(arguments, _python_needs(child, library))

    def _submit(self, path: Path) -> None:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = self._spawn()
        assert self._process.stdin is not None  # noqa: S101 opened as a pipe
        try:
            self._process.stdin.write(f"{path}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # it is dead already: `result` will see why

    def _result(self, out: Path) -> Answer:
        process = self._process
        assert process is not None  # noqa: S101 something was submitted
        assert process.stdout is not None  # noqa: S101 opened as a pipe
        if not self._readable(process):
            return Died("timeout")
        match process.stdout.readline():
            case b"ok\n":
                return Evaluated(out.read_bytes())
            case b"error\n":
                return Reported(out.read_text("utf-8"))
            case _:
                return _death(process.wait(), self._said())

    def _end(self) -> None:
        if self._process is not None:
            _kill(self._process)
            self._process = None


def _command() -> str | None:
    """The `nickel` command to run, or None for the embedded child."""
    named = os.environ.get("G8R_NICKEL", "")
    if named == EMBEDDED:
        return None
    found = shutil.which(named or "nickel")
    if found is None and named:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), named)
    return found


def _embedded_library() -> Path:
    """The folder of py-nickel. Raises FileNotFoundError where it is not installed."""
    spec = importlib.util.find_spec("nickel")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(errno.ENOENT, "there is no nickel command, and py-nickel is not installed")
    return Path(spec.origin).parent


class Needed(msgspec.Struct, frozen=True):
    """What an evaluator needs to start: to read, to run, to list."""

    read: tuple[Path, ...] = ()
    run: tuple[Path, ...] = ()
    look: tuple[Path, ...] = ()


def _libraries(program: Path) -> tuple[Path, ...]:
    """Where the dynamic linker finds what a program is linked with."""
    stores = (store for store in _STORES if Path(os.path.realpath(program)).is_relative_to(store))
    return (*_LIBRARIES, *stores)


def _python_needs(child: Path, library: Path) -> Needed:
    """Python, its own library, the child and py-nickel, with what its wheel bundles. `pyvenv.cfg` says where Python is at home."""
    python = Path(sys.executable)
    homes = [folder / "pyvenv.cfg" for folder in (python.parent, python.parent.parent)]
    bundled = library.parent / "py_nickel.libs"
    run = (python, Path(sys.base_prefix) / "lib", Path(os.__file__).parent, library, bundled, *_libraries(python))
    return Needed((child, *homes), run, (library.parent,))


def _death(code: int, said: str) -> Died:
    lowered = said.lower()
    if "memory allocation" in lowered or "out of memory" in lowered or "memoryerror" in lowered or "cannot allocate memory" in lowered:
        return Died("memory", said)
    if code == -signal.SIGSEGV or "overflowed its stack" in lowered:
        return Died("stack", said)
    if code == -signal.SIGXFSZ or "file too large" in lowered:
        return Died("size", said)
    if code == -signal.SIGXCPU:
        return Died("timeout", said)
    return Died("killed" if code == -signal.SIGKILL else "panic", said)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def _new_folder() -> Path:
    """As `tempfile.mkdtemp`, whose import alone takes as long as an evaluation."""
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"g8r-{os.getpid()}-{os.urandom(8).hex()}"  # noqa: S108 a name nobody can guess
    folder.mkdir(mode=0o700)
    return folder
