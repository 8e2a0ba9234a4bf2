"""Words in, one call, words out, an exit code. Nothing here decides anything.

One module a command group; `main` finds them lazily so that `--help` stays quick.
"""
