"""The gait task from raw files to its tables; `--help` says how."""

from cleansemg.downstream.common.running import main

if __name__ == "__main__":
    main("gait")
