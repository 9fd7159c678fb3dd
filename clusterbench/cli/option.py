"""Options as all verbs declare them: each is also an environment variable, named after both."""

from __future__ import annotations

from typing import Any

import typer

#: The verb whose options may leave its name out of their variables.
SHORT = "run"


def option(verb: str, *flags: str, help: str, metavar: str | None = None, **settings: Any) -> Any:
    """A Typer option; `--dry-run` of `extract` also listens to `CLUSTERBENCH_EXTRACT_DRY_RUN`.

    One convention for all verbs, so that a variable set for one never reaches another. `run`, the
    command people type, also takes the short `CLUSTERBENCH_DRY_RUN`. The variables are named once
    in the verb's epilog (`environment_note`) instead of beside each option.
    """
    long = next(flag for flag in flags if flag.startswith("--")).partition("/")[0]
    name = long.removeprefix("--").upper().replace("-", "_")
    variables = [f"CLUSTERBENCH_{verb.upper()}_{name}"]
    if verb == SHORT:
        variables.append(f"CLUSTERBENCH_{name}")
    return typer.Option(
        *flags, help=help, metavar=metavar, envvar=variables, show_envvar=False, **settings
    )


def json_option(verb: str) -> Any:
    """`--json`."""
    return option(verb, "--json", help="Print one JSON document instead.")


def environment_note(verb: str) -> str:
    """Closes the help of a verb with options."""
    short = ", or CLUSTERBENCH_SOME_NAME for short" if verb == SHORT else ""
    return (
        "Each option --some-name is read from the environment variable "
        f"CLUSTERBENCH_{verb.upper()}_SOME_NAME as well{short}."
    )
