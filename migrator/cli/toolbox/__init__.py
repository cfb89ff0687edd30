"""`migrate sendmail` and `migrate queue`: the tools for one host, each command in a file of its own."""
