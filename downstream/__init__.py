"""What denoising is worth to a task: gestures, fatigue, gait, neuromuscular disease."""
