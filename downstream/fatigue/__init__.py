"""The fatigue task: degree of muscle fatigue from windows of multi-channel EMG."""
