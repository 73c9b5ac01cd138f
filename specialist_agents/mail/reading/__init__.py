"""One program for each kind of file an attachment can be, each behind an agent of its own."""
