"""A policy that is given as a file, to be evaluated."""

from pathlib import Path

from sac_agent.policy.network import NumpyPolicy
from sac_core.policy_format import load_policy


def read_policy(given: str | Path, spec_hash: str) -> tuple[NumpyPolicy, int]:
    """Return a policy and its version, 0 where it has none.

    Args:
        given: The file, or a directory; then the last one below it that is called a policy.
        spec_hash: Of the agent that shall act with it; a file that names another is refused.

    Raises:
        PolicyFormatError: It is no policy file.
        ValueError: There is none, or it was trained for another spec.
    """
    path = Path(given)
    if path.is_dir():
        found = sorted(path.rglob('policy*.safetensors'))
        if not found:
            raise ValueError(f'{path} holds no policy*.safetensors; give the file itself')
        path = found[-1]
    architecture, arrays, metadata = load_policy(path)
    trained = metadata.get('spec_hash', '')
    if trained and trained != spec_hash:
        raise ValueError(
            f'{path} was trained for spec {trained}, this agent has '
            f'{spec_hash}: observation, actions or rate differ'
        )
    version = int(metadata.get('version', '0') or 0)
    return NumpyPolicy(architecture, arrays), version
