"""A member of a group that needs no framework: `python -m echo_member RANK SIZE ADDRESS [CARD]`."""

import json
import os
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
    # What a test says of the members that a group starts.
    told = json.loads(os.environ.get("ECHO", "{}"))
    said = {**told.get("card", {}), **json.loads(card[0] if card else "{}")}
    try:
        patience = told.get("patience", 20)
        serve_leader(Echo(), int(rank), int(size) or None, address, said, patience)
    except AllotropeError as error:
        print(json.dumps({"end": str(error)}))
        sys.exit(1)
