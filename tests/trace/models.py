"""Small torch models in training mode, dropout on; each with its loss and a batch."""

import pytest

torch = pytest.importorskip("torch", reason="the reference is not installed")
nn, F = torch.nn, torch.nn.functional


class Convolutional(nn.Module):
    """BatchNorm, a residual, every kind of pool, dropout of channels."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.body = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.GELU())
        self.drop = nn.Dropout2d(0.2)
        self.head = nn.Linear(4, 3)
        self.scale = torch.full((3,), 1.5, dtype=torch.float64)  # neither parameter nor buffer

    def forward(self, x):
        x = F.max_pool2d(self.stem(x), 2)
        x = F.avg_pool2d(x + self.drop(self.body(x)), 2)
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1)) * self.scale


class Recurrent(nn.Module):
    """Embedding, a stacked bidirectional LSTM with dropout between its layers, a GRU behind it."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 4, padding_idx=0)
        self.lstm = nn.LSTM(4, 3, 2, batch_first=True, dropout=0.3, bidirectional=True)
        self.gru = nn.GRU(6, 5, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        x, _ = self.lstm(self.embedding(x))
        _, h = self.gru(x)
        return self.head(F.dropout(h[-1], 0.2, self.training))


class Transformer(nn.Module):
    """A small GPT: tied head, causal attention with dropout on a transposed view."""

    def __init__(self, width=8, heads=2):
        super().__init__()
        self.heads = heads
        self.token = nn.Embedding(13, width)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.block = nn.TransformerEncoderLayer(width, heads, 16, 0.1, "gelu", batch_first=True, norm_first=True)
        self.head = nn.Linear(width, 13, bias=False)
        self.head.weight = self.token.weight

    def forward(self, x):
        x = self.token(x)
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm(x)).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        x = x + F.scaled_dot_product_attention(q, k, v, dropout_p=0.1, is_causal=True).transpose(1, 2).reshape(n, t, d)
        return self.head(self.block(x)).flatten(0, 1)


def cases():
    """``(name, module, loss function, batch)``, float64."""
    draw = torch.Generator().manual_seed(3)

    def labels(n, *shape):
        return torch.randint(n, shape, generator=draw)

    smooth = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64), label_smoothing=0.1)
    torch.manual_seed(0)
    image = torch.randn(4, 1, 8, 8, generator=draw, dtype=torch.float64)
    yield "convolutional", Convolutional().double(), smooth, (image, labels(3, 4))
    yield "recurrent", Recurrent().double(), smooth, (labels(11, 4, 5), labels(3, 4))
    yield "transformer", Transformer().double(), F.cross_entropy, (labels(13, 2, 5), labels(13, 10))
