"""The options of verbs that train, declared once: what each takes, and what it means.

A verb's function has the type and the default of each in its signature. Those of one kind of input
are declared with that kind.
"""

from __future__ import annotations

from allotrope.config import (
    COMBINED_BY,
    ENSEMBLES_OF,
    LAYOUTS,
    PRECISIONS,
    parse_bytes,
    parse_seconds,
)
from allotrope.inputs.input_options import TAKING, TRAINING
from allotrope.limits import parse_latency, parse_size
from allotrope.option import ABOVE_0, FROM_0, Option
from allotrope.recipe_choices import FEW_LABELS_BY
from allotrope.tuning.study_database import check_name, check_url
from allotrope.verbs.recipe_options import RECIPE

COMMON = (
    Option(
        "data",
        "'digits' (built in), a folder of class folders, a table, lines of texts, "
        "an .npz file, or a folder of .npy or IDX files; docs/data.md tells of all.",
    ),
    Option(
        "network",
        "a network of allotrope.networks, such as resnet20, or an ONNX file to train further; "
        "auto chooses by the data.",
    ),
    Option("out", "the folder in which the run's own folder is made."),
    Option("quiet", "show nothing while working."),
    Option(
        "validation",
        "the fraction split off for choices, where the data brings no such split.",
    ),
    Option(
        "test",
        "the fraction split off for the final test, where the data brings no such split.",
    ),
    Option("batch_size", "examples in a step.", range=ABOVE_0, recipe=True),
)

SETTINGS = (
    Option("device", "cpu, cuda or mps; auto takes what is fastest here."),
    Option(
        "precision",
        "float32, bfloat16 or, on GPUs, tensorfloat32 in training; by default what there is is "
        "raced, as are the next two.",
        choices=PRECISIONS,
    ),
    Option(
        "memory_layout",
        "default or channels-last: how arrays lie in memory in training; --layout understands "
        "these words too.",
        choices=LAYOUTS,
    ),
    Option("compile", "whether training is compiled."),
)

WEIGHTS = Option(
    "weights",
    "a .safetensors file with published weights (timm, torchvision, Keras, ...) for the network "
    "that is named, or hub:NAME@REVISION to fetch one.",
)
FILE = (
    Option(
        "new_head",
        "give the last layer of an ONNX file fresh weights, for the classes of the data.",
        for_file=True,
    ),
    Option(
        "classifier",
        "the output of an ONNX file that tells the classes apart, if it has several.",
        for_file=True,
    ),
)

PROCESSES = (
    Option(
        "processes",
        "so many processes train together, each with its rows of every batch; on this machine, "
        "unless there is an --address.",
        range=ABOVE_0,
    ),
    Option(
        "shares",
        "each batch is computed in so many shares, by a worker each; a run comes to the same bits "
        "in any number of processes that compute them. By default as many as processes; a run that "
        "is resumed keeps its own.",
        range=ABOVE_0,
    ),
    Option(
        "rank",
        "which of several processes this one is, from 0 on; rank 0 reads the data, leads and "
        "writes, the others compute.",
        range=FROM_0,
    ),
    Option(
        "address",
        "HOST:PORT of rank 0, at which processes of several machines meet.",
    ),
)

FIT = (
    *COMMON,
    *SETTINGS,
    WEIGHTS,
    *FILE,
    *TRAINING,
    Option(
        "members",
        "so many networks learn side by side and answer by their mean, in one file: more accurate, "
        "and so many times as much work.",
        range=ABOVE_0,
    ),
    Option(
        "ensemble",
        "so many networks are trained one after the other, each for the whole --budget, and answer "
        "together in one file, if the target lets it pass; 1 trains one and offers it with its "
        "mirrored answer, which costs no training.",
        range=ABOVE_0,
    ),
    Option(
        "ensemble_of",
        "what members differ in: seeds (initial weights and order), folds (each also learns "
        "without another part of the training examples), networks (kinds of the zoo), snapshots "
        "(ends of cycles of one training) or soup (one training that goes on several ways, of "
        "which the weights are averaged).",
        choices=ENSEMBLES_OF,
        noun="way to make members",
    ),
    Option(
        "combine",
        "how answers of members become one: average, greedy (members chosen one after the other), "
        "stacking (weights of the least loss) or vote; auto takes what is best on validation data.",
        choices=COMBINED_BY,
        noun="way to combine members",
    ),
    Option(
        "distill",
        "one network learns what the ensemble answers, and is delivered if it loses no more than "
        "the target allows.",
    ),
    Option(
        "method",
        "how to learn if many examples have no label (empty cells, a folder unlabelled/): labels "
        "alone, self-training by what networks say of the others, or fixmatch, freematch and "
        "mean-teacher, whose teacher learns along; auto decides by how many there are and the "
        "time. Labels alone are delivered if nothing beats them on held-out labels.",
        choices=FEW_LABELS_BY,
        noun="method",
    ),
    Option("framework", "the framework that trains."),
    Option("budget", "time for training, such as 90s or 10m.", parse=parse_seconds),
    Option("epochs", "how often the training sees each example.", range=ABOVE_0),
    Option(
        "max_latency",
        "target: longest time for one example, such as 2ms.",
        parse=parse_seconds,
    ),
    Option("max_size", "target: largest file, such as 900KB or 1MB.", parse=parse_bytes),
    Option(
        "max_drop",
        "target: largest loss of the validation metric against float32, in points: percentage "
        "points, or per cent of an error; by default 0.5, of tables 0.1.",
        range=FROM_0,
    ),
    Option(
        "shrink",
        "if the target is missed, the network is cut until it is fast and small enough, as by "
        "allotrope shrink, in a run of its own and with as much time again.",
    ),
    Option(
        "tuned",
        "a run of tune, whose settings are taken: factors of what the default is for this call.",
    ),
    Option("resume", "the folder of a run that was stopped; it goes on with its own options."),
    *PROCESSES,
    Option("seed", "decides split, initial weights, order and augmentation.", range=FROM_0),
    Option(
        "threads",
        "processor threads for training and measuring; all cores by default. With one, a run can "
        "be "
        "repeated to the bit.",
        range=ABOVE_0,
    ),
    Option(
        "measure_threads",
        "processor threads of the files that are measured, as many as they will have where they "
        "run; as --threads by default.",
        range=ABOVE_0,
    ),
    *RECIPE,
    Option(
        "freeze",
        "weights of an ONNX file that are not to learn, such as 'features.*'; may be repeated.",
        for_file=True,
    ),
    Option(
        "backbone_rate",
        "the learning rate of all layers but the last, in parts of it; 0.25 is usual with a new "
        "head.",
        range=ABOVE_0,
        for_file=True,
        recipe=True,
    ),
    Option(
        "layer_decay",
        "the learning rate of the first layer, in parts of the last one's; it rises from layer to "
        "layer by equal factors. 0.1 keeps what a network knows of simple shapes.",
        range=ABOVE_0,
        recipe=True,
    ),
    Option(
        "probe",
        "first fit the last layer alone to what all others give as they came (a linear probe), "
        "say what that reaches, and let all layers learn from there.",
        for_file=True,
    ),
    Option(
        "restore_batchnorm",
        "put BatchNormalization back behind the convolutions of an ONNX file; its outputs stay "
        "the same; by default if it knows the classes and nothing in it is normalized.",
        for_file=True,
    ),
    Option(
        "saliency",
        "whether the report shows what spoke for answers: where in an example (Grad-CAM, beside "
        "the same of shuffled weights), and which columns of a table count.",
    ),
    Option(
        "no_repair",
        "a repair to leave out when an ONNX file is read, such as gelu; all leaves out every one; "
        "may be repeated.",
        for_file=True,
    ),
)

