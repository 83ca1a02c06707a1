"""A power cut, after the process was killed: takes from every file of a folder what was not surely on disk.

What was, the journal of unsynced_tracker.cc says. The model's limits stand there.
"""

import os


def read_journal(path):
    """{(device, inode): bytes that are surely on disk}."""
    promised = {}
    with open(path, encoding="ascii") as journal:
        for line in journal:
            if line.endswith("\n"):  # the line being written at the kill promises nothing
                device, inode, size = map(int, line.split())
                promised[device, inode] = size
    return promised


def cut(folder, journal):
    """Truncates; returns how many bytes were taken."""
    promised = read_journal(journal)
    taken = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            status = os.stat(path, follow_symlinks=False)
            size = promised.get((status.st_dev, status.st_ino), 0)
            if status.st_size > size:
                os.truncate(path, size)
                taken += status.st_size - size
    return taken
