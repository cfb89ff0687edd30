"""Everything that hosts and programs are told, word for word: a change that is to change nothing shows here if it does.

`python -m tests.golden` writes `files/` anew; whoever changes a file of it says why.
"""
