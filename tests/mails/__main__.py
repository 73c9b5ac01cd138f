"""Print the mails that ship as one mbox."""

import sys

from tests.mails.generator import mbox

if __name__ == "__main__":
    sys.stdout.buffer.write(mbox())
