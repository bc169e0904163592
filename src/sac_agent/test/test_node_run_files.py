import json

from sac_agent.node.run_files import RunFiles


def test_a_full_disk_is_a_problem_to_tell_and_no_reason_to_stop(tmp_path, monkeypatch):
    files = RunFiles(str(tmp_path), 'claw')

    def full(path, text):
        raise OSError(28, 'No space left on device', str(path))

    with monkeypatch.context() as context:
        context.setattr('pathlib.Path.write_text', full)
        files.save_account({'acting': 3600.0})
        assert 'No space left on device' in files.problem
    files.save_account({'acting': 7200.0})
    assert files.problem == ''
    assert files.account() == {'acting': 7200.0}


def test_every_change_of_a_live_parameter_is_a_line(tmp_path):
    files = RunFiles(str(tmp_path), 'claw')
    files.save_change(1.0, 10, {'smoothing.correlation': 0.5})
    files.save_change(2.0, 20, {'limits.action': 0.2})
    lines = (tmp_path / 'agents' / 'claw' / 'changes.jsonl').read_text().splitlines()
    assert [json.loads(line)['steps'] for line in lines] == [10, 20]
