"""`python -m optuna_egnas` is the command `egnas`."""

from ._cli import main

main()
