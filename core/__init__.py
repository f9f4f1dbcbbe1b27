"""The ground floor: configuration, artifacts, execution, seeding, signal processing, console.

Nothing here knows a method, a noise or a data set of surface EMG.
"""

import os

# Read by oneDNN at torch's first operation. On processors with AMX the bfloat16 kernels of torch 2.13 read memory that
# nobody wrote: TrustEMG-Net's output came out 2.6 times its own size away from that in float32 (1 % without AMX).
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
