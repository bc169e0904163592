"""Write docs/configuration.md, the reference of every YAML key, from the settings dataclasses.

./ros2w exec python3 tools/documentation/configuration.py
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, Field, fields, is_dataclass, MISSING
from pathlib import Path
import re
from typing import Any, get_args, get_origin, get_type_hints

from robot_drivers.node.config import NodeConfig
from robot_drivers.registry import BUILT_IN, find_robot
from robot_drivers.safety import SafetyConfig
from sac_agent.config import RobotConfig
from sac_agent.node.parameters import NodeConfig as AgentNodeConfig
from sac_agent.tasks.task import find_task
from sac_learner.sac.config import SacConfig
from sac_learner.settings import LearnerSettings

TEMPLATE = Path(__file__).with_suffix('.md.in')
OUTPUT = Path(__file__).resolve().parents[2] / 'docs' / 'configuration.md'
TASKS = ('dclaw_valve', 'minitaur_walk', 'sawyer_stack')
UNIT = re.compile(r' ?\[(?!SAC|REDQ|DroQ|DrQ|CrossQ|RLPD)([^\]]+)\]')  # the others are sources


@dataclass(frozen=True)
class Row:
    """One key.

    Attributes:
        key: Its name within the table, dotted.
        item: The field it is made from.
        kind: Its type.
    """

    key: str
    item: 'Field[Any]'
    kind: Any

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.item.default is MISSING and self.item.default_factory is MISSING

    def text(self) -> str:
        """Return the row of the table."""
        meta = self.item.metadata
        doc = str(meta['doc'])
        unit = UNIT.search(doc)
        key = f'**`{self.key}`**' if self.required else f'`{self.key}`'
        cells = [
            f'{key} *live*' if meta.get('live') else key,
            _type(self.kind),
            '' if self.required else _value(self._default()),
            unit[1] if unit else '',
            _admissible(meta),
            UNIT.sub('', doc),
        ]
        return '| ' + ' | '.join(cell.replace('|', r'\|') for cell in cells) + ' |'

    def _default(self) -> Any:
        if self.item.default is not MISSING:
            return self.item.default
        assert self.item.default_factory is not MISSING
        return self.item.default_factory()


def rows(config_type: type[Any], prefix: str = '') -> Iterator[Row]:
    """Yield the keys of a settings dataclass, with those of its sections."""
    hints = get_type_hints(config_type)
    for item in fields(config_type):
        kind, key = hints[item.name], f'{prefix}{item.name}'
        if is_dataclass(kind):
            assert isinstance(kind, type)
            yield from rows(kind, f'{key}.')
        elif (element := _section(kind)) is not None:
            yield from rows(element, f'{key}.NAME.')
        else:
            yield Row(
                f'{key}.NAME' if get_origin(kind) is not None and _free(kind) else key, item, kind
            )


def table(config_type: type[Any], prefix: str = '') -> str:
    """Return the table of a settings dataclass."""
    head = '| key | type | default | unit | admissible | meaning |\n|---|---|---|---|---|---|\n'
    return head + '\n'.join(row.text() for row in rows(config_type, prefix)) + '\n'


def page() -> str:
    """Return the whole page."""
    tasks = [(name, table(find_task(name).config_type)) for name in TASKS]
    # In Gazebo a robot has the same parameters under another name.
    names = [name for name in BUILT_IN if not name.endswith('_gazebo')]
    robots = [(name, table(find_robot(name).config, f'{name}.')) for name in names]
    tables = {
        'agent': table(RobotConfig),
        'agent_process': table(AgentNodeConfig),
        'tasks': _chapters(tasks),
        'learner': table(LearnerSettings),
        'algorithm': table(SacConfig),
        'driver': table(NodeConfig),
        'safety': table(SafetyConfig, 'safety.'),
        'robots': _chapters(robots),
    }
    text = TEMPLATE.read_text()
    for name, content in tables.items():
        text = text.replace(f'{{{name}}}', content)
    return text


def _chapters(tables: Iterable[tuple[str, str]]) -> str:
    return '\n'.join(f'### `{name}`\n\n{content}' for name, content in tables)


def _section(kind: Any) -> type[Any] | None:
    """Return the dataclass of a section with free keys."""
    if not _free(kind):
        return None
    element = get_args(kind)[1]
    return element if isinstance(element, type) and is_dataclass(element) else None


def _free(kind: Any) -> bool:
    origin = get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _type(kind: Any) -> str:
    if _free(kind):
        return _type(get_args(kind)[1])
    if get_origin(kind) is tuple:
        return f'list of {_type(get_args(kind)[0])}'
    names = {str: 'text', bool: 'truth', int: 'integer', float: 'float', Any: 'any'}
    return names.get(kind, getattr(kind, '__name__', str(kind)))


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ''
    if isinstance(value, bool):
        return f'`{str(value).lower()}`'
    if isinstance(value, str):
        return f'`{value or chr(39) * 2}`'
    if hasattr(value, '__len__'):
        return f'`[{", ".join(_value(one).strip("`") for one in value)}]`'
    return f'`{value}`'


def _admissible(meta: Mapping[str, Any]) -> str:
    if 'choices' in meta:
        return ', '.join(f'`{choice}`' for choice in meta['choices'])
    if 'range' in meta:
        low, high = meta['range']
        return f'{_number(low)} to {_number(high)}'
    return ''


def _number(value: float) -> str:
    return f'{value:g}'.replace('e+0', 'e').replace('e+', 'e')


if __name__ == '__main__':
    OUTPUT.write_text(page())
