"""Where the program that PyInstaller makes begins: the command line, or a process that needs none of it."""

import sys

from caroni_edge import __version__

if sys.argv[1:] == ["--version"]:
    print(f"caroni-edge {__version__}")
    sys.exit()

from caroni_edge.base import frozen

frozen.stand_alone()

if sys.argv[1:2] == ["keeper"] and len(sys.argv) > 2:
    from caroni_edge.agent.keeper import main as keeper

    sys.exit(keeper(sys.argv[2:]))

if sys.argv[1:] == ["javascript"]:
    from caroni_edge.javascript.helper import main as helper

    sys.exit(helper())

if sys.argv[1:2] == ["lists"] and len(sys.argv) > 2:
    from caroni_edge.values.lists import main as lists

    sys.exit(lists(sys.argv[2:]))

from caroni_edge.cli import main

main()
