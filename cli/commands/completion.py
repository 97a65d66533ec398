"""`prominence completion`: what makes a shell complete our words."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(ctx: click.Context, /, shell: str) -> None:
    """Print what makes SHELL complete commands and options.

    \b
      prominence completion bash > ~/.local/share/bash-completion/completions/prominence
      prominence completion zsh > DIRECTORY/_prominence     (one of those in $fpath)
      prominence completion fish > ~/.config/fish/completions/prominence.fish
    """
    made = SHELLS[shell](ctx.find_root().command, {}, "prominence", "_PROMINENCE_COMPLETE")
    # Its method `source` would run the shell first, to see how old it is.
    click.echo(made.source_template % made.source_vars())
