"""The administrator's tools for one Sendmail host, one file each; a tool is no part of a migration's chain of steps."""
