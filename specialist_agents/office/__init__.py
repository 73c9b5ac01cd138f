"""Agents for everyday texts: summaries, checks, letters, mails that go out, invoices.

All but the mailer run in a child process below limits, like the reviewers, and work by rules that are few and written
down in docs/patterns.md. They know no language well; what they cannot tell they do not claim.
"""
