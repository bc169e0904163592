"""No timer of a node may depend on the wall clock, which can be set back by an hour."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_timer_names_its_clock():
    found = 0
    for path in sorted((ROOT / 'src').glob('*/*/**/*.py')):
        if 'test' in path.relative_to(ROOT).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr != 'create_timer':
                continue
            found += 1
            clock = [word for word in node.keywords if word.arg == 'clock']
            assert clock, f'{path.relative_to(ROOT)}:{node.lineno} takes the wall clock'
    assert found >= 5
