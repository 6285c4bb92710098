"""What a deployed version saw and said, held against what it was trained on and what came true."""
