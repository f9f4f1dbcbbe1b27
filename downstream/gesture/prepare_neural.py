"""Noisy and denoised recordings for the gesture task, by a network; `--help` says how."""

from downstream.gesture.preparing import main

if __name__ == "__main__":
    main("neural")
