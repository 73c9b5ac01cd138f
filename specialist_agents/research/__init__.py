"""What runs in the child process of the research agents: reading one kind of source, and ranking what it says.

A repository comes as files in a message and is only ever read: nothing here imports, builds or runs any of it,
and no program of git's is needed to read its history.
"""
