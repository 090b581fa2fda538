"""Hostile files: each ends in a named error, soon, and in little memory."""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import allotrope
from allotrope.errors import AllotropeError, UnsupportedError
from hostile import SECONDS, assert_refused, field, raw, relu, with_tensor
from onnx_models import model, node, tensor

# --- the bytes


NO_MODELS = [
    b"",
    b"\0" * 100,
    b"hello, I am no model" * 50,
    np.random.default_rng(0).bytes(10000),
    b"\xff" * 50,
]


@pytest.mark.parametrize("content", NO_MODELS)
def test_bytes_that_are_no_model(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    assert_refused(tmp_path / "m.onnx", "m.onnx")
    assert_refused(content)


def test_every_truncation_of_a_model(tmp_path):
    whole = with_tensor(raw(dims=(3, 4), data=b"\0" * 48)).SerializeToString()
    for length in range(0, len(whole), 3):
        with pytest.raises(AllotropeError):
            allotrope.load(whole[:length])


def test_every_flipped_byte_is_read_or_refused():
    whole = bytearray(with_tensor(raw(dims=(3, 4), data=b"\0" * 48)).SerializeToString())
    refused = 0
    for index in range(len(whole)):
        for value in (0, 255, whole[index] ^ 1):
            changed = bytes(whole[:index]) + bytes([value]) + bytes(whole[index + 1 :])
            try:
                str(allotrope.load(changed))
            except AllotropeError:
                refused += 1
    assert 0 < refused < 3 * len(whole)


@pytest.mark.parametrize("kind", ["nodes", "empty nodes", "metadata", "integers"])
def test_a_file_of_too_many_pieces(kind):
    opsets = [helper.make_opsetid("", 21)]
    head = helper.make_model(relu().graph, ir_version=10, opset_imports=opsets).SerializeToString()
    use = onnx.NodeProto(op_type="Relu", input=["abcdef"], output=["ghijkl"])
    some = field(1, use.SerializeToString())
    extra = {
        "nodes": field(7, some * 10**6),
        "empty nodes": field(7, b"\x0a\0" * 10**7),
        "metadata": b"\x72\0" * 10**7,
        "integers": field(7, field(5, field(7, b"\0" * 10**8))),
    }[kind]
    assert_refused(head + extra, "more than")


def test_memory_stays_low(tmp_path):
    (tmp_path / "m.onnx").write_bytes(field(7, b"\x0a\0" * (30 * 10**6)))
    script = """if True:
        import sys, allotrope
        try:
            allotrope.load(sys.argv[1])
        except allotrope.errors.ModelError:
            lines = open("/proc/self/status")
            print(*(line.split()[1] for line in lines if line.startswith("VmHWM")))
    """
    command = [sys.executable, "-c", script, str(tmp_path / "m.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 2**29


def test_paths_that_are_no_files(tmp_path):
    assert_refused(tmp_path / "none.onnx", "none.onnx", "No such file")
    assert_refused(tmp_path, "not a file")
    os.mkfifo(tmp_path / "pipe.onnx")
    assert_refused(tmp_path / "pipe.onnx", "not a file")
    assert_refused("/dev/zero", "not a file")


# --- the arrays


def listed(kind, dims, **values):
    """An array whose values are listed one by one."""
    return TensorProto(name="w", data_type=kind, dims=dims, **values)


@pytest.mark.parametrize(
    ("proto", "words"),
    [
        (raw(data=b"\0" * 15), ["'w'", "16 bytes", "15"]),
        (raw(dims=(2**40, 2**40)), ["impossible shape"]),
        (raw(dims=(2**31, 2**31, 0)), ["impossible shape"]),
        (raw(dims=(-1, 4)), ["impossible shape"]),
        (raw(dims=(1,) * 100, data=b"\0" * 4), ["100 axes"]),
        (raw(kind=99), ["element type 99"]),
        (listed(TensorProto.FLOAT, [2, 2], float_data=[1.0]), ["4 values", "has 1"]),
        (listed(TensorProto.FLOAT16, [2, 2], int32_data=[1]), ["4 values"]),
        (listed(TensorProto.STRING, [2], string_data=[b"a"]), ["2 values"]),
        (listed(TensorProto.STRING, [1], string_data=[b"\xe4"]), ["no UTF-8"]),
        (listed(TensorProto.FLOAT, [10**6, 10**6]), ["values and has 0"]),
    ],
)
def test_arrays_that_are_not_what_they_claim(proto, words):
    assert_refused(with_tensor(proto), *words)


def test_every_bad_array_is_named():
    made = with_tensor(raw(data=b""))
    made.graph.initializer.append(raw(name="v", data=b""))
    assert_refused(made, "'w'", "'v'")


# --- the graph


def test_names_that_do_not_hold_together():
    nodes = [node("Relu", "x", "a"), node("Relu", "x", "a"), node("Add", "ghost phantom", "b")]
    assert_refused(model(nodes), "'a' is made 2 times", "'ghost'", "'phantom'", "output 'y'")
    assert_refused(with_tensor(raw(name="x")), "'w'")
    made = relu(arrays={"w": np.zeros(1)})
    made.graph.initializer.append(made.graph.initializer[0])
    assert_refused(made, "'w'", "twice")
    assert_refused(relu(inputs=[tensor("x"), tensor("x")]), "'x' is made 2 times")


def test_a_cycle():
    nodes = [node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")]
    assert_refused(model(nodes), "cycle", "Add", "Relu")


def test_an_inner_graph_that_hides_or_misses_names():
    def branch(nodes):
        return helper.make_graph(nodes, "branch", [], [tensor("o", shape=None)])

    misses = [node("Relu", "ghost", "o")]
    hides = [node("Relu", "x", "c"), node("Relu", "x", "o")]
    for nodes, word in ((misses, "ghost"), (hides, "'c'")):
        choice = node("If", "c", "y", then_branch=branch(nodes), else_branch=branch(nodes))
        assert_refused(model([choice], [tensor("x"), tensor("c", TensorProto.BOOL, [])]), word)


def test_every_unknown_operator_is_listed_with_its_node():
    nodes = [
        node("Rleu", "x", "a", name="first"),
        node("Gadget", "a", "b", name="second", domain="com.example"),
        node("Relu", "b", "c"),
        node("Upsample", "c", "y", name="third"),
    ]
    assert_refused(
        model(nodes),
        "3 nodes",
        "Rleu (node 'first')",
        "com.example.Gadget (node 'second')",
        "Upsample (node 'third')",
        kind=UnsupportedError,
    )


def test_every_misuse_is_listed_with_its_node():
    nodes = [
        node("Relu", "x", "a", name="first", alpha=1.0),
        node("Concat", "a a", "b", name="second"),
        node("Gemm", "b", "y", name="third", alpha=1),
    ]
    assert_refused(
        model(nodes),
        *("'first'", "alpha"),
        *("'second'", "lacks attribute 'axis'"),
        *("'third'", "1 inputs, not 2 to 3", "not FLOAT"),
    )


def test_opsets_too_new_too_old_or_missing():
    assert_refused(relu(opset=999), "opset 999", kind=UnsupportedError)
    reshape = model([node("Reshape", "x", "y", shape=[3])], opset=4)
    assert_refused(reshape, "Reshape", "too old", kind=UnsupportedError)
    add = model([node("Add", "x x", "y")], opset=5)
    assert_refused(add, "Add", "too old", kind=UnsupportedError)
    made = relu()
    del made.opset_import[:]
    assert_refused(made, "opset_import")
    assert allotrope.load(relu(opset=6, ir_version=3)).graph.nodes[0].operator == "Relu"


def test_only_tensors_go_in_and_out():
    sequence = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None)
    inputs = [sequence, tensor("i", TensorProto.INT64, [])]
    made = model([node("SequenceAt", "x i", "y")], inputs)
    assert_refused(made, "'x' is a sequence", kind=UnsupportedError)
    untyped = relu(inputs=[onnx.ValueInfoProto(name="x")])
    assert_refused(untyped, "'x'", "type")


def test_functions_that_use_themselves_or_explode():
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("f", 1)]

    def function(name, *calls):
        values = ["a", *(f"t{i}" for i in range(len(calls) - 1)), "b"]
        nodes = [
            helper.make_node(call, [before], [after], domain="f")
            for call, (before, after) in zip(calls, itertools.pairwise(values), strict=True)
        ]
        return helper.make_function("f", name, ["a"], ["b"], nodes, opsets)

    def use(functions):
        made = model([node("F0", "x", "y", domain="f")], functions=functions)
        made.opset_import.append(helper.make_opsetid("f", 1))
        return made

    assert_refused(use([function("F0", "F0")]), "uses itself")
    doubling = [function(f"F{i}", f"F{i + 1}", f"F{i + 1}") for i in range(40)]
    last = helper.make_function("f", "F40", ["a"], ["b"], [node("Relu", "a", "b")], opsets[:1])
    assert_refused(use([*doubling, last]), "more than")


def test_graphs_nested_too_deep():
    inner = helper.make_graph([node("Relu", "x", "o")], "g", [], [tensor("o", shape=None)])
    plain = inner
    for index in range(30):
        choice = node("If", "c", f"o{index}", then_branch=inner, else_branch=plain)
        inner = helper.make_graph([choice], "g", [], [tensor(f"o{index}", shape=None)])
    choice = node("If", "c", "y", then_branch=inner, else_branch=plain)
    made = model([choice], [tensor("x"), tensor("c", TensorProto.BOOL, [])])
    assert_refused(made, "nested")
    assert_refused(made.SerializeToString(), "more than")


@pytest.mark.parametrize(
    ("made", "arrays"),
    [
        (node("Einsum", "x", "y", equation="..i...->->" * 1000), {}),
        (node("Split", "x", "y", num_outputs=2**40), {}),
        (node("LayerNormalization", "x s", "y", axis=-(2**31)), {"s": np.ones(3, np.float32)}),
        (node("GatherND", "x i", "y", batch_dims=2**40), {"i": np.zeros((1, 1), np.int64)}),
        (node("Tile", "x r", "y"), {"r": np.array([2**62, 2**62])}),
        (node("Expand", "x r", "y"), {"r": np.array([2**62, 2**62, 3])}),
        (node("ConstantOfShape", "r", "y"), {"r": np.array([2**40, 2**40])}),
        (
            node("Conv", "x w", "y", strides=[0, 0], group=0, dilations=[0, 0]),
            {"w": np.zeros((0, 3, 3, 3), np.float32)},
        ),
    ],
)
def test_attributes_far_out_of_range_cannot_crash_the_process(made, arrays):
    start = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # which other tests may have raised
    try:
        network = allotrope.load(model([made], arrays=arrays))
        assert str(network)
    except AllotropeError:
        pass
    assert time.process_time() - start < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 2**20
    assert allotrope.load(relu()).outputs[0].shape == ("n", 3)


def test_a_forked_process_reads_too():
    script = """if True:
        import os, sys, allotrope
        content = sys.stdin.buffer.read()
        allotrope.load(content)
        child = os.fork()
        shape = allotrope.load(content).outputs[0].shape
        if child:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or shape != ("n", 3))
        os._exit(shape != ("n", 3))
    """
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=relu().SerializeToString(), check=False, timeout=60)
    assert done.returncode == 0


def test_metadata_that_is_no_record_of_weights():
    made = with_tensor(raw(dims=(3, 4), data=b"\0" * 48))
    helper.set_model_props(made, {"allotrope.weights": "{not json"})
    assert_refused(made, "allotrope.weights")


# --- versions, required inputs, sizes


@pytest.mark.parametrize("version", [2**31, 2**60, -1, -(2**63)])
def test_versions_beyond_what_the_library_can_count(version):
    made = model([node("Gadget", "x", "y", domain="ai.onnx.ml")])
    made.opset_import.append(helper.make_opsetid("ai.onnx.ml", version))
    assert_refused(made, "Gadget", str(version), kind=UnsupportedError)
    opsets = [helper.make_opsetid("", version)]
    body = helper.make_function("f", "F", ["a"], ["b"], [node("Relu", "a", "b")], opsets)
    used = model([node("F", "x", "y", domain="f")], functions=[body])
    used.opset_import.append(helper.make_opsetid("f", 1))
    assert_refused(used, "Relu", str(version), kind=UnsupportedError)


def test_a_domain_in_two_versions():
    made = relu()
    made.opset_import.append(helper.make_opsetid("ai.onnx", 13))
    assert_refused(made, "'ai.onnx'", "opset 21", "opset 13")


@pytest.mark.parametrize(
    ("operator", "inputs", "lacking"),
    [
        ("Dropout", [""], "input 0"),
        ("Equal", ["x", ""], "input 1"),
        ("Concat", ["x", ""], "input 1"),
        ("Conv", ["", "x"], "input 0"),
    ],
)
def test_inputs_that_must_be_there_and_have_no_name(operator, inputs, lacking):
    attributes = {"Concat": {"axis": 0}}.get(operator, {})
    use = helper.make_node(operator, inputs, ["y"], **attributes)
    assert_refused(model([use]), f"{operator} (node 'y') lacks {lacking}")


@pytest.mark.parametrize(
    ("use", "word"),
    [
        (node("MaxPool", "x", "y", kernel_shape=[2], auto_pad="BANANA"), "auto_pad 'BANANA'"),
        (node("Resize", "x r r", "y", mode="zigzag"), "mode 'zigzag'"),
        (node("BitShift", "x x", "y", direction="UP"), "direction 'UP', not one of LEFT, RIGHT"),
        (node("ScatterND", "x x x", "y", reduction="most"), "reduction 'most'"),
    ],
)
def test_words_that_no_operator_knows(use, word):
    assert_refused(model([use], arrays={"r": np.ones(2, np.float32)}), "(node 'y')", word)


def test_a_node_that_makes_nothing():
    idle = helper.make_node("Relu", ["x"], [""], name="idle")
    assert_refused(model([node("Relu", "x", "y"), idle]), "'idle'", "no output with a name")


def test_inputs_larger_than_any_memory(monkeypatch):
    def of_shape(*shape):
        return relu(inputs=[tensor("x", shape=shape)])

    assert_refused(of_shape(2**40, 2**40), "'x'", "EB", "ALLOTROPE_MEMORY_LIMIT")
    assert_refused(of_shape(*["n"] * 65), "'x'", "64")
    monkeypatch.setenv("ALLOTROPE_MEMORY_LIMIT", "1MB")
    assert_refused(of_shape("n", 100_000), "400 kB", "250 kB is accepted")
    assert allotrope.load(of_shape("n", 10_000)).inputs[0].shape == ("n", 10_000)


def test_metadata_nested_without_end():
    made = with_tensor(raw(dims=(3, 4), data=b"\0" * 48))
    helper.set_model_props(made, {"allotrope.weights": "[" * 100_000})
    assert_refused(made, "allotrope.weights")


def test_groups_of_no_channels():
    arrays = {"s": np.ones(2, np.float32)}
    use = node("GroupNormalization", "x s s", "y", num_groups=0)
    assert_refused(
        model([use], [tensor("x", shape=["n", 4, 3])], arrays=arrays, opset=18), "num_groups 0"
    )
