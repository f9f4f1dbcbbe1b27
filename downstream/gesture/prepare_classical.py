"""Noisy and denoised recordings for the gesture task, by a classical method; `--help` says how."""

from cleansemg.downstream.gesture.preparation import main

if __name__ == "__main__":
    main("classical")
