"""The pure part: what a coordination is and how it reacts to facts.

Plain synchronous Python over frozen values. No event loop, clock, randomness, logging
or protocol library; time, ids and jitter come in inside events.
"""
