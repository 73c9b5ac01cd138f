"""What runs in the child process of the mail agents: parsing, rules and readers of attachments.

Mails come from strangers. Everything that reads them happens here, below the child's limits and below
a limit of processor time for each mail, so a hostile one costs itself and, at worst, its batch. Nothing
here sends, fetches, renders or executes anything.
"""
