"""An A2A agent in front of a network of A2A agents: fan-out, barrier, policy, merge, journal."""

__version__ = "0.1.0"
