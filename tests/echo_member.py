"""A member of a group that needs no framework: `python -m echo_member RANK SIZE ADDRESS [CARD]`."""

import json
import sys
import time

from allotrope.errors import AllotropeError
from allotrope.process.member import serve_leader


class Echo:
    def echo(self, parts, **said):
        return said, parts

    def fail(self, parts):
        raise ValueError("no")

    def sleep(self, parts):
        time.sleep(60)


if __name__ == "__main__":
    rank, size, address, *card = sys.argv[1:]
    said = json.loads(card[0] if card else "{}")
    try:
        serve_leader(Echo(), int(rank), int(size) or None, address, said, patience=20)
    except AllotropeError as error:
        print(json.dumps({"end": str(error)}))
        sys.exit(1)
