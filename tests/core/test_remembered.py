import threading
from concurrent.futures import ThreadPoolExecutor

from mlkit._core.remembered import Remembered


class Meeting:
    def __init__(self, barrier):
        self.barrier = barrier
        self.times = 0

    @Remembered
    def place(self):
        self.times += 1
        return self.barrier.wait(timeout=60)


def test_threads_find_things_out_of_several_objects_at_once():
    barrier = threading.Barrier(4)  # which none passes alone
    meetings = [Meeting(barrier) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        places = list(pool.map(lambda meeting: meeting.place, meetings))
    assert sorted(places) == [0, 1, 2, 3]


def test_it_is_found_out_once():
    meeting = Meeting(threading.Barrier(1))
    assert (meeting.place, meeting.place, meeting.times) == (0, 0, 1)


def test_of_the_class_it_is_the_property_itself():
    assert isinstance(Meeting.place, Remembered)


def test_threads_that_find_it_out_at_once_get_the_same():
    meeting = Meeting(threading.Barrier(2))
    with ThreadPoolExecutor(2) as pool:
        places = list(pool.map(lambda _: meeting.place, range(2)))
    assert places == [meeting.place, meeting.place]
