"""What runs in the child process: one analyser over one set of files, and the mapping to findings.

Everything that reads reviewed code happens here, below the child's limits, so that a hostile file
costs one child and never the agent. Nothing here imports the reviewed code, the network or A2A.
"""
