"""The embedded evaluator: a small program around py-nickel, used where there is no `nickel` command.

    python -I -S nickel_child.py MEMORY SECONDS OUTPUT FOLDER_OF_PY_NICKEL [IMPORT_PATH ...]

It reads the path of one expression per line from stdin, evaluates it, writes the JSON (or Nickel's report) to the same path with
`.out` behind it, and answers `ok` or `error` on stdout: the first expression pays for starting Python and Nickel, the others do
not. It imports nothing of g8r, so that it starts in a few milliseconds. It limits its own memory, and its processor time for
each expression, because a runaway recursion in Nickel takes all there is and then aborts the process. That is why it is a
process: a panic or an abort ends this child and nothing else.
"""

from __future__ import annotations

import resource
import sys


def main(arguments: list[str]) -> None:
    memory, seconds, output, packages, *import_paths = arguments
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(output), int(output)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path.append(packages)
    import nickel  # noqa: PLC0415 found through the path that was just given

    for line in sys.stdin:
        path = line.rstrip("\n")
        _limit_time(int(seconds))
        with open(path, encoding="utf-8") as expression:  # noqa: PTH123 importing pathlib would take as long as starting Nickel
            text = expression.read()
        try:
            status, answer = "ok", nickel.run(text, import_paths)
        except nickel.NickelException as report:
            status, answer = "error", str(report)
        with open(f"{path}.out", "w", encoding="utf-8") as out:  # noqa: PTH123
            out.write(answer)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


def _limit_time(seconds: int) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + seconds + 1, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
