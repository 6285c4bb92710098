import os

from mlkit._core import forking
from mlkit._core.forking import renew_after_fork


class Thing:
    renewed = 0

    def renew(self):
        self.renewed += 1


def test_what_lives_is_renewed_in_a_child_and_not_in_the_parent():
    thing = Thing()
    renew_after_fork(thing)
    child = os.fork()
    if not child:
        os._exit(0 if thing.renewed == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert thing.renewed == 0


def test_it_is_renewed_but_not_kept_alive():
    thing, gone = Thing(), Thing()
    renew_after_fork(thing)
    renew_after_fork(gone)
    count = len(forking._KNOWN)
    del gone
    assert len(forking._KNOWN) == count - 1
    forking._in_child()
    assert thing.renewed == 1
