"""The commands, one file each: a frozen dataclass whose fields are the flags and whose ``run`` does the work."""
