"""Agents that read, plan and write: by a language model behind an endpoint, or by rule.

One program for all of them; what one of them is comes from its card and a configuration file. They
are services of their own and share no code with the coordinator.
"""
