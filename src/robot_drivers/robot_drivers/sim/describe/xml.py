"""XML with numbers that a reader can compare: shortest form, no noise below 1e-9."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree

Element = ElementTree.Element
NOTE = ' Generated from the MuJoCo model by `ros2 run robot_drivers describe_robot`; do not edit. '


def add(parent: Element, tag: str, text: object = None, **attributes: object) -> Element:
    """Append an element; numbers and sequences of numbers become text."""
    child = ElementTree.SubElement(
        parent, tag, {key: format_value(value) for key, value in attributes.items()}
    )
    if text is not None:
        child.text = format_value(text)
    return child


def format_value(value: object) -> str:
    """Return text: numbers to nine decimals or six digits, whichever says more."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Iterable):
        return ' '.join(format_value(item) for item in value)
    number = float(value)  # type: ignore[arg-type]
    if number == int(number):
        return str(int(number))
    return f'{number:.9g}' if abs(number) > 1e-9 else '0'


def write(root: Element) -> str:
    """Return the document with a note on where it is from."""
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding='unicode')
    return f'<?xml version="1.0"?>\n<!--{NOTE}-->\n{body}\n'
