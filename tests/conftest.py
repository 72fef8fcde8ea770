"""One torch thread: small models train faster so, and give the same bits on any number of cores."""

import torch

torch.set_num_threads(1)
