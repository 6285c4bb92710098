"""Weights & Biases offline: its process wandb-core writes a .wandb file to be sent later."""

import json
import struct
import zlib
from pathlib import Path

import command

BLOCK = 32 * 1024
FILE_HEAD = 7
RECORD_HEAD = struct.Struct("<IHB")
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


class Wandb:
    MODULE = DISTRIBUTION = "wandb"

    def __init__(self, folder):
        import wandb

        self.wandb = wandb
        self.folder = Path(folder)

    def start(self, params):
        run = self.wandb.init(project="bench", config=params, dir=self.folder)
        return run.log, run.finish

    def kept(self):
        from wandb.proto.wandb_internal_pb2 import Record

        for path in self.folder.rglob("*.wandb"):
            for payload in records(path.read_bytes()):
                record = Record.FromString(payload)
                if record.WhichOneof("record_type") == "history":
                    row = {
                        item.key or item.nested_key[0]: json.loads(item.value_json)
                        for item in record.history.item
                    }
                    for key in command.METRICS:
                        yield row["_step"], key, row[key]


def records(data):
    """Give the whole records of a .wandb file.

    The wandb pinned here has its own reader inside wandb-core, which tells a server only, and none
    in Python. The frames are those of LevelDB's log: blocks of 32 KiB, and in them records or
    parts of records, each with its CRC. Reading ends where the file was cut short.
    """
    parts, at = [], FILE_HEAD
    while at + RECORD_HEAD.size <= len(data):
        left = BLOCK - at % BLOCK
        if left < RECORD_HEAD.size:
            at += left
            continue
        crc, length, kind = RECORD_HEAD.unpack_from(data, at)
        if kind == 0:
            at += left
            continue
        body = data[at + RECORD_HEAD.size : at + RECORD_HEAD.size + length]
        if len(body) < length or zlib.crc32(bytes([kind]) + body) != crc:
            return
        at += RECORD_HEAD.size + length
        parts = [body] if kind in (FULL, FIRST) else [*parts, body]
        if kind in (FULL, LAST):
            yield b"".join(parts)


if __name__ == "__main__":
    command.main(Wandb)
