"""Finish a bag whose recording process was killed: ``recover_bag BAG``.

Everything committed is kept. An agent that is started again does this by itself.
"""

import argparse
from pathlib import Path
import sys

from sac_core.bag import BagError
from sac_core.bag.recover import recover_bag

USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """Recover; return the exit code."""
    parser = argparse.ArgumentParser(prog='recover_bag', description=__doc__)
    parser.add_argument('bag', type=Path)
    options = parser.parse_args(arguments)
    try:
        names = recover_bag(options.bag)
    except (BagError, OSError) as error:
        sys.stderr.write(f'recover_bag: {" ".join(str(error).split())}\n')
        return USAGE
    sys.stdout.write(f'{options.bag}: finished {", ".join(names) or "nothing, it is whole"}\n')
    return 0


def run() -> None:
    """Console script."""
    sys.exit(main())


if __name__ == '__main__':
    run()
