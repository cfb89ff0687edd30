"""One look at a Sendmail host: what is wrong first, then what it is."""
