"""Where metrics go while training: files of the run, and services that show them."""

from t2t.training.trackers.base import Tracker, check_trackers
from t2t.training.trackers.json_lines import JsonLines
from t2t.training.trackers.mlflow import MLflow
from t2t.training.trackers.tensorboard import TensorBoard
from t2t.training.trackers.wandb import Wandb

__all__ = ["JsonLines", "MLflow", "TensorBoard", "Tracker", "Wandb", "check_trackers"]
