"""Five reviewers of Python code and two that wait for somebody, each one process, port and Agent Card.

They exist to give the coordinator something real to talk to, and to be useful on their own. They
share no code with the coordinator and import nothing at this level: the process that runs an
analyser imports this package too, and must stay small.
"""
