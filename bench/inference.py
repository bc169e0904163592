"""Time from a numpy observation to a numpy action, paced like a control loop, beside peers.

    PYTHONPATH=src/sac_core:src/sac_agent:src/sac_learner python3 bench/inference.py
    ... --peer-python PEERS/bin/python      where Stable-Baselines3 is

Each contestant is a process with one thread that sleeps until its next tick, so that caches are
cold and the processor wakes up, as on the robot. They take turns in slices, half of them beside
our learner at full load, with the threads and the priority it has by default, so that drift of the
machine meets all alike.
"""

import argparse
from collections.abc import Callable
import contextlib
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import time

import numpy as np

OURS = ('numpy', 'numpy, sampled', 'torch', 'TorchScript', 'ONNX Runtime')
PEERS = ('SB3 predict',)
SKIPPED = 100  # calls at the start of a slice that are not counted
SETTLE = 1.0  # [s] for the learner to stop or go on
Act = Callable[[np.ndarray], np.ndarray]


def numpy_policy(arguments: argparse.Namespace, *, sampled: bool) -> Act:
    """Return what the agent does."""
    from sac_agent.policy.network import NumpyPolicy
    from sac_learner.sac import Sac, SacConfig

    policy = NumpyPolicy(*Sac(arguments.obs, None, arguments.act, SacConfig(), seed=0).policy())
    rng = np.random.default_rng(0)

    def act(vector: np.ndarray) -> np.ndarray:
        noise = rng.standard_normal(arguments.act, np.float32) if sampled else None
        return policy.act(vector, None, noise)[0]

    return act


def torch_policy(arguments: argparse.Namespace, kind: str) -> Act:
    """Return our policy as a torch module, or what `export` makes of it."""
    import torch

    from sac_learner.gym.export import write_onnx, write_torchscript
    from sac_learner.gym.policy import PolicyModule
    from sac_learner.sac import Sac, SacConfig

    module = PolicyModule(*Sac(arguments.obs, None, arguments.act, SacConfig(), seed=0).policy())
    torch.set_num_threads(1)
    if kind == 'torch':
        return module.eval().act
    with tempfile.TemporaryDirectory() as directory:
        if kind == 'TorchScript':
            path = Path(directory) / 'policy.pt'
            write_torchscript(module.eval(), path)
            script = torch.jit.freeze(torch.jit.load(str(path)).eval())

            def act(vector: np.ndarray) -> np.ndarray:
                with torch.inference_mode():
                    return script(torch.from_numpy(vector)[None])[0].numpy()

            return act
        import onnxruntime

        path = Path(directory) / 'policy.onnx'
        write_onnx(module.eval(), path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            str(path), options, providers=['CPUExecutionProvider']
        )
    return lambda vector: session.run(None, {'vector': vector[None]})[0][0]


def stable_baselines3(arguments: argparse.Namespace) -> Act:
    """Return `predict` of a fresh SAC."""
    import gymnasium
    from stable_baselines3 import SAC
    import torch

    torch.set_num_threads(1)

    class Idle(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-10, 10, (arguments.obs,), np.float32)
        action_space = gymnasium.spaces.Box(-1, 1, (arguments.act,), np.float32)

    model = SAC('MlpPolicy', Idle(), buffer_size=1000, device='cpu')
    return lambda vector: model.predict(vector, deterministic=True)[0]


def contestant(arguments: argparse.Namespace) -> Act:
    """Return the contestant of this process."""
    name = arguments.worker
    if name.startswith('numpy'):
        return numpy_policy(arguments, sampled=name != 'numpy')
    if name == 'SB3 predict':
        return stable_baselines3(arguments)
    return torch_policy(arguments, name)


def work(arguments: argparse.Namespace) -> None:
    """Be a contestant: for each line with seconds, answer the times of the calls [us]."""
    act = contestant(arguments)
    seen = np.random.default_rng(0).standard_normal((1000, arguments.obs), dtype=np.float32)
    for vector in seen:
        act(vector)
    answer('ready')
    for line in sys.stdin:
        count = SKIPPED + int(float(line) * arguments.rate)
        taken = np.empty(count)
        due = time.perf_counter()
        for k in range(count):
            due += 1.0 / arguments.rate
            time.sleep(max(0.0, due - time.perf_counter()))
            vector = seen[k % len(seen)]
            begin = time.perf_counter()
            act(vector)
            taken[k] = time.perf_counter() - begin
        answer(' '.join(f'{1e6 * t:.1f}' for t in taken[SKIPPED:]))


