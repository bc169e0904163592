"""Bags into the replay of a run: what it begins with, and demonstrations beside it."""

from collections.abc import Callable, Sequence
import json
from pathlib import Path
import shutil

from sac_core.bag import BagError
from sac_core.spec import AgentSpec
from sac_learner.intake import bags
from sac_learner.intake.given import Given
from sac_learner.intake.intake import Intake
from sac_learner.replay import Replay, ReplayError
from sac_learner.replay.layout import HEADER
from sac_learner.run.directory import write_text

DEMONSTRATIONS = 'demonstrations'

OnProgress = Callable[[int, int], None]


def begin_with(
    paths: Sequence[Path],
    run_dir: Path,
    replay: Replay,
    intake: Intake,
    on_progress: OnProgress = lambda done, count: None,
) -> Given:
    """Bring the transitions of bags into the replay of a run, once, and note how many there are.

    Raises:
        BagError: A bag is damaged, or of another robot.
        ReplayError: The record of the run is damaged, or there is no room.
        OSError: The run directory cannot be written.
    """
    known = Given.read(run_dir)
    names = tuple(str(path) for path in paths)
    if known.complete and known.paths == names:
        return known
    before = replay.count if known.complete else known.before
    earlier = known.transitions if known.complete else 0
    Given(names, earlier, complete=False, before=before).write(run_dir)
    bags.pour(paths, intake, replay.layout.image_shape, on_progress)
    replay.flush()
    if replay.count > replay.capacity:
        raise ReplayError(
            f'{replay.count} transitions do not fit a replay of {replay.capacity}; set '
            'replay_capacity'
        )
    found = Given(names, earlier + replay.count - before)
    found.write(run_dir)
    return found


def demonstrations(paths: Sequence[Path], run_dir: Path, spec: AgentSpec) -> Replay:
    """Return a replay of demonstrations, made from bags or as it was made at an earlier start.

    Raises:
        BagError: A bag is damaged, or of another robot.
        ReplayError: There is no room, or the bags hold no transition of training.
    """
    directory = run_dir / DEMONSTRATIONS
    names = [str(path) for path in paths]
    record = directory / 'bags.json'
    if record.exists() and json.loads(record.read_text()) == names:
        return Replay.open(directory)
    theirs = bags.common_spec(paths)
    if theirs.spec_hash() != spec.spec_hash():
        raise BagError(
            f'the demonstrations in {", ".join(names)} have spec {theirs.spec_hash()}, the robot '
            f'has {spec.spec_hash()}: observations, actions and rate must be the same'
        )
    # Whatever is there is of other bags, or was not finished.
    if (directory / HEADER).exists():
        shutil.rmtree(directory)
    replay = Replay(
        directory,
        max(bags.count_slots(paths), 4),
        spec.observation.vector_size,
        spec.observation.image_shape,
        spec.action_size,
        spec_hash=spec.spec_hash(),
    )
    try:
        bags.pour(paths, Intake(replay), spec.observation.image_shape)
        if not replay.size:
            raise ReplayError(f'{", ".join(names)}: there are no transitions to learn from')
    except BaseException:
        replay.close()
        raise
    write_text(record, json.dumps(names))
    return replay
