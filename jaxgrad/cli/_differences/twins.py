"""Names of torch for the same thing: a module and its function, a layer and its cell, one, two, three axes."""

import re

TWINS = {
    "torch.nn.GELU": "torch.nn.functional.gelu",
    "torch.nn.ReLU": "torch.nn.functional.relu",
    "torch.nn.SiLU": "torch.nn.functional.silu",
    "torch.nn.Hardtanh": "torch.nn.functional.hardtanh",
    "torch.nn.LeakyReLU": "torch.nn.functional.leaky_relu",
    "torch.nn.CrossEntropyLoss": "torch.nn.functional.cross_entropy",
    "torch.nn.MSELoss": "torch.nn.functional.mse_loss",
    "torch.nn.HuberLoss": "torch.nn.functional.huber_loss",
    "torch.nn.BCELoss": "torch.nn.functional.binary_cross_entropy",
    "torch.nn.BCEWithLogitsLoss": "torch.nn.functional.binary_cross_entropy_with_logits",
    "torch.nn.KLDivLoss": "torch.nn.functional.kl_div",
    "torch.nn.CTCLoss": "torch.nn.functional.ctc_loss",
    "torch.nn.CosineSimilarity": "torch.nn.functional.cosine_similarity",
    "torch.nn.Upsample": "torch.nn.functional.interpolate",
    "torch.nn.LSTM": "torch.nn.LSTMCell",
    "torch.nn.GRU": "torch.nn.GRUCell",
    "torch.nn.functional.dropout": "torch.nn.Dropout",
    "torch.nn.functional.layer_norm": "torch.nn.LayerNorm",
    "torch.nn.functional.group_norm": "torch.nn.GroupNorm",
    "torch.nn.functional.rms_norm": "torch.nn.RMSNorm",
    "torch.nn.functional.batch_norm": "torch.nn.BatchNorm2d",
    "torch.nn.functional.conv2d": "torch.nn.Conv2d",
    "torch.nn.functional.max_pool2d": "torch.nn.MaxPool2d",
    "torch.nn.functional.linear": "torch.nn.Linear",
    "torch.linalg.norm": "torch.linalg.vector_norm",
    "torch.norm": "torch.linalg.vector_norm",
    "torch.clip": "torch.clamp",
    "torch.rand": "torch.randn",
}


def canonical(name: str) -> str:
    """The one of them under which differences are written down.

    >>> canonical("torch.nn.GELU"), canonical("torch.nn.Conv1d"), canonical("torch.nn.Linear")
    ('torch.nn.functional.gelu', 'torch.nn.Conv2d', 'torch.nn.Linear')
    """
    return re.sub(r"[13]d$", "2d", TWINS.get(name, name))
