"""Each kind of file: `cut` gives its pieces, `rows` reads one piece; a module a kind.

What is damaged is told by `rows` as Unreadable beside what can be read; a DataError from either
means that nothing of the file can be.
"""
