"""A clock of its own for one process, by libfaketime."""

import glob
import os

LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"


def library():
    """Where libfaketime is, if it is there."""
    return next(iter(glob.glob(LIBRARY)), None)


class Clock:
    """What the broker's clock shows, as a difference to the right time; durations are not touched."""

    def __init__(self, path, library):
        self.path = path
        self.set(0)
        self.environment = {
            **os.environ,
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, seconds):
        # As a whole: it is read all the time.
        beside = self.path.with_suffix(".new")
        beside.write_text(f"{seconds:+d}\n")
        beside.rename(self.path)
