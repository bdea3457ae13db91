"""Published architectures in small, with random weights: from timm, transformers, torchvision and diffusers.

Each entry builds ``(module, loss_fn, batch)`` in float32; ``batch[0]`` is what the module takes. Nothing requires
these heavy packages: ``pip install 'jaxgrad[models]'``.
"""

import torch
from torch.nn import functional as F

CLASSES = 5


def _import_torchvision():
    """Torchvision; where its compiled part is for another build of torch, without detection's own operations."""
    try:
        import torchvision
    except RuntimeError:
        schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", schema)
        import torchvision
    return torchvision


def _image(size, count=4):
    return torch.randn(count, 3, size, size), torch.randint(CLASSES, (count,))


def _tokens(vocabulary, length=8, count=2):
    return torch.randint(3, vocabulary, (count, length))


def _timm(name, size=32, **options):
    _import_torchvision()
    import timm

    return lambda: (timm.create_model(name, num_classes=CLASSES, **options), F.cross_entropy, _image(size))


def _vision(name, size=32, count=4, **options):
    def build():
        model = getattr(_import_torchvision().models, name)(weights=None, num_classes=CLASSES, **options)
        return model, F.cross_entropy, _image(size, count)

    return build


def _densenet():
    models = _import_torchvision().models
    model = models.DenseNet(4, (2, 2), 8, drop_rate=0.1, num_classes=CLASSES)
    return model, F.cross_entropy, _image(32)


def _vgg():
    """Its convolutions and its classifier, narrow: the published head alone has 100 million weights."""
    models = _import_torchvision().models
    layers = models.vgg.make_layers([4, "M", 8, "M", 8, 8, "M"], batch_norm=True)
    head = torch.nn.Sequential(torch.nn.Linear(8 * 49, 16), torch.nn.ReLU(True), torch.nn.Dropout(0.5))
    model = models.VGG(layers, num_classes=CLASSES, init_weights=True)
    model.classifier = torch.nn.Sequential(*head, torch.nn.Linear(16, CLASSES))
    return model, F.cross_entropy, _image(56)


def _swin_v2():
    models = _import_torchvision().models
    block = models.swin_transformer.SwinTransformerBlockV2
    merge = models.swin_transformer.PatchMergingV2
    model = models.SwinTransformer(
        [4, 4], 8, [1, 1], [1, 2], [4, 4], num_classes=CLASSES, block=block, downsample_layer=merge
    )
    return model, F.cross_entropy, _image(32)


def _own_loss(output):
    return output["loss"]


def _transformers(config, model, batch, **options):
    def build():
        import transformers

        module = getattr(transformers, model)(getattr(transformers, config)(**options))
        return module, _own_loss, (batch(),)

    return build


def _classified(vocabulary):
    def batch():
        ids = _tokens(vocabulary)
        mask = torch.ones_like(ids)
        mask[1, 5:] = 0
        return {"input_ids": ids, "attention_mask": mask, "labels": torch.randint(CLASSES, (2,))}

    return batch


def _masked(vocabulary):
    def batch():
        ids = _tokens(vocabulary)
        mask = torch.ones_like(ids)
        mask[1, 5:] = 0
        labels = ids.clone()
        labels[:, ::2] = -100
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    return batch


def _causal(vocabulary):
    def batch():
        ids = _tokens(vocabulary)
        return {"input_ids": ids, "labels": ids}

    return batch


def _translated(vocabulary):
    def batch():
        return {"input_ids": _tokens(vocabulary), "labels": _tokens(vocabulary, 6)}

    return batch


def _spectrum():
    return torch.randn(2, 8, 20)


def _whisper_encoder():
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = WhisperConfig(
        d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=32, num_mel_bins=8,
        max_source_positions=10, dropout=0.1,
    )  # fmt: skip
    return (
        WhisperEncoder(config),
        lambda out, y: F.mse_loss(out["last_hidden_state"], y),
        (
            _spectrum(),
            torch.randn(2, 10, 16),
        ),
    )