def learn(arguments: argparse.Namespace) -> None:
    """Be the learner: update while the last line said so, without end."""
    import threading

    from sac_learner.node.priority import give_way
    from sac_learner.sac import Batch, Sac, SacConfig
    from sac_learner.settings import LearnerSettings

    settings = LearnerSettings()
    give_way(settings.nice)
    threads = arguments.learner_threads or settings.thread_count()
    learner = Sac(arguments.obs, None, arguments.act, SacConfig(), seed=0, threads=threads)
    rng = np.random.default_rng(1)
    size = {'vector': arguments.obs, 'next_vector': arguments.obs, 'action': arguments.act}
    columns = {k: rng.standard_normal((20_000, n), dtype=np.float32) for k, n in size.items()}
    columns['action'] = np.tanh(columns['action'])
    columns['reward'] = rng.standard_normal(20_000, dtype=np.float32)
    columns['discount'] = np.full(20_000, 0.99, np.float32)

    def sample() -> Batch:
        index = rng.integers(0, 20_000, 256)
        return Batch(**{name: column.take(index, axis=0) for name, column in columns.items()})

    learner.update(sample, 10)
    go = threading.Event()

    def listen() -> None:
        for line in sys.stdin:
            (go.set if line.strip() == 'go' else go.clear)()
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    answer(f'ready {learner.backend}, {threads} threads')
    while True:
        go.wait()
        learner.update(sample, 10)


def answer(text: str) -> None:
    """Write a line to whoever asked."""
    sys.stdout.write(f'{text}\n')
    sys.stdout.flush()


class Worker:
    """A process that answers lines."""

    def __init__(self, name: str, arguments: argparse.Namespace) -> None:
        """Start it; `ready` is its first answer, empty if it did not come up."""
        self.name = name
        self.times: dict[bool, list[float]] = {False: [], True: []}  # by whether learning went on
        python = arguments.peer_python if name in PEERS else sys.executable
        options = ['--worker', name, '--obs', str(arguments.obs), '--act', str(arguments.act)]
        options += ['--rate', str(arguments.rate)]
        options += ['--learner-threads', str(arguments.learner_threads)]
        learner = name == 'learner'
        self._process = subprocess.Popen(
            [python, str(Path(__file__).resolve()), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if arguments.verbose else subprocess.DEVNULL,
            text=True,
            env=os.environ if learner else {**os.environ, 'OMP_NUM_THREADS': '1'},
        )
        self.ready = self._answer()

    def _answer(self) -> str:
        return self._process.stdout.readline().strip() if self._process.stdout else ''

    def tell(self, text: str) -> None:
        """Send a line."""
        if self._process.stdin:
            self._process.stdin.write(f'{text}\n')
            self._process.stdin.flush()

    def slice(self, seconds: float, *, loaded: bool) -> None:
        """Call for a while and keep the times."""
        self.tell(str(seconds))
        self.times[loaded] += [float(t) for t in self._answer().split()]

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    """Run all contestants and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--obs', type=int, default=17)
    parser.add_argument('--act', type=int, default=6)
    parser.add_argument('--rate', type=float, default=500.0, help='calls per second')
    parser.add_argument('--slices', type=int, default=4, help='of each contestant and state')
    parser.add_argument('--seconds', type=float, default=4.0, help='length of a slice')
    parser.add_argument(
        '--learner-threads', type=int, default=0, help="0: the learner's own choice"
    )
    parser.add_argument('--peer-python', default=sys.executable)
    parser.add_argument('--only', nargs='+', choices=(*OURS, *PEERS), help='contestants to run')
    parser.add_argument('--verbose', action='store_true', help='show what contestants complain of')
    parser.add_argument('--worker', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        (learn if arguments.worker == 'learner' else work)(arguments)
        return
    if not Path(arguments.peer_python).is_file():
        parser.error(f'--peer-python {arguments.peer_python} does not exist')
    with contextlib.ExitStack() as stack:
        learner = Worker('learner', arguments)
        stack.callback(learner.stop)
        if not learner.ready:
            sys.exit('the learner did not start (see --verbose)')
        field = []
        for name in arguments.only or (*OURS, *PEERS):
            worker = Worker(name, arguments)
            stack.callback(worker.stop)
            if worker.ready:
                field.append(worker)
            else:
                print(f'{name} left out: it did not start (see --verbose)')
        for _ in range(arguments.slices):
            for loaded in (False, True):
                learner.tell('go' if loaded else 'wait')
                time.sleep(SETTLE)
                for worker in field:
                    worker.slice(arguments.seconds, loaded=loaded)
    report(field, learner.ready.removeprefix('ready '), arguments)


def report(field: list[Worker], learner: str, arguments: argparse.Namespace) -> None:
    """Print the table."""
    count = len(field[0].times[False]) if field else 0
    print(
        f'observation {arguments.obs}, action {arguments.act}, 2x256, {arguments.rate:g} Hz, '
        f'{count} calls each, {len(os.sched_getaffinity(0))} cores, learner: {learner}, '
        f'load {os.getloadavg()[0]:.1f}'
    )
    print('| p50 / p99 / p99.9 [us] | idle | beside the learner | p99 against idle |')
    print('|---|---|---|---|')
    for worker in field:
        quantiles = {
            loaded: np.percentile(times, (50, 99, 99.9)) for loaded, times in worker.times.items()
        }
        cells = [' / '.join(f'{t:.0f}' for t in quantiles[loaded]) for loaded in (False, True)]
        ratio = quantiles[True][1] / quantiles[False][1]
        print(f'| {worker.name} | {" | ".join(cells)} | {ratio:.2f} |')


if __name__ == '__main__':
    main()
