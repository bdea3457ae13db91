"""A small stand-in for NotMNIST, whose archive is in no package: letters A to J in the fonts that matplotlib brings.

Same layout, same size, white on black, and some files are broken in the ways in which the original's are.
"""

from pathlib import Path

import numpy as np

LETTERS = "ABCDEFGHIJ"
_FONTS = ("DejaVuSans", "DejaVuSerif", "STIXGeneral", "cmr10", "cmb10", "cmss10", "cmtt10")


def render_letters(root: Path, per_class: int, seed: int = 0) -> None:
    """Write ``per_class`` images of each letter below ``root``, and four files that cannot be used."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    fonts = sorted(path for path in folder.glob("*.ttf") if path.name.startswith(_FONTS) and "Display" not in path.name)
    rng = np.random.default_rng(seed)
    for letter in LETTERS:
        (root / letter).mkdir(parents=True)
        for i in range(per_class):
            font = ImageFont.truetype(fonts[rng.integers(len(fonts))], int(rng.integers(18, 27)))
            image = Image.new("L", (28, 28))
            place = tuple(14 + rng.integers(-3, 4, 2))
            ImageDraw.Draw(image).text(place, letter, fill=255, font=font, anchor="mm")
            image.rotate(rng.uniform(-25, 25), resample=Image.Resampling.BILINEAR).save(root / letter / f"{i:05d}.png")
    whole = (root / "A" / "00000.png").read_bytes()
    (root / "A" / "empty.png").write_bytes(b"")
    (root / "B" / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (root / "D" / "text.png").write_text("this is not an image")
    Image.new("L", (20, 28)).save(root / "F" / "narrow.png")
