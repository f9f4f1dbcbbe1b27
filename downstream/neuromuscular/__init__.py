"""Neuromuscular disease: healthy, myopathic or neurogenic, from windows of one channel."""
