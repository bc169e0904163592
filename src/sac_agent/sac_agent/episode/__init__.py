"""The life of an agent, episode by episode."""
