"""What `import mlkit` costs over a bare Python."""

import subprocess
import sys


def test_importing_is_nearly_free(bench):
    def python(program):
        command = [sys.executable, "-I", "-c", program]
        return lambda: subprocess.run(command, check=True)

    timings = bench.side_by_side(
        {
            "bare": python("pass"),
            "mlkit": python("import mlkit"),
            "store": python("import mlkit; mlkit.Store"),
            "attrs": python("import attrs"),
        },
        rounds=15,
    )
    bare = timings["bare"].median
    over = {name: 1000 * (timing.median - bare) for name, timing in timings.items()}
    bench.at_most(
        "import mlkit, over bare Python", over["mlkit"], "ms", budget=40, attrs=over["attrs"]
    )
    bench.at_most("import mlkit; mlkit.Store, over bare Python", over["store"], "ms")
