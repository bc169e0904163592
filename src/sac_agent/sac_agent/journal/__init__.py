"""Exactly once: transitions are journalled, numbered, sent, and sent again until they arrived."""

from sac_agent.journal.courier import Courier
from sac_agent.journal.errors import JournalError, JournalFullError
from sac_agent.journal.journal import Journal
from sac_agent.journal.outbox import Outbox
from sac_agent.journal.settings import JournalConfig

__all__ = ['Courier', 'Journal', 'JournalConfig', 'JournalError', 'JournalFullError', 'Outbox']
