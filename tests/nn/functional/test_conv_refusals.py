"""What convolutions refuse, in torch's words, and what they take though it looks odd."""

from tests.support.both import agreements, refusals

REFUSED = {
    "channels": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 2, 3, 3)),
    "channels last": lambda F, t: F.conv2d(t(1, 8, 8, 3), t(4, 3, 3, 3)),
    "channels of groups": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 2, 3, 3), groups=2),
    "channels, same": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 2, 3, 3), padding="same"),
    "groups do not divide": lambda F, t: F.conv2d(t(1, 4, 8, 8), t(5, 2, 3, 3), groups=2),
    "kernel": lambda F, t: F.conv2d(t(1, 3, 2, 2), t(4, 3, 3, 3)),
    "kernel, dilated": lambda F, t: F.conv2d(t(1, 3, 4, 4), t(4, 3, 3, 3), dilation=2),
    "kernel, padded": lambda F, t: F.conv2d(t(1, 3, 1, 1), t(4, 3, 5, 5), padding=1),
    "kernel 1d": lambda F, t: F.conv1d(t(1, 3, 1), t(4, 3, 3)),
    "kernel 3d": lambda F, t: F.conv3d(t(2, 3, 2, 8, 8), t(4, 3, 3, 3, 3)),
    "rank 2": lambda F, t: F.conv2d(t(3, 8), t(4, 3, 3, 3)),
    "rank 5": lambda F, t: F.conv2d(t(1, 1, 3, 8, 8), t(4, 3, 3, 3)),
    "rank 1d": lambda F, t: F.conv1d(t(2, 3, 1, 8), t(4, 3, 3)),
    "rank 1": lambda F, t: F.conv1d(t(8), t(4, 3, 3)),
    "weight of 3": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3)),
    "weight of 5": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3, 3)),
    "bias": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3), t(5)),
    "bias of rank 2": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3), t(1, 4)),
    "bias dtype": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3), t(4, dtype="float64")),
    "stride of 3": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3), stride=(1, 1, 1)),
    "stride 0": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3), stride=0),
    "padding of 3": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3), padding=(1, 1, 1)),
    "padding of none": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3), padding=()),
    "padding -1": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3), padding=-1),
    "padding word": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3), padding="full"),
    "dilation of 3": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3), dilation=(1, 1, 1)),
    "dilation 0": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3), dilation=0),
    "same, strided": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3), stride=2, padding="same"),
    "no outputs": lambda F, t: F.conv2d(t(2, 3, 8, 8), t(0, 3, 4, 4)),
    "empty kernel": lambda F, t: F.conv2d(t(2, 3, 8, 8), t(4, 3, 0, 3)),
    "empty image": lambda F, t: F.conv2d(t(2, 3, 0, 8), t(4, 3, 1, 1)),
    "empty image, padded": lambda F, t: F.conv2d(t(2, 3, 0, 8), t(4, 3, 1, 1), padding=1),
    "booleans": lambda F, t: F.conv2d(t(1, 3, 8, 8, dtype="bool"), t(4, 3, 3, 3, dtype="bool")),
    "T channels": lambda F, t: F.conv_transpose2d(t(1, 3, 8, 8), t(4, 2, 3, 3)),
    "T output padding": lambda F, t: F.conv_transpose2d(t(1, 3, 8, 8), t(3, 2, 3, 3), output_padding=1),
    "T output padding -1": lambda F, t: F.conv_transpose2d(t(1, 3, 8, 8), t(3, 2, 3, 3), output_padding=-1),
    "T output padding 3d": lambda F, t: F.conv_transpose3d(t(1, 3, 4, 4, 4), t(3, 2, 3, 3, 3), output_padding=1),
    "T output padding 1d": lambda F, t: F.conv_transpose1d(t(1, 3, 8), t(3, 2, 3), output_padding=1),
    "T output padding of 3": lambda F, t: F.conv_transpose2d(t(1, 3, 8, 8), t(3, 2, 3, 3), output_padding=(1, 1, 1)),
    "T groups": lambda F, t: F.conv_transpose2d(t(1, 3, 8, 8), t(3, 2, 3, 3), groups=2),
    "T bias": lambda F, t: F.conv_transpose2d(t(1, 3, 8, 8), t(3, 2, 3, 3), t(5)),
    "T too small": lambda F, t: F.conv_transpose2d(t(1, 3, 1, 1), t(3, 2, 3, 3), padding=2),
    "T rank": lambda F, t: F.conv_transpose2d(t(3, 8), t(3, 2, 2, 2)),
    "T no channels": lambda F, t: F.conv_transpose2d(t(2, 0, 8, 8), t(0, 2, 2, 2)),
    "T stride 0": lambda F, t: F.conv_transpose2d(t(2, 3, 8, 8), t(3, 2, 2, 2), stride=0),
    "T padding word": lambda F, t: F.conv_transpose2d(t(1, 3, 8, 8), t(3, 2, 2, 2), padding="same"),
    "T dtypes": lambda F, t: F.conv_transpose2d(t(2, 3, 8, 8), t(3, 2, 2, 2, dtype="float64")),
    "dtypes": lambda F, t: F.conv2d(t(2, 3, 8, 8, dtype="float64"), t(4, 3, 2, 2)),
    "unfold rank 2": lambda F, t: F.unfold(t(8, 8), 2),
    "unfold rank 5": lambda F, t: F.unfold(t(1, 1, 1, 8, 8), 2),
    "unfold kernel": lambda F, t: F.unfold(t(1, 1, 8, 8), 9),
    "unfold kernel 0": lambda F, t: F.unfold(t(1, 1, 8, 8), 0),
    "unfold stride 0": lambda F, t: F.unfold(t(1, 1, 8, 8), 2, stride=0),
    "unfold dilation 0": lambda F, t: F.unfold(t(1, 1, 8, 8), 2, dilation=0),
    "unfold padding -1": lambda F, t: F.unfold(t(1, 1, 8, 8), 2, padding=-1),
    "unfold no channels": lambda F, t: F.unfold(t(2, 0, 8, 8), 2),
    "unfold kernel of 3": lambda F, t: F.unfold(t(2, 1, 8, 8), (2, 2, 2)),
    "unfold kernel of 1": lambda F, t: F.unfold(t(2, 1, 8, 8), (2,)),
    "unfold integers": lambda F, t: F.unfold(t(2, 1, 8, 8, dtype="int32"), 2),
    "fold blocks": lambda F, t: F.fold(t(2, 12, 13), (4, 5), 2),
    "fold channels": lambda F, t: F.fold(t(2, 13, 12), (4, 5), 2),
    "fold rank": lambda F, t: F.fold(t(1, 2, 12, 12), (4, 5), 2),
    "fold size of 3": lambda F, t: F.fold(t(12, 12), (4, 5, 6), 2),
    "fold size": lambda F, t: F.fold(t(12, 12), (1, 1), 2),
    "fold kernel 0": lambda F, t: F.fold(t(12, 12), (4, 5), 0),
    "fold stride 0": lambda F, t: F.fold(t(12, 12), (4, 5), 2, stride=0),
    "fold padding -1": lambda F, t: F.fold(t(12, 12), (4, 5), 2, padding=-1),
}

