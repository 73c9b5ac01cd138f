"""The agent `mailer`: the only one here that does something in the world that cannot be taken back.

So it does nothing unless it is configured and asked to, it writes down what it is about to do before it does it, and
it never sends to an address twice in one campaign. Where mails go and from whom is its configuration's business alone.
"""
