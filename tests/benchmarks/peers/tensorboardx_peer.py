"""tensorboardX: event files, written by a thread and flushed every two minutes."""

import itertools
import struct
from pathlib import Path

import command


class TensorboardX:
    MODULE = DISTRIBUTION = "tensorboardX"

    def __init__(self, folder):
        import tensorboardX

        self.tensorboardX = tensorboardX
        self.folder = Path(folder)
        self.numbers = itertools.count()

    def start(self, params):
        writer = self.tensorboardX.SummaryWriter(str(self.folder / f"run{next(self.numbers)}"))
        if params:
            writer.add_hparams(params, {})

        def log(metrics, step):
            for key, value in metrics.items():
                writer.add_scalar(key, value, step)

        return log, writer.close

    def kept(self):
        from tensorboardX.proto.event_pb2 import Event

        for path in self.folder.rglob("events.out.tfevents.*"):
            for payload in records(path.read_bytes()):
                event = Event.FromString(payload)
                for value in event.summary.value:
                    yield event.step, value.tag, value.simple_value


def records(data):
    """Give the whole records of an event file, up to where it was cut short.

    tensorboardX only writes; the frames are those of TensorFlow: length, CRC, payload, CRC.
    """
    from tensorboardX.record_writer import masked_crc32c

    at = 0
    while at + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        payload, crc = data[at + 12 : at + 12 + length], data[at + 12 + length : at + 16 + length]
        if len(crc) < 4 or struct.unpack("<I", crc) != (masked_crc32c(payload),):
            return
        yield payload
        at += 16 + length


if __name__ == "__main__":
    command.main(TensorboardX)
