"""The recipe in flax and optax, as one writes it at first."""

import flax.linen as nn
import jax
import optax

LR, DECAY, CLIP, LENGTH = 0.05, 5e-4, 0.5, 12


class ResNet(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        def conv(features, size, name, strides=1):
            return nn.Conv(features, (size, size), strides, use_bias=False, name=name)

        def norm(name):
            return nn.BatchNorm(use_running_average=not train, name=name)

        x = nn.relu(norm("bn1")(conv(8, 3, "conv1")(x)))
        y = nn.relu(norm("bn2")(conv(16, 3, "conv2", 2)(x)))
        y = norm("bn3")(conv(16, 3, "conv3")(y)) + norm("bn4")(conv(16, 1, "short", 2)(x))
        return nn.Dense(10, name="fc")(nn.relu(y).mean((1, 2)))


def loss_fn(params, stats, images, labels):
    variables = {"params": params, "batch_stats": stats}
    logits, changed = ResNet().apply(variables, images, train=True, mutable=["batch_stats"])
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    return loss, changed["batch_stats"]


schedule = optax.cosine_decay_schedule(LR, decay_steps=LENGTH - 1)
tx = optax.chain(
    optax.add_decayed_weights(DECAY),
    optax.clip_by_global_norm(CLIP),
    optax.sgd(schedule, momentum=0.9, nesterov=True),
)


@jax.jit
def step(state, batch):
    params, old_stats, opt_state, count = state
    images, labels = batch
    images = images.transpose(0, 2, 3, 1)
    (loss, stats), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, old_stats, images, labels)
    updates, opt_state = tx.update(grads, opt_state, params)
    params = optax.apply_updates(params, updates)
    record = {"loss": loss, "grads": grads, "lr": schedule(count), "params": params, "buffers": stats}
    return (params, stats, opt_state, count + 1), record
