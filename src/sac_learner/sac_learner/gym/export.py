"""Write a policy for other programs: ``ros2 run sac_learner export RUN --format onnx``.

The file takes raw observations, ``vector`` (B, V) float32 and ``image`` (B, H, W, C) uint8 where
the policy sees, and returns ``action`` (B, A) in the environment's own units: the mode of the
policy, with normaliser, squashing and action scaling inside.
"""

import argparse
from collections.abc import Sequence
import contextlib
import io
import logging
from pathlib import Path
import sys
import warnings

import torch

from sac_learner.command_line import arguments, CommandError, CommandParser, run, say
from sac_learner.gym.policy import CHOICES, load, PolicyModule, run_config

SUFFIXES = {'torchscript': '.pt', 'onnx': '.onnx'}
EXAMPLES = """\
runs/HalfCheetah-v5-seed0-20261121-120000
policy.safetensors --format onnx --output policy.onnx --low -2 --high 2"""


def main(argv: Sequence[str] | None = None) -> int:
    """Export the policy of a run."""
    parser = CommandParser('export', 'Write a policy for other programs.', EXAMPLES)
    parser.add_argument('run', type=Path, help='run directory or policy.safetensors')
    parser.add_argument('--format', choices=sorted(SUFFIXES), default='torchscript')
    parser.add_argument('--output', type=Path, help='file to write; default RUN/policy.pt, .onnx')
    parser.add_argument('--which', choices=CHOICES, default='best', help='policy of a run')
    parser.add_argument(
        '--low', nargs='+', type=float, metavar='X', help='what -1 stands for; default: the run'
    )
    parser.add_argument('--high', nargs='+', type=float, metavar='X', help='what +1 stands for')
    args = parser.parse_args(arguments(argv))
    return run(lambda: _export(args), 'export')


def _export(args: argparse.Namespace) -> int:
    path, architecture, arrays = load(args.run, args.which)
    gym = run_config(args.run).get('gym', {}) if args.run.is_dir() else {}
    low, high = args.low or gym.get('action_low', -1.0), args.high or gym.get('action_high', 1.0)
    try:
        module = PolicyModule(architecture, arrays, low, high).eval()
    except RuntimeError as error:
        raise CommandError(
            f'--low and --high take one number or {architecture.action_size}, got {low} and {high}'
        ) from error
    suffix = SUFFIXES[args.format]
    target = args.output or (
        args.run / f'policy{suffix}' if args.run.is_dir() else args.run.with_suffix(suffix)
    )
    try:
        (write_onnx if args.format == 'onnx' else write_torchscript)(module, target)
    except (OSError, RuntimeError, ImportError) as error:
        raise CommandError(f'{target} cannot be written: {error}') from error
    say(f'{target}: {args.format} of {path}, actions from {low} to {high}')
    return 0


def write_torchscript(module: PolicyModule, target: Path) -> None:
    """Write a TorchScript file, for any batch size."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # TorchScript is deprecated in favour of torch.export
        with torch.inference_mode():
            traced = torch.jit.trace(module, module.example())  # type: ignore[no-untyped-call]
        buffer = io.BytesIO()
        torch.jit.save(traced, buffer)
    target.write_bytes(buffer.getvalue())


def write_onnx(module: PolicyModule, target: Path) -> None:
    """Write an ONNX file, for any batch size.

    Raises:
        ImportError: The packages onnx and onnxscript are not installed.
    """
    example = module.example()
    names = ['vector', 'image'][: len(example)]
    batch = torch.export.Dim('batch', min=1)
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')
            program = torch.onnx.export(
                module,
                example,
                input_names=names,
                output_names=['action'],
                dynamic_shapes=tuple({0: batch} for _ in example),
                dynamo=True,
            )
            if program is None:
                raise RuntimeError('torch returned no ONNX program')
            program.save(str(target))
    finally:
        logger.setLevel(level)


if __name__ == '__main__':
    sys.exit(main())
