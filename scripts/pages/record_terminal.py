"""Record a command's terminal output as an SVG picture.

    python scripts/pages/record_terminal.py [--columns N] OUTPUT.svg COMMAND...

The command runs in a pseudo-terminal; standard output is recorded as it comes, with its colours,
while progress on standard error is shown here and left out of the picture.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import shlex
import subprocess
from pathlib import Path

from rich.console import Console
from rich.text import Text


def record(command: list[str], columns: int) -> str:
    """What `command` printed on a terminal of that width; a failed command is an error."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdout=follower, env=environment)
    os.close(follower)
    chunks = []
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # Linux reports the end of a pseudo-terminal as an error
            break
        if not chunk:
            break
        chunks.append(chunk)
    if process.wait() != 0:
        raise SystemExit(f"{shlex.join(command)} exited {process.returncode}")
    return b"".join(chunks).decode().replace("\r\n", "\n")


def main() -> None:
    """Run the command, and write what it printed as an SVG."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("output", type=Path)
    options.add_argument("--columns", type=int, default=88)
    options.add_argument("command", nargs=argparse.REMAINDER)
    arguments = options.parse_args()
    text = record(arguments.command, arguments.columns)
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=arguments.columns, file=nowhere)
        console.print(Text.from_ansi(f"$ {shlex.join(arguments.command)}\n{text.rstrip()}"))
        svg = console.export_svg(title="clusterbench")
    # The picture loads no font from elsewhere; any monospaced one will do.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")
    arguments.output.write_text(svg)


if __name__ == "__main__":
    main()
