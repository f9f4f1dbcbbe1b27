"""Reference-free quality: SNR and kinds of noise of a recording, read off the noisy signal alone.

from cleansemg.quality import assess_signal
for channel in assess_signal(x, fs_hz=2000):  # x [C, L]
    print(channel.snr_db, channel.snr_low_db, channel.snr_high_db, channel.kinds)
"""

from cleansemg.quality.assessment import assess_signal, noise_labels
from cleansemg.quality.meter import Quality, QualityMeter, Windows

__all__ = ["Quality", "QualityMeter", "Windows", "assess_signal", "noise_labels"]
