"""All causes that are looked for, the simpler first: of two that explain as well, the first is named."""

from jaxgrad.parity.causes.rule import Rule
from jaxgrad.parity.causes.rules.activation import another_activation, another_slope, gelu_tanh
from jaxgrad.parity.causes.rules.amsgrad_order import amsgrad_order
from jaxgrad.parity.causes.rules.another_constant import ANOTHER_CONSTANT, accumulator_starts_elsewhere, nesterov
from jaxgrad.parity.causes.rules.attention import attention_mask_missing, attention_scale_missing
from jaxgrad.parity.causes.rules.bias_correction import bias_correction_float32, bias_correction_missing
from jaxgrad.parity.causes.rules.class_weights import class_weights
from jaxgrad.parity.causes.rules.clip import (
    clip_always,
    clip_another_limit,
    clip_another_norm,
    clip_by_value_or_norm,
    clip_each_tensor,
    clip_missing,
    clip_without_eps,
)
from jaxgrad.parity.causes.rules.decay import (
    decay_missing,
    decay_of_some,
    decay_without_lr,
    decoupled_decay_added,
    decoupled_for_l2_decay,
    l2_for_decoupled_decay,
)
from jaxgrad.parity.causes.rules.decay_clipped import decay_clipped
from jaxgrad.parity.causes.rules.decay_in_gradient import penalty_in_loss
from jaxgrad.parity.causes.rules.dropout import another_dropout_rate, another_mask, dropout_off, dropout_scale
from jaxgrad.parity.causes.rules.embedding import embedding_scaled
from jaxgrad.parity.causes.rules.eps_inside_root import eps_inside_root
from jaxgrad.parity.causes.rules.frozen import frozen_parameter_moves, parameter_does_not_move, zero_for_none
from jaxgrad.parity.causes.rules.gates import forget_bias, gate_order, reset_before_product, second_bias_missing
from jaxgrad.parity.causes.rules.gradient_factor import (
    accumulation_factor,
    constant_factor,
    loss_reduction,
    loss_scale_left,
    sign,
)
from jaxgrad.parity.causes.rules.groups import groups_ignored
from jaxgrad.parity.causes.rules.inputs import another_batch, axes_swapped, inputs_in_other_units, rows_in_another_order
from jaxgrad.parity.causes.rules.kernel import bias_missing, flipped_kernel, padding_same, untransposed_kernel
from jaxgrad.parity.causes.rules.loss_terms import half_the_square, ignored_targets_counted, label_smoothing
from jaxgrad.parity.causes.rules.low_precision import low_precision
from jaxgrad.parity.causes.rules.momentum_convention import (
    dampening_missing,
    first_step_dampened,
    lr_inside_momentum,
    momentum_average,
)
from jaxgrad.parity.causes.rules.nadam_schedule import nadam_schedule
from jaxgrad.parity.causes.rules.norm_layer import norm_by_running_statistics, norm_eps, norm_variance
from jaxgrad.parity.causes.rules.output_factor import output_factor
from jaxgrad.parity.causes.rules.running_statistics import (
    another_running_momentum,
    biased_running_variance,
    buffer_updated_twice,
    running_momentum_convention,
    stale_buffer,
)
from jaxgrad.parity.causes.rules.sampling import align_corners, count_include_pad
from jaxgrad.parity.causes.rules.schedule_length import schedule_length
from jaxgrad.parity.causes.rules.schedule_shift import (
    lr_factor,
    schedule_early,
    schedule_late,
    schedule_missing,
    schedule_starts_at_zero,
)
from jaxgrad.parity.causes.rules.stale_gradients import one_step_late, zero_grad_missing
from jaxgrad.parity.causes.rules.stream import stream_ahead, stream_of_another_step
from jaxgrad.parity.causes.rules.untied import untied

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    # the batch and the stream
    rows_in_another_order,
    another_batch,
    axes_swapped,
    inputs_in_other_units,
    stream_of_another_step,
    # modules
    dropout_off,
    dropout_scale,
    stream_ahead,
    another_dropout_rate,
    another_mask,
    norm_by_running_statistics,
    norm_variance,
    gelu_tanh,
    bias_missing,
    untransposed_kernel,
    flipped_kernel,
    padding_same,
    count_include_pad,
    align_corners,
    attention_mask_missing,
    attention_scale_missing,
    embedding_scaled,
    second_bias_missing,
    forget_bias,
    reset_before_product,
    gate_order,
    low_precision,
    another_activation,
    norm_eps,
    another_slope,
    output_factor,
    # loss and gradients
    accumulation_factor,
    half_the_square,
    loss_reduction,
    ignored_targets_counted,
    label_smoothing,
    class_weights,
    untied,
    zero_grad_missing,
    zero_for_none,
    parameter_does_not_move,
    frozen_parameter_moves,
    sign,
    loss_scale_left,
    one_step_late,
    penalty_in_loss,
    # clipping
    clip_missing,
    clip_without_eps,
    clip_by_value_or_norm,
    clip_each_tensor,
    clip_another_norm,
    clip_always,
    clip_another_limit,
    decay_clipped,
    # the learning rate
    schedule_late,
    schedule_early,
    schedule_starts_at_zero,
    schedule_missing,
    schedule_length,
    lr_factor,
    # the optimizer
    eps_inside_root,
    bias_correction_missing,
    bias_correction_float32,
    decay_missing,
    l2_for_decoupled_decay,
    decoupled_for_l2_decay,
    decoupled_decay_added,
    decay_without_lr,
    decay_of_some,
    groups_ignored,
    nesterov,
    dampening_missing,
    first_step_dampened,
    lr_inside_momentum,
    momentum_average,
    amsgrad_order,
    nadam_schedule,
    accumulator_starts_elsewhere,
    *ANOTHER_CONSTANT,
    constant_factor,
    # buffers
    stale_buffer,
    buffer_updated_twice,
    biased_running_variance,
    running_momentum_convention,
    another_running_momentum,
)
"""In the order in which they are tried."""