_BY_NAME = {option.name: option for option in FIT}
SHRINK = (
    Option(
        "source",
        "a run that fit or shrink made, such as runs/photos-1, or an ONNX file with its data "
        "behind it.",
    ),
    Option("data", "the data of an ONNX file; of a run, where its data lies now."),
    Option(
        "max_latency",
        "target: longest time for one example, such as 0.1ms, or 0.25x of what the delivered file "
        "takes today.",
        parse=parse_latency,
    ),
    Option(
        "max_size",
        "target: largest file, such as 200KB, or 0.25x of the delivered one.",
        parse=parse_size,
    ),
    Option(
        "max_drop",
        "target: largest loss of the validation metric against the network before in float32, in "
        "points: percentage points, or per cent of an error; by default 0.5.",
        range=FROM_0,
    ),
    Option(
        "budget",
        "time for all of it, such as 15m; by default 10m, unless epochs are given.",
        parse=parse_seconds,
    ),
    Option("epochs", "how often each round sees each example, instead of a time.", range=ABOVE_0),
    Option("framework", "the framework that trains; by default that of the run, or pytorch."),
    Option("resume", "the folder of a run of shrink that was stopped; its options stay."),
    Option("seed", "decides order and augmentation; by default that of the run.", range=FROM_0),
    *(
        _BY_NAME[name]
        for name in (
            *("out", "threads", "measure_threads", "validation", "test", "batch_size"),
            *("learning_rate", "augmentation", "mixup", "saliency", "quiet"),
        )
    ),
    *TRAINING,
)

_OF_FIT_ALONE = (
    *("tuned", "weights", "probe", "compile", "find_rate", "shrink", "budget", "epochs"),
    "resume",
    *("processes", "shares", "rank", "address"),
)
TUNE = (
    *(option for option in FIT if option.name not in _OF_FIT_ALONE),
    Option(
        "budget",
        "time for the search (60 %) and the final trainings, such as 30m; by default 10m.",
        parse=parse_seconds,
    ),
    Option("trials", "the most trials of the study, of all processes together.", range=ABOVE_0),
    Option(
        "epochs",
        "how often the final trainings see each example, instead of a time; with --trials.",
        range=ABOVE_0,
    ),
    Option(
        "storage",
        "the database of the study, such as postgresql://user@host/name or sqlite:///study.db, or "
        "a journal file study.log; several processes may share it; by default a file of the run.",
        parse=check_url,
    ),
    Option(
        "study",
        "the name of the study in its database; by default that of the data.",
        parse=check_name,
    ),
    Option(
        "cluster",
        "the address of a Ray cluster that trains the trials, such as auto, 10.0.0.1:6379 or "
        "ray://host:10001; local makes one of this machine's cores.",
    ),
    Option("resume", "the folder of a run of tune that was stopped; its options stay."),
)

COMPARE = (
    *COMMON,
    *SETTINGS,
    *FILE,
    *TAKING,
    Option("frameworks", "which to race; all by default."),
    Option("budget", "time for everything, such as 10m.", parse=parse_seconds),
    Option(
        "epochs",
        "the most epochs of a training; the budget may allow fewer, as many for each framework.",
        range=ABOVE_0,
    ),
    Option(
        "goal",
        "the validation metric whose time is compared, such as 0.97, or 3.5 of an "
        "error; by default 95 % of the best that is reached.",
        range=ABOVE_0,
    ),
    Option(
        "seeds", "how many trainings each framework makes, each from other weights.", range=ABOVE_0
    ),
    Option("seed", "the first of the seeds; it also decides the split.", range=FROM_0),
    Option("threads", "processor threads for each framework; all cores by default.", range=ABOVE_0),
)