TAKEN = {
    "same, even kernel": lambda F, t: F.conv2d(t(1, 3, 8, 8), t(4, 3, 4, 4), padding="same"),
    "same, dilated, unbatched": lambda F, t: F.conv2d(t(3, 8, 8), t(4, 3, 4, 4), padding="same", dilation=2),
    "same, kernel larger": lambda F, t: F.conv2d(t(3, 2, 2), t(4, 3, 5, 5), padding="same"),
    "valid": lambda F, t: F.conv2d(t(3, 8, 8), t(4, 3, 4, 4), padding="valid"),
    "stride of 1": lambda F, t: F.conv2d(t(3, 8, 8), t(4, 3, 4, 4), stride=(2,)),
    "no batch": lambda F, t: F.conv2d(t(0, 3, 8, 8), t(4, 3, 4, 4)),
    "no channels": lambda F, t: F.conv2d(t(2, 0, 8, 8), t(4, 0, 4, 4)),
    "no channels, unbatched": lambda F, t: F.conv2d(t(0, 8, 8), t(4, 0, 4, 4)),
    "integers": lambda F, t: F.conv2d(t(1, 3, 8, 8, dtype="int64"), t(4, 3, 3, 3, dtype="int64")),
    "bytes": lambda F, t: F.conv2d(t(1, 3, 8, 8, dtype="uint8"), t(4, 3, 3, 3, dtype="uint8")),
    "bfloat16": lambda F, t: F.conv2d(
        t(1, 3, 8, 8, dtype="bfloat16"), t(4, 3, 3, 3, dtype="bfloat16"), t(4, dtype="bfloat16")
    ),
    "complex": lambda F, t: F.conv1d(t(1, 2, 8, dtype="complex64"), t(4, 1, 3, dtype="complex64"), groups=2),
    "T no batch": lambda F, t: F.conv_transpose2d(t(0, 3, 8, 8), t(3, 2, 2, 2), padding=1),
    "T output padding by dilation": lambda F, t: F.conv_transpose2d(
        t(1, 3, 8, 8), t(3, 2, 3, 3), output_padding=2, stride=2, dilation=3
    ),
    "T integers": lambda F, t: F.conv_transpose2d(t(1, 3, 8, 8, dtype="int64"), t(3, 4, 3, 3, dtype="int64")),
    "unfold no batch": lambda F, t: F.unfold(t(0, 1, 8, 8), 2),
    "fold no batch": lambda F, t: F.fold(t(0, 12, 12), (4, 5), 2),
    "fold unbatched": lambda F, t: F.fold(t(12, 12), (4, 5), 2),
}


def test_torchs_sentences():
    found = refusals(REFUSED)
    assert not found, "\n".join(f"{name}: {found[name]}" for name in found)


def test_odd_calls_give_torchs_shapes_and_dtypes():
    found = agreements(TAKEN)
    assert not found, "\n".join(f"{name}: {found[name]}" for name in found)
