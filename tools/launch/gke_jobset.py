"""Prints the manifest that trains on Google Kubernetes Engine (JobSet), on TPU slices or GPUs.

    python tools/launch/gke_jobset.py tpu --name=pretrain --image=IMAGE --num_slices=2 \\
        --accelerator=tpu-v5-lite-podslice --topology=4x4 --spot \\
        -- t2t train --gin_file=FILE --model_dir=gs://BUCKET/FOLDER | kubectl apply -f -
    python tools/launch/gke_jobset.py gpu --name=pretrain --image=IMAGE --num_nodes=4 \\
        --accelerator=nvidia-h100-80gb --gpus_per_node=8 \\
        -- t2t train --gin_file=FILE --model_dir=gs://BUCKET/FOLDER | kubectl apply -f -

The template is gke_jobset.yaml beside this file. Nothing but Python is needed here.
"""

import argparse
import json
import math
import re
import string
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("gke_jobset.yaml")
PORT = 12345
LONGEST_NAME = 40  # pods are called NAME-slice-12-345-abcde, in at most 63 letters


class Failure(Exception):
    """A message for the user, on one line."""


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    try:
        print(manifest(args), end="")
    except Failure as failure:
        print(f"gke_jobset.py: error: {failure}", file=sys.stderr)
        return 2
    return 0


def manifest(args: argparse.Namespace) -> str:
    """The template, filled in; values are JSON, which YAML contains."""
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise Failure("no command: write it after --, as in: -- t2t train --gin_file=FILE")
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", args.name) or len(args.name) > LONGEST_NAME:
        raise Failure(
            f"--name={args.name}: at most {LONGEST_NAME} small letters, digits and '-', "
            f"beginning with a letter and not ending with '-'"
        )
    particular = _tpu(args) if args.kind == "tpu" else _gpu(args)
    spot = {"cloud.google.com/gke-spot": "true"} if args.spot else {}
    taint = {"key": "cloud.google.com/gke-spot", "operator": "Equal", "value": "true"}
    values = {
        **particular,
        "name": args.name,
        "max_restarts": args.max_restarts,
        "node_selector": particular["node_selector"] | spot,
        "tolerations": [taint | {"effect": "NoSchedule"}] if args.spot else [],
        "service_account": args.service_account,
        "image": args.image,
        # Kubernetes would put variables in place of $(NAME).
        "command": [word.replace("$(", "$$(") for word in command],
        "env": [{"name": "PYTHONUNBUFFERED", "value": "1"}, *particular["env"]],
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    body = text[text.index("apiVersion:") :]  # without the words about the template
    return string.Template(body).substitute({k: json.dumps(v) for k, v in values.items()})


def _tpu(args: argparse.Namespace) -> dict[str, Any]:
    """GKE tells each pod of its slice, and slices of each other; JAX reads that."""
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){1,2}", args.topology):
        raise Failure(f"--topology={args.topology} must be numbers of chips such as 4x4 or 4x4x8")
    chips = math.prod(map(int, args.topology.split("x")))
    each = min(args.chips_per_node, chips)
    if chips % each:
        raise Failure(f"{each} chips per node do not divide the {chips} of --topology")
    return {
        # A slice is a pool of nodes: the pods of one must not share it with those of another.
        "annotations": {
            "alpha.jobset.sigs.k8s.io/exclusive-topology": "cloud.google.com/gke-nodepool"
        },
        "slices": args.num_slices,
        "nodes": chips // each,
        "node_selector": {
            "cloud.google.com/gke-tpu-accelerator": args.accelerator,
            "cloud.google.com/gke-tpu-topology": args.topology,
        },
        "limits": {"google.com/tpu": each},
        "env": [],
        "ports": [{"containerPort": 8471}, {"containerPort": 8080}],  # TPUs', and of slices
    }


def _gpu(args: argparse.Namespace) -> dict[str, Any]:
    """One process per node; the first pod's name is known beforehand."""
    index = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    return {
        "annotations": {},
        "slices": 1,
        "nodes": args.num_nodes,
        "node_selector": {"cloud.google.com/gke-accelerator": args.accelerator},
        "limits": {"nvidia.com/gpu": args.gpus_per_node},
        "env": [
            {
                "name": "JAX_COORDINATOR_ADDRESS",
                "value": f"{args.name}-slice-0-0.{args.name}:{PORT}",
            },
            {"name": "JAX_NUM_PROCESSES", "value": str(args.num_nodes)},
            {"name": "JAX_PROCESS_ID", "valueFrom": {"fieldRef": {"fieldPath": index}}},
        ],
        "ports": [{"containerPort": PORT}],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gke_jobset.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="tpu|gpu")
    for kind in ("tpu", "gpu"):
        command = kinds.add_parser(kind, allow_abbrev=False)
        add = command.add_argument
        add("--name", required=True, help="of the JobSet")
        add("--image", required=True, help="container image in which t2t is installed")
        add("--accelerator", required=True, help=
            "such as tpu-v5-lite-podslice or nvidia-h100-80gb")  # fmt: skip
        if kind == "tpu":
            add("--topology", required=True, help="chips of a slice, such as 4x4 or 4x4x8")
            add("--num_slices", type=_positive, default=1, metavar="N", help="(default: 1)")
            add("--chips_per_node", type=_positive, default=4, metavar="N", help="(default: 4)")
        else:
            add("--num_nodes", type=_positive, default=1, metavar="N", help="(default: 1)")
            add("--gpus_per_node", type=_positive, default=8, metavar="N", help="(default: 8)")
        add("--spot", action="store_true", help="nodes that can be taken away at any time")
        add("--service_account", default="default", metavar="NAME", help=
            "of Kubernetes, with access to the bucket (default: default)")  # fmt: skip
        add("--max_restarts", type=_positive, default=20, metavar="N", help=
            "after failures other than preemptions (default: 20)")  # fmt: skip
        add("command", nargs=argparse.REMAINDER, help="what to run on every node, after --")
    return parser


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
