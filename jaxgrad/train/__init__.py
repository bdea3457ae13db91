"""One jitted step that carries all the state of training: no torch address, since torch keeps it in objects."""

from jaxgrad.func import Aux
from jaxgrad.train.checkpoint import Checkpoints, Restored
from jaxgrad.train.early_stopping import EarlyStopping, Judged
from jaxgrad.train.evaluate import make_eval_step
from jaxgrad.train.evaluate_all import evaluate
from jaxgrad.train.fit import Fitted, fit
from jaxgrad.train.loop import make_epoch
from jaxgrad.train.mesh import local_replicas, per_replica
from jaxgrad.train.replica_batches import ReplicaBatches
from jaxgrad.train.sharding import shard, shard_batch, shardings
from jaxgrad.train.state import TrainState, init_state
from jaxgrad.train.step import TrainStep, make_train_step
from jaxgrad.train.step_schedule import step_schedule
from jaxgrad.train.supervised import supervised
from jaxgrad.train.tensorboard import TensorBoard

__all__ = [
    "Aux",
    "Checkpoints",
    "EarlyStopping",
    "Fitted",
    "Judged",
    "ReplicaBatches",
    "Restored",
    "TensorBoard",
    "TrainState",
    "TrainStep",
    "evaluate",
    "fit",
    "init_state",
    "local_replicas",
    "make_epoch",
    "make_eval_step",
    "make_train_step",
    "per_replica",
    "shard",
    "shard_batch",
    "shardings",
    "step_schedule",
    "supervised",
]
