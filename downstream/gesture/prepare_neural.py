"""Noisy and denoised recordings for the gesture task, by a network; `--help` says how."""

from cleansemg.downstream.gesture.preparation import main

if __name__ == "__main__":
    main("neural")