def _diffusion():
    from diffusers import UNet2DModel

    model = UNet2DModel(
        sample_size=8, in_channels=3, out_channels=3, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        attention_head_dim=4, dropout=0.1, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    noise = torch.randn(2, 3, 8, 8)
    batch = (torch.randn(2, 3, 8, 8), torch.tensor([3, 500]))
    return model, lambda out, noise: F.mse_loss(out["sample"], noise), (batch, noise)


def _sentences(config, model, **options):
    return _transformers(config, model, _causal(options["vocab_size"]), **options)


_SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
_BERT = {**_SMALL, "vocab_size": 30, "max_position_embeddings": 16, "num_labels": CLASSES}
_LLAMA = {**_SMALL, "num_key_value_heads": 1, "vocab_size": 30, "max_position_embeddings": 16, "pad_token_id": 0}
_VIT = {**_SMALL, "image_size": 16, "patch_size": 8, "num_labels": CLASSES}


def _pixels(size=16):
    return lambda: {"pixel_values": torch.randn(2, 3, size, size), "labels": torch.randint(CLASSES, (2,))}


MODELS = {
    "timm ResNet-50": _timm("resnet50", 32, block_args=None, base_width=8),
    "timm ConvNeXt": _timm("convnext_atto", 32, depths=(1, 1, 2, 1), dims=(8, 16, 24, 32), drop_path_rate=0.1),
    "timm ViT": _timm("vit_tiny_patch16_224", 32, img_size=32, embed_dim=24, depth=2, num_heads=3, drop_rate=0.1),
    "timm Swin": _timm(
        "swin_tiny_patch4_window7_224",
        32,
        img_size=32,
        embed_dim=12,
        depths=(2, 2),
        num_heads=(1, 2),
        window_size=4,
        drop_path_rate=0.1,
    ),
    "timm EfficientNet": _timm("efficientnet_lite0", 64, drop_rate=0.2),
    "timm MLP-Mixer": _timm("gmixer_12_224", 32, img_size=32),
    "timm RegNet": _timm("regnety_002", 64),
    "timm MobileNetV3": _timm("mobilenetv3_small_050", 64),
    "torchvision ResNet-18": _vision("resnet18"),
    "torchvision DenseNet": _densenet,
    "torchvision MobileNetV2": _vision("mobilenet_v2", 64, width_mult=0.25),
    "torchvision ShuffleNet": _vision("shufflenet_v2_x0_5", 64),
    "torchvision VGG with BatchNorm": _vgg,
    "torchvision GoogLeNet": _vision("googlenet", 64, aux_logits=False, init_weights=False),
    "torchvision Swin V2": _swin_v2,
    "transformers BERT": _transformers("BertConfig", "BertForSequenceClassification", _classified(30), **_BERT),
    "transformers BERT, masked words": _transformers("BertConfig", "BertForMaskedLM", _masked(30), **_BERT),
    "transformers RoBERTa": _transformers(
        "RobertaConfig", "RobertaForSequenceClassification", _classified(30), **_BERT
    ),
    "transformers DistilBERT": _transformers(
        "DistilBertConfig",
        "DistilBertForSequenceClassification",
        _classified(30),
        vocab_size=30,
        dim=16,
        n_layers=2,
        n_heads=2,
        hidden_dim=32,
        max_position_embeddings=16,
        num_labels=CLASSES,
    ),
    "transformers GPT-2": _sentences(
        "GPT2Config", "GPT2LMHeadModel", vocab_size=30, n_positions=16, n_embd=16, n_layer=2, n_head=2
    ),
    "transformers Llama": _sentences("LlamaConfig", "LlamaForCausalLM", **_LLAMA),
    "transformers Mistral": _sentences("MistralConfig", "MistralForCausalLM", **_LLAMA),
    "transformers Qwen2": _sentences("Qwen2Config", "Qwen2ForCausalLM", **_LLAMA),
    "transformers Gemma": _sentences("GemmaConfig", "GemmaForCausalLM", **_LLAMA, head_dim=8),
    "transformers OPT": _sentences(
        "OPTConfig",
        "OPTForCausalLM",
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=32,
        max_position_embeddings=16,
        word_embed_proj_dim=16,
        layerdrop=0.0,
    ),
    "transformers Mixtral": _sentences(
        "MixtralConfig", "MixtralForCausalLM", **_LLAMA, num_local_experts=2, experts_implementation="eager"
    ),
    "transformers Mamba": _sentences(
        "MambaConfig", "MambaForCausalLM", vocab_size=30, hidden_size=16, state_size=4, num_hidden_layers=2
    ),
    "transformers T5": _transformers(
        "T5Config",
        "T5ForConditionalGeneration",
        _translated(30),
        vocab_size=30,
        d_model=16,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
        pad_token_id=0,
    ),
    "transformers BART": _transformers(
        "BartConfig",
        "BartForConditionalGeneration",
        _translated(30),
        vocab_size=30,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=16,
    ),
    "transformers Whisper encoder": _whisper_encoder,
    "transformers ViT": _transformers("ViTConfig", "ViTForImageClassification", _pixels(), **_VIT),
    "diffusers U-Net": _diffusion,
}
