"""The one URI under which everything of ours travels, and the keys below it."""

URI = "https://w3id.org/a2a-coordinator/fan-out/v1"
RUN = f"{URI}/run"
PROGRESS = f"{URI}/progress"
ENVELOPE = f"{URI}/envelope"
SOURCE = f"{URI}/source"
