"""Options as all verbs declare them: each is also an environment variable, named alike."""

from __future__ import annotations

from typing import Any

import typer

#: Closes the help of a verb with options.
ENVIRONMENT_NOTE = (
    "Each option --some-name is read from the environment variable CLUSTERBENCH_SOME_NAME as well."
)


def option(*flags: str, help: str, metavar: str | None = None, **settings: Any) -> Any:
    """A Typer option; `--dry-run` also listens to `CLUSTERBENCH_DRY_RUN`.

    The variables are named once in the verb's epilog instead of beside each option.
    """
    long = next(flag for flag in flags if flag.startswith("--"))
    variable = "CLUSTERBENCH_" + long.removeprefix("--").upper().replace("-", "_")
    return typer.Option(
        *flags, help=help, metavar=metavar, envvar=variable, show_envvar=False, **settings
    )


def json_option() -> Any:
    """`--json`."""
    return option("--json", help="Print one JSON document instead.")
