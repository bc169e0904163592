"""Secured runs: what cannot protect itself does not run; the policy names what nodes use."""

import os
from pathlib import Path
import subprocess
import time
from xml.etree import ElementTree

from ament_index_python.packages import get_package_prefix
import pytest

ROOT = Path(__file__).resolve().parents[1]
POLICY = ROOT / 'docs' / 'sros2_policy.xml'
NODES = {
    ('robot_drivers', 'robot_node'): [],
    ('sac_agent', 'sac_agent'): ['--params-file', str(ROOT / 'config' / 'dclaw_valve.yaml')],
    ('sac_learner', 'sac_learner'): ['-p', 'run_dir:=run'],
}
# Of every node, or chosen by the middleware.
COMMON = {'describe_parameters', 'get_parameter_types', 'list_parameters', 'get_type_description',
          'set_parameters_atomically', 'get_available_states', 'get_available_transitions',
          'get_transition_graph'}  # fmt: skip
ROLES = {'driver': ('dclaw', 'driver'), 'agent': ('dclaw', 'sac_agent'),
         'learner': ('', 'sac_learner')}  # fmt: skip
pytestmark = pytest.mark.slow


def middleware_is_secured():
    import rclpy

    name = rclpy.get_rmw_implementation_identifier()
    libraries = [path for path in os.environ.get('LD_LIBRARY_PATH', '').split(':') if path]
    found = [file for path in libraries for file in Path(path).glob('libfastdds.so')]
    return 'fastrtps' not in name or any(b'PKI-DH' in file.read_bytes() for file in found)


@pytest.mark.parametrize('node', NODES, ids=lambda node: node[1])
def test_a_node_without_keys_does_not_run_where_security_is_enforced(tmp_path, node):
    package, executable = node
    program = Path(get_package_prefix(package)) / 'lib' / package / executable
    (tmp_path / 'keystore' / 'enclaves').mkdir(parents=True)
    environment = os.environ | {
        'ROS_SECURITY_ENABLE': 'true',
        'ROS_SECURITY_STRATEGY': 'Enforce',
        'ROS_SECURITY_KEYSTORE': str(tmp_path / 'keystore'),
    }
    result = subprocess.run(
        [str(program), '--ros-args', *NODES[node]],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode != 0
    if not middleware_is_secured():
        assert "doesn't have the security libraries" in result.stderr + result.stdout


def allowed(namespace, node):
    """Return the absolute names that the policy allows a node, by kind."""
    (profile,) = (
        found
        for found in ElementTree.parse(POLICY).iter('profile')
        if (found.get('ns').strip('/'), found.get('node')) == (namespace, node)
    )
    prefix = f'/{namespace}/' if namespace else '/'

    def absolute(name):
        if name.startswith('~/'):
            return f'{prefix}{node}/{name[2:]}'
        return name if name.startswith('/') else prefix + name

    names = {}
    for group in profile:
        for kind in ('publish', 'subscribe', 'request', 'reply'):
            if group.get(kind) == 'ALLOW':
                names.setdefault(kind, set()).update(absolute(item.text) for item in group)
    return names


def used(observer, namespace, node):
    """Return the absolute names that a running node uses, by kind."""
    where = (node, f'/{namespace}' if namespace else '/')
    look = {
        'publish': observer.get_publisher_names_and_types_by_node,
        'subscribe': observer.get_subscriber_names_and_types_by_node,
        'reply': observer.get_service_names_and_types_by_node,
        'request': observer.get_client_names_and_types_by_node,
    }
    return {kind: {name for name, _ in ask(*where)} for kind, ask in look.items()}


def settled(observer):
    """Return what every role uses, once the observer knows all and hears of nothing new."""
    deadline, before = time.monotonic() + 60.0, None
    while True:
        nodes = observer.get_node_names_and_namespaces()
        known = {(space.strip('/'), name) for name, space in nodes}
        now = None
        if known.issuperset(ROLES.values()):
            now = {role: used(observer, *where) for role, where in ROLES.items()}
            if now == before and all(names['publish'] for names in now.values()):
                return now
        assert time.monotonic() < deadline, f'the observer knows {sorted(known)}'
        before = now
        time.sleep(2.0)


def test_the_policy_allows_what_the_nodes_use(tmp_path, monkeypatch, ros_domain_id):
    import rclpy

    monkeypatch.syspath_prepend(str(ROOT / 'bench'))
    from chaos.kinds import KINDS
    from chaos.rig import Rig, Surroundings

    rig = Rig(KINDS['dclaw'], tmp_path, Surroundings(), domain=ros_domain_id, seed=0)
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain_id)
    observer = rclpy.create_node('observer', context=context)
    try:
        end = time.monotonic() + 60.0
        while not rig.record.exists() or not rig.heard('/learner_status'):
            assert time.monotonic() < end, 'the learner does not come up'
            time.sleep(0.5)
        missing = {}
        found = settled(observer)
        for role, (namespace, node) in ROLES.items():
            permitted = allowed(namespace, node)
            for kind, names in found[role].items():
                names = {name for name in names if name.rpartition('/')[2] not in COMMON}
                if rest := sorted(names - permitted.get(kind, set())):
                    missing[f'{role} {kind}'] = rest
        assert missing == {}
    finally:
        observer.destroy_node()
        rclpy.shutdown(context=context)
        rig.end()
