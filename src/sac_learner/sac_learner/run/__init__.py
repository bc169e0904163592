"""What a run leaves behind: its directory, records, the progress line, report and pictures."""
