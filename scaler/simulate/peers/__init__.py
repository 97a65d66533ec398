"""The rules by which other scalers decide, as strategies of the simulator, with their own intervals and defaults."""
