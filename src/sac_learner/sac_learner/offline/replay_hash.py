"""Compare replays: ``ros2 run sac_learner replay_hash RUN_DIR ...`` prints a hash of each.

Runs whose replays hold the same transitions have the same hash: an online run, a learner into
which its bag was played, and an offline run on that bag.
"""

from collections.abc import Sequence
from pathlib import Path
import sys

from sac_learner.command_line import arguments, CommandError, CommandParser, run, say
from sac_learner.replay import Replay, ReplayError

DIFFERENT = 1
EXAMPLES = """runs/valve
runs/valve runs/played"""


def main(argv: Sequence[str] | None = None) -> int:
    """Print hash and size of each replay; return 1 if they are not all the same."""
    parser = CommandParser(
        prog='replay_hash', description='Print a hash of the transitions in replays.',
        examples=EXAMPLES,
    )  # fmt: skip
    parser.add_argument(
        'run_dir', type=Path, nargs='+', help='run directory whose learner has ended, or a replay'
    )
    args = parser.parse_args(arguments(argv))
    return run(lambda: _compare(args.run_dir), 'replay_hash')


def _compare(paths: Sequence[Path]) -> int:
    hashes = set()
    for path in paths:
        try:
            replay = Replay.open(path / 'replay' if (path / 'replay').is_dir() else path)
        except ReplayError as error:
            raise CommandError(str(error)) from error
        try:
            found = replay.transitions_hash()
            say(f'{found}  {replay.size} transitions  {path}')
        finally:
            replay.close()
        hashes.add(found)
    return DIFFERENT if len(hashes) > 1 else 0


if __name__ == '__main__':
    sys.exit(main())
