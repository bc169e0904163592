"""Everything goes wrong, and the books must balance; see __main__.py."""
